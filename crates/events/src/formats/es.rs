//! Event Stream `.es`, version 2. Marcireau et al., Frontiers in Neuroscience 14, 2020.
//!
//! `Event Stream`, three bytes of version, one of type (1: DVS, 2: ATIS), width and height of 16 bits. Then,
//! for each event, a byte with the time since the previous event in us and the event's bits, followed by `x`
//! and `y` of 16 bits. For DVS, the time is in the upper 7 bits, above the polarity; a single 255 means that
//! 127 us have passed. For ATIS, it is in the upper 6 bits, above the polarity and a bit that marks an
//! exposure measurement, which is skipped and counted; a single 253 to 255 means that 63 us have passed as
//! many times as the lower 2 bits state. `y` is as stored.

use super::ReadOptions;
use super::cursor::u16_at;
use super::decoded::Decoded;
use super::event_format::EventFormat;
use crate::sensor::SensorSize;

const MAGIC: &[u8] = b"Event Stream";
const HEADER: usize = 20;

/// Event Stream.
#[derive(Debug)]
pub(super) struct Es;

impl EventFormat for Es {
    fn title(&self) -> &str {
        "Event Stream .es"
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    fn endings(&self) -> &[&str] {
        &["es"]
    }

    fn decode(&self, bytes: &[u8], _: &ReadOptions, decoded: Decoded) -> Decoded {
        decode(bytes, decoded)
    }
}

pub(super) fn decode(bytes: &[u8], mut decoded: Decoded) -> Decoded {
    let (Some(&major), Some(&kind)) = (bytes.get(MAGIC.len()), bytes.get(MAGIC.len() + 3)) else {
        decoded.stop(bytes.len(), "the header is cut");
        return decoded;
    };
    if major != 2 {
        decoded.refuse(MAGIC.len(), format!("Event Stream of version {major} is not read: version 2 is"));
        return decoded;
    }
    if !matches!(kind, 1 | 2) {
        let name = match kind {
            0 => "generic events (type 0)".to_owned(),
            4 => "colour events (type 4)".to_owned(),
            kind => format!("events of type {kind}"),
        };
        decoded.refuse(
            MAGIC.len() + 3,
            format!("it holds {name}, which are not read: DVS (1) and ATIS (2) are"),
        );
        return decoded;
    }
    let (Some(width), Some(height)) = (u16_at(bytes, HEADER - 4), u16_at(bytes, HEADER - 2)) else {
        decoded.stop(bytes.len(), "the header is cut");
        return decoded;
    };
    decoded.sensor = Some(SensorSize { width, height });
    let atis = kind == 2;
    let (mut at, mut t, mut exposures) = (HEADER, 0i64, 0);
    while at < bytes.len() {
        let first = bytes[at];
        // Of the bytes with the longest time, the one with no other bit set is still an event.
        let longest = if atis { 0b1111_1100 } else { 0b1111_1110 };
        if first > longest {
            t += if atis { 63 * i64::from(first & 3) } else { 127 };
            at += 1;
            continue;
        }
        let (Some(x), Some(y)) = (u16_at(bytes, at + 1), u16_at(bytes, at + 3)) else {
            decoded.stop(at, format!("the last event is cut: {} of 5 bytes", bytes.len() - at));
            break;
        };
        let (passed, polarity, exposure) = if atis {
            (first >> 2, first & 2 != 0, first & 1 != 0)
        } else {
            (first >> 1, first & 1 != 0, false)
        };
        t += i64::from(passed);
        if exposure {
            exposures += 1;
        } else {
            decoded.push_at(at, t, x, y, polarity);
        }
        at += 5;
    }
    decoded.pass_over("exposure measurements", exposures);
    decoded
}
