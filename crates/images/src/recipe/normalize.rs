//! Conversion from grey levels to numbers, and from pixels to planes.

use serde::{Deserialize, Serialize};
use tks_data::{DataError, Element, Manifest};

use crate::image::Image;

/// How grey levels are normalised: `(level / 255 - mean) / std` for each channel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Normalize {
    /// With the mean and standard deviation in the data set's manifest; ImageNet's if the manifest states
    /// none.
    #[default]
    Dataset,
    /// With ImageNet's mean and standard deviation.
    Imagenet,
    /// To -1 to 1: mean and standard deviation are 0.5.
    Half,
    /// To 0 to 1.
    None,
    /// With the given values.
    Values {
        /// Mean of each channel, on the scale of 0 to 1.
        mean: Vec<f32>,
        /// Standard deviation of each channel, on the scale of 0 to 1, above 0.
        std: Vec<f32>,
    },
}

const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Mean and standard deviation of each channel, and a table with the value of each grey level.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    mean: Vec<f32>,
    std: Vec<f32>,
    table: Vec<[f32; 256]>,
}

impl Normalization {
    /// Resolves `normalize` for images of a data set with this many channels.
    ///
    /// # Errors
    /// [`DataError::Setting`] if the number of values differs from that of channels, and for values out of
    /// range.
    pub fn of(
        normalize: &Normalize,
        manifest: Option<&Manifest>,
        channels: usize,
    ) -> Result<Self, DataError> {
        let of_set = manifest.and_then(|manifest| Some((manifest.mean.clone()?, manifest.std.clone()?)));
        let (mean, std) = match (normalize, of_set) {
            (Normalize::Dataset, Some(of_set)) => of_set,
            (Normalize::Dataset, None) if channels == 1 => (vec![0.5], vec![0.5]),
            (Normalize::Imagenet | Normalize::Dataset, _) => (IMAGENET_MEAN.into(), IMAGENET_STD.into()),
            (Normalize::Half, _) => (vec![0.5], vec![0.5]),
            (Normalize::None, _) => (vec![0.0], vec![1.0]),
            (Normalize::Values { mean, std }, _) => (mean.clone(), std.clone()),
        };
        // repeated grey has the same values in each channel
        let spread = |values: Vec<f32>| if values.len() == 1 { vec![values[0]; channels] } else { values };
        let (mean, std) = (spread(mean), spread(std));
        if [mean.len(), std.len()] != [channels; 2] {
            let message = format!(
                "{} means and {} standard deviations for {channels} channels; give `values` with one of each a \
                 channel, or `half`, or `none`",
                mean.len(),
                std.len()
            );
            return Err(DataError::Setting { field: "normalize", message });
        }
        if mean.iter().any(|m| !m.is_finite()) || std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            let message = "means have to be finite, standard deviations above 0".to_owned();
            return Err(DataError::Setting { field: "normalize", message });
        }
        let table = mean
            .iter()
            .zip(&std)
            .map(|(mean, std)| std::array::from_fn(|level| (level as f32 / 255.0 - mean) / std));
        Ok(Self { table: table.collect(), mean, std })
    }

    /// Mean of each channel, on the scale of 0 to 1.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Standard deviation of each channel, on the scale of 0 to 1.
    pub fn std(&self) -> &[f32] {
        &self.std
    }
}

/// An element type for images.
pub trait Level: Element {
    /// Whether values are normalised, so that steps on values can follow.
    const NORMALIZED: bool;

    /// Writes an image `[H, W, C]` as planes `[C, H, W]`.
    fn write_planes(image: &Image, normalization: &Normalization, out: &mut [Self]);

    /// The values, if they are normalised.
    fn values(out: &mut [Self]) -> Option<&mut [f32]>;
}

impl Level for u8 {
    const NORMALIZED: bool = false;

    fn write_planes(image: &Image, _: &Normalization, out: &mut [u8]) {
        write_planes(image, out, |_, level| level);
    }

    fn values(_: &mut [u8]) -> Option<&mut [f32]> {
        None
    }
}

impl Level for f32 {
    const NORMALIZED: bool = true;

    fn write_planes(image: &Image, normalization: &Normalization, out: &mut [f32]) {
        let table = &normalization.table;
        write_planes(image, out, |channel, level| table[channel][level as usize]);
    }

    fn values(out: &mut [f32]) -> Option<&mut [f32]> {
        Some(out)
    }
}

fn write_planes<E: Copy>(image: &Image, out: &mut [E], value: impl Fn(usize, u8) -> E) {
    let area = image.height * image.width;
    match image.channels {
        3 => {
            let (red, rest) = out.split_at_mut(area);
            let (green, blue) = rest.split_at_mut(area);
            let places = red.iter_mut().zip(green).zip(blue);
            for (pixel, ((r, g), b)) in image.pixels.as_chunks::<3>().0.iter().zip(places) {
                (*r, *g, *b) = (value(0, pixel[0]), value(1, pixel[1]), value(2, pixel[2]));
            }
        }
        _ => out.iter_mut().zip(&image.pixels).for_each(|(out, &level)| *out = value(0, level)),
    }
}
