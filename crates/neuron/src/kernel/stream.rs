//! Non-temporal stores and prefetching, which speed up passes over more memory than the last-level cache
//! holds. A plain store first reads the line that it overwrites, a third of the forward pass's traffic; and
//! the hardware prefetcher starts again in each row of a block, as rows are far apart in memory.
//!
//! Neither changes any value. Processors other than x86-64 use plain copies.

#[cfg(target_arch = "x86_64")]
use tks_kernels::simd::Avx512;

/// Size in bytes from which an output is streamed: smaller ones may still be in cache when they are read.
const STREAM_FROM: usize = 16 << 20;

/// The kind of store for an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stores {
    /// Through the caches.
    Plain,
    /// Bypassing the caches, 16 bytes at a time.
    #[cfg(target_arch = "x86_64")]
    Sse2,
    /// Bypassing the caches, 64 bytes at a time.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Stores {
    /// The best kind of store for an output of this many `f32` values.
    pub(super) fn of(values: usize) -> Self {
        #[cfg(target_arch = "x86_64")]
        if values * size_of::<f32>() >= STREAM_FROM {
            return Avx512::get().map_or(Stores::Sse2, Stores::Avx512);
        }
        let _ = values;
        Stores::Plain
    }

    /// Writes values. [`fence`] must follow before another thread may read them.
    #[inline(always)]
    pub(super) fn write(self, from: &[f32], to: &mut [f32]) {
        match self {
            Stores::Plain => to.copy_from_slice(from),
            #[cfg(target_arch = "x86_64")]
            Stores::Sse2 => copy(None, from, to),
            #[cfg(target_arch = "x86_64")]
            Stores::Avx512(proof) => copy(Some(proof), from, to),
        }
    }
}

/// Copies values bypassing the caches, with AVX-512 if proved to be available, else with SSE2.
///
/// No plain stores are used, not even for a partially copied line: the line stays in the processor's
/// write-combining buffer until the next copy, of its neighbours, completes it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn copy(by: Option<Avx512>, from: &[f32], to: &mut [f32]) {
    #[target_feature(enable = "avx512f")]
    fn avx512(from: &[f32], to: &mut [f32]) {
        use std::arch::x86_64::{_mm512_loadu_ps, _mm512_stream_ps};
        let (from, to) = (from.chunks_exact(16), to.chunks_exact_mut(16));
        for (from, to) in from.zip(to) {
            // SAFETY: 16 values each; `to` starts at a multiple of 64 bytes, see below.
            unsafe { _mm512_stream_ps(to.as_mut_ptr(), _mm512_loadu_ps(from.as_ptr())) };
        }
    }
    fn sse2(from: &[f32], to: &mut [f32]) {
        use std::arch::x86_64::{_mm_loadu_ps, _mm_stream_ps};
        let (from, to) = (from.chunks_exact(4), to.chunks_exact_mut(4));
        for (from, to) in from.zip(to) {
            // SAFETY: 4 values each; `to` starts at a multiple of 16 bytes; every x86-64 has SSE2.
            unsafe { _mm_stream_ps(to.as_mut_ptr(), _mm_loadu_ps(from.as_ptr())) };
        }
    }
    fn single(from: &[f32], to: &mut [f32]) {
        for (from, to) in from.iter().zip(to) {
            // SAFETY: one value of 4 bytes; every x86-64 has SSE2.
            unsafe {
                std::arch::x86_64::_mm_stream_si32(std::ptr::from_mut(to).cast(), from.to_bits() as i32)
            };
        }
    }
    assert_eq!(from.len(), to.len(), "a strip of the block");
    // Single values up to a multiple of 16 bytes, fours up to a multiple of 64, then the body, and the
    // reverse at the end.
    let first = to.as_ptr().align_offset(16).min(to.len());
    let second = to.as_ptr().align_offset(64).min(first + (to.len() - first) / 4 * 4);
    let third = second + (to.len() - second) / 16 * 16;
    let fourth = third + (to.len() - third) / 4 * 4;
    single(&from[..first], &mut to[..first]);
    sse2(&from[first..second], &mut to[first..second]);
    if by.is_some() {
        // SAFETY: the processor has AVX-512, as `by` proves.
        unsafe { avx512(&from[second..third], &mut to[second..third]) };
    } else {
        sse2(&from[second..third], &mut to[second..third]);
    }
    sse2(&from[third..fourth], &mut to[third..fourth]);
    single(&from[fourth..], &mut to[fourth..]);
}

/// Orders this thread's streamed stores before everything that follows.
#[inline(always)]
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has SSE.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Prefetches values that will be read soon.
#[inline(always)]
pub(super) fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which never faults; every x86-64 has SSE.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    #[test]
    fn streamed_copies_equal_plain_ones_at_any_alignment() {
        let from: Vec<f32> = (0..400).map(|i| i as f32).collect();
        let proof = super::Avx512::get();
        for by in [None].into_iter().chain(proof.map(Some)) {
            for start in 0..20 {
                for length in [0, 1, 7, 15, 16, 33, 350] {
                    let mut to = vec![-1.0; 400];
                    super::copy(by, &from[3..][..length], &mut to[start..][..length]);
                    super::fence();
                    assert_eq!(to[start..][..length], from[3..][..length]);
                    assert!(to[..start].iter().chain(&to[start + length..]).all(|&value| value == -1.0));
                }
            }
        }
    }
}
