//! A description of how a stored image becomes a network's input.

mod normalize;

use rand::Rng;
use serde::{Deserialize, Serialize};
use tks_data::DataError;

pub use normalize::{Level, Normalization, Normalize};

use crate::augment::crop::{Rectangle, random_rectangle};
use crate::augment::{self, Augment};
use crate::decode::{DecodeRegion, Dimensions};
use crate::error::ImageError;
use crate::image::Image;
use crate::resize::{self, Filter, Region, resize};

/// How an image becomes `[C, H, W]`. The default is for images that all have the same size: normalisation
/// only.
///
/// In this order: bounding box, resizing, the steps of `augment` on images (training only), channels,
/// normalisation, the steps of `augment` on values (training only).
///
/// ```
/// use tks_data::rng::sample_rng;
/// use tks_images::Image;
/// use tks_images::recipe::{Normalization, Recipe, Scratch};
///
/// let recipe: Recipe = serde_json::from_str(
///     r#"{
///         "resize": { "height": 24, "width": 24 },
///         "normalize": "half",
///         "augment": [{ "flip_horizontal": {} }, { "cutout": { "length": 8 } }]
///     }"#,
/// )?;
/// let normalization = Normalization::of(&recipe.normalize, None, 3)?;
/// let photograph = Image::new(40, 60, 3);
/// let mut values = vec![0.0f32; 3 * 24 * 24];
/// let mut scratch = Scratch::default();
/// scratch.image = photograph.clone();
/// recipe.write(&normalization, None, &mut values, &mut scratch)?; // to test on
/// assert!(values.iter().all(|&value| value == -1.0));
/// scratch.image = photograph;
/// recipe.write_augmented(&normalization, None, &mut sample_rng(7, 0, 0), &mut values, &mut scratch)?; // to train on
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Crops the image to the bounding box given by the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounding_box: Option<BoxCrop>,
    /// Size to which images are resized; left out or `"none"`: the images keep their size, which must then be
    /// the same for all.
    ///
    /// Training skips this if a step of `augment` sets the size itself (a random resized crop).
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "resize_or_none")]
    pub resize: Option<Resize>,
    /// Whether large JPEG files are decoded at a half, a quarter or an eighth of their size (Pillow's
    /// `Image.draft`), as long as the part to be resized is not smaller than its target. This decodes less,
    /// with slightly different pixels. It applies if resizing or a random resized crop is the first step.
    pub reduced_decoding: bool,
    /// Number of channels: 1 for grey or 3 for colour. Left out: as in the data set.
    pub augment: Vec<Augment>,
    /// Number of channels: 1 for grey, 3 for colour; left out: as in the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// How grey levels are normalised.
    pub normalize: Normalize,
}

/// Crops an image to its bounding box with a margin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoxCrop {
    /// Margin on each side as a share of the box's size, 0 or above, clipped at the image's border.
    pub margin: f32,
}

/// Resizes the shorter side, then takes a centre crop, as is usual in evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Height of the result in pixels.
    pub height: usize,
    /// Width of the result in pixels.
    pub width: usize,
    /// Share of the resized image's shorter side that is kept, above 0 and up to 1.
    #[serde(default = "default_crop")]
    pub crop: f64,
    /// The resampling filter.
    #[serde(default)]
    pub filter: Filter,
}

/// A resize, or the word `none`.
fn resize_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Resize>, D::Error> {
    use serde::de::{Error, MapAccess, Visitor, value::MapAccessDeserializer};
    struct ResizeVisitor;
    impl<'de> Visitor<'de> for ResizeVisitor {
        type Value = Option<Resize>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("\"none\", or a height and a width, as in { height = 224, width = 224 }")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            match text {
                "none" => Ok(None),
                _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
            }
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Resize::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }
    deserializer.deserialize_any(ResizeVisitor)
}

fn default_crop() -> f64 {
    0.875
}

/// Memory that is reused from image to image; one per worker.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// The image to process: put it here.
    pub image: Image,
    other: Image,
    resize: resize::Scratch,
    augment: augment::Scratch,
}

impl Recipe {
    /// The reference recipe for CIFAR, see [`Augment::reference`].
    pub fn reference() -> Self {
        Self { augment: Augment::reference(), ..Self::default() }
    }

    /// Checks every option.
    ///
    /// # Errors
    /// [`DataError::Setting`] for the first invalid one.
    pub fn check(&self) -> Result<(), ImageError> {
        let wrong = |field, message: String| Err(DataError::Setting { field, message }.into());
        if let Some(BoxCrop { margin }) = self.bounding_box
            && !(0.0..=100.0).contains(&margin)
        {
            return wrong("bounding_box.margin", format!("{margin} should be 0 to 100"));
        }
        if let Some(Resize { height, width, crop, .. }) = self.resize {
            if height == 0 || width == 0 {
                return wrong("resize", format!("{height} x {width} should be 1 x 1 or above"));
            }
            if !(crop > 0.0 && crop <= 1.0) {
                return wrong("resize.crop", format!("{crop} should be above 0, and 1 at most"));
            }
        }
        if let Some(channels) = self.channels.filter(|channels| ![1, 3].contains(channels)) {
            return wrong("channels", format!("{channels} should be 1 (grey) or 3 (colour)"));
        }
        self.augment.iter().try_for_each(Augment::check)?;
        let first_on_values = self.augment.iter().position(Augment::is_on_values);
        if let Some(first) = first_on_values
            && let Some(step) = self.augment[first..].iter().find(|step| !step.is_on_values())
        {
            let message = format!("{step:?} is for images: put it before {:?}", self.augment[first]);
            return wrong("augment", message);
        }
        Ok(())
    }

    /// Shape `[C, H, W]` of the output, for images with this many channels and, if all have the same, this
    /// size.
    ///
    /// # Errors
    /// [`DataError::Setting`] if the images have different sizes and `resize` is left out.
    pub fn shape(&self, channels: usize, size: Option<[usize; 2]>) -> Result<[usize; 3], ImageError> {
        let channels = self.channels.unwrap_or(channels);
        match (self.resize, size) {
            (Some(Resize { height, width, .. }), _) => Ok([channels, height, width]),
            (None, Some([height, width])) => Ok([channels, height, width]),
            (None, None) => {
                let message = "has to be given, such as `{ height = 224, width = 224 }`: without it all images have to \
                               be of one size, which these may not be"
                    .to_owned();
                Err(DataError::Setting { field: "resize", message }.into())
            }
        }
    }

    /// Writes the image in `scratch` without augmentation, for testing.
    ///
    /// `bounding_box` is its left, top, width and height. `out` is `[C, H, W]`.
    ///
    /// # Errors
    /// Those of the steps.
    pub fn write<E: Level>(
        &self,
        normalization: &Normalization,
        bounding_box: Option<[f32; 4]>,
        out: &mut [E],
        scratch: &mut Scratch,
    ) -> Result<(), ImageError> {
        self.prepare(bounding_box, false, scratch)?;
        self.finish(normalization, out, scratch)
    }

    /// Writes the image in `scratch` with random augmentation, for training.
    ///
    /// # Errors
    /// Those of the steps, and a last step whose output size differs from the recipe's.
    pub fn write_augmented<E: Level>(
        &self,
        normalization: &Normalization,
        bounding_box: Option<[f32; 4]>,
        rng: &mut impl Rng,
        out: &mut [E],
        scratch: &mut Scratch,
    ) -> Result<(), ImageError> {
        self.prepare(bounding_box, true, scratch)?;
        self.augment_from(0, normalization, rng, out, scratch)
    }

    /// The steps before the random changes.
    fn prepare(
        &self,
        bounding_box: Option<[f32; 4]>,
        augment: bool,
        scratch: &mut Scratch,
    ) -> Result<(), ImageError> {
        if let (Some(crop), Some(place)) = (self.bounding_box, bounding_box) {
            crop.apply(place, scratch);
        }
        match &self.resize {
            Some(resize) if !(augment && self.augment.iter().any(gives_size)) => resize.apply(scratch),
            _ => Ok(()),
        }
    }

    /// The random changes, except for the first `done`, and the steps after them.
    pub(crate) fn augment_from<E: Level>(
        &self,
        done: usize,
        normalization: &Normalization,
        rng: &mut impl Rng,
        out: &mut [E],
        scratch: &mut Scratch,
    ) -> Result<(), ImageError> {
        let of_images = self.augment.iter().take_while(|step| !step.is_on_values()).count();
        for step in &self.augment[done.min(of_images)..of_images] {
            step.on_image(&mut scratch.image, &mut scratch.augment, rng)?;
        }
        self.finish(normalization, out, scratch)?;
        if let Some(values) = E::values(out) {
            let Image { channels, height, width, .. } = scratch.image;
            for step in &self.augment[of_images..] {
                step.on_values(values, [channels, height, width], rng)?;
            }
        }
        Ok(())
    }

    /// Channels and normalisation.
    fn finish<E: Level>(
        &self,
        normalization: &Normalization,
        out: &mut [E],
        scratch: &mut Scratch,
    ) -> Result<(), ImageError> {
        let image = &mut scratch.image;
        image.set_channels(normalization.mean().len());
        if image.pixels.len() != out.len() {
            let message = format!(
                "makes an image of {} x {} pixels (height, width), but `resize` or the data set says another size",
                image.height, image.width
            );
            return Err(DataError::Setting { field: "augment", message }.into());
        }
        E::write_planes(image, normalization, out);
        Ok(())
    }

    /// The first step of this recipe if the decoder can start it: a random resized crop, or a resize of an
    /// image that may be decoded at reduced size.
    pub(crate) fn beginning(&self, augment: bool) -> Beginning {
        match (self.augment.first(), self.resize) {
            _ if self.bounding_box.is_some() => Beginning::Whole,
            (Some(&Augment::RandomResizedCrop { height, width, scale, ratio, filter }), _) if augment => {
                let reduce = self.reduced_decoding;
                Beginning::Crop(FirstCrop { size: [height, width], scale, ratio, filter, reduce })
            }
            (_, Some(resize))
                if self.reduced_decoding && !(augment && self.augment.iter().any(gives_size)) =>
            {
                Beginning::Reduced(resize)
            }
            _ => Beginning::Whole,
        }
    }
}

/// The part of a file to decode.
pub(crate) enum Beginning {
    /// The whole image.
    Whole,
    /// The whole image, as small as a resize allows.
    Reduced(Resize),
    /// A randomly drawn part.
    Crop(FirstCrop),
}

/// The factor by which a part with sides of `length` pixels may be reduced in decoding without becoming
/// smaller than `target`.
fn reduction(length: [usize; 2], target: [usize; 2]) -> usize {
    let enough = |reduction: &usize| (0..2).all(|side| length[side] / reduction >= target[side]);
    [8, 4, 2].into_iter().find(enough).unwrap_or(1)
}

/// A random resized crop that the decoder can start with.
pub(crate) struct FirstCrop {
    size: [usize; 2],
    scale: [f64; 2],
    ratio: [f64; 2],
    filter: Filter,
    reduce: bool,
}

impl FirstCrop {
    /// Draws the part of an image of this height and width; returns the region to decode and the part's
    /// position in it.
    pub(crate) fn draw(&self, size: [usize; 2], rng: &mut impl Rng) -> (DecodeRegion, Region) {
        let Rectangle { top, left, height, width } = random_rectangle(size, self.scale, self.ratio, rng);
        let reduction = if self.reduce { reduction([height, width], self.size) } else { 1 };
        // the pixels that the part overlaps
        let side = |first: usize, length: usize| {
            let begin = first / reduction;
            let from = (first - begin * reduction) as f32 / reduction as f32;
            let pixels = (first + length).div_ceil(reduction) - begin;
            (begin, pixels, [from, from + length as f32 / reduction as f32])
        };
        let (first_row, rows, [upper, lower]) = side(top, height);
        let (first_column, columns, [left, right]) = side(left, width);
        let decoded = DecodeRegion {
            scale_denominator: reduction,
            top: first_row,
            left: first_column,
            height: rows,
            width: columns,
        };
        (decoded, Region { left, top: upper, right, bottom: lower })
    }

    /// Resizes the drawn part of the image in `scratch`.
    pub(crate) fn resize(&self, region: Region, scratch: &mut Scratch) -> Result<(), ImageError> {
        let Scratch { image, other, resize: room, .. } = scratch;
        let [height, width] = self.size;
        resize(image, region, height, width, self.filter, other, room)?;
        std::mem::swap(image, other);
        Ok(())
    }
}

impl BoxCrop {
    fn apply(&self, [left, top, width, height]: [f32; 4], scratch: &mut Scratch) {
        let Scratch { image, other, .. } = scratch;
        let side = |low: f32, length: f32, size: usize| {
            let around = length * self.margin;
            let first = ((low - around).floor().max(0.0) as usize).min(size.saturating_sub(1));
            let end = ((low + length + around).ceil().max(0.0) as usize).clamp(first + 1, size.max(1));
            (first, end - first)
        };
        let (top, height) = side(top, height, image.height);
        let (left, width) = side(left, width, image.width);
        image.crop(top, left, height, width, other);
        std::mem::swap(image, other);
    }
}

impl Resize {
    /// Height and width that an image of this size is resized to: just large enough for both sides of the
    /// crop.
    fn before_crop(&self, [h, w]: [usize; 2]) -> [usize; 2] {
        let before = |size: usize| (size as f64 / self.crop).floor() as usize;
        let (rows, columns) = (before(self.height), before(self.width));
        if columns * h >= rows * w { [columns * h / w.max(1), columns] } else { [rows, rows * w / h.max(1)] }
    }

    /// The region to decode for an image of this height and width: all of it, possibly reduced.
    pub(crate) fn decode_region(&self, size: [usize; 2]) -> DecodeRegion {
        let [height, width] = size;
        DecodeRegion::whole(Dimensions { height, width }, reduction(size, self.before_crop(size)))
    }

    /// Like torchvision's `Resize` of the shorter side and `CenterCrop`, with the size before the crop as in
    /// timm.
    fn apply(&self, scratch: &mut Scratch) -> Result<(), ImageError> {
        let Scratch { image, other, resize: room, .. } = scratch;
        let [height, width] = self.before_crop([image.height, image.width]);
        if (height, width) != (image.height, image.width) {
            resize(image, Region::whole(image), height, width, self.filter, other, room)?;
            std::mem::swap(image, other);
        }
        if (height, width) != (self.height, self.width) {
            let middle = |whole: usize, part: usize| half_to_even(whole - part);
            image.crop(
                middle(height, self.height),
                middle(width, self.width),
                self.height,
                self.width,
                other,
            );
            std::mem::swap(image, other);
        }
        Ok(())
    }
}

/// Whether a step gives images a fixed size, independent of their own.
fn gives_size(step: &Augment) -> bool {
    matches!(step, Augment::RandomResizedCrop { .. })
}

/// Half of a number, rounded half to even, like Python's `round`.
fn half_to_even(number: usize) -> usize {
    let half = number / 2;
    half + (number % 2) * (half % 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_as_python_rounds_them() {
        assert_eq!([0, 1, 2, 3, 4, 5, 7, 9].map(half_to_even), [0, 0, 1, 2, 2, 2, 4, 4]);
    }
}
