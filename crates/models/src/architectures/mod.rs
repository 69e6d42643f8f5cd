//! The plans of the networks, each defined once, using only the public [`Builder`].

mod feed_forward;
mod ms_resnet;
mod resnet;
mod sequential;
mod spikformer;

use std::fmt::Debug;

use tch::nn;

use crate::architecture::Architecture;
use crate::builder::{Builder, WeightInit};
use crate::config::{InputShape, NetworkConfig};
use crate::error::ModelError;
use crate::model::SpikingModel;

pub use ms_resnet::MsResnetConfig;
pub(crate) use resnet::{Names, push_sew_basic};
pub use spikformer::SpikformerConfig;

/// The plan behind an architecture's name: how the network is built.
///
/// It is implemented by functions of a [`Builder`], and can be implemented by a type with parameters, which a
/// configuration can then set:
///
/// ```
/// use serde::Deserialize;
/// use tks_models::{Architecture, ArchitecturePlan, Builder, ModelError, NetworkConfig};
///
/// #[derive(Debug, Deserialize)]
/// #[serde(default, deny_unknown_fields)]
/// struct Stack {
///     depth: usize,
/// }
///
/// impl Default for Stack {
///     fn default() -> Self {
///         Stack { depth: 2 }
///     }
/// }
///
/// impl ArchitecturePlan for Stack {
///     fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
///         builder.push_flatten();
///         for i in 0..self.depth {
///             builder.push_linear(&format!("layer{i}"), 32, Some(&format!("layer{i}.neurons")))?;
///         }
///         builder.push_classifier("head")
///     }
/// }
///
/// Architecture::register_with::<Stack>("stack")?;
/// let config: NetworkConfig = toml::from_str("architecture = { stack = { depth = 3 } }")?;
/// assert_eq!(config.architecture.name(), "stack");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ArchitecturePlan: Debug + Send + Sync {
    /// The initialisation of weights. Default: as in torch.
    fn weight_init(&self) -> WeightInit {
        WeightInit::Uniform
    }

    /// The input for which the network is designed; any other input that its layers accept is allowed too.
    fn input(&self) -> InputKind {
        InputKind::Any
    }

    /// Whether it has SEW blocks, to which `connect` applies.
    fn has_sew_blocks(&self) -> bool {
        false
    }

    /// Checks the parameters on their own.
    ///
    /// # Errors
    /// [`ModelError::Config`] with the parameter as its field.
    fn check(&self) -> Result<(), ModelError> {
        Ok(())
    }

    /// Builds the layers, including the classifier, starting from the builder's signal, the input.
    ///
    /// # Errors
    /// A layer that does not fit its input.
    fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError>;

    /// Creates a model that does not consist of layers in sequence, for inputs of this shape, with its
    /// tensors under `path`. Default: `None`, which means a [`crate::Network`] of the layers pushed by
    /// [`Self::build`].
    ///
    /// # Errors
    /// The reason why it cannot be created.
    fn model(
        &self,
        _path: &nn::Path<'_>,
        _config: &NetworkConfig,
        _input: InputShape,
    ) -> Result<Option<Box<dyn SpikingModel>>, ModelError> {
        Ok(None)
    }
}

impl ArchitecturePlan for fn(&mut Builder<'_>) -> Result<(), ModelError> {
    fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
        self(builder)
    }
}

/// The input for which a network is designed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputKind {
    /// Anything that its layers accept.
    Any,
    /// Frames of events, about 48 x 48.
    EventFrames,
    /// Images of about 32 x 32.
    SmallImages,
    /// Images of about 224 x 224.
    LargeImages,
}

/// The plans of the built-in architectures.
pub(crate) fn plan(architecture: &Architecture) -> &dyn ArchitecturePlan {
    match architecture {
        Architecture::VggSnn => &feed_forward::VggSnn,
        Architecture::SewResnet18 => &resnet::SEW_RESNET18,
        Architecture::SewResnet19 => &resnet::SEW_RESNET19,
        Architecture::SewResnet20 => &resnet::SEW_RESNET20,
        Architecture::SewResnet34 => &resnet::SEW_RESNET34,
        Architecture::SewResnet50 => &resnet::SEW_RESNET50,
        Architecture::TdbnResnet19 => &resnet::TDBN_RESNET19,
        Architecture::SpikingResnet18 => &resnet::SPIKING_RESNET18,
        Architecture::SpikingResnet34 => &resnet::SPIKING_RESNET34,
        Architecture::MsResnet18(config) => config,
        Architecture::Spikformer(config) => config,
        Architecture::Small => &feed_forward::Small,
        Architecture::Sequential => &sequential::Sequential,
        Architecture::Own(own) => own.plan(),
    }
}
