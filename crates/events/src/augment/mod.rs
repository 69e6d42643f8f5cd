//! Random changes to recordings and to frames, so that a network sees each sample in many guises.
//!
//! Every draw comes from one generator, best that of the sample and epoch
//! ([`tks_data::rng::sample_rng`]): the same seed gives the same changes, with any number of workers. One
//! draw holds for a whole recording, for all its time steps and channels.

mod geometry;
mod on_events;
mod on_frames;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::error::EventError;
use crate::frames::{Count, FramesMut};
use crate::stream::{EventStream, Events};
use geometry::Geometry;

/// A random change. Those that need single events are refused on frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Augment {
    /// Left becomes right: `x' = W - 1 - x`.
    FlipHorizontal {
        /// How probable it is, 0 to 1.
        #[serde(default = "half")]
        probability: f64,
    },
    /// Top becomes bottom: `y' = H - 1 - y`.
    FlipVertical {
        /// How probable it is, 0 to 1.
        #[serde(default = "half")]
        probability: f64,
    },
    /// Brighter becomes darker: `p' = 1 - p`, for all events together. On frames, of two channels.
    FlipPolarity {
        /// How probable it is, 0 to 1.
        #[serde(default = "half")]
        probability: f64,
    },
    /// The last becomes the first: `t' = t_0 + t_{N-1} - t`.
    ReverseTime {
        /// How probable it is, 0 to 1.
        #[serde(default = "half")]
        probability: f64,
        /// Whether brighter becomes darker too, as it does when a film runs backwards.
        #[serde(default = "yes")]
        flip_polarity: bool,
    },
    /// Moved by up to `pixels` along each axis; what leaves on one side enters on the other.
    Roll {
        /// Largest shift, in pixels.
        #[serde(default = "default_roll")]
        pixels: u16,
    },
    /// Moved by up to `pixels` along each axis; what leaves is lost. A random crop with a padding of `pixels`
    /// is the same thing.
    Translate {
        /// Largest shift, in pixels.
        #[serde(default = "default_translate")]
        pixels: u16,
    },
    /// Turned around the middle by up to `degrees`; what leaves is lost.
    Rotate {
        /// Largest angle, in degrees, 0 to 180.
        #[serde(default = "default_rotate")]
        degrees: f64,
        /// How frames are sampled between pixels.
        #[serde(default)]
        interpolation: Interpolation,
    },
    /// Sheared along the rows by an angle of up to `degrees`: `x' = x - tan(angle) (y - (H - 1) / 2)`.
    ShearX {
        /// Largest angle, in degrees, 0 to 89.
        #[serde(default = "default_shear")]
        degrees: f64,
        /// How frames are sampled between pixels.
        #[serde(default)]
        interpolation: Interpolation,
    },
    /// Sheared along the columns by an angle of up to `degrees`: `y' = y - tan(angle) (x - (W - 1) / 2)`.
    ShearY {
        /// Largest angle, in degrees, 0 to 89.
        #[serde(default = "default_shear")]
        degrees: f64,
        /// How frames are sampled between pixels.
        #[serde(default)]
        interpolation: Interpolation,
    },
    /// Nothing in a square of 1 to `length` pixels a side, whose middle is any pixel. DeVries and Taylor,
    /// arXiv 1708.04552.
    Cutout {
        /// Largest side, in pixels, 1 or above.
        #[serde(default = "default_cutout")]
        length: u16,
    },
    /// Neuromorphic data augmentation: a horizontal flip, then `count` of the policies roll, rotate, shear
    /// (along the rows) and cutout, drawn with replacement; a policy whose magnitude is 0 is not drawn. The
    /// defaults are those of the authors' code for CIFAR10-DVS; for N-Caltech101 they take 3 pixels and 15
    /// degrees. Li et al., "Neuromorphic Data Augmentation for Training Spiking Neural Networks", ECCV 2022.
    Nda {
        /// How many policies are applied.
        #[serde(default = "one")]
        count: usize,
        /// How probable the flip is, 0 to 1.
        #[serde(default = "half")]
        flip: f64,
        /// Largest roll, in pixels.
        #[serde(default = "default_roll")]
        roll: u16,
        /// Largest rotation, in degrees, 0 to 180.
        #[serde(default = "default_shear")]
        rotate: f64,
        /// Largest angle of the shear, in degrees, 0 to 89.
        #[serde(default = "default_shear")]
        shear: f64,
        /// Largest side of the square that is cut out, in pixels.
        #[serde(default)]
        cutout: u16,
    },
    /// Drops a share of the events, each with equal chance. Gu et al., "EventDrop", IJCAI 2021.
    DropEvent {
        /// Between which shares it is drawn, 0 to 1.
        #[serde(default = "default_drop")]
        ratio: [f64; 2],
    },
    /// Drops what happens in an interval of a share of the duration. On frames: so many whole frames.
    DropByTime {
        /// Between which shares it is drawn, 0 to 1.
        #[serde(default = "default_drop")]
        ratio: [f64; 2],
    },
    /// Drops what happens in a rectangle of a share of the width and the same share of the height.
    DropByArea {
        /// Between which shares it is drawn, 0 to 1.
        #[serde(default = "default_drop_area")]
        ratio: [f64; 2],
    },
    /// One of four, with equal chance: nothing; [`Augment::DropByTime`] of 0.1 to 0.9;
    /// [`Augment::DropByArea`] of 0.05 to 0.25; [`Augment::DropEvent`] of 0.1 to 0.9 (in steps of 0.1, 0.05
    /// and 0.1). Events only. Gu et al., "EventDrop: Data Augmentation for Event-based Learning", IJCAI 2021.
    EventDrop {},
    /// Adds a normally distributed time to each event, then sorts. Events only.
    TimeJitter {
        /// Standard deviation, in us, 0 or above.
        #[serde(default = "default_jitter_us")]
        std_us: f64,
    },
    /// Moves each event by a normally distributed distance, rounded to pixels; those that leave the sensor
    /// are lost. Events only.
    SpatialJitter {
        /// Standard deviation along the rows, in pixels, 0 or above.
        #[serde(default = "unit")]
        std_x: f64,
        /// Standard deviation along the columns, in pixels, 0 or above.
        #[serde(default = "unit")]
        std_y: f64,
        /// Correlation between the two, -1 to 1.
        #[serde(default)]
        correlation: f64,
    },
    /// Stretches time and shifts it: `t' = t_0 + c (t - t_0) + o`. Events only.
    TimeSkew {
        /// Between which factors `c` is drawn, above 0.
        #[serde(default = "default_skew")]
        coefficient: [f64; 2],
        /// Between which shifts `o` is drawn, in us.
        #[serde(default)]
        offset_us: [f64; 2],
    },
    /// Adds noise: events anywhere on the sensor, at any time of the recording. Events only.
    UniformNoise {
        /// Between which numbers of events it is drawn, both included.
        events: [usize; 2],
    },
}

/// How frames are sampled between pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The nearest pixel, which keeps counts whole (torchvision's default).
    #[default]
    Nearest,
    /// Between four pixels.
    Bilinear,
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

fn unit() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}

fn default_roll() -> u16 {
    5
}

fn default_translate() -> u16 {
    4
}

fn default_rotate() -> f64 {
    15.0
}

fn default_shear() -> f64 {
    30.0
}

fn default_cutout() -> u16 {
    8
}

fn default_drop() -> [f64; 2] {
    [0.1, 0.9]
}

fn default_drop_area() -> [f64; 2] {
    [0.05, 0.25]
}

fn default_jitter_us() -> f64 {
    1000.0
}

fn default_skew() -> [f64; 2] {
    [0.8, 1.2]
}

/// The most events that can be added as noise: a slip of the finger must not fill the memory.
const MOST_NOISE: usize = 100_000_000;

/// A number between two, uniformly.
fn between(rng: &mut impl Rng, [low, high]: [f64; 2]) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// A number of columns and rows of up to `pixels`, either way.
fn shift(rng: &mut impl Rng, pixels: u16) -> (i32, i32) {
    let most = i32::from(pixels);
    (rng.random_range(-most..=most), rng.random_range(-most..=most))
}

impl Augment {
    /// The reference recipe's for recordings: a random crop with a padding of a twelfth of 48 pixels,
    /// horizontal flips, rotations of up to 15 degrees. On frames.
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
    /// [`EventError::Option`] for the first that makes no sense.
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

    /// Whether this can be done to frames.
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

    /// A recording, changed.
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
    /// [`EventError::Option`]; [`EventError::Unsorted`] for what depends on the order of time.
    pub fn on_events(&self, events: &Events, rng: &mut impl Rng) -> Result<EventStream, EventError> {
        self.check()?;
        events.require_valid()?;
        on_events::apply(self, events, rng)
    }

    /// Frames `[T, C, H, W]`, changed in place.
    ///
    /// # Errors
    /// [`EventError::Option`], also for what needs single events.
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

    /// What this does to places, drawn for a sensor or a frame of `width` x `height`; empty for the rest.
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
