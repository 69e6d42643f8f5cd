//! Classification of files with a trained network: images, or recordings of events.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde::Serialize;
use tch::{Kind, Tensor};
use tks_models::{Input, SpikingModel};

use crate::config::Config;
use crate::data::{self, SampleReader, Task};

/// The classification of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The file.
    pub file: PathBuf,
    /// Classes with their probabilities, most likely first.
    pub classes: Vec<(String, f64)>,
    /// The most likely class after 1, 2, ... steps.
    pub by_steps: Vec<String>,
}

/// Converts files to a network's input, like the samples of its data set.
#[derive(Debug)]
pub struct Reader {
    config: Config,
    task: Task,
    files: Box<dyn SampleReader>,
}

impl Reader {
    /// A reader that processes files like the configuration's test data.
    ///
    /// # Errors
    /// The manifest of its data set cannot be read, or the configuration does not fit it.
    pub fn new(config: &Config, task: &Task) -> Result<Self> {
        let files = data::reader(config, task)?;
        let task = Task { time_steps: files.time_steps(), ..task.clone() };
        Ok(Reader { config: config.clone(), task, files })
    }

    /// Reads a file as a batch of one: [`SampleReader::read`].
    ///
    /// # Errors
    /// A file that cannot be read or is of the wrong kind or size.
    pub fn read(&self, path: &Path, time_steps: usize, bounding_box: Option<[f32; 4]>) -> Result<Tensor> {
        self.files.read(path, time_steps, bounding_box).map_err(|error| {
            let named = error.chain().any(|cause| cause.to_string().contains(&*path.to_string_lossy()));
            let file = if named { String::new() } else { format!(" {}", path.display()) };
            error.context(format!("cannot classify{file}"))
        })
    }
}

/// Options for the classification of files.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictOptions {
    /// Number of time steps; if not given, as in training.
    pub time_steps: Option<usize>,
    /// Number of classes to return.
    pub top: usize,
    /// Left, top, width and height in pixels, for a network trained on images cropped to their bounding
    /// boxes.
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
/// A file that cannot be read, non-finite logits, errors from libtorch.
pub fn predict(
    network: &dyn SpikingModel,
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
