//! A trial step before a training begins, to measure the speed of this network on this machine.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use tch::Device;
use tks_autograd::clear_grad;
use tks_data::{Loader, LoaderConfig};
use tks_loss::Progress;

use super::Trainer;
use crate::config::OptimizerName;
use crate::data::{TensorBatch, first};
use crate::ema::Ema;
use crate::estimate::{Estimate, MemoryInputs};

/// Number of samples in a trial step: enough for the kernels' usual speed.
const SAMPLES: usize = 16;

/// An evaluation takes about a third of the time of a training step: there is no backward pass.
const FORWARD_SHARE: f64 = 1.0 / 3.0;

impl Trainer {
    /// Makes two trial steps without changing anything, and estimates the whole training.
    pub(super) fn estimate(&self) -> Result<Estimate> {
        let throughput = self.trial()?;
        let config = &self.config;
        let epochs = (config.training.epochs - self.position.epoch) as f64;
        let batches = self.data.train.batches() * config.training.batch_size;
        let tests = self.data.test.len() as f64 / config.evaluation.every_epochs as f64 * FORWARD_SHARE;
        let seconds = epochs * (batches as f64 + tests) / throughput;
        let moments = match config.optimizer.name {
            OptimizerName::Adamw | OptimizerName::Lamb => 2,
            OptimizerName::Sgd | OptimizerName::Lion => 1,
        };
        let load = MemoryInputs {
            time_steps: self.data.task.time_steps,
            batch: config.training.batch_size,
            copies: 1 + moments + usize::from(self.ema.is_some()),
            on_cpu: self.device == Device::Cpu,
        };
        Ok(Estimate::new(self.network.summary(), load, &config.execution, throughput, seconds))
    }

    /// Samples per second of a step: loading, forward, backward. The second of two, since the first one is
    /// for warm-up.
    fn trial(&self) -> Result<f64> {
        // A forward pass changes only batch norm's running statistics.
        let mut kept = Ema::new(0.0, self.network.named_tensors())?;
        let count = SAMPLES.min(self.config.training.batch_size);
        let samples = first(self.data.train.dataset(), count)?;
        let loader = LoaderConfig { workers: 0, ..LoaderConfig::evaluation(count, 0) };
        let loader = Loader::new(Arc::clone(&samples), loader)?;
        let mut throughput = f64::NAN;
        for _ in 0..2 {
            let began = Instant::now();
            let batch = loader.epoch(0)?.next().context("there is nothing to train on")??;
            let tensors = TensorBatch::new(&batch, self.device)?;
            let logits = self.network.forward(
                tensors.input(self.data.task.time_steps),
                true,
                &self.config.execution,
            )?;
            let output =
                self.config.loss.compute(&logits, tensors.target(), Progress { epoch: 0, epochs: 1 });
            // A problem with a loss is reported when it occurs in training, with its batch.
            if let Ok(output) = output {
                output.loss.f_backward()?;
                let _waits_for_the_device = output.loss.f_double_value(&[])?;
            }
            throughput = tensors.len as f64 / began.elapsed().as_secs_f64();
        }
        kept.swap(self.network.named_tensors())?;
        self.optimizer.parameters().try_for_each(clear_grad)?;
        Ok(throughput)
    }
}
