//! The data of a report: plain numbers, filled in by a trainer or a script.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::energy::Energy;
use crate::error::ReportError;

/// Everything that a page shows. A part that is empty or `None` gets no section.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// Heading of the page.
    pub title: String,
    /// One or two sentences below the heading: which network was trained on which data.
    pub summary: String,
    /// Warnings, one sentence each; shown before everything else.
    pub warnings: Vec<String>,
    /// The key figures.
    pub key_figures: Vec<KeyFigure>,
    /// The epochs of the training run, in order.
    pub epochs: Vec<EpochRecord>,
    /// Accuracy over the number of test time steps, for one or more training methods.
    pub step_accuracy: Vec<StepAccuracy>,
    /// The confusion matrix.
    pub confusion: Option<Confusion>,
    /// How often the neurons of each layer fire.
    pub activity: Vec<LayerActivity>,
    /// The activity of single neurons for one sample.
    pub sample: Option<SampleActivity>,
    /// Synaptic operations, and an estimate of their energy.
    pub energy: Option<Energy>,
    /// The configuration, as text (TOML).
    pub configuration: String,
    /// The environment of the run.
    pub environment: Environment,
}

/// A key figure with its name, shown large.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFigure {
    /// Its name: "Test accuracy".
    pub name: String,
    /// As displayed: "93.1 %".
    pub value: String,
    /// Additional information: "at 4 time steps, best epoch 71". May be empty.
    #[serde(default)]
    pub note: String,
}

/// The record of one epoch. Shares are 0 to 1; values that were not measured are `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EpochRecord {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Learning rate at its end.
    pub learning_rate: Option<f64>,
    /// Mean over the training samples of the loss that is minimised.
    pub train_loss: Option<f64>,
    /// Mean over the training samples, as trained on (augmented, perhaps mixed), of the cross entropy of the
    /// logits averaged over the time steps: the same quantity as `test_loss`.
    pub train_cross_entropy: Option<f64>,
    /// Share of training samples that the mean over the time steps classifies correctly.
    pub train_accuracy: Option<f64>,
    /// Mean over the test samples of the cross entropy of the logits averaged over the time steps, for any
    /// training loss.
    pub test_loss: Option<f64>,
    /// Share of test samples that the mean over the time steps classifies correctly.
    pub test_accuracy: Option<f64>,
    /// The same after 1, 2, ... `T` time steps.
    pub accuracy_by_steps: Vec<f64>,
    /// The loss's terms by name (`ce`, `soft`), before they are weighted.
    pub loss_parts: BTreeMap<String, f64>,
    /// The weight of the labels relative to the teacher.
    pub label_weight: Option<f64>,
    /// Share of all time steps that are correct on their own.
    pub right_steps: Option<f64>,
    /// The same for each step.
    pub right_per_step: Vec<f64>,
    /// Share of samples that no time step classifies correctly.
    pub none_right: Option<f64>,
    /// Mean entropy of the teacher in nats.
    pub teacher_entropy: Option<f64>,
    /// Mean number of spikes per neuron and time step, over all layers.
    pub firing_rate: Option<f64>,
    /// Gradient norm, averaged over the epoch's batches.
    pub gradient_norm: Option<f64>,
    /// Training samples per second.
    pub samples_per_second: Option<f64>,
    /// Duration of the epoch in seconds.
    pub seconds: Option<f64>,
    /// Peak memory of the process so far, in MiB.
    pub peak_memory_mib: Option<f64>,
}

impl EpochRecord {
    /// Everything that was measured, under its name in TensorBoard, such as `train/loss`. The cross entropies
    /// also share a prefix, since TensorBoard draws tags with the same first part side by side.
    pub fn scalars(&self) -> Vec<(String, f64)> {
        let named = [
            ("train/loss", self.train_loss),
            ("train/accuracy", self.train_accuracy),
            ("train/learning_rate", self.learning_rate),
            ("train/gradient_norm", self.gradient_norm),
            ("train/samples_per_second", self.samples_per_second),
            ("train/epoch_seconds", self.seconds),
            ("test/loss", self.test_loss),
            ("cross_entropy/train", self.train_cross_entropy),
            ("cross_entropy/test", self.test_loss),
            ("test/accuracy", self.test_accuracy),
            ("teacher/label_weight", self.label_weight),
            ("teacher/right_steps", self.right_steps),
            ("teacher/none_right", self.none_right),
            ("teacher/entropy", self.teacher_entropy),
            ("network/firing_rate", self.firing_rate),
            ("process/peak_memory_mib", self.peak_memory_mib),
        ];
        let mut scalars: Vec<(String, f64)> =
            named.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect();
        scalars.extend(self.loss_parts.iter().map(|(name, value)| (format!("loss/{name}"), *value)));
        let steps = self.right_per_step.iter().enumerate();
        scalars.extend(steps.map(|(t, right)| (format!("teacher/right_at_step/{}", t + 1), *right)));
        let prefixes = self.accuracy_by_steps.iter().enumerate();
        scalars.extend(prefixes.map(|(t, accuracy)| (format!("test/accuracy_after/{}", t + 1), *accuracy)));
        scalars
    }
}

/// Accuracy over the number of test time steps, for one training method.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepAccuracy {
    /// The training method: "TKS", "CE".
    pub name: String,
    /// Numbers of test time steps in increasing order, such as `[1, 2, 4]`.
    pub time_steps: Vec<usize>,
    /// Accuracy, 0 to 1, of each run (seed) at each of them: `[runs][time_steps]`.
    pub runs: Vec<Vec<f64>>,
}

impl StepAccuracy {
    /// Mean and sample standard deviation (divided by the number of runs minus one; `None` for one run) at
    /// the `i`-th number of time steps, over the runs that have a finite value there.
    pub fn mean_and_deviation(&self, i: usize) -> Option<(f64, Option<f64>)> {
        let values: Vec<f64> = self
            .runs
            .iter()
            .filter_map(|run| run.get(i).copied())
            .filter(|value| value.is_finite())
            .collect();
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some((mean, (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt())))
    }
}

/// Confusion matrix: how many samples of each class were predicted as which.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// Names of the `K` classes.
    pub classes: Vec<String>,
    /// `[K][K]`: rows are the true class, columns the predicted one.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// No samples yet.
    pub fn new(classes: Vec<String>) -> Self {
        let counts = vec![vec![0; classes.len()]; classes.len()];
        Self { classes, counts }
    }

    /// Counts one sample.
    ///
    /// # Errors
    /// [`ReportError::Data`] if there is no such class.
    pub fn add(&mut self, label: usize, prediction: usize) -> Result<(), ReportError> {
        let classes = self.classes.len();
        let cell = self.counts.get_mut(label).and_then(|row| row.get_mut(prediction));
        let cell = cell.ok_or_else(|| ReportError::Data {
            part: "confusion",
            what: format!("class {label} taken for {prediction}, of {classes} classes"),
        })?;
        *cell += 1;
        Ok(())
    }

    /// Checks that there is a row and a column for each class.
    ///
    /// # Errors
    /// [`ReportError::Data`] if there is not.
    pub fn check(&self) -> Result<(), ReportError> {
        let classes = self.classes.len();
        if classes > 0 && self.counts.len() == classes && self.counts.iter().all(|row| row.len() == classes) {
            return Ok(());
        }
        let rows = self.counts.len();
        let columns = self.counts.iter().map(Vec::len).max().unwrap_or(0);
        Err(ReportError::Data {
            part: "confusion",
            what: format!(
                "{rows} rows of up to {columns} counts for {classes} classes; a square of them is needed"
            ),
        })
    }

    /// Share of samples on the diagonal; `None` if there are no samples.
    pub fn accuracy(&self) -> Option<f64> {
        let right: u64 = self.counts.iter().enumerate().filter_map(|(k, row)| row.get(k)).sum();
        let all: u64 = self.counts.iter().flatten().sum();
        (all > 0).then(|| right as f64 / all as f64)
    }

    /// Share of the samples of class `k` that are predicted correctly (its recall); `None` if it has none.
    pub fn recall(&self, k: usize) -> Option<f64> {
        let row = self.counts.get(k)?;
        let all: u64 = row.iter().sum();
        (all > 0).then(|| row.get(k).copied().unwrap_or(0) as f64 / all as f64)
    }

    /// The most frequent off-diagonal entries (true, predicted, samples), the most frequent first.
    pub fn most_confused(&self, count: usize) -> Vec<(usize, usize, u64)> {
        let mut pairs: Vec<(usize, usize, u64)> = Vec::new();
        for (label, row) in self.counts.iter().enumerate() {
            let off = row.iter().enumerate().filter(|(k, n)| *k != label && **n > 0);
            pairs.extend(off.map(|(k, n)| (label, k, *n)));
        }
        pairs.sort_by(|a, b| b.2.cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
        pairs.truncate(count);
        pairs
    }
}

/// How often the neurons of a layer fire.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerActivity {
    /// The layer's name in the network.
    pub layer: String,
    /// Number of neurons in the layer, for one sample.
    pub neurons: u64,
    /// Mean number of spikes per neuron at each time step, `[T]`.
    pub firing_rate: Vec<f64>,
}

impl LayerActivity {
    /// Mean over the time steps; `None` if there are none.
    pub fn mean_rate(&self) -> Option<f64> {
        let steps = self.firing_rate.len();
        (steps > 0).then(|| self.firing_rate.iter().sum::<f64>() / steps as f64)
    }
}

/// The activity of single neurons for one sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SampleActivity {
    /// The sample: its name or index, its label and the prediction.
    pub description: String,
    /// The spikes of the neurons of some layers.
    pub rasters: Vec<SpikeRaster>,
    /// Membrane potentials of some neurons.
    pub traces: Vec<Trace>,
}

/// The spikes of the neurons of a layer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeRaster {
    /// The layer's name in the network.
    pub layer: String,
    /// Number of neurons shown.
    pub neurons: usize,
    /// Time steps, `T`.
    pub time_steps: usize,
    /// Each spike: time step from 0, neuron from 0.
    pub spikes: Vec<(usize, usize)>,
}

/// The membrane potential of one neuron over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// The neuron: its layer and index.
    pub name: String,
    /// Membrane potential after each time step, `[T]`: after the reset, if it fired.
    pub membrane: Vec<f64>,
    /// Membrane potential at each time step before the reset, `[T]`, the value that is compared with the
    /// threshold; empty if not known.
    #[serde(default)]
    pub before_reset: Vec<f64>,
    /// Whether it fired at each time step, `[T]`.
    pub spikes: Vec<bool>,
    /// The threshold.
    pub v_threshold: f64,
}

/// The environment of a run. Unknown values stay empty and are not shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// Version of the program.
    pub version: Option<String>,
    /// The command line.
    pub command: Option<String>,
    /// Start time (RFC 3339).
    pub started: Option<String>,
    /// Duration in seconds.
    pub seconds: Option<f64>,
    /// The random seed.
    pub seed: Option<u64>,
    /// The device: "cpu", or the name of the GPU.
    pub device: Option<String>,
    /// The processor's name.
    pub processor: Option<String>,
    /// Number of compute threads.
    pub threads: Option<usize>,
    /// Peak memory of the process, in bytes.
    pub peak_memory: Option<u64>,
    /// Operating system.
    pub operating_system: Option<String>,
    /// Version of libtorch.
    pub libtorch: Option<String>,
    /// Further information, by name.
    pub other: BTreeMap<String, String>,
}
