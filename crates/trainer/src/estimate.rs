//! An estimate of the requirements of a training before it begins: memory from the network's shapes, time
//! from a trial step.

use std::fmt;

use serde::Serialize;
use tks_models::{Execution, LayerKind, LayerSummary, Summary};

use crate::display::duration;
use crate::environment::available_memory_mib;

/// An estimate of the requirements of a training. It is rough: for planning, and for noticing a mistake
/// early.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Memory for parameters, gradients, optimiser moments and moving average, in MiB.
    pub parameters_mib: f64,
    /// Memory for the data that the backward pass needs from a batch, in MiB.
    pub activations_mib: f64,
    /// Currently available memory in MiB, if the system provides it.
    pub available_mib: Option<u64>,
    /// Samples per second in a trial step.
    pub throughput: f64,
    /// Remaining seconds of the training, including evaluations.
    pub seconds: f64,
}

/// The settings of a training that determine its memory use.
#[derive(Debug, Clone, Copy)]
pub struct MemoryInputs {
    /// Number of time steps.
    pub time_steps: usize,
    /// Number of samples in a batch.
    pub batch: usize,
    /// Number of copies kept of each parameter: gradient, moments, moving average.
    pub copies: usize,
    /// Whether it runs on the CPU, where batch norm and neurons are one operation that keeps only its input,
    /// and spikes are kept as bits.
    pub on_cpu: bool,
}

const MIB: f64 = (1 << 20) as f64;

/// Number of values in a layer's output for one sample at one step.
fn values(layer: &LayerSummary) -> f64 {
    layer.output.iter().product::<usize>() as f64
}

/// Bytes of a layer's output, for one sample at one step, that the following layers keep until the backward
/// pass.
fn kept_bytes(layer: &LayerSummary, on_cpu: bool, bf16: bool) -> f64 {
    let weighed = if bf16 { 2.0 } else { 4.0 };
    let each = match layer.kind {
        LayerKind::Convolution | LayerKind::Linear => weighed,
        LayerKind::BatchNorm if on_cpu => 0.0,
        LayerKind::Neurons if on_cpu => 1.0 / 8.0,
        LayerKind::BatchNorm => 4.0,
        // Queries, keys, values and a product in f32, each as large as the output.
        LayerKind::Attention => 16.0,
        // The indices of the maxima, 64-bit integers.
        LayerKind::MaxPool => 8.0 + weighed,
        _ => weighed,
    };
    values(layer) * each
}

/// Bytes of the gradients and their `f32` copies that exist at the same time when the backward pass goes
/// through a layer's neurons.
fn gradient_bytes(layer: &LayerSummary, bf16: bool) -> f64 {
    match layer.kind {
        LayerKind::Neurons => values(layer) * if bf16 { 12.0 } else { 8.0 },
        _ => 0.0,
    }
}

impl Estimate {
    /// The estimate for a network with this summary, at `throughput` samples per second.
    pub fn new(
        summary: &Summary,
        load: MemoryInputs,
        execution: &Execution,
        throughput: f64,
        seconds: f64,
    ) -> Self {
        let parameters = summary.parameters();
        let sequence = (load.time_steps * load.batch) as f64;
        let largest = summary.layers.iter().map(values).fold(0.0, f64::max);
        // In the backward pass, a layer's gradients are added to what is still kept of the layers before it.
        let (mut kept, mut peak) = (0.0, 0.0f64);
        for layer in &summary.layers {
            kept += kept_bytes(layer, load.on_cpu, execution.bf16);
            peak = peak.max(kept + gradient_bytes(layer, execution.bf16));
        }
        if execution.checkpoint_blocks {
            // The inputs of the blocks are kept, and the inside of one block at a time: about the three
            // largest layers.
            peak = peak.min(12.0 * largest + kept / 4.0);
        }
        Estimate {
            parameters_mib: parameters as f64 * 4.0 * (1 + load.copies) as f64 / MIB,
            activations_mib: sequence * peak / MIB,
            available_mib: available_memory_mib(),
            throughput,
            seconds,
        }
    }

    /// Whether it is unlikely to fit into memory.
    pub fn is_too_large(&self) -> bool {
        self.available_mib
            .is_some_and(|available| self.parameters_mib + self.activations_mib > available as f64)
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "estimate: {:.0} MiB for weights and optimiser, {:.0} MiB for a batch",
            self.parameters_mib, self.activations_mib
        )?;
        if let Some(available) = self.available_mib {
            write!(formatter, " ({available} MiB are free)")?;
        }
        write!(formatter, "; {:.0} samples/s, {} in all", self.throughput, duration(self.seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(kind: LayerKind, output: &[usize]) -> LayerSummary {
        LayerSummary {
            name: "layer".into(),
            kind,
            input: Vec::new(),
            output: output.to_vec(),
            parameters: 0,
            macs: 0,
            spiking_input: false,
            is_static: false,
        }
    }

    fn activations(load: MemoryInputs, execution: Execution) -> f64 {
        let unit = |size: &'static [usize]| {
            [LayerKind::Convolution, LayerKind::BatchNorm, LayerKind::Neurons].map(|kind| layer(kind, size))
        };
        let mut layers = unit(&[16, 8, 8]).to_vec();
        layers.push(layer(LayerKind::AvgPool, &[16, 4, 4]));
        layers.extend(unit(&[32, 4, 4]));
        let estimate = Estimate::new(&Summary { layers }, load, &execution, 1.0, 1.0);
        estimate.activations_mib * MIB
    }

    #[test]
    fn what_is_kept_and_the_gradients_beside_it_are_counted() {
        let load = MemoryInputs { time_steps: 3, batch: 2, copies: 4, on_cpu: true };
        // The first layer: its input to batch norm and neurons, its spikes as bits; then two gradients of its
        // size.
        let first = 1024.0 * (4.0 + 0.125 + 8.0);
        assert_eq!(activations(load, Execution::default()), 6.0 * first);
        // If more is kept, the last layer determines the peak.
        let on_gpu = MemoryInputs { on_cpu: false, ..load };
        let last = 1024.0 * 12.0 + 256.0 * 4.0 + 512.0 * (12.0 + 8.0);
        assert_eq!(activations(on_gpu, Execution::default()), 6.0 * last);
        let half = Execution { bf16: true, ..Execution::default() };
        assert_eq!(activations(load, half), 6.0 * 1024.0 * (2.0 + 0.125 + 12.0));
        // The largest layer three times, and a quarter of what would otherwise be kept.
        let blocks = Execution { checkpoint_blocks: true, ..Execution::default() };
        let kept = 1024.0 * 12.0 + 256.0 * 4.0 + 512.0 * 12.0;
        assert_eq!(activations(on_gpu, blocks), 6.0 * (12.0 * 1024.0 + kept / 4.0));
    }
}
