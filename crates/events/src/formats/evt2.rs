//! Prophesee RAW with words of EVT 2.0 and EVT 2.1.
//!
//! Lines that begin with `%`, then words, least significant byte first. EVT 2.0 has 32 bits: a type in bits 28 to 31 (0
//! darker, 1 brighter, 8 the upper 28 bits of the time), and for events the lower 6 bits of the time in bits 22 to 27, `x`
//! in bits 11 to 21, `y` in bits 0 to 10. EVT 2.1 has 64 bits: the same in its upper half, and in its lower half a bit for
//! each of 32 pixels from `x` on. Events before the first time word have no time and are passed over, as are triggers.

use super::decoded::Decoded;
use super::fill::{self, EventIf, Layout, Records, field};
use super::prophesee::Header;

const TIME_HIGH: u32 = 8;
/// The upper part of the time has 28 bits.
const TURN: i64 = 1 << 28;

/// The upper part of the time, followed over its turns.
#[derive(Clone, Copy, Default)]
struct Clock {
    high: i64,
    turns: i64,
    known: bool,
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

fn begin(bytes: &[u8], empty: Decoded) -> (Decoded, usize) {
    let header = Header::read(bytes);
    let decoded = Decoded { sensor: header.sensor(), metadata: header.lines, ..empty };
    (decoded, header.end)
}

impl Records<4> for Clock {
    const LAYOUT: Layout = Layout {
        time: [0, 1, 2, 3],
        address: [0, 1, 2, 3],
        t: field(22, 6),
        x: field(11, 11),
        y: field(0, 11),
        p: field(28, 1),
        // Of type 0 or 1.
        event: EventIf::Equal(0xe000_0000, 0),
    };

    #[inline(always)]
    fn earlier(&self) -> Option<i64> {
        self.known.then(|| self.time(0))
    }

    #[inline(always)]
    fn pass(&mut self, word: &[u8; 4]) {
        let word = u32::from_le_bytes(*word);
        if word >> 28 == TIME_HIGH {
            self.set(i64::from(word & 0x0fff_ffff));
        }
    }

    fn behind(self, before: &[[u8; 4]]) -> Self {
        let last = before.iter().rev().find(|word| word[3] >> 4 == TIME_HIGH as u8);
        let mut clock = self;
        if let Some(word) = last {
            clock.known = false;
            clock.pass(word);
        }
        clock
    }

    fn delay(&self) -> i64 {
        self.turns << 6
    }
}

pub(super) fn decode(bytes: &[u8], empty: Decoded) -> Decoded {
    let (mut decoded, start) = begin(bytes, empty);
    let (words, rest) = bytes[start..].as_chunks::<4>();
    fill::records(&mut decoded, words, Clock::default());
    if !rest.is_empty() {
        decoded.stop(bytes.len() - rest.len(), format!("the last word is cut: {} of 4 bytes", rest.len()));
    }
    decoded
}

pub(super) fn decode_21(bytes: &[u8], empty: Decoded) -> Decoded {
    let (mut decoded, start) = begin(bytes, empty);
    let (words, rest) = bytes[start..].as_chunks::<8>();
    let mut clock = Clock::default();
    fill::words_to_many(&mut decoded, words, 32, |word, sink| {
        let word = u64::from_le_bytes(word);
        let upper = (word >> 32) as u32;
        let kind = upper >> 28;
        if kind == TIME_HIGH {
            clock.set(i64::from(upper & 0x0fff_ffff));
        } else if kind < 2 && clock.known {
            let t = clock.time((upper >> 22) & 0x3f);
            let (x, y) = (((upper >> 11) & 0x7ff) as u16, (upper & 0x7ff) as u16);
            let mut valid = word as u32;
            while valid != 0 {
                sink.put((t, x + valid.trailing_zeros() as u16, y, kind as u8));
                valid &= valid - 1;
            }
        }
    });
    if !rest.is_empty() {
        decoded.stop(bytes.len() - rest.len(), format!("the last word is cut: {} of 8 bytes", rest.len()));
    }
    decoded
}
