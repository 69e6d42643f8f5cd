//! The samples of an epoch, their order, and which of them belong to this rank.

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::rng::{SampleRng, sample_rng, shuffle, unit};

/// The samples of an epoch and their order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Sampler {
    /// Every sample once, in the data set's order: for evaluation.
    Sequential,
    /// Every sample once, in a new random order in each epoch.
    #[default]
    Shuffled,
    /// Every class equally often, in turn; the samples of a class are also taken in turn, in a new random
    /// order after each pass.
    ClassBalanced {
        /// Number of samples in an epoch; left out: as many as the data set has.
        #[serde(default)]
        per_epoch: Option<usize>,
    },
    /// Samples drawn with replacement, with probabilities proportional to their weights.
    Weighted {
        /// Weight of each sample, 0 or above.
        weights: Vec<f64>,
        /// Number of samples in an epoch; left out: as many as the data set has.
        #[serde(default)]
        per_epoch: Option<usize>,
    },
}

/// This process among those that train together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// This process, from 0.
    pub rank: usize,
    /// Number of processes.
    pub world_size: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Shard { rank: 0, world_size: 1 }
    }
}

/// How the samples that do not fill a batch are handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LastBatch {
    /// They form a smaller batch, for evaluation. With several ranks, those with one sample less repeat one
    /// from the start of the epoch, so that all have batches of the same size; it is not counted as valid.
    Keep,
    /// They are left out of this epoch.
    #[default]
    Drop,
    /// The batch is filled with samples from the start of the epoch; they are not counted as valid.
    Pad,
}

/// A sample to load: its index, and how often it has already occurred in this epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pick {
    pub(crate) index: u32,
    pub(crate) repeat: u32,
}

impl Pick {
    /// Its random generator: that of its sample and epoch, and a different one for each repetition.
    pub(crate) fn rng(self, seed: u64, epoch: u64) -> SampleRng {
        sample_rng(seed, epoch, u64::from(self.index) | (u64::from(self.repeat) << 32))
    }
}

/// The samples of one rank in one epoch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) picks: Vec<Pick>,
    /// Number of samples that belong to the epoch; those after them are only padding.
    pub(crate) valid: usize,
    pub(crate) batch_size: usize,
}

impl Plan {
    /// The plan of `shard`: it takes every `world_size`-th sample, so that batch k of all ranks together
    /// equals batch k of a single rank with a batch `world_size` times as large.
    pub(crate) fn new(order: Vec<u32>, samples: usize, shard: Shard, batch: usize, last: LastBatch) -> Self {
        let world = shard.world_size;
        let full = world * batch;
        let total = match last {
            LastBatch::Drop => order.len() / full * full,
            LastBatch::Keep => order.len().div_ceil(world) * world,
            LastBatch::Pad => order.len().div_ceil(full) * full,
        };
        let mut seen = vec![0u32; samples];
        let mut picks = Vec::with_capacity(total / world);
        for position in 0..total {
            let index = order[position % order.len()];
            let repeat = seen[index as usize];
            seen[index as usize] += 1;
            if position % world == shard.rank {
                picks.push(Pick { index, repeat });
            }
        }
        let valid = (order.len().min(total) + world - 1 - shard.rank) / world;
        Plan { picks, valid, batch_size: batch }
    }

    pub(crate) fn batches(&self) -> usize {
        self.picks.len().div_ceil(self.batch_size)
    }

    /// The samples of batch `k` and the number of valid ones.
    pub(crate) fn batch(&self, k: usize) -> (&[Pick], usize) {
        let start = k * self.batch_size;
        let end = (start + self.batch_size).min(self.picks.len());
        (&self.picks[start..end], self.valid.clamp(start, end) - start)
    }
}

impl Sampler {
    /// Number of samples in an epoch of a data set of `samples` samples.
    pub fn epoch_len(&self, samples: usize) -> usize {
        match self {
            Sampler::Sequential | Sampler::Shuffled => samples,
            Sampler::ClassBalanced { per_epoch } | Sampler::Weighted { per_epoch, .. } => {
                per_epoch.unwrap_or(samples)
            }
        }
    }

    /// Checks that this sampler suits a data set of `samples` samples.
    ///
    /// # Errors
    /// [`DataError::Setting`].
    pub fn check(&self, samples: usize) -> Result<(), DataError> {
        let wrong = |message: String| Err(DataError::Setting { field: "sampler", message });
        if self.epoch_len(samples) == 0 {
            return wrong("an epoch should have at least one sample".into());
        }
        let Sampler::Weighted { weights, .. } = self else { return Ok(()) };
        if weights.len() != samples {
            return wrong(format!("there are {} weights for {samples} samples", weights.len()));
        }
        if let Some(at) = weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
            return wrong(format!("the weight of sample {at} is {}; it should be at least 0", weights[at]));
        }
        if !(weights.iter().sum::<f64>() > 0.0 && weights.iter().sum::<f64>().is_finite()) {
            return wrong("the weights should have a sum above 0 and below infinity".into());
        }
        Ok(())
    }

    /// Indices of the epoch's samples, in order. `labels[i]` is the class of sample i; only
    /// [`Sampler::ClassBalanced`] uses it.
    pub fn order(&self, samples: usize, labels: &[u32], seed: u64, epoch: u64) -> Vec<u32> {
        // Sample generators use indices and repetitions below 2^63, so none of them shares this generator.
        let mut rng = sample_rng(seed, epoch, u64::MAX);
        let length = self.epoch_len(samples);
        match self {
            Sampler::Sequential => (0..samples as u32).collect(),
            Sampler::Shuffled => {
                let mut order: Vec<u32> = (0..samples as u32).collect();
                shuffle(&mut order, &mut rng);
                order
            }
            Sampler::ClassBalanced { .. } => balanced_order(labels, length, &mut rng),
            Sampler::Weighted { weights, .. } => weighted_order(weights, length, &mut rng),
        }
    }
}

fn balanced_order(labels: &[u32], length: usize, rng: &mut SampleRng) -> Vec<u32> {
    let mut members: Vec<Vec<u32>> = Vec::new();
    for (index, &label) in labels.iter().enumerate() {
        let label = label as usize;
        if members.len() <= label {
            members.resize_with(label + 1, Vec::new);
        }
        members[label].push(index as u32);
    }
    members.retain(|class| !class.is_empty());
    let mut next = vec![0; members.len()];
    let mut round: Vec<usize> = (0..members.len()).collect();
    let mut order = Vec::with_capacity(length);
    while order.len() < length {
        shuffle(&mut round, rng);
        for &class in round.iter().take(length - order.len()) {
            if next[class] == 0 {
                shuffle(&mut members[class], rng);
            }
            order.push(members[class][next[class]]);
            next[class] = (next[class] + 1) % members[class].len();
        }
    }
    order
}

fn weighted_order(weights: &[f64], length: usize, rng: &mut SampleRng) -> Vec<u32> {
    let mut sum = 0.0;
    let ends: Vec<f64> = weights
        .iter()
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect();
    let last = weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0);
    (0..length)
        .map(|_| {
            let drawn = unit(rng) * sum;
            // The first whose cumulative weight exceeds the number drawn, so never one of weight 0; due to
            // rounding there may be none.
            ends.partition_point(|&end| end <= drawn).min(last) as u32
        })
        .collect()
}
