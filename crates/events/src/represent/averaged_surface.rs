//! Histograms of averaged time surfaces (HATS).

use std::collections::VecDeque;

use super::options::Decay;
use crate::error::EventError;
use crate::frames::FramesMut;
use crate::slicing::Slice;
use crate::stream::Events;

/// The options of [`crate::represent::Representation::AveragedTimeSurface`].
pub(super) struct Averaged {
    pub(super) cell: usize,
    pub(super) surface: usize,
    pub(super) window_us: i64,
    pub(super) tau_us: f64,
    pub(super) decay: Decay,
}

/// The recent events of one polarity in a cell.
#[derive(Default, Clone)]
struct Memory {
    recent: VecDeque<(i64, u16, u16)>,
    events: usize,
}

impl Averaged {
    pub(super) fn write(
        &self,
        events: &Events,
        slices: &[Slice],
        out: &mut FramesMut<f32>,
    ) -> Result<(), EventError> {
        let [_, _, height, width] = out.shape();
        let (cells_y, cells_x) = (height / self.surface, width / self.surface);
        let radius = self.surface / 2;
        for (slice, frame) in slices.iter().zip(out.steps_mut()) {
            frame.fill(0.0);
            let mut memories = vec![Memory::default(); 2 * cells_y * cells_x];
            for i in slice.events.clone() {
                let (x, y, p) = (events.x[i], events.y[i], usize::from(events.p[i]));
                let (cell_y, cell_x) = (usize::from(y) / self.cell, usize::from(x) / self.cell);
                if x >= events.sensor.width || y >= events.sensor.height || p > 1 {
                    return Err(events.outside());
                }
                let memory = &mut memories[(p * cells_y + cell_y) * cells_x + cell_x];
                while memory.recent.front().is_some_and(|e| e.0 < events.t[i].saturating_sub(self.window_us))
                {
                    memory.recent.pop_front();
                }
                // The surface's upper left corner corresponds to the position of its cell.
                let corner = (p * height + cell_y * self.surface) * width + cell_x * self.surface;
                for &(t, past_x, past_y) in &memory.recent {
                    let dy = usize::from(past_y) + radius;
                    let dx = usize::from(past_x) + radius;
                    let (Some(dy), Some(dx)) =
                        (dy.checked_sub(usize::from(y)), dx.checked_sub(usize::from(x)))
                    else {
                        continue;
                    };
                    if dy < self.surface && dx < self.surface {
                        frame[corner + dy * width + dx] +=
                            self.decay.after(events.t[i].saturating_sub(t), self.tau_us);
                    }
                }
                frame[corner + radius * width + radius] += 1.0;
                memory.recent.push_back((events.t[i], x, y));
                memory.events += 1;
            }
            for (index, memory) in memories.iter().enumerate() {
                let (cell_x, row) = (index % cells_x, index / cells_x);
                for line in frame[row * self.surface * width..][..self.surface * width].chunks_mut(width) {
                    for value in &mut line[cell_x * self.surface..][..self.surface] {
                        *value /= memory.events.max(1) as f32;
                    }
                }
            }
        }
        Ok(())
    }
}
