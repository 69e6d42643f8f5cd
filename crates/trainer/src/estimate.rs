//! What a training will take, before it begins: memory by the network's shapes, time by a trial step.

use std::fmt;

use serde::Serialize;
use tks_models::{Execution, LayerKind, Summary};

use crate::display::duration;
use crate::environment::available_memory_mib;

/// What a training will take. Rough: for a plan, and to see a mistake before it costs a night.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Memory for parameters, gradients, the optimiser's moments, the moving average, in MiB.
    pub parameters_mib: f64,
    /// Memory for what the backward pass needs of a batch, in MiB.
    pub activations_mib: f64,
    /// Memory that is free now, in MiB, where the system tells.
    pub available_mib: Option<u64>,
    /// Samples a second in a trial step.
    pub throughput: f64,
    /// Seconds for what is left of the training, evaluations included.
    pub seconds: f64,
}

/// What of a training decides its memory.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Time steps.
    pub time_steps: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// Numbers kept of each parameter beside itself: gradient, moments, moving average.
    pub copies: usize,
}

const MIB: f64 = (1 << 20) as f64;

impl Estimate {
    /// For a network of this summary, at `throughput` samples a second.
    pub fn new(summary: &Summary, load: Load, execution: &Execution, throughput: f64, seconds: f64) -> Self {
        let parameters = summary.parameters();
        let sequence = (load.time_steps * load.batch) as f64;
        let bytes = if execution.bf16 { 2.0 } else { 4.0 };
        let outputs = summary.layers.iter().map(|layer| {
            let count: usize = layer.output.iter().product();
            count as f64 * if layer.kind == LayerKind::Neurons { 4.0 } else { bytes }
        });
        let outputs: Vec<f64> = outputs.collect();
        let all: f64 = outputs.iter().sum();
        // With checkpoints, the blocks' inputs are kept, and one block's inside at a time: about the largest three.
        let kept = if execution.checkpoint_blocks {
            let largest = outputs.iter().copied().fold(0.0, f64::max);
            (3.0 * largest).min(all) + all / 4.0
        } else {
            all
        };
        Estimate {
            parameters_mib: parameters as f64 * 4.0 * (1 + load.copies) as f64 / MIB,
            activations_mib: sequence * kept / MIB,
            available_mib: available_memory_mib(),
            throughput,
            seconds,
        }
    }

    /// Whether it will hardly fit into memory.
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
