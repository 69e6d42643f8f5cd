//! What a report is made of: plain numbers, which a trainer or a script fills in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::energy::Energy;
use crate::error::ReportError;

/// Everything that a page shows. A part that is empty or `None` has no section.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// Heading of the page.
    pub title: String,
    /// One or two sentences below the heading: what was trained on what.
    pub summary: String,
    /// What was odd, each in a sentence: shown before everything else.
    pub warnings: Vec<String>,
    /// The figures that a reader looks for first.
    pub key_figures: Vec<KeyFigure>,
    /// The course of the training, in the order of the epochs.
    pub epochs: Vec<EpochRecord>,
    /// Accuracy over the number of test time steps, for one way of training or several.
    pub step_accuracy: Vec<StepAccuracy>,
    /// Which classes were taken for which.
    pub confusion: Option<Confusion>,
    /// How often the neurons of each layer fire.
    pub activity: Vec<LayerActivity>,
    /// What single neurons do when one sample is shown.
    pub sample: Option<SampleActivity>,
    /// Synaptic operations, and an estimate of their energy.
    pub energy: Option<Energy>,
    /// The configuration, as text (TOML).
    pub configuration: String,
    /// Where and how it was run.
    pub environment: Environment,
}

/// A figure with its name, shown large.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFigure {
    /// What it is: "Test accuracy".
    pub name: String,
    /// As it should be read: "93.1 %".
    pub value: String,
    /// What else should be known of it: "at 4 time steps, best epoch 71". May be empty.
    #[serde(default)]
    pub note: String,
}

/// What is known of one epoch. Shares are 0 to 1; what was not measured is `None`, or empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EpochRecord {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Learning rate at its end.
    pub learning_rate: Option<f64>,
    /// Mean of the loss that is minimised, over the training samples.
    pub train_loss: Option<f64>,
    /// Mean cross entropy of the logits' mean over the steps, over the training samples as they were trained on
    /// (augmented, perhaps mixed): the same quantity as `test_loss`.
    pub train_cross_entropy: Option<f64>,
    /// Share of training samples that the mean over the steps gets right.
    pub train_accuracy: Option<f64>,
    /// Mean cross entropy of the logits' mean over the steps, over the test samples, whatever the loss was.
    pub test_loss: Option<f64>,
    /// Share of test samples that the mean over the steps gets right.
    pub test_accuracy: Option<f64>,
    /// The same after 1, 2, ... `T` time steps.
    pub accuracy_by_steps: Vec<f64>,
    /// The loss's terms by name (`ce`, `soft`), before they are weighted.
    pub loss_parts: BTreeMap<String, f64>,
    /// The weight of the labels against the teacher.
    pub label_weight: Option<f64>,
    /// Share of all steps that alone are right.
    pub right_steps: Option<f64>,
    /// The same for each step.
    pub right_per_step: Vec<f64>,
    /// Share of samples that no step gets right.
    pub none_right: Option<f64>,
    /// Mean entropy of the teacher in nats.
    pub teacher_entropy: Option<f64>,
    /// Mean spikes per neuron and step, over all layers.
    pub firing_rate: Option<f64>,
    /// Norm of the gradient, mean over the epoch's batches.
    pub gradient_norm: Option<f64>,
    /// Training samples per second.
    pub samples_per_second: Option<f64>,
    /// How long the epoch took, in seconds.
    pub seconds: Option<f64>,
    /// The most memory that the process has had so far, in MiB.
    pub peak_memory_mib: Option<f64>,
}

impl EpochRecord {
    /// Everything that was measured, by the names that stand in TensorBoard, `train/loss` for example. The cross
    /// entropies also stand together, since TensorBoard draws what shares a first part side by side.
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

/// Accuracy over the number of test time steps, of one way of training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepAccuracy {
    /// What was trained: "TKS", "CE".
    pub name: String,
    /// Numbers of test time steps, such as `[1, 2, 4]`, rising.
    pub time_steps: Vec<usize>,
    /// Accuracy, 0 to 1, of each run (seed) at each of them: `[runs][time_steps]`.
    pub runs: Vec<Vec<f64>>,
}

impl StepAccuracy {
    /// Mean and standard deviation (of the sample: divided by runs less one; `None` for one run) at the `i`-th
    /// number of time steps, over the runs that have a finite value there.
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

/// How many samples of each class were taken for which.
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
    /// [`ReportError::Data`] where there is no such class.
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

    /// Whether there is a row and a column for each class.
    ///
    /// # Errors
    /// [`ReportError::Data`] where there is not.
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

    /// Share of samples on the diagonal; `None` where there are no samples.
    pub fn accuracy(&self) -> Option<f64> {
        let right: u64 = self.counts.iter().enumerate().filter_map(|(k, row)| row.get(k)).sum();
        let all: u64 = self.counts.iter().flatten().sum();
        (all > 0).then(|| right as f64 / all as f64)
    }

    /// Share of the samples of class `k` that are recognised (its recall); `None` where there are none.
    pub fn recall(&self, k: usize) -> Option<f64> {
        let row = self.counts.get(k)?;
        let all: u64 = row.iter().sum();
        (all > 0).then(|| row.get(k).copied().unwrap_or(0) as f64 / all as f64)
    }

    /// Off the diagonal, the pairs (true, predicted, samples) that happen most often, the commonest first.
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
    /// Neurons of the layer, for one sample.
    pub neurons: u64,
    /// Mean spikes per neuron at each time step, `[T]`.
    pub firing_rate: Vec<f64>,
}

impl LayerActivity {
    /// Mean over the steps; `None` where there are none.
    pub fn mean_rate(&self) -> Option<f64> {
        let steps = self.firing_rate.len();
        (steps > 0).then(|| self.firing_rate.iter().sum::<f64>() / steps as f64)
    }
}

/// What single neurons do when one sample is shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SampleActivity {
    /// Which sample: its name or index, its label, what the network took it for.
    pub description: String,
    /// When the neurons of some layers fire.
    pub rasters: Vec<SpikeRaster>,
    /// Membranes of some neurons.
    pub traces: Vec<Trace>,
}

/// When the neurons of a layer fire.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeRaster {
    /// The layer's name in the network.
    pub layer: String,
    /// How many neurons are shown.
    pub neurons: usize,
    /// Time steps, `T`.
    pub time_steps: usize,
    /// Each spike: time step from 0, neuron from 0.
    pub spikes: Vec<(usize, usize)>,
}

/// The membrane of one neuron over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Which neuron: its layer and index.
    pub name: String,
    /// Membrane potential after each step, `[T]`: after the reset, where it fired.
    pub membrane: Vec<f64>,
    /// Membrane potential at each step before the reset, `[T]`, which is what the threshold is compared with; empty
    /// where it is not known.
    #[serde(default)]
    pub before_reset: Vec<f64>,
    /// Whether it fired at each step, `[T]`.
    pub spikes: Vec<bool>,
    /// The threshold.
    pub v_threshold: f64,
}

/// Where and how something was run. What is not known stays empty and is not shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// Version of the program.
    pub version: Option<String>,
    /// The command line.
    pub command: Option<String>,
    /// When it began (RFC 3339).
    pub started: Option<String>,
    /// How long it took, in seconds.
    pub seconds: Option<f64>,
    /// The seed of its random numbers.
    pub seed: Option<u64>,
    /// Device that computed: "cpu", or the name of the GPU.
    pub device: Option<String>,
    /// Processor's name.
    pub processor: Option<String>,
    /// Threads that computed.
    pub threads: Option<usize>,
    /// Most memory that the process had, in bytes.
    pub peak_memory: Option<u64>,
    /// Operating system.
    pub operating_system: Option<String>,
    /// Version of libtorch.
    pub libtorch: Option<String>,
    /// Whatever else should be known, by name.
    pub other: BTreeMap<String, String>,
}
