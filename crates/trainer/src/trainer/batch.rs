//! One epoch, batch by batch.

use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use tks_autograd::clear_grad;
use tks_loss::{LossError, LossOutput, Progress};
use tks_models::{FiringRates, LayerRates};

use super::Trainer;
use crate::data::TensorBatch;
use crate::evaluation::neuron_count;
use crate::message::{BatchMessage, Message};
use crate::metrics::BatchMetrics;
use crate::optimizer::{gradient_norm, scale_gradients};
use crate::stop::StopFlag;

/// The checkpoint that is written when numbers become non-finite: the state before the step of that batch.
const BEFORE_FAILURE: &str = "checkpoints/before-failure.safetensors";

/// Number of batches in the optimiser step to which batch number `batch` belongs.
fn group_size(batch: usize, batches: usize, accumulation: usize) -> usize {
    let first = batch - batch % accumulation;
    accumulation.min(batches - first)
}

/// The seed for random draws in a batch (dropout), the same whether or not the run was interrupted. By
/// SplitMix64.
fn batch_seed(seed: u64, epoch: usize, batch: usize) -> i64 {
    let mut state = seed;
    for number in [epoch as u64, batch as u64] {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_add(number);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    }
    state as i64
}

impl Trainer {
    /// The learning rate at a time in epochs.
    pub(super) fn lr(&self, time: f64) -> f64 {
        let peak = self.config.optimizer.scaled_lr(self.config.training.samples_per_step());
        self.config.schedule.lr(time, self.config.training.epochs, peak)
    }

    /// Trains the rest of the current epoch; `false` if a stop was requested before its end.
    pub(super) fn train_epoch(&mut self, stop: &StopFlag) -> Result<bool> {
        let (epoch, first) = (self.position.epoch, self.position.batch);
        let batches = self.data.train.batches();
        let accumulation = self.config.training.accumulation;
        let mut began = Instant::now();
        for batch in self.data.train.epoch_from(epoch as u64, first)? {
            let batch = batch.with_context(|| {
                format!("training stopped in epoch {}, batch {}", epoch + 1, self.position.batch + 1)
            })?;
            let tensors = TensorBatch::new(&batch, self.device)?;
            drop(batch);
            if self.position.steps == 0 && self.position.batch == 0 {
                let text = crate::data_warnings::of_first_batch(&tensors)?;
                text.into_iter().try_for_each(|text| self.tell(&Message::Warning { text }))?;
            }
            self.train_batch(&tensors, batches, began)?;
            began = Instant::now();
            let is_whole_step =
                self.position.batch.is_multiple_of(accumulation) || self.position.batch == batches;
            if is_whole_step && self.position.batch < batches {
                if stop.is_asked() {
                    return Ok(false);
                }
                let minutes = self.last_checkpoint.elapsed().as_secs_f64() / 60.0;
                if minutes >= self.config.training.checkpoint_minutes {
                    self.save(false)?;
                }
            }
        }
        Ok(true)
    }

    fn train_batch(&mut self, batch: &TensorBatch, batches: usize, began: Instant) -> Result<()> {
        let (epoch, number) = (self.position.epoch, self.position.batch);
        let training = &self.config.training;
        let group = group_size(number, batches, training.accumulation);
        let watched = number.is_multiple_of(training.watch_every);
        tch::manual_seed(batch_seed(self.config.seed, epoch, number));
        if number.is_multiple_of(training.accumulation) {
            self.step_start.take(&self.position)?;
            self.optimizer.parameters().try_for_each(clear_grad)?;
        }
        let input = batch.input(self.data.task.time_steps);
        let mut rates = FiringRates::default();
        let logits = if watched {
            self.network.forward_observed(input, true, &self.config.execution, &mut rates)?
        } else {
            self.network.forward(input, true, &self.config.execution)?
        };
        let rates = rates.layers();
        let progress = Progress { epoch, epochs: training.epochs };
        let computed = self.config.loss.compute(&logits, batch.target(), progress);
        if let Some(layer) = rates.iter().find(|layer| !layer.finite) {
            return Err(self.not_finite(batch, &format!("membranes of `{}` are not finite", layer.name)));
        }
        let output = match computed.and_then(|output| output.check().map(|()| output)) {
            Ok(output) => output,
            Err(error @ LossError::NotFinite { .. }) => {
                return Err(self.not_finite(batch, &error.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        let metrics = measured(&output, batch.len)?;
        if !metrics.loss.is_finite() {
            return Err(self.not_finite(batch, &format!("the loss is {}", metrics.loss)));
        }
        output.loss.f_div_scalar(group as f64)?.f_backward()?;
        drop((output, logits));

        let is_last_of_group = (number + 1).is_multiple_of(training.accumulation) || number + 1 == batches;
        let lr = self.lr(epoch as f64 + number as f64 / batches as f64);
        let mut norm = None;
        if is_last_of_group {
            let found = gradient_norm(self.optimizer.parameters())?;
            if !found.is_finite() {
                return Err(self.not_finite(batch, &format!("the gradients' norm is {found}")));
            }
            if let Some(limit) = self.config.training.clip_norm
                && found > limit
            {
                scale_gradients(self.optimizer.parameters(), limit / found)?;
            }
            self.optimizer.step(lr)?;
            self.position.steps = self.optimizer.steps();
            if let Some(ema) = &mut self.ema {
                ema.update(self.network.named_tensors())?;
            }
            norm = Some(found);
            self.note_step()?;
        }
        self.note(&metrics, norm, began);
        if !rates.is_empty() {
            // Every neuron has the same weight, as in an evaluation.
            let of_layer =
                |layer: &LayerRates| (neuron_count(self.network.as_ref(), &layer.name) as f64, layer.mean());
            let (neurons, spikes) = rates
                .iter()
                .map(of_layer)
                .fold((0.0, 0.0), |(neurons, spikes), (n, rate)| (neurons + n, spikes + n * rate));
            self.position.meters.firing.0 += spikes / neurons;
            self.position.meters.firing.1 += 1;
            for text in self.watch.see(&rates) {
                self.tell(&Message::Warning { text })?;
            }
        }
        self.report_batch(&metrics, norm, lr, batches)
    }

    fn note(&mut self, metrics: &BatchMetrics, norm: Option<f64>, began: Instant) {
        let meters = &mut self.position.meters;
        meters.add(metrics);
        if let Some(norm) = norm {
            meters.gradient.0 += norm;
            meters.gradient.1 += 1;
        }
        meters.seconds += began.elapsed().as_secs_f64();
        self.position.batch += 1;
    }

    fn report_batch(
        &mut self,
        metrics: &BatchMetrics,
        norm: Option<f64>,
        lr: f64,
        batches: usize,
    ) -> Result<()> {
        let (position, epochs) = (&self.position, self.config.training.epochs);
        let meters = &position.meters;
        let done = position.epoch * batches + position.batch;
        let left = epochs * batches - done;
        let message = Message::Batch(BatchMessage {
            epoch: position.epoch + 1,
            epochs,
            batch: position.batch,
            batches,
            loss: metrics.loss,
            cross_entropy: metrics.cross_entropy,
            accuracy: metrics.knowledge.mean_right,
            right_steps: metrics.knowledge.right_steps,
            lr,
            gradient_norm: norm,
            mean_loss: meters.mean_loss(),
            mean_cross_entropy: meters.mean_cross_entropy().unwrap_or(metrics.cross_entropy),
            mean_accuracy: meters.accuracy(),
            mean_right_steps: meters.right_step_share(),
            firing_rate: meters.firing_rate(),
            throughput: meters.throughput(),
            seconds_left: (position.seconds + meters.seconds) / done as f64 * left as f64,
        });
        self.tell(&message)
    }

    /// The error for a batch with non-finite numbers: where they first occurred, and how to continue. The
    /// state is reset to that before the batch's step, including running statistics, and is saved if it is
    /// finite.
    fn not_finite(&mut self, batch: &TensorBatch, what: &str) -> anyhow::Error {
        let place = format!("epoch {}, batch {}: {what}", self.position.epoch + 1, self.position.batch + 1);
        let input = batch.input(self.data.task.time_steps);
        let cause = match self.network.locate_non_finite(input, true, &self.config.execution) {
            Ok(Some(found)) => match found.step {
                Some(step) => format!(
                    "the output of `{}` is the first that is not finite, at step {}",
                    found.place,
                    step + 1
                ),
                None => format!("the parameter `{}` is not finite", found.place),
            },
            Ok(None) => "every layer's output is finite: it began in the loss or in the backward pass".into(),
            Err(error) => format!("where it began could not be found ({error})"),
        };
        let path = self.run.file(BEFORE_FAILURE);
        let restored = self.step_start.restore(&mut self.position);
        let saved = match restored.and_then(|()| self.write_aside(&path)) {
            Ok(()) => format!("the state before this batch is in {}", path.display()),
            Err(error) => format!("the state before this batch is not saved ({error:#})"),
        };
        anyhow!("{place}\n{cause}\n{saved}; {}", self.how_to_go_on())
    }
}

fn measured(output: &LossOutput, samples: usize) -> Result<BatchMetrics> {
    let parts = output.parts.iter().map(|(name, value)| Ok((*name, value.f_double_value(&[])?)));
    Ok(BatchMetrics {
        samples,
        loss: output.loss.f_double_value(&[])?,
        cross_entropy: output.cross_entropy.f_double_value(&[])?,
        parts: parts.collect::<Result<_>>()?,
        label_weight: output.label_weight,
        knowledge: output.teacher.summary()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_group_of_an_epoch_may_be_smaller() {
        let sizes: Vec<_> = (0..7).map(|batch| group_size(batch, 7, 3)).collect();
        assert_eq!(sizes, [3, 3, 3, 3, 3, 3, 1]);
    }

    #[test]
    fn every_batch_has_a_seed_of_its_own() {
        let seeds: std::collections::BTreeSet<_> =
            (0..50).flat_map(|epoch| (0..50).map(move |batch| batch_seed(7, epoch, batch))).collect();
        assert_eq!(seeds.len(), 2500);
        assert_ne!(batch_seed(1, 0, 0), batch_seed(2, 0, 0));
    }
}
