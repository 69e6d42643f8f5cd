//! Dense 3 x 3 convolutions with stride 1 and their gradients with a quarter of the multiplications: the
//! transforms of [`tks_kernels::winograd`] with libtorch's matrix products between them.

use tch::{Device, Kind, Tensor};
use tks_kernels::convolution::ConvShape;
use tks_kernels::winograd::{self as kernel, Filter, LANE, TILE, WinogradShape};

use tks_torch::memory::{Fresh, values_mut};

use crate::error::AutogradError;
use crate::values::values;

/// Number of bytes of tiles and products processed at a time, so that they fit in the caches.
const CHUNK_BYTES: usize = 4 << 20;
/// Minimum number of tiles processed at a time: matrix products with fewer rows are slow.
const CHUNK_TILES: usize = 192;

/// Whether a convolution of that shape can be computed in this way.
pub(crate) fn applies(shape: &ConvShape) -> bool {
    shape.kernel == [3, 3]
        && shape.stride == [1, 1]
        && shape.padding.iter().all(|&padding| padding <= 2)
        && [shape.in_channels, shape.out_channels].iter().all(|channels| channels.is_multiple_of(LANE))
        && [shape.images, shape.height, shape.width, shape.in_channels, shape.out_channels]
            .iter()
            .all(|&n| n > 0)
}

/// `x`, `[N, H, W, C]`, with `weight`, `[O, C, 3, 3]`: `[N, H', W', O]`.
pub(crate) fn forward(shape: &ConvShape, x: &Tensor, weight: &Tensor) -> Result<Tensor, AutogradError> {
    convolve(&forward_shape(shape), Filter::Forward, [shape.in_channels, shape.out_channels], x, weight)
}

/// The gradient of `x` from that of the output, `[N, H', W', O]`: `[N, H, W, C]`.
pub(crate) fn input_gradient(
    shape: &ConvShape,
    grad_y: &Tensor,
    weight: &Tensor,
) -> Result<Tensor, AutogradError> {
    let [height, width] = shape.output()?;
    let transposed = WinogradShape { height, width, padding: shape.padding.map(|padding| 2 - padding) };
    convolve(&transposed, Filter::InputGradient, [shape.out_channels, shape.in_channels], grad_y, weight)
}

/// The gradient of the weight: `[O, C, 3, 3]`.
pub(crate) fn weight_gradient(
    shape: &ConvShape,
    x: &Tensor,
    grad_y: &Tensor,
) -> Result<Tensor, AutogradError> {
    let (inputs, outputs) = (shape.in_channels, shape.out_channels);
    let tiling = forward_shape(shape);
    let [rows, columns] = tiling.tiles()?;
    let mut sums = empty([TILE, inputs, outputs])?.f_zero_()?;
    let chunks = Chunks::new(shape.images, rows * columns, inputs + outputs);
    let of_x = empty([chunks.tiles(), TILE, inputs])?;
    let of_grad = empty([chunks.tiles(), TILE, outputs])?;
    for (start, images) in chunks.iter() {
        let tiles = images * rows * columns;
        let (mut of_x, mut of_grad) = (part(&of_x, 0, tiles)?, part(&of_grad, 0, tiles)?);
        let (x, grad_y) = (part(x, start, images)?, part(grad_y, start, images)?);
        // SAFETY: views of scratch memory that only this function has, each unused elsewhere in the meantime.
        let (tiles_of_x, tiles_of_grad) = unsafe { (values_mut(&mut of_x)?, values_mut(&mut of_grad)?) };
        kernel::input_tiles(&tiling, inputs, values(&x)?, tiles_of_x)?;
        kernel::gradient_tiles(&tiling, outputs, values(&grad_y)?, tiles_of_grad)?;
        let _sums = sums.f_baddbmm_(&of_x.f_permute([1, 2, 0])?, &of_grad.f_permute([1, 0, 2])?)?;
    }
    let mut grad_weight = Fresh::cpu(&[outputs, inputs, 3 * 3].map(|size| size as i64))?;
    kernel::filter_gradient(inputs, outputs, values(&sums)?, grad_weight.values_mut()?)?;
    Ok(grad_weight.into_tensor().f_view([outputs as i64, inputs as i64, 3, 3])?)
}

fn forward_shape(shape: &ConvShape) -> WinogradShape {
    WinogradShape { height: shape.height, width: shape.width, padding: shape.padding }
}

fn convolve(
    shape: &WinogradShape,
    filter: Filter,
    [from, to]: [usize; 2],
    x: &Tensor,
    weight: &Tensor,
) -> Result<Tensor, AutogradError> {
    let mut filters = Fresh::cpu(&[from, TILE, to].map(|size| size as i64))?;
    let [inputs, outputs] = if filter == Filter::Forward { [from, to] } else { [to, from] };
    kernel::filter_tiles(filter, inputs, outputs, values(weight)?, filters.values_mut()?)?;
    let filters = filters.into_tensor().f_permute([1, 0, 2])?;
    let [height, width] = shape.output()?;
    let [rows, columns] = shape.tiles()?;
    let count = x.size()[0] as usize;
    let y = empty([count, height, width, to])?;
    let chunks = Chunks::new(count, rows * columns, from + to);
    // One after the other in the same memory: fresh memory costs as much as the computation.
    let of_x = empty([chunks.tiles(), TILE, from])?;
    let products = empty([TILE * chunks.tiles() * to])?;
    for (start, images) in chunks.iter() {
        let tiles = images * rows * columns;
        let mut of_x = part(&of_x, 0, tiles)?;
        // SAFETY: a view of scratch memory that only this function has, unused elsewhere in the meantime.
        let tiles_of_x = unsafe { values_mut(&mut of_x)? };
        kernel::input_tiles(shape, from, values(&part(x, start, images)?)?, tiles_of_x)?;
        let products = part(&products, 0, TILE * tiles * to)?;
        let size = [TILE, tiles, to].map(|size| size as i64);
        let _products = of_x.f_permute([1, 0, 2])?.f_bmm_out(&products.f_view(size)?, &filters)?;
        let mut pixels = part(&y, start, images)?;
        // SAFETY: a view of the output, which only this function has.
        let pixels = unsafe { values_mut(&mut pixels)? };
        kernel::output_pixels(shape, to, values(&products)?, pixels)?;
    }
    Ok(y)
}

/// The pieces of the work, each of whole images.
struct Chunks {
    images: usize,
    /// Number of images in each piece except the last.
    step: usize,
    tiles_of_image: usize,
}

impl Chunks {
    fn new(images: usize, tiles_of_image: usize, channels: usize) -> Chunks {
        let bytes = tiles_of_image * TILE * channels * size_of::<f32>();
        let step = (CHUNK_BYTES / bytes).max(CHUNK_TILES.div_ceil(tiles_of_image)).clamp(1, images.max(1));
        Chunks { images, step, tiles_of_image }
    }

    /// For the largest piece.
    fn tiles(&self) -> usize {
        self.step * self.tiles_of_image
    }

    /// The first image and the number of images of each piece.
    fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.images).step_by(self.step).map(|start| (start, self.step.min(self.images - start)))
    }
}

/// Rows `start .. start + length` of the first dimension.
fn part(x: &Tensor, start: usize, length: usize) -> Result<Tensor, AutogradError> {
    Ok(x.f_narrow(0, start as i64, length as i64)?)
}

fn empty<const N: usize>(size: [usize; N]) -> Result<Tensor, AutogradError> {
    Ok(Tensor::f_empty(size.map(|size| size as i64), (Kind::Float, Device::Cpu))?)
}
