//! The inverse transform, from a block's coefficients to its samples.

use crate::simd::with_avx2;

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
pub(crate) struct Transform {
    quantisation: Block,
    /// Rows and columns of samples in its output: 1, 2, 4 or 8.
    pub(crate) size: usize,
}

impl Transform {
    pub(crate) fn new(table: [u16; 64], size: usize) -> Self {
        Self { quantisation: Block(table.map(|value| value as i16)), size }
    }

    /// Writes a block whose coefficients from `count` on (in the file's order) are 0.
    #[inline(always)]
    pub(crate) fn write(&self, block: &Block, count: usize, out: &mut [u8], stride: usize) {
        if count == 1 || self.size == 1 {
            let constant = i32::from(block.0[0]).wrapping_mul(i32::from(self.quantisation.0[0]));
            let level = (((constant + 4) >> 3) + 128).clamp(0, 255) as u8;
            out.chunks_mut(stride).take(self.size).for_each(|row| row[..self.size].fill(level));
            return;
        }
        match self.size {
            2 => return write_rows(&reduced_to_2(block, &self.quantisation), out, stride),
            4 => return write_rows(&reduced_to_4(block, &self.quantisation), out, stride),
            _ => {}
        }
        let samples = inverse(block, &self.quantisation);
        for (row, samples) in out.chunks_mut(stride).zip(samples.as_chunks::<8>().0) {
            row[..8].copy_from_slice(samples);
        }
    }
}

/// The bits of the constants below.
const CONSTANT_BITS: u32 = 13;
/// Extra bits kept between the passes.
const PASS_BITS: u32 = 2;

with_avx2! {
    /// The samples of a block.
    fn inverse(block: &Block, quantisation: &Block) -> [u8; 64] = inverse_any;
}

/// The accurate integer transform of Loeffler, Ligtenberg and Moschytz (ICASSP 1989), with 12 multiplications
/// per row and libjpeg's rounding.
#[inline(always)]
fn inverse_any(block: &Block, quantisation: &Block) -> [u8; 64] {
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

/// One column; sums that only damaged files can reach wrap around.
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

fn write_rows<const N: usize>(samples: &[[u8; N]; N], out: &mut [u8], stride: usize) {
    for (row, samples) in out.chunks_mut(stride).zip(samples) {
        row[..N].copy_from_slice(samples);
    }
}

/// Half as many samples on each side, with libjpeg's rounding.
fn reduced_to_4(block: &Block, quantisation: &Block) -> [[u8; 4]; 4] {
    reduced(block, quantisation, 1, |[v0, v1, v2, v3, _, v5, v6, v7]| {
        let even = sum([(v2, 15137), (v6, -6270)]);
        let outer = sum([(v1, 20995), (v3, 7373), (v5, -4926), (v7, -4176)]);
        let inner = sum([(v1, 8697), (v3, -17799), (v5, 11893), (v7, -1730)]);
        let constant = v0 << (CONSTANT_BITS + 1);
        let (first, second) = (constant.wrapping_add(even), constant.wrapping_sub(even));
        [
            first.wrapping_add(outer),
            second.wrapping_add(inner),
            second.wrapping_sub(inner),
            first.wrapping_sub(outer),
        ]
    })
}

/// A quarter as many samples on each side.
fn reduced_to_2(block: &Block, quantisation: &Block) -> [[u8; 2]; 2] {
    reduced(block, quantisation, 2, |[v0, v1, _, v3, _, v5, _, v7]| {
        let odd = sum([(v1, 29692), (v3, -10426), (v5, 6967), (v7, -5906)]);
        let constant = v0 << (CONSTANT_BITS + 2);
        [constant.wrapping_add(odd), constant.wrapping_sub(odd)]
    })
}

#[inline(always)]
fn sum<const N: usize>(terms: [(i32, i32); N]) -> i32 {
    terms.into_iter().fold(0, |sum, (value, constant)| sum.wrapping_add(value.wrapping_mul(constant)))
}

/// Columns, then rows, by a transform from eight numbers to `N` whose result has `bits` more fractional bits.
#[inline(always)]
fn reduced<const N: usize>(
    block: &Block,
    quantisation: &Block,
    bits: u32,
    transform: impl Fn([i32; 8]) -> [i32; N],
) -> [[u8; N]; N] {
    let rounded = |value: i32, shift: u32| value.wrapping_add(1 << (shift - 1)) >> shift;
    let columns: [[i32; N]; 8] = std::array::from_fn(|x| {
        let value = |y: usize| i32::from(block.0[8 * y + x]) * i32::from(quantisation.0[8 * y + x]);
        transform(std::array::from_fn(value)).map(|value| rounded(value, CONSTANT_BITS - PASS_BITS + bits))
    });
    std::array::from_fn(|y| {
        let row = transform(std::array::from_fn(|x| columns[x][y]));
        row.map(|value| (rounded(value, CONSTANT_BITS + PASS_BITS + 3 + bits) + 128).clamp(0, 255) as u8)
    })
}
