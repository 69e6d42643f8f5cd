//! Erasing of rectangles in normalised images.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

/// The content of erased rectangles of a normalised image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EraseMode {
    /// 0, the data set's mean.
    Const,
    /// One normally distributed number per channel.
    Rand,
    /// A normally distributed number for each pixel and channel.
    #[default]
    Pixel,
}

/// Rows and columns, half-open.
struct Region {
    rows: [usize; 2],
    columns: [usize; 2],
}

/// Fills a region of a plane `[H, W]` with the results of `value`.
fn fill(plane: &mut [f32], width: usize, region: &Region, mut value: impl FnMut() -> f32) {
    let ([top, bottom], [left, right]) = (region.rows, region.columns);
    for row in plane.chunks_exact_mut(width).take(bottom).skip(top) {
        row[left..right].fill_with(&mut value);
    }
}

/// Erases a number of rectangles drawn from the range `count`. The area of each, as a share of the image's,
/// is drawn from `area` and divided by their number; its ratio of height to width is drawn from `aspect`. One
/// that does not fit is drawn again, up to ten times.
pub(super) fn random_erasing(
    values: &mut [f32],
    [height, width]: [usize; 2],
    mode: EraseMode,
    (area, aspect, count): ([f64; 2], [f64; 2], [usize; 2]),
    rng: &mut impl Rng,
) {
    let count = rng.random_range(count[0]..=count[1]);
    for _ in 0..count {
        for _ in 0..10 {
            let area = super::between(rng, area) * (height * width) as f64 / count as f64;
            let aspect = super::between(rng, aspect.map(f64::ln)).exp();
            let h = (area * aspect).sqrt().round_ties_even() as usize;
            let w = (area / aspect).sqrt().round_ties_even() as usize;
            if h >= height || w >= width {
                continue;
            }
            let (top, left) = (rng.random_range(0..=height - h), rng.random_range(0..=width - w));
            let region = Region { rows: [top, top + h], columns: [left, left + w] };
            for plane in values.chunks_exact_mut(height * width) {
                match mode {
                    EraseMode::Const => fill(plane, width, &region, || 0.0),
                    EraseMode::Rand => {
                        let value = rng.sample(StandardNormal);
                        fill(plane, width, &region, || value);
                    }
                    EraseMode::Pixel => fill(plane, width, &region, || rng.sample(StandardNormal)),
                }
            }
            break;
        }
    }
}

/// Writes 0 in `count` squares with sides of `length` pixels, centred on random pixels.
pub(super) fn cutout(
    values: &mut [f32],
    [height, width]: [usize; 2],
    length: usize,
    count: usize,
    rng: &mut impl Rng,
) {
    let half = length / 2;
    let mut side = |most: usize| {
        let middle = rng.random_range(0..most);
        [middle.saturating_sub(half), (middle + half).min(most)]
    };
    for _ in 0..count {
        let region = Region { rows: side(height), columns: side(width) };
        values.chunks_exact_mut(height * width).for_each(|plane| fill(plane, width, &region, || 0.0));
    }
}
