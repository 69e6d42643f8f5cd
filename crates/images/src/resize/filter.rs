//! Resampling filters.

use serde::{Deserialize, Serialize};

/// The resampling filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Filter {
    /// The pixel at that position.
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
    /// Its radius, in pixels of the smaller of the two images.
    pub(super) fn support(self) -> f64 {
        match self {
            Filter::Nearest => 0.0,
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    /// Its weight at a given distance.
    pub(super) fn weight(self, x: f64) -> f64 {
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
