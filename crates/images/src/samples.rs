//! Images as arrays for the loader.

use std::marker::PhantomData;
use std::sync::Arc;

use tks_data::{BoxError, DataError, Dataset, SampleContext, SampleSet, SampleShape, SampleSlot};

use crate::datasets::{self, ImageSet};
use crate::error::ImageError;
use crate::preprocess::{PreprocessScratch, Preprocessor};
use crate::recipe::{Level, Normalization, Recipe};

/// Images of a data set prepared by a recipe: batches are `[B, C, H, W]`.
///
/// `f32` values are normalised. `u8` values are levels of 0 to 255, to be normalised on the device by
/// [`ImageSamples::normalization`].
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
/// use tks_data::{Loader, LoaderConfig, SampleSet};
/// use tks_images::datasets::{OpenOptions, open};
/// use tks_images::{ImageSamples, Recipe};
///
/// let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/digits");
/// let digits = Arc::new(open("digits", &shipped, "train", &OpenOptions::default())?);
/// let all = (0..digits.len()).collect();
/// let samples: ImageSamples<f32> = ImageSamples::new(digits, all, Recipe::default(), false)?;
/// let loader = Loader::new(Arc::new(samples), LoaderConfig::default())?;
/// let batch = loader.epoch(0)?.next().expect("45 batches")?;
/// assert_eq!(batch.inputs().shape(), [32, 1, 8, 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ImageSamples<E> {
    set: Arc<ImageSet>,
    indices: Vec<usize>,
    augment: bool,
    preprocessor: Preprocessor,
    element: PhantomData<E>,
}

/// A worker's memory, kept from one image to the next.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
    preprocess: PreprocessScratch,
}

impl<E: Level> ImageSamples<E> {
    /// The images `indices` of `set`, prepared by `recipe`, with its random augmentation if `augment` is set.
    ///
    /// # Errors
    /// [`DataError::Setting`] for an option of the recipe that is invalid or does not suit the data set, an
    /// index out of range, and steps on values if `E` is `u8`.
    pub fn new(
        set: Arc<ImageSet>,
        indices: Vec<usize>,
        recipe: Recipe,
        augment: bool,
    ) -> Result<Self, ImageError> {
        let manifest = datasets::manifest(set.name()).ok();
        let preprocessor = Preprocessor::for_set(&set, recipe, manifest.as_ref())?;
        Self::with_preprocessor(set, indices, preprocessor, augment)
    }

    /// The images `indices` of `set`, prepared by a shared preprocessor.
    ///
    /// # Errors
    /// As [`ImageSamples::new`].
    pub fn with_preprocessor(
        set: Arc<ImageSet>,
        indices: Vec<usize>,
        preprocessor: Preprocessor,
        augment: bool,
    ) -> Result<Self, ImageError> {
        let wrong = |field, message: String| Err(DataError::Setting { field, message }.into());
        if let Some(outside) = indices.iter().find(|&&index| index >= set.len()) {
            return wrong("indices", format!("{outside} is not below the data set's {} images", set.len()));
        }
        preprocessor.require_boxes(set.name(), set.has_bounding_boxes())?;
        if augment
            && !E::NORMALIZED
            && let Some(step) = preprocessor.recipe().augment.iter().find(|step| step.is_on_values())
        {
            return wrong("augment", format!("{step:?} follows normalisation: ask for f32, or leave it out"));
        }
        Ok(Self { set, indices, augment, preprocessor, element: PhantomData })
    }

    /// The data set.
    pub fn set(&self) -> &Arc<ImageSet> {
        &self.set
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        self.preprocessor.recipe()
    }

    /// The normalisation that is applied to `f32` values, and that remains to be applied to `u8` values.
    pub fn normalization(&self) -> &Normalization {
        self.preprocessor.normalization()
    }

    fn write(&self, index: usize, context: &mut SampleContext, out: &mut [E]) -> Result<(), ImageError> {
        let (rng, Scratch { bytes, preprocess }) = context.rng_and_scratch::<Scratch>();
        let image = self.set.image(index, bytes)?;
        let place = self.set.bounding_box(index);
        let rng = self.augment.then_some(rng);
        self.preprocessor.write(image, place, rng, out, preprocess, || self.set.path(index))
    }
}

impl<E: Level> Dataset for ImageSamples<E> {
    type Element = E;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn shape(&self) -> SampleShape {
        let [channels, height, width] = self.preprocessor.shape();
        SampleShape::image(channels, height, width)
    }

    fn classes(&self) -> usize {
        self.set.class_names().len()
    }

    fn label(&self, index: usize) -> usize {
        self.set.label(self.indices[index])
    }

    fn sample_name(&self, index: usize) -> String {
        self.set.sample_name(self.indices[index])
    }

    fn sample_size(&self, index: usize) -> Option<u64> {
        self.set.sample_size(self.indices[index])
    }

    fn load(
        &self,
        index: usize,
        context: &mut SampleContext,
        mut slot: SampleSlot<'_, E>,
    ) -> Result<(), BoxError> {
        self.write(self.indices[index], context, slot.step(0)).map_err(|error| match error {
            // the loader names the sample, which is the image's file
            ImageError::Decode { source, .. } => format!("{source}; fetch it again, or leave it out").into(),
            other => other.into(),
        })
    }
}
