//! Frames of counts: the inner loop of training on events.

use super::options::Polarity;
use crate::error::EventError;
use crate::frames::{Count, FramesMut};
use crate::sensor::SensorSize;
use crate::simd::{self, BLOCK};
use crate::slicing::Slice;
use crate::stream::Events;

/// Calls `touch` with the pixel of each event of a slice, and whether it is an ON event.
///
/// It takes one pass, without division and with one comparison per event: the pixels of a block of events are
/// computed with vector instructions, then accessed with `get_mut`. Processing event by event is not faster
/// even without the comparison; counting in bytes first, two alternating accumulators, and one division per
/// event are slower. All of these are in `benches/benches/frames.rs`.
#[inline(always)]
fn each_pixel<E>(
    events: &Events,
    slice: &Slice,
    polarity: Polarity,
    frame: &mut [E],
    mut touch: impl FnMut(&mut E, u8),
) -> Result<(), EventError> {
    let SensorSize { width, height } = events.sensor;
    if u32::try_from(frame.len()).is_err() {
        return Err(EventError::Option {
            option: "sensor",
            value: format!("{width} x {height}"),
            expected: "of fewer than 2^31 pixels",
        });
    }
    let stride = polarity.stride(usize::from(width) * usize::from(height)) as u32;
    let events = events.range(slice.events.clone());
    let mut pixels = [0; BLOCK];
    for ((x, y), p) in events.x.chunks(BLOCK).zip(events.y.chunks(BLOCK)).zip(events.p.chunks(BLOCK)) {
        simd::pixels(x, y, p, u32::from(width), stride, &mut pixels);
        for (&pixel, &p) in pixels.iter().zip(p) {
            touch(frame.get_mut(pixel as usize).ok_or_else(|| events.outside())?, p);
        }
    }
    Ok(())
}

/// Counts events; returns the number that exceeded the range of their pixel.
pub(super) fn write<E: Count>(
    events: &Events,
    slices: &[Slice],
    polarity: Polarity,
    out: &mut FramesMut<E>,
) -> Result<usize, EventError> {
    let mut saturated = 0;
    for (slice, frame) in slices.iter().zip(out.steps_mut()) {
        // One frame at a time, so that it is still in the cache when its events are added.
        frame.fill(E::ZERO);
        each_pixel(events, slice, polarity, frame, |pixel, _| saturated += usize::from(pixel.increment()))?;
    }
    Ok(saturated)
}

/// Writes 1 if there is an event.
pub(super) fn write_binary<E: Count>(
    events: &Events,
    slices: &[Slice],
    polarity: Polarity,
    out: &mut FramesMut<E>,
) -> Result<(), EventError> {
    for (slice, frame) in slices.iter().zip(out.steps_mut()) {
        frame.fill(E::ZERO);
        each_pixel(events, slice, polarity, frame, |pixel, _| *pixel = E::ONE)?;
    }
    Ok(())
}

/// Writes ON events minus OFF events.
pub(super) fn write_signed(
    events: &Events,
    slices: &[Slice],
    out: &mut FramesMut<f32>,
) -> Result<(), EventError> {
    for (slice, frame) in slices.iter().zip(out.steps_mut()) {
        frame.fill(0.0);
        each_pixel(events, slice, Polarity::Signed, frame, |pixel, p| {
            *pixel += if p == 0 { -1.0 } else { 1.0 };
        })?;
    }
    Ok(())
}
