//! Residual networks: SEW-ResNet, ResNet with threshold-dependent batch norm, Spiking ResNet.

use std::f64::consts::FRAC_1_SQRT_2;

use super::{ArchitecturePlan, InputKind};
use crate::builder::{Branch, Builder, ConvPlan, WeightInit};
use crate::error::ModelError;
use crate::layers::Join;
use crate::signal::Signal;

/// A peer's names for the neurons of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    /// The prefix before a number: `node1`, `sn1`.
    neurons: &'static str,
    /// The name after the shortcut.
    downsample: &'static str,
}

impl Names {
    pub(crate) const BRAINCOG: Names = Names { neurons: "node", downsample: "downsample_sn" };
    const SPIKINGJELLY: Names = Names { neurons: "sn", downsample: "downsample_sn" };
}

/// The blocks of a network's stages.
#[derive(Debug, Clone, Copy)]
enum Block {
    /// Fang et al., "Deep Residual Learning in Spiking Neural Networks", NeurIPS 2021.
    SewBasic,
    SewBottleneck,
    /// Spiking neurons instead of ReLUs.
    SpikingBasic,
    /// Zheng et al., "Going Deeper With Directly-Trained Larger Spiking Neural Networks", AAAI 2021.
    TdbnBasic,
}

/// The layers before the stages.
#[derive(Debug, Clone, Copy)]
enum Stem {
    /// A 3x3 convolution with this many channels.
    Small(usize),
    /// A 7x7 convolution and pooling, each with stride 2.
    Large,
}

/// A residual network.
#[derive(Debug)]
pub(super) struct ResNet {
    names: Names,
    stem: Stem,
    block: Block,
    /// Number of blocks in each stage.
    blocks: &'static [usize],
    /// Number of channels in the first stage; each later one has twice as many as the one before.
    channels: usize,
    /// Whether there is a hidden layer before the classifier.
    hidden: bool,
}

/// For small images, with BrainCog's names.
const SMALL: ResNet = ResNet {
    names: Names::BRAINCOG,
    stem: Stem::Small(64),
    block: Block::SewBasic,
    blocks: &[3, 3, 2],
    channels: 128,
    hidden: true,
};

/// For large images, with SpikingJelly's names.
const LARGE: ResNet = ResNet {
    names: Names::SPIKINGJELLY,
    stem: Stem::Large,
    block: Block::SewBasic,
    blocks: &[2, 2, 2, 2],
    channels: 64,
    hidden: false,
};

pub(super) const SEW_RESNET18: ResNet = LARGE;
pub(super) const SEW_RESNET19: ResNet = SMALL;
pub(super) const SEW_RESNET20: ResNet = ResNet { blocks: &[3, 3, 3], hidden: false, ..SMALL };
pub(super) const SEW_RESNET34: ResNet = ResNet { blocks: &[3, 4, 6, 3], ..LARGE };
pub(super) const SEW_RESNET50: ResNet =
    ResNet { block: Block::SewBottleneck, blocks: &[3, 4, 6, 3], ..LARGE };
pub(super) const TDBN_RESNET19: ResNet = ResNet { stem: Stem::Small(128), block: Block::TdbnBasic, ..SMALL };
pub(super) const SPIKING_RESNET18: ResNet = ResNet { block: Block::SpikingBasic, ..LARGE };
pub(super) const SPIKING_RESNET34: ResNet =
    ResNet { block: Block::SpikingBasic, blocks: &[3, 4, 6, 3], ..LARGE };

impl ArchitecturePlan for ResNet {
    fn weight_init(&self) -> WeightInit {
        match self.block {
            Block::TdbnBasic => WeightInit::Uniform,
            Block::SewBasic | Block::SewBottleneck | Block::SpikingBasic => WeightInit::KaimingFanOut,
        }
    }

    fn input(&self) -> InputKind {
        match self.stem {
            Stem::Small(_) => InputKind::SmallImages,
            Stem::Large => InputKind::LargeImages,
        }
    }

    fn has_sew_blocks(&self) -> bool {
        matches!(self.block, Block::SewBasic | Block::SewBottleneck)
    }

    fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
        self.push_stem(builder)?;
        for (stage, &count) in self.blocks.iter().enumerate() {
            for i in 0..count {
                let stride = if stage > 0 && i == 0 { 2 } else { 1 };
                self.push_block(builder, &format!("layer{}.{i}", stage + 1), self.channels << stage, stride)?;
            }
        }
        builder.push_global_avg_pool("avgpool")?;
        if !self.hidden {
            return builder.push_classifier("fc");
        }
        builder.push_linear("fc1", 256, Some("node2"))?;
        builder.push_classifier("fc2")
    }
}

impl ResNet {
    fn push_stem(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
        let start = match self.block {
            Block::TdbnBasic => builder.v_threshold() * FRAC_1_SQRT_2,
            _ => 1.0,
        };
        let plan = match self.stem {
            Stem::Small(channels) => ConvPlan::three(channels, 1),
            Stem::Large => ConvPlan::new(64, 7, 2),
        };
        builder.push_conv("conv1", plan, Some(("bn1", start)), Some(&format!("{}1", self.names.neurons)))?;
        match self.stem {
            Stem::Small(_) => Ok(()),
            Stem::Large => builder.push_max_pool("maxpool", [3, 2, 1]),
        }
    }

    fn push_block(
        &self,
        builder: &mut Builder<'_>,
        name: &str,
        channels: usize,
        stride: usize,
    ) -> Result<(), ModelError> {
        match self.block {
            Block::SewBasic => push_sew_basic(builder, name, channels, stride, self.names),
            Block::SewBottleneck => push_sew_bottleneck(builder, name, channels, stride),
            Block::SpikingBasic => push_spiking_basic(builder, name, channels, stride),
            Block::TdbnBasic => push_tdbn_basic(builder, name, channels, stride),
        }
    }
}

/// Convolutions, each with batch norm whose weight starts at the given number, and neurons; after the last
/// one, neurons only on request.
fn convolutions(
    builder: &mut Builder<'_>,
    name: &str,
    plans: &[(ConvPlan, f64)],
    names: Names,
    last_fires: bool,
) -> Result<Branch, ModelError> {
    builder.branch(builder.signal(), |builder| {
        for (i, &(plan, start)) in (1..).zip(plans) {
            let neurons = format!("{name}.{}{i}", names.neurons);
            let fires = last_fires || i < plans.len();
            let norm = format!("{name}.bn{i}");
            builder.push_conv(
                &format!("{name}.conv{i}"),
                plan,
                Some((&norm, start)),
                fires.then_some(neurons.as_str()),
            )?;
        }
        Ok(())
    })
}

/// A 1x1 convolution with batch norm if the shortcut has to change channels or size; otherwise nothing.
fn downsample(
    builder: &mut Builder<'_>,
    name: &str,
    (channels, stride): (usize, usize),
    start: f64,
    neurons: Option<&str>,
) -> Result<Branch, ModelError> {
    let input = builder.signal();
    builder.branch(input, |builder| {
        if stride == 1 && input.shape.channels() == channels {
            return Ok(());
        }
        let norm = format!("{name}.downsample.1");
        let neurons = neurons.map(|neurons| format!("{name}.{neurons}"));
        let plan = ConvPlan::one(channels, stride);
        builder.push_conv(&format!("{name}.downsample.0"), plan, Some((&norm, start)), neurons.as_deref())
    })
}

/// Pushes two branches whose sum is the input of neurons.
fn push_joined(
    builder: &mut Builder<'_>,
    name: &str,
    neurons: &str,
    main: Branch,
    shortcut: Branch,
) -> Result<(), ModelError> {
    let sum = Signal { spikes: false, ..main.output() };
    builder.set_signal(sum);
    let neurons = builder.neurons(&format!("{name}.{neurons}"))?;
    builder.push_residual(name, main, shortcut, Join::AddAndFire(Box::new(neurons)))
}

pub(crate) fn push_sew_basic(
    builder: &mut Builder<'_>,
    name: &str,
    channels: usize,
    stride: usize,
    names: Names,
) -> Result<(), ModelError> {
    let plans = [(ConvPlan::three(channels, stride), 1.0), (ConvPlan::three(channels, 1), 1.0)];
    push_sew(builder, name, &plans, channels, stride, names)
}

/// Bottleneck with the stride in its 3x3 convolution.
fn push_sew_bottleneck(
    builder: &mut Builder<'_>,
    name: &str,
    channels: usize,
    stride: usize,
) -> Result<(), ModelError> {
    let plans =
        [ConvPlan::one(channels, 1), ConvPlan::three(channels, stride), ConvPlan::one(4 * channels, 1)];
    push_sew(builder, name, &plans.map(|plan| (plan, 1.0)), 4 * channels, stride, Names::SPIKINGJELLY)
}

fn push_sew(
    builder: &mut Builder<'_>,
    name: &str,
    plans: &[(ConvPlan, f64)],
    channels: usize,
    stride: usize,
    names: Names,
) -> Result<(), ModelError> {
    let main = convolutions(builder, name, plans, names, true)?;
    let shortcut = downsample(builder, name, (channels, stride), 1.0, Some(names.downsample))?;
    let join = Join::Connect(builder.connect());
    builder.push_residual(name, main, shortcut, join)
}

/// The shortcut's current is added before the last neurons fire.
fn push_spiking_basic(
    builder: &mut Builder<'_>,
    name: &str,
    channels: usize,
    stride: usize,
) -> Result<(), ModelError> {
    let plans = [(ConvPlan::three(channels, stride), 1.0), (ConvPlan::three(channels, 1), 1.0)];
    let main = convolutions(builder, name, &plans, Names::SPIKINGJELLY, false)?;
    let shortcut = downsample(builder, name, (channels, stride), 1.0, None)?;
    push_joined(builder, name, "sn2", main, shortcut)
}

/// Like [`push_spiking_basic`], with batch norm weights set by the threshold; the first block of a stage has
/// batch norm in its shortcut even if the size does not change.
fn push_tdbn_basic(
    builder: &mut Builder<'_>,
    name: &str,
    channels: usize,
    stride: usize,
) -> Result<(), ModelError> {
    let threshold = builder.v_threshold();
    let half = threshold * FRAC_1_SQRT_2;
    let plans = [(ConvPlan::three(channels, stride), threshold), (ConvPlan::three(channels, 1), half)];
    let main = convolutions(builder, name, &plans, Names::BRAINCOG, false)?;
    let mut shortcut = downsample(builder, name, (channels, stride), half, None)?;
    if shortcut.is_empty() && name.ends_with(".0") {
        shortcut = builder.branch(builder.signal(), |builder| {
            builder.push_batch_norm(&format!("{name}.downsample.0"), half)
        })?;
    }
    push_joined(builder, name, "node2", main, shortcut)
}
