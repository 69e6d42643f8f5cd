//! From a block's coefficients to its samples.

use crate::simd;

/// The coefficients of 8 x 8 samples, row by row.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
pub(crate) struct Block(pub(crate) [i16; 64]);

impl Default for Block {
    fn default() -> Self {
        Self([0; 64])
    }
}

/// The inverse transform, with a component's quantisation.
#[derive(Debug, Clone)]
pub(super) struct Transform {
    quantisation: Block,
}

impl Transform {
    pub(super) fn new(table: [u16; 64]) -> Self {
        Self { quantisation: Block(table.map(|value| value as i16)) }
    }

    /// Writes a block whose coefficients from `count` on (in the file's order) are 0.
    #[inline(always)]
    pub(super) fn write(&self, block: &Block, count: usize, out: &mut [u8], stride: usize) {
        if count == 1 {
            let constant = i32::from(block.0[0]).wrapping_mul(i32::from(self.quantisation.0[0]));
            let level = (((constant + 4) >> 3) + 128).clamp(0, 255) as u8;
            out.chunks_mut(stride).take(8).for_each(|row| row[..8].fill(level));
            return;
        }
        let samples = simd::transform(block, &self.quantisation);
        for (row, samples) in out.chunks_mut(stride).zip(samples.as_chunks::<8>().0) {
            row[..8].copy_from_slice(samples);
        }
    }
}

/// The bits of the constants below.
const CONSTANT_BITS: u32 = 13;
/// Bits that are kept more between the passes.
const PASS_BITS: u32 = 2;

/// The accurate integer transform of Loeffler, Ligtenberg and Moschytz (ICASSP 1989), with 12 multiplications a row,
/// with libjpeg's roundings.
#[inline(always)]
pub(crate) fn transform_any(block: &Block, quantisation: &Block) -> [u8; 64] {
    let mut values = [0i32; 64];
    for ((value, &c), &q) in values.iter_mut().zip(&block.0).zip(&quantisation.0) {
        *value = i32::from(c) * i32::from(q);
    }
    let values = pass::<{ CONSTANT_BITS - PASS_BITS }>(&values);
    let values = pass::<{ CONSTANT_BITS + PASS_BITS + 3 }>(&transposed(&values));
    transposed(&values).map(|value| (value + 128).clamp(0, 255) as u8)
}

#[inline(always)]
fn transposed(values: &[i32; 64]) -> [i32; 64] {
    std::array::from_fn(|at| values[at % 8 * 8 + at / 8])
}

/// Transforms the columns, all eight at once.
#[inline(always)]
fn pass<const SHIFT: u32>(values: &[i32; 64]) -> [i32; 64] {
    let mut out = [0; 64];
    for x in 0..8 {
        let value = |y: usize| values[8 * y + x];
        let column = column(std::array::from_fn(value), 1 << (SHIFT - 1));
        for (y, value) in column.into_iter().enumerate() {
            out[8 * y + x] = value >> SHIFT;
        }
    }
    out
}

/// One column; sums that only damaged files reach wrap.
#[inline(always)]
fn column([v0, v1, v2, v3, v4, v5, v6, v7]: [i32; 8], half: i32) -> [i32; 8] {
    // cosines and their sums, in 2^-13
    let times = |value: i32, constant: i32| value.wrapping_mul(constant);
    let add = |a: i32, b: i32| a.wrapping_add(b);
    let sub = |a: i32, b: i32| a.wrapping_sub(b);
    // even coefficients
    let z1 = times(add(v2, v6), 4433);
    let low = sub(z1, times(v6, 15137));
    let high = add(z1, times(v2, 6270));
    let sum = add(add(v0, v4) << CONSTANT_BITS, half);
    let difference = add(sub(v0, v4) << CONSTANT_BITS, half);
    let even = [add(sum, high), add(difference, low), sub(difference, low), sub(sum, high)];
    // odd coefficients
    let z5 = times(add(add(v7, v3), add(v5, v1)), 9633);
    let z1 = times(add(v7, v1), -7373);
    let z2 = times(add(v5, v3), -20995);
    let z3 = add(times(add(v7, v3), -16069), z5);
    let z4 = add(times(add(v5, v1), -3196), z5);
    let odd = [
        add(times(v1, 12299), add(z1, z4)),
        add(times(v3, 25172), add(z2, z3)),
        add(times(v5, 16819), add(z2, z4)),
        add(times(v7, 2446), add(z1, z3)),
    ];
    let upper = |at: usize| add(even[at], odd[at]);
    let lower = |at: usize| sub(even[at], odd[at]);
    [upper(0), upper(1), upper(2), upper(3), lower(3), lower(2), lower(1), lower(0)]
}
