//! ATIS `.bin`: N-MNIST and N-Caltech101. Orchard et al., Frontiers in Neuroscience 9, 2015.
//!
//! 5 bytes per event: `x`, `y`, then 24 bits, most significant first: polarity, and 23 bits of time in us. A
//! record with `y = 240` is not an event: it marks an overflow of the clock's 13 bits, and all later times
//! are 2^13 us later. The format has no signature: it is used if the data set or the caller specifies it, or
//! if the whole file fits.

use super::decoded::Decoded;
use super::event_format::{EventFormat, Unwritable};
use super::fill::{self, Raw, Records};
use super::{ReadOptions, foreign, prophesee, text};
use crate::stream::Events;

/// Size of a record in bytes.
pub(super) const RECORD: usize = 5;
/// The `y` of a record that marks an overflow of the clock.
const OVERFLOW_Y: u8 = 240;
const OVERFLOW_US: i64 = 1 << 13;

/// ATIS `.bin`: used for files that fit completely and are not known to be something else.
#[derive(Debug)]
pub(super) struct Atis;

impl EventFormat for Atis {
    fn title(&self) -> &str {
        "ATIS .bin"
    }

    fn has_mark(&self) -> bool {
        false
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        prophesee::told(bytes).is_none() && !text::claims(bytes) && is_plausible(bytes)
    }

    fn endings(&self) -> &[&str] {
        &["bin"]
    }

    fn record_size(&self) -> Option<usize> {
        Some(RECORD)
    }

    fn refusal(&self, bytes: &[u8]) -> Option<String> {
        // Nothing in its files identifies them, so a file of another kind is refused even if the format is
        // named.
        let kind = foreign::kind(bytes).filter(|_| !is_plausible(bytes))?;
        Some(format!("this is {kind}: it is not an ATIS recording"))
    }

    fn decode(&self, bytes: &[u8], _: &ReadOptions, decoded: Decoded) -> Decoded {
        decode(bytes, decoded)
    }

    fn encode(&self, events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
        encode(events)
    }
}

/// The offset of the next events from the preceding clock overflows.
#[derive(Default)]
struct Clock {
    later: i64,
}

impl Records<RECORD> for Clock {
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

/// Whether a whole file is a plausible recording of this format: complete records of rows that an ATIS has
/// (240), with times that do not run backwards by more than a clock period, and not only bytes of printable
/// ASCII or white space, since a short text would pass for a recording. The format has no signature.
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
    fill::records(&mut decoded, records, Clock::default());
    if !rest.is_empty() {
        let problem = format!("the last record is cut: {} of {RECORD} bytes", rest.len());
        decoded.stop(bytes.len() - rest.len(), problem);
    }
    decoded
}

fn encode(events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
    let refuse = |event, problem| Err(Unwritable { event, problem });
    if events.is_empty() {
        // Such files are refused on reading: most empty files were truncated.
        return refuse(
            0,
            "there is none, and without a header the file would have no bytes: choose a format with one"
                .into(),
        );
    }
    let mut bytes = Vec::with_capacity(events.len() * RECORD);
    let mut later = 0i64;
    for i in 0..events.len() {
        let (t, x, y, p) = (events.t[i], events.x[i], events.y[i], events.p[i]);
        if x > 255 || y > 255 || y == 240 {
            return refuse(
                i,
                format!("x = {x}, y = {y}: it holds 0 to 255, and y = 240 has another meaning"),
            );
        }
        if t < later {
            return refuse(
                i,
                format!("t = {t} us lies before {later} us: sort the recording, to begin at 0 or later"),
            );
        }
        // A second of silence takes 122 records: an hour would still fit, an epoch in us would not.
        if t - later >= 1 << 40 {
            return refuse(i, format!("t = {t} us is too late: shift the recording to begin at 0"));
        }
        while t - later >= 1 << 23 {
            bytes.extend([0, 240, 0, 0, 0]);
            later += 1 << 13;
        }
        let rest = (t - later) as u32 | (u32::from(p) << 23);
        let [_, high, middle, low] = rest.to_be_bytes();
        bytes.extend([x as u8, y as u8, high, middle, low]);
    }
    Ok(bytes)
}
