//! Images in another size, as Pillow's `Image.resize(size, resample, box=...)` gives them.
//!
//! A filter is widened by the scale where the image becomes smaller, which keeps fine patterns from turning into
//! coarse ones. The result is Pillow 13's to the bit: the same coefficients of 22 bits, 8 bits between the passes over
//! columns and rows, in the same order.

use serde::{Deserialize, Serialize};
use tks_data::DataError;

use crate::image::Image;
use crate::simd::{horizontal, vertical};

/// How a pixel is made of those around it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The pixel that lies there.
    Nearest,
    /// A triangle over 2 pixels.
    Bilinear,
    /// A cubic over 4 pixels, with a slope of -0.5 at 1 (Keys, 1981).
    #[default]
    Bicubic,
    /// A windowed sinc over 6 pixels.
    Lanczos,
}

impl Filter {
    /// How far it reaches, in pixels of the smaller of the two images.
    fn support(self) -> f64 {
        match self {
            Filter::Nearest => 0.0,
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    /// Its weight at a distance.
    fn weight(self, x: f64) -> f64 {
        const SLOPE: f64 = -0.5;
        let distance = x.abs();
        match self {
            Filter::Nearest => 0.0,
            Filter::Bilinear => (1.0 - distance).max(0.0),
            Filter::Bicubic => match distance {
                d if d < 1.0 => ((SLOPE + 2.0) * d - (SLOPE + 3.0)) * d * d + 1.0,
                d if d < 2.0 => (((d - 5.0) * d + 8.0) * d - 4.0) * SLOPE,
                _ => 0.0,
            },
            Filter::Lanczos => match x {
                x if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
                _ => 0.0,
            },
        }
    }
}

fn sinc(x: f64) -> f64 {
    match x * std::f64::consts::PI {
        0.0 => 1.0,
        angle => angle.sin() / angle,
    }
}

/// A part of an image, in pixels from its upper left corner; edges may lie within a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The left edge.
    pub left: f32,
    /// The upper edge.
    pub top: f32,
    /// The right edge: above `left`, at most the image's width.
    pub right: f32,
    /// The lower edge: above `top`, at most the image's height.
    pub bottom: f32,
}

impl Region {
    /// The whole of an image.
    pub fn whole(image: &Image) -> Self {
        Self { left: 0.0, top: 0.0, right: image.width as f32, bottom: image.height as f32 }
    }

    /// Whole pixels, from a corner on.
    pub fn pixels(left: usize, top: usize, height: usize, width: usize) -> Self {
        let (right, bottom) = ((left + width) as f32, (top + height) as f32);
        Self { left: left as f32, top: top as f32, right, bottom }
    }

    fn lies_in(&self, image: &Image) -> bool {
        let within = |low: f32, high: f32, size: usize| 0.0 <= low && low < high && high <= size as f32;
        within(self.left, self.right, image.width) && within(self.top, self.bottom, image.height)
    }
}

/// Memory that is used again from image to image.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    columns: Coefficients,
    rows: Coefficients,
    between: Vec<u8>,
}

/// Writes `region` of `source` to `out`, as an image of `height` x `width`.
///
/// # Errors
/// [`DataError::Setting`] for a region that is empty or reaches beyond the image, and for a size of 0.
///
/// ```
/// use tks_images::Image;
/// use tks_images::resize::{Filter, Region, Scratch, resize};
///
/// let source = Image { pixels: vec![0, 100, 200, 40], height: 1, width: 4, channels: 1 };
/// let mut out = Image::default();
/// resize(&source, Region::whole(&source), 1, 2, Filter::Bilinear, &mut out, &mut Scratch::default())?;
/// assert_eq!(out.pixels, [71, 117]);
/// # Ok::<(), tks_data::DataError>(())
/// ```
pub fn resize(
    source: &Image,
    region: Region,
    height: usize,
    width: usize,
    filter: Filter,
    out: &mut Image,
    scratch: &mut Scratch,
) -> Result<(), DataError> {
    if !region.lies_in(source) {
        return Err(DataError::Setting {
            field: "region",
            message: format!(
                "{region:?} should be of some size, within the image of {} x {} pixels (height, width)",
                source.height, source.width
            ),
        });
    }
    if height == 0 || width == 0 {
        return Err(DataError::Setting {
            field: "size",
            message: format!("{height} x {width} pixels should be 1 x 1 or above"),
        });
    }
    out.reset(height, width, source.channels);
    match filter {
        Filter::Nearest => nearest(source, region, out),
        _ => convolve(source, region, filter, out, scratch),
    }
    Ok(())
}

fn nearest(source: &Image, region: Region, out: &mut Image) {
    // positions are summed up, not multiplied, since the sums' rounding decides where two pixels are equally near
    let places = |low: f32, high: f32, count: usize, size: usize| -> Vec<usize> {
        let step = f64::from(high - low) / count as f64;
        let mut at = f64::from(low) + step * 0.5;
        let mut place = || {
            let here = (at as usize).min(size - 1);
            at += step;
            here
        };
        (0..count).map(|_| place()).collect()
    };
    let columns = places(region.left, region.right, out.width, source.width);
    let rows = places(region.top, region.bottom, out.height, source.height);
    let channels = source.channels;
    let stride = out.stride();
    for (row, y) in out.pixels.chunks_exact_mut(stride).zip(rows) {
        let from = source.row(y);
        for (pixel, &x) in row.chunks_exact_mut(channels).zip(&columns) {
            pixel.copy_from_slice(&from[x * channels..(x + 1) * channels]);
        }
    }
}

fn convolve(source: &Image, region: Region, filter: Filter, out: &mut Image, scratch: &mut Scratch) {
    let Scratch { columns, rows, between } = scratch;
    let (width, height) = (source.width, source.height);
    let is_whole =
        |low: f32, high: f32, from: usize, to: usize| low == 0.0 && high == to as f32 && from == to;
    let keep_columns = is_whole(region.left, region.right, width, out.width);
    let keep_rows = is_whole(region.top, region.bottom, height, out.height);
    if keep_columns && keep_rows {
        out.pixels.copy_from_slice(&source.pixels);
        return;
    }
    rows.compute(height, region.top, region.bottom, out.height, filter);
    if keep_columns {
        return vertical(&source.pixels, source.stride(), 0, rows, &mut out.pixels);
    }
    columns.compute(width, region.left, region.right, out.width, filter);
    if keep_rows {
        return horizontal(&source.pixels, source.stride(), source.channels, columns, &mut out.pixels);
    }
    if is_much_lower([height, width], [out.height, out.width]) {
        between.resize(out.height * source.stride(), 0);
        vertical(&source.pixels, source.stride(), 0, rows, between);
        return horizontal(between, source.stride(), source.channels, columns, &mut out.pixels);
    }
    // the rows that the second pass looks at
    let (first, last) = (rows.taps(0).0, rows.taps(out.height - 1));
    let end = last.0 + last.1.len();
    between.resize((end - first) * out.stride(), 0);
    let stride = source.stride();
    horizontal(&source.pixels[first * stride..end * stride], stride, source.channels, columns, between);
    vertical(between, out.stride(), first, rows, &mut out.pixels);
}

/// Whether rows are made first: where the height loses more than twice as many pixels as the width, as Pillow has it
/// from version 13 on. The results differ by their rounding between the passes.
fn is_much_lower(from: [usize; 2], to: [usize; 2]) -> bool {
    let lost = |side: usize| from[side] as i64 - to[side] as i64;
    lost(0) > 0 && lost(0) > 2 * lost(1)
}

/// Bits behind the point of a coefficient: 8 are the pixel's, 2 are for sums that are negative or overshoot.
pub(crate) const PRECISION: u32 = 32 - 8 - 2;

/// What each pixel of a row or column is made of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coefficients {
    /// The first source pixel and the number of them.
    bounds: Vec<(u32, u32)>,
    /// The most that a pixel is made of: places a pixel has in `values`.
    capacity: usize,
    values: Vec<i32>,
    /// The same by fours: the lower bits of four weights, then what is above these.
    halves: Vec<[i16; 8]>,
    weights: Vec<f64>,
}

/// Bits of a weight's lower half: both halves then are 16-bit numbers, and products of these with pixels add up
/// exactly.
pub(crate) const LOWER_BITS: u32 = 11;

impl Coefficients {
    pub(crate) fn len(&self) -> usize {
        self.bounds.len()
    }

    /// The first source pixel of pixel `at`, and the weight of it and those that follow in 2^-22.
    pub(crate) fn taps(&self, at: usize) -> (usize, &[i32]) {
        let (first, count) = self.bounds[at];
        (first as usize, &self.values[at * self.capacity..][..count as usize])
    }

    /// The first source pixel of pixel `at`, and the weights of those from it on by fours, filled up with 0: the
    /// lower [`LOWER_BITS`] of each, then the upper ones.
    #[inline(always)]
    pub(crate) fn halves(&self, at: usize) -> (usize, &[[i16; 8]]) {
        let (first, count) = self.bounds[at];
        let start = at * (self.capacity / 4);
        (first as usize, &self.halves[start..start + (count as usize).div_ceil(4)])
    }

    fn compute(&mut self, size: usize, low: f32, high: f32, count: usize, filter: Filter) {
        let scale = f64::from(high - low) / count as f64;
        let widened = scale.max(1.0);
        let (support, narrowed) = (filter.support() * widened, 1.0 / widened);
        self.capacity = (support.ceil() as usize * 2 + 1).next_multiple_of(4);
        self.bounds.clear();
        self.values.clear();
        self.values.resize(self.capacity * count, 0);
        for (at, values) in self.values.chunks_exact_mut(self.capacity).enumerate() {
            let centre = f64::from(low) + (at as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(size);
            self.weights.clear();
            self.weights.extend((first..end).map(|x| filter.weight((x as f64 - centre + 0.5) * narrowed)));
            let sum: f64 = self.weights.iter().sum();
            for (value, weight) in values.iter_mut().zip(&self.weights) {
                let share = if sum == 0.0 { *weight } else { weight / sum };
                let scaled = share * f64::from(1 << PRECISION);
                *value = (scaled + if share < 0.0 { -0.5 } else { 0.5 }) as i32;
            }
            self.bounds.push((first as u32, (end - first) as u32));
        }
        self.halves.clear();
        self.halves.extend(self.values.as_chunks::<4>().0.iter().map(|four| {
            std::array::from_fn(|at| match at {
                0..4 => (four[at] & ((1 << LOWER_BITS) - 1)) as i16,
                _ => (four[at - 4] >> LOWER_BITS) as i16,
            })
        }));
    }
}
