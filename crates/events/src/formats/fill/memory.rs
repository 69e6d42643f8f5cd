//! What the system has to do for memory: give it, or nothing.

use std::mem::MaybeUninit;

/// Bytes of a column from which huge pages are asked for: the system's zeroing of small ones, one fault each, takes
/// longer than decoding.
#[cfg(target_os = "linux")]
const HUGE_FROM: usize = 4 << 20;
#[cfg(target_os = "linux")]
const PAGE: usize = 4096;

/// Room for `most` values after those that are there.
pub(super) fn reserve<T>(column: &mut Vec<T>, most: usize) -> &mut [MaybeUninit<T>] {
    let before = column.capacity();
    column.reserve(most);
    let grown = column.capacity() > before;
    let spare = &mut column.spare_capacity_mut()[..most];
    if grown {
        advise_huge(spare);
    }
    spare
}

/// The whole pages of some memory.
#[cfg(target_os = "linux")]
fn pages<T>(memory: &mut [MaybeUninit<T>]) -> (*mut libc::c_void, usize) {
    let start = memory.as_mut_ptr();
    let (first, end) =
        (start.addr().next_multiple_of(PAGE), (start.addr() + size_of_val(memory)) / PAGE * PAGE);
    (start.wrapping_byte_add(first - start.addr()).cast(), end.saturating_sub(first))
}

/// Asks for huge pages, where that is worth it.
fn advise_huge<T>(memory: &mut [MaybeUninit<T>]) {
    #[cfg(target_os = "linux")]
    if size_of_val(memory) >= HUGE_FROM {
        let (first, length) = pages(memory);
        // SAFETY: whole pages of memory that is ours; the advice changes nothing of what lies in them. An error (a
        // kernel without huge pages) means that they stay as they are.
        unsafe { libc::madvise(first, length, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

/// Whether the system gave this memory before, as three of its pages tell. Where it did not, it zeroes each page when
/// that is first written, which leaves the page in the caches: to write past those then takes longer, not shorter.
pub(super) fn is_there<T>(memory: &mut [MaybeUninit<T>]) -> bool {
    #[cfg(target_os = "linux")]
    {
        let (first, length) = pages(memory);
        let there = |at: usize| {
            let mut page = [0];
            // SAFETY: one page of memory that is ours, of which the kernel writes one byte into an array of one.
            let answer =
                unsafe { libc::mincore(first.wrapping_byte_add(at / PAGE * PAGE), PAGE, page.as_mut_ptr()) };
            answer == 0 && page[0] & 1 == 1
        };
        length >= PAGE && [0, length / 2, length - 1].into_iter().all(there)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = memory;
        false
    }
}

/// Bytes by which [`prefetch`] is ahead.
const AHEAD: usize = 1024;

/// Has records brought into the caches that are to be read soon after these: by itself the processor looks no further
/// than the end of a page.
#[inline(always)]
pub(super) fn prefetch<T>(records: &[T]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let from = records.as_ptr().cast::<i8>().wrapping_add(AHEAD);
        for line in (0..size_of_val(records)).step_by(64) {
            // SAFETY: a prefetch reads nothing, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(line)) };
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = records;
}
