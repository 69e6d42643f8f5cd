//! Affine transforms with the results of Pillow's `Image.transform` and `Image.rotate`.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::image::Image;

/// Interpolation between pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interpolation {
    /// The nearest pixel.
    #[default]
    Nearest,
    /// Bilinear, between four pixels.
    Bilinear,
    /// Bicubic, between sixteen pixels.
    Bicubic,
}

/// How affine transforms sample an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Between pixels.
    pub interpolation: Interpolation,
    /// Beyond the border: red, green and blue, 0 to 255. Grey images take the first.
    pub fill: [u8; 3],
}

/// The affine map from a pixel of the new image to a place in the old one: `x' = a x + b y + c`, `y' = d x +
/// e y + f`, where the centre of a pixel is at half a unit.
type Matrix = [f64; 6];

/// Rotates an image counterclockwise around its centre. `other` is work space.
pub(super) fn rotate(image: &mut Image, other: &mut Image, degrees: f64, sampling: Sampling) {
    let degrees = degrees.rem_euclid(360.0);
    let (height, width) = (image.height, image.width);
    if degrees == 0.0 {
        return;
    }
    if degrees == 180.0 {
        return rearrange(image, other, |y, x| (height - 1 - y, width - 1 - x));
    }
    if height == width && degrees == 90.0 {
        return rearrange(image, other, |y, x| (x, width - 1 - y));
    }
    if height == width && degrees == 270.0 {
        return rearrange(image, other, |y, x| (height - 1 - x, y));
    }
    let angle = -(degrees * (PI / 180.0));
    let (cos, sin, minus_sin) = (round15(angle.cos()), round15(angle.sin()), round15(-angle.sin()));
    let (x, y) = (width as f64 / 2.0, height as f64 / 2.0);
    let matrix =
        [cos, sin, cos * -x + sin * -y + 0.0 + x, minus_sin, cos, minus_sin * -x + cos * -y + 0.0 + y];
    transform(image, other, matrix, sampling);
}

/// Takes the pixel at `(row, column)` from the position given by `source`.
fn rearrange(image: &mut Image, other: &mut Image, source: impl Fn(usize, usize) -> (usize, usize)) {
    other.reset(image.height, image.width, image.channels);
    let channels = image.channels;
    for (at, pixel) in other.pixels.chunks_exact_mut(channels).enumerate() {
        let (y, x) = source(at / image.width, at % image.width);
        let from = (y * image.width + x) * channels;
        pixel.copy_from_slice(&image.pixels[from..from + channels]);
    }
    std::mem::swap(image, other);
}

/// A number between -1 and 1, rounded to 15 decimals, ties to even: Python's `round(value, 15)`.
fn round15(value: f64) -> f64 {
    let scaled = value * 1e15;
    let error = value.mul_add(1e15, -scaled);
    let whole = scaled.floor();
    let rounded = match (scaled - whole, error) {
        (0.5, error) if error > 0.0 => whole + 1.0,
        (0.5, error) if error < 0.0 => whole,
        _ => scaled.round_ties_even(),
    };
    rounded / 1e15
}

/// Resamples an image. `other` is work space.
pub(super) fn transform(image: &mut Image, other: &mut Image, matrix: Matrix, sampling: Sampling) {
    other.reset(image.height, image.width, image.channels);
    match image.channels {
        3 => sample::<3>(image, other, matrix, sampling),
        _ => sample::<1>(image, other, matrix, sampling),
    }
    std::mem::swap(image, other);
}

fn sample<const C: usize>(from: &Image, to: &mut Image, matrix: Matrix, sampling: Sampling) {
    let pixels = from.pixels.as_chunks::<C>().0;
    let source = Source { pixels, width: from.width, height: from.height };
    let out = to.pixels.as_chunks_mut::<C>().0;
    let fill = std::array::from_fn(|channel| sampling.fill[channel]);
    match sampling.interpolation {
        Interpolation::Nearest if source.fits_fixed_point(matrix) => source.fixed_point(matrix, fill, out),
        Interpolation::Nearest => source.nearest(matrix, fill, out),
        Interpolation::Bilinear => source.between(matrix, fill, out, Source::bilinear),
        Interpolation::Bicubic => source.between(matrix, fill, out, Source::bicubic),
    }
}

/// An image of `C` channels.
struct Source<'a, const C: usize> {
    pixels: &'a [[u8; C]],
    width: usize,
    height: usize,
}

/// A position in an image: the pixel above and to the left, and the distances from it, in [0, 1).
struct Place {
    x: isize,
    y: isize,
    dx: f64,
    dy: f64,
}

impl<const C: usize> Source<'_, C> {
    fn pixel(&self, x: isize, y: isize) -> Option<[u8; C]> {
        let inside = (0..self.width as isize).contains(&x) && (0..self.height as isize).contains(&y);
        inside.then(|| self.pixels[y as usize * self.width + x as usize])
    }

    /// Whether Pillow finds the nearest pixel in 16.16 fixed point: not for a pure scaling or shift, nor if a
    /// corner is mapped too far away.
    fn fits_fixed_point(&self, [a, b, c, d, e, f]: Matrix) -> bool {
        let near =
            |x: f64, y: f64| (x * a + y * b + c).abs() < 32768.0 && (x * d + y * e + f).abs() < 32768.0;
        let (width, height) = (self.width as f64, self.height as f64);
        (b != 0.0 || d != 0.0)
            && near(0.0, 0.0)
            && near(width, height)
            && near(0.0, height)
            && near(width, 0.0)
    }

    fn fixed_point(&self, [a, b, c, d, e, f]: Matrix, fill: [u8; C], out: &mut [[u8; C]]) {
        let fixed = |value: f64| (value * 65536.0 + 0.5).floor() as i32;
        let step = [fixed(a), fixed(d)];
        let mut start = [fixed(c + a * 0.5 + b * 0.5), fixed(f + d * 0.5 + e * 0.5)];
        for row in out.chunks_exact_mut(self.width) {
            let [mut x, mut y] = start;
            for pixel in row {
                *pixel = self.pixel((x >> 16) as isize, (y >> 16) as isize).unwrap_or(fill);
                x = x.wrapping_add(step[0]);
                y = y.wrapping_add(step[1]);
            }
            start = [start[0].wrapping_add(fixed(b)), start[1].wrapping_add(fixed(e))];
        }
    }

    fn nearest(&self, [a, b, c, d, e, f]: Matrix, fill: [u8; C], out: &mut [[u8; C]]) {
        let whole = |value: f64| if value < 0.0 { -1 } else { value as isize };
        let mut start = [c + b * 0.5 + a * 0.5, f + e * 0.5 + d * 0.5];
        for row in out.chunks_exact_mut(self.width) {
            let [mut x, mut y] = start;
            for pixel in row {
                *pixel = self.pixel(whole(x), whole(y)).unwrap_or(fill);
                x += a;
                y += d;
            }
            start = [start[0] + b, start[1] + e];
        }
    }

    fn between(
        &self,
        [a, b, c, d, e, f]: Matrix,
        fill: [u8; C],
        out: &mut [[u8; C]],
        value: impl Fn(&Self, Place) -> [u8; C],
    ) {
        let (width, height) = (self.width as f64, self.height as f64);
        for (row, out) in out.chunks_exact_mut(self.width).enumerate() {
            let middle = row as f64 + 0.5;
            for (column, pixel) in out.iter_mut().enumerate() {
                let x = a * (column as f64 + 0.5) + b * middle + c;
                let y = d * (column as f64 + 0.5) + e * middle + f;
                *pixel = if x >= 0.0 && x < width && y >= 0.0 && y < height {
                    let (x, y) = (x - 0.5, y - 0.5);
                    let (left, top) = (x.floor(), y.floor());
                    value(self, Place { x: left as isize, y: top as isize, dx: x - left, dy: y - top })
                } else {
                    fill
                };
            }
        }
    }

    /// The pixels of a row at `x`, `x + 1`, ...; beyond the border, the outermost one.
    fn neighbours<const N: usize>(&self, x: isize, y: isize) -> [[u8; C]; N] {
        let y = y.clamp(0, self.height as isize - 1) as usize;
        let row = &self.pixels[y * self.width..(y + 1) * self.width];
        if x >= 0 && x as usize + N <= row.len() {
            return std::array::from_fn(|i| row[x as usize + i]);
        }
        std::array::from_fn(|i| row[(x + i as isize).clamp(0, self.width as isize - 1) as usize])
    }

    fn bilinear(&self, Place { x, y, dx, dy }: Place) -> [u8; C] {
        let line = |y| {
            let [left, right] = self.neighbours(x, y);
            std::array::from_fn(|c| linear(f64::from(left[c]), f64::from(right[c]), dx))
        };
        let top: [f64; C] = line(y);
        if dy == 0.0 {
            return top.map(|value| value as u8);
        }
        let bottom: [f64; C] = line(y + 1);
        std::array::from_fn(|c| linear(top[c], bottom[c], dy) as u8)
    }

    fn bicubic(&self, Place { x, y, dx, dy }: Place) -> [u8; C] {
        let line = |y| -> [f64; C] {
            let [a, b, c, d] = self.neighbours(x - 1, y).map(|pixel| pixel.map(f64::from));
            if dx == 0.0 {
                return b;
            }
            std::array::from_fn(|i| cubic([a[i], b[i], c[i], d[i]], dx))
        };
        // At distance 0 the polynomial equals its second value exactly, so shears and shifts along one axis
        // need only one row or column.
        if dy == 0.0 {
            return line(y).map(|value| value as u8);
        }
        let [a, b, c, d] = [line(y - 1), line(y), line(y + 1), line(y + 2)];
        std::array::from_fn(|i| cubic([a[i], b[i], c[i], d[i]], dy) as u8)
    }
}

#[inline(always)]
fn linear(from: f64, to: f64, share: f64) -> f64 {
    from + (to - from) * share
}

/// Keys' cubic convolution with parameter -1, between the second and the third value.
#[inline(always)]
fn cubic([a, b, c, d]: [f64; 4], share: f64) -> f64 {
    let linear = -a + c;
    let square = 2.0 * (a - b) + c - d;
    let cube = -a + b - c + d;
    b + share * (linear + share * (square + share * cube))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_rounded_as_they_are_written() {
        // Rust prints a number's decimals exactly, and so rounds like Python.
        let mut value = 0.000_123_4f64;
        for _ in 0..20_000 {
            value = (value * 3.7 + 0.123_456_7).sin();
            let written: f64 = format!("{value:.15}").parse().unwrap();
            assert_eq!(round15(value), written, "{value:e}");
        }
        assert_eq!([0.0, 1.0, -1.0, 0.5].map(round15), [0.0, 1.0, -1.0, 0.5]);
    }
}
