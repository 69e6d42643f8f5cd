//! The transforms of Winograd's minimal filtering `F(4 x 4, 3 x 3)`: a dense 3 x 3 convolution of stride 1 with a
//! quarter of the multiplications.
//!
//! Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. With tiles `d` of 6 x 6 inputs that
//! overlap by 2, a filter `g` of 3 x 3 and tiles of 4 x 4 outputs,
//!
//! ```text
//! y = A^T [(G g G^T) * (B^T d B)] A
//! ```
//!
//! where `*` multiplies 36 numbers element by element. Over channels it becomes 36 matrix products, which the
//! caller computes. The filter's gradient is `G^T [(A dy A^T) * (B^T d B)] G`, summed over tiles. Rounding
//! errors are about 10 times those of a plain sum of products.
//!
//! Tensors are channels-last, `[images, height, width, channels]`, with a multiple of [`LANE`] channels; tiles are
//! `[images, rows, columns, 36, channels]`.

use rayon::prelude::*;

use crate::error::KernelError;
use crate::simd;

/// Number of channels processed at a time.
pub const LANE: usize = 16;
/// Number of values in a tile.
pub const TILE: usize = INPUT * INPUT;
/// Rows and columns of a tile's input.
const INPUT: usize = 6;
/// Rows and columns of a tile's output.
const OUTPUT: usize = 4;
/// Rows and columns of the filter.
const FILTER: usize = 3;

type Lanes = [f32; LANE];
const ZERO: Lanes = [0.0; LANE];

/// `B^T d`
#[inline(always)]
fn input_transform(d: [&Lanes; INPUT]) -> [Lanes; INPUT] {
    let mut out = [ZERO; INPUT];
    for i in 0..LANE {
        let [d0, d1, d2, d3, d4, d5] = [d[0][i], d[1][i], d[2][i], d[3][i], d[4][i], d[5][i]];
        let (even, odd) = (d4 - 4.0 * d2, d3 - 4.0 * d1);
        let (even_2, odd_2) = (d4 - d2, 2.0 * (d3 - d1));
        out[0][i] = 4.0 * d0 - 5.0 * d2 + d4;
        out[1][i] = even + odd;
        out[2][i] = even - odd;
        out[3][i] = even_2 + odd_2;
        out[4][i] = even_2 - odd_2;
        out[5][i] = 4.0 * d1 - 5.0 * d3 + d5;
    }
    out
}

/// `A^T m`
#[inline(always)]
fn output_transform(m: [&Lanes; INPUT]) -> [Lanes; OUTPUT] {
    let mut out = [ZERO; OUTPUT];
    for i in 0..LANE {
        let (sum, difference) = (m[1][i] + m[2][i], m[1][i] - m[2][i]);
        let (sum_2, difference_2) = (m[3][i] + m[4][i], m[3][i] - m[4][i]);
        out[0][i] = m[0][i] + sum + sum_2;
        out[1][i] = difference + 2.0 * difference_2;
        out[2][i] = sum + 4.0 * sum_2;
        out[3][i] = difference + 8.0 * difference_2 + m[5][i];
    }
    out
}

/// `A g`, the transpose of [`output_transform`].
#[inline(always)]
fn gradient_transform(g: [&Lanes; OUTPUT]) -> [Lanes; INPUT] {
    let mut out = [ZERO; INPUT];
    for i in 0..LANE {
        let [g0, g1, g2, g3] = [g[0][i], g[1][i], g[2][i], g[3][i]];
        let (even, odd) = (g0 + g2, g1 + g3);
        let (even_2, odd_2) = (g0 + 4.0 * g2, 2.0 * g1 + 8.0 * g3);
        out[0][i] = g0;
        out[1][i] = even + odd;
        out[2][i] = even - odd;
        out[3][i] = even_2 + odd_2;
        out[4][i] = even_2 - odd_2;
        out[5][i] = g3;
    }
    out
}

/// `G`
const FILTER_TRANSFORM: [[f32; FILTER]; INPUT] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// `G^T`
const FILTER_TRANSPOSE: [[f32; INPUT]; FILTER] = {
    let mut transpose = [[0.0; INPUT]; FILTER];
    let mut i = 0;
    while i < INPUT * FILTER {
        transpose[i % FILTER][i / FILTER] = FILTER_TRANSFORM[i / FILTER][i % FILTER];
        i += 1;
    }
    transpose
};

/// `matrix * values`
#[inline(always)]
fn combine<const N: usize, const M: usize>(matrix: &[[f32; N]; M], values: [&Lanes; N]) -> [Lanes; M] {
    let mut out = [ZERO; M];
    for (out, factors) in out.iter_mut().zip(matrix) {
        for (factor, values) in factors.iter().zip(values) {
            for i in 0..LANE {
                out[i] += factor * values[i];
            }
        }
    }
    out
}

/// Transforms a tile's rows, then its columns; `tile` and `put` take row and column.
#[inline(always)]
fn both_ways<'a, const N: usize, const M: usize>(
    tile: impl Fn(usize, usize) -> &'a Lanes,
    transform: impl Fn([&Lanes; N]) -> [Lanes; M],
    mut put: impl FnMut(usize, usize, &Lanes),
) {
    let mut by_row = [[ZERO; M]; N];
    for (y, out) in by_row.iter_mut().enumerate() {
        *out = transform(std::array::from_fn(|x| tile(y, x)));
    }
    (0..M).for_each(|x| {
        let out = transform(std::array::from_fn(|y| &by_row[y][x]));
        for (y, out) in out.iter().enumerate() {
            put(y, x, out);
        }
    });
}

/// The sizes of a convolution with a 3 x 3 filter and a stride of 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WinogradShape {
    /// Of the input.
    pub height: usize,
    /// Of the input.
    pub width: usize,
    /// Zeros around the input, 0 to 2, vertical and horizontal.
    pub padding: [usize; 2],
}

/// The purpose of a transformed filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filter {
    /// The convolution.
    Forward,
    /// The gradient with respect to its input: the convolution of the output's gradient with the filter
    /// rotated by 180 degrees, with a padding of 2 minus that of the convolution.
    InputGradient,
}

impl WinogradShape {
    /// Height and width of the output.
    ///
    /// # Errors
    /// [`KernelError::OutOfRange`] for sizes that do not form a convolution.
    pub fn output(&self) -> Result<[usize; 2], KernelError> {
        let mut output = [self.height, self.width];
        for ((length, padding), parameter) in output.iter_mut().zip(self.padding).zip(["height", "width"]) {
            if padding >= FILTER {
                let value = padding as f64;
                return Err(KernelError::OutOfRange { parameter: "padding", value, range: "0, 1 or 2" });
            }
            if *length == 0 || *length + 2 * padding < FILTER {
                let value = *length as f64;
                return Err(KernelError::OutOfRange {
                    parameter,
                    value,
                    range: "3 or above, padding counted",
                });
            }
            *length = *length + 2 * padding + 1 - FILTER;
        }
        Ok(output)
    }

    /// Rows and columns of tiles that cover an image's output.
    ///
    /// # Errors
    /// As [`Self::output`].
    pub fn tiles(&self) -> Result<[usize; 2], KernelError> {
        Ok(self.output()?.map(|length| length.div_ceil(OUTPUT)))
    }

    /// Rows and columns of tiles, after checking that there are `values` image values and `tiles` tile
    /// values.
    fn check(
        &self,
        size: [usize; 2],
        values: usize,
        channels: usize,
        buffer: &'static str,
        tiles: usize,
    ) -> Result<[usize; 2], KernelError> {
        check_channels(channels)?;
        let [rows, columns] = self.tiles()?;
        let image = size[0] * size[1] * channels;
        let expected = values / image * rows * columns * TILE * channels;
        if !values.is_multiple_of(image) || tiles != expected {
            let shape = "images * rows * columns * 36 * channels";
            return Err(KernelError::Length { buffer, actual: tiles, expected, shape });
        }
        Ok([rows, columns])
    }
}

/// `B^T d B` of each tile of `x`, `[images, height, width, channels]`, to `tiles`,
/// `[images, rows, columns, 36, channels]`.
///
/// # Errors
/// [`KernelError`] if buffers or sizes do not match.
pub fn input_tiles(
    shape: &WinogradShape,
    channels: usize,
    x: &[f32],
    tiles: &mut [f32],
) -> Result<(), KernelError> {
    let size = [shape.height, shape.width];
    let grid = shape.check(size, x.len(), channels, "tiles", tiles.len())?;
    let images = Images { values: x, size, channels, offset: shape.padding };
    expand(images, grid, tiles, input_transform);
    Ok(())
}

/// `A dy A^T` of each tile of `grad_y`, `[images, out_height, out_width, channels]`, to `tiles`,
/// `[images, rows, columns, 36, channels]`.
///
/// # Errors
/// [`KernelError`] if buffers or sizes do not match.
pub fn gradient_tiles(
    shape: &WinogradShape,
    channels: usize,
    grad_y: &[f32],
    tiles: &mut [f32],
) -> Result<(), KernelError> {
    let size = shape.output()?;
    let grid = shape.check(size, grad_y.len(), channels, "tiles", tiles.len())?;
    let images = Images { values: grad_y, size, channels, offset: [0, 0] };
    expand(images, grid, tiles, gradient_transform);
    Ok(())
}

/// `A^T m A` of each tile, `products` being `[36, images, rows, columns, channels]`, to `y`,
/// `[images, out_height, out_width, channels]`.
///
/// # Errors
/// [`KernelError`] if buffers or sizes do not match.
pub fn output_pixels(
    shape: &WinogradShape,
    channels: usize,
    products: &[f32],
    y: &mut [f32],
) -> Result<(), KernelError> {
    let size @ [_, width] = shape.output()?;
    let [rows, columns] = shape.check(size, y.len(), channels, "products", products.len())?;
    let row_of_tiles = columns * channels;
    if y.is_empty() {
        return Ok(());
    }
    let images = y.par_chunks_mut(size[0] * width * channels).enumerate();
    let rows_of_tiles = images.flat_map(|(image, y)| {
        y.par_chunks_mut(OUTPUT * width * channels).enumerate().map(move |(row, y)| (image * rows + row, y))
    });
    rows_of_tiles.for_each(|(row, y)| {
        simd::dispatch(Contract { products, first: row * row_of_tiles, columns, width, channels, y });
    });
    Ok(())
}

/// `G g G^T` of each filter of `weight`, `[outputs, inputs, 3, 3]`, to `tiles`: `[inputs, 36, outputs]` for
/// [`Filter::Forward`], `[outputs, 36, inputs]` for [`Filter::InputGradient`].
///
/// # Errors
/// [`KernelError`] if buffers or sizes do not match.
pub fn filter_tiles(
    filter: Filter,
    inputs: usize,
    outputs: usize,
    weight: &[f32],
    tiles: &mut [f32],
) -> Result<(), KernelError> {
    check_filters(inputs, outputs, weight.len(), tiles.len())?;
    let from_channels = if filter == Filter::Forward { outputs } else { inputs };
    tiles.par_chunks_mut(TILE * from_channels).enumerate().for_each(|(channel, tiles)| {
        simd::dispatch(FilterTiles { filter, channel, inputs, weight, tiles });
    });
    Ok(())
}

/// `G^T u G` of each filter of `tiles`, `[36, inputs, outputs]`, to `grad_weight`, `[outputs, inputs, 3, 3]`.
///
/// # Errors
/// [`KernelError`] if buffers or sizes do not match.
pub fn filter_gradient(
    inputs: usize,
    outputs: usize,
    tiles: &[f32],
    grad_weight: &mut [f32],
) -> Result<(), KernelError> {
    check_filters(inputs, outputs, grad_weight.len(), tiles.len())?;
    grad_weight.par_chunks_mut(LANE * inputs * FILTER * FILTER).enumerate().for_each(
        |(block, grad_weight)| {
            simd::dispatch(FilterGradient { tiles, first: block * LANE, inputs, outputs, grad_weight });
        },
    );
    Ok(())
}

fn check_filters(inputs: usize, outputs: usize, weight: usize, tiles: usize) -> Result<(), KernelError> {
    check_channels(inputs)?;
    check_channels(outputs)?;
    for (buffer, actual, each, shape) in [
        ("weight", weight, FILTER * FILTER, "outputs * inputs * 9"),
        ("tiles", tiles, TILE, "36 * inputs * outputs"),
    ] {
        let expected = inputs * outputs * each;
        if actual != expected {
            return Err(KernelError::Length { buffer, actual, expected, shape });
        }
    }
    Ok(())
}

fn check_channels(channels: usize) -> Result<(), KernelError> {
    if channels == 0 || !channels.is_multiple_of(LANE) {
        let value = channels as f64;
        return Err(KernelError::OutOfRange { parameter: "channels", value, range: "a multiple of 16" });
    }
    Ok(())
}

/// Images, `[images, height, width, channels]`, and the distance from the start of the first tile to the
/// first pixel.
#[derive(Clone, Copy)]
struct Images<'a> {
    values: &'a [f32],
    size: [usize; 2],
    channels: usize,
    offset: [usize; 2],
}

/// Transforms tiles of `N x N` pixels to 6 x 6 numbers each.
fn expand<const N: usize, F>(images: Images<'_>, [rows, columns]: [usize; 2], tiles: &mut [f32], transform: F)
where
    F: Fn([&Lanes; N]) -> [Lanes; INPUT] + Copy + Sync,
{
    let image_length = images.size[0] * images.size[1] * images.channels;
    tiles.par_chunks_mut(columns * TILE * images.channels).enumerate().for_each(|(place, tiles)| {
        let values = &images.values[place / rows * image_length..][..image_length];
        simd::dispatch(Expand::<N, F> {
            images: Images { values, ..images },
            row: place % rows,
            tiles,
            transform,
        });
    });
}

/// A row of tiles of one image.
struct Expand<'a, const N: usize, F> {
    images: Images<'a>,
    row: usize,
    tiles: &'a mut [f32],
    transform: F,
}

impl<const N: usize, F> simd::Work for Expand<'_, N, F>
where
    F: Fn([&Lanes; N]) -> [Lanes; INPUT],
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Expand { images: Images { values, size, channels, offset }, row, tiles, transform } = self;
        for (column, tile) in tiles.chunks_exact_mut(TILE * channels).enumerate() {
            // The offset of each pixel of the tile; `None` in the padding.
            let mut places = [[None; N]; N];
            for (y, places) in places.iter_mut().enumerate() {
                for (x, place) in places.iter_mut().enumerate() {
                    let y = (row * OUTPUT + y).wrapping_sub(offset[0]);
                    let x = (column * OUTPUT + x).wrapping_sub(offset[1]);
                    *place = (y < size[0] && x < size[1]).then(|| (y * size[1] + x) * channels);
                }
            }
            for channel in (0..channels).step_by(LANE) {
                let pixel =
                    |y: usize, x: usize| places[y][x].map_or(&ZERO, |place| lanes(values, place + channel));
                both_ways(pixel, &transform, |y, x, out| {
                    tile[(y * INPUT + x) * channels + channel..][..LANE].copy_from_slice(out);
                });
            }
        }
    }
}

/// A row of tiles of one image, and the 1 to 4 rows of pixels that it produces.
struct Contract<'a> {
    products: &'a [f32],
    /// The offset of the row's first tile in the first of the 36 matrices.
    first: usize,
    columns: usize,
    width: usize,
    channels: usize,
    y: &'a mut [f32],
}

impl simd::Work for Contract<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Contract { products, first, columns, width, channels, y } = self;
        let stride = products.len() / TILE;
        for column in 0..columns {
            // The last tiles may extend past the image.
            let (height_used, width_used) =
                (y.len() / (width * channels), OUTPUT.min(width - column * OUTPUT));
            for channel in (0..channels).step_by(LANE) {
                let place = first + column * channels + channel;
                let product = |y: usize, x: usize| lanes(products, (y * INPUT + x) * stride + place);
                both_ways(product, output_transform, |row, x, out| {
                    if row < height_used && x < width_used {
                        let pixel = (row * width + column * OUTPUT + x) * channels + channel;
                        y[pixel..][..LANE].copy_from_slice(out);
                    }
                });
            }
        }
    }
}

/// The filters that read one channel.
struct FilterTiles<'a> {
    filter: Filter,
    channel: usize,
    inputs: usize,
    weight: &'a [f32],
    /// `[36, channels]`
    tiles: &'a mut [f32],
}

impl simd::Work for FilterTiles<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let FilterTiles { filter, channel, inputs, weight, tiles } = self;
        let channels = tiles.len() / TILE;
        for first in (0..channels).step_by(LANE) {
            let mut taps = [[ZERO; FILTER]; FILTER];
            (0..LANE).for_each(|i| {
                let (input, output) = match filter {
                    Filter::Forward => (channel, first + i),
                    Filter::InputGradient => (first + i, channel),
                };
                let values = &weight[(output * inputs + input) * FILTER * FILTER..][..FILTER * FILTER];
                for (tap, &value) in values.iter().enumerate() {
                    let tap = if filter == Filter::Forward { tap } else { FILTER * FILTER - 1 - tap };
                    taps[tap / FILTER][tap % FILTER][i] = value;
                }
            });
            let forward = |taps: [&Lanes; FILTER]| combine(&FILTER_TRANSFORM, taps);
            both_ways(
                |y, x| &taps[y][x],
                forward,
                |y, x, out| {
                    tiles[(y * INPUT + x) * channels + first..][..LANE].copy_from_slice(out);
                },
            );
        }
    }
}

/// The gradients of the filters of 16 outputs.
struct FilterGradient<'a> {
    tiles: &'a [f32],
    /// The first of the outputs.
    first: usize,
    inputs: usize,
    outputs: usize,
    grad_weight: &'a mut [f32],
}

impl simd::Work for FilterGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let FilterGradient { tiles, first, inputs, outputs, grad_weight } = self;
        for input in 0..inputs {
            let tile =
                |y: usize, x: usize| lanes(tiles, ((y * INPUT + x) * inputs + input) * outputs + first);
            let back = |tile: [&Lanes; INPUT]| combine(&FILTER_TRANSPOSE, tile);
            both_ways(tile, back, |y, x, out| {
                for (i, value) in out.iter().enumerate() {
                    grad_weight[(i * inputs + input) * FILTER * FILTER + y * FILTER + x] = *value;
                }
            });
        }
    }
}

#[inline(always)]
fn lanes(values: &[f32], start: usize) -> &Lanes {
    let (lanes, _) = values[start..][..LANE].as_chunks::<LANE>();
    &lanes[0]
}
