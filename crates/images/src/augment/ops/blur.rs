//! Pillow's Gaussian blur: three box filters along each axis.

use crate::image::Image;

/// Number of box filters in each direction.
const PASSES: usize = 3;

/// Blurs with a standard deviation of `radius` pixels. `other` is work space.
pub(super) fn gaussian(image: &mut Image, other: &mut Image, radius: f32) {
    let radius = box_radius(radius);
    if radius == 0.0 {
        return;
    }
    let kernel = BoxKernel::new(radius);
    let (height, width, channels) = (image.height, image.width, image.channels);
    other.reset(height, width, channels);
    for _ in 0..PASSES {
        for y in 0..height {
            for channel in 0..channels {
                let line = Line { first: y * width * channels + channel, step: channels, length: width };
                kernel.run(&image.pixels, &mut other.pixels, line);
            }
        }
        std::mem::swap(image, other);
    }
    for _ in 0..PASSES {
        for first in 0..width * channels {
            let line = Line { first, step: width * channels, length: height };
            kernel.run(&image.pixels, &mut other.pixels, line);
        }
        std::mem::swap(image, other);
    }
}

/// The fractional radius of the box whose variance after three passes equals the Gaussian's. Gwosdek et al.,
/// "Theoretical Foundations of Gaussian Convolution by Extended Box Filtering", SSVM 2011.
fn box_radius(radius: f32) -> f32 {
    let variance = radius * radius / PASSES as f32;
    let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
    let whole = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
    let fraction = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance);
    whole + fraction / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)))
}

/// `length` bytes, every `step`th one starting at `first`.
#[derive(Clone, Copy)]
struct Line {
    first: usize,
    step: usize,
    length: usize,
}

/// Weights, in units of 2^-24, of the pixels within the radius and of the two beyond it, which a fractional
/// box covers partly.
struct BoxKernel {
    radius: usize,
    inner: u32,
    outer: u32,
}

impl BoxKernel {
    fn new(radius: f32) -> Self {
        let whole = radius as u32;
        let inner = ((1 << 24) as f32 / (radius * 2.0 + 1.0)) as u32;
        let outer = ((1u32 << 24).wrapping_sub((whole * 2 + 1).wrapping_mul(inner))) / 2;
        BoxKernel { radius: whole as usize, inner, outer }
    }

    fn run(&self, from: &[u8], to: &mut [u8], line: Line) {
        let last = line.length - 1;
        // Beyond either end, the outermost value is repeated.
        let value = |place: isize| {
            let place = place.clamp(0, last as isize) as usize;
            u32::from(from[line.first + place * line.step])
        };
        let radius = self.radius as isize;
        let mut sum: u32 = (-radius - 1..radius).map(value).sum();
        for place in 0..line.length as isize {
            let (left, right) = (place - radius - 1, place + radius + 1);
            sum = sum + value(place + radius) - value(left);
            let total = sum.wrapping_mul(self.inner).wrapping_add((value(left) + value(right)) * self.outer);
            to[line.first + place as usize * line.step] = (total.wrapping_add(1 << 23) >> 24) as u8;
        }
    }
}
