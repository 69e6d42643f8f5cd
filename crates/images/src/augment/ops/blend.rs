//! Operations between a picture and a poorer one of it, as Pillow's `ImageEnhance` has them.

use super::pointwise;
use crate::picture::{Picture, luma};

/// Pillow's `Image.blend`: 0 is the poorer value, 1 the picture's, more than 1 goes beyond it. In single
/// precision and cut, not rounded.
#[inline(always)]
fn blend(poor: u8, value: u8, factor: f32) -> u8 {
    (f32::from(poor) + factor * (f32::from(value) - f32::from(poor))) as u8
}

/// Between black and the picture.
pub(super) fn brightness(picture: &mut Picture, factor: f32) {
    pointwise::map(picture, |value| blend(0, value, factor));
}

/// Between the mean of the grey picture, rounded, and the picture.
pub(super) fn contrast(picture: &mut Picture, factor: f32) {
    let values = &picture.pixels;
    let (sum, count) = match picture.channels {
        3 => {
            let pixels = values.as_chunks::<3>().0;
            (pixels.iter().map(|&pixel| u64::from(luma(pixel))).sum::<u64>(), pixels.len())
        }
        _ => (values.iter().map(|&value| u64::from(value)).sum(), values.len()),
    };
    let mean = (sum as f64 / count as f64 + 0.5) as u8;
    pointwise::map(picture, |value| blend(mean, value, factor));
}

/// Between the grey picture and the picture.
pub(super) fn color(picture: &mut Picture, factor: f32) {
    // A grey picture is its own grey picture.
    if picture.channels != 3 {
        return;
    }
    for pixel in picture.pixels.as_chunks_mut::<3>().0 {
        let grey = luma(*pixel);
        *pixel = pixel.map(|value| blend(grey, value, factor));
    }
}

/// Between the smoothed picture and the picture. `smooth` is room to work in.
pub(super) fn sharpness(picture: &mut Picture, smooth: &mut Picture, factor: f32) {
    smooth.reset(picture.height, picture.width, picture.channels);
    smooth.pixels.copy_from_slice(&picture.pixels);
    let (stride, channels) = (picture.stride(), picture.channels);
    // Pixels at the border have no neighbours on all sides: they stay as they are.
    if picture.height >= 3 && picture.width >= 3 {
        let inner = channels..stride - channels;
        for y in 1..picture.height - 1 {
            let rows = &picture.pixels[(y - 1) * stride..(y + 2) * stride];
            let (above, rest) = rows.split_at(stride);
            let (middle, below) = rest.split_at(stride);
            let out = &mut smooth.pixels[y * stride..][inner.clone()];
            smooth_row([above, middle, below], channels, out);
        }
    }
    for (value, &smooth) in picture.pixels.iter_mut().zip(&smooth.pixels) {
        *value = blend(smooth, *value, factor);
    }
}

/// Mean of a pixel (5 times) and its eight neighbours (once each), rounded, for all but the first and last
/// pixel of a row. Pillow sums in single precision; a thirteenth is never so near to a half that it matters.
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
