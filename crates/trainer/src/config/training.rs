//! Training length, batches and stopping; evaluation; hardware; output.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::check::{count, require};

/// Maximum number of epochs, and of batches between two watched batches.
const MAX_EPOCHS: usize = 1_000_000_000;

/// Maximum number of samples in a batch, and of batches in a step.
const MAX_BATCH: usize = 1 << 20;

/// Maximum number of threads.
pub(super) const MAX_THREADS: usize = 1024;

/// Training length, batches and stopping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Passes over the training samples, 1 or more.
    pub epochs: usize,
    /// Number of samples in a batch, 1 to 1048576.
    pub batch_size: usize,
    /// Number of batches whose gradients are averaged before each optimiser step, 1 to 1048576.
    pub accumulation: usize,
    /// Maximum norm of the gradients, above 0. Larger gradients are scaled down to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Decay per step of an exponential moving average of the weights, 0 to below 1 (such as 0.999). The
    /// average is used for evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    /// Number of epochs without a better accuracy after which training stops, above 0. A value below 1 is a
    /// share of `epochs`. Warm-up epochs do not count. Left out: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<f64>,
    /// Minutes between checkpoints within an epoch, above 0. A checkpoint is also written after every epoch.
    pub checkpoint_minutes: f64,
    /// Number of batches between measurements of the firing rates, 1 or more.
    pub watch_every: usize,
    /// Number of consecutive measurements in which a layer must be silent or saturated to cause a warning; 0:
    /// never.
    pub warn_after: usize,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        TrainingConfig {
            epochs: 300,
            batch_size: 128,
            accumulation: 1,
            clip_norm: None,
            ema_decay: None,
            patience: None,
            checkpoint_minutes: 10.0,
            watch_every: 10,
            warn_after: 10,
        }
    }
}

impl TrainingConfig {
    /// The number of epochs to wait for a better accuracy, 1 or more.
    pub fn patience_epochs(&self) -> Option<usize> {
        let patience = self.patience?;
        let epochs = if patience < 1.0 { (patience * self.epochs as f64).ceil() } else { patience };
        Some((epochs as usize).max(1))
    }

    /// Number of samples per optimiser step.
    pub fn samples_per_step(&self) -> usize {
        self.batch_size * self.accumulation
    }

    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first value that is not.
    pub fn check(&self) -> Result<()> {
        count("training.epochs", self.epochs, 1, MAX_EPOCHS)?;
        count("training.batch_size", self.batch_size, 1, MAX_BATCH)?;
        count("training.accumulation", self.accumulation, 1, MAX_BATCH)?;
        count("training.watch_every", self.watch_every, 1, MAX_EPOCHS)?;
        if let Some(norm) = self.clip_norm {
            require(norm > 0.0 && norm.is_finite(), "training.clip_norm", norm, "above 0, and finite")?;
        }
        if let Some(decay) = self.ema_decay {
            require((0.0..1.0).contains(&decay), "training.ema_decay", decay, "0 to below 1")?;
        }
        if let Some(patience) = self.patience {
            let holds = patience > 0.0 && patience.is_finite() && (patience < 1.0 || patience.fract() == 0.0);
            let allowed = "a number of epochs, or a share of them above 0 and below 1";
            require(holds, "training.patience", patience, allowed)?;
        }
        let minutes = self.checkpoint_minutes;
        require(minutes > 0.0 && !minutes.is_nan(), "training.checkpoint_minutes", minutes, "above 0")
    }
}

/// How a network is tested with fewer time steps on recordings of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FewerSteps {
    /// The first steps of the full sequence, as seen by a device that stops early. One pass covers every
    /// number of steps. For static images, there is no difference.
    #[default]
    Prefix,
    /// The whole recording, divided into fewer, longer bins.
    Rebin,
}

/// How a network is evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Number of epochs between evaluations, 1 or more. The last epoch is always evaluated.
    pub every_epochs: usize,
    /// Number of samples in a batch; left out: as in training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// How recordings of events are shortened to fewer time steps.
    pub fewer_steps: FewerSteps,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        EvaluationConfig { every_epochs: 1, batch_size: None, fewer_steps: FewerSteps::Prefix }
    }
}

impl EvaluationConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first value that is not.
    pub fn check(&self) -> Result<()> {
        count("evaluation.every_epochs", self.every_epochs, 1, MAX_EPOCHS)?;
        self.batch_size.map_or(Ok(()), |size| count("evaluation.batch_size", size, 1, MAX_BATCH))
    }
}

/// The hardware to run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HardwareConfig {
    /// `"auto"` (the first CUDA device, else the CPU), `"cpu"`, `"cuda"` or `"cuda:<number>"`.
    pub device: String,
    /// Number of CPU threads for computation, up to 1024. 0: one per core. A run keeps this number, so that
    /// it resumes with identical results on a machine with a different number of cores.
    pub threads: usize,
}

impl Default for HardwareConfig {
    fn default() -> Self {
        HardwareConfig { device: "auto".into(), threads: 0 }
    }
}

impl HardwareConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first value that is not.
    pub fn check(&self) -> Result<()> {
        count("hardware.threads", self.threads, 0, MAX_THREADS)
    }

    /// Sets the number of threads of this process and returns the device.
    ///
    /// # Errors
    /// As [`HardwareConfig::resolve`].
    pub fn prepare(&self) -> Result<tch::Device> {
        tks_autograd::runtime::set_threads(self.thread_count());
        self.resolve()
    }

    /// Number of threads for computation; 0 is replaced by this machine's number of cores.
    pub fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    /// The selected device.
    ///
    /// # Errors
    /// An unknown device name, and a CUDA device that is not present.
    pub fn resolve(&self) -> Result<tch::Device> {
        let devices = tch::Cuda::device_count();
        let number = match self.device.as_str() {
            "cpu" => return Ok(tch::Device::Cpu),
            "auto" if devices == 0 => return Ok(tch::Device::Cpu),
            "auto" | "cuda" => 0,
            other => match other.strip_prefix("cuda:").and_then(|number| number.parse::<usize>().ok()) {
                Some(number) => number,
                None => anyhow::bail!(
                    "`hardware.device` is \"{other}\": it should be \"auto\", \"cpu\", \"cuda\" or \"cuda:<number>\""
                ),
            },
        };
        ensure!(
            (number as i64) < devices,
            "`hardware.device` is \"{}\", but {devices} CUDA devices are at hand; a libtorch with CUDA comes by `cargo \
             xtask setup --cuda`, and \"cpu\" always works",
            self.device
        );
        Ok(tch::Device::Cuda(number))
    }
}

/// Where results are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutputConfig {
    /// The folder that contains a subfolder for each run.
    pub folder: PathBuf,
    /// Whether TensorBoard event files are written too.
    pub tensorboard: bool,
    /// Whether a report is written when training ends.
    pub report: bool,
}

impl Default for OutputConfig {
    fn default() -> Self {
        OutputConfig { folder: "runs".into(), tensorboard: true, report: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_a_number_of_epochs_or_a_share_of_them() {
        let training = |patience| TrainingConfig { epochs: 30, patience, ..TrainingConfig::default() };
        for (patience, epochs) in
            [(None, None), (Some(3.0), Some(3)), (Some(0.2), Some(6)), (Some(0.01), Some(1))]
        {
            assert_eq!(training(patience).patience_epochs(), epochs);
            training(patience).check().unwrap();
        }
        for patience in [0.0, -1.0, 2.5, f64::NAN] {
            assert!(training(Some(patience)).check().is_err(), "{patience}");
        }
    }
}
