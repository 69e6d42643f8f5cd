//! The metrics of a training: sums over the batches of an epoch, and the record derived from them.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use tks_loss::TeacherSummary;
use tks_report::EpochRecord;

/// Sums over the completed batches of an epoch. They are stored in checkpoints, so that a resumed epoch has
/// the same means.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochMeters {
    /// Number of samples.
    pub samples: usize,
    /// Sum of each batch's loss multiplied by its number of samples.
    pub loss: f64,
    /// Sum of the cross entropy of the mean over the steps, multiplied by the number of samples, and that
    /// number; older checkpoints have none.
    #[serde(default)]
    pub cross_entropy: (f64, usize),
    /// Like `loss`, for each term of the loss by name.
    pub parts: BTreeMap<String, f64>,
    /// The weight of the labels against the teacher, if the loss has one.
    pub label_weight: Option<f64>,
    /// Sum of the share of samples classified correctly by the mean over the steps, multiplied by the number
    /// of samples.
    pub right: f64,
    /// The same for the share of steps that are correct on their own.
    pub right_steps: f64,
    /// The same for each step, `[T]`.
    pub right_per_step: Vec<f64>,
    /// The same for the share of samples that no step classifies correctly.
    pub none_right: f64,
    /// Sum of the teacher's entropy multiplied by the number of samples, and that number.
    pub teacher_entropy: (f64, usize),
    /// Sum and number of the firing rates of the watched batches, over all layers.
    pub firing: (f64, usize),
    /// Sum and number of the gradient norms.
    pub gradient: (f64, usize),
    /// Seconds of training.
    pub seconds: f64,
}

/// The metrics of one batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchMetrics {
    /// Number of samples.
    pub samples: usize,
    /// The loss.
    pub loss: f64,
    /// Cross entropy of the logits' mean over the steps, as measured in a test.
    pub cross_entropy: f64,
    /// Terms of the loss by name.
    pub parts: Vec<(&'static str, f64)>,
    /// The weight of the labels against the teacher.
    pub label_weight: Option<f64>,
    /// Statistics of the time steps and the teacher.
    pub knowledge: TeacherSummary,
}

impl EpochMeters {
    /// Adds a batch.
    pub fn add(&mut self, batch: &BatchMetrics) {
        let (count, knowledge) = (batch.samples as f64, &batch.knowledge);
        self.samples += batch.samples;
        self.loss += batch.loss * count;
        self.cross_entropy.0 += batch.cross_entropy * count;
        self.cross_entropy.1 += batch.samples;
        for (name, value) in &batch.parts {
            *self.parts.entry((*name).to_string()).or_default() += value * count;
        }
        self.label_weight = batch.label_weight;
        self.right += knowledge.mean_right * count;
        self.right_steps += knowledge.right_steps * count;
        self.right_per_step.resize(self.right_per_step.len().max(knowledge.right_per_step.len()), 0.0);
        for (sum, share) in self.right_per_step.iter_mut().zip(&knowledge.right_per_step) {
            *sum += share * count;
        }
        self.none_right += knowledge.none_right * count;
        if let Some(entropy) = knowledge.teacher_entropy {
            self.teacher_entropy.0 += entropy * count;
            self.teacher_entropy.1 += batch.samples;
        }
    }

    /// Checks that all sums are finite.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn check(&self) -> Result<()> {
        let sums = [
            ("loss", self.loss),
            ("label_weight", self.label_weight.unwrap_or_default()),
            ("right", self.right),
            ("right_steps", self.right_steps),
            ("none_right", self.none_right),
            ("teacher_entropy", self.teacher_entropy.0),
            ("firing", self.firing.0),
            ("gradient", self.gradient.0),
            ("seconds", self.seconds),
        ];
        let parts = self.parts.iter().map(|(name, &sum)| (name.as_str(), sum));
        let per_step = self.right_per_step.iter().map(|&sum| ("right_per_step", sum));
        match sums.into_iter().chain(parts).chain(per_step).find(|(_, sum)| !sum.is_finite()) {
            Some((name, sum)) => bail!("the epoch's sum `{name}` is {sum}"),
            None => Ok(()),
        }
    }

    /// The mean of a sum over the samples.
    fn mean(&self, sum: f64) -> f64 {
        sum / self.samples.max(1) as f64
    }

    /// Mean loss.
    pub fn mean_loss(&self) -> f64 {
        self.mean(self.loss)
    }

    /// Mean cross entropy of the logits' mean over the steps.
    pub fn mean_cross_entropy(&self) -> Option<f64> {
        mean_of(self.cross_entropy)
    }

    /// Share of samples classified correctly by the mean over the steps, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.mean(self.right)
    }

    /// Share of steps that were correct on their own, 0 to 1.
    pub fn right_step_share(&self) -> f64 {
        self.mean(self.right_steps)
    }

    /// Mean firing rate of the watched batches, in spikes per neuron and step.
    pub fn firing_rate(&self) -> Option<f64> {
        mean_of(self.firing)
    }

    /// Samples per second.
    pub fn throughput(&self) -> f64 {
        self.samples as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    /// The record of epoch `epoch`, without an evaluation.
    pub fn record(&self, epoch: usize, lr: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            learning_rate: Some(lr),
            train_loss: Some(self.mean_loss()),
            train_cross_entropy: self.mean_cross_entropy(),
            train_accuracy: Some(self.accuracy()),
            loss_parts: self.parts.iter().map(|(name, &sum)| (name.clone(), self.mean(sum))).collect(),
            label_weight: self.label_weight,
            right_steps: Some(self.right_step_share()),
            right_per_step: self.right_per_step.iter().map(|&sum| self.mean(sum)).collect(),
            none_right: Some(self.mean(self.none_right)),
            teacher_entropy: mean_of(self.teacher_entropy),
            firing_rate: self.firing_rate(),
            gradient_norm: mean_of(self.gradient),
            samples_per_second: Some(self.throughput()),
            seconds: Some(self.seconds),
            peak_memory_mib: crate::environment::peak_memory_mib(),
            ..EpochRecord::default()
        }
    }
}

fn mean_of((sum, count): (f64, usize)) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_weigh_every_sample_alike() {
        let batch = |samples, loss, right| BatchMetrics {
            samples,
            loss,
            cross_entropy: 2.0 * loss,
            parts: vec![("ce", loss)],
            label_weight: Some(0.9),
            knowledge: TeacherSummary {
                samples: samples as u64,
                right_steps: right / 2.0,
                right_per_step: vec![right, 0.0],
                none_right: 1.0 - right,
                mean_right: right,
                teacher_entropy: (right > 0.0).then_some(0.5),
            },
        };
        let mut meters = EpochMeters::default();
        meters.add(&batch(3, 1.0, 1.0));
        meters.add(&batch(1, 5.0, 0.0));
        assert_eq!((meters.mean_loss(), meters.accuracy()), (2.0, 0.75));
        assert_eq!(meters.mean_cross_entropy(), Some(4.0));
        let record = meters.record(4, 0.1);
        assert_eq!((record.epoch, record.right_steps, record.none_right), (4, Some(0.375), Some(0.25)));
        assert_eq!((record.right_per_step, record.teacher_entropy), (vec![0.75, 0.0], Some(0.5)));
        assert_eq!((record.loss_parts["ce"], record.label_weight), (2.0, Some(0.9)));
        assert_eq!(record.firing_rate, None, "no batch was watched");
    }

    #[test]
    fn sums_of_before_cross_entropy_was_measured_are_read() {
        let mut old = serde_json::to_value(EpochMeters { samples: 8, ..EpochMeters::default() }).unwrap();
        old.as_object_mut().unwrap().remove("cross_entropy");
        let meters: EpochMeters = serde_json::from_value(old).unwrap();
        assert_eq!((meters.samples, meters.mean_cross_entropy()), (8, None));
    }
}
