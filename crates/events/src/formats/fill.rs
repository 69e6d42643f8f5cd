//! Columns filled at memory speed: written straight into room that was reserved, without zeroing it first or
//! growing. The crate's unsafe code.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::decoded::Decoded;

/// An event as decoders make it.
pub(super) type Raw = (i64, u16, u16, u8);

/// Records above which a second thread is worth its start.
const RECORDS_WORTH_A_THREAD: usize = 1 << 17;

/// Room for events: each column's spare capacity, of one length.
struct Room<'a> {
    t: &'a mut [MaybeUninit<i64>],
    x: &'a mut [MaybeUninit<u16>],
    y: &'a mut [MaybeUninit<u16>],
    p: &'a mut [MaybeUninit<u8>],
}

impl Room<'_> {
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
}

/// Reserves room for `most` events after those that are there, has `work` fill it from its start and return how
/// many it filled, and counts them in.
///
/// # Safety
/// `work` returns no more than it has filled, in every column.
unsafe fn extend(decoded: &mut Decoded, most: usize, work: impl FnOnce(Room<'_>) -> usize) {
    let Decoded { t, x, y, p, .. } = decoded;
    t.reserve(most);
    x.reserve(most);
    y.reserve(most);
    p.reserve(most);
    let length = t.len();
    let filled = work(Room {
        t: &mut t.spare_capacity_mut()[..most],
        x: &mut x.spare_capacity_mut()[..most],
        y: &mut y.spare_capacity_mut()[..most],
        p: &mut p.spare_capacity_mut()[..most],
    });
    assert!(filled <= most, "more events than room was made for");
    // SAFETY: within the capacity that was just reserved, and initialised by the caller's promise.
    unsafe {
        t.set_len(length + filled);
        x.set_len(length + filled);
        y.set_len(length + filled);
        p.set_len(length + filled);
    }
}

/// One event for each record of `W` bytes, in parallel where there are many.
pub(super) fn records<const W: usize>(
    decoded: &mut Decoded,
    records: &[[u8; W]],
    decode: impl Fn(&[u8; W]) -> Raw + Sync,
) {
    let run = |records: &[[u8; W]], mut room: Room<'_>| {
        for (i, record) in records.iter().enumerate() {
            // SAFETY: the room has the length of `records`.
            unsafe { room.put(i, decode(record)) };
        }
    };
    // SAFETY: every record fills its place.
    unsafe {
        extend(decoded, records.len(), |room| {
            if records.len() < 2 * RECORDS_WORTH_A_THREAD || rayon::current_num_threads() == 1 {
                run(records, room);
            } else {
                let Room { t, x, y, p } = room;
                let chunk = RECORDS_WORTH_A_THREAD;
                (t.par_chunks_mut(chunk), x.par_chunks_mut(chunk))
                    .into_par_iter()
                    .zip((y.par_chunks_mut(chunk), p.par_chunks_mut(chunk)))
                    .zip(records.par_chunks(chunk))
                    .for_each(|(((t, x), (y, p)), records)| run(records, Room { t, x, y, p }));
            }
            records.len()
        });
    }
}

/// At most one event for each word, by a decoder with a state: `decode` gives an event and whether it counts.
///
/// The event is written in every case and overwritten by the next if it does not count, so that the loop has no
/// branch. Returns how many words were taken: all, or up to the first for which `decode` gives `None`.
#[inline(always)]
pub(super) fn words<T: Copy>(
    decoded: &mut Decoded,
    words: &[T],
    mut decode: impl FnMut(T) -> Option<(Raw, bool)>,
) -> usize {
    let mut taken = words.len();
    // SAFETY: the count goes up after its place was written, and by no more than one a word.
    unsafe {
        extend(decoded, words.len(), |mut room| {
            let mut count = 0;
            for (i, &word) in words.iter().enumerate() {
                let Some((event, counts)) = decode(word) else {
                    taken = i;
                    break;
                };
                room.put(count, event);
                count += usize::from(counts);
            }
            count
        });
    }
    taken
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
        // SAFETY: the sink counts what it has put.
        unsafe {
            extend(decoded, block.len() * most_a_word, |room| {
                let mut sink = Sink { room, count: 0 };
                for &word in block {
                    decode(word, &mut sink);
                }
                sink.count
            });
        }
    }
}
