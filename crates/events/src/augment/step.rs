//! The augmentation steps and their settings.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// A random change. Changes that need individual events are refused on frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Augment {
    /// Mirrors left and right: `x' = W - 1 - x`.
    FlipHorizontal {
        /// Probability of the change, 0 to 1.
        #[serde(default = "half")]
        probability: f64,
    },
    /// Mirrors top and bottom: `y' = H - 1 - y`.
    FlipVertical {
        /// Probability of the change, 0 to 1.
        #[serde(default = "half")]
        probability: f64,
    },
    /// Inverts the polarity of all events together: `p' = 1 - p`. Frames need two channels.
    FlipPolarity {
        /// Probability of the change, 0 to 1.
        #[serde(default = "half")]
        probability: f64,
    },
    /// Reverses time: `t' = t_0 + t_{N-1} - t`.
    ReverseTime {
        /// Probability of the change, 0 to 1.
        #[serde(default = "half")]
        probability: f64,
        /// Whether the polarity is inverted too, as in a film played backwards.
        #[serde(default = "yes")]
        flip_polarity: bool,
    },
    /// Shifts by up to `pixels` along each axis, with wrap-around at the borders.
    Roll {
        /// Maximum shift in pixels.
        #[serde(default = "default_roll")]
        pixels: u16,
    },
    /// Shifts by up to `pixels` along each axis, losing what leaves the sensor. This is equivalent to a
    /// random crop with a padding of `pixels`.
    Translate {
        /// Maximum shift in pixels.
        #[serde(default = "default_translate")]
        pixels: u16,
    },
    /// Rotates around the centre by up to `degrees`, losing what leaves the sensor.
    Rotate {
        /// Maximum angle in degrees, 0 to 180.
        #[serde(default = "default_rotate")]
        degrees: f64,
        /// Interpolation between the pixels of frames.
        #[serde(default)]
        interpolation: Interpolation,
    },
    /// Shears along the rows by an angle of up to `degrees`: `x' = x - tan(angle) (y - (H - 1) / 2)`.
    ShearX {
        /// Maximum angle in degrees, 0 to 89.
        #[serde(default = "default_shear")]
        degrees: f64,
        /// Interpolation between the pixels of frames.
        #[serde(default)]
        interpolation: Interpolation,
    },
    /// Shears along the columns by an angle of up to `degrees`: `y' = y - tan(angle) (x - (W - 1) / 2)`.
    ShearY {
        /// Maximum angle in degrees, 0 to 89.
        #[serde(default = "default_shear")]
        degrees: f64,
        /// Interpolation between the pixels of frames.
        #[serde(default)]
        interpolation: Interpolation,
    },
    /// Erases a square with sides of 1 to `length` pixels, centred on a random pixel. DeVries and Taylor,
    /// arXiv 1708.04552.
    Cutout {
        /// Maximum side of the square in pixels, 1 or above.
        #[serde(default = "default_cutout")]
        length: u16,
    },
    /// Neuromorphic data augmentation: a horizontal flip, then `count` of the policies roll, rotate, shear
    /// (along the rows) and cutout, drawn with replacement. Policies with a magnitude of 0 are not drawn. The
    /// defaults are those of the authors' code for CIFAR10-DVS; for N-Caltech101, they use 3 pixels and 15
    /// degrees. Li et al., "Neuromorphic Data Augmentation for Training Spiking Neural Networks", ECCV 2022.
    Nda {
        /// Number of policies applied.
        #[serde(default = "one")]
        count: usize,
        /// Probability of the flip, 0 to 1.
        #[serde(default = "half")]
        flip: f64,
        /// Maximum roll in pixels.
        #[serde(default = "default_roll")]
        roll: u16,
        /// Maximum rotation in degrees, 0 to 180.
        #[serde(default = "default_shear")]
        rotate: f64,
        /// Maximum shear angle in degrees, 0 to 89.
        #[serde(default = "default_shear")]
        shear: f64,
        /// Maximum side of the square that is cut out, in pixels.
        #[serde(default)]
        cutout: u16,
    },
    /// Drops a share of the events, all with equal probability. Gu et al., "EventDrop", IJCAI 2021.
    DropEvent {
        /// Range from which the share is drawn, 0 to 1.
        #[serde(default = "default_drop")]
        ratio: [f64; 2],
    },
    /// Drops all events in an interval of a share of the duration. On frames, that share of whole frames.
    DropByTime {
        /// Range from which the share is drawn, 0 to 1.
        #[serde(default = "default_drop")]
        ratio: [f64; 2],
    },
    /// Drops all events in a rectangle with a share of the width and the same share of the height.
    DropByArea {
        /// Range from which the share is drawn, 0 to 1.
        #[serde(default = "default_drop_area")]
        ratio: [f64; 2],
    },
    /// One of four changes with equal probability: none; [`Augment::DropByTime`] of 0.1 to 0.9;
    /// [`Augment::DropByArea`] of 0.05 to 0.25; [`Augment::DropEvent`] of 0.1 to 0.9 (in steps of 0.1, 0.05
    /// and 0.1). Events only. Gu et al., "EventDrop: Data Augmentation for Event-based Learning", IJCAI 2021.
    EventDrop {},
    /// Adds a normally distributed offset to the time of each event, then sorts. Events only.
    TimeJitter {
        /// Standard deviation in us, 0 or above.
        #[serde(default = "default_jitter_us")]
        std_us: f64,
    },
    /// Moves each event by a normally distributed distance, rounded to pixels; events that leave the sensor
    /// are lost. Events only.
    SpatialJitter {
        /// Standard deviation along the rows in pixels, 0 or above.
        #[serde(default = "unit")]
        std_x: f64,
        /// Standard deviation along the columns in pixels, 0 or above.
        #[serde(default = "unit")]
        std_y: f64,
        /// Correlation between the two, -1 to 1.
        #[serde(default)]
        correlation: f64,
    },
    /// Scales and shifts time: `t' = t_0 + c (t - t_0) + o`. Events only.
    TimeSkew {
        /// Range from which the factor `c` is drawn, above 0.
        #[serde(default = "default_skew")]
        coefficient: [f64; 2],
        /// Range from which the shift `o` is drawn, in us.
        #[serde(default)]
        offset_us: [f64; 2],
    },
    /// Adds noise events at random positions and times within the recording. Events only.
    UniformNoise {
        /// Range from which the number of events is drawn, both ends included.
        events: [usize; 2],
    },
}

/// Interpolation between the pixels of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interpolation {
    /// The nearest pixel, which keeps counts integer (torchvision's default).
    #[default]
    Nearest,
    /// Bilinear, between four pixels.
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

/// Maximum number of noise events: a typing error must not fill the memory.
pub(super) const MOST_NOISE: usize = 100_000_000;

/// Draws a number uniformly from a range.
pub(super) fn between(rng: &mut impl Rng, [low, high]: [f64; 2]) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Draws a shift of up to `pixels` columns and rows in either direction.
pub(super) fn shift(rng: &mut impl Rng, pixels: u16) -> (i32, i32) {
    let most = i32::from(pixels);
    (rng.random_range(-most..=most), rng.random_range(-most..=most))
}
