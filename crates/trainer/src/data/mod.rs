//! From the configuration to batches of tensors.

mod batch;
mod events;
mod images;
mod source;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tks_data::{Dataset, LastBatch, Loader, LoaderConfig, Manifest, Subset};
use tks_models::InputShape;

pub use batch::TensorBatch;
pub use source::{
    BatchHook, DataSource, InputDescription, OpenedData, Rebin, SampleReader, register, register_with,
    registered,
};

use crate::classes::{Relabeled, join};
use crate::config::{Config, ConfigError, DataConfig};
use crate::datasets;
use crate::display::counted;

/// Any data set of `f32` samples.
pub type Samples = dyn Dataset<Element = f32>;

/// The task of a network: its input and its classes. It is stored with a trained network, so that the network
/// can be used without its training data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The data set's name.
    pub data: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Shape of a sample at one step.
    pub input: InputShape,
    /// Number of time steps, `T`.
    pub time_steps: usize,
    /// Whether a sample is an image, which is the same at each step.
    pub is_static: bool,
}

/// An open data set: training data, test data and their task.
pub struct Data {
    /// The classes, input and time steps.
    pub task: Task,
    /// Training batches, with random augmentation.
    pub train: Loader<Samples>,
    /// Test samples, without augmentation.
    pub test: Arc<Samples>,
    /// Warnings about skipped data, one sentence each, such as files that are not samples.
    pub warnings: Vec<String>,
    test_loader: LoaderConfig,
    /// The network's index of each class of the data.
    labels: Vec<usize>,
    left_out: Option<Box<dyn Fn() -> Option<String> + Send + Sync>>,
    rebin: Option<Rebin>,
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data")
            .field("task", &self.task)
            .field("train", &self.train)
            .field("test", &self.test.len())
            .finish_non_exhaustive()
    }
}

/// Name of the data set for any folder with one subfolder per class.
pub const FOLDER: &str = "folder";

impl Data {
    /// Opens the data of a configuration.
    ///
    /// # Errors
    /// A data set, part or file that does not exist, an invalid recipe, overlapping parts.
    pub fn open(config: &Config) -> Result<Self> {
        Data::open_for(config, None)
    }

    /// Opens the data of a configuration for a network with known classes: labels are the network's class
    /// indices, whatever their order in the data.
    ///
    /// # Errors
    /// As [`Data::open`]; also names the classes that only the network or only the data have.
    pub fn open_for(config: &Config, known: Option<&Task>) -> Result<Self> {
        Data::open_inner(config, known)
            .with_context(|| format!("cannot open the data set `{}`", config.data.name))
    }

    fn open_inner(config: &Config, known: Option<&Task>) -> Result<Self> {
        let OpenedData { mut task, train, test, mix, warnings, left_out, rebin } =
            source::find(config)?.open(config)?;
        // The network's order, if known.
        let known = known.map_or_else(|| task.classes.clone(), |known| known.classes.clone());
        let labels = join(&known, &task.classes)?;
        task.classes = known;
        let [train, test] = [train, test].map(|samples| Relabeled::wrap(samples, &labels));
        let loader = train_loader(config, train.len());
        check_batches(&train, &loader)?;
        Ok(Data {
            task,
            train: match mix {
                Some(mix) => Loader::with_hook(train, loader, mix)?,
                None => Loader::new(train, loader)?,
            },
            test,
            warnings,
            test_loader: test_loader(config),
            labels,
            left_out,
            rebin,
        })
    }

    /// The events dropped from recordings by `data.bad_events = "drop"`, if more than last reported.
    pub fn left_out(&self) -> Option<String> {
        self.left_out.as_ref().and_then(|left_out| left_out())
    }

    /// Batches of the test part, with every sample once.
    ///
    /// # Errors
    /// An invalid label.
    pub fn test_loader(&self) -> Result<Loader<Samples>> {
        Ok(Loader::new(Arc::clone(&self.test), self.test_loader.clone())?)
    }

    /// The test part with recordings divided into another number of bins; images are the same at each step
    /// anyway.
    ///
    /// # Errors
    /// A slicing whose steps are not determined by a number of bins.
    pub fn rebinned(&self, time_steps: usize) -> Result<Loader<Samples>> {
        let Some(rebin) = &self.rebin else { return self.test_loader() };
        let samples = Relabeled::wrap(rebin(time_steps)?, &self.labels);
        Ok(Loader::new(samples, self.test_loader.clone())?)
    }
}

/// The task of a network of this configuration, from the manifest alone: no data are needed, except for a
/// folder and for a registered data set that does not define [`DataSource::describe`].
///
/// # Errors
/// An unknown data set, an invalid recipe.
pub fn describe(config: &Config) -> Result<Task> {
    source::find(config)?.describe(config)
}

/// A reader that processes single files like the samples of a trained network's data set.
///
/// # Errors
/// An unknown data set; a configuration that does not fit it.
pub fn reader(config: &Config, task: &Task) -> Result<Box<dyn SampleReader>> {
    source::find(config)?.reader(config, task)
}

/// A numerical description of how a sample becomes the network's input.
///
/// # Errors
/// As [`reader`].
pub fn describe_input(config: &Config, task: &Task) -> Result<InputDescription> {
    source::find(config)?.describe_input(config, task)
}

fn path_of(data: &DataConfig, manifest: Option<&Manifest>) -> Result<PathBuf> {
    let path = match (&data.path, manifest) {
        (Some(path), _) => path.clone(),
        (None, Some(manifest)) => datasets::default_path(manifest)?,
        (None, None) => bail!("`data.path` should name the folder that holds `{}/<class>/`", data.train.part),
    };
    ensure!(path.exists(), "`data.path` is {}, which is not there", path.display());
    Ok(path)
}

/// The loader configuration for `samples` training samples.
fn train_loader(config: &Config, samples: usize) -> LoaderConfig {
    let epoch = config.data.sampler.epoch_len(samples);
    LoaderConfig {
        batch_size: config.training.batch_size,
        workers: config.data.workers,
        prefetch: config.data.prefetch,
        sampler: config.data.sampler.clone(),
        last_batch: config.data.last_batch_of(epoch, config.training.batch_size),
        seed: config.seed,
        ..LoaderConfig::default()
    }
}

fn test_loader(config: &Config) -> LoaderConfig {
    let batch = config.evaluation.batch_size.unwrap_or(config.training.batch_size);
    LoaderConfig { prefetch: config.data.prefetch, ..LoaderConfig::evaluation(batch, config.data.workers) }
}

/// Checks that there is at least one batch, and that the prefetched batches fit in memory.
fn check_batches(samples: &Samples, loader: &LoaderConfig) -> Result<()> {
    let (batch, epoch) = (loader.batch_size, loader.sampler.epoch_len(samples.len()));
    if loader.last_batch == LastBatch::Drop && epoch < batch && epoch > 0 {
        let problem = format!(
            "is {batch}, but an epoch has {}, and `data.last_batch = \"drop\"` leaves out what does not fill a batch: \
             make it {epoch} or less, or set `data.last_batch = \"keep\"`",
            counted(epoch, "sample")
        );
        return Err(ConfigError::new("training.batch_size", problem).into());
    }
    let shape = samples.shape();
    let ready = loader.workers * loader.prefetch + 2;
    let ready = ready.min(epoch.div_ceil(batch.max(1)) + 1);
    let lengths =
        shape.frame.iter().copied().chain([shape.time_steps.unwrap_or(1), batch, ready, size_of::<f32>()]);
    let bytes = lengths.fold(1u128, |bytes, length| bytes.saturating_mul(length as u128));
    if let Some(memory) = physical_memory().filter(|&memory| bytes > u128::from(memory)) {
        let gib = |bytes: f64| format!("{:.1} GiB", bytes / f64::from(1 << 30));
        let problem = format!(
            "is {batch}: {ready} batches of it, {} each, are more than this machine's {}; make it smaller, or \
             `data.prefetch` or `data.workers`, or samples by the data's recipe",
            gib(bytes as f64 / ready as f64),
            gib(memory as f64)
        );
        return Err(ConfigError::new("training.batch_size", problem).into());
    }
    Ok(())
}

/// The machine's memory in bytes, if the system provides it.
fn physical_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The first `count` samples of a set, for a trial.
///
/// # Errors
/// None for a set of at least this length.
pub fn first(samples: &Arc<Samples>, count: usize) -> Result<Arc<Samples>> {
    Ok(Arc::new(Subset::new(Arc::clone(samples), (0..count.min(samples.len())).collect())?))
}
