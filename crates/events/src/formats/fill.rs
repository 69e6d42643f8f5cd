//! Columns filled at memory speed: written straight into room that was reserved, without zeroing it first or
//! growing. The crate's unsafe code, but for the choice of vectors in `simd`.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::decoded::{Decoded, Seen};

/// An event as decoders make it.
pub(super) type Raw = (i64, u16, u16, u8);

/// Records above which a second thread is worth its start.
const RECORDS_WORTH_A_THREAD: usize = 1 << 17;
/// Records that are decoded column by column and looked over while the innermost cache holds them.
const BLOCK: usize = 512;
/// Bytes of a column from which huge pages are asked for: the system's zeroing of small ones, one fault each, takes
/// longer than decoding.
const HUGE_FROM: usize = 4 << 20;

/// Room for events: each column's spare capacity, of one length.
struct Room<'a> {
    t: &'a mut [MaybeUninit<i64>],
    x: &'a mut [MaybeUninit<u16>],
    y: &'a mut [MaybeUninit<u16>],
    p: &'a mut [MaybeUninit<u8>],
}

impl Room<'_> {
    /// The `length` places from `start` on.
    #[inline(always)]
    fn part(&mut self, start: usize, length: usize) -> Room<'_> {
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
    unsafe fn put(&mut self, i: usize, (t, x, y, p): Raw) {
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
    unsafe fn look(&self, length: usize) -> Seen {
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
    fn move_down(&mut self, from: usize, length: usize, to: usize) {
        let range = from..from + length;
        self.t.copy_within(range.clone(), to);
        self.x.copy_within(range.clone(), to);
        self.y.copy_within(range.clone(), to);
        self.p.copy_within(range, to);
    }
}

/// Asks for huge pages below a column's spare room, where that is worth it.
fn advise_huge<T>(spare: &mut [MaybeUninit<T>]) {
    #[cfg(target_os = "linux")]
    if size_of_val(spare) >= HUGE_FROM {
        const PAGE: usize = 4096;
        let start = spare.as_mut_ptr().addr();
        let (first, last) = (start.next_multiple_of(PAGE), (start + size_of_val(spare)) / PAGE * PAGE);
        // SAFETY: whole pages within memory that is ours; the advice changes nothing of what lies in them. An error
        // (a kernel without huge pages) means that they stay as they are.
        unsafe {
            libc::madvise(
                spare.as_mut_ptr().byte_add(first - start).cast(),
                last - first,
                libc::MADV_HUGEPAGE,
            );
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = spare;
}

/// Reserves room for `most` events after those that are there, has `work` fill it from its start and return how
/// many it filled, and counts them in.
///
/// # Safety
/// `work` returns no more than it has filled, in every column.
unsafe fn extend(decoded: &mut Decoded, most: usize, work: impl FnOnce(Room<'_>) -> (usize, Seen)) {
    fn room<T>(column: &mut Vec<T>, most: usize) -> &mut [MaybeUninit<T>] {
        let before = column.capacity();
        column.reserve(most);
        let fresh = column.capacity() > before;
        let spare = &mut column.spare_capacity_mut()[..most];
        if fresh {
            advise_huge(spare);
        }
        spare
    }
    let seen_before = decoded.is_seen();
    let length = decoded.t.len();
    let (filled, seen) = work(Room {
        t: room(&mut decoded.t, most),
        x: room(&mut decoded.x, most),
        y: room(&mut decoded.y, most),
        p: room(&mut decoded.p, most),
    });
    assert!(filled <= most, "more events than room was made for");
    // SAFETY: within the capacity that was just reserved, and initialised by the caller's promise.
    unsafe {
        decoded.t.set_len(length + filled);
        decoded.x.set_len(length + filled);
        decoded.y.set_len(length + filled);
        decoded.p.set_len(length + filled);
    }
    if seen_before {
        decoded.saw(seen);
    }
}

/// Fills a room from its start with the events of those records that count.
#[inline(always)]
fn fill_any<const W: usize>(
    records: &[[u8; W]],
    room: &mut Room<'_>,
    counts: &impl Fn(&[u8; W]) -> bool,
    decode: &impl Fn(&[u8; W]) -> Raw,
) -> (usize, Seen) {
    let (mut filled, mut seen) = (0, Seen::default());
    for block in records.chunks(BLOCK) {
        let mut part = room.part(filled, block.len());
        let mut count = block.len();
        if block.iter().fold(true, |all, record| all & counts(record)) {
            // A loop a column: each is vectorised.
            for (record, t) in block.iter().zip(&mut *part.t) {
                t.write(decode(record).0);
            }
            for (record, x) in block.iter().zip(&mut *part.x) {
                x.write(decode(record).1);
            }
            for (record, y) in block.iter().zip(&mut *part.y) {
                y.write(decode(record).2);
            }
            for (record, p) in block.iter().zip(&mut *part.p) {
                p.write(decode(record).3);
            }
        } else {
            // Written in every case and overwritten by the next if it does not count: without a branch.
            count = 0;
            for record in block {
                // SAFETY: the count goes up by no more than one a record, and the part has their number.
                unsafe { part.put(count, decode(record)) };
                count += usize::from(counts(record));
            }
        }
        // SAFETY: so many were just written.
        seen = seen.then(unsafe { part.look(count) });
        filled += count;
    }
    (filled, seen)
}

/// [`fill_any`] with the widest vectors at hand.
fn fill<const W: usize>(
    records: &[[u8; W]],
    room: &mut Room<'_>,
    counts: &impl Fn(&[u8; W]) -> bool,
    decode: &impl Fn(&[u8; W]) -> Raw,
) -> (usize, Seen) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn avx2<const W: usize>(
            records: &[[u8; W]],
            room: &mut Room<'_>,
            counts: &impl Fn(&[u8; W]) -> bool,
            decode: &impl Fn(&[u8; W]) -> Raw,
        ) -> (usize, Seen) {
            fill_any(records, room, counts, decode)
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2")]
        fn avx512<const W: usize>(
            records: &[[u8; W]],
            room: &mut Room<'_>,
            counts: &impl Fn(&[u8; W]) -> bool,
            decode: &impl Fn(&[u8; W]) -> Raw,
        ) -> (usize, Seen) {
            fill_any(records, room, counts, decode)
        }
        if is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("bmi1") {
            if is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
            {
                // SAFETY: the processor has all of these, as was just asked; those imply AVX-512F and AVX2.
                return unsafe { avx512(records, room, counts, decode) };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has AVX2, as was just asked.
                return unsafe { avx2(records, room, counts, decode) };
            }
        }
    }
    fill_any(records, room, counts, decode)
}

/// One event for each record of `W` bytes that `counts`, in parallel where there are many.
pub(super) fn records<const W: usize>(
    decoded: &mut Decoded,
    records: &[[u8; W]],
    counts: impl Fn(&[u8; W]) -> bool + Sync,
    decode: impl Fn(&[u8; W]) -> Raw + Sync,
) {
    let work = |mut room: Room<'_>| {
        let chunk = RECORDS_WORTH_A_THREAD;
        if records.len() < 2 * chunk || rayon::current_num_threads() == 1 {
            return fill(records, &mut room, &counts, &decode);
        }
        let parts: Vec<(usize, Seen)> = (room.t.par_chunks_mut(chunk), room.x.par_chunks_mut(chunk))
            .into_par_iter()
            .zip((room.y.par_chunks_mut(chunk), room.p.par_chunks_mut(chunk)))
            .zip(records.par_chunks(chunk))
            .map(|(((t, x), (y, p)), records)| fill(records, &mut Room { t, x, y, p }, &counts, &decode))
            .collect();
        let (mut filled, mut seen) = (0, Seen::default());
        for (i, (count, part)) in parts.into_iter().enumerate() {
            if i * chunk > filled {
                room.move_down(i * chunk, count, filled);
            }
            filled += count;
            seen = seen.then(part);
        }
        (filled, seen)
    };
    // SAFETY: `fill` returns how many it has filled from the start of each part, and parts are moved together.
    unsafe { extend(decoded, records.len(), work) }
}

/// At most one event for each word, by a decoder with a state: `decode` gives an event and whether it counts.
///
/// The event is written in every case and overwritten by the next if it does not count, so that the loop has no
/// branch.
#[inline(always)]
pub(super) fn words<T: Copy>(decoded: &mut Decoded, words: &[T], mut decode: impl FnMut(T) -> (Raw, bool)) {
    let work = |mut room: Room<'_>| {
        let (mut filled, mut seen) = (0, Seen::default());
        for block in words.chunks(BLOCK) {
            let mut part = room.part(filled, block.len());
            let mut count = 0;
            for &word in block {
                let (event, counts) = decode(word);
                // SAFETY: the count goes up by no more than one a word, and the part has their number.
                unsafe { part.put(count, event) };
                count += usize::from(counts);
            }
            // SAFETY: so many were just written.
            seen = seen.then(unsafe { part.look(count) });
            filled += count;
        }
        (filled, seen)
    };
    // SAFETY: each block's events follow those before, and all of them were written.
    unsafe { extend(decoded, words.len(), work) }
}

/// Where a decoder with a state puts the events of a word.
pub(super) struct Sink<'a> {
    room: Room<'a>,
    count: usize,
}

impl Sink<'_> {
    /// Adds an event.
    #[inline(always)]
    pub(super) fn put(&mut self, event: Raw) {
        assert!(self.count < self.room.t.len(), "more events in a word than it can hold");
        // SAFETY: within the room, as was just seen.
        unsafe { self.room.put(self.count, event) };
        self.count += 1;
    }
}

/// Events of a decoder with a state that puts up to `most_a_word` of a word into the sink. Words are taken in blocks,
/// so that room stays near what is needed.
#[inline(always)]
pub(super) fn words_to_many<T: Copy>(
    decoded: &mut Decoded,
    words: &[T],
    most_a_word: usize,
    mut decode: impl FnMut(T, &mut Sink<'_>),
) {
    for block in words.chunks(4096) {
        let work = |room: Room<'_>| {
            let mut sink = Sink { room, count: 0 };
            for &word in block {
                decode(word, &mut sink);
            }
            // SAFETY: the sink counts what it has put.
            (sink.count, unsafe { sink.room.look(sink.count) })
        };
        // SAFETY: the sink counts what it has put.
        unsafe { extend(decoded, block.len() * most_a_word, work) }
    }
}
