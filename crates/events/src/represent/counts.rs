//! Frames of counts: the inner loop of training on events.

use crate::error::EventError;
use crate::frames::{Count, FramesMut};
use crate::represent::Polarity;
use crate::slicing::Slice;
use crate::stream::Events;

/// Calls `touch` with the pixel of each event of a slice, and whether it is brighter; `false` as soon as an
/// event lies on no pixel.
///
/// One pass, no division and one comparison an event, never taken: columns of one length are walked
/// together, and the pixel is looked up with `get_mut`. Leaving the comparison out gains less than a
/// tenth; indices computed in blocks, counting in bytes first, two alternating accumulators and a
/// division an event are slower (`benches/benches/frames.rs` has them all).
#[inline(always)]
fn each_pixel<E>(
    events: &Events,
    slice: &Slice,
    polarity: Polarity,
    frame: &mut [E],
    mut touch: impl FnMut(&mut E, u8),
) -> bool {
    let events = events.range(slice.events.clone());
    let width = usize::from(events.sensor.width);
    let stride = polarity.stride(width * usize::from(events.sensor.height));
    for ((&x, &y), &p) in events.x.iter().zip(events.y).zip(events.p) {
        let pixel = usize::from(p) * stride + usize::from(y) * width + usize::from(x);
        let Some(pixel) = frame.get_mut(pixel) else { return false };
        touch(pixel, p);
    }
    true
}

/// Counts; how many events found no room.
pub(super) fn write<E: Count>(
    events: &Events,
    slices: &[Slice],
    polarity: Polarity,
    out: &mut FramesMut<E>,
) -> Result<usize, EventError> {
    let mut saturated = 0;
    for (slice, frame) in slices.iter().zip(out.steps_mut()) {
        // A frame at a time, so that it is still in the cache when its events arrive.
        frame.fill(E::ZERO);
        if !each_pixel(events, slice, polarity, frame, |pixel, _| saturated += usize::from(pixel.increment()))
        {
            return Err(events.outside());
        }
    }
    Ok(saturated)
}

/// 1 where there is an event.
pub(super) fn write_binary<E: Count>(
    events: &Events,
    slices: &[Slice],
    polarity: Polarity,
    out: &mut FramesMut<E>,
) -> Result<(), EventError> {
    for (slice, frame) in slices.iter().zip(out.steps_mut()) {
        frame.fill(E::ZERO);
        if !each_pixel(events, slice, polarity, frame, |pixel, _| *pixel = E::ONE) {
            return Err(events.outside());
        }
    }
    Ok(())
}

/// Brighter minus darker events.
pub(super) fn write_signed(
    events: &Events,
    slices: &[Slice],
    out: &mut FramesMut<f32>,
) -> Result<(), EventError> {
    for (slice, frame) in slices.iter().zip(out.steps_mut()) {
        frame.fill(0.0);
        if !each_pixel(events, slice, Polarity::Signed, frame, |pixel, p| {
            *pixel += if p == 0 { -1.0 } else { 1.0 };
        }) {
            return Err(events.outside());
        }
    }
    Ok(())
}
