//! The filter weights for each pixel of a row or column.

use super::filter::Filter;

/// Fractional bits of a coefficient: of 32 bits, 8 are for the pixel and 2 for sums that are negative or
/// overshoot.
pub(super) const PRECISION: u32 = 32 - 8 - 2;

/// The filter weights for each pixel of a row or column.
#[derive(Debug, Clone, Default)]
pub(super) struct Coefficients {
    /// The first source pixel and the number of source pixels.
    bounds: Vec<(u32, u32)>,
    /// The largest number of source pixels of a pixel: the number of entries per pixel in `values`.
    capacity: usize,
    values: Vec<i32>,
    /// The same in groups of four: the lower bits of four weights, then their upper bits.
    halves: Vec<[i16; 8]>,
    weights: Vec<f64>,
}

/// Bits of a weight's lower half: both halves are then 16-bit numbers, and their products with pixels add up
/// exactly.
pub(super) const LOWER_BITS: u32 = 11;

impl Coefficients {
    pub(super) fn len(&self) -> usize {
        self.bounds.len()
    }

    /// The first source pixel of pixel `at`, and the weights of it and the following ones, in units of 2^-22.
    pub(super) fn taps(&self, at: usize) -> (usize, &[i32]) {
        let (first, count) = self.bounds[at];
        (first as usize, &self.values[at * self.capacity..][..count as usize])
    }

    /// The first source pixel of pixel `at`, and the weights from it on in groups of four, padded with 0: the
    /// lower [`LOWER_BITS`] of each, then the upper bits.
    #[inline(always)]
    pub(super) fn halves(&self, at: usize) -> (usize, &[[i16; 8]]) {
        let (first, count) = self.bounds[at];
        let start = at * (self.capacity / 4);
        (first as usize, &self.halves[start..start + (count as usize).div_ceil(4)])
    }

    pub(super) fn compute(&mut self, size: usize, low: f32, high: f32, count: usize, filter: Filter) {
        let scale = f64::from(high - low) / count as f64;
        let widened = scale.max(1.0);
        let (support, narrowed) = (filter.support() * widened, 1.0 / widened);
        self.capacity = (support.ceil() as usize * 2 + 1).next_multiple_of(4);
        self.bounds.clear();
        self.values.clear();
        self.values.resize(self.capacity * count, 0);
        for (at, values) in self.values.chunks_exact_mut(self.capacity).enumerate() {
            let centre = f64::from(low) + (at as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(size);
            self.weights.clear();
            self.weights.extend((first..end).map(|x| filter.weight((x as f64 - centre + 0.5) * narrowed)));
            let sum: f64 = self.weights.iter().sum();
            for (value, weight) in values.iter_mut().zip(&self.weights) {
                let share = if sum == 0.0 { *weight } else { weight / sum };
                let scaled = share * f64::from(1 << PRECISION);
                *value = (scaled + if share < 0.0 { -0.5 } else { 0.5 }) as i32;
            }
            self.bounds.push((first as u32, (end - first) as u32));
        }
        self.halves.clear();
        self.halves.extend(self.values.as_chunks::<4>().0.iter().map(|four| {
            std::array::from_fn(|at| match at {
                0..4 => (four[at] & ((1 << LOWER_BITS) - 1)) as i16,
                _ => (four[at - 4] >> LOWER_BITS) as i16,
            })
        }));
    }
}
