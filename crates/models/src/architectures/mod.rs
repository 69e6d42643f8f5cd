//! The plans of the networks, each once.

mod resnet;
mod sequential;

use crate::builder::{Builder, ConvInit};
use crate::config::{Architecture, ConvConfig, LayerConfig, NetworkConfig, PoolConfig};
use crate::error::ModelError;

/// How the plan's peer starts the weights of convolutions.
pub(crate) fn conv_init(architecture: Architecture) -> ConvInit {
    match architecture {
        Architecture::SewResnet18
        | Architecture::SewResnet19
        | Architecture::SewResnet20
        | Architecture::SewResnet34
        | Architecture::SewResnet50
        | Architecture::SpikingResnet18
        | Architecture::SpikingResnet34 => ConvInit::KaimingFanOut,
        Architecture::VggSnn
        | Architecture::TdbnResnet19
        | Architecture::Small
        | Architecture::Sequential => ConvInit::Uniform,
    }
}

/// Builds the layers of a checked configuration.
pub(crate) fn build(builder: &mut Builder<'_>, config: &NetworkConfig) -> Result<(), ModelError> {
    let conv = |channels| LayerConfig::Conv(ConvConfig::new(channels));
    let pool = LayerConfig::AvgPool(PoolConfig { size: 2 });
    match config.architecture {
        Architecture::VggSnn => {
            let mut layers = Vec::new();
            for [first, second] in [[64, 128], [256, 256], [512, 512], [512, 512]] {
                layers.extend([conv(first), conv(second), pool.clone()]);
            }
            sequential::build(builder, &layers)
        }
        Architecture::Small => {
            let layers: Vec<_> =
                [1, 2, 4].into_iter().flat_map(|i| [conv(i * config.width), pool.clone()]).collect();
            sequential::build(builder, &layers)
        }
        Architecture::Sequential => sequential::build(builder, &config.layers),
        _ => resnet::build(builder, config.architecture),
    }
}
