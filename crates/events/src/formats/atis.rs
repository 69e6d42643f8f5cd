//! ATIS `.bin`: N-MNIST and N-Caltech101. Orchard et al., Frontiers in Neuroscience 9, 2015.
//!
//! 5 bytes an event: `x`, `y`, then 24 bits, most significant first: polarity, and 23 bits of time in us. A record
//! with `y = 240` is no event: the clock's 13 bits have turned over, and all later times are 2^13 us later.
//! The format has no mark: a file is read by it where its data set or the caller says so, or where all of it fits.

use super::decoded::Decoded;
use super::event_format::{EventFormat, Unwritable};
use super::fill::{self, Raw, Records};
use super::{ReadOptions, foreign, prophesee, text};
use crate::stream::Events;

/// Bytes of a record.
pub(super) const RECORD: usize = 5;
/// The `y` of a record that says that the clock has turned over.
const OVERFLOW_Y: u8 = 240;
const OVERFLOW_US: i64 = 1 << 13;

/// ATIS `.bin`: what all of fits, and that is not known to be something else.
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
        // Nothing in its files says that they are: others that are named so are not taken for one.
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

/// How much later the next events are by the clock's turns before them.
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
        // Which reading refuses: most files of no bytes were cut.
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
        // A second of silence is 122 records: an hour would still fit, an epoch in us would not.
        if t - later >= 1 << 40 {
            return refuse(i, format!("t = {t} us is too late: shift the recording to begin at 0"));
        }
        while t - later >= 1 << 23 {
            bytes.extend([0, 240, 0, 0, 0]);
            later += 1 << 13;
        }
        if t < later {
            return refuse(
                i,
                format!("t = {t} us lies before {later} us: sort the recording, to begin at 0 or later"),
            );
        }
        let rest = (t - later) as u32 | (u32::from(p) << 23);
        let [_, high, middle, low] = rest.to_be_bytes();
        bytes.extend([x as u8, y as u8, high, middle, low]);
    }
    Ok(bytes)
}
