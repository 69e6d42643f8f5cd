//! The layers of networks.
//!
//! A [`Layer`] transforms one signal into another. [`SynapticLayer`] is the usual one; the others are for
//! pooling, dropout, branches and attention. Your own layer is a type that implements this trait and is
//! created by a [`crate::Builder`].

mod attention;
mod dropout;
mod neurons;
mod norm;
mod pool;
mod reshape;
mod residual;
mod synapse;
mod synaptic;

use std::fmt::Debug;

use tch::Tensor;

use crate::context::ForwardContext;
use crate::description::LayerDescription;
use crate::error::ModelError;

pub use attention::SpikingAttention;
pub use dropout::Dropout;
pub use neurons::Neurons;
pub use norm::BatchNormLayer;
pub(crate) use norm::{EPS, one_value};
pub use pool::{AvgPool, GlobalAvgPool, MaxPool};
pub use reshape::{Flatten, MeanOfTokens, ToTokens};
pub use residual::{Join, ResidualBlock};
pub use synapse::Synapse;
pub(crate) use synapse::{Conv, Linear};
pub use synaptic::SynapticLayer;

/// One layer of a network.
///
/// Only [`Self::forward`] is required. The other methods describe the layer: its parameters (for activation
/// checkpointing), the part that is the same at every step of a static input (and so is computed once), and a
/// description from which another program can rebuild it.
///
/// ```
/// use tch::{Device, Kind, Tensor, nn};
/// use tks_models::{Builder, Execution, ForwardContext, Input, InputShape, Layer, ModelError, Network, NetworkConfig, SpikingModel};
///
/// /// `x` times a learned number.
/// #[derive(Debug)]
/// struct Gain(Tensor);
///
/// impl Layer for Gain {
///     fn forward(&self, x: &Tensor, _: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
///         Ok(x.f_mul(&self.0)?)
///     }
///
///     fn parameters<'a>(&'a self, parameters: &mut Vec<&'a Tensor>) {
///         parameters.push(&self.0);
///     }
/// }
///
/// fn build(builder: &mut Builder<'_>) -> Result<(), ModelError> {
///     builder.push_flatten();
///     builder.push_linear("hidden", 16, Some("hidden.neurons"))?;
///     let gain = builder.parameter("gain", Tensor::from(2.0f32))?;
///     builder.push(Gain(gain));
///     builder.push_classifier("head")
/// }
///
/// let plan: fn(&mut Builder<'_>) -> Result<(), ModelError> = build;
/// let store = nn::VarStore::new(Device::Cpu);
/// let network = Network::from_plan(&store.root(), &NetworkConfig::default(), InputShape::new(1, 8, 8), &plan)?;
/// let images = Tensor::rand([3, 1, 8, 8], (Kind::Float, Device::Cpu)); // [B, C, H, W]
/// let logits = network.forward(Input::Static(&images, 4), true, &Execution::default())?;
/// assert_eq!(logits.size(), [4, 3, 10]); // [T, B, K]
/// logits.sum(Kind::Float).backward();
/// assert!(store.variables()["gain"].grad().defined());
/// # Ok::<(), ModelError>(())
/// ```
pub trait Layer: Debug + Send {
    /// The output for `x`, `[T, B, ...]`, from rest; the shapes of both are those of the builder's signal
    /// before and after the layer. Must return the same output when called again with the same input.
    ///
    /// # Errors
    /// Any error of the computation, such as an operation that libtorch refuses.
    fn forward(&self, x: &Tensor, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError>;

    /// Appends the tensors that receive gradients, in a fixed order.
    fn parameters<'a>(&'a self, _parameters: &mut Vec<&'a Tensor>) {}

    /// A second handle to the same parameters, for activation checkpointing: only the layer's input is then
    /// kept, and the layer is recomputed in the backward pass. `None`, the default: not worth it.
    fn share(&self) -> Option<Box<dyn Layer>> {
        None
    }

    /// Whether training needs all steps at once: batch norm over steps and samples, or dropout of the same
    /// features at every step.
    fn needs_all_steps(&self) -> bool {
        false
    }

    /// The part of the layer that is the same at every step of a static input.
    fn static_part(&self) -> StaticPart {
        StaticPart::None
    }

    /// Computes, once, the first part of the layer, which is the same at every step of a static input: `[B,
    /// ...]` to `[B, ...]`, for an input repeated at each of `time_steps` steps. The default is correct if
    /// the whole layer is static.
    ///
    /// # Errors
    /// As [`Self::forward`].
    fn static_prefix(
        &self,
        x: &Tensor,
        _time_steps: i64,
        context: &mut ForwardContext<'_>,
    ) -> Result<Tensor, ModelError> {
        Ok(self.forward(&x.f_unsqueeze(0)?, context)?.f_squeeze_dim(0)?)
    }

    /// Computes the part after [`Self::static_prefix`], whose output is repeated at each step: `[T, B, ...]`
    /// to `[T, B, ...]`. Called if [`Self::static_part`] is a prefix; such a layer must implement this and
    /// [`Self::static_prefix`].
    ///
    /// # Errors
    /// As [`Self::forward`].
    fn run_suffix(&self, prefix: &Tensor, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        self.forward(prefix, context)
    }

    /// A description from which another program can rebuild the layer.
    ///
    /// # Errors
    /// Errors from libtorch.
    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        let name = std::any::type_name::<Self>();
        // Without its path and its parameters.
        let name = name.split('<').next().unwrap_or(name);
        Ok(vec![LayerDescription::Own { type_name: name.rsplit("::").next().unwrap_or(name).to_owned() }])
    }
}

/// The part of a layer that is the same at every step of a static input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StaticPart {
    /// None: the layer starts with neurons, or has several branches.
    None,
    /// The result of [`Layer::static_prefix`]; [`Layer::run_suffix`] continues from it.
    Prefix,
    /// The whole layer, which keeps no state between steps.
    Whole,
}
