//! Random changes to images, so that a network sees many variants of each.
//!
//! Every draw comes from one random generator, preferably that of the sample and epoch
//! ([`tks_data::rng::sample_rng`]), so the same seed gives the same changes with any number of workers. Steps
//! operate on 8-bit images, except for the last two, random erasing and cutout, which follow normalisation.

mod auto_augment;
mod color_jitter;
pub(crate) mod crop;
mod defaults;
mod erase;
mod flip;
mod level;
mod mix;
pub mod ops;
mod policies;
mod rand_augment;
#[cfg(test)]
mod settings_tests;
mod timm_policy;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use tks_data::DataError;

pub use auto_augment::AutoPolicy;
pub use crop::PaddingMode;
pub use erase::EraseMode;
pub use mix::{Beta, Mix, MixMode};
pub use rand_augment::{BinnedRandAugment, RandPolicy};
pub use timm_policy::{Choice, Spread, TimmRandAugment};

use crate::error::ImageError;
use crate::image::Image;
use crate::resize::{self, Filter};
use level::{Binned, Bins};
use ops::{Interpolation, Operation, Sampling};

/// A random change.
///
/// ```
/// use tks_data::rng::sample_rng;
/// use tks_images::Image;
/// use tks_images::augment::{Augment, Scratch};
///
/// let mut image = Image::new(32, 32, 3);
/// let (mut scratch, mut rng) = (Scratch::default(), sample_rng(7, 0, 0));
/// for step in Augment::reference().iter().filter(|step| !step.is_on_values()) {
///     step.on_image(&mut image, &mut scratch, &mut rng)?;
/// }
/// assert_eq!((image.height, image.width), (32, 32));
/// # Ok::<(), tks_images::ImageError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Augment {
    /// Crops at a random position, with `padding` pixels around the image.
    RandomCrop {
        /// Height of the crop in pixels; left out: the image's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        height: Option<usize>,
        /// Width of the crop in pixels; left out: the image's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        width: Option<usize>,
        /// Padding on each side in pixels, up to 65535.
        #[serde(default = "defaults::padding")]
        padding: usize,
        /// The content of the padding.
        #[serde(default)]
        padding_mode: PaddingMode,
        /// Colour of constant padding: red, green, blue. Grey images use the first.
        #[serde(default)]
        fill: [u8; 3],
    },
    /// Crops a rectangle of random area and aspect ratio at a random position and resizes it. Szegedy et al.,
    /// "Going Deeper with Convolutions", CVPR 2015, as in torchvision.
    RandomResizedCrop {
        /// Height of the result in pixels.
        #[serde(default = "defaults::size")]
        height: usize,
        /// Width of the result in pixels.
        #[serde(default = "defaults::size")]
        width: usize,
        /// Range of the crop's share of the image's area, above 0, up to 1.
        #[serde(default = "defaults::scale")]
        scale: [f64; 2],
        /// Range of the ratio of width to height, above 0.
        #[serde(default = "defaults::ratio")]
        ratio: [f64; 2],
        /// The resampling filter.
        #[serde(default = "defaults::filter")]
        filter: Filter,
    },
    /// Mirrors left and right.
    FlipHorizontal {
        /// Probability of the change, 0 to 1.
        #[serde(default = "defaults::half")]
        probability: f64,
    },
    /// Mirrors top and bottom.
    FlipVertical {
        /// Probability of the change, 0 to 1.
        #[serde(default = "defaults::half")]
        probability: f64,
    },
    /// Changes brightness, contrast, saturation and hue by random amounts, in random order. For grey images,
    /// only the first two.
    ColorJitter {
        /// Probability of the change, 0 to 1.
        #[serde(default = "defaults::one")]
        probability: f64,
        /// Maximum change of the brightness, 0 to 1000. The factor is `max(0, 1 - brightness)` to `1 +
        /// brightness`.
        #[serde(default)]
        brightness: f64,
        /// Maximum change of the contrast, 0 to 1000. The factor is `max(0, 1 - contrast)` to `1 +
        /// contrast`.
        #[serde(default)]
        contrast: f64,
        /// Maximum change of the saturation, 0 to 1000. The factor is `max(0, 1 - saturation)` to `1 +
        /// saturation`.
        #[serde(default)]
        saturation: f64,
        /// Maximum shift of the hue in either direction as a share of the colour circle, 0 to 0.5.
        #[serde(default)]
        hue: f64,
    },
    /// Converts to grey, keeping the number of channels.
    Grayscale {
        /// Probability of the change, 0 to 1.
        #[serde(default = "defaults::tenth")]
        probability: f64,
    },
    /// Blurs like Pillow's `GaussianBlur`.
    GaussianBlur {
        /// Probability of the change, 0 to 1.
        #[serde(default = "defaults::half")]
        probability: f64,
        /// Range of the standard deviation in pixels, 0 to 1000.
        #[serde(default = "defaults::radius")]
        radius: [f64; 2],
    },
    /// Applies several of the operations of [`ops`], all with the same strength; see [`RandPolicy`].
    RandAugment {
        /// Which operations and how strong: timm's string or torchvision's numbers.
        #[serde(default)]
        policy: RandPolicy,
        /// Interpolation of geometric operations; left out: bilinear or bicubic at random with timm's string,
        /// nearest with torchvision's numbers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interpolation: Option<Interpolation>,
        /// Colour beyond the border: red, green, blue. Left out: 128 with timm's string, black with
        /// torchvision's numbers. Grey images use the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<[u8; 3]>,
    },
    /// Applies a pair of the operations of [`ops`] that was learned for a data set; see [`AutoPolicy`].
    AutoAugment {
        /// The learned policy, by data set and source of the magnitudes.
        #[serde(default)]
        policy: AutoPolicy,
        /// Interpolation of geometric operations; left out: bilinear or bicubic at random with timm's
        /// magnitudes, nearest with torchvision's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interpolation: Option<Interpolation>,
        /// Colour beyond the border: red, green, blue. Left out: 128 with timm's magnitudes, black with
        /// torchvision's. Grey images use the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<[u8; 3]>,
    },
    /// Applies one of the operations of [`ops`] with random strength, from the paper's wide ranges. Müller
    /// and Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", ICCV 2021.
    TrivialAugment {
        /// Number of magnitudes, 2 or above.
        #[serde(default = "defaults::bins")]
        num_magnitude_bins: usize,
        /// Interpolation of geometric operations.
        #[serde(default)]
        interpolation: Interpolation,
        /// Colour beyond the border: red, green, blue. Grey images use the first.
        #[serde(default)]
        fill: [u8; 3],
    },
    /// Replaces rectangles of the normalised image. Zhong et al., "Random Erasing Data Augmentation", AAAI
    /// 2020, as in timm.
    RandomErasing {
        /// Probability of the change, 0 to 1.
        #[serde(default = "defaults::quarter")]
        probability: f64,
        /// The content of erased rectangles.
        #[serde(default)]
        mode: EraseMode,
        /// Range of the total area of all rectangles as a share of the image's area, 0 to 1.
        #[serde(default = "defaults::area")]
        area: [f64; 2],
        /// Range of each rectangle's ratio of height to width, above 0.
        #[serde(default = "defaults::aspect")]
        aspect: [f64; 2],
        /// Range of the number of rectangles, 1 to 100.
        #[serde(default = "defaults::single")]
        count: [usize; 2],
    },
    /// Sets squares of the normalised image to 0, centred on random pixels and clipped at the border. DeVries
    /// and Taylor, arXiv 1708.04552; 16 pixels for CIFAR10, 8 for CIFAR100.
    Cutout {
        /// Side of the squares in pixels, 1 or above. An odd side counts as one less.
        #[serde(default = "defaults::cutout")]
        length: usize,
        /// Number of squares, up to 100.
        #[serde(default = "defaults::count")]
        count: usize,
    },
}

/// A number between two, uniformly.
fn between(rng: &mut impl Rng, [low, high]: [f64; 2]) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Work space that is kept from image to image; one per worker.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    image: Image,
    resize: resize::Scratch,
}

/// Checks that a setting is valid.
fn setting(
    right: bool,
    field: &'static str,
    value: impl std::fmt::Display,
    expected: impl std::fmt::Display,
) -> Result<(), ImageError> {
    if right {
        return Ok(());
    }
    Err(DataError::Setting { field, message: format!("{value} was given; it has to be {expected}") }.into())
}

/// Checks that a number is in a range.
fn within(field: &'static str, value: f64, low: f64, high: f64) -> Result<(), ImageError> {
    setting((low..=high).contains(&value), field, value, format_args!("{low} to {high}"))
}

/// Checks that two numbers are in a range, the lower one first.
fn range(field: &'static str, [from, to]: [f64; 2], low: f64, high: f64) -> Result<(), ImageError> {
    let right = (low..=high).contains(&from) && (from..=high).contains(&to);
    let expected = format_args!("two numbers of {low} to {high}, the lower first");
    setting(right, field, format_args!("[{from}, {to}]"), expected)
}

/// Checks that the number of an image's bytes matches its shape, `[H, W, C]` with C = 1 or 3.
fn require_valid(image: &Image) -> Result<(), ImageError> {
    let Image { pixels, height, width, channels } = image;
    let right = [1, 3].contains(channels) && pixels.len() == height * width * channels;
    let given = format_args!("{} bytes for a shape of [{height}, {width}, {channels}]", pixels.len());
    setting(right, "image", given, "of H * W * C bytes, with 1 or 3 channels")
}

impl Augment {
    /// The reference recipe's augmentation for small images: a random crop with 4 pixels of padding,
    /// horizontal flips, RandAugment `rand-m9-mstd0.5-inc1`, random erasing of a quarter of the images with
    /// noise.
    pub fn reference() -> Vec<Augment> {
        vec![
            Augment::RandomCrop {
                height: None,
                width: None,
                padding: defaults::padding(),
                padding_mode: PaddingMode::Constant,
                fill: [0; 3],
            },
            Augment::FlipHorizontal { probability: defaults::half() },
            Augment::RandAugment { policy: RandPolicy::default(), interpolation: None, fill: None },
            Augment::RandomErasing {
                probability: defaults::quarter(),
                mode: EraseMode::Pixel,
                area: defaults::area(),
                aspect: defaults::aspect(),
                count: defaults::single(),
            },
        ]
    }

    /// Checks every option.
    ///
    /// # Errors
    /// [`DataError::Setting`] for the first invalid one.
    pub fn check(&self) -> Result<(), ImageError> {
        let probability = |value| within("probability", value, 0.0, 1.0);
        match *self {
            Augment::RandomCrop { height, width, padding, .. } => {
                let size = |field, side: Option<usize>| match side {
                    Some(side) => setting((1..=65535).contains(&side), field, side, "1 to 65535"),
                    None => Ok(()),
                };
                size("height", height)?;
                size("width", width)?;
                setting(padding <= 65535, "padding", padding, "up to 65535")
            }
            Augment::RandomResizedCrop { height, width, scale, ratio, .. } => {
                setting((1..=65535).contains(&height), "height", height, "1 to 65535")?;
                setting((1..=65535).contains(&width), "width", width, "1 to 65535")?;
                range("scale", scale, 1e-6, 1.0)?;
                range("ratio", ratio, 1e-3, 1e3)
            }
            Augment::FlipHorizontal { probability: value }
            | Augment::FlipVertical { probability: value }
            | Augment::Grayscale { probability: value } => probability(value),
            Augment::ColorJitter { probability: value, brightness, contrast, saturation, hue } => {
                probability(value)?;
                within("brightness", brightness, 0.0, 1e3)?;
                within("contrast", contrast, 0.0, 1e3)?;
                within("saturation", saturation, 0.0, 1e3)?;
                within("hue", hue, 0.0, 0.5)
            }
            Augment::GaussianBlur { probability: value, radius } => {
                probability(value)?;
                range("radius", radius, 0.0, 1e3)
            }
            Augment::RandAugment { policy, .. } => match policy.wrong() {
                Some(message) => Err(DataError::Setting { field: "policy", message }.into()),
                None => Ok(()),
            },
            Augment::AutoAugment { .. } => Ok(()),
            Augment::TrivialAugment { num_magnitude_bins: bins, .. } => {
                setting((2..=10_000).contains(&bins), "num_magnitude_bins", bins, "2 to 10000")
            }
            Augment::RandomErasing { probability: value, area, aspect, count: [least, most], .. } => {
                probability(value)?;
                range("area", area, 0.0, 1.0)?;
                range("aspect", aspect, 1e-3, 1e3)?;
                let right = 1 <= least && least <= most && most <= 100;
                let expected = "two numbers of 1 to 100, the lower first";
                setting(right, "count", format_args!("[{least}, {most}]"), expected)
            }
            Augment::Cutout { length, count } => {
                setting((1..=65535).contains(&length), "length", length, "1 to 65535")?;
                setting(count <= 100, "count", count, "up to 100")
            }
        }
    }

    /// Whether this changes the values of a normalised image ([`Augment::on_values`]) rather than pixels
    /// ([`Augment::on_image`]).
    pub fn is_on_values(&self) -> bool {
        matches!(self, Augment::RandomErasing { .. } | Augment::Cutout { .. })
    }

    /// Changes an image of 1 or 3 channels.
    ///
    /// # Errors
    /// [`DataError::Setting`] for an invalid option, for an image smaller than its crop, and for a step that
    /// follows normalisation.
    pub fn on_image(
        &self,
        image: &mut Image,
        scratch: &mut Scratch,
        rng: &mut impl Rng,
    ) -> Result<(), ImageError> {
        self.check()?;
        require_valid(image)?;
        let size = [image.height, image.width];
        match *self {
            Augment::RandomCrop { height, width, padding, padding_mode, fill } => {
                let size = [height.unwrap_or(size[0]), width.unwrap_or(size[1])];
                return crop::random_crop(image, scratch, size, padding, (padding_mode, fill), rng);
            }
            Augment::RandomResizedCrop { height, width, scale, ratio, filter } => {
                let expected = "of 1 pixel or above";
                setting(!image.pixels.is_empty(), "image", format_args!("{size:?}"), expected)?;
                let ranges = (scale, ratio);
                return crop::random_resized_crop(image, scratch, [height, width], ranges, filter, rng);
            }
            Augment::FlipHorizontal { probability } => {
                if rng.random_bool(probability) {
                    flip::horizontal(image);
                }
            }
            Augment::FlipVertical { probability } => {
                if rng.random_bool(probability) {
                    flip::vertical(image);
                }
            }
            Augment::ColorJitter { probability, brightness, contrast, saturation, hue } => {
                if rng.random_bool(probability) {
                    color_jitter::apply(image, scratch, [brightness, contrast, saturation, hue], rng);
                }
            }
            Augment::Grayscale { probability } => {
                if rng.random_bool(probability) {
                    let channels = image.channels;
                    image.set_channels(1);
                    image.set_channels(channels);
                }
            }
            Augment::GaussianBlur { probability, radius } => {
                if rng.random_bool(probability) {
                    let radius = between(rng, radius);
                    Operation::GaussianBlur { radius }.run(image, Sampling::default(), scratch);
                }
            }
            Augment::RandAugment { policy, interpolation, fill } => {
                let binned = matches!(policy, RandPolicy::Binned(_));
                policy.draw(size, rng, |operation, rng| {
                    operation.run(image, sampling(binned, interpolation, fill, rng), scratch);
                });
            }
            Augment::AutoAugment { policy, interpolation, fill } => {
                policy.draw(size, rng, |operation, rng| {
                    operation.run(image, sampling(policy.is_binned(), interpolation, fill, rng), scratch);
                });
            }
            Augment::TrivialAugment { num_magnitude_bins: bins, interpolation, fill } => {
                let operation = Binned::CHOICE[rng.random_range(0..Binned::CHOICE.len())];
                let bin = rng.random_range(0..bins);
                let operation = operation.operation(Bins { bins, wide: true }, bin, size, || rng.random());
                operation.run(image, Sampling { interpolation, fill }, scratch);
            }
            Augment::RandomErasing { .. } | Augment::Cutout { .. } => {
                let expected = "a step on images; this one follows normalisation, so put it after the others";
                return setting(false, "augment", format_args!("{self:?}"), expected);
            }
        }
        Ok(())
    }

    /// Changes the values of a normalised image, `[C, H, W]`.
    ///
    /// # Errors
    /// [`DataError::Setting`] for an invalid option, for values that do not have that shape, and for a step
    /// that operates on images.
    pub fn on_values(
        &self,
        values: &mut [f32],
        shape: [usize; 3],
        rng: &mut impl Rng,
    ) -> Result<(), ImageError> {
        self.check()?;
        let [channels, height, width] = shape;
        let right = values.len() == channels * height * width;
        let given = format_args!("{} numbers for {shape:?}", values.len());
        setting(right, "values", given, "of as many as their shape [C, H, W] says")?;
        if values.is_empty() {
            return Ok(());
        }
        match *self {
            Augment::RandomErasing { probability, mode, area, aspect, count } => {
                if rng.random_bool(probability) {
                    erase::random_erasing(values, [height, width], mode, (area, aspect, count), rng);
                }
                Ok(())
            }
            Augment::Cutout { length, count } => {
                erase::cutout(values, [height, width], length, count, rng);
                Ok(())
            }
            _ => {
                let expected = "random erasing or cutout; other steps come before normalisation";
                setting(false, "augment", format_args!("{self:?}"), expected)
            }
        }
    }
}

/// The sampling of an operation if a configuration does not set it.
fn sampling(
    binned: bool,
    interpolation: Option<Interpolation>,
    fill: Option<[u8; 3]>,
    rng: &mut impl Rng,
) -> Sampling {
    let interpolation = interpolation.unwrap_or_else(|| {
        if binned {
            Interpolation::Nearest
        } else if rng.random() {
            Interpolation::Bilinear
        } else {
            Interpolation::Bicubic
        }
    });
    Sampling { interpolation, fill: fill.unwrap_or(if binned { [0; 3] } else { [128; 3] }) }
}
