//! Representations of a slice's events as a frame: counts, voxel grids, time surfaces, binary codes.
//!
//! Every representation is `[T, C, H, W]` with one time step per slice, written in place with
//! [`Representation::write`] or into a new array with [`Representation::to_array`].

mod averaged_surface;
mod bina_rep;
mod counts;
mod options;
mod sparse;
mod surface;
mod voxel;

use ndarray::Array4;
use serde::{Deserialize, Serialize};

use crate::error::EventError;
use crate::frames::{Count, FramesMut};
use crate::sensor::SensorSize;
use crate::slicing::{Slice, Slicing};
use crate::stream::Events;

pub use bina_rep::bina_rep;
pub use options::{Decay, Polarity, VoxelTime};
pub use sparse::{SparseFrames, sparse_frames};

/// How the events of a slice are represented in a frame.
///
/// `x_i, y_i, p_i, t_i` are the position, polarity and time of an event; `[.]` is 1 if its condition holds,
/// else 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Representation {
    /// Number of events at each pixel: `F[t, c, y, x] = sum_{i in slice t} [x_i = x, y_i = y, p_i = c]`.
    Frames {
        /// Whether events are counted or only marked.
        #[serde(default)]
        value: FrameValue,
        /// The channels.
        #[serde(default)]
        polarity: Polarity,
    },
    /// Each event distributed proportionally over its two nearest time bins: `V[b, c, y, x] = sum_i w_i
    /// max(0, 1 - |b - b_i|)` over the whole recording. Zhu et al., "Unsupervised Event-Based Learning of
    /// Optical Flow, Depth and Egomotion", CVPR 2019. There are as many bins as the slicing has slices; the
    /// limits of the slices are not used.
    VoxelGrid {
        /// The channels: [`Polarity::Signed`] as in the paper, or one per polarity.
        #[serde(default = "signed")]
        polarity: Polarity,
        /// Position of an event among the bins.
        #[serde(default)]
        grid: VoxelTime,
    },
    /// How long ago each pixel last fired, at the end of each slice: `exp(-(end_t - last[c, y, x]) /
    /// tau_us)`, or 0 if it never did. Earlier slices count. Lagorce et al., "HOTS: A Hierarchy of
    /// Event-Based Time-Surfaces for Pattern Recognition", TPAMI 2017.
    TimeSurface {
        /// Time constant in us, above 0.
        #[serde(default = "default_tau_us")]
        tau_us: f64,
        /// The decay function of a pixel.
        #[serde(default)]
        decay: Decay,
    },
    /// Histograms of averaged time surfaces, arranged like the square cells into which the sensor is divided:
    /// `[T, 2, ceil(H / cell) * surface, ceil(W / cell) * surface]`. Each event sees the events of its cell,
    /// polarity and slice in the preceding `window_us` as a surface of `surface` x `surface` pixels around
    /// it; a cell's histogram is the mean over its events. Sironi et al., "HATS: Histograms of Averaged Time
    /// Surfaces", CVPR 2018.
    AveragedTimeSurface {
        /// Pixels along each side of a cell, 1 or above.
        #[serde(default = "default_cell")]
        cell: usize,
        /// Pixels along each side of a surface: odd, at most `cell`.
        #[serde(default = "default_surface")]
        surface: usize,
        /// How far back an event looks, in us, 0 or above.
        #[serde(default = "default_window_us")]
        window_us: i64,
        /// Time constant in us, above 0.
        #[serde(default = "default_surface_tau_us")]
        tau_us: f64,
        /// The decay function of an event.
        #[serde(default)]
        decay: Decay,
    },
    /// Each slice divided into `bits` parts of equal duration, whose binary frames `B_0, B_1, ...` are the
    /// digits of a number, most significant first: `sum_i 2^(bits - 1 - i) B_i / (2^bits - 1)`. Barchid et
    /// al., "Bina-Rep Event Frames", ICIP 2022.
    BinaRep {
        /// Number of parts, 2 to 24.
        #[serde(default = "default_bits")]
        bits: u32,
    },
}

/// Whether events are counted or only marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FrameValue {
    /// The number of events.
    #[default]
    Count,
    /// 1 if there is an event.
    Binary,
}

/// How many events are represented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Events in the slices, each counted once per slice that contains it. The sum of frames of counts is
    /// `kept - saturated`, until they are resized or augmented.
    pub kept: usize,
    /// Events that are not in any slice.
    pub left_out: usize,
    /// Events not counted because their pixel's `u8` or `u16` was saturated.
    pub saturated: usize,
}

fn signed() -> Polarity {
    Polarity::Signed
}

fn default_tau_us() -> f64 {
    50_000.0
}

fn default_cell() -> usize {
    10
}

fn default_surface() -> usize {
    5
}

fn default_window_us() -> i64 {
    100_000
}

fn default_surface_tau_us() -> f64 {
    100_000.0
}

fn default_bits() -> u32 {
    8
}

impl Default for Representation {
    /// The reference recipe: counts, with one channel per polarity.
    fn default() -> Self {
        Representation::Frames { value: FrameValue::Count, polarity: Polarity::Split }
    }
}

impl Representation {
    /// Checks every option.
    ///
    /// # Errors
    /// [`EventError::Option`] for the first invalid one.
    pub fn check(&self) -> Result<(), EventError> {
        let fail = |option, value: String, expected| Err(EventError::Option { option, value, expected });
        match *self {
            Representation::Frames { value: FrameValue::Binary, polarity: Polarity::Signed } => {
                fail("polarity", "signed".into(), "split or merged with binary frames")
            }
            Representation::VoxelGrid { polarity: Polarity::Merged, .. } => {
                fail("polarity", "merged".into(), "signed or split in a voxel grid")
            }
            Representation::TimeSurface { tau_us, .. }
            | Representation::AveragedTimeSurface { tau_us, .. }
                if !(tau_us > 0.0 && tau_us.is_finite()) =>
            {
                fail("tau_us", tau_us.to_string(), "above 0")
            }
            Representation::AveragedTimeSurface { cell, surface, window_us, .. } => {
                if !(1..=usize::from(u16::MAX)).contains(&cell) {
                    return fail("cell", cell.to_string(), "1 to 65535");
                }
                if surface.is_multiple_of(2) || surface > cell {
                    return fail("surface", surface.to_string(), "odd, and at most as large as cell");
                }
                if window_us < 0 {
                    return fail("window_us", window_us.to_string(), "0 or above");
                }
                Ok(())
            }
            Representation::BinaRep { bits } if !(2..=24).contains(&bits) => {
                fail("bits", bits.to_string(), "2 to 24")
            }
            _ => Ok(()),
        }
    }

    /// Shape `[T, C, H, W]` of this representation for this number of slices and this sensor.
    pub fn shape(&self, slices: usize, sensor: SensorSize) -> [usize; 4] {
        let (height, width) = (usize::from(sensor.height), usize::from(sensor.width));
        match *self {
            Representation::Frames { polarity, .. } | Representation::VoxelGrid { polarity, .. } => {
                [slices, polarity.channels(), height, width]
            }
            Representation::TimeSurface { .. } | Representation::BinaRep { .. } => [slices, 2, height, width],
            Representation::AveragedTimeSurface { cell, surface, .. } => {
                let cell = cell.max(1);
                [slices, 2, height.div_ceil(cell) * surface, width.div_ceil(cell) * surface]
            }
        }
    }

    /// Whether a step depends only on its own slice, so that steps can be written one by one.
    pub(crate) fn is_independent(&self) -> bool {
        !matches!(self, Representation::VoxelGrid { .. } | Representation::TimeSurface { .. })
    }

    /// Writes the representation of `slices` into `out`, of [`Representation::shape`], overwriting its
    /// contents. Split and merged [`Representation::Frames`] support every number type, the others only
    /// `f32`.
    ///
    /// # Errors
    /// [`EventError::Option`], also for representations that need `f32`; [`EventError::Shape`];
    /// [`EventError::OutsideSensor`] for events that were assembled by hand.
    pub fn write<E: Count>(
        &self,
        events: &Events,
        slices: &[Slice],
        out: &mut FramesMut<E>,
    ) -> Result<Tally, EventError> {
        self.check()?;
        events.require_columns()?;
        out.require(self.shape(slices.len(), events.sensor))?;
        let mut tally = Tally::of(events, slices);
        if let Representation::Frames { value, polarity: polarity @ (Polarity::Split | Polarity::Merged) } =
            *self
        {
            match value {
                FrameValue::Count => tally.saturated = counts::write(events, slices, polarity, out)?,
                FrameValue::Binary => counts::write_binary(events, slices, polarity, out)?,
            }
            return Ok(tally);
        }
        let out = E::f32_frames(out).ok_or_else(|| EventError::Option {
            option: "representation",
            value: format!("{self:?}"),
            expected: "frames, split or merged, where the numbers are whole; or ask for f32",
        })?;
        match *self {
            Representation::Frames { .. } => counts::write_signed(events, slices, out)?,
            Representation::VoxelGrid { polarity, grid } => {
                voxel::write(events, slices, polarity, grid, out)?;
            }
            Representation::TimeSurface { tau_us, decay } => {
                surface::write(events, slices, tau_us, decay, out)?;
            }
            Representation::AveragedTimeSurface { cell, surface, window_us, tau_us, decay } => {
                let averaged = averaged_surface::Averaged { cell, surface, window_us, tau_us, decay };
                averaged.write(events, slices, out)?;
            }
            Representation::BinaRep { bits } => bina_rep::write(events, slices, bits, out)?,
        }
        Ok(tally)
    }

    /// The representation of a recording as an array `[T, C, H, W]`.
    ///
    /// ```
    /// use tks_events::represent::Representation;
    /// use tks_events::slicing::Slicing;
    /// use tks_events::{EventStream, SensorSize};
    ///
    /// let sensor = SensorSize { width: 4, height: 3 };
    /// let stream = EventStream::new(sensor, vec![0, 5, 9], vec![1, 1, 3], vec![0, 0, 2], vec![1, 1, 0])?;
    /// let frames = Representation::default().to_array(&stream.events(), &Slicing::time_bins(2))?;
    /// assert_eq!(frames.dim(), (2, 2, 3, 4));
    /// assert_eq!(frames.sum(), 3.0);
    /// # Ok::<(), tks_events::EventError>(())
    /// ```
    ///
    /// # Errors
    /// [`EventError::Option`], [`EventError::Unsorted`], [`EventError::TooManySlices`].
    pub fn to_array(&self, events: &Events, slicing: &Slicing) -> Result<Array4<f32>, EventError> {
        self.check()?;
        let slices = slicing.slices(events)?;
        let mut array = Array4::zeros(self.shape(slices.len(), events.sensor));
        self.write(events, &slices, &mut FramesMut::of_array(&mut array)?)?;
        Ok(array)
    }
}

impl Tally {
    pub(crate) fn of(events: &Events, slices: &[Slice]) -> Self {
        let kept = slices.iter().map(|slice| slice.events.len()).sum();
        // Slices are in order, so the new events of one come after all earlier ones.
        let (mut held, mut end) = (0, 0);
        for slice in slices {
            held += slice.events.end.saturating_sub(slice.events.start.max(end));
            end = end.max(slice.events.end);
        }
        Tally { kept, left_out: events.len() - held.min(events.len()), saturated: 0 }
    }
}
