//! Spikes in little memory: what a backward pass needs of a layer's input takes a bit a spike, not 32.

use half::bf16;
use rayon::prelude::*;

use crate::error::KernelError;
use crate::simd;

/// Values that one task packs: a whole number of bytes of bits.
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
        // Unlike `to_f32` without a branch for NaN, which would keep this from becoming SIMD.
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

/// Values that are 0 or 1, or small whole numbers (sums of spikes, as residual blocks have), packed.
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
    /// Eight values a byte, the first in the lowest bit.
    Bits(Vec<u8>),
    /// A value a byte.
    Bytes(Vec<u8>),
}

impl PackedSpikes {
    /// Packs values; `None` where one is neither 0 nor a whole number up to 255. -0 becomes 0.
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

    /// Memory taken.
    pub fn bytes(&self) -> usize {
        let (Storage::Bits(bytes) | Storage::Bytes(bytes)) = &self.storage;
        bytes.len()
    }

    /// The share of values that are not zero, 0 for none.
    pub fn density(&self) -> f64 {
        self.non_zero as f64 / (self.length as f64).max(1.0)
    }

    /// Writes the values.
    ///
    /// # Errors
    /// [`KernelError::Length`] where `values` is not as long as what was packed.
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

/// The lowest bit of each byte, the first in the lowest bit: eight bytes at a time.
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
    /// How many are 1, `None` where one is neither 0 nor 1.
    type Output = Option<usize>;

    #[inline(always)]
    fn run(self) -> Option<usize> {
        let (mut ones, mut others) = (0, 0u8);
        let (groups, rest) = self.values.as_chunks::<64>();
        let (packed, packed_rest) = self.bits.split_at_mut(groups.len() * 8);
        for (values, packed) in groups.iter().zip(packed.as_chunks_mut::<8>().0) {
            // A byte each, which turns into SIMD.
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
    /// How many are not 0, `None` where one is not a whole number up to 255.
    type Output = Option<usize>;

    #[inline(always)]
    fn run(self) -> Option<usize> {
        let (mut non_zero, mut others) = (0usize, 0u8);
        for (value, byte) in self.values.iter().zip(self.bytes) {
            let value = value.single();
            // Saturates, and takes NaN to 0: the comparison tells both.
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
