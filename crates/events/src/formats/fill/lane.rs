//! A column written past the caches, in whole lines: those need not be read before they are written.

use std::mem::MaybeUninit;

/// Bytes of a cache line.
const LINE: usize = 64;
/// Values that are taken at once, at most.
pub(super) const BLOCK: usize = 256;

/// Collects a column's values and writes them line by line.
pub(super) struct Lane<'a, T> {
    /// Values that are not written yet, after those of others in the line that they begin in.
    held: Held<T>,
    /// Where those others end.
    start: usize,
    /// Where the values end.
    end: usize,
    /// What of the column is not written yet.
    column: &'a mut [MaybeUninit<T>],
}

/// Less than a line, and a block.
#[repr(align(64))]
struct Held<T>([MaybeUninit<T>; LINE + BLOCK]);

impl<'a, T: Copy> Lane<'a, T> {
    /// Values in a line.
    const IN_LINE: usize = LINE / size_of::<T>();

    pub(super) fn new(column: &'a mut [MaybeUninit<T>]) -> Self {
        const { assert!(LINE.is_multiple_of(size_of::<T>())) };
        let start = column.as_ptr().addr() % LINE / size_of::<T>();
        Lane { held: Held([const { MaybeUninit::uninit() }; LINE + BLOCK]), start, end: start, column }
    }

    /// Room for the next values, of which there are no more than [`BLOCK`].
    #[inline(always)]
    pub(super) fn next(&mut self, length: usize) -> &mut [MaybeUninit<T>] {
        &mut self.held.0[self.end..self.end + length]
    }

    /// Takes the first `count` of those values.
    ///
    /// # Safety
    /// They were written.
    #[inline(always)]
    pub(super) unsafe fn keep(&mut self, count: usize) {
        self.end += count;
        let whole = self.end / Self::IN_LINE * Self::IN_LINE;
        if whole == 0 {
            return;
        }
        let (column, rest) = std::mem::take(&mut self.column).split_at_mut(whole - self.start);
        // The first line is not this column's alone.
        let others = if self.start > 0 { Self::IN_LINE - self.start } else { 0 };
        let (first, lines) = column.split_at_mut(others);
        let values = &self.held.0[self.start..whole];
        first.copy_from_slice(&values[..others]);
        // SAFETY: the caller's promise; lines of what is held lie as those of the column.
        unsafe { stream(&values[others..], lines) };
        self.held.0.copy_within(whole..self.end, 0);
        (self.start, self.end, self.column) = (0, self.end - whole, rest);
    }

    /// Writes what is still held.
    pub(super) fn finish(self) {
        self.column[..self.end - self.start].copy_from_slice(&self.held.0[self.start..self.end]);
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: every x86-64 has this instruction, by which what was streamed is seen by all before what follows.
        unsafe {
            std::arch::x86_64::_mm_sfence();
        }
    }
}

/// Copies whole lines without bringing them into the caches.
///
/// # Safety
/// `from` was written, and both begin where a line does.
#[inline(always)]
unsafe fn stream<T: Copy>(from: &[MaybeUninit<T>], to: &mut [MaybeUninit<T>]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{__m128i, _mm_load_si128, _mm_stream_si128};
        assert_eq!(from.len(), to.len());
        let vectors = size_of_val(from) / size_of::<__m128i>();
        let (from, to) = (from.as_ptr().cast::<__m128i>(), to.as_mut_ptr().cast::<__m128i>());
        for i in 0..vectors {
            // SAFETY: within both, which were written and lie as vectors do, by the caller's promise.
            unsafe { _mm_stream_si128(to.add(i), _mm_load_si128(from.add(i))) };
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    to.copy_from_slice(from);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A column that begins `before` values after a line, filled by blocks of these lengths.
    fn filled<T: Copy + TryFrom<usize>>(before: usize, blocks: &[usize]) -> Vec<T> {
        let total: usize = blocks.iter().sum();
        let mut memory: Vec<T> = Vec::with_capacity(total + before + LINE);
        let spare = memory.spare_capacity_mut();
        let aligned = spare.as_ptr().align_offset(LINE) + before;
        let column = &mut spare[aligned..aligned + total];
        let mut lane = Lane::new(column);
        let mut value = 0;
        for &length in blocks {
            // Room for more than is kept, as where some records are no events.
            for place in lane.next((length + 3).min(BLOCK)).iter_mut().take(length) {
                place.write(T::try_from(value % 251).ok().unwrap());
                value += 1;
            }
            // SAFETY: so many were just written.
            unsafe { lane.keep(length) };
        }
        lane.finish();
        // SAFETY: the lane has written as many values as it took.
        column.iter().map(|value| unsafe { value.assume_init() }).collect()
    }

    fn every_start<T: Copy + TryFrom<usize> + PartialEq + std::fmt::Debug>() {
        for before in 0..LINE / size_of::<T>() {
            for blocks in [&[][..], &[1], &[5, 0, 2], &[BLOCK, BLOCK, 7], &[63, 64, 65, 1, BLOCK, 0, 3]] {
                let total = blocks.iter().sum();
                let expected: Vec<T> =
                    (0..total).map(|i: usize| T::try_from(i % 251).ok().unwrap()).collect();
                assert_eq!(filled::<T>(before, blocks), expected, "{before} values into a line, {blocks:?}");
            }
        }
    }

    #[test]
    fn values_arrive_wherever_the_column_begins() {
        every_start::<u8>();
        every_start::<u16>();
        every_start::<i64>();
    }
}
