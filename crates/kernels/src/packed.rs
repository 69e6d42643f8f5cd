//! Packed spikes: the input that a layer keeps for its backward pass takes one bit per spike instead of 32.

use half::bf16;
use rayon::prelude::*;

use crate::error::KernelError;
use crate::simd;

/// Values that one task packs: a whole number of bytes.
const PIECE: usize = 1 << 16;

/// A number format that [`PackedSpikes`] packs.
pub trait Value: Copy + Send + Sync {
    /// The same value, exactly.
    fn single(self) -> f32;
}

impl Value for f32 {
    #[inline(always)]
    fn single(self) -> f32 {
        self
    }
}

impl Value for bf16 {
    #[inline(always)]
    fn single(self) -> f32 {
        // Unlike `to_f32`, this has no branch for NaN, which would prevent vectorisation.
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

/// Packed values: 0 or 1, or small whole numbers (sums of spikes, as in residual blocks).
///
/// ```
/// use tks_kernels::packed::PackedSpikes;
///
/// let spikes = [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
/// let packed = PackedSpikes::pack(&spikes).unwrap();
/// assert_eq!((packed.bytes(), packed.density()), (2, 3.0 / 9.0));
/// let mut again = [9.0; 9];
/// packed.expand(&mut again)?;
/// assert_eq!(again, spikes);
/// assert!(PackedSpikes::pack(&[0.25]).is_none());
/// # Ok::<(), tks_kernels::KernelError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedSpikes {
    storage: Storage,
    length: usize,
    non_zero: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Storage {
    /// Eight values per byte, the first in the lowest bit.
    Bits(Vec<u8>),
    /// One value per byte.
    Bytes(Vec<u8>),
}

impl PackedSpikes {
    /// Packs values; `None` if one of them is not a whole number from 0 to 255. -0 becomes 0.
    pub fn pack<T: Value>(values: &[T]) -> Option<PackedSpikes> {
        let pack = |mut packed: Vec<u8>, per_byte: usize, piece: fn(&[T], &mut [u8]) -> Option<usize>| {
            let non_zero = values
                .par_chunks(PIECE)
                .zip(packed.par_chunks_mut(PIECE / per_byte))
                .map(|(values, packed)| piece(values, packed))
                .try_reduce(|| 0, |a, b| Some(a + b))?;
            Some((packed, non_zero))
        };
        let length = values.len();
        let bits =
            pack(vec![0; length.div_ceil(8)], 8, |values, bits| simd::dispatch(PackBits { values, bits }));
        if let Some((bits, non_zero)) = bits {
            return Some(PackedSpikes { storage: Storage::Bits(bits), length, non_zero });
        }
        let (bytes, non_zero) =
            pack(vec![0; length], 1, |values, bytes| simd::dispatch(PackBytes { values, bytes }))?;
        Some(PackedSpikes { storage: Storage::Bytes(bytes), length, non_zero })
    }

    /// Memory used, in bytes.
    pub fn bytes(&self) -> usize {
        let (Storage::Bits(bytes) | Storage::Bytes(bytes)) = &self.storage;
        bytes.len()
    }

    /// The share of non-zero values; 0 if there are no values.
    pub fn density(&self) -> f64 {
        self.non_zero as f64 / (self.length as f64).max(1.0)
    }

    /// Writes the unpacked values.
    ///
    /// # Errors
    /// [`KernelError::Length`] if `values` does not have the length of the packed values.
    pub fn expand(&self, values: &mut [f32]) -> Result<(), KernelError> {
        if values.len() != self.length {
            return Err(KernelError::Length {
                buffer: "values",
                actual: values.len(),
                expected: self.length,
                shape: "as many as were packed",
            });
        }
        let pieces = values.par_chunks_mut(PIECE);
        match &self.storage {
            Storage::Bits(bits) => pieces
                .zip(bits.par_chunks(PIECE / 8))
                .for_each(|(values, bits)| simd::dispatch(ExpandBits { bits, values })),
            Storage::Bytes(bytes) => pieces.zip(bytes.par_chunks(PIECE)).for_each(|(values, bytes)| {
                for (value, &byte) in values.iter_mut().zip(bytes) {
                    *value = f32::from(byte);
                }
            }),
        }
        Ok(())
    }
}

/// Gathers the lowest bit of each of eight bytes, the first in the lowest bit.
#[inline(always)]
pub(crate) fn lowest_bits(flags: &[u8; 64]) -> u64 {
    let (eights, _) = flags.as_chunks::<8>();
    let byte = |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    eights.iter().enumerate().fold(0, |bits, (i, eight)| bits | (byte(eight) << (8 * i)))
}

struct PackBits<'a, T> {
    values: &'a [T],
    bits: &'a mut [u8],
}

impl<T: Value> simd::Work for PackBits<'_, T> {
    /// Number of ones; `None` if a value is neither 0 nor 1.
    type Output = Option<usize>;

    #[inline(always)]
    fn run(self) -> Option<usize> {
        let (mut ones, mut others) = (0, 0u8);
        let (groups, rest) = self.values.as_chunks::<64>();
        let (packed, packed_rest) = self.bits.split_at_mut(groups.len() * 8);
        for (values, packed) in groups.iter().zip(packed.as_chunks_mut::<8>().0) {
            // One byte each, which the compiler vectorises.
            let mut flags = [0u8; 64];
            for (flag, value) in flags.iter_mut().zip(values) {
                let value = value.single();
                *flag = u8::from(value == 1.0);
                others |= u8::from(value != 1.0) & u8::from(value != 0.0);
            }
            let bits = lowest_bits(&flags);
            *packed = bits.to_le_bytes();
            ones += bits.count_ones() as usize;
        }
        for (values, byte) in rest.chunks(8).zip(packed_rest) {
            for (i, value) in values.iter().enumerate() {
                let value = value.single();
                *byte |= u8::from(value == 1.0) << i;
                others |= u8::from(value != 1.0) & u8::from(value != 0.0);
            }
            ones += byte.count_ones() as usize;
        }
        (others == 0).then_some(ones)
    }
}

struct PackBytes<'a, T> {
    values: &'a [T],
    bytes: &'a mut [u8],
}

impl<T: Value> simd::Work for PackBytes<'_, T> {
    /// Number of non-zero values; `None` if a value is not a whole number from 0 to 255.
    type Output = Option<usize>;

    #[inline(always)]
    fn run(self) -> Option<usize> {
        let (mut non_zero, mut others) = (0usize, 0u8);
        for (value, byte) in self.values.iter().zip(self.bytes) {
            let value = value.single();
            // The cast saturates and maps NaN to 0; the comparison detects both.
            *byte = value as u8;
            others |= u8::from(f32::from(*byte) != value);
            non_zero += usize::from(*byte != 0);
        }
        (others == 0).then_some(non_zero)
    }
}

struct ExpandBits<'a> {
    bits: &'a [u8],
    values: &'a mut [f32],
}

impl simd::Work for ExpandBits<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (values, &byte) in self.values.chunks_mut(8).zip(self.bits) {
            for (i, value) in values.iter_mut().enumerate() {
                *value = f32::from(byte >> i & 1);
            }
        }
    }
}
