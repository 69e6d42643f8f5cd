//! ATIS `.bin`: N-MNIST and N-Caltech101. Orchard et al., Frontiers in Neuroscience 9, 2015.
//!
//! 5 bytes an event: `x`, `y`, then 24 bits, most significant first: polarity, and 23 bits of time in us. A record
//! with `y = 240` is no event: the clock's 13 bits have turned over, and all later times are 2^13 us later.

use super::decoded::Decoded;
use super::fill;

/// Bytes of a record.
pub(super) const RECORD: usize = 5;
/// The `y` of a record that says that the clock has turned over.
const OVERFLOW_Y: u8 = 240;
const OVERFLOW_US: i64 = 1 << 13;

fn event(record: &[u8; RECORD]) -> fill::Raw {
    let [x, y, high, middle, low] = *record;
    let t = (i64::from(high & 0x7f) << 16) | (i64::from(middle) << 8) | i64::from(low);
    (t, u16::from(x), u16::from(y), high >> 7)
}

pub(super) fn decode(bytes: &[u8], mut decoded: Decoded) -> Decoded {
    let (records, rest) = bytes.as_chunks::<RECORD>();
    if records.iter().fold(false, |overflows, record| overflows | (record[1] == OVERFLOW_Y)) {
        let mut later = 0;
        fill::words(&mut decoded, records, |record| {
            let overflow = record[1] == OVERFLOW_Y;
            later += if overflow { OVERFLOW_US } else { 0 };
            let (t, x, y, p) = event(&record);
            ((t + later, x, y, p), !overflow)
        });
    } else {
        fill::records(&mut decoded, records, |_| true, event);
    }
    if !rest.is_empty() {
        let problem = format!("the last record is cut: {} of {RECORD} bytes", rest.len());
        decoded.stop(bytes.len() - rest.len(), problem);
    }
    decoded
}
