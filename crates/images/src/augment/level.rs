//! The argument of an operation from its name and a magnitude: by levels of 0 to 10 as in TensorFlow's and
//! timm's RandAugment, or by bins as in torchvision.

use super::ops::Operation;

/// The level of full magnitude.
pub(super) const FULL: f64 = 10.0;

/// An operation whose magnitude is a level, by timm's names. Those called increasing get stronger with the
/// level; the others go from one extreme to the other, or get weaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leveled {
    AutoContrast,
    Equalize,
    Invert,
    Rotate,
    Posterize,
    PosterizeIncreasing,
    PosterizeOriginal,
    Solarize,
    SolarizeIncreasing,
    SolarizeAdd,
    Color,
    ColorIncreasing,
    Contrast,
    ContrastIncreasing,
    Brightness,
    BrightnessIncreasing,
    Sharpness,
    SharpnessIncreasing,
    ShearX,
    ShearY,
    TranslateXRel,
    TranslateYRel,
    Desaturate,
    GaussianBlur,
}

impl Leveled {
    /// Whether the operation keeps only some bits of each value.
    pub(super) fn posterizes(self) -> bool {
        matches!(self, Leveled::Posterize | Leveled::PosterizeIncreasing | Leveled::PosterizeOriginal)
    }

    /// The operation at a level, for an image of `[height, width]`. `negative` is called if the argument has
    /// a sign.
    pub(super) fn operation(
        self,
        level: f64,
        [height, width]: [usize; 2],
        negative: impl FnOnce() -> bool,
    ) -> Operation {
        let share = level / FULL;
        let signed = |value: f64| if negative() { -value } else { value };
        // From 0.1 to 1.9, with no change in the middle.
        let through = share * 1.8 + 0.1;
        let bits = (share * 4.0) as u8;
        let threshold = (share * 256.0).floor().min(256.0);
        match self {
            Leveled::AutoContrast => Operation::AutoContrast,
            Leveled::Equalize => Operation::Equalize,
            Leveled::Invert => Operation::Invert,
            Leveled::Rotate => Operation::Rotate { degrees: signed(share * 30.0) },
            Leveled::Posterize => Operation::Posterize { bits: bits.min(8) },
            Leveled::PosterizeIncreasing => Operation::Posterize { bits: 4u8.saturating_sub(bits) },
            Leveled::PosterizeOriginal => Operation::Posterize { bits: bits.saturating_add(4).min(8) },
            Leveled::Solarize => Operation::Solarize { threshold },
            Leveled::SolarizeIncreasing => Operation::Solarize { threshold: 256.0 - threshold },
            Leveled::SolarizeAdd => Operation::SolarizeAdd { add: (share * 110.0).min(128.0) as u8 },
            Leveled::Color => Operation::Color { factor: through },
            Leveled::Contrast => Operation::Contrast { factor: through },
            Leveled::Brightness => Operation::Brightness { factor: through },
            Leveled::Sharpness => Operation::Sharpness { factor: through },
            Leveled::ColorIncreasing => Operation::Color { factor: away(signed(share * 0.9)) },
            Leveled::ContrastIncreasing => Operation::Contrast { factor: away(signed(share * 0.9)) },
            Leveled::BrightnessIncreasing => Operation::Brightness { factor: away(signed(share * 0.9)) },
            Leveled::SharpnessIncreasing => Operation::Sharpness { factor: away(signed(share * 0.9)) },
            Leveled::ShearX => Operation::ShearX { factor: signed(share * 0.3) },
            Leveled::ShearY => Operation::ShearY { factor: signed(share * 0.3) },
            Leveled::TranslateXRel => Operation::TranslateX { pixels: signed(share * 0.45) * width as f64 },
            Leveled::TranslateYRel => Operation::TranslateY { pixels: signed(share * 0.45) * height as f64 },
            Leveled::Desaturate => {
                Operation::Color { factor: (1.0 - within(0.5, 1.0, share)).clamp(0.0, 1.0) }
            }
            Leveled::GaussianBlur => Operation::GaussianBlur { radius: within(0.1, 2.0, share) },
        }
    }
}

/// A factor that differs from 1 by `distance`, at least 0.1.
fn away(distance: f64) -> f64 {
    (1.0 + distance).max(0.1)
}

/// Linear interpolation between two numbers by `share`.
fn within(low: f64, high: f64, share: f64) -> f64 {
    (low + (high - low) * share).clamp(low, high)
}

/// An operation whose magnitude is the number of a bin, by torchvision's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binned {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
    Invert,
}

/// The available magnitudes, from 0 to the largest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bins {
    /// Number of magnitudes.
    pub(super) bins: usize,
    /// Whether to use TrivialAugment's wide ranges instead of RandAugment's and AutoAugment's.
    pub(super) wide: bool,
}

impl Binned {
    /// The operations that RandAugment and TrivialAugment choose from.
    pub(super) const CHOICE: [Binned; 14] = [
        Binned::Identity,
        Binned::ShearX,
        Binned::ShearY,
        Binned::TranslateX,
        Binned::TranslateY,
        Binned::Rotate,
        Binned::Brightness,
        Binned::Color,
        Binned::Contrast,
        Binned::Sharpness,
        Binned::Posterize,
        Binned::Solarize,
        Binned::AutoContrast,
        Binned::Equalize,
    ];

    /// The operation at magnitude number `bin`, for an image of `[height, width]`. `negative` is called if
    /// the argument has a sign.
    pub(super) fn operation(
        self,
        Bins { bins, wide }: Bins,
        bin: usize,
        [height, width]: [usize; 2],
        negative: impl FnOnce() -> bool,
    ) -> Operation {
        let either = |usual: f64, widest: f64| if wide { widest } else { usual };
        // torch's `linspace`: in single precision, from the nearer end, rounded once.
        let from_to = |from: f64, to: f64| {
            let (from, to) = (from as f32, to as f32);
            let step = (to - from) / (bins.max(2) - 1) as f32;
            f64::from(if bin < bins / 2 {
                step.mul_add(bin as f32, from)
            } else {
                (-step).mul_add((bins - 1 - bin) as f32, to)
            })
        };
        let signed = |value: f64| if negative() { -value } else { value };
        let shift = |length: usize| either(150.0 / 331.0 * length as f64, 32.0);
        // A shear is passed on as an angle.
        let angle = |factor: f64| factor.atan().to_degrees().to_radians();
        match self {
            Binned::Identity => Operation::Identity,
            Binned::ShearX => {
                Operation::ShearX { factor: angle(signed(from_to(0.0, either(0.3, 0.99)))).tan() }
            }
            Binned::ShearY => {
                let angle = angle(signed(from_to(0.0, either(0.3, 0.99))));
                Operation::ShearY { factor: angle.sin() / angle.cos() }
            }
            // torchvision uses the opposite direction.
            Binned::TranslateX => {
                Operation::TranslateX { pixels: -signed(from_to(0.0, shift(width)).trunc()) }
            }
            Binned::TranslateY => {
                Operation::TranslateY { pixels: -signed(from_to(0.0, shift(height)).trunc()) }
            }
            Binned::Rotate => Operation::Rotate { degrees: signed(from_to(0.0, either(30.0, 135.0))) },
            Binned::Brightness => {
                Operation::Brightness { factor: 1.0 + signed(from_to(0.0, either(0.9, 0.99))) }
            }
            Binned::Color => Operation::Color { factor: 1.0 + signed(from_to(0.0, either(0.9, 0.99))) },
            Binned::Contrast => Operation::Contrast { factor: 1.0 + signed(from_to(0.0, either(0.9, 0.99))) },
            Binned::Sharpness => {
                Operation::Sharpness { factor: 1.0 + signed(from_to(0.0, either(0.9, 0.99))) }
            }
            Binned::Posterize => {
                let step = (bins.max(2) - 1) as f64 / either(4.0, 6.0);
                let dropped = (bin as f32 / step as f32).round_ties_even();
                Operation::Posterize { bits: 8 - (dropped as u8).min(8) }
            }
            Binned::Solarize => Operation::Solarize { threshold: from_to(255.0, 0.0) },
            Binned::AutoContrast => Operation::AutoContrast,
            Binned::Equalize => Operation::Equalize,
            Binned::Invert => Operation::Invert,
        }
    }
}
