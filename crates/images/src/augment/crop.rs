//! Random crops.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{Scratch, setting};
use crate::error::ImageError;
use crate::picture::Picture;

/// What lies beyond a picture's border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaddingMode {
    /// The fill colour.
    #[default]
    Constant,
    /// The outermost pixel.
    Edge,
    /// The picture's mirror image, without the outermost pixel: `2 1 | 0 1 2 | 1 0`.
    Reflect,
    /// The picture's mirror image: `1 0 | 0 1 2 | 2 1`.
    Symmetric,
}

impl PaddingMode {
    /// The place that stands for `place` along a side of `length` pixels; none for the fill colour.
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

/// A crop of `[height, width]` at a random place of the picture with `padding` pixels around it.
pub(super) fn random_crop(
    picture: &mut Picture,
    scratch: &mut Scratch,
    [height, width]: [usize; 2],
    padding: usize,
    (mode, fill): (PaddingMode, [u8; 3]),
    rng: &mut impl Rng,
) -> Result<(), ImageError> {
    let mut place = |field, size: usize, length: usize| {
        let room = length + 2 * padding;
        let expected = format_args!("up to the picture's {length} pixels and its padding, {room} in all");
        setting(size <= room && length > 0, field, size, expected)?;
        Ok::<_, ImageError>(rng.random_range(0..=room - size) as isize - padding as isize)
    };
    let top = place("height", height, picture.height)?;
    let left = place("width", width, picture.width)?;
    let channels = picture.channels;
    let other = &mut scratch.picture;
    other.reset(height, width, channels);
    // Columns of the crop that lie in the picture: one piece of each row.
    let first = (-left).clamp(0, width as isize) as usize;
    let end = (picture.width as isize - left).clamp(first as isize, width as isize) as usize;
    for (y, row) in other.pixels.chunks_exact_mut((width * channels).max(1)).enumerate() {
        let Some(source) = mode.source(top + y as isize, picture.height) else {
            row.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(&fill[..channels]));
            continue;
        };
        let source = picture.row(source);
        if first < end {
            let from = (left + first as isize) as usize * channels;
            let length = (end - first) * channels;
            row[first * channels..][..length].copy_from_slice(&source[from..from + length]);
        }
        for x in (0..first).chain(end..width) {
            let pixel = match mode.source(left + x as isize, picture.width) {
                Some(source_x) => &source[source_x * channels..][..channels],
                None => &fill[..channels],
            };
            row[x * channels..][..channels].copy_from_slice(pixel);
        }
    }
    std::mem::swap(picture, other);
    Ok(())
}
