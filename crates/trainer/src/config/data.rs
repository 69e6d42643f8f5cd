//! The data set, its parts, and how a sample becomes the network's input.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use tks_data::{LastBatch, Sampler};
use tks_events::datasets::Orientation;

use super::check::{count, require, wrong};
use super::training::MAX_THREADS;

/// Maximum number of batches that a loading thread may be ahead.
const MAX_PREFETCH: usize = 1024;

/// Maximum number of samples in an epoch: indices have 32 bits.
const MAX_SAMPLES: usize = u32::MAX as usize;

/// The samples of one part: all of them, or a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartConfig {
    /// Name of the part in the data set, such as `train`, `test` or `val`.
    pub part: String,
    /// Index of the first sample, counted from 0 in the part's order.
    #[serde(default)]
    pub from: usize,
    /// Index after the last sample; left out: to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<usize>,
}

impl PartConfig {
    /// The whole of a part.
    pub fn whole(part: &str) -> Self {
        PartConfig { part: part.into(), from: 0, to: None }
    }

    /// The selected range of `len` samples.
    ///
    /// # Errors
    /// A range that is empty or extends beyond the end.
    pub fn range(&self, key: &str, len: usize) -> Result<std::ops::Range<usize>> {
        let to = self.to.unwrap_or(len);
        ensure!(
            self.from < to && to <= len,
            "`data.{key}` asks for the samples {} to {to} of `{}`, which has {len}",
            self.from,
            self.part
        );
        Ok(self.from..to)
    }
}

/// How a recording with faulty events is handled: events outside the sensor, without a polarity, or after the
/// point of truncation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BadEvents {
    /// Training stops with an error that names the file and the byte.
    #[default]
    Error,
    /// The faulty events are dropped and counted.
    Drop,
}

/// How recordings of events become frames, and how they are mixed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventConfig {
    /// How a recording becomes `[T, C, H, W]`. If its `slicing` is left out, the number of bins is `time_steps`.
    pub recipe: tks_events::recipe::Recipe,
    /// Orientation in which the recordings are provided.
    pub orientation: Orientation,
    /// Width and height of the sensor in pixels, for a folder of recordings. Left out: as stated in the first
    /// recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<tks_events::SensorSize>,
    /// Mixing of two samples and their labels, in training only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mix: Option<tks_events::mix::Mix>,
}

/// How images become inputs, and how they are mixed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageConfig {
    /// How an image becomes `[C, H, W]`.
    pub recipe: tks_images::Recipe,
    /// Mixing of two samples and their labels, in training only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mix: Option<tks_images::augment::Mix>,
}

/// The data. Recordings of events are configured by `[data.events]`, images by `[data.images]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The data set's name (see `tks data list`), or `"folder"` for one folder per class below
    /// `<path>/<part>`, containing images, or recordings if `[data.events]` is given.
    pub name: String,
    /// The folder or archive that contains the data set. Left out: the copy that ships with the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Name in the manifest of how the data set is split; left out: the first split listed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// The samples for training.
    pub train: PartConfig,
    /// The samples for testing. A test part that shares a sample with `train` is refused.
    pub test: PartConfig,
    /// Whether to accept a different number of samples than the manifest states, for a partial download.
    pub accept_counts: bool,
    /// How a recording with faulty events is handled.
    pub bad_events: BadEvents,
    /// Number of loading threads, up to 1024. 0: samples are loaded by the training thread.
    pub workers: usize,
    /// Number of batches that a loading thread may be ahead, 1 to 1024.
    pub prefetch: usize,
    /// Selection and order of the training samples.
    pub sampler: Sampler,
    /// How training handles the samples that do not fill a batch. Left out: `"drop"` if they are less than a
    /// tenth of an epoch, else `"keep"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_batch: Option<LastBatch>,
    /// Settings for recordings of events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<EventConfig>,
    /// Settings for images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageConfig>,
    /// Settings of a data set registered by a program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<toml::Table>,
}

impl Default for DataConfig {
    fn default() -> Self {
        DataConfig {
            name: "nmnist-1000".into(),
            path: None,
            split: None,
            train: PartConfig::whole("train"),
            test: PartConfig::whole("test"),
            accept_counts: false,
            bad_events: BadEvents::default(),
            workers: 1,
            prefetch: 2,
            sampler: Sampler::default(),
            last_batch: None,
            events: None,
            images: None,
            own: None,
        }
    }
}

impl DataConfig {
    /// How the last batch of an epoch of `epoch` samples is handled: unless configured, less than a tenth may
    /// be dropped.
    pub fn last_batch_of(&self, epoch: usize, batch_size: usize) -> LastBatch {
        let rest = epoch % batch_size.max(1);
        self.last_batch.unwrap_or(if 10 * rest < epoch { LastBatch::Drop } else { LastBatch::Keep })
    }

    /// Checks every value except those of recipes.
    ///
    /// # Errors
    /// [`ConfigError`](super::ConfigError) for the first invalid one.
    pub(super) fn check(&self) -> Result<()> {
        require(!self.name.is_empty(), "data.name", "empty", "the name of a data set, or \"folder\"")?;
        for (key, part) in [("train", &self.train), ("test", &self.test)] {
            if let Some(to) = part.to {
                let allowed = format!("above `from`, {}", part.from);
                require(part.from < to, &format!("data.{key}.to"), to, &allowed)?;
            }
        }
        count("data.workers", self.workers, 0, MAX_THREADS)?;
        count("data.prefetch", self.prefetch, 1, MAX_PREFETCH)?;
        match &self.sampler {
            Sampler::ClassBalanced { per_epoch: Some(samples) } => {
                count("data.sampler.class_balanced.per_epoch", *samples, 1, MAX_SAMPLES)
            }
            Sampler::Weighted { per_epoch: Some(samples), .. } => {
                count("data.sampler.weighted.per_epoch", *samples, 1, MAX_SAMPLES)
            }
            _ => Ok(()),
        }
    }

    /// Checks that no test sample is used for training.
    ///
    /// # Errors
    /// [`ConfigError`](super::ConfigError) that names the overlap.
    pub fn check_apart(&self) -> Result<()> {
        let (train, test) = (&self.train, &self.test);
        let overlaps = train.part == test.part
            && train.from < test.to.unwrap_or(usize::MAX)
            && test.from < train.to.unwrap_or(usize::MAX);
        if overlaps {
            let problem = format!(
                "and `data.train` share samples of the part `{}`: give them `from` and `to` that are apart",
                train.part
            );
            return Err(wrong("data.test", problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_a_tenth_of_an_epoch_is_lost_by_default() {
        let data = DataConfig::default();
        let cases = [(1000, 128, LastBatch::Keep), (1437, 32, LastBatch::Drop), (100, 128, LastBatch::Keep)];
        for (epoch, batch, expected) in cases {
            assert_eq!(data.last_batch_of(epoch, batch), expected, "{epoch} in batches of {batch}");
        }
        assert_eq!(data.last_batch_of(110, 100), LastBatch::Drop, "a tenth of the batch, less of the epoch");
        assert_eq!(data.last_batch_of(10, 9), LastBatch::Keep, "a tenth exactly");
        let explicit = DataConfig { last_batch: Some(LastBatch::Drop), ..data };
        assert_eq!(explicit.last_batch_of(255, 128), LastBatch::Drop);
    }
}
