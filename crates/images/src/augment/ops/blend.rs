//! Blending of an image with a degraded version of it, as in Pillow's `ImageEnhance`.

use super::pointwise;
use crate::image::{Image, luma};

/// Pillow's `Image.blend`: 0 gives the degraded value, 1 the image's, and more than 1 extrapolates. In single
/// precision and truncated, not rounded.
#[inline(always)]
fn blend(poor: u8, value: u8, factor: f32) -> u8 {
    (f32::from(poor) + factor * (f32::from(value) - f32::from(poor))) as u8
}

/// Blends black and the image.
pub(super) fn brightness(image: &mut Image, factor: f32) {
    pointwise::map(image, |value| blend(0, value, factor));
}

/// Blends the rounded mean of the grey image with the image.
pub(super) fn contrast(image: &mut Image, factor: f32) {
    let values = &image.pixels;
    let (sum, count) = match image.channels {
        3 => {
            let pixels = values.as_chunks::<3>().0;
            (pixels.iter().map(|&pixel| u64::from(luma(pixel))).sum::<u64>(), pixels.len())
        }
        _ => (values.iter().map(|&value| u64::from(value)).sum(), values.len()),
    };
    let mean = (sum as f64 / count as f64 + 0.5) as u8;
    pointwise::map(image, |value| blend(mean, value, factor));
}

/// Blends the grey image with the image.
pub(super) fn color(image: &mut Image, factor: f32) {
    // A grey image is its own grey version.
    if image.channels != 3 {
        return;
    }
    for pixel in image.pixels.as_chunks_mut::<3>().0 {
        let grey = luma(*pixel);
        *pixel = pixel.map(|value| blend(grey, value, factor));
    }
}

/// Blends the smoothed image with the image. `smooth` is work space.
pub(super) fn sharpness(image: &mut Image, smooth: &mut Image, factor: f32) {
    smooth.reset(image.height, image.width, image.channels);
    smooth.pixels.copy_from_slice(&image.pixels);
    let (stride, channels) = (image.stride(), image.channels);
    // Pixels at the border lack neighbours on some sides and are left unchanged.
    if image.height >= 3 && image.width >= 3 {
        let inner = channels..stride - channels;
        for y in 1..image.height - 1 {
            let rows = &image.pixels[(y - 1) * stride..(y + 2) * stride];
            let (above, rest) = rows.split_at(stride);
            let (middle, below) = rest.split_at(stride);
            let out = &mut smooth.pixels[y * stride..][inner.clone()];
            smooth_row([above, middle, below], channels, out);
        }
    }
    for (value, &smooth) in image.pixels.iter_mut().zip(&smooth.pixels) {
        *value = blend(smooth, *value, factor);
    }
}

/// Rounded mean of a pixel (weight 5) and its eight neighbours (weight 1 each), for all but the first and
/// last pixels of a row. Pillow sums in single precision; a multiple of 1/13 is never close enough to a half
/// for this to matter.
fn smooth_row([above, middle, below]: [&[u8]; 3], channels: usize, out: &mut [u8]) {
    let length = out.len();
    let near = |row: &'_ [u8], shift: usize, at: usize| u16::from(row[shift * channels..][..length][at]);
    for (at, out) in out.iter_mut().enumerate() {
        let mut sum = 4 * near(middle, 1, at);
        for row in [above, middle, below] {
            sum += near(row, 0, at) + near(row, 1, at) + near(row, 2, at);
        }
        *out = ((2 * sum + 13) / 26) as u8;
    }
}
