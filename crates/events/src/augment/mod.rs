//! Random changes to recordings and frames, so that a network sees many variants of each sample.
//!
//! Every draw comes from one random generator, preferably that of the sample and epoch
//! ([`tks_data::rng::sample_rng`]), so the same seed gives the same changes with any number of workers. One
//! draw applies to a whole recording, with all its time steps and channels.

mod geometry;
mod on_events;
mod on_frames;
mod step;

use rand::{Rng, RngExt};

use crate::error::EventError;
use crate::frames::{Count, FramesMut};
use crate::stream::{EventStream, Events};
use geometry::Geometry;
pub use step::{Augment, Interpolation};
use step::{MOST_NOISE, between, shift};

impl Augment {
    /// The reference recipe's augmentation for recordings, applied to frames: a random crop with a padding of
    /// a twelfth of 48 pixels, horizontal flips, rotations of up to 15 degrees.
    pub fn reference() -> Vec<Augment> {
        vec![
            Augment::Translate { pixels: 4 },
            Augment::FlipHorizontal { probability: 0.5 },
            Augment::Rotate { degrees: 15.0, interpolation: Interpolation::Nearest },
        ]
    }

    /// Checks every option.
    ///
    /// # Errors
    /// [`EventError::Option`] for the first invalid one.
    pub fn check(&self) -> Result<(), EventError> {
        let within = |option: &'static str, value: f64, low: f64, high: f64, expected: &'static str| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(EventError::Option { option, value: value.to_string(), expected })
        };
        let range = |option: &'static str, [from, to]: [f64; 2], low: f64, high: f64| {
            if (low..=high).contains(&from) && (from..=high).contains(&to) {
                return Ok(());
            }
            let expected = "two numbers within the range of the option, the lower first";
            Err(EventError::Option { option, value: format!("[{from}, {to}]"), expected })
        };
        match *self {
            Augment::FlipHorizontal { probability }
            | Augment::FlipVertical { probability }
            | Augment::FlipPolarity { probability }
            | Augment::ReverseTime { probability, .. } => {
                within("probability", probability, 0.0, 1.0, "0 to 1")
            }
            Augment::Rotate { degrees, .. } => within("degrees", degrees, 0.0, 180.0, "0 to 180"),
            Augment::ShearX { degrees, .. } | Augment::ShearY { degrees, .. } => {
                within("degrees", degrees, 0.0, 89.0, "0 to 89")
            }
            Augment::Cutout { length } => within("length", length.into(), 1.0, f64::INFINITY, "1 or above"),
            Augment::Nda { count, flip, roll, rotate, shear, cutout } => {
                within("flip", flip, 0.0, 1.0, "0 to 1")?;
                within("rotate", rotate, 0.0, 180.0, "0 to 180")?;
                within("shear", shear, 0.0, 89.0, "0 to 89")?;
                if count > 0 && roll == 0 && rotate == 0.0 && shear == 0.0 && cutout == 0 {
                    let expected = "0 where no policy has a magnitude";
                    return Err(EventError::Option { option: "count", value: count.to_string(), expected });
                }
                Ok(())
            }
            Augment::DropEvent { ratio } | Augment::DropByTime { ratio } | Augment::DropByArea { ratio } => {
                range("ratio", ratio, 0.0, 1.0)
            }
            Augment::TimeJitter { std_us } => within("std_us", std_us, 0.0, 1e15, "0 or above"),
            Augment::SpatialJitter { std_x, std_y, correlation } => {
                within("std_x", std_x, 0.0, 1e6, "0 or above")?;
                within("std_y", std_y, 0.0, 1e6, "0 or above")?;
                within("correlation", correlation, -1.0, 1.0, "-1 to 1")
            }
            Augment::TimeSkew { coefficient, offset_us } => {
                range("coefficient", coefficient, f64::MIN_POSITIVE, 1e6)?;
                range("offset_us", offset_us, -1e15, 1e15)
            }
            Augment::UniformNoise { events: [from, to] } if from > to || to > MOST_NOISE => {
                let expected = "two numbers of up to 100 million, the lower first";
                Err(EventError::Option { option: "events", value: format!("[{from}, {to}]"), expected })
            }
            Augment::Roll { .. }
            | Augment::Translate { .. }
            | Augment::EventDrop {}
            | Augment::UniformNoise { .. } => Ok(()),
        }
    }

    /// Whether this can be applied to frames.
    pub fn works_on_frames(&self) -> bool {
        !matches!(
            self,
            Augment::DropEvent { .. }
                | Augment::EventDrop {}
                | Augment::TimeJitter { .. }
                | Augment::SpatialJitter { .. }
                | Augment::TimeSkew { .. }
                | Augment::UniformNoise { .. }
        )
    }

    /// Applies the change to a recording.
    ///
    /// ```
    /// use tks_data::rng::sample_rng;
    /// use tks_events::augment::Augment;
    /// use tks_events::{EventStream, SensorSize};
    ///
    /// let sensor = SensorSize { width: 34, height: 34 };
    /// let stream = EventStream::new(sensor, vec![0, 10], vec![1, 2], vec![4, 5], vec![1, 0])?;
    /// let flip = Augment::FlipHorizontal { probability: 1.0 };
    /// let flipped = flip.on_events(&stream.events(), &mut sample_rng(7, 0, 0))?;
    /// assert_eq!(flipped.events().x, [32, 31]);
    /// # Ok::<(), tks_events::EventError>(())
    /// ```
    ///
    /// # Errors
    /// [`EventError::Option`]; [`EventError::Unsorted`] for changes that depend on the temporal order.
    pub fn on_events(&self, events: &Events, rng: &mut impl Rng) -> Result<EventStream, EventError> {
        self.check()?;
        events.require_valid()?;
        on_events::apply(self, events, rng)
    }

    /// Changes frames `[T, C, H, W]` in place.
    ///
    /// # Errors
    /// [`EventError::Option`], also for changes that need individual events.
    pub fn on_frames<E: Count>(
        &self,
        frames: &mut FramesMut<E>,
        rng: &mut impl Rng,
    ) -> Result<(), EventError> {
        self.check()?;
        if !self.works_on_frames() {
            return Err(EventError::Option {
                option: "frame_augment",
                value: format!("{self:?}"),
                expected: "something that can be done to frames; this needs events, so give it to event_augment",
            });
        }
        on_frames::apply(self, frames, rng)
    }

    /// The change of positions, drawn for a sensor or frame of `width` x `height`; empty for the other
    /// changes.
    fn geometry(&self, width: usize, height: usize, rng: &mut impl Rng) -> Vec<Geometry> {
        let angle = |degrees: f64, rng: &mut _| between(rng, [-degrees, degrees]);
        match *self {
            Augment::FlipHorizontal { probability } => {
                if rng.random_bool(probability) {
                    vec![Geometry::FlipX]
                } else {
                    Vec::new()
                }
            }
            Augment::FlipVertical { probability } => {
                if rng.random_bool(probability) {
                    vec![Geometry::FlipY]
                } else {
                    Vec::new()
                }
            }
            Augment::Roll { pixels } => {
                let (right, down) = shift(rng, pixels);
                vec![Geometry::Roll { right, down }]
            }
            Augment::Translate { pixels } => {
                let (right, down) = shift(rng, pixels);
                vec![Geometry::Translate { right, down }]
            }
            Augment::Rotate { degrees, interpolation } => {
                vec![Geometry::rotate(angle(degrees, rng), interpolation)]
            }
            Augment::ShearX { degrees, interpolation } => {
                vec![Geometry::shear_x(angle(degrees, rng), interpolation)]
            }
            Augment::ShearY { degrees, interpolation } => {
                vec![Geometry::shear_y(angle(degrees, rng), interpolation)]
            }
            Augment::Cutout { length } if width > 0 && height > 0 => {
                let side = rng.random_range(1..=usize::from(length));
                let (x, y) = (rng.random_range(0..width), rng.random_range(0..height));
                let start = |middle: usize| middle.saturating_sub(side / 2);
                let end = |middle: usize, most: usize| (middle + side - side / 2).min(most);
                vec![Geometry::Cut { x: start(x)..end(x, width), y: start(y)..end(y, height) }]
            }
            Augment::DropByArea { ratio } => {
                let share = between(rng, ratio);
                let mut interval = |most: usize| {
                    let side = (share * most as f64).round() as usize;
                    let start = rng.random_range(0..=most - side.min(most));
                    start..start + side
                };
                vec![Geometry::Cut { x: interval(width), y: interval(height) }]
            }
            Augment::Nda { count, flip, roll, rotate, shear, cutout } => {
                let mut all = Augment::FlipHorizontal { probability: flip }.geometry(width, height, rng);
                let interpolation = Interpolation::Nearest;
                let policies: Vec<Augment> = [
                    (roll > 0).then_some(Augment::Roll { pixels: roll }),
                    (rotate > 0.0).then_some(Augment::Rotate { degrees: rotate, interpolation }),
                    (shear > 0.0).then_some(Augment::ShearX { degrees: shear, interpolation }),
                    (cutout > 0).then_some(Augment::Cutout { length: cutout }),
                ]
                .into_iter()
                .flatten()
                .collect();
                for _ in 0..count {
                    let policy = policies[rng.random_range(0..policies.len())];
                    all.extend(policy.geometry(width, height, rng));
                }
                all
            }
            _ => Vec::new(),
        }
    }
}
