//! The steps, and their settings.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// A random change. Those that need single events are refused on frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
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
#[non_exhaustive]
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
pub(super) const MOST_NOISE: usize = 100_000_000;

/// A number between two, uniformly.
pub(super) fn between(rng: &mut impl Rng, [low, high]: [f64; 2]) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// A number of columns and rows of up to `pixels`, either way.
pub(super) fn shift(rng: &mut impl Rng, pixels: u16) -> (i32, i32) {
    let most = i32::from(pixels);
    (rng.random_range(-most..=most), rng.random_range(-most..=most))
}
