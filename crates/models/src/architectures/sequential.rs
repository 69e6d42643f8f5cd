//! Networks whose layers stand one after the other. Names as BrainCog's VGG-SNN: `feature.0.conv`, `feature.0.bn`,
//! `feature.0.node`, and `fc.1`, the classifier.

use super::resnet::{Names, sew_basic};
use crate::builder::{Builder, ConvPlan};
use crate::config::{LayerConfig, PoolConfig};
use crate::error::ModelError;

pub(super) fn build(builder: &mut Builder<'_>, layers: &[LayerConfig]) -> Result<(), ModelError> {
    for (i, layer) in layers.iter().enumerate() {
        let name = format!("feature.{i}");
        match *layer {
            LayerConfig::Conv(conv) => {
                let plan = ConvPlan {
                    out: conv.channels,
                    kernel: conv.kernel,
                    stride: conv.stride,
                    padding: conv.padding(),
                };
                let norm = format!("{name}.bn");
                let norm = conv.batch_norm.then_some((norm.as_str(), 1.0));
                let neurons = format!("{name}.node");
                let unit = builder.conv_unit(&format!("{name}.conv"), plan, norm, Some(&neurons))?;
                builder.push_unit(unit);
            }
            LayerConfig::SewBlock(block) => {
                sew_basic(builder, &name, block.channels, block.stride, Names::BRAINCOG)?;
            }
            LayerConfig::AvgPool(PoolConfig { size }) => builder.push_avg_pool(&name, size)?,
            LayerConfig::MaxPool(PoolConfig { size }) => builder.push_max_pool(&name, [size, size, 0])?,
            LayerConfig::GlobalAvgPool => builder.push_global_avg_pool(&name)?,
            LayerConfig::Flatten => builder.push_flatten(),
            LayerConfig::Linear(linear) => {
                builder.push_flatten();
                builder.push_linear(
                    &format!("{name}.linear"),
                    linear.features,
                    Some(&format!("{name}.node")),
                )?;
            }
            LayerConfig::Dropout(dropout) => builder.push_dropout(dropout.rate),
        }
    }
    builder.push_flatten();
    builder.push_classifier("fc.1")
}
