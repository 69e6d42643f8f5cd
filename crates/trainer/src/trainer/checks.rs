//! What is looked at before a training and after its evaluations, for what cannot work.

use anyhow::{Context, Result};
use tks_data::LastBatch;
use tks_models::SpikingModel;

use super::Trainer;
use crate::config::Config;
use crate::data::{Data, TensorBatch};
use crate::evaluation::Evaluation;
use crate::health::{Health, Moment};

/// Samples of a batch whose statistics are compared with the running ones, at least.
const STATISTICS_SAMPLES: usize = 8;

/// That every batch of an epoch has what batch norm needs, the smaller last one included.
pub(super) fn check_batches(config: &Config, data: &Data, network: &dyn SpikingModel) -> Result<()> {
    let loader = data.train.config();
    let epoch = loader.sampler.epoch_len(data.train.dataset().len());
    let rest = match loader.last_batch {
        LastBatch::Keep => epoch % loader.batch_size,
        // dropped or filled up
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
    /// Steps of the optimiser in an epoch.
    pub(super) fn steps_per_epoch(&self) -> usize {
        self.data.train.batches().div_ceil(self.config.training.accumulation)
    }

    /// The warnings that an evaluation of the network as it is gives cause for, once it is time to expect something.
    pub(super) fn signs_in(&mut self, evaluation: &Evaluation) -> Result<Vec<String>> {
        let epochs = self.position.epoch;
        if !Health::is_due(&self.config, epochs) {
            return Ok(Vec::new());
        }
        // A batch of the training, which is shuffled; test samples often lie class by class.
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
