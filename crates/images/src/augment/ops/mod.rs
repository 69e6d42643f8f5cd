//! The operations of AutoAugment and RandAugment, on 8-bit images.
//!
//! Each gives Pillow's result bit for bit, since published accuracies come from training with Pillow.

mod affine;
mod blend;
mod blur;
mod hue;
mod pointwise;

use serde::{Deserialize, Serialize};

pub use affine::{Interpolation, Sampling};

use super::{Scratch, setting};
use crate::error::ImageError;
use crate::image::Image;

/// One operation with its arguments.
///
/// ```
/// use tks_images::Image;
/// use tks_images::augment::Scratch;
/// use tks_images::augment::ops::{Operation, Sampling};
///
/// let mut image = Image { pixels: vec![10, 20, 30], height: 1, width: 1, channels: 3 };
/// Operation::Invert.apply(&mut image, Sampling::default(), &mut Scratch::default())?;
/// assert_eq!(image.pixels, [245, 235, 225]);
/// # Ok::<(), tks_images::ImageError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Operation {
    /// Leaves the image as it is.
    Identity,
    /// Stretches each channel's levels so that the smallest becomes 0 and the largest 255.
    AutoContrast,
    /// Maps each channel's levels so that all become about equally frequent.
    Equalize,
    /// `255 - v`.
    Invert,
    /// Rotates the image around its centre; new areas have the fill colour.
    Rotate {
        /// Angle, counterclockwise.
        degrees: f64,
    },
    /// Keeps the highest bits of each value.
    Posterize {
        /// Number of bits, 0 to 8; 0 makes the image black.
        bits: u8,
    },
    /// `255 - v` if `v` is at or above the threshold.
    Solarize {
        /// 0 inverts all, 256 nothing.
        threshold: f64,
    },
    /// `v + add`, at most 255, if `v` is below 128.
    SolarizeAdd {
        /// The amount added.
        add: u8,
    },
    /// Blends the grey image (0) and the image (1), or extrapolates. Grey images are left unchanged.
    Color {
        /// Weight of the image, 0 or above.
        factor: f64,
    },
    /// Blends the mean grey level (0) and the image (1), or extrapolates.
    Contrast {
        /// Weight of the image, 0 or above.
        factor: f64,
    },
    /// Blends black (0) and the image (1), or extrapolates.
    Brightness {
        /// Weight of the image, 0 or above.
        factor: f64,
    },
    /// Blends the smoothed image (0) and the image (1), or extrapolates.
    Sharpness {
        /// Weight of the image, 0 or above.
        factor: f64,
    },
    /// Shifts the hue around the colour circle. Grey images are left unchanged.
    Hue {
        /// The shift, -0.5 to 0.5 of the whole circle.
        factor: f64,
    },
    /// Takes each pixel from `x + factor * y`, with both at pixel centres.
    ShearX {
        /// Tangent of the angle.
        factor: f64,
    },
    /// Takes each pixel from `y + factor * x`, with both at pixel centres.
    ShearY {
        /// Tangent of the angle.
        factor: f64,
    },
    /// Takes each pixel from `x + pixels`: moves the image to the left.
    TranslateX {
        /// The distance in pixels.
        pixels: f64,
    },
    /// Takes each pixel from `y + pixels`: moves the image up.
    TranslateY {
        /// The distance in pixels.
        pixels: f64,
    },
    /// Approximate Gaussian blur: three box filters in each direction.
    GaussianBlur {
        /// Standard deviation in pixels, 0 to 1000.
        radius: f64,
    },
}

impl Operation {
    /// Checks the arguments.
    ///
    /// # Errors
    /// [`tks_data::DataError::Setting`] for an invalid one, such as NaN.
    pub fn check(&self) -> Result<(), ImageError> {
        let within = |field: &'static str, value: f64, from: f64, to: f64| {
            setting((from..=to).contains(&value), field, value, format_args!("{from} to {to}"))
        };
        match *self {
            Operation::Rotate { degrees } => within("degrees", degrees, -1e6, 1e6),
            Operation::Posterize { bits } => within("bits", bits.into(), 0.0, 8.0),
            Operation::Solarize { threshold } => within("threshold", threshold, 0.0, 256.0),
            Operation::Color { factor }
            | Operation::Contrast { factor }
            | Operation::Brightness { factor }
            | Operation::Sharpness { factor } => within("factor", factor, 0.0, 1e6),
            Operation::Hue { factor } => within("factor", factor, -0.5, 0.5),
            Operation::ShearX { factor } | Operation::ShearY { factor } => {
                within("factor", factor, -1e3, 1e3)
            }
            Operation::TranslateX { pixels } | Operation::TranslateY { pixels } => {
                within("pixels", pixels, -1e6, 1e6)
            }
            Operation::GaussianBlur { radius } => within("radius", radius, 0.0, 1e3),
            Operation::Identity
            | Operation::AutoContrast
            | Operation::Equalize
            | Operation::Invert
            | Operation::SolarizeAdd { .. } => Ok(()),
        }
    }

    /// Changes an image.
    ///
    /// # Errors
    /// [`tks_data::DataError::Setting`] for an invalid argument, and for an image whose number of bytes does
    /// not match its shape.
    pub fn apply(
        &self,
        image: &mut Image,
        sampling: Sampling,
        scratch: &mut Scratch,
    ) -> Result<(), ImageError> {
        self.check()?;
        super::require_valid(image)?;
        self.run(image, sampling, scratch);
        Ok(())
    }

    /// [`Operation::apply`] after the checks.
    pub(super) fn run(&self, image: &mut Image, sampling: Sampling, scratch: &mut Scratch) {
        if image.pixels.is_empty() {
            return;
        }
        let other = &mut scratch.image;
        match *self {
            Operation::Identity => {}
            Operation::AutoContrast => pointwise::auto_contrast(image),
            Operation::Equalize => pointwise::equalize(image),
            Operation::Invert => image.pixels.iter_mut().for_each(|value| *value = 255 - *value),
            Operation::Posterize { bits } => {
                let mask = !((1u16 << (8 - bits)) - 1) as u8;
                image.pixels.iter_mut().for_each(|value| *value &= mask);
            }
            Operation::Solarize { threshold } => {
                pointwise::map(image, |value| if f64::from(value) < threshold { value } else { 255 - value })
            }
            Operation::SolarizeAdd { add } => {
                pointwise::map(image, |value| if value < 128 { value.saturating_add(add) } else { value })
            }
            Operation::Color { factor } => blend::color(image, factor as f32),
            Operation::Contrast { factor } => blend::contrast(image, factor as f32),
            Operation::Brightness { factor } => blend::brightness(image, factor as f32),
            Operation::Sharpness { factor } => blend::sharpness(image, other, factor as f32),
            Operation::Hue { factor } => hue::shift(image, factor),
            Operation::Rotate { degrees } => affine::rotate(image, other, degrees, sampling),
            Operation::ShearX { factor } => {
                affine::transform(image, other, [1.0, factor, 0.0, 0.0, 1.0, 0.0], sampling);
            }
            Operation::ShearY { factor } => {
                affine::transform(image, other, [1.0, 0.0, 0.0, factor, 1.0, 0.0], sampling);
            }
            Operation::TranslateX { pixels } => {
                affine::transform(image, other, [1.0, 0.0, pixels, 0.0, 1.0, 0.0], sampling);
            }
            Operation::TranslateY { pixels } => {
                affine::transform(image, other, [1.0, 0.0, 0.0, 0.0, 1.0, pixels], sampling);
            }
            Operation::GaussianBlur { radius } => blur::gaussian(image, other, radius as f32),
        }
    }
}
