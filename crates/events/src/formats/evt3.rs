//! Prophesee RAW with words of EVT 3.0.
//!
//! Lines that begin with `%`, then words of 16 bits, least significant byte first, with a type in bits 12 to 15: 0 sets
//! `y`; 2 is an event at `x` (bits 0 to 10) with its polarity (bit 11); 3 sets the first `x` and the polarity of vectors; 4
//! and 5 are vectors of 12 and 8 pixels, a bit each; 6 and 8 set the lower and the upper 12 bits of the time in us. What
//! comes before the first upper time is passed over and counted, as are triggers (10) and others (7, 14, 15).

use super::decoded::Decoded;
use super::evt2::Kinds;
use super::fill;
use super::prophesee::Header;

/// Types of words that the format defines.
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
