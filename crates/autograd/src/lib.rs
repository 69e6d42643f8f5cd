//! Spiking neurons as differentiable libtorch operations.
//!
//! - [`multi_step`](mod@multi_step): a neuron over a whole sequence `[T, B, ...]`, with the fused kernels.
//! - [`layer`]: a layer of neurons with its learned parameters and recorded firing rates.
//! - [`mod@batch_norm`]: batch norm and a neuron in one operation.
//! - [`plain`]: the same with plain libtorch operations, step by step, for every model; the fused operations
//!   are tested against it.
//! - [`spike()`]: the plain spike, for your own neurons.
//! - [`convolution`]: a convolution that skips zeros.
//! - [`avg_pool2d()`]: average pooling that keeps nothing for its backward pass.
//! - [`SavedTensor`]: a tensor kept for the backward pass, with spikes as bits.
//! - [`cuda`]: the same operations on NVIDIA GPUs, compiled at run time.
//!
//! Re-exported from `tks-torch`, which extends tch independently of spikes: [`custom`], [`optimizer`],
//! [`runtime`].
//!
//! ```
//! use tch::{Device, Kind, Tensor};
//! use tks_autograd::{LearnedTensors, multi_step, plain};
//! use tks_neuron::{Model, Neuron, Surrogate};
//!
//! let neuron = Neuron {
//!     v_threshold: 0.5,
//!     surrogate: Surrogate::QGate { alpha: 2.0 },
//!     ..Neuron::new(Model::Lif { tau: 2.0, decay_input: true })
//! };
//! let x = Tensor::rand([10, 4, 16], (Kind::Float, Device::Cpu)).set_requires_grad(true);
//! let fused = multi_step(&neuron, &x, None, LearnedTensors::default())?;
//! let plain = plain::multi_step(&neuron, &x, None, LearnedTensors::default())?;
//! assert_eq!(fused.spikes, plain.spikes);
//! # Ok::<(), tks_autograd::AutogradError>(())
//! ```

mod backend;
pub mod batch_norm;
pub mod convolution;
pub mod cuda;
pub mod error;
pub mod layer;
pub mod multi_step;
pub mod plain;
mod pool;
mod saved;
mod spike;
mod values;
mod winograd;

pub use batch_norm::{BatchNorm, batch_norm_multi_step};
pub use error::AutogradError;
pub use layer::{LayerOptions, NeuronLayer};
pub use multi_step::{LearnedTensors, Output, State, membranes, multi_step};
pub use pool::avg_pool2d;
pub use saved::SavedTensor;
pub use spike::spike;
pub use tks_torch::{clear_grad, custom, libtorch_version, optimizer, runtime};

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
