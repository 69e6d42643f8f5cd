//! CPU kernels of spiking networks over slices, without libtorch and without neurons (those are in
//! `tks-neuron`).
//!
//! - [`convolution`]: a convolution of spikes that skips zeros.
//! - [`winograd`]: the transforms for a dense 3 x 3 convolution with a quarter of the multiplications.
//! - [`packed`]: spikes as one bit each, for the tensors that a backward pass keeps.
//! - [`batch_norm`]: the memory passes of batch norm, for fusing it with a neuron.
//! - [`simd`]: one binary for several instruction sets.
//!
//! Results are bit-identical for any number of threads and on every instruction set.
//!
//! ```
//! use tks_kernels::convolution::{ConvShape, forward};
//!
//! // One image of 1 x 3 pixels, two channels each, to one channel by a 1 x 1 filter.
//! let shape = ConvShape {
//!     images: 1,
//!     height: 1,
//!     width: 3,
//!     in_channels: 2,
//!     out_channels: 1,
//!     kernel: [1, 1],
//!     stride: [1, 1],
//!     padding: [0, 0],
//! };
//! let mut y = [0.0; 3];
//! forward(&shape, &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0], &[2.0, 3.0], &mut y)?;
//! assert_eq!(y, [2.0, 3.0, 5.0]);
//! # Ok::<(), tks_kernels::KernelError>(())
//! ```

pub mod batch_norm;
pub mod convolution;
pub mod error;
pub mod packed;
pub mod simd;
pub mod winograd;

pub use error::KernelError;
pub use packed::PackedSpikes;
