//! Event-camera recordings, from the file to what a network trains on. No libtorch.
//!
//! | module | what it holds |
//! |---|---|
//! | [`stream`] | one type for a recording: columns of time, place and polarity |
//! | [`error`] | what can go wrong, where, and what to do |
//!
//! ```
//! use tks_events::{EventStream, SensorSize};
//!
//! let stream = EventStream::new(
//!     SensorSize { width: 34, height: 34 },
//!     vec![0, 10, 20],
//!     vec![1, 2, 3],
//!     vec![4, 5, 6],
//!     vec![1, 0, 1],
//! )?;
//! assert_eq!(stream.len(), 3);
//! assert_eq!(stream.duration_us(), 20);
//! # Ok::<(), tks_events::EventError>(())
//! ```

pub mod error;
pub mod stream;

pub use error::EventError;
pub use stream::{EventStream, Events, SensorSize};
