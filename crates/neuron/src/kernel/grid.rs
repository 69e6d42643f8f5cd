//! `[T, N]` buffers that several threads write to, each in its own columns. All pointer arithmetic of this
//! crate is here.

use std::marker::PhantomData;
use std::ops::Range;

/// A mutable `[rows, columns]` buffer that can be divided by columns.
pub(crate) struct Grid<'a, T> {
    start: *mut T,
    rows: usize,
    columns: usize,
    owner: PhantomData<&'a mut [T]>,
}

// SAFETY: a Grid is a unique borrow of its buffer; `row` returns parts of it under the caller's promise that
// no two threads request the same columns.
unsafe impl<T: Send> Send for Grid<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Grid<'_, T> {}

impl<'a, T> Grid<'a, T> {
    /// Wraps a buffer of `rows * columns` values.
    ///
    /// # Panics
    /// If the buffer has a different length; callers check lengths first.
    pub(crate) fn new(buffer: &'a mut [T], rows: usize, columns: usize) -> Self {
        assert_eq!(buffer.len(), rows * columns, "checked by the kernel's entry");
        Grid { start: buffer.as_mut_ptr(), rows, columns, owner: PhantomData }
    }

    /// The part of one row within `columns`.
    ///
    /// # Safety
    /// While the returned slice lives, no other slice that overlaps `columns` of `row` may exist.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // disjointness is the caller's promise
    pub(crate) unsafe fn row(&self, row: usize, columns: Range<usize>) -> &mut [T] {
        assert!(row < self.rows && columns.start <= columns.end && columns.end <= self.columns);
        // SAFETY: in bounds by the line above; unique by the caller's promise.
        unsafe {
            let start = self.start.add(row * self.columns + columns.start);
            std::slice::from_raw_parts_mut(start, columns.len())
        }
    }
}
