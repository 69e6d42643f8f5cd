//! Spiking neurons: models, surrogate gradients, and fused kernels over `[T, N]` slices; no libtorch.
//!
//! - [`model`], [`mod@neuron`]: the neuron model ([`Model`]) and its options ([`Neuron`]); serialisable.
//! - [`surrogate`]: replacements for the derivative of a spike ([`Surrogate`]).
//! - [`kernel`]: the fused multi-step kernels for IF, LIF, PLIF, CuBa-LIF and ALIF, forward and backward.
//! - [`cuda`]: CUDA kernel source for every model, generated from the reference.
//! - [`reference`](mod@reference): every model as one scalar step, against which everything else is tested.
//! - [`scalar`]: the number types that formulas are generic over.
//! - [`tape`]: a recording of the reference, to be run on other values (tensors) or turned into kernel
//!   source.
//!
//! ```
//! use tks_neuron::kernel::{Forward, Kernel, Spikes};
//! use tks_neuron::{Model, Neuron};
//!
//! // Two neurons over four steps, [T, N], run in two chunks.
//! let neuron = Neuron::new(Model::Lif { tau: 2.0, decay_input: true });
//! let kernel = Kernel::new(&neuron)?;
//! let input = [0.8, 2.1, 0.8, 2.1, 1.9, 0.0, 0.8, 2.1];
//! let (mut spikes, mut membrane) = ([0u8; 8], [0.0; 2]);
//! let (first, second) = spikes.split_at_mut(4);
//! let mut chunk = Forward::new(2, 2, &input[..4], Spikes::U8(first));
//! chunk.final_membrane = Some(&mut membrane);
//! kernel.forward(chunk)?;
//! let mut chunk = Forward::new(2, 2, &input[4..], Spikes::U8(second));
//! chunk.initial_membrane = Some(&membrane);
//! kernel.forward(chunk)?;
//! assert_eq!(spikes, [0, 1, 0, 1, 1, 0, 0, 1]);
//! # Ok::<(), tks_neuron::NeuronError>(())
//! ```

pub mod cuda;
pub mod error;
pub mod kernel;
pub mod model;
pub mod neuron;
mod range;
pub mod reference;
pub mod scalar;
pub mod surrogate;
pub mod tape;

pub use error::NeuronError;
pub use model::Model;
pub use neuron::{Neuron, ResetTime};
pub use surrogate::Surrogate;
