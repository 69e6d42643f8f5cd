//! From a stored image to a network's input: one way for a data set's samples and for any other image.

use std::path::PathBuf;

use tks_data::{DataError, Manifest, SampleRng};

use crate::datasets::{ImageBytes, ImageSet};
use crate::decode::Decoder;
use crate::error::ImageError;
use crate::recipe::{self, Beginning, Level, Normalization, Recipe};

/// Makes a network's input `[C, H, W]` of images: [`ImageSamples`](crate::ImageSamples) does so by it, and whoever shows
/// a trained network an image of their own.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    recipe: Recipe,
    shape: [usize; 3],
    normalization: Normalization,
}

/// Memory that is used again from image to image; one a worker.
#[derive(Debug, Default)]
pub struct PreprocessScratch {
    decoder: Decoder,
    recipe: recipe::Scratch,
}

impl Preprocessor {
    /// For images of a data set with so many channels and, where all have one, this size `[height, width]`.
    /// `manifest` is the data set's, by whose mean and standard deviation is normalised where the recipe says so.
    ///
    /// # Errors
    /// [`DataError::Setting`] for an option of the recipe that makes no sense or does not fit such images.
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
    /// As [`Preprocessor::new`]; images of several sizes where nothing resizes them.
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

    /// By what `f32` values are normalised, and `u8` values are to be.
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    /// Writes an image as `[C, H, W]`: changed at random where there is a generator (training), else as it is tested.
    /// `bounding_box` is left, top, width and height in pixels; `path` is what errors call the image.
    ///
    /// # Errors
    /// [`ImageError::Decode`] for an image that does not decode, [`ImageError::Size`] for one of another size where the
    /// recipe does not resize, and those of the recipe's steps.
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
                // of an image that is cropped or resized first, no more than that needs is decoded
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

    /// That a data set without bounding boxes is not asked for them.
    pub(crate) fn require_boxes(&self, name: &str, has_boxes: bool) -> Result<(), DataError> {
        if self.recipe.bounding_box.is_some() && !has_boxes {
            let message = format!("{name} gives no bounding boxes; leave it out");
            return Err(DataError::Setting { field: "bounding_box", message });
        }
        Ok(())
    }
}
