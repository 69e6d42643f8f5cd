//! Loops that profit from wide vectors, in one binary for all processors.

use super::coefficients::{Coefficients, LOWER_BITS, PRECISION};

const HALF: i32 = 1 << (PRECISION - 1);

fn level(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Horizontal pass: resizes each row of `source` (`stride` bytes) to one of `out`, with the weights
/// `columns`.
pub(super) fn horizontal(
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
            // SAFETY: the processor has AVX2, as was just checked.
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

/// Vertical pass: row `y` of `out` is the weighted sum, with the weights `rows`, of rows of `source`
/// (`stride` bytes each; its first row has number `first`).
pub(super) fn vertical(source: &[u8], stride: usize, first: usize, rows: &Coefficients, out: &mut [u8]) {
    for (y, out) in out.chunks_exact_mut(stride).enumerate() {
        let (from, taps) = rows.taps(y);
        let source = &source[(from - first) * stride..];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as was just checked.
            unsafe { x86::vertical_row(source, stride, taps, out) };
            continue;
        }
        vertical_any(source, stride, taps, out);
    }
}

/// One row, as a weighted sum of rows.
#[inline(always)]
fn vertical_any(source: &[u8], stride: usize, taps: &[i32], out: &mut [u8]) {
    // just enough columns at once that their sums stay in registers
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Coefficients, HALF, LOWER_BITS, PRECISION, vertical_any};

    #[target_feature(enable = "avx2")]
    pub(super) fn vertical_row(source: &[u8], stride: usize, taps: &[i32], out: &mut [u8]) {
        vertical_any(source, stride, taps, out);
    }

    /// The three channels of a pixel at once, from four source pixels: 16-bit products, added in pairs.
    #[target_feature(enable = "avx2")]
    pub(super) fn horizontal_rgb(row: &[u8], columns: &Coefficients, out: &mut [u8]) {
        // red, green and blue of pixels 0 and 1 (in the upper half, 2 and 3), each pair as 16-bit values
        let spread = _mm256_setr_epi8(
            0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, //
            6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1,
        );
        let lower = _mm256_setr_epi8(
            0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, //
            4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7,
        );
        let upper = _mm256_add_epi8(lower, _mm256_set1_epi8(8));
        let half = _mm_set1_epi32(HALF);
        let mut last = [0; 16];
        for (x, out) in out.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let (first, weights) = columns.halves(x);
            let (mut low, mut high) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            for (four, weights) in weights.iter().enumerate() {
                let pixels = &row[(first + 4 * four) * 3..];
                let pixels = match pixels.first_chunk::<16>() {
                    Some(pixels) => pixels,
                    // the end of the row; values beyond it have weight 0
                    None => {
                        last[..pixels.len()].copy_from_slice(pixels);
                        &last
                    }
                };
                // SAFETY: both have 16 bytes.
                let (pixels, weights) = unsafe {
                    (_mm_loadu_si128(pixels.as_ptr().cast()), _mm_loadu_si128(weights.as_ptr().cast()))
                };
                let pixels = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(pixels), spread);
                let weights = _mm256_broadcastsi128_si256(weights);
                low = _mm256_add_epi32(low, _mm256_madd_epi16(pixels, _mm256_shuffle_epi8(weights, lower)));
                high = _mm256_add_epi32(high, _mm256_madd_epi16(pixels, _mm256_shuffle_epi8(weights, upper)));
            }
            let sum = _mm256_add_epi32(low, _mm256_slli_epi32::<{ LOWER_BITS as i32 }>(high));
            let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
            let sum = _mm_srai_epi32::<{ PRECISION as i32 }>(_mm_add_epi32(sum, half));
            // both packing steps saturate, which clamps to 0 to 255
            let words = _mm_packs_epi32(sum, sum);
            let bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words)).to_le_bytes();
            *out = [bytes[0], bytes[1], bytes[2]];
        }
    }
}
