//! Random crops.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{Scratch, setting};
use crate::error::ImageError;
use crate::image::Image;
use crate::resize::{Filter, Region, resize};

/// The content of the padding around an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PaddingMode {
    /// The fill colour.
    #[default]
    Constant,
    /// The outermost pixel.
    Edge,
    /// The image's reflection without the outermost pixel: `2 1 | 0 1 2 | 1 0`.
    Reflect,
    /// The image's reflection including the outermost pixel: `1 0 | 0 1 2 | 2 1`.
    Symmetric,
}

impl PaddingMode {
    /// The source position for `place` along a side of `length` pixels; `None` for the fill colour.
    fn source(self, place: isize, length: usize) -> Option<usize> {
        if let Some(inside) = usize::try_from(place).ok().filter(|&place| place < length) {
            return Some(inside);
        }
        let last = length.checked_sub(1)? as isize;
        let folded = match self {
            PaddingMode::Constant => return None,
            PaddingMode::Edge => place.clamp(0, last),
            PaddingMode::Reflect if last == 0 => 0,
            PaddingMode::Reflect => {
                let along = place.rem_euclid(2 * last);
                along.min(2 * last - along)
            }
            PaddingMode::Symmetric => {
                let along = place.rem_euclid(2 * (last + 1));
                along.min(2 * last + 1 - along)
            }
        };
        Some(folded as usize)
    }
}

/// A crop of `[height, width]` at a random position of the image with `padding` pixels around it.
pub(super) fn random_crop(
    image: &mut Image,
    scratch: &mut Scratch,
    [height, width]: [usize; 2],
    padding: usize,
    (mode, fill): (PaddingMode, [u8; 3]),
    rng: &mut impl Rng,
) -> Result<(), ImageError> {
    let mut place = |field, size: usize, length: usize| {
        let room = length + 2 * padding;
        let expected = format_args!("up to the image's {length} pixels and its padding, {room} in all");
        setting(size <= room && length > 0, field, size, expected)?;
        Ok::<_, ImageError>(rng.random_range(0..=room - size) as isize - padding as isize)
    };
    let top = place("height", height, image.height)?;
    let left = place("width", width, image.width)?;
    let channels = image.channels;
    let other = &mut scratch.image;
    other.reset(height, width, channels);
    // The columns of the crop within the image: one contiguous piece of each row.
    let first = (-left).clamp(0, width as isize) as usize;
    let end = (image.width as isize - left).clamp(first as isize, width as isize) as usize;
    for (y, row) in other.pixels.chunks_exact_mut((width * channels).max(1)).enumerate() {
        let Some(source) = mode.source(top + y as isize, image.height) else {
            row.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(&fill[..channels]));
            continue;
        };
        let source = image.row(source);
        if first < end {
            let from = (left + first as isize) as usize * channels;
            let length = (end - first) * channels;
            row[first * channels..][..length].copy_from_slice(&source[from..from + length]);
        }
        for x in (0..first).chain(end..width) {
            let pixel = match mode.source(left + x as isize, image.width) {
                Some(source_x) => &source[source_x * channels..][..channels],
                None => &fill[..channels],
            };
            row[x * channels..][..channels].copy_from_slice(pixel);
        }
    }
    std::mem::swap(image, other);
    Ok(())
}
/// A rectangle of an image, drawn by [`random_rectangle`] and resized by `filter`, without using pixels
/// around it.
pub(super) fn random_resized_crop(
    image: &mut Image,
    scratch: &mut Scratch,
    [height, width]: [usize; 2],
    (scale, ratio): ([f64; 2], [f64; 2]),
    filter: Filter,
    rng: &mut impl Rng,
) -> Result<(), ImageError> {
    let part = random_rectangle([image.height, image.width], scale, ratio, rng);
    let other = &mut scratch.image;
    other.reset(part.height, part.width, image.channels);
    let stride = other.stride();
    for (row, out) in other.pixels.chunks_exact_mut(stride).enumerate() {
        out.copy_from_slice(&image.row(part.top + row)[part.left * image.channels..][..stride]);
    }
    resize(other, Region::whole(other), height, width, filter, image, &mut scratch.resize)?;
    Ok(())
}

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rectangle {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// A rectangle whose share of the area is drawn from `scale` and whose ratio of width to height is drawn from
/// `ratio`, log-uniformly. After ten that do not fit, the largest central one with a ratio in the range.
pub(crate) fn random_rectangle(
    [height, width]: [usize; 2],
    scale: [f64; 2],
    ratio: [f64; 2],
    rng: &mut impl Rng,
) -> Rectangle {
    let logarithms = ratio.map(f64::ln);
    for _ in 0..10 {
        let area = (height * width) as f64 * super::between(rng, scale);
        let ratio = super::between(rng, logarithms).exp();
        let w = (area * ratio).sqrt().round_ties_even() as usize;
        let h = (area / ratio).sqrt().round_ties_even() as usize;
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let (top, left) = (rng.random_range(0..=height - h), rng.random_range(0..=width - w));
            return Rectangle { top, left, height: h, width: w };
        }
    }
    let (own, [least, most]) = (width as f64 / height as f64, ratio);
    let (mut h, mut w) = (height, width);
    if own < least {
        h = (width as f64 / least).round_ties_even() as usize;
    } else if own > most {
        w = (height as f64 * most).round_ties_even() as usize;
    }
    // In an image of few pixels, the ratio is approximated as closely as possible.
    let (h, w) = (h.clamp(1, height), w.clamp(1, width));
    Rectangle { top: (height - h) / 2, left: (width - w) / 2, height: h, width: w }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tks_data::rng::sample_rng;

    use super::*;

    proptest! {
        #[test]
        fn a_rectangle_lies_in_the_image(
            height in 1usize..300, width in 1usize..300, seed: u64,
            low in 0.01f64..1.0, more in 0.0f64..1.0, narrow in 0.2f64..1.0, wide in 1.0f64..5.0,
        ) {
            let scale = [low, low + (1.0 - low) * more];
            let part = random_rectangle([height, width], scale, [narrow, wide], &mut sample_rng(seed, 0, 0));
            prop_assert!(part.height >= 1 && part.top + part.height <= height);
            prop_assert!(part.width >= 1 && part.left + part.width <= width);
        }
    }

    #[test]
    fn rectangles_have_the_areas_and_ratios_that_are_asked_for() {
        let (scale, ratio) = ([0.1, 0.3], [0.75, 4.0 / 3.0]);
        let (mut areas, mut logarithms, count) = (0.0, 0.0, 4000);
        for seed in 0..count {
            let part = random_rectangle([1000, 1200], scale, ratio, &mut sample_rng(seed, 0, 0));
            let share = (part.height * part.width) as f64 / 1.2e6;
            let aspect = part.width as f64 / part.height as f64;
            assert!((0.099..0.301).contains(&share) && (0.748..1.336).contains(&aspect), "{part:?}");
            areas += share / count as f64;
            logarithms += aspect.ln() / count as f64;
        }
        // Uniform between the bounds: means 0.2 and 0, with standard errors of 0.0009 and 0.0026.
        assert!((areas - 0.2).abs() < 0.004 && logarithms.abs() < 0.011, "{areas} {logarithms}");
    }

    #[test]
    fn what_never_fits_is_the_largest_in_the_middle() {
        let draw = |height, width, ratio| {
            random_rectangle([height, width], [1.0, 1.0], ratio, &mut sample_rng(3, 0, 0))
        };
        let rectangle = |top, left, height, width| Rectangle { top, left, height, width };
        assert_eq!(draw(10, 100, [0.5, 2.0]), rectangle(0, 40, 10, 20));
        assert_eq!(draw(100, 10, [0.5, 2.0]), rectangle(40, 0, 20, 10));
        assert_eq!(draw(1, 1, [1.4, 1.5]), rectangle(0, 0, 1, 1));
    }

    #[test]
    fn beyond_the_border_a_side_is_folded_or_repeated() {
        let along = |mode: PaddingMode, length| -> Vec<_> {
            (-4..7).map(|place| mode.source(place, length).map_or(-1, |place| place as i32)).collect()
        };
        // As in numpy.pad.
        assert_eq!(along(PaddingMode::Constant, 3), [-1, -1, -1, -1, 0, 1, 2, -1, -1, -1, -1]);
        assert_eq!(along(PaddingMode::Edge, 3), [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2]);
        assert_eq!(along(PaddingMode::Reflect, 3), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(along(PaddingMode::Symmetric, 3), [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert_eq!(along(PaddingMode::Reflect, 1), [0; 11]);
        assert_eq!(along(PaddingMode::Symmetric, 1), [0; 11]);
    }
}
