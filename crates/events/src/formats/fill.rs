//! Filling of columns from fixed-width records, and from words decoded with a state.
//!
//! Runs of events are added column by column, in loops of known length without branches, which the compiler
//! vectorises. A run is short enough to stay in the L1 cache, where its statistics are computed too.

use super::decoded::Decoded;

/// An event as produced by decoders.
pub(super) type Raw = (i64, u16, u16, u8);

/// Number of records processed at once.
const RUN: usize = 128;

/// `count` bits of a word, starting at bit `from`.
#[inline(always)]
pub(super) const fn bits(word: u32, from: u32, count: u32) -> u32 {
    (word >> from) & (u32::MAX >> (32 - count))
}

/// Records of `W` bytes, each of which is at most one event, and a state from earlier records.
pub(super) trait Records<const W: usize> {
    /// The event of a record that is one.
    fn event(record: &[u8; W]) -> Raw;

    /// Whether a record is an event.
    #[inline(always)]
    fn is_event(_: &[u8; W]) -> bool {
        true
    }

    /// Offset added to the times of the next events; `None` if they have no time yet and are skipped.
    #[inline(always)]
    fn earlier(&self) -> Option<i64> {
        Some(0)
    }

    /// Processes a record that is not an event.
    #[inline(always)]
    fn pass(&mut self, _: &[u8; W]) {}
}

/// Adds at most one event per record. Returns the state after the last one.
pub(super) fn records<const W: usize, R: Records<W>>(
    decoded: &mut Decoded,
    records: &[[u8; W]],
    mut state: R,
) -> R {
    if decoded.seek.is_none() {
        decoded.reserve(records.len());
    }
    let mut left = records;
    while !left.is_empty() && !decoded.is_found() {
        let most = left.len().min(if decoded.seek.is_some() { 1 } else { RUN });
        let events = left[..most].iter().take_while(|record| R::is_event(record)).count();
        let (run, behind) = left.split_at(events);
        left = behind;
        if let Some(earlier) = state.earlier() {
            add(decoded, run, |record| {
                let (t, x, y, p) = R::event(record);
                (t + earlier, x, y, p)
            });
        }
        if events < most
            && let Some((none, behind)) = left.split_first()
        {
            state.pass(none);
            left = behind;
        }
    }
    state
}

/// Adds one event for each of some records.
#[inline(always)]
fn add<T>(decoded: &mut Decoded, run: &[T], event: impl Fn(&T) -> Raw) {
    let before = decoded.t.len();
    decoded.t.extend(run.iter().map(|record| event(record).0));
    decoded.x.extend(run.iter().map(|record| event(record).1));
    decoded.y.extend(run.iter().map(|record| event(record).2));
    decoded.p.extend(run.iter().map(|record| event(record).3));
    decoded.look();
    if let Some(seek) = &mut decoded.seek {
        seek.pass(before, run.len(), run);
    }
}

/// Adds one event per record.
pub(super) fn each<T>(decoded: &mut Decoded, records: &[T], event: impl Fn(&T) -> Raw) {
    decoded.reserve(records.len());
    records.chunks(RUN).for_each(|run| add(decoded, run, &event));
}

/// Adds the events of a decoder with a state that produces up to `most_a_word` events per word.
#[inline(always)]
pub(super) fn words<T>(
    decoded: &mut Decoded,
    words: &[T],
    most_a_word: usize,
    mut decode: impl FnMut(&T, &mut Block),
) {
    let mut at_once = BLOCK / most_a_word;
    if decoded.seek.is_some() {
        at_once = 1;
    } else {
        // Some words are for the time and the row, some contain many events: about half as many events as
        // words in total.
        decoded.reserve(words.len() / 2);
    }
    let mut block = Block { count: 0, t: [0; BLOCK], x: [0; BLOCK], y: [0; BLOCK], p: [0; BLOCK] };
    for words in words.chunks(at_once) {
        words.iter().for_each(|word| decode(word, &mut block));
        let (before, more) = (decoded.t.len(), block.count);
        block.add_to(decoded);
        if let Some(seek) = &mut decoded.seek {
            seek.pass(before, more, words);
        }
        if decoded.is_found() {
            return;
        }
    }
}

/// Events that are not in the columns yet: adding one to an array of fixed length takes one comparison,
/// pushing it to four columns takes four.
pub(super) struct Block {
    count: usize,
    t: [i64; BLOCK],
    x: [u16; BLOCK],
    y: [u16; BLOCK],
    p: [u8; BLOCK],
}

/// Small enough to stay in the L1 cache.
const BLOCK: usize = 1536;

impl Block {
    /// Adds an event.
    #[inline(always)]
    pub(super) fn put(&mut self, (t, x, y, p): Raw) {
        let at = self.count;
        (self.t[at], self.x[at], self.y[at], self.p[at]) = (t, x, y, p);
        self.count = at + 1;
    }

    fn add_to(&mut self, decoded: &mut Decoded) {
        decoded.t.extend_from_slice(&self.t[..self.count]);
        decoded.x.extend_from_slice(&self.x[..self.count]);
        decoded.y.extend_from_slice(&self.y[..self.count]);
        decoded.p.extend_from_slice(&self.p[..self.count]);
        decoded.look();
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::decoded::Seen;
    use super::*;

    /// Five bytes per record; a record whose first byte is above 199 is not an event, and makes those after
    /// it 1000 us later.
    #[derive(Default)]
    struct Toy {
        later: i64,
    }

    impl Records<5> for Toy {
        fn event(&[mark, low, high, t_high, t_low]: &[u8; 5]) -> Raw {
            let address = u32::from(u16::from_le_bytes([low, high]));
            let time = u32::from(u16::from_be_bytes([t_high, t_low]));
            (bits(time, 2, 14).into(), bits(address, 0, 9) as u16, bits(address, 9, 7) as u16, mark & 1)
        }

        fn is_event(record: &[u8; 5]) -> bool {
            record[0] < 200
        }

        fn earlier(&self) -> Option<i64> {
            (self.later > 0).then_some(self.later)
        }

        fn pass(&mut self, _: &[u8; 5]) {
            self.later += 1000;
        }
    }

    /// Computed by division instead of bit operations.
    fn expected(records: &[[u8; 5]]) -> Vec<Raw> {
        let (mut later, mut events) = (0, Vec::new());
        for &[mark, low, high, t_high, t_low] in records {
            let (x, y) = (u16::from(low) + 256 * u16::from(high % 2), u16::from(high / 2));
            match mark {
                255 => later += 1000,
                _ if later == 0 => {}
                _ => events.push((64 * i64::from(t_high) + i64::from(t_low) / 4 + later, x, y, mark % 2)),
            }
        }
        events
    }

    /// Pseudo-random records, of which one in `rare` is not an event, except for some at the beginning.
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

    #[test]
    fn runs_of_every_length_give_the_events_of_a_plain_loop() {
        for count in (0..40).chain([RUN - 1, RUN, RUN + 1, 3 * RUN + 17, 5000]) {
            for rare in [2, 7, 100, 1_000_000] {
                let toys = toys(count, rare);
                let expected = expected(&toys);
                let mut decoded = Decoded::default();
                // One event before them.
                decoded.push(0, 1, 2, true);
                decoded.look();
                records(&mut decoded, &toys, Toy::default());
                let place = format!("{count} records, one in {rare} no event");
                let Decoded { t, x, y, p, seen, .. } = &decoded;
                let found: Vec<Raw> = (1..t.len()).map(|i| (t[i], x[i], y[i], p[i])).collect();
                assert_eq!(found, expected, "{place}");
                assert_eq!(seen.tells(), Seen::of(t, x, y).tells(), "{place}");
            }
        }
    }
}
