//! Columns filled at memory speed: written straight into room that was reserved, without zeroing it first or
//! growing. The crate's unsafe code, but for the choice of vectors in `simd`.

mod lane;
mod layout;
mod memory;
mod room;
#[cfg(target_arch = "x86_64")]
mod wide;

use rayon::prelude::*;

use super::decoded::{Decoded, Seen};
use lane::BLOCK;
pub(super) use layout::{Layout, NONE, field};
use room::{Direct, Room, Sink, Streamed};

/// An event as decoders make it.
pub(super) type Raw = (i64, u16, u16, u8);

/// Records above which a second thread is worth its start.
const RECORDS_WORTH_A_THREAD: usize = 1 << 17;
/// Bytes of an event in the columns.
const EVENT: usize = 13;
/// Bytes of columns from which they are written past the caches, which would not hold them.
const STREAM_FROM: usize = 16 << 20;

/// Records of `W` bytes, of which each is one event or none, and what is to be known of those before.
pub(super) trait Records<const W: usize>: Copy + Send + Sync {
    /// What lies where.
    const LAYOUT: Layout;

    /// What is added to the times of the next events; `None` where they have no time yet and are passed over.
    fn earlier(&self) -> Option<i64>;

    /// Takes note of a record that is no event.
    #[inline(always)]
    fn pass(&mut self, _: &[u8; W]) {}

    /// What is known behind these records, but for what [`Records::delay`] tells, if they tell it.
    fn behind(self, _: &[[u8; W]]) -> Self {
        self
    }

    /// By how much the times of all that follows are later than without the records before.
    fn delay(&self) -> i64 {
        0
    }
}

/// Reserves room for `most` events after those that are there, has `work` fill it from its start and return how
/// many it filled, and counts them in. `work` is also told whether to write past the caches.
///
/// # Safety
/// `work` returns no more than it has filled, in every column.
unsafe fn extend(decoded: &mut Decoded, most: usize, work: impl FnOnce(Room<'_>, bool) -> (usize, Seen)) {
    let seen_before = decoded.is_seen();
    let length = decoded.t.len();
    let room = Room {
        t: memory::reserve(&mut decoded.t, most),
        x: memory::reserve(&mut decoded.x, most),
        y: memory::reserve(&mut decoded.y, most),
        p: memory::reserve(&mut decoded.p, most),
    };
    let streamed = most.saturating_mul(EVENT) >= STREAM_FROM && memory::is_there(room.t);
    let (filled, seen) = work(room, streamed);
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

/// Writes the records' events one by one from place `count` on, and returns the place behind them.
///
/// # Safety
/// The room has a place for each record after those.
#[inline(always)]
unsafe fn one_by_one<const W: usize, R: Records<W>>(
    records: &[[u8; W]],
    state: &mut R,
    room: &mut Room<'_>,
    mut count: usize,
) -> usize {
    for record in records {
        let is_event = R::LAYOUT.is_event(record);
        if !is_event {
            state.pass(record);
        }
        let (t, x, y, p) = R::LAYOUT.decode(record);
        let earlier = state.earlier();
        // Written in every case and overwritten by the next if it does not count.
        // SAFETY: the caller's promise; the count goes up by no more than one a record.
        unsafe { room.put(count, (t + earlier.unwrap_or(0), x, y, p)) };
        count += usize::from(is_event & earlier.is_some());
    }
    count
}

/// Hands the events of the records to a sink, and looks them over while the innermost cache holds them. `group` writes
/// those of `G` records, of which all are events, or says that they are not.
#[inline(always)]
fn fill_any<const W: usize, const G: usize, R: Records<W>>(
    records: &[[u8; W]],
    state: &mut R,
    sink: &mut impl Sink,
    group: impl Fn(&[[u8; W]; G], i64, &mut Room<'_>, usize) -> bool,
) -> (usize, Seen) {
    let (mut filled, mut seen) = (0, Seen::default());
    for block in records.chunks(BLOCK) {
        let mut room = sink.block(block.len());
        let mut count = 0;
        let (groups, rest) = block.as_chunks::<G>();
        for records in groups {
            match state.earlier() {
                Some(earlier) if group(records, earlier, &mut room, count) => count += G,
                // SAFETY: there is a place for each record of the block.
                _ => count = unsafe { one_by_one(records, state, &mut room, count) },
            }
        }
        // SAFETY: likewise.
        count = unsafe { one_by_one(rest, state, &mut room, count) };
        // SAFETY: so many were just written.
        seen = seen.then(unsafe { room.look(count) });
        // SAFETY: likewise.
        unsafe { sink.keep(count) };
        filled += count;
    }
    (filled, seen)
}

/// Records that [`group_any`] decodes at once.
const GROUP: usize = 64;

/// The events of a group of records, for any processor: loops that the compiler makes vectors of.
#[inline(always)]
fn group_any<const W: usize, R: Records<W>>(
    records: &[[u8; W]; GROUP],
    earlier: i64,
    room: &mut Room<'_>,
    at: usize,
) -> bool {
    if !records.iter().fold(true, |all, record| all & R::LAYOUT.is_event(record)) {
        return false;
    }
    let part = room.part(at, GROUP);
    let columns = part.t.iter_mut().zip(part.x).zip(part.y).zip(part.p);
    for (record, (((t, x), y), p)) in records.iter().zip(columns) {
        let event = R::LAYOUT.decode(record);
        t.write(event.0 + earlier);
        x.write(event.1);
        y.write(event.2);
        p.write(event.3);
    }
    true
}

/// [`fill_any`] with the widest vectors at hand.
fn fill<const W: usize, R: Records<W>>(
    records: &[[u8; W]],
    state: &mut R,
    sink: &mut impl Sink,
) -> (usize, Seen) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn avx2<const W: usize, R: Records<W>>(
            records: &[[u8; W]],
            state: &mut R,
            sink: &mut impl Sink,
        ) -> (usize, Seen) {
            fill_any(records, state, sink, group_any)
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx2,bmi1,bmi2")]
        fn avx512<const W: usize, R: Records<W>>(
            records: &[[u8; W]],
            state: &mut R,
            sink: &mut impl Sink,
        ) -> (usize, Seen) {
            fill_any(records, state, sink, |records, earlier, room, at| wide::group(records, earlier, room, at))
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2")
        {
            if is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
            {
                // SAFETY: the processor has all of these, as was just asked; those imply AVX-512F.
                return unsafe { avx512(records, state, sink) };
            }
            // SAFETY: the processor has all of these, as was just asked.
            return unsafe { avx2(records, state, sink) };
        }
    }
    fill_any(records, state, sink, group_any)
}

/// [`fill`] into a room, from its start.
fn fill_room<const W: usize, R: Records<W>>(
    records: &[[u8; W]],
    state: &mut R,
    room: &mut Room<'_>,
    streamed: bool,
) -> (usize, Seen) {
    if !streamed {
        return fill(records, state, &mut Direct { room, filled: 0 });
    }
    let mut sink = Streamed::new(room);
    let found = fill(records, state, &mut sink);
    sink.finish();
    found
}

/// At most one event for each record of `W` bytes, in parallel where there are many.
pub(super) fn records<const W: usize, R: Records<W>>(decoded: &mut Decoded, records: &[[u8; W]], mut state: R) {
    let work = |mut room: Room<'_>, streamed: bool| {
        let chunk = RECORDS_WORTH_A_THREAD;
        if records.len() < 2 * chunk || rayon::current_num_threads() == 1 {
            return fill_room(records, &mut state, &mut room, streamed);
        }
        let starts: Vec<R> = records
            .chunks(chunk)
            .scan(state, |next, records| {
                let start = *next;
                *next = next.behind(records);
                Some(start)
            })
            .collect();
        let parts: Vec<(usize, Seen, i64)> = (room.t.par_chunks_mut(chunk), room.x.par_chunks_mut(chunk))
            .into_par_iter()
            .zip((room.y.par_chunks_mut(chunk), room.p.par_chunks_mut(chunk)))
            .zip((records.par_chunks(chunk), starts))
            .map(|(((t, x), (y, p)), (records, mut state))| {
                let (filled, seen) = fill_room(records, &mut state, &mut Room { t, x, y, p }, streamed);
                (filled, seen, state.delay())
            })
            .collect();
        let (mut filled, mut seen, mut delay) = (0, Seen::default(), 0);
        for (i, (count, part, further)) in parts.into_iter().enumerate() {
            if delay != 0 {
                // SAFETY: so many were filled from the start of each part.
                unsafe { room.delay(i * chunk, count, delay) };
            }
            if i * chunk > filled {
                room.move_down(i * chunk, count, filled);
            }
            filled += count;
            seen = seen.then(part.later(delay));
            delay += further;
        }
        (filled, seen)
    };
    // SAFETY: `fill` returns how many it has filled from the start of each part, and parts are moved together.
    unsafe { extend(decoded, records.len(), work) }
}

/// One event for each record, by a decoder that does more than a [`Layout`] can say.
pub(super) fn each<T: Copy>(decoded: &mut Decoded, records: &[T], decode: impl Fn(T) -> Raw) {
    let work = |mut room: Room<'_>, _| {
        for (i, &record) in records.iter().enumerate() {
            // SAFETY: there is a place for each record.
            unsafe { room.put(i, decode(record)) };
        }
        // SAFETY: so many were just written.
        (records.len(), unsafe { room.look(records.len()) })
    };
    // SAFETY: each event was written.
    unsafe { extend(decoded, records.len(), work) }
}

/// Where a decoder with a state puts the events of a word.
pub(super) struct Events<'a> {
    room: Room<'a>,
    count: usize,
}

impl Events<'_> {
    /// Adds an event.
    #[inline(always)]
    pub(super) fn put(&mut self, event: Raw) {
        assert!(self.count < self.room.t.len(), "more events in a word than it can hold");
        // SAFETY: within the room, as was just seen.
        unsafe { self.room.put(self.count, event) };
        self.count += 1;
    }
}

/// Events of a decoder with a state that puts up to `most_a_word` of a word. Words are taken in blocks, so that room
/// stays near what is needed.
#[inline(always)]
pub(super) fn words_to_many<T: Copy>(
    decoded: &mut Decoded,
    words: &[T],
    most_a_word: usize,
    mut decode: impl FnMut(T, &mut Events<'_>),
) {
    for block in words.chunks(4096) {
        let work = |room: Room<'_>, _| {
            let mut events = Events { room, count: 0 };
            for &word in block {
                decode(word, &mut events);
            }
            // SAFETY: the events are counted as they are put.
            (events.count, unsafe { events.room.look(events.count) })
        };
        // SAFETY: likewise.
        unsafe { extend(decoded, block.len() * most_a_word, work) }
    }
}
