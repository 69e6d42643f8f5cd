//! Images as a data source.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail, ensure};
use tch::Tensor;
use tks_data::{Manifest, SampleSet};
use tks_images::datasets::{OpenOptions, class_difference, open_folder, open_manifest};
use tks_images::preprocess::PreprocessScratch;
use tks_images::recipe::Normalize;
use tks_images::{ImageBytes, ImageError, ImageSamples, ImageSet, Preprocessor, Recipe};
use tks_models::InputShape;

use super::source::{BatchHook, DataSource, InputDescription, OpenedData, SampleReader};
use super::{Samples, Task, path_of};
use crate::config::{Config, DataConfig, PartConfig, STATIC_TIME_STEPS};
use crate::export::ImageInput;

/// Images of a data set with a manifest, or of any folder with one subfolder per class.
#[derive(Debug)]
pub(super) struct ImageSource(pub(super) Option<Manifest>);

impl DataSource for ImageSource {
    fn open(&self, config: &Config) -> Result<OpenedData> {
        let manifest = self.0.as_ref();
        let data = &config.data;
        ensure!(
            data.events.is_none(),
            "`data.events` is for recordings, but `{}` holds images: use `data.images`",
            data.name
        );
        if let Some(split) = &data.split {
            // Images have the parts defined by their publisher.
            let published = manifest.and_then(|manifest| manifest.splits.first()).map(|split| &split.name);
            ensure!(
                published == Some(split),
                "`data.split` is \"{split}\", but images are split as they were published: leave it out"
            );
        }
        let path = path_of(data, manifest)?;
        let images = data.images.clone().unwrap_or_default();
        let options =
            OpenOptions { accept_counts: data.accept_counts || is_subset(data), ..OpenOptions::default() };
        let open = |part: &str| -> Result<Arc<ImageSet>> {
            Ok(Arc::new(match manifest {
                Some(manifest) => open_manifest(manifest, &path, part, &options)?,
                None => open_folder(&path, Some(part), &options)?,
            }))
        };
        let train_set = open(&data.train.part)?;
        let test_set =
            if data.test.part == data.train.part { Arc::clone(&train_set) } else { open(&data.test.part)? };
        let parts = (data.train.part.as_str(), train_set.class_names());
        if let Some(difference) = class_difference(parts, (&data.test.part, test_set.class_names())) {
            bail!("{difference}; give both parts a folder of each class, with images in it");
        }
        let warnings = crate::data_warnings::of_images(&train_set, &test_set, manifest.is_some());
        let samples = |set: &Arc<ImageSet>, part: &PartConfig, key, augment| -> Result<Arc<Samples>> {
            let indices = part.range(key, set.len())?.collect();
            let preprocessor = Preprocessor::for_set(set, images.recipe.clone(), manifest)?;
            Ok(Arc::new(ImageSamples::<f32>::with_preprocessor(
                Arc::clone(set),
                indices,
                preprocessor,
                augment,
            )?))
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
        let mix = images.mix;
        Ok(OpenedData {
            task: Task {
                data: data.name.clone(),
                classes: train_set.class_names().to_vec(),
                input: InputShape { channels, height, width },
                time_steps: config.time_steps.unwrap_or(STATIC_TIME_STEPS),
                is_static: true,
            },
            train,
            test,
            mix: mix.map(|mix| -> BatchHook { Box::new(move |batch, rng| Ok(mix.on_batch(batch, rng)?)) }),
            warnings,
            left_out: None,
            rebin: None,
        })
    }

    fn describe(&self, config: &Config) -> Result<Task> {
        let Some(manifest) = &self.0 else { return Ok(self.open(config)?.task) };
        let recipe = config.data.images.clone().unwrap_or_default().recipe;
        let size = manifest.size.fixed().map(|size| [size.height as usize, size.width as usize]);
        let [channels, height, width] = recipe.shape(manifest.channels, size)?;
        Ok(Task {
            data: config.data.name.clone(),
            classes: manifest.classes.names_or_numbers(),
            input: InputShape { channels, height, width },
            time_steps: config.time_steps.unwrap_or(STATIC_TIME_STEPS),
            is_static: true,
        })
    }

    fn reader(&self, config: &Config, task: &Task) -> Result<Box<dyn SampleReader>> {
        Ok(Box::new(ImageFiles {
            preprocessor: self.preprocessor(config, task)?,
            scratch: Mutex::default(),
            time_steps: config.time_steps.unwrap_or(task.time_steps),
        }))
    }

    fn describe_input(&self, config: &Config, task: &Task) -> Result<InputDescription> {
        let preprocessor = self.preprocessor(config, task)?;
        let (mean, std) = (preprocessor.normalization().mean(), preprocessor.normalization().std());
        let recipe = Recipe {
            augment: Vec::new(),
            channels: Some(task.input.channels),
            normalize: Normalize::Values { mean: mean.to_vec(), std: std.to_vec() },
            ..preprocessor.recipe().clone()
        };
        Ok(InputDescription { events: None, images: Some(ImageInput { recipe }) })
    }
}

impl ImageSource {
    /// How images that are not in the data set, but have its size and channels, become the input of a trained
    /// network.
    fn preprocessor(&self, config: &Config, task: &Task) -> Result<Preprocessor> {
        let InputShape { channels, height, width } = task.input;
        let recipe = config.data.images.clone().unwrap_or_default().recipe;
        Ok(Preprocessor::new(recipe, self.0.as_ref(), channels, Some([height, width]))?)
    }
}

/// Whether only a range of a part is selected: the part itself may then be incomplete.
fn is_subset(data: &DataConfig) -> bool {
    data.train.to.is_some() && data.test.to.is_some()
}

/// Individual images, processed like those of the data set.
#[derive(Debug)]
struct ImageFiles {
    preprocessor: Preprocessor,
    scratch: Mutex<PreprocessScratch>,
    time_steps: usize,
}

impl SampleReader for ImageFiles {
    fn time_steps(&self) -> usize {
        self.time_steps
    }

    fn read(&self, path: &Path, _: usize, bounding_box: Option<[f32; 4]>) -> Result<Tensor> {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        image(&self.preprocessor, path, bounding_box, &mut scratch)
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
