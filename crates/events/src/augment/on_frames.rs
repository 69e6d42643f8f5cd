//! Random changes to frames, in place.

use rand::{Rng, RngExt};

use super::step::{Augment, between};
use crate::error::EventError;
use crate::frames::{Count, FramesMut};

pub(super) fn apply<E: Count>(
    augment: &Augment,
    frames: &mut FramesMut<E>,
    rng: &mut impl Rng,
) -> Result<(), EventError> {
    let [time, _, height, width] = frames.shape();
    match *augment {
        Augment::FlipPolarity { probability } => {
            if rng.random_bool(probability) {
                flip_polarity(frames)?;
            }
        }
        Augment::ReverseTime { probability, flip_polarity: flip } => {
            if rng.random_bool(probability) {
                for step in 0..time / 2 {
                    frames.swap_steps(step, time - 1 - step);
                }
                if flip {
                    flip_polarity(frames)?;
                }
            }
        }
        Augment::DropByTime { ratio } => {
            let dropped = (between(rng, ratio) * time as f64).round() as usize;
            let start = rng.random_range(0..=time - dropped.min(time));
            for step in frames.steps_mut().skip(start).take(dropped) {
                step.fill(E::ZERO);
            }
        }
        _ => {
            for geometry in augment.geometry(width, height, rng) {
                geometry.on_frames(frames);
            }
        }
    }
    Ok(())
}

fn flip_polarity<E: Count>(frames: &mut FramesMut<E>) -> Result<(), EventError> {
    let [_, channels, height, width] = frames.shape();
    if channels != 2 {
        return Err(EventError::Option {
            option: "flip_polarity",
            value: format!("true, for frames of {channels} channel(s)"),
            expected: "asked for on frames with a channel a polarity; or on events",
        });
    }
    for step in frames.steps_mut() {
        let (dark, bright) = step.split_at_mut(height * width);
        dark.swap_with_slice(bright);
    }
    Ok(())
}
