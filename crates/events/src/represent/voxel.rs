//! Voxel grids: events distributed over their two nearest time bins.

use super::options::{Polarity, VoxelTime};
use crate::error::EventError;
use crate::frames::FramesMut;
use crate::slicing::Slice;
use crate::stream::Events;

pub(super) fn write(
    events: &Events,
    slices: &[Slice],
    polarity: Polarity,
    grid: VoxelTime,
    out: &mut FramesMut<f32>,
) -> Result<(), EventError> {
    for step in out.steps_mut() {
        step.fill(0.0);
    }
    let (Some(first), Some(last)) = (slices.first(), slices.last()) else { return Ok(()) };
    let events = events.range(first.events.start..last.events.end);
    let (Some(&start), Some(&end)) = (events.t.first(), events.t.last()) else { return Ok(()) };
    let bins = slices.len();
    let span = match grid {
        VoxelTime::Zhu => bins - 1,
        VoxelTime::Tonic => bins,
    } as f64;
    // If all events have the same time, they belong to the first bin.
    let duration = (end as f64 - start as f64).max(1.0);
    let width = usize::from(events.sensor.width);
    let stride = polarity.stride(width * usize::from(events.sensor.height));
    for i in 0..events.len() {
        let place = span * (events.t[i] as f64 - start as f64) / duration;
        let bin = place as usize;
        let right = place - bin as f64;
        let weight = if polarity == Polarity::Signed && events.p[i] == 0 { -1.0 } else { 1.0 };
        let pixel =
            usize::from(events.p[i]) * stride + usize::from(events.y[i]) * width + usize::from(events.x[i]);
        for (bin, share) in [(bin, 1.0 - right), (bin + 1, right)] {
            if bin < bins {
                *out.step_mut(bin).get_mut(pixel).ok_or_else(|| events.outside())? += (weight * share) as f32;
            }
        }
    }
    Ok(())
}
