//! Spike outputs and their number formats.

use half::bf16;

use super::grid::Grid;
use super::stream::Stores;
use crate::error::NeuronError;

/// An output buffer for spikes of shape `[T, N]`, in one of four formats.
#[derive(Debug)]
#[non_exhaustive]
pub enum Spikes<'a> {
    /// 0.0 or 1.0, `[T, N]`.
    F32(&'a mut [f32]),
    /// 0.0 or 1.0 in bfloat16, exact, `[T, N]`.
    Bf16(&'a mut [bf16]),
    /// 0 or 1, `[T, N]`.
    U8(&'a mut [u8]),
    /// One bit per spike, `[T, ceil(N / 64)]`: neuron `n` is bit `n % 64` of word `n / 64`; unused bits
    /// are 0.
    Bits(&'a mut [u64]),
}

/// Number of words of packed spikes for one time step of `neurons` neurons.
pub fn words_per_step(neurons: usize) -> usize {
    neurons.div_ceil(64)
}

/// Unpacks one step's packed spikes to 0.0 and 1.0.
///
/// # Errors
/// [`NeuronError::Length`] if `words` does not have [`words_per_step`] words for `spikes`.
pub fn unpack(words: &[u64], spikes: &mut [f32]) -> Result<(), NeuronError> {
    let expected = words_per_step(spikes.len());
    if words.len() != expected {
        let shape = "ceil(N / 64) words";
        return Err(NeuronError::Length { buffer: "words", actual: words.len(), expected, shape });
    }
    for (chunk, &word) in spikes.chunks_mut(64).zip(words) {
        for (i, spike) in chunk.iter_mut().enumerate() {
            *spike = f32::from(u8::from(word >> i & 1 == 1));
        }
    }
    Ok(())
}

impl Spikes<'_> {
    pub(super) fn check(&self, time_steps: usize, neurons: usize) -> Result<(), NeuronError> {
        let (actual, columns, shape) = match self {
            Spikes::F32(buffer) => (buffer.len(), neurons, "T * N"),
            Spikes::Bf16(buffer) => (buffer.len(), neurons, "T * N"),
            Spikes::U8(buffer) => (buffer.len(), neurons, "T * N"),
            Spikes::Bits(buffer) => (buffer.len(), words_per_step(neurons), "T * ceil(N / 64)"),
        };
        let expected = time_steps * columns;
        if actual == expected {
            Ok(())
        } else {
            Err(NeuronError::Length { buffer: "spikes", actual, expected, shape })
        }
    }

    pub(super) fn grid(&mut self, time_steps: usize, neurons: usize) -> SpikeGrid<'_> {
        match self {
            Spikes::F32(buffer) => SpikeGrid::F32(Grid::new(buffer, time_steps, neurons)),
            Spikes::Bf16(buffer) => SpikeGrid::Bf16(Grid::new(buffer, time_steps, neurons)),
            Spikes::U8(buffer) => SpikeGrid::U8(Grid::new(buffer, time_steps, neurons)),
            Spikes::Bits(buffer) => SpikeGrid::Bits(Grid::new(buffer, time_steps, words_per_step(neurons))),
        }
    }
}

/// [`Spikes`] divided by columns.
pub(super) enum SpikeGrid<'a> {
    F32(Grid<'a, f32>),
    Bf16(Grid<'a, bf16>),
    U8(Grid<'a, u8>),
    Bits(Grid<'a, u64>),
}

impl SpikeGrid<'_> {
    /// Writes the spikes of step `t` for the neurons from `start` on, a multiple of 64. `stores` selects the
    /// kind of store if the format is f32; `stream::fence` must follow.
    ///
    /// # Safety
    /// No other thread writes to these neurons at the same time.
    #[inline(always)]
    pub(super) unsafe fn write(&self, t: usize, start: usize, spikes: &[f32], stores: Stores) {
        let columns = start..start + spikes.len();
        match self {
            // SAFETY: the caller's promise.
            SpikeGrid::F32(grid) => stores.write(spikes, unsafe { grid.row(t, columns) }),
            SpikeGrid::Bf16(grid) => {
                // SAFETY: the caller's promise.
                let row = unsafe { grid.row(t, columns) };
                for (out, &spike) in row.iter_mut().zip(spikes) {
                    // 0.0 and 1.0 have no bits below bfloat16's.
                    *out = bf16::from_bits((spike.to_bits() >> 16) as u16);
                }
            }
            SpikeGrid::U8(grid) => {
                // SAFETY: the caller's promise.
                let row = unsafe { grid.row(t, columns) };
                for (out, &spike) in row.iter_mut().zip(spikes) {
                    *out = u8::from(spike != 0.0);
                }
            }
            SpikeGrid::Bits(grid) => {
                let words = start / 64..start / 64 + words_per_step(spikes.len());
                // SAFETY: the caller's promise; blocks start at whole words.
                let row = unsafe { grid.row(t, words) };
                for (word, chunk) in row.iter_mut().zip(spikes.chunks(64)) {
                    *word = chunk
                        .iter()
                        .enumerate()
                        .fold(0, |word, (i, &spike)| word | u64::from(spike != 0.0) << i);
                }
            }
        }
    }
}
