//! Room for events that are not written yet, and the ways to write them there.

use std::mem::MaybeUninit;

use super::lane::Lane;
use super::layout::Raw;
use crate::formats::decoded::Seen;

/// Room for events: a part of each column, of one length.
pub(super) struct Room<'a> {
    pub(super) t: &'a mut [MaybeUninit<i64>],
    pub(super) x: &'a mut [MaybeUninit<u16>],
    pub(super) y: &'a mut [MaybeUninit<u16>],
    pub(super) p: &'a mut [MaybeUninit<u8>],
}

impl Room<'_> {
    /// The `length` places from `start` on.
    #[inline(always)]
    pub(super) fn part(&mut self, start: usize, length: usize) -> Room<'_> {
        let range = start..start + length;
        Room {
            t: &mut self.t[range.clone()],
            x: &mut self.x[range.clone()],
            y: &mut self.y[range.clone()],
            p: &mut self.p[range],
        }
    }

    /// Writes event `i`.
    ///
    /// # Safety
    /// `i` is below the room's length.
    #[inline(always)]
    pub(super) unsafe fn put(&mut self, i: usize, (t, x, y, p): Raw) {
        debug_assert!(i < self.t.len());
        // SAFETY: the caller's promise; all columns are of one length.
        unsafe {
            self.t.get_unchecked_mut(i).write(t);
            self.x.get_unchecked_mut(i).write(x);
            self.y.get_unchecked_mut(i).write(y);
            self.p.get_unchecked_mut(i).write(p);
        }
    }

    /// Looks over the first `length` events.
    ///
    /// # Safety
    /// They were written.
    #[inline(always)]
    pub(super) unsafe fn look(&self, length: usize) -> Seen {
        // SAFETY: the caller's promise.
        unsafe {
            Seen::of(
                self.t[..length].assume_init_ref(),
                self.x[..length].assume_init_ref(),
                self.y[..length].assume_init_ref(),
            )
        }
    }

    /// Moves `length` events from `from` to `to`, which lies before.
    pub(super) fn move_down(&mut self, from: usize, length: usize, to: usize) {
        let range = from..from + length;
        self.t.copy_within(range.clone(), to);
        self.x.copy_within(range.clone(), to);
        self.y.copy_within(range.clone(), to);
        self.p.copy_within(range, to);
    }

    /// Adds `us` to the times of `length` events from `start` on.
    ///
    /// # Safety
    /// They were written.
    pub(super) unsafe fn delay(&mut self, start: usize, length: usize, us: i64) {
        // SAFETY: the caller's promise.
        unsafe { self.t[start..start + length].assume_init_mut() }.iter_mut().for_each(|t| *t += us);
    }
}

/// Takes events, a block at a time.
pub(super) trait Sink {
    /// Room for the next events, `length` of them.
    fn block(&mut self, length: usize) -> Room<'_>;

    /// Keeps the first `count` events of the block.
    ///
    /// # Safety
    /// They were written.
    unsafe fn keep(&mut self, count: usize);
}

/// Straight into the room, from its start.
pub(super) struct Direct<'a, 'b> {
    pub(super) room: &'a mut Room<'b>,
    pub(super) filled: usize,
}

impl Sink for Direct<'_, '_> {
    #[inline(always)]
    fn block(&mut self, length: usize) -> Room<'_> {
        self.room.part(self.filled, length)
    }

    #[inline(always)]
    unsafe fn keep(&mut self, count: usize) {
        self.filled += count;
    }
}

/// Past the caches into the room, from its start.
pub(super) struct Streamed<'a> {
    t: Lane<'a, i64>,
    x: Lane<'a, u16>,
    y: Lane<'a, u16>,
    p: Lane<'a, u8>,
}

impl<'a> Streamed<'a> {
    pub(super) fn new(room: &'a mut Room<'_>) -> Self {
        Streamed { t: Lane::new(room.t), x: Lane::new(room.x), y: Lane::new(room.y), p: Lane::new(room.p) }
    }

    /// Writes what is still held.
    pub(super) fn finish(self) {
        self.t.finish();
        self.x.finish();
        self.y.finish();
        self.p.finish();
    }
}

impl Sink for Streamed<'_> {
    #[inline(always)]
    fn block(&mut self, length: usize) -> Room<'_> {
        Room {
            t: self.t.next(length),
            x: self.x.next(length),
            y: self.y.next(length),
            p: self.p.next(length),
        }
    }

    #[inline(always)]
    unsafe fn keep(&mut self, count: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            self.t.keep(count);
            self.x.keep(count);
            self.y.keep(count);
            self.p.keep(count);
        }
    }
}
