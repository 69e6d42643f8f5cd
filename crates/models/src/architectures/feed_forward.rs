//! Convolutions and pooling in sequence.

use super::{ArchitecturePlan, InputKind};
use crate::builder::Builder;
use crate::error::ModelError;
use crate::sequential::{AvgPoolConfig, ConvConfig, LayerConfig, build};

/// BrainCog's VGG-SNN.
#[derive(Debug)]
pub(super) struct VggSnn;

impl ArchitecturePlan for VggSnn {
    fn input(&self) -> InputKind {
        InputKind::EventFrames
    }

    fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
        let mut layers = Vec::new();
        for [first, second] in [[64, 128], [256, 256], [512, 512], [512, 512]] {
            layers.extend([conv(first), conv(second), pool()]);
        }
        build(builder, &layers)
    }
}

/// Three convolutions sized by the configuration's `width`.
#[derive(Debug)]
pub(super) struct Small;

impl ArchitecturePlan for Small {
    fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
        let width = builder.config().width;
        let layers: Vec<_> = [1, 2, 4].into_iter().flat_map(|i| [conv(i * width), pool()]).collect();
        build(builder, &layers)
    }
}

fn conv(channels: usize) -> LayerConfig {
    LayerConfig::Conv(ConvConfig::new(channels))
}

fn pool() -> LayerConfig {
    LayerConfig::AvgPool(AvgPoolConfig { size: 2 })
}
