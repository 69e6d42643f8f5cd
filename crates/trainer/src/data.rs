//! From the configuration to batches of tensors.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};
use tks_data::manifest::Kind as DataKind;
use tks_data::{Batch, BoxError, Dataset, LastBatch, Loader, LoaderConfig, Manifest, SampleRng, Subset};
use tks_events::datasets::{EventFrames, EventSet, RecordingReader, SetOptions};
use tks_events::recipe::Recipe;
use tks_events::slicing::Slicing;
use tks_images::datasets::{OpenOptions, class_difference};
use tks_images::{ImageSamples, ImageSet, Preprocessor};
use tks_models::{Input, InputShape};

use crate::classes::Relabeled;
use crate::config::{BadEvents, Config, ConfigError, DataConfig, EventConfig, PartConfig, STATIC_TIME_STEPS};
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
    source: Source,
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

/// The open sets.
enum Source {
    Events {
        set: Arc<EventSet>,
        test: Vec<usize>,
        config: Box<EventConfig>,
        /// Recordings of which it was told that something was left out.
        told: AtomicUsize,
    },
    Images,
}

/// Name of the data set that is any folder of images.
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
        let data = &config.data;
        let known = known.map(|task| task.classes.as_slice());
        let opened = if data.name == FOLDER {
            open_images(config, None, path_of(data, None)?, known)
        } else {
            let manifest = datasets::manifest(&data.name)?;
            let path = path_of(data, Some(&manifest))?;
            match manifest.kind {
                DataKind::Events => open_events(config, manifest, &path, known),
                DataKind::Images => open_images(config, Some(&manifest), path, known),
            }
        };
        opened.with_context(|| format!("cannot open the data set `{}`", data.name))
    }

    /// What `data.bad_events = "drop"` has left out of recordings, where it is more than was told before.
    pub fn left_out(&self) -> Option<String> {
        let Source::Events { set, told, .. } = &self.source else { return None };
        let left_out = set.left_out();
        let before = told.swap(left_out.recordings, Ordering::Relaxed);
        (left_out.recordings > before).then(|| format!("{left_out} (`data.bad_events = \"drop\"`)"))
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
        let Source::Events { set, test, config, .. } = &self.source else { return self.test_loader() };
        let recipe = rebinned(&config.recipe, time_steps)?;
        let frames = EventFrames::<f32>::new(Arc::clone(set), test.clone(), recipe, false)?;
        Ok(Loader::new(Relabeled::wrap(Arc::new(frames), &self.labels), self.test_loader.clone())?)
    }
}

/// A recipe whose recordings become another number of frames.
///
/// # Errors
/// A slicing whose steps do not follow a number of bins.
pub fn rebinned(recipe: &Recipe, time_steps: usize) -> Result<Recipe> {
    let mut recipe = recipe.clone();
    match &mut recipe.slicing {
        Slicing::TimeBins { bins, .. } | Slicing::EventBins { bins, .. } => *bins = time_steps,
        _ => bail!(
            "another number of time steps needs a slicing into a number of bins, which this recipe does not have"
        ),
    }
    Ok(recipe)
}

/// What a network of this configuration is for, by the manifest alone: no data are needed, but for a folder of images.
///
/// # Errors
/// No such data set, a recipe that makes no sense.
pub fn describe(config: &Config) -> Result<Task> {
    if config.data.name == FOLDER {
        return Ok(Data::open(config)?.task);
    }
    let manifest = datasets::manifest(&config.data.name)?;
    let (input, time_steps) = match manifest.kind {
        DataKind::Events => {
            let (events, time_steps) = event_config(config)?;
            let [_, channels, height, width] = events.recipe.shape(sensor_of(&manifest)?)?;
            (InputShape { channels, height, width }, time_steps)
        }
        DataKind::Images => {
            let recipe = config.data.images.clone().unwrap_or_default().recipe;
            let size = manifest.size.fixed().map(|size| [size.height as usize, size.width as usize]);
            let [channels, height, width] = recipe.shape(manifest.channels, size)?;
            (InputShape { channels, height, width }, config.time_steps.unwrap_or(STATIC_TIME_STEPS))
        }
    };
    Ok(Task {
        data: config.data.name.clone(),
        classes: datasets::class_names(&manifest),
        input,
        time_steps,
        is_static: manifest.kind == DataKind::Images,
    })
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

/// A loader whose training batches are mixed as the data set's own crate does it.
type Hook = Box<dyn Fn(&mut Batch<f32>, &mut SampleRng) -> Result<(), BoxError> + Send + Sync>;

fn with_hook(samples: Arc<Samples>, loader: LoaderConfig, hook: Option<Hook>) -> Result<Loader<Samples>> {
    check_batches(&samples, &loader)?;
    Ok(match hook {
        Some(hook) => Loader::with_hook(samples, loader, hook)?,
        None => Loader::new(samples, loader)?,
    })
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

/// The samples of a part that the configuration asks for, of indices into a whole set.
fn chosen(indices: &[usize], part: &PartConfig, key: &str) -> Result<Vec<usize>> {
    Ok(indices[part.range(key, indices.len())?].to_vec())
}

/// The network's number of each class of the data: its own order where it knows none yet.
fn labels_of(known: Option<&[String]>, found: &[String]) -> Result<Vec<usize>> {
    crate::classes::join(known.unwrap_or(found), found)
}

fn open_events(config: &Config, manifest: Manifest, path: &Path, known: Option<&[String]>) -> Result<Data> {
    let data = &config.data;
    ensure!(
        data.images.is_none(),
        "`data.images` is for images, but `{}` holds recordings: use `data.events`",
        data.name
    );
    let (events, time_steps) = event_config(config)?;
    let options = SetOptions {
        strict: !data.accept_counts,
        orientation: events.orientation,
        lenient: data.bad_events == BadEvents::Drop,
        ..SetOptions::default()
    };
    let set = Arc::new(EventSet::open(manifest, path, options)?);
    let parts = set.parts(data.split.as_deref(), &datasets::catalogue())?;
    let part = |key: &str, part: &PartConfig| -> Result<Vec<usize>> {
        match parts.get(&part.part) {
            Some(indices) => chosen(indices, part, key),
            None => Err(no_part(key, &part.part, parts.keys().map(String::as_str))),
        }
    };
    let (train, test) = (part("train", &data.train)?, part("test", &data.test)?);
    let classes = datasets::class_names(set.manifest());
    let warnings = crate::data_warnings::of_recordings(&set, &parts, [&data.train.part, &data.test.part]);
    let labels = labels_of(known, &classes)?;
    let frames = |indices: Vec<usize>, augment| -> Result<Arc<Samples>> {
        let frames = EventFrames::<f32>::new(Arc::clone(&set), indices, events.recipe.clone(), augment)?;
        Ok(Relabeled::wrap(Arc::new(frames), &labels))
    };
    let train = frames(train, true)?;
    let [_, channels, height, width] = events.recipe.shape(set.sensor())?;
    let mix = events.mix.filter(|mix| mix.methods().next().is_some());
    let hook: Option<Hook> =
        mix.map(|mix| -> Hook { Box::new(move |batch, rng| Ok(mix.on_batch(batch, rng)?)) });
    Ok(Data {
        task: Task {
            data: data.name.clone(),
            classes: known.map_or(classes, <[String]>::to_vec),
            input: InputShape { channels, height, width },
            time_steps,
            is_static: false,
        },
        test: frames(test.clone(), false)?,
        train: with_hook(Arc::clone(&train), train_loader(config, train.len()), hook)?,
        warnings,
        test_loader: test_loader(config),
        labels,
        source: Source::Events { set, test, config: Box::new(events), told: AtomicUsize::new(0) },
    })
}

/// How recordings become input, and their time steps; where the slicing was left out, it follows `time_steps`.
///
/// # Errors
/// A recipe that makes no sense, or another number of frames than there are time steps.
pub fn event_config(config: &Config) -> Result<(EventConfig, usize)> {
    let mut events = config.data.events.clone().unwrap_or_default();
    if let Some(wanted) = config.time_steps {
        events.recipe.slicing = events.recipe.slicing.with_default_bins(wanted);
    }
    let steps = events.recipe.time_steps()?;
    if let Some(wanted) = config.time_steps {
        ensure!(
            steps == wanted,
            "`time_steps` is {wanted}, but `data.events.recipe` makes {steps} frames; leave one of them out"
        );
    }
    Ok((events, steps))
}

fn no_part<'a>(key: &str, name: &str, known: impl Iterator<Item = &'a str>) -> anyhow::Error {
    let known: Vec<_> = known.collect();
    anyhow::anyhow!("`data.{key}` asks for the part `{name}`, but there are: {}", known.join(", "))
}

/// How recordings that are not of the data set, but like its own, are read: the same way up, and as lenient.
///
/// # Errors
/// A configuration or a manifest that makes no sense for recordings.
pub fn recording_reader(config: &Config, manifest: &Manifest) -> Result<RecordingReader> {
    let orientation = event_config(config)?.0.orientation;
    let lenient = config.data.bad_events == BadEvents::Drop;
    Ok(RecordingReader::new(manifest, orientation, lenient)?)
}

/// How images that are not of the data set, but of its size and channels, become the input of a trained network.
///
/// # Errors
/// A recipe that makes no sense or does not fit such images.
pub fn preprocessor(config: &Config, task: &Task, manifest: Option<&Manifest>) -> Result<Preprocessor> {
    let InputShape { channels, height, width } = task.input;
    let recipe = config.data.images.clone().unwrap_or_default().recipe;
    Ok(Preprocessor::new(recipe, manifest, channels, Some([height, width]))?)
}

fn open_images(
    config: &Config,
    manifest: Option<&Manifest>,
    path: PathBuf,
    known: Option<&[String]>,
) -> Result<Data> {
    let data = &config.data;
    ensure!(
        data.events.is_none(),
        "`data.events` is for recordings, but `{}` holds images: use `data.images`",
        data.name
    );
    if let Some(split) = &data.split {
        // Images have the parts that their publisher gave them.
        let published = manifest.and_then(|manifest| manifest.splits.first()).map(|split| &split.name);
        ensure!(
            published == Some(split),
            "`data.split` is \"{split}\", but images are split as they were published: leave it out"
        );
    }
    let images = data.images.clone().unwrap_or_default();
    let options =
        OpenOptions { accept_counts: data.accept_counts || is_subset(data), ..OpenOptions::default() };
    let open = |part: &str| -> Result<Arc<ImageSet>> {
        Ok(Arc::new(match manifest {
            Some(manifest) => tks_images::datasets::open_manifest(manifest, &path, part, &options)?,
            None => tks_images::datasets::open_folder(&path, Some(part), &options)?,
        }))
    };
    let train_set = open(&data.train.part)?;
    let test_set =
        if data.test.part == data.train.part { Arc::clone(&train_set) } else { open(&data.test.part)? };
    let parts = (data.train.part.as_str(), train_set.classes());
    if let Some(difference) = class_difference(parts, (&data.test.part, test_set.classes())) {
        bail!("{difference}; give both parts a folder of each class, with images in it");
    }
    let warnings = crate::data_warnings::of_images(&train_set, &test_set, manifest.is_some());
    let labels = labels_of(known, train_set.classes())?;
    let samples = |set: &Arc<ImageSet>, part: &PartConfig, key, augment| -> Result<Arc<Samples>> {
        let indices = part.range(key, set.len())?.collect();
        let preprocessor = Preprocessor::for_set(set, images.recipe.clone(), manifest)?;
        let samples =
            ImageSamples::<f32>::with_preprocessor(Arc::clone(set), indices, preprocessor, augment)?;
        Ok(Relabeled::wrap(Arc::new(samples), &labels))
    };
    let train = samples(&train_set, &data.train, "train", true)?;
    let test = samples(&test_set, &data.test, "test", false)?;
    ensure!(
        train.shape() == test.shape(),
        "the images of `{}` become {:?} (channels, height, width) and those of `{}` {:?}: set \
         `data.images.recipe.resize`",
        data.train.part,
        train.shape().frame,
        data.test.part,
        test.shape().frame
    );
    let &[channels, height, width] = train.shape().frame.as_slice() else {
        bail!("images have channels, height and width, not {:?}", train.shape().frame)
    };
    let hook: Option<Hook> = images.mix.map(|mix: tks_images::augment::Mix| -> Hook {
        Box::new(move |batch, rng| Ok(mix.on_batch(batch, rng)?))
    });
    Ok(Data {
        task: Task {
            data: data.name.clone(),
            classes: known.unwrap_or(train_set.classes()).to_vec(),
            input: InputShape { channels, height, width },
            time_steps: config.time_steps.unwrap_or(STATIC_TIME_STEPS),
            is_static: true,
        },
        train: with_hook(Arc::clone(&train), train_loader(config, train.len()), hook)?,
        test,
        warnings,
        test_loader: test_loader(config),
        labels,
        source: Source::Images,
    })
}

/// Whether only a range of a part is asked for: then the part itself may be cut, too.
fn is_subset(data: &DataConfig) -> bool {
    data.train.to.is_some() && data.test.to.is_some()
}

/// The first `count` samples of a set, for a trial.
///
/// # Errors
/// None that a set of that length has.
pub fn first(samples: &Arc<Samples>, count: usize) -> Result<Arc<Samples>> {
    Ok(Arc::new(Subset::new(Arc::clone(samples), (0..count.min(samples.len())).collect())?))
}

/// A batch as tensors on the device.
#[derive(Debug)]
pub struct TensorBatch {
    /// `[T, B, C, H, W]`, or `[B, C, H, W]` for images.
    pub inputs: Tensor,
    /// The classes, `[B]`, `i64`.
    pub labels: Tensor,
    /// Soft labels `[B, K]`, where samples were mixed.
    pub soft: Option<Tensor>,
    /// Samples.
    pub len: usize,
}

impl TensorBatch {
    /// Copies a batch to `device`.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn new(batch: &Batch<f32>, device: Device) -> Result<Self> {
        let shape: Vec<i64> = batch.inputs().shape().iter().map(|&length| length as i64).collect();
        let inputs = Tensor::f_from_slice(batch.as_slice())?.f_view(shape.as_slice())?.f_to_device(device)?;
        let labels = Tensor::f_from_slice(batch.labels())?.f_to_device(device)?;
        let soft = match batch.soft_labels() {
            Some(soft) => {
                let values = soft.as_slice().context("soft labels lie in order")?;
                let size = [soft.nrows() as i64, soft.ncols() as i64];
                Some(Tensor::f_from_slice(values)?.f_view(size)?.f_to_device(device)?)
            }
            None => None,
        };
        Ok(TensorBatch { inputs, labels, soft, len: batch.len() })
    }

    /// What the network takes.
    pub fn input(&self, time_steps: usize) -> Input<'_> {
        match self.inputs.dim() {
            4 => Input::Static(&self.inputs, time_steps),
            _ => Input::Sequence(&self.inputs),
        }
    }

    /// What the loss takes.
    pub fn target(&self) -> tks_loss::Target<'_> {
        match &self.soft {
            Some(soft) => tks_loss::Target::Soft(soft),
            None => tks_loss::Target::Hard(&self.labels),
        }
    }
}

/// The size that all recordings of a data set have.
fn sensor_of(manifest: &Manifest) -> Result<tks_events::SensorSize> {
    let size = manifest.size.fixed().context("recordings have one size")?;
    Ok(tks_events::SensorSize { width: size.width.try_into()?, height: size.height.try_into()? })
}
