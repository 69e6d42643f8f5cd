//! Residual networks: SEW-ResNet, ResNet with threshold-dependent batch norm, Spiking ResNet.

use std::f64::consts::FRAC_1_SQRT_2;

use crate::builder::{Builder, ConvPlan, Signal};
use crate::config::Architecture;
use crate::error::ModelError;
use crate::layer::Join;
use crate::unit::Unit;

/// What a peer calls the neurons of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// Before a number: `node1`, `sn1`.
    neurons: &'static str,
    /// After the shortcut.
    downsample: &'static str,
}

impl Names {
    pub(super) const BRAINCOG: Names = Names { neurons: "node", downsample: "downsample_sn" };
    const SPIKINGJELLY: Names = Names { neurons: "sn", downsample: "downsample_sn" };
}

pub(super) fn build(builder: &mut Builder<'_>, architecture: Architecture) -> Result<(), ModelError> {
    match architecture {
        Architecture::SewResnet19 => {
            stem(builder, ConvPlan::three(64, 1), Names::BRAINCOG, 1.0)?;
            stages(builder, &[3, 3, 2], 128, |builder, name, channels, stride| {
                sew_basic(builder, name, channels, stride, Names::BRAINCOG)
            })?;
            two_layer_head(builder)
        }
        Architecture::SewResnet20 => {
            stem(builder, ConvPlan::three(64, 1), Names::BRAINCOG, 1.0)?;
            stages(builder, &[3, 3, 3], 128, |builder, name, channels, stride| {
                sew_basic(builder, name, channels, stride, Names::BRAINCOG)
            })?;
            head(builder)
        }
        Architecture::TdbnResnet19 => {
            let threshold = builder.v_threshold();
            stem(builder, ConvPlan::three(128, 1), Names::BRAINCOG, threshold * FRAC_1_SQRT_2)?;
            stages(builder, &[3, 3, 2], 128, tdbn_basic)?;
            two_layer_head(builder)
        }
        _ => {
            stem(builder, ConvPlan { out: 64, kernel: 7, stride: 2, padding: 3 }, Names::SPIKINGJELLY, 1.0)?;
            builder.push_max_pool("maxpool", [3, 2, 1])?;
            let blocks: &[usize] = match architecture {
                Architecture::SewResnet18 | Architecture::SpikingResnet18 => &[2, 2, 2, 2],
                _ => &[3, 4, 6, 3],
            };
            match architecture {
                Architecture::SpikingResnet18 | Architecture::SpikingResnet34 => {
                    stages(builder, blocks, 64, spiking_basic)?;
                }
                Architecture::SewResnet50 => stages(builder, blocks, 64, sew_bottleneck)?,
                _ => stages(builder, blocks, 64, |builder, name, channels, stride| {
                    sew_basic(builder, name, channels, stride, Names::SPIKINGJELLY)
                })?,
            }
            head(builder)
        }
    }
}

/// The first convolution; its batch norm's weight starts at `start`.
fn stem(builder: &mut Builder<'_>, plan: ConvPlan, names: Names, start: f64) -> Result<(), ModelError> {
    let unit =
        builder.conv_unit("conv1", plan, Some(("bn1", start)), Some(&format!("{}1", names.neurons)))?;
    builder.push_unit(unit);
    Ok(())
}

/// Stages of so many blocks each: the channels double and the picture halves from one to the next.
fn stages<F>(builder: &mut Builder<'_>, blocks: &[usize], channels: usize, block: F) -> Result<(), ModelError>
where
    F: Fn(&mut Builder<'_>, &str, usize, usize) -> Result<(), ModelError>,
{
    for (stage, &count) in blocks.iter().enumerate() {
        for i in 0..count {
            let stride = if stage > 0 && i == 0 { 2 } else { 1 };
            block(builder, &format!("layer{}.{i}", stage + 1), channels << stage, stride)?;
        }
    }
    Ok(())
}

fn head(builder: &mut Builder<'_>) -> Result<(), ModelError> {
    builder.push_global_avg_pool("avgpool")?;
    builder.push_classifier("fc")
}

fn two_layer_head(builder: &mut Builder<'_>) -> Result<(), ModelError> {
    builder.push_global_avg_pool("avgpool")?;
    builder.push_linear("fc1", 256, Some("node2"))?;
    builder.push_classifier("fc2")
}

/// The units of a branch: convolutions by their plans, each with batch norm whose weight starts at the number, and neurons, the last one's
/// only on request.
fn branch(
    builder: &mut Builder<'_>,
    name: &str,
    plans: &[(ConvPlan, f64)],
    names: Names,
    last_fires: bool,
) -> Result<Vec<Unit>, ModelError> {
    let mut units = Vec::new();
    for (i, &(plan, start)) in (1..).zip(plans) {
        let neurons = format!("{name}.{}{i}", names.neurons);
        let fires = last_fires || i < plans.len();
        let norm = format!("{name}.bn{i}");
        units.push(builder.conv_unit(
            &format!("{name}.conv{i}"),
            plan,
            Some((&norm, start)),
            fires.then_some(neurons.as_str()),
        )?);
    }
    Ok(units)
}

/// A 1x1 convolution with batch norm where the shortcut has to change channels or size.
fn downsample(
    builder: &mut Builder<'_>,
    name: &str,
    input: &Signal,
    (channels, stride): (usize, usize),
    start: f64,
    neurons: Option<&str>,
) -> Result<Option<Unit>, ModelError> {
    if stride == 1 && input.shape[0] == channels {
        return Ok(None);
    }
    builder.signal.clone_from(input);
    let norm = format!("{name}.downsample.1");
    let neurons = neurons.map(|neurons| format!("{name}.{neurons}"));
    let plan = ConvPlan::one(channels, stride);
    let unit =
        builder.conv_unit(&format!("{name}.downsample.0"), plan, Some((&norm, start)), neurons.as_deref())?;
    Ok(Some(unit))
}

pub(super) fn sew_basic(
    builder: &mut Builder<'_>,
    name: &str,
    channels: usize,
    stride: usize,
    names: Names,
) -> Result<(), ModelError> {
    let plans = [(ConvPlan::three(channels, stride), 1.0), (ConvPlan::three(channels, 1), 1.0)];
    sew(builder, name, &plans, channels, stride, names)
}

/// Bottleneck with the stride in its 3x3 convolution.
fn sew_bottleneck(
    builder: &mut Builder<'_>,
    name: &str,
    channels: usize,
    stride: usize,
) -> Result<(), ModelError> {
    let plans =
        [ConvPlan::one(channels, 1), ConvPlan::three(channels, stride), ConvPlan::one(4 * channels, 1)];
    sew(builder, name, &plans.map(|plan| (plan, 1.0)), 4 * channels, stride, Names::SPIKINGJELLY)
}

fn sew(
    builder: &mut Builder<'_>,
    name: &str,
    plans: &[(ConvPlan, f64)],
    channels: usize,
    stride: usize,
    names: Names,
) -> Result<(), ModelError> {
    let input = builder.signal.clone();
    let main = branch(builder, name, plans, names, true)?;
    let shortcut = downsample(builder, name, &input, (channels, stride), 1.0, Some(names.downsample))?;
    let join = Join::Spikes(builder.connect());
    builder.push_block(main, shortcut, join);
    Ok(())
}

/// The shortcut's current is added before the last neurons fire.
fn spiking_basic(
    builder: &mut Builder<'_>,
    name: &str,
    channels: usize,
    stride: usize,
) -> Result<(), ModelError> {
    let input = builder.signal.clone();
    let plans = [(ConvPlan::three(channels, stride), 1.0), (ConvPlan::three(channels, 1), 1.0)];
    let main = branch(builder, name, &plans, Names::SPIKINGJELLY, false)?;
    let shortcut = downsample(builder, name, &input, (channels, stride), 1.0, None)?;
    let neurons = builder.neurons(&format!("{name}.sn2"))?;
    builder.push_block(main, shortcut, Join::Currents(neurons));
    Ok(())
}

/// As [`spiking_basic`], with batch norm's weights by the threshold; the first block of a stage has batch norm in its shortcut also
/// where the size stays.
fn tdbn_basic(
    builder: &mut Builder<'_>,
    name: &str,
    channels: usize,
    stride: usize,
) -> Result<(), ModelError> {
    let threshold = builder.v_threshold();
    let half = threshold * FRAC_1_SQRT_2;
    let input = builder.signal.clone();
    let plans = [(ConvPlan::three(channels, stride), threshold), (ConvPlan::three(channels, 1), half)];
    let main = branch(builder, name, &plans, Names::BRAINCOG, false)?;
    let mut shortcut = downsample(builder, name, &input, (channels, stride), half, None)?;
    if shortcut.is_none() && name.ends_with(".0") {
        builder.signal = input;
        let norm = builder.norm(&format!("{name}.downsample.0"), half)?;
        shortcut = Some(Unit { synapse: None, norm: Some(norm), neurons: None });
    }
    let neurons = builder.neurons(&format!("{name}.node2"))?;
    builder.push_block(main, shortcut, Join::Currents(neurons));
    Ok(())
}
