//! The memory passes of batch norm: the statistics of each channel, and the gradient through them.
//!
//! Tensors are treated as `[outer, C, inner]` in memory: `[T * B, C, H * W]`, or `[T * B * H * W, C, 1]` for
//! channels-last. Ioffe and Szegedy, "Batch Normalization", ICML 2015.

use rayon::prelude::*;

use crate::error::KernelError;

/// Mean and (biased) variance of one channel.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    /// Number of values.
    pub count: f64,
    /// Mean.
    pub mean: f64,
    /// Sum of squared distances from the mean: the variance times `count`.
    pub squares: f64,
}

impl Moments {
    /// The moments of both sets combined. Chan, Golub and LeVeque, 1979.
    #[must_use]
    pub fn merge(self, other: Moments) -> Moments {
        let count = self.count + other.count;
        if count == 0.0 {
            return self;
        }
        let (delta, share) = (other.mean - self.mean, other.count / count);
        let squares = self.squares + other.squares + delta * delta * self.count * share;
        Moments { count, mean: self.mean + delta * share, squares }
    }

    /// The biased variance.
    pub fn variance(self) -> f64 {
        self.squares / self.count
    }
}

fn check(x: &[f32], channels: usize, inner: usize) -> Result<(), KernelError> {
    let period = channels * inner;
    if period == 0 || !x.len().is_multiple_of(period) {
        let shape = "a multiple of C * inner";
        return Err(KernelError::Length { buffer: "x", actual: x.len(), expected: period, shape });
    }
    Ok(())
}

/// Values that a thread processes at a time: a quarter of a megabyte, so that its second pass finds them in
/// cache.
const CHUNK: usize = 1 << 16;

/// Number of values in a chunk: whole periods of the channels.
fn chunk_of(period: usize) -> usize {
    period * (CHUNK / period).max(1)
}

/// Mean and variance of each channel of `x` (`[outer, C, inner]`), to nearly double precision, added in the
/// same order for any number of threads.
///
/// # Errors
/// [`KernelError::Length`] if the length of `x` is not a multiple of `C * inner`.
pub fn moments(x: &[f32], channels: usize, inner: usize) -> Result<Vec<Moments>, KernelError> {
    check(x, channels, inner)?;
    let parts: Vec<Vec<Moments>> = x
        .par_chunks(chunk_of(channels * inner))
        .map(
            |chunk| {
                if inner == 1 { of_interleaved(chunk, channels) } else { of_planes(chunk, channels, inner) }
            },
        )
        .collect();
    let mut total = vec![Moments::default(); channels];
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            *total = total.merge(part);
        }
    }
    Ok(total)
}

/// Sum in 16 strands, which the compiler vectorises.
#[inline(always)]
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f64 {
    let mut strands = [0.0f32; 16];
    let chunks = values.chunks_exact(16);
    let rest: f64 = chunks.remainder().iter().map(|&value| f64::from(term(value))).sum();
    for chunk in chunks {
        for (strand, &value) in strands.iter_mut().zip(chunk) {
            *strand += term(value);
        }
    }
    strands.iter().map(|&strand| f64::from(strand)).sum::<f64>() + rest
}

/// Values summed in single precision before the sum continues in double precision.
const RUN: usize = 2048;

fn of_planes(chunk: &[f32], channels: usize, inner: usize) -> Vec<Moments> {
    let mut total = vec![Moments::default(); channels];
    for (index, plane) in chunk.chunks_exact(inner).enumerate() {
        let total = &mut total[index % channels];
        for run in plane.chunks(RUN) {
            let count = run.len() as f64;
            let mean = sum(run, |value| value) / count;
            // Around the mean rounded to single precision, with a correction for that.
            let centre = mean as f32;
            let squares = sum(run, |value| (value - centre) * (value - centre));
            let shift = mean - f64::from(centre);
            *total = total.merge(Moments { count, mean, squares: squares - count * shift * shift });
        }
    }
    total
}

fn of_interleaved(chunk: &[f32], channels: usize) -> Vec<Moments> {
    let mut total = vec![Moments::default(); channels];
    let mut sums = vec![0.0f32; channels];
    let mut squares = vec![0.0f32; channels];
    let mut centres = vec![0.0f32; channels];
    for run in chunk.chunks(channels * 64) {
        let count = (run.len() / channels) as f64;
        sums.fill(0.0);
        squares.fill(0.0);
        for pixel in run.chunks_exact(channels) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += value;
            }
        }
        for (centre, &sum) in centres.iter_mut().zip(&sums) {
            *centre = (f64::from(sum) / count) as f32;
        }
        for pixel in run.chunks_exact(channels) {
            for ((square, &centre), &value) in squares.iter_mut().zip(&centres).zip(pixel) {
                *square += (value - centre) * (value - centre);
            }
        }
        for (channel, total) in total.iter_mut().enumerate() {
            let mean = f64::from(sums[channel]) / count;
            let shift = mean - f64::from(centres[channel]);
            let squares = f64::from(squares[channel]) - count * shift * shift;
            *total = total.merge(Moments { count, mean, squares });
        }
    }
    total
}

/// `grad = a[c] * grad + b[c] * x + d[c]`, in place: the gradient through batch norm, where `a`, `b` and `d`
/// are constant for each channel. `x` and `grad` are `[outer, C, inner]`, the coefficients are `[C]` triples
/// `[a, b, d]`.
///
/// # Errors
/// [`KernelError::Length`] if the lengths do not match.
pub fn combine(
    x: &[f32],
    grad: &mut [f32],
    coefficients: &[[f32; 3]],
    inner: usize,
) -> Result<(), KernelError> {
    let channels = coefficients.len();
    check(x, channels, inner)?;
    if grad.len() != x.len() {
        let (actual, expected) = (grad.len(), x.len());
        return Err(KernelError::Length { buffer: "grad", actual, expected, shape: "as x" });
    }
    let chunk = chunk_of(channels * inner);
    let planar: [Vec<f32>; 3] = [0, 1, 2].map(|i| coefficients.iter().map(|row| row[i]).collect());
    grad.par_chunks_mut(chunk).zip(x.par_chunks(chunk)).for_each(|(grad, x)| {
        if inner == 1 {
            for (grad, x) in grad.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                let (a, b, d) = (&planar[0][..channels], &planar[1][..channels], &planar[2][..channels]);
                for i in 0..channels {
                    grad[i] = a[i] * grad[i] + b[i] * x[i] + d[i];
                }
            }
        } else {
            let planes = grad.chunks_exact_mut(inner).zip(x.chunks_exact(inner));
            for ((grad, x), [a, b, d]) in planes.zip(coefficients.iter().cycle()) {
                for (grad, x) in grad.iter_mut().zip(x) {
                    *grad = a * *grad + b * x + d;
                }
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_survive_a_large_mean() {
        let (channels, outer) = (3, 7000);
        for inner in [1usize, 5] {
            let x: Vec<f32> = (0..outer * channels * inner)
                .map(|i| 1000.0 * (i / inner % channels) as f32 + (i * 7919 % 101) as f32 / 101.0)
                .collect();
            let found = moments(&x, channels, inner).unwrap();
            for (c, found) in found.iter().enumerate() {
                let own = || {
                    x.iter()
                        .enumerate()
                        .filter(|(i, _)| i / inner % channels == c)
                        .map(|(_, &x)| f64::from(x))
                };
                let mean = own().sum::<f64>() / own().count() as f64;
                let variance = own().map(|x| (x - mean).powi(2)).sum::<f64>() / own().count() as f64;
                assert!((found.mean - mean).abs() < 1e-4 * mean.max(1.0) * 1e-2, "{found:?} {mean}");
                assert!((found.variance() / variance - 1.0).abs() < 1e-4, "{found:?} {variance}");
            }
        }
        assert!(moments(&[0.0; 7], 2, 3).is_err());
    }

    #[test]
    fn combine_is_its_formula() {
        // In one chunk, and in several: a multiple of three and of both periods.
        for (inner, length) in [(1usize, 12usize), (3, 12), (1, 3 * CHUNK), (3, 3 * CHUNK)] {
            let x: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let mut grad = vec![1.0; length];
            combine(&x, &mut grad, &[[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]], inner).unwrap();
            for (i, grad) in grad.iter().enumerate() {
                let x = i as f32;
                assert_eq!(*grad, if i / inner % 2 == 0 { 4.0 + 2.0 * x } else { 0.5 * x - 1.0 });
            }
        }
    }
}
