//! Resizing of frames by bilinear interpolation.

use serde::{Deserialize, Serialize};

use crate::error::EventError;
use crate::frames::{Count, FramesMut};

/// Bilinear interpolation of frames, equivalent to `torch.nn.functional.interpolate(mode="bilinear")`
/// (without antialiasing).
///
/// A value of the new frame is sampled at `s(y), s(x)` of the old one, between its four neighbours, with
/// `s(i) = i (in - 1) / (out - 1)` if `align_corners`, else `s(i) = max(0, (i + 1/2) in / out - 1/2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resize {
    /// Height of the new frames in pixels, 1 or above.
    pub height: usize,
    /// Width of the new frames in pixels, 1 or above.
    pub width: usize,
    /// Whether the centres of the corner pixels are aligned, instead of the corners of the frames.
    pub align_corners: bool,
}

impl Default for Resize {
    /// The reference recipe: 48 x 48 with aligned corners.
    fn default() -> Self {
        Resize { height: 48, width: 48, align_corners: true }
    }
}

/// For each position along a side: the two neighbours, and the weight of the second.
struct Axis(Vec<(usize, usize, f32)>);

impl Axis {
    fn new(from: usize, to: usize, align_corners: bool) -> Self {
        // In single precision, as in torch, so that positions on a boundary are rounded in the same
        // direction.
        let scale = match (align_corners, to) {
            (true, 1) => 0.0,
            (true, _) => (from - 1) as f32 / (to - 1) as f32,
            (false, _) => from as f32 / to as f32,
        };
        let place = |i: usize| {
            if align_corners {
                i as f32 * scale
            } else {
                // Rounded once, as on the machines that torch is built for.
                (i as f32 + 0.5).mul_add(scale, -0.5).max(0.0)
            }
        };
        Axis(
            (0..to)
                .map(|i| {
                    let first = (place(i) as usize).min(from - 1);
                    (first, (first + 1).min(from - 1), place(i) - first as f32)
                })
                .collect(),
        )
    }
}

impl Resize {
    /// Checks every option.
    ///
    /// # Errors
    /// [`EventError::Option`] for the first invalid one.
    pub fn check(&self) -> Result<(), EventError> {
        for (option, value) in [("height", self.height), ("width", self.width)] {
            if !(1..=usize::from(u16::MAX)).contains(&value) {
                return Err(EventError::Option { option, value: value.to_string(), expected: "1 to 65535" });
            }
        }
        Ok(())
    }

    /// Writes `[T, C, H, W]` as `[T, C, height, width]`.
    ///
    /// # Errors
    /// [`EventError::Option`], [`EventError::Shape`] if `to` does not have that shape.
    pub fn write<E: Count>(
        &self,
        from: &mut FramesMut<f32>,
        to: &mut FramesMut<E>,
    ) -> Result<(), EventError> {
        self.check()?;
        let [time, channels, height, width] = from.shape();
        to.require([time, channels, self.height, self.width])?;
        if height == 0 || width == 0 {
            to.steps_mut().for_each(|step| step.fill(E::ZERO));
            return Ok(());
        }
        let rows = Axis::new(height, self.height, self.align_corners);
        let columns = Axis::new(width, self.width, self.align_corners);
        let mut blended = vec![0.0; width];
        for (old, new) in from.planes_mut().zip(to.planes_mut()) {
            for (&(first, second, weight), new) in rows.0.iter().zip(new.chunks_exact_mut(self.width)) {
                let (above, below) = (&old[first * width..][..width], &old[second * width..][..width]);
                for ((value, &a), &b) in blended.iter_mut().zip(above).zip(below) {
                    *value = (1.0 - weight) * a + weight * b;
                }
                for (value, &(first, second, weight)) in new.iter_mut().zip(&columns.0) {
                    *value = E::from_f32((1.0 - weight) * blended[first] + weight * blended[second]);
                }
            }
        }
        Ok(())
    }
}
