//! Checks before a training and after its evaluations for problems that prevent success.

use anyhow::{Context, Result};
use tks_data::LastBatch;
use tks_models::SpikingModel;

use super::Trainer;
use crate::config::Config;
use crate::data::{Data, TensorBatch};
use crate::evaluation::Evaluation;
use crate::health::{Health, Moment};

/// Minimum number of samples in the batch whose statistics are compared with the running ones.
const STATISTICS_SAMPLES: usize = 8;

/// Checks that every batch of an epoch satisfies batch norm, including a smaller last one.
pub(super) fn check_batches(config: &Config, data: &Data, network: &dyn SpikingModel) -> Result<()> {
    let loader = data.train.config();
    let epoch = loader.sampler.epoch_len(data.train.dataset().len());
    let rest = match loader.last_batch {
        LastBatch::Keep => epoch % loader.batch_size,
        // dropped or padded
        _ => 0,
    };
    let task = &data.task;
    let check = |samples| network.check_training_batch(samples, task.time_steps, task.is_static);
    check(loader.batch_size).with_context(|| {
        format!("`training.batch_size` is {}: give a larger one", config.training.batch_size)
    })?;
    if rest > 0 {
        check(rest).with_context(|| {
            format!(
                "the last batch of an epoch of {epoch} samples has {rest} of {}: `data.last_batch = \"drop\"` leaves it \
                 out, and another `training.batch_size` changes it",
                loader.batch_size
            )
        })?;
    }
    Ok(())
}

impl Trainer {
    /// Number of optimiser steps in an epoch.
    pub(super) fn steps_per_epoch(&self) -> usize {
        self.data.train.batches().div_ceil(self.config.training.accumulation)
    }

    /// The warnings for an evaluation of the current network, once progress is expected.
    pub(super) fn signs_in(&mut self, evaluation: &Evaluation) -> Result<Vec<String>> {
        let epochs = self.position.epoch;
        if !Health::is_due(&self.config, epochs) {
            return Ok(Vec::new());
        }
        // A batch of the shuffled training part; test samples are often ordered by class.
        let mut gaps = Vec::new();
        if let Some(batch) = self.data.train.epoch(epochs as u64)?.next() {
            let batch = TensorBatch::new(&batch?, self.device)?;
            if batch.len >= STATISTICS_SAMPLES {
                let input = batch.input(self.data.task.time_steps);
                gaps = self.network.norm_gaps(input, &self.config.execution)?;
            }
        }
        let moment = Moment { epochs, steps: epochs * self.steps_per_epoch() };
        Ok(self.health.look(&self.config, moment, evaluation, &gaps))
    }
}
