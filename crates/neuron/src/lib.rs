//! What a spiking neuron computes: models, surrogate gradients, and fused kernels over `[T, N]` slices;
//! no libtorch.
//!
//! - [`model`]: which neuron, with what options ([`Neuron`], [`Model`]); serialisable.
//! - [`surrogate`]: what stands in for the derivative of a spike ([`Surrogate`]).
//! - [`kernel`]: the fused multi-step kernels for IF, LIF, PLIF, CuBa-LIF and ALIF, forward and backward.
//! - [`compact`]: spikes in a bit each, for what a backward pass keeps.
//! - [`convolution`]: a convolution of spikes that passes over zeros.
//! - [`cuda`]: CUDA kernels' text for every model, made from the reference.
//! - [`normalize`]: batch norm's passes over memory, for fusing it with a neuron.
//! - [`reference`](mod@reference): every model as one scalar step, the yardstick of all else.
//! - [`scalar`]: the numbers that formulas are written over.
//! - [`tape`]: the reference written down, to be run on other values: tensors, kernels' texts.
//! - [`winograd`]: the transforms of a dense 3 x 3 convolution with a quarter of the multiplications.
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

pub mod compact;
pub mod convolution;
pub mod cuda;
pub mod error;
pub mod kernel;
pub mod model;
pub mod normalize;
pub mod reference;
pub mod scalar;
mod simd;
pub mod surrogate;
pub mod tape;
pub mod winograd;

pub use error::NeuronError;
pub use model::{Model, Neuron, ResetTime};
pub use surrogate::Surrogate;
