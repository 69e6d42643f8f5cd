//! Convolution, batch norm and neurons.

use serde::{Deserialize, Serialize};
use tks_neuron::Neuron;

use super::{LayerPlan, check_neuron, one};
use crate::builder::{Builder, ConvPlan};
use crate::config::{check_size, config_error};
use crate::error::ModelError;
use crate::layers::SynapticLayer;

/// See [`LayerConfig::Conv`](crate::LayerConfig::Conv).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvConfig {
    /// Number of output channels, 1 or above.
    pub channels: usize,
    /// Height and width of the kernel, 1 or above.
    #[serde(default = "three")]
    pub kernel: usize,
    /// Vertical and horizontal stride, 1 or above.
    #[serde(default = "one")]
    pub stride: usize,
    /// Zero padding on each side, less than the reach of the kernel; left out: `dilation * (kernel - 1) / 2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<usize>,
    /// Distance in pixels between adjacent taps of the kernel, 1 or above.
    #[serde(default = "one")]
    pub dilation: usize,
    /// Number of channel groups that are convolved separately, 1 or above. It must divide the numbers of
    /// input and output channels. As many groups as input channels make a depthwise convolution. Grouped and
    /// dilated convolutions are computed by libtorch.
    #[serde(default = "one")]
    pub groups: usize,
    /// Whether there is batch norm between convolution and neurons; without it, the convolution has a bias.
    #[serde(default = "yes")]
    pub batch_norm: bool,
    /// The neurons of this layer; left out: the network's. Fields left out have the values of
    /// [`Neuron::default`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neuron: Option<Neuron>,
}

impl ConvConfig {
    /// A 3x3 convolution with batch norm that preserves height and width.
    pub fn new(channels: usize) -> Self {
        ConvConfig {
            channels,
            kernel: 3,
            stride: 1,
            padding: None,
            dilation: 1,
            groups: 1,
            batch_norm: true,
            neuron: None,
        }
    }

    fn plan(&self) -> ConvPlan {
        let ConvConfig { channels: out, kernel, stride, dilation, groups, .. } = *self;
        let padding = self.padding.unwrap_or(dilation * kernel.saturating_sub(1) / 2);
        ConvPlan { out, kernel, stride, padding, dilation, groups }
    }
}

fn three() -> usize {
    3
}

fn yes() -> bool {
    true
}

impl LayerPlan for ConvConfig {
    fn check(&self) -> Result<(), ModelError> {
        check_size("channels", self.channels)?;
        check_size("kernel", self.kernel)?;
        check_size("stride", self.stride)?;
        check_size("dilation", self.dilation)?;
        check_size("groups", self.groups)?;
        let plan = self.plan();
        if plan.padding >= plan.reach() {
            let problem = format!("{} is not less than the kernel, {}", plan.padding, plan.reach());
            return Err(config_error("padding", problem));
        }
        if !self.channels.is_multiple_of(self.groups) {
            let problem = format!("{} does not divide the {} `channels`", self.groups, self.channels);
            return Err(config_error("groups", problem));
        }
        check_neuron(self.neuron.as_ref())
    }

    fn build(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError> {
        let synapse = Some(builder.conv(&format!("{name}.conv"), self.plan(), !self.batch_norm)?);
        let norm = if self.batch_norm { Some(builder.batch_norm(&format!("{name}.bn"), 1.0)?) } else { None };
        let neuron = self.neuron.unwrap_or(builder.config().neuron);
        let neurons = Some(builder.neurons_of(&format!("{name}.node"), neuron)?);
        builder.push(SynapticLayer { synapse, norm, neurons });
        Ok(())
    }
}
