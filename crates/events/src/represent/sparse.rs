//! Frames of counts as a list of the non-zero pixels (COO).

use ndarray::{Array2, Array4};

use crate::error::EventError;
use crate::slicing::Slicing;
use crate::stream::Events;

/// Frames of counts in coordinate format, as used by `torch.sparse_coo_tensor`: sorted, without duplicate
/// pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseFrames {
    /// Shape `[T, 2, H, W]` of the frames.
    pub shape: [usize; 4],
    /// Coordinates `[4, K]` of the `K` pixels that contain events: rows of t, polarity, y, x.
    pub indices: Array2<i64>,
    /// Number of events at each, `[K]`.
    pub values: Vec<f32>,
}

/// Frames of counts `[T, 2, H, W]` in coordinate format.
///
/// # Errors
/// As [`Slicing::slices`].
pub fn sparse_frames(events: &Events, slicing: &Slicing) -> Result<SparseFrames, EventError> {
    events.require_valid()?;
    let slices = slicing.slices(events)?;
    let (height, width) = (usize::from(events.sensor.height), usize::from(events.sensor.width));
    let (mut rows, mut values) = ([const { Vec::<i64>::new() }; 4], Vec::new());
    let mut pixels = Vec::new();
    for (t, slice) in slices.iter().enumerate() {
        pixels.clear();
        for i in slice.events.clone() {
            pixels.push((events.p[i], events.y[i], events.x[i]));
        }
        pixels.sort_unstable();
        for same in pixels.chunk_by(|a, b| a == b) {
            let (p, y, x) = same[0];
            for (row, value) in rows.iter_mut().zip([t as i64, p.into(), y.into(), x.into()]) {
                row.push(value);
            }
            values.push(same.len() as f32);
        }
    }
    let mut indices = Array2::zeros((4, values.len()));
    for (mut row, column) in indices.rows_mut().into_iter().zip(rows) {
        row.assign(&ndarray::Array1::from(column));
    }
    Ok(SparseFrames { shape: [slices.len(), 2, height, width], indices, values })
}

impl SparseFrames {
    /// The frames as an array `[T, 2, H, W]`.
    pub fn to_dense(&self) -> Array4<f32> {
        let mut dense = Array4::zeros(self.shape);
        for (place, &value) in self.indices.columns().into_iter().zip(&self.values) {
            dense[[place[0] as usize, place[1] as usize, place[2] as usize, place[3] as usize]] += value;
        }
        dense
    }
}
