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

/// What a network is for: its input and its classes. Kept with a trained network, so that it can be used without the
/// data that it was trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The data set's name.
    pub data: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Shape of a sample at one step.
    pub input: InputShape,
    /// Time steps `T`.
    pub time_steps: usize,
    /// Whether a sample is an image, the same at each step.
    pub is_static: bool,
}

/// A data set, open: what to train on, what to test on, and what both are.
pub struct Data {
    /// What both are.
    pub task: Task,
    /// Training batches, changed at random.
    pub train: Loader<Samples>,
    /// Test samples, as they are.
    pub test: Arc<Samples>,
    /// What of the data is passed over and should be known: files that are no samples, in a sentence each.
    pub warnings: Vec<String>,
    test_loader: LoaderConfig,
    /// The network's number of each class of the data.
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

/// Name of the data set that is any folder with a folder a class.
pub const FOLDER: &str = "folder";

impl Data {
    /// Opens the data of a configuration.
    ///
    /// # Errors
    /// A data set, part or file that is not there, a recipe that makes no sense, parts that overlap.
    pub fn open(config: &Config) -> Result<Self> {
        Data::open_for(config, None)
    }

    /// Opens the data of a configuration for a network that knows its classes: labels are its numbers of them, whatever
    /// their order in the data.
    ///
    /// # Errors
    /// As [`Data::open`]; names the classes that only the network or only the data have.
    pub fn open_for(config: &Config, known: Option<&Task>) -> Result<Self> {
        Data::open_inner(config, known)
            .with_context(|| format!("cannot open the data set `{}`", config.data.name))
    }

    fn open_inner(config: &Config, known: Option<&Task>) -> Result<Self> {
        let OpenedData { mut task, train, test, mix, warnings, left_out, rebin } =
            source::find(config)?.open(config)?;
        // The network's order where it knows one.
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

    /// What `data.bad_events = "drop"` has left out of recordings, where it is more than was told before.
    pub fn left_out(&self) -> Option<String> {
        self.left_out.as_ref().and_then(|left_out| left_out())
    }

    /// Batches of the test part, every sample once.
    ///
    /// # Errors
    /// A label that is no class.
    pub fn test_loader(&self) -> Result<Loader<Samples>> {
        Ok(Loader::new(Arc::clone(&self.test), self.test_loader.clone())?)
    }

    /// The test part with recordings in another number of bins; images are the same at each step anyway.
    ///
    /// # Errors
    /// A slicing whose steps do not follow a number of bins.
    pub fn rebinned(&self, time_steps: usize) -> Result<Loader<Samples>> {
        let Some(rebin) = &self.rebin else { return self.test_loader() };
        let samples = Relabeled::wrap(rebin(time_steps)?, &self.labels);
        Ok(Loader::new(samples, self.test_loader.clone())?)
    }
}

/// What a network of this configuration is for, by the manifest alone: no data are needed, but for a folder of images.
///
/// # Errors
/// No such data set, a recipe that makes no sense.
pub fn describe(config: &Config) -> Result<Task> {
    source::find(config)?.describe(config)
}

/// How single files become samples of a trained network, as those of its data set do.
///
/// # Errors
/// No such data set; a configuration that does not fit it.
pub fn reader(config: &Config, task: &Task) -> Result<Box<dyn SampleReader>> {
    source::find(config)?.reader(config, task)
}

/// How a sample becomes the network's input, in numbers.
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

/// The loader of so many training samples.
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

/// That there is a batch at all, and that the batches that lie ready have room.
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

/// Bytes of memory that the machine has, where the system tells.
fn physical_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The first `count` samples of a set, for a trial.
///
/// # Errors
/// None that a set of that length has.
pub fn first(samples: &Arc<Samples>, count: usize) -> Result<Arc<Samples>> {
    Ok(Arc::new(Subset::new(Arc::clone(samples), (0..count.min(samples.len())).collect())?))
}
