//! Classifies files with a trained network: images, or recordings of events.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Result, bail, ensure};
use serde::Serialize;
use tch::{Kind, Tensor};
use tks_events::datasets::RecordingReader;
use tks_events::frames::FramesMut;
use tks_events::recipe::{Recipe, Scratch as EventScratch};
use tks_images::preprocess::PreprocessScratch;
use tks_images::{ImageBytes, ImageError, Preprocessor};
use tks_models::{Input, Network};

use crate::config::{Config, FewerSteps};
use crate::data::{FOLDER, Task, event_config, preprocessor, rebinned, recording_reader};
use crate::datasets;

/// What a network takes a file for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The file.
    pub file: PathBuf,
    /// Classes with their probabilities, the likeliest first.
    pub classes: Vec<(String, f64)>,
    /// The likeliest class after 1, 2, ... steps.
    pub by_steps: Vec<String>,
}

/// Turns files into a network's input, as the samples of its data set become it.
#[derive(Debug)]
pub struct Reader {
    config: Config,
    task: Task,
    kind: ReaderKind,
}

#[derive(Debug)]
enum ReaderKind {
    Events { reader: RecordingReader, recipe: Box<Recipe> },
    Images { preprocessor: Box<Preprocessor>, scratch: Box<Mutex<PreprocessScratch>> },
}

impl Reader {
    /// As the configuration's data are read to be tested on.
    ///
    /// # Errors
    /// The manifest of its data set cannot be read, or the configuration does not fit it.
    pub fn new(config: &Config, task: &Task) -> Result<Self> {
        let manifest = match task.data.as_str() {
            FOLDER => None,
            name => Some(datasets::manifest(name)?),
        };
        let mut task = task.clone();
        let kind = match (task.is_static, &manifest) {
            (true, _) => {
                task.time_steps = config.time_steps.unwrap_or(task.time_steps);
                let preprocessor = preprocessor(config, &task, manifest.as_ref())?;
                ReaderKind::Images { preprocessor: preprocessor.into(), scratch: Box::default() }
            }
            (false, Some(manifest)) => {
                let (events, time_steps) = event_config(config)?;
                task.time_steps = time_steps;
                let reader = recording_reader(config, manifest)?;
                ReaderKind::Events { reader, recipe: Box::new(events.recipe) }
            }
            (false, None) => bail!("a folder without a manifest holds images, but the run is of recordings"),
        };
        Ok(Reader { config: config.clone(), task, kind })
    }

    /// A file as a batch of one: `[T, 1, C, H, W]` with `time_steps` frames, or `[1, C, H, W]` for an image.
    /// `bounding_box`: left, top, width and height in pixels, for a network that sees images cut to theirs.
    ///
    /// # Errors
    /// A file that cannot be read or is of another kind or size.
    pub fn read(&self, path: &Path, time_steps: usize, bounding_box: Option<[f32; 4]>) -> Result<Tensor> {
        match &self.kind {
            ReaderKind::Images { preprocessor, scratch } => {
                let mut scratch = scratch.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                image(preprocessor, path, bounding_box, &mut scratch)
            }
            ReaderKind::Events { reader, recipe } => self.recording(*reader, recipe, path, time_steps),
        }
        .map_err(|error| {
            let named = error.chain().any(|cause| cause.to_string().contains(&*path.to_string_lossy()));
            let file = if named { String::new() } else { format!(" {}", path.display()) };
            error.context(format!("cannot classify{file}"))
        })
    }

    fn recording(
        &self,
        reader: RecordingReader,
        recipe: &Recipe,
        path: &Path,
        time_steps: usize,
    ) -> Result<Tensor> {
        // As in evaluation: fewer steps are the first frames, unless they are to be the whole in fewer frames.
        let usual = self.task.time_steps;
        let whole = time_steps > usual || self.config.evaluation.fewer_steps == FewerSteps::Rebin;
        let changed = if whole && time_steps != usual { Some(rebinned(recipe, time_steps)?) } else { None };
        let recipe = changed.as_ref().unwrap_or(recipe);
        let shape = recipe.shape(reader.sensor())?;
        let mut values = vec![0.0f32; shape.iter().product()];
        let mut frames = FramesMut::contiguous(&mut values, shape)?;
        recipe.write(&reader.read(path)?.0.events(), &mut frames, &mut EventScratch::default())?;
        let [steps, channels, height, width] = shape.map(|length| length as i64);
        let frames = Tensor::f_from_slice(&values)?.f_view([steps, 1, channels, height, width])?;
        Ok(frames.f_narrow(0, 0, steps.min(time_steps as i64))?)
    }
}

fn image(
    preprocessor: &Preprocessor,
    path: &Path,
    bounding_box: Option<[f32; 4]>,
    scratch: &mut PreprocessScratch,
) -> Result<Tensor> {
    ensure!(
        preprocessor.recipe().bounding_box.is_none() || bounding_box.is_some(),
        "the network was trained on images cut to their bounding boxes (`data.images.recipe.bounding_box`): give this \
         one's by `--bounding-box LEFT,TOP,WIDTH,HEIGHT`"
    );
    let [channels, height, width] = preprocessor.shape();
    let mut values = vec![0.0f32; channels * height * width];
    let bytes = tks_data::regular_file::read(path)?;
    let written =
        preprocessor.write(ImageBytes::Encoded(&bytes), bounding_box, None, &mut values, scratch, || {
            path.to_path_buf()
        });
    match written {
        // The file is named by the caller.
        Err(ImageError::Size { found, expected, .. }) => bail!(
            "the network takes {} x {} pixels (height x width), and the image has {} x {}: bring it to that size, or \
             let it be resized by `--set 'data.images.recipe.resize={{ height = {}, width = {}, crop = 1.0 }}'`",
            expected[0],
            expected[1],
            found[0],
            found[1],
            expected[0],
            expected[1]
        ),
        Err(ImageError::Decode { source, .. }) => return Err(source.into()),
        other => other?,
    }
    Ok(Tensor::f_from_slice(&values)?.f_view([1, channels as i64, height as i64, width as i64])?)
}

/// How files are classified.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictOptions {
    /// Time steps; not given: as many as in training.
    pub time_steps: Option<usize>,
    /// So many classes are told.
    pub top: usize,
    /// Left, top, width and height in pixels, for a network that sees images cut to their bounding boxes.
    pub bounding_box: Option<[f32; 4]>,
}

impl Default for PredictOptions {
    fn default() -> Self {
        PredictOptions { time_steps: None, top: 3, bounding_box: None }
    }
}

/// Classifies one file.
///
/// # Errors
/// A file that cannot be read, logits that are not finite; what libtorch refuses.
pub fn predict(
    network: &Network,
    reader: &Reader,
    file: &Path,
    options: &PredictOptions,
) -> Result<Prediction> {
    let steps = options.time_steps.unwrap_or(reader.task.time_steps);
    ensure!(steps > 0, "`--time-steps` is 0: a network runs 1 step or more");
    let inputs = reader.read(file, steps, options.bounding_box)?.f_to_device(network.device())?;
    let input = if reader.task.is_static { Input::Static(&inputs, steps) } else { Input::Sequence(&inputs) };
    let execution = &reader.config.execution;
    let logits = tch::no_grad(|| network.forward(input, false, execution))?;
    let mean = logits.f_mean_dim(0, false, Kind::Float)?.f_get(0)?;
    let probabilities = Vec::<f64>::try_from(mean.f_softmax(0, Kind::Double)?)?;
    ensure!(
        probabilities.iter().all(|value| value.is_finite()),
        "the network's answer to {} is not a finite number; `tks eval` says where that begins",
        file.display()
    );
    let name = |class: usize| reader.task.classes.get(class).cloned().unwrap_or_else(|| class.to_string());
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let by_steps =
        Vec::<i64>::try_from(logits.f_cumsum(0, Kind::Float)?.f_argmax(2, false)?.f_flatten(0, -1)?)?;
    Ok(Prediction {
        file: file.to_path_buf(),
        classes: order
            .into_iter()
            .take(options.top)
            .map(|class| (name(class), probabilities[class]))
            .collect(),
        by_steps: by_steps.into_iter().map(|class| name(class as usize)).collect(),
    })
}
