//! MS-ResNet: residual networks whose shortcuts carry membrane potentials. Hu et al., "Advancing Spiking
//! Neural Networks Toward Deep Residual Learning", IEEE TNNLS 2024 (arXiv 2112.08954).

use serde::{Deserialize, Serialize};

use super::{ArchitecturePlan, InputKind};
use crate::builder::{Builder, ConvPlan};
use crate::config::{Connect, config_error, in_range};
use crate::error::ModelError;
use crate::layers::Join;

/// The sizes of an MS-ResNet. The defaults are those of MS-ResNet-18 for large images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MsResnetConfig {
    /// Number of blocks in each stage; 1 to 8 stages with 1 block or more.
    pub blocks: Vec<usize>,
    /// Number of channels in each stage; one number per stage.
    pub channels: Vec<usize>,
    /// Number of channels of the first convolution, 1 or above.
    pub stem_channels: usize,
    /// Height and width of the first convolution's kernel, an odd number.
    pub stem_kernel: usize,
    /// Stride of the first convolution, 1 or above.
    pub stem_stride: usize,
    /// Stride of the first stage, 1 or above. That of the others is 2.
    pub first_stride: usize,
}

impl Default for MsResnetConfig {
    fn default() -> Self {
        MsResnetConfig {
            blocks: vec![2, 2, 2, 2],
            channels: vec![64, 128, 256, 512],
            stem_channels: 64,
            stem_kernel: 7,
            stem_stride: 2,
            first_stride: 2,
        }
    }
}

impl ArchitecturePlan for MsResnetConfig {
    fn input(&self) -> InputKind {
        InputKind::LargeImages
    }

    fn check(&self) -> Result<(), ModelError> {
        in_range("blocks", self.blocks.len(), 1, 8)?;
        for (name, sizes) in [("blocks", &self.blocks), ("channels", &self.channels)] {
            sizes.iter().try_for_each(|&size| in_range(name, size, 1, 1 << 12))?;
        }
        if self.channels.len() != self.blocks.len() {
            let problem =
                format!("has {} numbers, but `blocks` has {}", self.channels.len(), self.blocks.len());
            return Err(config_error("channels", problem));
        }
        in_range("stem_channels", self.stem_channels, 1, 1 << 12)?;
        in_range("stem_kernel", self.stem_kernel, 1, 63)?;
        if self.stem_kernel.is_multiple_of(2) {
            return Err(config_error("stem_kernel", format!("{} is not an odd number", self.stem_kernel)));
        }
        in_range("stem_stride", self.stem_stride, 1, 64)?;
        in_range("first_stride", self.first_stride, 1, 64)
    }

    fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
        // Batch norm's weights start at the threshold (Zheng et al., 2021).
        let threshold = builder.v_threshold();
        let stem = ConvPlan::new(self.stem_channels, self.stem_kernel, self.stem_stride);
        builder.push_conv("stem.0", stem, Some(("stem.1", threshold)), None)?;
        for (stage, (&count, &channels)) in self.blocks.iter().zip(&self.channels).enumerate() {
            for i in 0..count {
                let stride = match (stage, i) {
                    (0, 0) => self.first_stride,
                    (_, 0) => 2,
                    _ => 1,
                };
                push_block(builder, &format!("layer{}.{i}", stage + 1), channels, stride)?;
            }
        }
        builder.push_neurons("head_lif")?;
        builder.push_global_avg_pool("avgpool")?;
        builder.push_classifier("head")
    }
}

/// Neurons precede each convolution, so that the shortcut contains none: membrane potentials are added to
/// membrane potentials. The last batch norm's weight starts at 0, so that the block initially equals its
/// shortcut.
fn push_block(
    builder: &mut Builder<'_>,
    name: &str,
    channels: usize,
    stride: usize,
) -> Result<(), ModelError> {
    let threshold = builder.v_threshold();
    let input = builder.signal();
    let main = builder.branch(input, |builder| {
        for (i, stride, start) in [(1, stride, threshold), (2, 1, 0.0)] {
            builder.push_neurons(&format!("{name}.spike{i}"))?;
            let norm = format!("{name}.bn{i}");
            let plan = ConvPlan::three(channels, stride);
            builder.push_conv(&format!("{name}.conv{i}"), plan, Some((&norm, start)), None)?;
        }
        Ok(())
    })?;
    let shortcut = builder.branch(input, |builder| {
        if stride == 1 && input.shape.channels() == channels {
            return Ok(());
        }
        let norm = format!("{name}.downsample.1");
        let plan = ConvPlan::one(channels, stride);
        builder.push_conv(&format!("{name}.downsample.0"), plan, Some((&norm, threshold)), None)
    })?;
    builder.push_residual(name, main, shortcut, Join::Connect(Connect::Add))
}
