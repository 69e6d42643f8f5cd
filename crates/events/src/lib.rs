//! Event-camera recordings, from the file to the input of a network. Without libtorch.
//!
//! | module | contents |
//! |---|---|
//! | [`stream`] | one type for a recording: columns of time, position and polarity |
//! | [`formats`] | reading and writing of recordings in the formats of the field |
//! | [`recipe`] | the choices below in one description, from a recording to `[T, C, H, W]` |
//! | [`filter`] | removal of events: noise, hot pixels, time intervals or areas |
//! | [`spatial`] | crops, and reductions of the resolution |
//! | [`augment`] | random changes to recordings and frames |
//! | [`slicing`] | division of a recording into frames |
//! | [`represent`] | representations of events in a frame: counts, voxel grids, time surfaces |
//! | [`frames`] | output memory of frames |
//! | [`mix`] | mixing of two samples, with soft labels: MixUp, CutMix, EventMix |
//! | [`resize`] | resizing of frames |
//! | [`datasets`] | the neuromorphic data sets, as downloaded or unpacked, as frames for the loader |
//! | [`error`] | errors, with their place and remedy |
//!
//! ```
//! use tks_events::frames::FramesMut;
//! use tks_events::recipe::{Recipe, Scratch};
//! use tks_events::{EventStream, SensorSize};
//!
//! let stream = EventStream::new(
//!     SensorSize { width: 34, height: 34 },
//!     vec![0, 10, 20],
//!     vec![1, 2, 3],
//!     vec![4, 5, 6],
//!     vec![1, 0, 1],
//! )?;
//! assert_eq!(stream.duration_us(), 20);
//!
//! // Ten equal time bins, two polarities, 48 x 48 pixels.
//! let recipe = Recipe::default();
//! let shape = recipe.shape(stream.sensor())?;
//! assert_eq!(shape, [10, 2, 48, 48]);
//! let mut values = vec![0.0f32; shape.iter().product()];
//! let mut out = FramesMut::contiguous(&mut values, shape)?;
//! let tally = recipe.write(&stream.events(), &mut out, &mut Scratch::default())?;
//! assert_eq!((tally.kept, tally.left_out), (3, 0));
//! # Ok::<(), tks_events::EventError>(())
//! ```

pub mod augment;
mod columns;
pub mod datasets;
pub mod error;
pub mod filter;
pub mod formats;
pub mod frames;
pub mod mix;
mod number;
pub mod recipe;
pub mod represent;
pub mod resize;
mod sensor;
mod simd;
pub mod slicing;
pub mod spatial;
pub mod stream;

pub use error::EventError;
pub use sensor::SensorSize;
pub use stream::{EventStream, Events};
