//! Time surfaces: how long ago each pixel last fired.

use super::options::Decay;
use crate::error::EventError;
use crate::frames::FramesMut;
use crate::slicing::Slice;
use crate::stream::Events;

pub(super) fn write(
    events: &Events,
    slices: &[Slice],
    tau_us: f64,
    decay: Decay,
    out: &mut FramesMut<f32>,
) -> Result<(), EventError> {
    let width = usize::from(events.sensor.width);
    let plane = width * usize::from(events.sensor.height);
    let mut last: Vec<Option<i64>> = vec![None; 2 * plane];
    let mut seen = 0;
    for (slice, surface) in slices.iter().zip(out.steps_mut()) {
        for i in slice.events.start.max(seen)..slice.events.end {
            let pixel = usize::from(events.p[i]) * plane
                + usize::from(events.y[i]) * width
                + usize::from(events.x[i]);
            *last.get_mut(pixel).ok_or_else(|| events.outside())? = Some(events.t[i]);
        }
        seen = seen.max(slice.events.end);
        for (value, last) in surface.iter_mut().zip(&last) {
            *value = last.map_or(0.0, |last| decay.after(slice.end_us.saturating_sub(last), tau_us));
        }
    }
    Ok(())
}
