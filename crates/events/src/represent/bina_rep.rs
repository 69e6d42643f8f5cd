//! Bina-Rep: binary frames as the digits of a number.

use ndarray::{Array4, ArrayView4};

use crate::error::EventError;
use crate::frames::FramesMut;
use crate::slicing::Slice;
use crate::stream::Events;

pub(super) fn write(
    events: &Events,
    slices: &[Slice],
    bits: u32,
    out: &mut FramesMut<f32>,
) -> Result<(), EventError> {
    let width = usize::from(events.sensor.width);
    let plane = width * usize::from(events.sensor.height);
    let mut digits = vec![0u32; 2 * plane];
    let largest = (1u32 << bits) - 1;
    for (slice, frame) in slices.iter().zip(out.steps_mut()) {
        digits.fill(0);
        let duration = i128::from(slice.end_us) - i128::from(slice.start_us);
        for i in slice.events.clone() {
            let age = i128::from(events.t[i]) - i128::from(slice.start_us);
            let part = (age * i128::from(bits) / duration.max(1)).clamp(0, i128::from(bits) - 1) as u32;
            let pixel = usize::from(events.p[i]) * plane
                + usize::from(events.y[i]) * width
                + usize::from(events.x[i]);
            *digits.get_mut(pixel).ok_or_else(|| events.outside())? |= 1 << (bits - 1 - part);
        }
        for (value, &digits) in frame.iter_mut().zip(&digits) {
            *value = digits as f32 / largest as f32;
        }
    }
    Ok(())
}

/// Bina-Rep of existing frames: each `bits` frames of `[T * bits, C, H, W]` become one of `[T, C, H, W]`.
/// Values above 0 count as 1.
///
/// # Errors
/// [`EventError::Option`] if `bits` is not within 2 to 24, or does not divide the number of frames.
pub fn bina_rep(frames: ArrayView4<f32>, bits: usize) -> Result<Array4<f32>, EventError> {
    let (steps, channels, height, width) = frames.dim();
    if !(2..=24).contains(&bits) || !steps.is_multiple_of(bits) {
        return Err(EventError::Option {
            option: "bits",
            value: bits.to_string(),
            expected: "2 to 24, and a divisor of the number of frames",
        });
    }
    let largest = ((1u32 << bits) - 1) as f32;
    Ok(Array4::from_shape_fn((steps / bits, channels, height, width), |(t, c, y, x)| {
        let digits =
            (0..bits).fold(0u32, |number, i| number << 1 | u32::from(frames[[t * bits + i, c, y, x]] > 0.0));
        digits as f32 / largest
    }))
}
