//! A spiking transformer. Zhou et al., "Spikformer: When Spiking Neural Network Meets Transformer", ICLR
//! 2023.

use serde::{Deserialize, Serialize};
use tks_neuron::Neuron;

use super::{ArchitecturePlan, InputKind};
use crate::builder::{Builder, ConvPlan, WeightInit};
use crate::config::{Connect, config_error, in_range};
use crate::error::ModelError;
use crate::layers::{Join, SynapticLayer};

/// The sizes of a Spikformer. The defaults are those of Spikformer-4-384 for 32 x 32 images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpikformerConfig {
    /// Number of transformer blocks, 1 or above.
    pub depth: usize,
    /// Number of features of a token, `D`, a multiple of 8 and of `heads`.
    pub width: usize,
    /// Number of attention heads, 1 or above.
    pub heads: usize,
    /// Number of features in a block's hidden layer, in multiples of `width`, 1 or above.
    pub mlp_ratio: usize,
    /// Side of a token's patch in pixels: a power of two, 1 to 16. It determines how many of the four
    /// convolutions that produce tokens are followed by pooling, counted from the last.
    pub patch_size: usize,
}

impl Default for SpikformerConfig {
    fn default() -> Self {
        SpikformerConfig { depth: 4, width: 384, heads: 12, mlp_ratio: 4, patch_size: 4 }
    }
}

/// Number of convolutions that produce tokens.
const STAGES: usize = 4;

/// The scaling factor of the product of queries, keys and values.
const ATTENTION_SCALE: f64 = 0.125;

impl ArchitecturePlan for SpikformerConfig {
    fn weight_init(&self) -> WeightInit {
        WeightInit::Normal(0.02)
    }

    fn input(&self) -> InputKind {
        InputKind::SmallImages
    }

    fn check(&self) -> Result<(), ModelError> {
        in_range("depth", self.depth, 1, 1 << 10)?;
        in_range("width", self.width, 8, 1 << 14)?;
        in_range("heads", self.heads, 1, self.width)?;
        in_range("mlp_ratio", self.mlp_ratio, 1, 64)?;
        for (what, divisor) in [("8", 8), ("`heads`", self.heads)] {
            if !self.width.is_multiple_of(divisor) {
                return Err(config_error("width", format!("{} is not a multiple of {what}", self.width)));
            }
        }
        if !matches!(self.patch_size, 1 | 2 | 4 | 8 | 16) {
            let problem = format!("{} is out of range: 1, 2, 4, 8 or 16", self.patch_size);
            return Err(config_error("patch_size", problem));
        }
        Ok(())
    }

    fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
        self.push_patches(builder)?;
        for i in 0..self.depth {
            self.push_block(builder, &format!("blocks.{i}"))?;
        }
        builder.push_mean_of_tokens("mean")?;
        builder.push_classifier("head")
    }
}

impl SpikformerConfig {
    /// Four convolutions, the last ones with pooling, and a fifth with a shortcut, which encodes the tokens'
    /// positions.
    fn push_patches(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
        let pools = self.patch_size.trailing_zeros() as usize;
        for stage in 0..STAGES {
            let name = format!("patch_embed.stages.{stage}");
            let channels = self.width >> (STAGES - 1 - stage);
            if stage + pools < STAGES {
                push_conv(builder, &name, channels, true)?;
                continue;
            }
            push_conv(builder, &name, channels, false)?;
            builder.push_max_pool(&format!("{name}.pool"), [3, 2, 1])?;
            builder.push_neurons(&format!("{name}.neuron"))?;
        }
        push_beside_shortcut(builder, "patch_embed.positional_encoding", |builder, name| {
            push_conv(builder, name, self.width, true)
        })?;
        builder.push_tokens("patch_embed.tokens")
    }

    /// Attention, then two linear layers, each with a shortcut.
    fn push_block(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError> {
        let width = self.width;
        push_beside_shortcut(builder, &format!("{name}.attn"), |builder, name| {
            let qkv = format!("{name}.qkv_conv_bn");
            let neurons = format!("{name}.qkv_lif");
            builder.push_token_linear(&format!("{qkv}.0"), 3 * width, &format!("{qkv}.1"), &neurons)?;
            builder.push_attention(&format!("{name}.product"), self.heads, ATTENTION_SCALE)?;
            // The products are small, so their neurons have half the network's threshold.
            let neuron = builder.config().neuron;
            let neuron = Neuron { v_threshold: neuron.v_threshold / 2.0, ..neuron };
            let neurons = Some(builder.neurons_of(&format!("{name}.attn_lif"), neuron)?);
            builder.push(SynapticLayer { neurons, ..SynapticLayer::default() });
            let projection = format!("{name}.proj_conv_bn");
            let neurons = format!("{name}.proj_lif");
            builder.push_token_linear(&format!("{projection}.0"), width, &format!("{projection}.1"), &neurons)
        })?;
        push_beside_shortcut(builder, &format!("{name}.mlp"), |builder, name| {
            for (i, features) in [(1, self.mlp_ratio * width), (2, width)] {
                let (linear, norm) = (format!("{name}.fc{i}.0"), format!("{name}.fc{i}.1"));
                builder.push_token_linear(&linear, features, &norm, &format!("{name}.neuron{i}"))?;
            }
            Ok(())
        })
    }
}

/// A 3x3 convolution with batch norm, and neurons on request.
fn push_conv(builder: &mut Builder<'_>, name: &str, channels: usize, fires: bool) -> Result<(), ModelError> {
    let norm = format!("{name}.conv_bn.block.1");
    let neurons = format!("{name}.neuron");
    let plan = ConvPlan::three(channels, 1);
    let conv = format!("{name}.conv_bn.block.0");
    builder.push_conv(&conv, plan, Some((&norm, 1.0)), fires.then_some(neurons.as_str()))
}

fn push_beside_shortcut(
    builder: &mut Builder<'_>,
    name: &str,
    build: impl FnOnce(&mut Builder<'_>, &str) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    let input = builder.signal();
    let main = builder.branch(input, |builder| build(builder, name))?;
    let shortcut = builder.branch(input, |_| Ok(()))?;
    builder.push_residual(name, main, shortcut, Join::Connect(Connect::Add))
}
