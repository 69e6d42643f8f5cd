//! From a stored image to a network's input, shared by data set samples and any other image.

use std::path::PathBuf;

use tks_data::{DataError, Manifest, SampleRng};

use crate::datasets::{ImageBytes, ImageSet};
use crate::decode::Decoder;
use crate::error::ImageError;
use crate::recipe::{self, Beginning, Level, Normalization, Recipe};

/// Turns images into a network's input `[C, H, W]`, for [`ImageSamples`](crate::ImageSamples) and for
/// presenting other images to a trained network.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    recipe: Recipe,
    shape: [usize; 3],
    normalization: Normalization,
}

/// Memory that is reused from image to image; one per worker.
#[derive(Debug, Default)]
pub struct PreprocessScratch {
    decoder: Decoder,
    recipe: recipe::Scratch,
}

impl Preprocessor {
    /// For images with this many channels and, if all have the same, this size `[height, width]`. `manifest`
    /// provides the mean and standard deviation if the recipe normalises by the data set's.
    ///
    /// # Errors
    /// [`DataError::Setting`] for an option of the recipe that is invalid or does not suit such images.
    pub fn new(
        recipe: Recipe,
        manifest: Option<&Manifest>,
        channels: usize,
        size: Option<[usize; 2]>,
    ) -> Result<Self, ImageError> {
        recipe.check()?;
        let size = size.filter(|_| recipe.bounding_box.is_none());
        let shape = recipe.shape(channels, size)?;
        let normalization = Normalization::of(&recipe.normalize, manifest, shape[0])?;
        Ok(Self { recipe, shape, normalization })
    }

    /// For the images of a data set; `manifest` as in [`Preprocessor::new`].
    ///
    /// # Errors
    /// As [`Preprocessor::new`]; images of different sizes without resizing.
    pub fn for_set(set: &ImageSet, recipe: Recipe, manifest: Option<&Manifest>) -> Result<Self, ImageError> {
        let size = match (recipe.resize, recipe.bounding_box) {
            (None, None) => Some(set.common_size()?),
            _ => set.size(),
        };
        Self::new(recipe, manifest, set.channels(), size)
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Shape `[C, H, W]` of the input.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The normalisation that is applied to `f32` values, and that remains to be applied to `u8` values.
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    /// Writes an image as `[C, H, W]`: randomly augmented if there is a generator (training), otherwise as
    /// for testing. `bounding_box` is left, top, width and height in pixels; `path` is the image's name in
    /// error messages.
    ///
    /// # Errors
    /// [`ImageError::Decode`] for an image that cannot be decoded, [`ImageError::Size`] for one of a
    /// different size if the recipe does not resize, and those of the recipe's steps.
    pub fn write<E: Level>(
        &self,
        image: ImageBytes<'_>,
        bounding_box: Option<[f32; 4]>,
        rng: Option<&mut SampleRng>,
        out: &mut [E],
        scratch: &mut PreprocessScratch,
        path: impl Fn() -> PathBuf,
    ) -> Result<(), ImageError> {
        let PreprocessScratch { decoder, recipe: room } = scratch;
        let mut rng = rng;
        let name = |source| ImageError::Decode { path: path(), source };
        match image {
            ImageBytes::Planar { pixels, channels, height, width } => {
                room.image.copy_planes(pixels, channels, height, width);
            }
            ImageBytes::Encoded(file) => match (self.recipe.beginning(rng.is_some()), &mut rng) {
                // if an image is cropped or resized first, only what is needed for that is decoded
                (Beginning::Crop(crop), Some(rng)) => {
                    let mut region = None;
                    let choose = |size| {
                        let (part, within) = crop.draw(size, &mut **rng);
                        region = Some(within);
                        part
                    };
                    decoder.decode_region(file, choose, &mut room.image).map_err(name)?;
                    if let Some(region) = region {
                        crop.resize(region, room)?;
                        return self.recipe.augment_from(1, &self.normalization, *rng, out, room);
                    }
                }
                (Beginning::Reduced(resize), _) => {
                    decoder
                        .decode_region(file, |size| resize.decode_region(size), &mut room.image)
                        .map_err(name)?;
                }
                (Beginning::Whole | Beginning::Crop(_), _) => {
                    decoder.decode(file, &mut room.image).map_err(name)?;
                }
            },
        }
        if let Some(rng) = rng {
            return self.recipe.write_augmented(&self.normalization, bounding_box, rng, out, room);
        }
        let found = [room.image.height, room.image.width];
        let expected = [self.shape[1], self.shape[2]];
        if self.recipe.resize.is_none() && self.recipe.bounding_box.is_none() && found != expected {
            return Err(ImageError::Size { path: path(), found, expected });
        }
        self.recipe.write(&self.normalization, bounding_box, out, room)
    }

    /// Checks that bounding boxes are not requested from a data set without them.
    pub(crate) fn require_boxes(&self, name: &str, has_boxes: bool) -> Result<(), DataError> {
        if self.recipe.bounding_box.is_some() && !has_boxes {
            let message = format!("{name} gives no bounding boxes; leave it out");
            return Err(DataError::Setting { field: "bounding_box", message });
        }
        Ok(())
    }
}
