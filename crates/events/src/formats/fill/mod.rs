//! Columns filled at memory speed: written straight into room that was reserved, without zeroing it first or
//! growing. The crate's unsafe code, but for the choice of vectors in `simd`.

mod lane;
mod layout;
mod memory;
mod records;
mod room;
#[cfg(target_arch = "x86_64")]
mod wide;

use rayon::prelude::*;

use super::decoded::{Decoded, Seen};
use lane::BLOCK;
use layout::Raw;
pub(super) use layout::{EventIf, Layout, NONE, field};
pub(super) use records::Records;
use room::{Direct, Room, Sink, Streamed};

/// Records above which a second thread is worth its start.
const RECORDS_WORTH_A_THREAD: usize = 1 << 17;
/// Bytes of an event in the columns.
const EVENT: usize = 13;
/// Bytes of columns from which they are written past the caches, which would not hold them.
const STREAM_FROM: usize = 32 << 20;

/// Reserves room for `events` more, so that the columns need not move while as many are added.
pub(super) fn reserve(decoded: &mut Decoded, events: usize) {
    memory::reserve(&mut decoded.t, events);
    memory::reserve(&mut decoded.x, events);
    memory::reserve(&mut decoded.y, events);
    memory::reserve(&mut decoded.p, events);
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

/// Hands the events of the records to a sink, and looks them over while the innermost cache holds them.
///
/// `group` writes the events of `G` records, up to the first that is none, and says how many those are.
#[inline(always)]
fn fill_any<const W: usize, const G: usize, R: Records<W>>(
    records: &[[u8; W]],
    state: &mut R,
    sink: &mut impl Sink,
    group: impl Fn(&[[u8; W]; G], i64, &mut Room<'_>, usize) -> usize,
) -> (usize, Seen) {
    let (mut filled, mut seen) = (0, Seen::default());
    let mut left = records;
    while !left.is_empty() {
        let block = &left[..left.len().min(BLOCK)];
        // Fewer than a group are left to the next block, if there is one.
        let enough = if block.len() < left.len() { block.len() - (G - 1) } else { block.len() };
        let mut room = sink.block(block.len());
        let (mut at, mut count) = (0, 0);
        while at < enough {
            if let Some(earlier) = state.earlier() {
                for records in block[at..].as_chunks::<G>().0 {
                    memory::prefetch(records);
                    let events = group(records, earlier, &mut room, count);
                    (at, count) = (at + events, count + events);
                    if events < G {
                        break;
                    }
                }
            }
            if at >= enough {
                break;
            }
            let record = &block[at];
            if !R::LAYOUT.is_event(record) {
                state.pass(record);
            } else if let Some(earlier) = state.earlier() {
                let (t, x, y, p) = R::LAYOUT.decode(record);
                // SAFETY: the room has a place for each record of the block, of which there are no more before.
                unsafe { room.put(count, (t + earlier, x, y, p)) };
                count += 1;
            }
            at += 1;
        }
        // SAFETY: so many were just written.
        seen = seen.then(unsafe { room.look(count) });
        // SAFETY: likewise.
        unsafe { sink.keep(count) };
        filled += count;
        left = &left[at..];
    }
    (filled, seen)
}

/// Records that [`group_any`] decodes at once.
const GROUP: usize = 32;

/// The events of a group of records, for any processor: loops that the compiler makes vectors of.
#[inline(always)]
fn group_any<const W: usize, R: Records<W>>(
    records: &[[u8; W]; GROUP],
    earlier: i64,
    room: &mut Room<'_>,
    at: usize,
) -> usize {
    let part = room.part(at, GROUP);
    for (record, t) in records.iter().zip(part.t) {
        t.write(R::LAYOUT.decode(record).0 + earlier);
    }
    for (record, x) in records.iter().zip(part.x) {
        x.write(R::LAYOUT.decode(record).1);
    }
    for (record, y) in records.iter().zip(part.y) {
        y.write(R::LAYOUT.decode(record).2);
    }
    for (record, p) in records.iter().zip(part.p) {
        p.write(R::LAYOUT.decode(record).3);
    }
    if records.iter().fold(true, |all, record| all & R::LAYOUT.is_event(record)) {
        GROUP
    } else {
        records.iter().take_while(|record| R::LAYOUT.is_event(record)).count()
    }
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
            fill_any(records, state, sink, group_any::<W, R>)
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx2,bmi1,bmi2")]
        fn avx512<const W: usize, R: Records<W>>(
            records: &[[u8; W]],
            state: &mut R,
            sink: &mut impl Sink,
        ) -> (usize, Seen) {
            fill_any(records, state, sink, |records, earlier, room, at| {
                wide::group::<W, R>(records, earlier, room, at)
            })
        }
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
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
    fill_any(records, state, sink, group_any::<W, R>)
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

/// At most one event for each record of `W` bytes, in parallel where there are many. Says whether [`Records::is_odd`].
pub(super) fn records<const W: usize, R: Records<W>>(
    decoded: &mut Decoded,
    records: &[[u8; W]],
    mut state: R,
) -> bool {
    if decoded.seek.is_some() {
        seek(decoded, records, state);
        return false;
    }
    let mut odd = false;
    let work = |mut room: Room<'_>, streamed: bool| {
        let chunk = RECORDS_WORTH_A_THREAD;
        if records.len() < 2 * chunk || rayon::current_num_threads() == 1 {
            let found = fill_room(records, &mut state, &mut room, streamed);
            odd = state.is_odd();
            return found;
        }
        let starts: Vec<R> = records
            .chunks(chunk)
            .scan(state, |next, records| {
                let start = *next;
                *next = next.behind(records);
                Some(start)
            })
            .collect();
        let parts: Vec<(usize, Seen, i64, bool)> =
            (room.t.par_chunks_mut(chunk), room.x.par_chunks_mut(chunk))
                .into_par_iter()
                .zip((room.y.par_chunks_mut(chunk), room.p.par_chunks_mut(chunk)))
                .zip((records.par_chunks(chunk), starts))
                .map(|(((t, x), (y, p)), (records, mut state))| {
                    let (filled, seen) = fill_room(records, &mut state, &mut Room { t, x, y, p }, streamed);
                    (filled, seen, state.delay(), state.is_odd())
                })
                .collect();
        let (mut filled, mut seen, mut delay) = (0, Seen::default(), 0);
        for (i, (count, part, further, is_odd)) in parts.into_iter().enumerate() {
            odd |= is_odd;
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
    odd
}

/// [`records`], one by one, until the place is known that is looked for.
fn seek<const W: usize, R: Records<W>>(decoded: &mut Decoded, records: &[[u8; W]], mut state: R) {
    let Some(mut seek) = decoded.seek else { return };
    for record in records {
        if seek.is_over() {
            break;
        }
        if !R::LAYOUT.is_event(record) {
            state.pass(record);
        } else if let Some(earlier) = state.earlier() {
            seek.pass(decoded.t.len(), 1, record);
            let (t, x, y, p) = R::LAYOUT.decode(record);
            decoded.push(t + earlier, x, y, p == 1);
        }
    }
    decoded.seek = Some(seek);
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
    // Some words are for the time and the row, some hold many events: about half as many in all.
    reserve(decoded, words.len() / 2);
    // One by one where the place of an event is looked for.
    let at_once = if decoded.seek.is_some() { 1 } else { 4096 };
    for block in words.chunks(at_once) {
        let before = decoded.t.len();
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
        if let Some(seek) = &mut decoded.seek {
            seek.pass(before, decoded.t.len() - before, block);
            if seek.is_over() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five bytes a record; a first byte above 199 is no event and makes those after it 1000 us later.
    #[derive(Clone, Copy, Default)]
    struct Toy {
        later: i64,
    }

    impl Records<5> for Toy {
        const LAYOUT: Layout = Layout {
            time: [4, 3, NONE, NONE],
            address: [1, 2, 0, NONE],
            t: field(2, 14),
            x: field(0, 9),
            y: field(9, 7),
            p: field(16, 1),
            event: EventIf::NotEqual(0xff_0000, 0xff_0000),
        };

        fn earlier(&self) -> Option<i64> {
            (self.later > 0).then_some(self.later)
        }

        fn pass(&mut self, _: &[u8; 5]) {
            self.later += 1000;
        }
    }

    /// Made without the layout.
    fn expected(records: &[[u8; 5]]) -> Vec<Raw> {
        let (mut later, mut events) = (0, Vec::new());
        for &[mark, low, high, t_high, t_low] in records {
            let address = u16::from_le_bytes([low, high]);
            match mark {
                255 => later += 1000,
                _ if later == 0 => {}
                _ => events.push((
                    i64::from(u16::from_be_bytes([t_high, t_low]) >> 2) + later,
                    address & 511,
                    address >> 9,
                    mark & 1,
                )),
            }
        }
        events
    }

    /// Pseudo-random records, of which one in `rare` is none but for some at the beginning.
    fn toys(count: usize, rare: u64) -> Vec<[u8; 5]> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        (0..count)
            .map(|i| {
                let [a, b, c, d, ..] = next().to_le_bytes();
                let none = i == 2 || i > 2 && next().is_multiple_of(rare);
                [if none { 255 } else { (next() % 200) as u8 }, a, b, c, d]
            })
            .collect()
    }

    fn events(work: impl FnOnce(&mut Room<'_>) -> (usize, Seen), most: usize) -> (Vec<Raw>, Seen) {
        let mut decoded = Decoded::default();
        // One event before them: nothing begins where memory does.
        decoded.push(0, 0, 0, true);
        let mut told = Seen::default();
        let work = |mut room: Room<'_>, _| {
            let (filled, seen) = work(&mut room);
            told = seen;
            (filled, seen)
        };
        // SAFETY: what the tests call says how many it has filled.
        unsafe { extend(&mut decoded, most, work) };
        let Decoded { t, x, y, p, .. } = decoded;
        let rows = (1..t.len()).map(|i| (t[i], x[i], y[i], p[i])).collect();
        (rows, told)
    }

    #[test]
    fn every_processor_and_way_gives_the_same_events() {
        for count in (0..40).chain([BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17, 5000]) {
            for rare in [2, 7, 100, 1_000_000] {
                let records = toys(count, rare);
                let expected = expected(&records);
                let seen = {
                    let column = |of: fn(&Raw) -> u16| expected.iter().map(of).collect::<Vec<_>>();
                    let t: Vec<i64> = expected.iter().map(|event| event.0).collect();
                    Seen::of(&t, &column(|event| event.1), &column(|event| event.2))
                };
                let any = |room: &mut Room<'_>| {
                    let sink = &mut Direct { room, filled: 0 };
                    fill_any(&records, &mut Toy::default(), sink, group_any::<5, Toy>)
                };
                let widest = |streamed| {
                    let records = &records;
                    move |room: &mut Room<'_>| fill_room(records, &mut Toy::default(), room, streamed)
                };
                let place = format!("{count} records, one in {rare} no event");
                for (found, told) in
                    [events(any, count), events(widest(false), count), events(widest(true), count)]
                {
                    assert_eq!(found, expected, "{place}");
                    assert_eq!(told.tells(), seen.tells(), "{place}");
                }
            }
        }
    }
}
