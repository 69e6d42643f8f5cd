//! ATIS `.bin`: N-MNIST and N-Caltech101. Orchard et al., Frontiers in Neuroscience 9, 2015.
//!
//! 5 bytes an event: `x`, `y`, then 24 bits, most significant first: polarity, and 23 bits of time in us. A record
//! with `y = 240` is no event: the clock's 13 bits have turned over, and all later times are 2^13 us later.
//! The format has no mark: a file is read by it where its data set or the caller says so, or where all of it fits.

use super::decoded::Decoded;
use super::fill::{self, Raw, Records};

/// Bytes of a record.
pub(super) const RECORD: usize = 5;
/// The `y` of a record that says that the clock has turned over.
const OVERFLOW_Y: u8 = 240;
const OVERFLOW_US: i64 = 1 << 13;

/// Events, and how much later they are by the clock's turns before them.
#[derive(Default)]
struct Events {
    later: i64,
}

impl Records<RECORD> for Events {
    #[inline(always)]
    fn event(&[x, y, high, middle, low]: &[u8; RECORD]) -> Raw {
        let time = u32::from_be_bytes([0, high & 0x7f, middle, low]);
        (time.into(), x.into(), y.into(), high >> 7)
    }

    #[inline(always)]
    fn is_event(record: &[u8; RECORD]) -> bool {
        record[1] != OVERFLOW_Y
    }

    #[inline(always)]
    fn earlier(&self) -> Option<i64> {
        Some(self.later)
    }

    #[inline(always)]
    fn pass(&mut self, _: &[u8; RECORD]) {
        self.later += OVERFLOW_US;
    }
}

/// Whether all of a file is what a recording of this format can be: whole records of rows that an ATIS has (240) whose
/// times do not run backwards by more than a turn of the clock, and not every byte printable ASCII or a blank: a short
/// text would pass for a recording. Nothing in the format marks it.
pub(super) fn is_plausible(bytes: &[u8]) -> bool {
    let (records, rest) = bytes.as_chunks::<RECORD>();
    let (mut later, mut latest) = (0, 0);
    !records.is_empty()
        && rest.is_empty()
        && !bytes.iter().all(|&byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
        && records.iter().all(|&[_, y, high, middle, low]| {
            let t = later + i64::from(u32::from_be_bytes([0, high & 0x7f, middle, low]));
            if y == OVERFLOW_Y {
                later += OVERFLOW_US;
                return true;
            }
            let fits = y < OVERFLOW_Y && t + OVERFLOW_US >= latest;
            latest = latest.max(t);
            fits
        })
}

pub(super) fn decode(bytes: &[u8], mut decoded: Decoded) -> Decoded {
    let (records, rest) = bytes.as_chunks::<RECORD>();
    fill::records(&mut decoded, records, Events::default());
    if !rest.is_empty() {
        let problem = format!("the last record is cut: {} of {RECORD} bytes", rest.len());
        decoded.stop(bytes.len() - rest.len(), problem);
    }
    decoded
}
