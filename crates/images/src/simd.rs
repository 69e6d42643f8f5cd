//! The loops that gain by wide vectors, in one binary for all processors.

use crate::jpeg::{Block, Rounding, double_any, rgb_of_ycc, transform_any};
use crate::resize::{Coefficients, PRECISION};

const HALF: i32 = 1 << (PRECISION - 1);

fn level(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Rows of another width: each of `source` (`stride` bytes) becomes one of `out`, by `columns`.
pub(crate) fn horizontal(
    source: &[u8],
    stride: usize,
    channels: usize,
    columns: &Coefficients,
    out: &mut [u8],
) {
    let rows = source.chunks_exact(stride).zip(out.chunks_exact_mut(columns.len() * channels));
    #[cfg(target_arch = "x86_64")]
    if channels == 3 && is_x86_feature_detected!("avx2") {
        rows.for_each(|(row, out)| {
            // SAFETY: the processor has AVX2, as was just asked.
            unsafe { x86::horizontal_rgb(row, columns, out) }
        });
        return;
    }
    rows.for_each(|(row, out)| horizontal_any(row, channels, columns, out));
}

fn horizontal_any(row: &[u8], channels: usize, columns: &Coefficients, out: &mut [u8]) {
    for (x, out) in out.chunks_exact_mut(channels).enumerate() {
        let (first, taps) = columns.taps(x);
        for (channel, out) in out.iter_mut().enumerate() {
            let pixels = row[first * channels + channel..].iter().step_by(channels);
            *out = level(taps.iter().zip(pixels).map(|(&k, &v)| k * i32::from(v)).sum::<i32>() + HALF);
        }
    }
}

/// Columns of another height: row `y` of `out` is made of those of `source` (`stride` bytes, the first of them
/// number `first`) that `rows` says.
pub(crate) fn vertical(source: &[u8], stride: usize, first: usize, rows: &Coefficients, out: &mut [u8]) {
    for (y, out) in out.chunks_exact_mut(stride).enumerate() {
        let (from, taps) = rows.taps(y);
        let source = &source[(from - first) * stride..];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as was just asked.
            unsafe { x86::vertical_row(source, stride, taps, out) };
            continue;
        }
        vertical_any(source, stride, taps, out);
    }
}

/// One row, as the sum of some.
#[inline(always)]
fn vertical_any(source: &[u8], stride: usize, taps: &[i32], out: &mut [u8]) {
    // so many columns at once that their sums stay in registers
    const BLOCK: usize = 32;
    let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
    let start = blocks.len() * BLOCK;
    for (number, block) in blocks.iter_mut().enumerate() {
        let mut sums = [HALF; BLOCK];
        for (tap, &k) in taps.iter().enumerate() {
            let place = tap * stride + number * BLOCK;
            for (sum, &v) in sums.iter_mut().zip(&source[place..place + BLOCK]) {
                *sum += k * i32::from(v);
            }
        }
        *block = sums.map(level);
    }
    for (x, out) in rest.iter_mut().enumerate() {
        let column = source[start + x..].iter().step_by(stride);
        *out = level(taps.iter().zip(column).map(|(&k, &v)| k * i32::from(v)).sum::<i32>() + HALF);
    }
}

/// The samples of a JPEG file's block.
pub(crate) fn transform(block: &Block, quantisation: &Block) -> [u8; 64] {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as was just asked.
        return unsafe { x86::transform(block, quantisation) };
    }
    transform_any(block, quantisation)
}

/// Twice as many samples in a row, see [`double_any`].
pub(crate) fn double(sums: &[u16], rounding: &Rounding, out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as was just asked.
        return unsafe { x86::double(sums, rounding, out) };
    }
    double_any(sums, rounding, out);
}

/// A row of pixels from luma and the two differences of colour.
pub(crate) fn ycc_to_rgb(lines: [&[u8]; 3], out: &mut [[u8; 3]]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as was just asked.
        return unsafe { x86::ycc_to_rgb(lines, out) };
    }
    ycc_to_rgb_any(lines, out);
}

#[inline(always)]
fn ycc_to_rgb_any([y, cb, cr]: [&[u8]; 3], out: &mut [[u8; 3]]) {
    for (((pixel, &y), &cb), &cr) in out.iter_mut().zip(y).zip(cb).zip(cr) {
        *pixel = rgb_of_ycc(y, cb, cr);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{
        Block, Coefficients, HALF, PRECISION, Rounding, double_any, transform_any, vertical_any,
        ycc_to_rgb_any,
    };

    #[target_feature(enable = "avx2")]
    pub(super) fn transform(block: &Block, quantisation: &Block) -> [u8; 64] {
        transform_any(block, quantisation)
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn double(sums: &[u16], rounding: &Rounding, out: &mut [u8]) {
        double_any(sums, rounding, out);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn ycc_to_rgb(lines: [&[u8]; 3], out: &mut [[u8; 3]]) {
        ycc_to_rgb_any(lines, out);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn vertical_row(source: &[u8], stride: usize, taps: &[i32], out: &mut [u8]) {
        vertical_any(source, stride, taps, out);
    }

    /// A pixel's three channels at once, in lanes of 32 bits; the fourth is not used.
    #[target_feature(enable = "avx2")]
    pub(super) fn horizontal_rgb(row: &[u8], columns: &Coefficients, out: &mut [u8]) {
        let half = _mm_set1_epi32(HALF);
        for (x, out) in out.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let (first, taps) = columns.taps(x);
            let pixels = &row[first * 3..];
            let mut sum = half;
            // four bytes at a time, so all but the row's last pixel
            let wide = taps.len().min(pixels.len().saturating_sub(1) / 3);
            let (wide_taps, last) = taps.split_at(wide);
            for (&k, place) in wide_taps.iter().zip(pixels.windows(4).step_by(3)) {
                let four = i32::from_le_bytes([place[0], place[1], place[2], place[3]]);
                let lanes = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
                sum = _mm_add_epi32(sum, _mm_mullo_epi32(lanes, _mm_set1_epi32(k)));
            }
            for (&k, pixel) in last.iter().zip(pixels[wide * 3..].as_chunks::<3>().0) {
                let four = i32::from_le_bytes([pixel[0], pixel[1], pixel[2], 0]);
                let lanes = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
                sum = _mm_add_epi32(sum, _mm_mullo_epi32(lanes, _mm_set1_epi32(k)));
            }
            // both packings saturate, which clamps to 0 to 255
            let words = _mm_packs_epi32(_mm_srai_epi32::<{ PRECISION as i32 }>(sum), half);
            let bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words)).to_le_bytes();
            *out = [bytes[0], bytes[1], bytes[2]];
        }
    }
}
