//! Classifies files with a trained network: pictures, or recordings of events.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tch::{Kind, Tensor};
use tks_data::Manifest;
use tks_events::formats::{ReadOptions, read};
use tks_events::frames::FramesMut;
use tks_events::recipe::Scratch as EventScratch;
use tks_images::decode::Decoder;
use tks_images::recipe::{Normalization, Scratch as ImageScratch};
use tks_models::{Input, Network};

use crate::config::Config;
use crate::data::{FOLDER, Task, event_config, sensor_of};
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

/// Turns files into a network's input.
#[derive(Debug)]
pub struct Reader {
    config: Config,
    task: Task,
    manifest: Option<Manifest>,
}

impl Reader {
    /// As the configuration's data are read, without augmentation.
    ///
    /// # Errors
    /// The manifest of its data set cannot be read.
    pub fn new(config: &Config, task: &Task) -> Result<Self> {
        let manifest = match task.data.as_str() {
            FOLDER => None,
            name => Some(datasets::manifest(name)?),
        };
        Ok(Reader { config: config.clone(), task: task.clone(), manifest })
    }

    /// A file as a batch of one: `[T, 1, C, H, W]`, or `[1, C, H, W]` for a picture.
    ///
    /// # Errors
    /// A file that cannot be read or is of another kind.
    pub fn read(&self, path: &Path) -> Result<Tensor> {
        match self.task.is_static {
            true => self.picture(path),
            false => self.recording(path),
        }
        .with_context(|| format!("cannot classify {}", path.display()))
    }

    fn picture(&self, path: &Path) -> Result<Tensor> {
        let recipe = self.config.data.images.clone().unwrap_or_default().recipe;
        let [channels, height, width] = self.shape();
        let normalization = Normalization::of(&recipe.normalize, self.manifest.as_ref(), channels)?;
        let mut scratch = ImageScratch::default();
        Decoder::default().decode(&std::fs::read(path)?, &mut scratch.picture)?;
        let mut values = vec![0.0f32; channels * height * width];
        recipe.write(&normalization, None, &mut values, &mut scratch)?;
        Ok(Tensor::f_from_slice(&values)?.f_view([1, channels as i64, height as i64, width as i64])?)
    }

    fn recording(&self, path: &Path) -> Result<Tensor> {
        let recipe = event_config(&self.config)?.0.recipe;
        let sensor = self.manifest.as_ref().map(sensor_of).transpose()?;
        let mut stream = read(path, &ReadOptions { sensor, ..ReadOptions::default() })?.stream;
        stream.sort();
        let [channels, height, width] = self.shape();
        let shape = [self.task.time_steps, channels, height, width];
        let mut values = vec![0.0f32; shape.iter().product()];
        let mut frames = FramesMut::contiguous(&mut values, shape)?;
        recipe.write(&stream.events(), &mut frames, &mut EventScratch::default())?;
        let size = [shape[0], 1, shape[1], shape[2], shape[3]].map(|length| length as i64);
        Ok(Tensor::f_from_slice(&values)?.f_view(size)?)
    }

    fn shape(&self) -> [usize; 3] {
        let input = self.task.input;
        [input.channels, input.height, input.width]
    }
}

/// Classifies one file; `top` classes are told.
///
/// # Errors
/// A file that cannot be read; what libtorch refuses.
pub fn predict(
    network: &Network,
    reader: &Reader,
    file: &Path,
    time_steps: Option<usize>,
    top: usize,
) -> Result<Prediction> {
    let usual = reader.task.time_steps;
    let steps = time_steps.unwrap_or(usual);
    ensure!(steps > 0, "`--time-steps` is 0: a network runs 1 step or more");
    let inputs = reader.read(file)?.f_to_device(network.device())?;
    let is_static = reader.task.is_static;
    ensure!(is_static || steps <= usual, "`--time-steps` is {steps}, but a recording becomes {usual} frames");
    let inputs = if is_static { inputs } else { inputs.f_narrow(0, 0, steps as i64)? };
    let input = if is_static { Input::Static(&inputs, steps) } else { Input::Sequence(&inputs) };
    let execution = &reader.config.execution;
    let logits = tch::no_grad(|| network.forward(input, false, execution))?;
    let mean = logits.f_mean_dim(0, false, Kind::Float)?.f_get(0)?;
    let probabilities = Vec::<f64>::try_from(mean.f_softmax(0, Kind::Double)?)?;
    let name = |class: usize| reader.task.classes.get(class).cloned().unwrap_or_else(|| class.to_string());
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let by_steps =
        Vec::<i64>::try_from(logits.f_cumsum(0, Kind::Float)?.f_argmax(2, false)?.f_flatten(0, -1)?)?;
    Ok(Prediction {
        file: file.to_path_buf(),
        classes: order.into_iter().take(top).map(|class| (name(class), probabilities[class])).collect(),
        by_steps: by_steps.into_iter().map(|class| name(class as usize)).collect(),
    })
}
