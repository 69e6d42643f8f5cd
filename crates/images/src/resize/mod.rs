//! Resizing with the results of Pillow's `Image.resize(size, resample, box=...)`.
//!
//! When an image is reduced, the filter is widened by the scale, which avoids aliasing. The result equals
//! Pillow 13's bit for bit: the same 22-bit coefficients, and 8 bits between the horizontal and vertical
//! passes, in the same order.

mod coefficients;
mod filter;
mod simd;

use serde::{Deserialize, Serialize};
use tks_data::DataError;

use crate::image::Image;
use coefficients::Coefficients;
pub use filter::Filter;
use simd::{horizontal, vertical};

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

/// Memory that is reused from image to image.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    columns: Coefficients,
    rows: Coefficients,
    between: Vec<u8>,
}

/// Writes `region` of `source` to `out`, as an image of `height` x `width`.
///
/// # Errors
/// [`DataError::Setting`] for a region that is empty or extends beyond the image, and for a size of 0.
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
    // positions are accumulated, not multiplied, since the rounding of the sums decides between two equally
    // near pixels
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
    // the rows that the second pass needs
    let (first, last) = (rows.taps(0).0, rows.taps(out.height - 1));
    let end = last.0 + last.1.len();
    between.resize((end - first) * out.stride(), 0);
    let stride = source.stride();
    horizontal(&source.pixels[first * stride..end * stride], stride, source.channels, columns, between);
    vertical(between, out.stride(), first, rows, &mut out.pixels);
}

/// Whether the vertical pass comes first: if the height loses more than twice as many pixels as the width, as
/// in Pillow since version 13. The order affects the rounding between the passes.
fn is_much_lower(from: [usize; 2], to: [usize; 2]) -> bool {
    let lost = |side: usize| from[side] as i64 - to[side] as i64;
    lost(0) > 0 && lost(0) > 2 * lost(1)
}
