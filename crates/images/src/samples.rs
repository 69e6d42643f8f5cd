//! Pictures as arrays, for the loader.

use std::marker::PhantomData;
use std::sync::Arc;

use tks_data::{BoxError, DataError, Dataset, SampleContext, SampleShape, SampleSlot};

use crate::datasets::{self, ImageSet, PictureBytes};
use crate::decode::Decoder;
use crate::error::ImageError;
use crate::recipe::{self, Beginning, Level, Normalization, Recipe};

/// Some pictures of a data set, by a recipe: batches are `[B, C, H, W]`.
///
/// Of `f32` they are normalised. Of `u8` they are grey levels of 0 to 255, to be normalised on the device by
/// [`ImageSamples::normalization`].
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
/// use tks_data::{Loader, LoaderConfig};
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
pub struct ImageSamples<E> {
    set: Arc<ImageSet>,
    indices: Vec<usize>,
    recipe: Recipe,
    augment: bool,
    shape: [usize; 3],
    normalization: Normalization,
    element: PhantomData<E>,
}

/// What a worker keeps from one picture to the next.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
    decoder: Decoder,
    recipe: recipe::Scratch,
}

impl<E: Level> ImageSamples<E> {
    /// The pictures `indices` of `set`, by `recipe`; with `augment` changed at random as it says.
    ///
    /// # Errors
    /// [`DataError::Setting`] for an option of the recipe that makes no sense or does not fit the data set, an index
    /// out of range, and steps on values where `E` is `u8`.
    pub fn new(
        set: Arc<ImageSet>,
        indices: Vec<usize>,
        recipe: Recipe,
        augment: bool,
    ) -> Result<Self, ImageError> {
        let wrong = |field, message: String| Err(DataError::Setting { field, message }.into());
        recipe.check()?;
        if let Some(outside) = indices.iter().find(|&&index| index >= set.len()) {
            return wrong("indices", format!("{outside} is not below the data set's {} pictures", set.len()));
        }
        if recipe.bounding_box.is_some() && !set.has_bounding_boxes() {
            return wrong("bounding_box", format!("{} gives no bounding boxes; leave it out", set.name()));
        }
        if augment
            && !E::NORMALIZED
            && let Some(step) = recipe.augment.iter().find(|step| step.is_on_values())
        {
            return wrong("augment", format!("{step:?} follows normalisation: ask for f32, or leave it out"));
        }
        let size = match (recipe.resize, recipe.bounding_box) {
            (None, None) => Some(set.common_size()?),
            (_, None) => set.size(),
            _ => None,
        };
        let shape = recipe.shape(set.channels(), size)?;
        let manifest = datasets::manifest(set.name()).ok();
        let normalization = Normalization::of(&recipe.normalize, manifest.as_ref(), shape[0])?;
        Ok(Self { set, indices, recipe, augment, shape, normalization, element: PhantomData })
    }

    /// The data set.
    pub fn set(&self) -> &Arc<ImageSet> {
        &self.set
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// By what `f32` values are normalised, and `u8` values are to be.
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    fn write(&self, index: usize, context: &mut SampleContext, out: &mut [E]) -> Result<(), ImageError> {
        let (rng, Scratch { bytes, decoder, recipe: room }) = context.rng_and_scratch::<Scratch>();
        let name = |source| ImageError::Decode { path: self.set.path(index), source };
        match self.set.picture(index, bytes)? {
            PictureBytes::Planar { pixels, channels, height, width } => {
                room.picture.copy_planes(pixels, channels, height, width);
            }
            PictureBytes::Encoded(file) => {
                // of a picture that is cropped or resized first, no more than that needs is decoded
                match self.recipe.beginning(self.augment) {
                    Beginning::Crop(crop) => {
                        let mut region = None;
                        let choose = |size| {
                            let (part, within) = crop.draw(size, &mut *rng);
                            region = Some(within);
                            part
                        };
                        decoder.decode_part(file, choose, &mut room.picture).map_err(name)?;
                        if let Some(region) = region {
                            crop.resize(region, room)?;
                            return self.recipe.augment_from(1, &self.normalization, rng, out, room);
                        }
                    }
                    Beginning::Reduced(resize) => {
                        decoder
                            .decode_part(file, |size| resize.part(size), &mut room.picture)
                            .map_err(name)?;
                    }
                    Beginning::Whole => decoder.decode(file, &mut room.picture).map_err(name)?,
                }
            }
        }
        let place = self.set.bounding_box(index);
        match self.augment {
            true => self.recipe.write_augmented(&self.normalization, place, rng, out, room),
            false => self.recipe.write(&self.normalization, place, out, room),
        }
    }
}

impl<E: Level> Dataset for ImageSamples<E> {
    type Element = E;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn shape(&self) -> SampleShape {
        let [channels, height, width] = self.shape;
        SampleShape::image(channels, height, width)
    }

    fn classes(&self) -> usize {
        self.set.classes().len()
    }

    fn label(&self, index: usize) -> usize {
        self.set.label(self.indices[index])
    }

    fn sample_name(&self, index: usize) -> String {
        self.set.path(self.indices[index]).display().to_string()
    }

    fn sample_size(&self, index: usize) -> Option<u64> {
        Some(self.set.stored_size(self.indices[index]))
    }

    fn load(
        &self,
        index: usize,
        context: &mut SampleContext,
        mut slot: SampleSlot<'_, E>,
    ) -> Result<(), BoxError> {
        self.write(self.indices[index], context, slot.step(0)).map_err(|error| match error {
            // the loader names the sample, which is the file
            ImageError::Decode { source, .. } => format!("{source}; fetch it again, or leave it out").into(),
            other => other.into(),
        })
    }
}
