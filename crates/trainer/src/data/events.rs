//! Recordings of events as a data source.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use tch::Tensor;
use tks_data::{Manifest, SampleSet};
use tks_events::datasets::{EventFrames, EventSet, FolderOptions, Orientation, RecordingReader, SetOptions};
use tks_events::formats::ReadOptions;
use tks_events::frames::FramesMut;
use tks_events::recipe::{Recipe, Scratch};
use tks_events::slicing::Slicing;
use tks_models::InputShape;

use super::source::{BatchHook, DataSource, InputDescription, OpenedData, SampleReader};
use super::{Samples, Task, path_of};
use crate::config::{BadEvents, Config, EventConfig, FewerSteps, PartConfig};
use crate::datasets;
use crate::export::EventInput;

/// Recordings of a data set with a manifest, or of any folder with one subfolder per class.
#[derive(Debug)]
pub(super) struct EventSource(pub(super) Option<Manifest>);

impl EventSource {
    fn open_set(&self, config: &Config, events: &EventConfig) -> Result<EventSet> {
        let data = &config.data;
        let path = path_of(data, self.0.as_ref())?;
        let lenient = data.bad_events == BadEvents::Drop;
        Ok(match &self.0 {
            Some(manifest) => {
                ensure!(
                    events.sensor.is_none(),
                    "`data.events.sensor` is for a folder of recordings; the sensor of `{}` is known: leave it out",
                    data.name
                );
                let options = SetOptions {
                    strict: !data.accept_counts,
                    orientation: events.orientation,
                    lenient,
                    ..SetOptions::default()
                };
                EventSet::open(manifest.clone(), &path, options)?
            }
            None => {
                ensure!(
                    data.split.is_none(),
                    "`data.split` is for data sets with a manifest, but `{}` is split by its folders: leave it out",
                    data.name
                );
                ensure!(
                    events.orientation == Orientation::default(),
                    "`data.events.orientation` is for data sets whose publishers turned them; recordings in a folder are \
                     taken as they are: leave it out"
                );
                let read = ReadOptions { sensor: events.sensor, lenient, ..ReadOptions::default() };
                EventSet::open_folder(&path, FolderOptions { read, ..FolderOptions::default() })?
            }
        })
    }

    /// A reader for recordings that are not in the data set but are processed like it: with the same
    /// orientation and handling of faulty events.
    fn recording_reader(&self, config: &Config, events: &EventConfig) -> Result<RecordingReader> {
        let lenient = config.data.bad_events == BadEvents::Drop;
        match &self.0 {
            Some(manifest) => Ok(RecordingReader::new(manifest, events.orientation, lenient)?),
            // The folder determines the sensor.
            None => match events.sensor {
                Some(sensor) => {
                    let read = ReadOptions { lenient, ..ReadOptions::default() };
                    Ok(RecordingReader::of_folder(sensor, &read))
                }
                None => Ok(self.open_set(config, events)?.reader()),
            },
        }
    }
}

impl DataSource for EventSource {
    fn open(&self, config: &Config) -> Result<OpenedData> {
        let data = &config.data;
        ensure!(
            data.images.is_none(),
            "`data.images` is for images, but `{}` holds recordings: use `data.events`",
            data.name
        );
        let (events, time_steps) = event_config(config)?;
        let set = Arc::new(self.open_set(config, &events)?);
        let parts = set.parts(data.split.as_deref(), &datasets::catalogue())?;
        let part = |key: &str, part: &PartConfig| -> Result<Vec<usize>> {
            match parts.get(&part.part) {
                Some(indices) => Ok(indices[part.range(key, indices.len())?].to_vec()),
                None => Err(no_part(key, &part.part, parts.keys().map(String::as_str))),
            }
        };
        let (train, test) = (part("train", &data.train)?, part("test", &data.test)?);
        let warnings = crate::data_warnings::of_recordings(&set, &parts, [&data.train.part, &data.test.part]);
        let frames = |indices: Vec<usize>, recipe: Recipe, augment| -> Result<Arc<Samples>> {
            Ok(Arc::new(EventFrames::<f32>::new(Arc::clone(&set), indices, recipe, augment)?))
        };
        let [_, channels, height, width] = events.recipe.shape(set.sensor())?;
        let mix = events.mix.filter(|mix| mix.methods().next().is_some());
        let opened = OpenedData {
            task: Task {
                data: data.name.clone(),
                classes: set.class_names().to_vec(),
                input: InputShape { channels, height, width },
                time_steps,
                is_static: false,
            },
            train: frames(train, events.recipe.clone(), true)?,
            test: frames(test.clone(), events.recipe.clone(), false)?,
            mix: mix.map(|mix| -> BatchHook { Box::new(move |batch, rng| Ok(mix.on_batch(batch, rng)?)) }),
            warnings,
            left_out: None,
            rebin: None,
        };
        let told = AtomicUsize::new(0);
        let of_left_out = Arc::clone(&set);
        Ok(OpenedData {
            left_out: Some(Box::new(move || {
                let left_out = of_left_out.left_out();
                let before = told.swap(left_out.recordings, Ordering::Relaxed);
                (left_out.recordings > before).then(|| format!("{left_out} (`data.bad_events = \"drop\"`)"))
            })),
            rebin: Some(Box::new(move |time_steps| {
                let recipe = rebinned(&events.recipe, time_steps)?;
                Ok(Arc::new(EventFrames::<f32>::new(Arc::clone(&set), test.clone(), recipe, false)?))
            })),
            ..opened
        })
    }

    fn describe(&self, config: &Config) -> Result<Task> {
        let Some(manifest) = &self.0 else { return Ok(self.open(config)?.task) };
        let (events, time_steps) = event_config(config)?;
        let [_, channels, height, width] = events.recipe.shape(sensor_of(manifest)?)?;
        Ok(Task {
            data: config.data.name.clone(),
            classes: manifest.classes.names_or_numbers(),
            input: InputShape { channels, height, width },
            time_steps,
            is_static: false,
        })
    }

    fn reader(&self, config: &Config, _: &Task) -> Result<Box<dyn SampleReader>> {
        let (events, time_steps) = event_config(config)?;
        Ok(Box::new(RecordingFiles {
            reader: self.recording_reader(config, &events)?,
            recipe: events.recipe,
            time_steps,
            fewer_steps: config.evaluation.fewer_steps,
        }))
    }

    fn describe_input(&self, config: &Config, _: &Task) -> Result<InputDescription> {
        let (events, _) = event_config(config)?;
        let sensor = self.recording_reader(config, &events)?.sensor();
        let EventConfig { recipe, orientation, .. } = events;
        let recipe = Recipe { event_augment: Vec::new(), frame_augment: Vec::new(), ..recipe };
        Ok(InputDescription { events: Some(EventInput { sensor, orientation, recipe }), images: None })
    }
}

/// Individual recordings, processed like those of the data set.
#[derive(Debug)]
struct RecordingFiles {
    reader: RecordingReader,
    recipe: Recipe,
    time_steps: usize,
    fewer_steps: FewerSteps,
}

impl SampleReader for RecordingFiles {
    fn time_steps(&self) -> usize {
        self.time_steps
    }

    fn read(&self, path: &Path, time_steps: usize, _: Option<[f32; 4]>) -> Result<Tensor> {
        // As in evaluation: fewer steps are the first frames, unless the whole recording is divided into
        // fewer frames.
        let usual = self.time_steps;
        let whole = time_steps > usual || self.fewer_steps == FewerSteps::Rebin;
        let changed =
            if whole && time_steps != usual { Some(rebinned(&self.recipe, time_steps)?) } else { None };
        let recipe = changed.as_ref().unwrap_or(&self.recipe);
        let shape = recipe.shape(self.reader.sensor())?;
        let mut values = vec![0.0f32; shape.iter().product()];
        let mut frames = FramesMut::contiguous(&mut values, shape)?;
        recipe.write(&self.reader.read(path)?.0.events(), &mut frames, &mut Scratch::default())?;
        let [steps, channels, height, width] = shape.map(|length| length as i64);
        let frames = Tensor::f_from_slice(&values)?.f_view([steps, 1, channels, height, width])?;
        Ok(frames.f_narrow(0, 0, steps.min(time_steps as i64))?)
    }
}

/// A recipe for another number of frames.
///
/// # Errors
/// A slicing whose steps are not determined by a number of bins.
fn rebinned(recipe: &Recipe, time_steps: usize) -> Result<Recipe> {
    let mut recipe = recipe.clone();
    match &mut recipe.slicing {
        Slicing::TimeBins { bins, .. } | Slicing::EventBins { bins, .. } => *bins = time_steps,
        _ => bail!(
            "another number of time steps needs a slicing into a number of bins, which this recipe does not have"
        ),
    }
    Ok(recipe)
}

/// How recordings become input, and the number of time steps. If the slicing is left out, it uses
/// `time_steps`.
///
/// # Errors
/// An invalid recipe, or a number of frames that differs from the number of time steps.
fn event_config(config: &Config) -> Result<(EventConfig, usize)> {
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

/// The size of all recordings of a data set.
fn sensor_of(manifest: &Manifest) -> Result<tks_events::SensorSize> {
    let size = manifest.size.fixed().context("recordings have one size")?;
    Ok(tks_events::SensorSize { width: size.width.try_into()?, height: size.height.try_into()? })
}
