//! Prophesee RAW with words of EVT 2.0 and EVT 2.1.
//!
//! Lines that begin with `%`, then words, least significant byte first. EVT 2.0 words have 32 bits: a type in
//! bits 28 to 31 (0 OFF event, 1 ON event, 8 the upper 28 bits of the time), and for events the lower 6 bits
//! of the time in bits 22 to 27, `x` in bits 11 to 21, `y` in bits 0 to 10. EVT 2.1 words have 64 bits: the
//! same in the upper half, and in the lower half one bit for each of 32 pixels starting at `x`; with
//! `endianness=legacy` (IMX636, Gen4.1), the halves are swapped. Events before the first time word have no
//! time and are skipped and counted, as are triggers (10) and others (14, 15).

use super::decoded::Decoded;
use super::event_format::{EventFormat, Unwritable};
use super::fill::{self, Raw, Records, bits};
use super::order::is_no_clock;
use super::prophesee::{Endianness, Header};
use super::{Format, ReadOptions, prophesee};
use crate::stream::Events;

const TIME_HIGH: u32 = 8;
/// The upper part of the time has 28 bits.
const TURN: i64 = 1 << 28;

/// EVT 2.0.
#[derive(Debug)]
pub(super) struct Evt2;

impl EventFormat for Evt2 {
    fn title(&self) -> &str {
        "Prophesee RAW EVT 2.0"
    }

    fn has_mark(&self) -> bool {
        false
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        prophesee::told(bytes) == Some(Ok(Format::Evt2))
    }

    fn endings(&self) -> &[&str] {
        &["raw"]
    }

    fn record_size(&self) -> Option<usize> {
        Some(4)
    }

    fn decode(&self, bytes: &[u8], _: &ReadOptions, decoded: Decoded) -> Decoded {
        decode(bytes, decoded)
    }

    fn encode(&self, events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
        encode(events)
    }
}

/// EVT 2.1.
#[derive(Debug)]
pub(super) struct Evt21;

impl EventFormat for Evt21 {
    fn title(&self) -> &str {
        "Prophesee RAW EVT 2.1"
    }

    fn has_mark(&self) -> bool {
        false
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        prophesee::told(bytes) == Some(Ok(Format::Evt21))
    }

    fn endings(&self) -> &[&str] {
        &["raw"]
    }

    fn record_size(&self) -> Option<usize> {
        Some(8)
    }

    fn decode(&self, bytes: &[u8], _: &ReadOptions, decoded: Decoded) -> Decoded {
        decode_21(bytes, decoded)
    }
}

/// The upper part of the time, with its overflows.
#[derive(Clone, Copy, Default)]
struct Clock {
    high: i64,
    turns: i64,
    known: bool,
    /// Whether any word was neither an event nor a time.
    odd: bool,
}

impl Clock {
    #[inline(always)]
    fn set(&mut self, high: i64) {
        if self.known && self.high - high > TURN / 2 {
            self.turns += TURN;
        }
        self.high = high;
        self.known = true;
    }

    #[inline(always)]
    fn time(&self, low: u32) -> i64 {
        ((self.turns + self.high) << 6) | i64::from(low)
    }
}

impl Records<4> for Clock {
    #[inline(always)]
    fn event(word: &[u8; 4]) -> Raw {
        let word = u32::from_le_bytes(*word);
        (
            bits(word, 22, 6).into(),
            bits(word, 11, 11) as u16,
            bits(word, 0, 11) as u16,
            bits(word, 28, 1) as u8,
        )
    }

    /// Whether the type is 0 or 1.
    #[inline(always)]
    fn is_event(word: &[u8; 4]) -> bool {
        word[3] >> 5 == 0
    }

    #[inline(always)]
    fn earlier(&self) -> Option<i64> {
        self.known.then(|| self.time(0))
    }

    #[inline(always)]
    fn pass(&mut self, word: &[u8; 4]) {
        let word = u32::from_le_bytes(*word);
        if word >> 28 == TIME_HIGH {
            self.set(i64::from(word & 0x0fff_ffff));
        } else {
            self.odd = true;
        }
    }
}

/// The numbers of words by type.
#[derive(Default)]
pub(super) struct Kinds {
    counts: [u64; 16],
    /// Events that have no time yet.
    untimed: u64,
    /// Times before the previous one, by too little for an overflow of the clock.
    backwards: u64,
}

impl Kinds {
    #[inline(always)]
    pub(super) fn count(&mut self, kind: usize) {
        self.counts[kind & 15] += 1;
    }

    #[inline(always)]
    pub(super) fn count_untimed(&mut self, events: u32) {
        self.untimed += u64::from(events);
    }

    #[inline(always)]
    pub(super) fn count_backwards(&mut self) {
        self.backwards += 1;
    }

    /// Records the skipped words of `words` words starting at byte `start`, of which those of type `time` are
    /// times. Refuses a file in which a third of the words have an undefined type, or whose times run
    /// backwards throughout.
    pub(super) fn tell(
        self,
        decoded: &mut Decoded,
        start: usize,
        words: usize,
        time: usize,
        known: &[usize],
    ) {
        decoded.pass_over("events before the first time", self.untimed);
        decoded.pass_over("trigger events", self.counts[10]);
        decoded.pass_over("monitoring words", self.counts[14] + self.counts[15]);
        let mut unknown = 0;
        for (kind, &count) in self.counts.iter().enumerate() {
            if !known.contains(&kind) {
                unknown += count;
                decoded.pass_over(format!("words of the unknown type {kind}"), count);
            }
        }
        if unknown >= 4 && 3 * unknown > words as u64 {
            decoded.refuse(
                start,
                format!(
                    "{unknown} of {words} words are of no type that this format has: it is another one, or the file is \
                     damaged; name the format (`format`; `--format evt2`, `evt21`, `evt3`)"
                ),
            );
        }
        if is_no_clock(self.backwards, self.counts[time]) {
            decoded.refuse(
                start,
                format!(
                    "the times run backwards {} times in {} words of time: the words are not of this format, or the file is \
                     damaged; name the format (`format`; `--format evt2`, `evt21`, `evt3`)",
                    self.backwards, self.counts[time]
                ),
            );
        }
    }
}

/// The types of words defined by EVT 2.0 and 2.1.
const KNOWN: [usize; 6] = [0, 1, TIME_HIGH as usize, 10, 14, 15];

pub(super) fn decode(bytes: &[u8], empty: Decoded) -> Decoded {
    let header = Header::read(bytes);
    let start = header.end;
    let mut decoded = Decoded { sensor: header.sensor(), metadata: header.lines, ..empty };
    let (words, rest) = bytes[start..].as_chunks::<4>();
    let odd = fill::records(&mut decoded, words, Clock::default()).odd;
    let kind = |word: &[u8; 4]| word[3] >> 4;
    // Most files contain only events and times and need no second pass.
    if odd || words.first().is_some_and(|word| u32::from(kind(word)) != TIME_HIGH) {
        let (mut kinds, mut clock) = (Kinds::default(), Clock::default());
        for word in words {
            let kind = kind(word);
            kinds.count(usize::from(kind));
            if kind < 2 && !clock.known {
                kinds.count_untimed(1);
            } else if u32::from(kind) == TIME_HIGH {
                let before = clock.time(0);
                clock.pass(word);
                if clock.time(0) < before {
                    kinds.count_backwards();
                }
            }
        }
        kinds.tell(&mut decoded, start, words.len(), TIME_HIGH as usize, &KNOWN);
    }
    if !rest.is_empty() {
        decoded.stop(bytes.len() - rest.len(), format!("the last word is cut: {} of 4 bytes", rest.len()));
    }
    decoded
}

/// The number of time words in `little` and in `legacy` order: with a type in one half and zeros in the
/// other.
fn times(words: &[[u8; 8]]) -> [usize; 2] {
    let is_time = |[.., last]: [u8; 4], other: [u8; 4]| last >> 4 == TIME_HIGH as u8 && other == [0; 4];
    let (mut little, mut legacy) = (0, 0);
    for &[a, b, c, d, e, f, g, h] in words {
        little += usize::from(is_time([e, f, g, h], [a, b, c, d]));
        legacy += usize::from(is_time([a, b, c, d], [e, f, g, h]));
    }
    [little, legacy]
}

/// The order of the halves: the stated one, unless the words contradict it; else the order of the time words.
fn order_of(stated: Option<Endianness>, words: &[[u8; 8]]) -> Result<Endianness, String> {
    // If the header states no order, all words are checked; otherwise, enough to contradict it.
    let [little, legacy] = times(if stated.is_some() { &words[..words.len().min(1 << 16)] } else { words });
    let (name, own, other) = match stated {
        None => return Ok(if legacy > little { Endianness::Legacy } else { Endianness::Little }),
        Some(Endianness::Little) => ("little", little, legacy),
        Some(Endianness::Legacy) => ("legacy", legacy, little),
    };
    // An event word can look like a time word by chance.
    if other > 2 + 4 * own {
        return Err(format!(
            "the header says that the endianness is `{name}`, but {other} words of time have the other one, {own} this one: \
             correct the header (`little` or `legacy`)"
        ));
    }
    Ok(stated.unwrap_or(Endianness::Little))
}

pub(super) fn decode_21(bytes: &[u8], empty: Decoded) -> Decoded {
    let header = Header::read(bytes);
    let start = header.end;
    let (words, rest) = bytes[start..].as_chunks::<8>();
    let endianness = header.endianness().and_then(|stated| order_of(stated, words));
    let mut decoded = Decoded { sensor: header.sensor(), metadata: header.lines, ..empty };
    let endianness = match endianness {
        Ok(endianness) => endianness,
        Err(problem) => {
            decoded.refuse(start, problem);
            return decoded;
        }
    };
    let (mut clock, mut kinds) = (Clock::default(), Kinds::default());
    // Moves the half with the type to the upper position.
    let turned = if endianness == Endianness::Legacy { 32 } else { 0 };
    fill::words(&mut decoded, words, 32, |word, block| {
        let word = u64::from_le_bytes(*word).rotate_left(turned);
        let upper = (word >> 32) as u32;
        let kind = upper >> 28;
        kinds.count(kind as usize);
        if kind == TIME_HIGH {
            let before = clock.time(0);
            clock.set(i64::from(upper & 0x0fff_ffff));
            if clock.time(0) < before {
                kinds.count_backwards();
            }
        } else if kind < 2 {
            let mut valid = word as u32;
            if !clock.known {
                kinds.count_untimed(valid.count_ones());
                return;
            }
            let t = clock.time((upper >> 22) & 0x3f);
            let (x, y) = (((upper >> 11) & 0x7ff) as u16, (upper & 0x7ff) as u16);
            while valid != 0 {
                block.put((t, x + valid.trailing_zeros() as u16, y, kind as u8));
                valid &= valid - 1;
            }
        }
    });
    kinds.tell(&mut decoded, start, words.len(), TIME_HIGH as usize, &KNOWN);
    if !rest.is_empty() {
        decoded.stop(bytes.len() - rest.len(), format!("the last word is cut: {} of 8 bytes", rest.len()));
    }
    decoded
}

fn encode(events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
    let refuse = |event, problem| Err(Unwritable { event, problem });
    let sensor = events.sensor;
    let mut bytes = format!(
        "% evt 2.0\n% format EVT2;height={1};width={0}\n% geometry {0}x{1}\n% end\n",
        sensor.width, sensor.height
    )
    .into_bytes();
    let mut high = None;
    for i in 0..events.len() {
        let (t, x, y, p) = (events.t[i], events.x[i], events.y[i], events.p[i]);
        if x > 2047 || y > 2047 {
            return refuse(i, format!("x = {x}, y = {y}: it holds 0 to 2047"));
        }
        if !(0..1 << 34).contains(&t) {
            return refuse(i, format!("t = {t} us: it holds 0 to 2^34 - 1"));
        }
        let now = (t >> 6) as u32;
        if high.is_some_and(|before: u32| before > now) {
            return refuse(i, format!("t = {t} us lies before the event before it: sort the recording"));
        }
        if high != Some(now) {
            bytes.extend((0x8000_0000 | now).to_le_bytes());
            high = Some(now);
        }
        let word = (u32::from(p) << 28) | ((t as u32 & 0x3f) << 22) | (u32::from(x) << 11) | u32::from(y);
        bytes.extend(word.to_le_bytes());
    }
    Ok(bytes)
}
