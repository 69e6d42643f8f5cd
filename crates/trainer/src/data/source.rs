//! Where samples come from: what stands behind `data.name`.

use std::fmt::{self, Debug};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use anyhow::{Result, anyhow, bail};
use serde::de::DeserializeOwned;
use tch::Tensor;
use tks_data::manifest::Kind;
use tks_data::{Batch, BoxError, SampleRng};
use tks_registry::{Entry, Registry};

use super::events::EventSource;
use super::images::ImageSource;
use super::{FOLDER, Samples, Task};
use crate::config::Config;
use crate::datasets;
use crate::export::{EventInput, ImageInput};

/// A data set that a configuration chooses by its name.
///
/// What ships is found by its manifest. A program adds its own by [`register`] or [`register_with`], and has the whole
/// command line for it.
pub trait DataSource: Debug + Send + Sync {
    /// Opens the parts to train and to test on.
    ///
    /// # Errors
    /// Data that are not there or not as they should be.
    fn open(&self, config: &Config) -> Result<OpenedData>;

    /// What a network of this configuration is for. Default: what [`Self::open`] says; a source that knows it without the
    /// data says it so, and `tks inspect` needs no data.
    ///
    /// # Errors
    /// As [`Self::open`].
    fn describe(&self, config: &Config) -> Result<Task> {
        Ok(self.open(config)?.task)
    }

    /// How single files become samples, for `tks predict`. Default: there is no way.
    ///
    /// # Errors
    /// A configuration that does not fit such files.
    fn reader(&self, config: &Config, _task: &Task) -> Result<Box<dyn SampleReader>> {
        bail!(
            "`{}` does not say how single files are read: `tks eval` measures its test part",
            config.data.name
        )
    }

    /// How a sample becomes the network's input, for an export. Default: nothing is said of it.
    ///
    /// # Errors
    /// A configuration that does not fit the data.
    fn describe_input(&self, _config: &Config, _task: &Task) -> Result<InputDescription> {
        Ok(InputDescription::default())
    }
}

/// Single files as samples.
pub trait SampleReader: Debug {
    /// Time steps of a sample, where nobody asks for another number.
    fn time_steps(&self) -> usize;

    /// A file as a batch of one: `[T, 1, C, H, W]` with `time_steps` frames, or `[1, C, H, W]` for an image.
    /// `bounding_box`: left, top, width and height in pixels, for a network that sees images cut to theirs.
    ///
    /// # Errors
    /// A file that cannot be read or is of another kind or size.
    fn read(&self, path: &Path, time_steps: usize, bounding_box: Option<[f32; 4]>) -> Result<Tensor>;
}

/// How a sample becomes a network's input.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InputDescription {
    /// A recording's way, if recordings are the samples.
    pub events: Option<EventInput>,
    /// An image's way, if images are.
    pub images: Option<ImageInput>,
}

/// Mixes the samples of a training batch, and their labels.
pub type BatchHook = Box<dyn Fn(&mut Batch<f32>, &mut SampleRng) -> Result<(), BoxError> + Send + Sync>;

/// The test samples in another number of steps.
pub type Rebin = Box<dyn Fn(usize) -> Result<Arc<Samples>> + Send + Sync>;

/// A data set, open: its samples, and what they are.
pub struct OpenedData {
    /// Classes, input, time steps.
    pub task: Task,
    /// Samples to train on, changed at random.
    pub train: Arc<Samples>,
    /// Samples to test on, as they are.
    pub test: Arc<Samples>,
    /// What is done with a training batch as a whole.
    pub mix: Option<BatchHook>,
    /// What should be known of the data, in a sentence each: files that are passed over, classes that are missing.
    pub warnings: Vec<String>,
    /// What was left out of the samples read so far, where it is more than was said before.
    pub left_out: Option<Box<dyn Fn() -> Option<String> + Send + Sync>>,
    /// The test samples with the same time in another number of steps, where they are sequences that allow it.
    pub rebin: Option<Rebin>,
}

impl OpenedData {
    /// Samples of which there is nothing more to say.
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

/// Adds a data set: `data.name = "<name>"`, for every configuration that this process reads from then on.
///
/// # Errors
/// A name that is taken, by a data set that ships too, or that is not a snake_case word.
pub fn register(name: &str, source: impl DataSource + 'static) -> Result<()> {
    add(name, Entry::word(name, Arc::new(source)))
}

/// Adds a data set with settings of its own, read as `P` from the table `[data.own]`.
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

/// The names of data sets that were registered.
pub fn registered() -> impl Iterator<Item = &'static str> {
    REGISTRY.names().iter().copied().filter(|name| *name != FOLDER)
}

/// What stands behind the name of a configuration's data.
///
/// # Errors
/// No such data set, with the nearest name; settings that do not fit it.
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
    let manifest = datasets::manifest(&data.name)?;
    Ok(match manifest.kind {
        Kind::Events => Arc::new(EventSource(Some(manifest))),
        Kind::Images => Arc::new(ImageSource(Some(manifest))),
    })
}
