//! Spiking neurons as differentiable libtorch operations.
//!
//! - [`multi_step`](mod@multi_step): a neuron over a whole sequence `[T, B, ...]`, by the fused kernels.
//! - [`layer`]: a layer of neurons with its learned parameters, and what it records.
//! - [`mod@batch_norm`]: batch norm and a neuron in one operation.
//! - [`plain`]: the same by plain libtorch operations, step by step: the yardstick, and every model.
//! - [`spike()`]: the plain spike, for a neuron of your own.
//! - [`convolution`]: a convolution that passes over zeros.
//! - [`avg_pool2d()`]: a pool that keeps nothing for its backward pass.
//! - [`SavedTensor`]: what is kept until the backward pass, spikes as bits.
//! - [`cuda`]: the same operations on NVIDIA GPUs, compiled at run time.
//!
//! From `tks-torch`, which has what tch lacks beside spikes: [`custom`], [`optimizer`], [`runtime`].
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
