//! What networks are made of.
//!
//! [`Layer`] is what stands between two signals. [`SynapticLayer`] is the usual one; the others pool, drop, join
//! branches, or attend. A layer of one's own is a type with this trait, made by a [`crate::Builder`].

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
/// [`Self::forward`] is all that has to be written. The other methods say what the layer has: parameters (so that
/// activation checkpointing finds them), a part that is the same at every step of a static input (so that it is
/// computed once), and what another program needs to rebuild it.
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
    /// The output of `x`, `[T, B, ...]`, from rest; both in the shapes that the builder's signal had before and after
    /// the layer. Called again with the same input it gives the same output.
    ///
    /// # Errors
    /// Whatever makes it impossible, such as an operation that libtorch refuses.
    fn forward(&self, x: &Tensor, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError>;

    /// Appends the tensors that gradients flow to, in an order that does not change.
    fn parameters<'a>(&'a self, _parameters: &mut Vec<&'a Tensor>) {}

    /// A second handle to the same parameters, for activation checkpointing: then only the layer's input is kept, and
    /// the layer is computed again in the backward pass. `None`, the default: not worth it.
    fn share(&self) -> Option<Box<dyn Layer>> {
        None
    }

    /// Whether training needs all steps at once: batch norm over steps and samples, dropout of the same features at every
    /// step.
    fn needs_all_steps(&self) -> bool {
        false
    }

    /// What of the layer is the same at every step of an input that is.
    fn static_part(&self) -> StaticPart {
        StaticPart::None
    }

    /// The part of a static input's way that is the same at every step, computed once: `[B, ...]` to `[B, ...]`, for an
    /// input that is shown at each of `time_steps` steps. The default is right where the whole layer is static.
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

    /// What follows [`Self::static_prefix`], whose output arrives at each step: `[T, B, ...]` to `[T, B, ...]`. Called
    /// where [`Self::static_part`] is a prefix; a layer whose part is one has to write this and [`Self::static_prefix`].
    ///
    /// # Errors
    /// As [`Self::forward`].
    fn run_suffix(&self, prefix: &Tensor, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        self.forward(prefix, context)
    }

    /// What another program needs to rebuild the layer.
    ///
    /// # Errors
    /// What libtorch refuses.
    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        let name = std::any::type_name::<Self>();
        // Without its path and its parameters.
        let name = name.split('<').next().unwrap_or(name);
        Ok(vec![LayerDescription::Own { type_name: name.rsplit("::").next().unwrap_or(name).to_owned() }])
    }
}

/// What of a layer is the same at every step of an input that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaticPart {
    /// Nothing: the layer has neurons at its start, or several branches.
    None,
    /// What [`Layer::static_prefix`] computes; [`Layer::run_suffix`] goes on.
    Prefix,
    /// The whole layer, which keeps nothing from one step to the next.
    Whole,
}
