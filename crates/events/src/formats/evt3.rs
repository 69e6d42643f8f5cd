//! Prophesee RAW with words of EVT 3.0.
//!
//! Lines that begin with `%`, then words of 16 bits, least significant byte first, with a type in bits 12 to
//! 15: 0 sets `y`; 2 is an event at `x` (bits 0 to 10) with its polarity (bit 11); 3 sets the first `x` and
//! the polarity of vectors; 4 and 5 are vectors of 12 and 8 pixels, one bit each; 6 and 8 set the lower and
//! the upper 12 bits of the time in us. Events before the first upper time are skipped and counted, as are
//! triggers (10) and others (7, 14, 15).

use super::decoded::Decoded;
use super::event_format::{EventFormat, Unwritable};
use super::evt2::Kinds;
use super::fill;
use super::prophesee::Header;
use super::{Format, ReadOptions, prophesee};
use crate::stream::Events;

/// EVT 3.0.
#[derive(Debug)]
pub(super) struct Evt3;

impl EventFormat for Evt3 {
    fn title(&self) -> &str {
        "Prophesee RAW EVT 3.0"
    }

    fn has_mark(&self) -> bool {
        false
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        prophesee::told(bytes) == Some(Ok(Format::Evt3))
    }

    fn endings(&self) -> &[&str] {
        &["raw"]
    }

    fn record_size(&self) -> Option<usize> {
        Some(2)
    }

    fn decode(&self, bytes: &[u8], _: &ReadOptions, decoded: Decoded) -> Decoded {
        decode(bytes, decoded)
    }

    fn encode(&self, events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
        encode(events)
    }
}

/// The types of words defined by the format.
const KNOWN: [usize; 11] = [0, 2, 3, 4, 5, 6, 7, 8, 10, 14, 15];
const TIME_HIGH: usize = 8;

pub(super) fn decode(bytes: &[u8], empty: Decoded) -> Decoded {
    let header = Header::read(bytes);
    let start = header.end;
    let mut decoded = Decoded { sensor: header.sensor(), metadata: header.lines, ..empty };
    let (words, rest) = bytes[start..].as_chunks::<2>();
    let (mut high, mut low, mut turns, mut known) = (0i64, 0i64, 0i64, false);
    let (mut y, mut base, mut polarity) = (0u16, 0u16, 0u8);
    let mut kinds = Kinds::default();
    fill::words(&mut decoded, words, 12, |word, block| {
        let word = u16::from_le_bytes(*word);
        let value = word & 0xfff;
        let time = turns + (high << 12) + low;
        match word >> 12 {
            0x0 => y = value & 0x7ff,
            0x2 if known => block.put((time, value & 0x7ff, y, (value >> 11) as u8)),
            0x3 => (base, polarity) = (value & 0x7ff, (value >> 11) as u8),
            kind @ (0x4 | 0x5) => {
                let (mut valid, length) = if kind == 0x4 { (value, 12) } else { (value & 0xff, 8) };
                if !known {
                    kinds.count_untimed(valid.count_ones());
                }
                while known && valid != 0 {
                    block.put((time, base.wrapping_add(valid.trailing_zeros() as u16), y, polarity));
                    valid &= valid - 1;
                }
                base = base.wrapping_add(length);
            }
            0x6 => low = i64::from(value),
            0x8 => {
                let new = i64::from(value);
                kinds.count(TIME_HIGH);
                if known && high - new > 1 << 11 {
                    turns += 1 << 24;
                } else if new < high {
                    kinds.count_backwards();
                }
                if new != high {
                    low = 0;
                }
                (high, known) = (new, true);
            }
            0x2 => kinds.count_untimed(1),
            other => kinds.count(usize::from(other)),
        }
    });
    kinds.tell(&mut decoded, start, words.len(), TIME_HIGH, &KNOWN);
    if !rest.is_empty() {
        decoded.stop(bytes.len() - rest.len(), "the last word is cut: 1 of 2 bytes");
    }
    decoded
}

/// Words only for changes: 2 to 8 bytes per event, fewer if neighbours fire together.
fn encode(events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
    let refuse = |event, problem| Err(Unwritable { event, problem });
    let sensor = events.sensor;
    let mut bytes = format!(
        "% evt 3.0\n% format EVT3;height={1};width={0}\n% geometry {0}x{1}\n% end\n",
        sensor.width, sensor.height
    )
    .into_bytes();
    let mut word = |kind: u16, value: u16| bytes.extend(((kind << 12) | value).to_le_bytes());
    // The upper 12 bits of the time continue beyond those in a word; the file's clock starts at 0.
    let (mut high, mut low, mut row) = (None, 0, None);
    let mut i = 0;
    while i < events.len() {
        let (t, x, y, p) = (events.t[i], events.x[i], events.y[i], u16::from(events.p[i]));
        if x > 2047 || y > 2047 {
            return refuse(i, format!("x = {x}, y = {y}: it holds 0 to 2047"));
        }
        let now = t >> 12;
        let before = high.unwrap_or(0);
        if t < 0 || now < before || (Some(now) == high && t & 0xfff < low) {
            return refuse(i, format!("t = {t} us: sort the recording, to begin at 0 or later"));
        }
        // An hour of silence takes 430 words, an epoch in us would take a hundred million.
        if now - before > 1 << 28 {
            return refuse(i, format!("t = {t} us is too late: shift the recording to begin at 0"));
        }
        if high != Some(now) {
            // The reader interprets a fall by more than half of the clock's range as an overflow.
            let mut step = before;
            if high.is_none() && now >= 1 << 11 {
                word(8, 0);
            }
            while now - step >= 1 << 11 {
                step += (1 << 11) - 1;
                word(8, (step & 0xfff) as u16);
            }
            word(8, (now & 0xfff) as u16);
            (high, low) = (Some(now), 0);
        }
        if t & 0xfff != low {
            low = t & 0xfff;
            word(6, low as u16);
        }
        if row != Some(y) {
            word(0, y);
            row = Some(y);
        }
        // Neighbours to the right that fire at the same time with the same polarity are combined into one
        // vector of 12.
        let mut vector = 1u16;
        let mut last = x;
        let mut end = i + 1;
        while end < events.len()
            && (events.t[end], events.y[end], u16::from(events.p[end])) == (t, y, p)
            && (last + 1..x + 12).contains(&events.x[end])
            && events.x[end] <= 2047
        {
            last = events.x[end];
            vector |= 1 << (last - x);
            end += 1;
        }
        if end > i + 2 {
            word(3, (p << 11) | x);
            word(4, vector);
            i = end;
        } else {
            word(2, (p << 11) | x);
            i += 1;
        }
    }
    Ok(bytes)
}
