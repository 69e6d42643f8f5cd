//! The data sources behind `data.name`.

use std::fmt::{self, Debug};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use anyhow::{Result, anyhow, bail};
use serde::de::DeserializeOwned;
use tch::Tensor;
use tks_data::DataError;
use tks_data::manifest::Kind;
use tks_data::nearest::nearest;
use tks_data::{Batch, BoxError, SampleRng};
use tks_registry::{Entry, Registry};

use super::events::EventSource;
use super::images::ImageSource;
use super::{FOLDER, Samples, Task};
use crate::config::Config;
use crate::datasets;
use crate::export::{EventInput, ImageInput};

/// A data set that a configuration selects by name.
///
/// Built-in data sets are found by their manifests. A program can add its own with [`register`] or
/// [`register_with`] and use it with the whole command line.
pub trait DataSource: Debug + Send + Sync {
    /// Opens the training and test parts.
    ///
    /// # Errors
    /// Missing or invalid data.
    fn open(&self, config: &Config) -> Result<OpenedData>;

    /// The task of a network of this configuration. Default: the task from [`Self::open`]. A source that
    /// knows it without the data can return it here, so that `tks inspect` needs no data.
    ///
    /// # Errors
    /// As [`Self::open`].
    fn describe(&self, config: &Config) -> Result<Task> {
        Ok(self.open(config)?.task)
    }

    /// A reader that turns single files into samples, for `tks predict`. Default: not supported.
    ///
    /// # Errors
    /// A configuration that does not fit such files.
    fn reader(&self, config: &Config, _task: &Task) -> Result<Box<dyn SampleReader>> {
        bail!(
            "`{}` does not say how single files are read: `tks eval` measures its test part",
            config.data.name
        )
    }

    /// A description of how a sample becomes the network's input, for an export. Default: no description.
    ///
    /// # Errors
    /// A configuration that does not fit the data.
    fn describe_input(&self, _config: &Config, _task: &Task) -> Result<InputDescription> {
        Ok(InputDescription::default())
    }
}

/// Reads single files as samples.
pub trait SampleReader: Debug {
    /// Default number of time steps of a sample.
    fn time_steps(&self) -> usize;

    /// Reads a file as a batch of one: `[T, 1, C, H, W]` with `time_steps` frames, or `[1, C, H, W]` for an
    /// image. `bounding_box`: left, top, width and height in pixels, for a network trained on cropped images.
    ///
    /// # Errors
    /// A file that cannot be read or is of the wrong kind or size.
    fn read(&self, path: &Path, time_steps: usize, bounding_box: Option<[f32; 4]>) -> Result<Tensor>;
}

/// How a sample becomes a network's input.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InputDescription {
    /// For recordings.
    pub events: Option<EventInput>,
    /// For images.
    pub images: Option<ImageInput>,
}

/// Mixes the samples of a training batch, and their labels.
pub type BatchHook = Box<dyn Fn(&mut Batch<f32>, &mut SampleRng) -> Result<(), BoxError> + Send + Sync>;

/// Creates the test samples with another number of steps.
pub type Rebin = Box<dyn Fn(usize) -> Result<Arc<Samples>> + Send + Sync>;

/// An open data set: its samples and their task.
pub struct OpenedData {
    /// Classes, input, time steps.
    pub task: Task,
    /// Training samples, with random augmentation.
    pub train: Arc<Samples>,
    /// Test samples, without augmentation.
    pub test: Arc<Samples>,
    /// The mixing applied to a whole training batch.
    pub mix: Option<BatchHook>,
    /// Warnings about the data, one sentence each: skipped files, missing classes.
    pub warnings: Vec<String>,
    /// What was dropped from the samples read so far, if more than last reported.
    pub left_out: Option<Box<dyn Fn() -> Option<String> + Send + Sync>>,
    /// Creates the test samples with the same duration and another number of steps, for sequences that
    /// support it.
    pub rebin: Option<Rebin>,
}

impl OpenedData {
    /// Samples without further properties.
    pub fn new(task: Task, train: Arc<Samples>, test: Arc<Samples>) -> Self {
        OpenedData { task, train, test, mix: None, warnings: Vec::new(), left_out: None, rebin: None }
    }
}

impl Debug for OpenedData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedData")
            .field("task", &self.task)
            .field("train", &self.train.len())
            .field("test", &self.test.len())
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

static REGISTRY: LazyLock<Registry<dyn DataSource>> = LazyLock::new(|| Registry::new("data set", &[FOLDER]));

/// Adds a data set: `data.name = "<name>"`, for every configuration that this process reads afterwards.
///
/// # Errors
/// A name that is already taken, also by a built-in data set, or is not a snake_case word.
pub fn register(name: &str, source: impl DataSource + 'static) -> Result<()> {
    add(name, Entry::word(name, Arc::new(source)))
}

/// Adds a data set with its own settings, read as `P` from the table `[data.own]`.
///
/// # Errors
/// As [`register`].
pub fn register_with<P: DataSource + DeserializeOwned + 'static>(name: &str) -> Result<()> {
    add(name, Entry::table(name, |source: P| -> Arc<dyn DataSource> { Arc::new(source) }))
}

fn add(name: &str, entry: Entry<dyn DataSource>) -> Result<()> {
    if datasets::manifest(name).is_ok() {
        bail!("there already is a data set called `{name}`: choose another name");
    }
    Ok(REGISTRY.add(entry)?)
}

/// The names of registered data sets.
pub fn registered() -> impl Iterator<Item = &'static str> {
    REGISTRY.names().iter().copied().filter(|name| *name != FOLDER)
}

/// The data source with the name given in a configuration.
///
/// # Errors
/// An unknown data set, with the nearest name; settings that do not fit it.
pub(super) fn find(config: &Config) -> Result<Arc<dyn DataSource>> {
    let data = &config.data;
    let settings = data.own.clone().map(serde_json::to_value).transpose()?;
    if let Some(chosen) = REGISTRY.choose(&data.name, settings) {
        return chosen.map_err(|problem| anyhow!("`data.own`, the settings of `{}`: {problem}", data.name));
    }
    if data.own.is_some() {
        bail!(
            "`data.own` is for data sets that a program registered, and `{}` is not one: leave it out",
            data.name
        );
    }
    if data.name == FOLDER {
        let has_events = data.events.is_some();
        return Ok(if has_events { Arc::new(EventSource(None)) } else { Arc::new(ImageSource(None)) });
    }
    let manifest = datasets::catalogue().manifest(&data.name).map_err(|mut error| {
        if let DataError::UnknownName { name, nearest: near, known, .. } = &mut error {
            known.extend(registered().map(str::to_owned));
            *near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        }
        error
    })?;
    Ok(match manifest.kind {
        Kind::Events => Arc::new(EventSource(Some(manifest))),
        Kind::Images => Arc::new(ImageSource(Some(manifest))),
    })
}
