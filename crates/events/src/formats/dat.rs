//! Prophesee DAT: N-Cars and others. Sironi et al., "HATS", CVPR 2018.
//!
//! Lines that begin with `%`, then a byte for the type and one for the size of an event, then 8 bytes an event, least
//! significant first: a time of 32 bits in us, and 32 bits of place: in version 2 `x` in bits 0 to 13, `y` in bits 14 to
//! 27, polarity in bit 28; before, `x` in bits 0 to 8, `y` in bits 9 to 16, polarity in bit 17.

use super::decoded::Decoded;
use super::fill::{self, EventIf, Layout, Records, field};
use super::prophesee::Header;

const RECORD: usize = 8;

#[derive(Clone, Copy)]
struct Version2;

impl Records<RECORD> for Version2 {
    const LAYOUT: Layout = Layout {
        time: [0, 1, 2, 3],
        address: [4, 5, 6, 7],
        t: field(0, 32),
        x: field(0, 14),
        y: field(14, 14),
        p: field(28, 1),
        event: EventIf::Always,
    };

    fn earlier(&self) -> Option<i64> {
        Some(0)
    }
}

/// Version 1, and files that state none.
#[derive(Clone, Copy)]
struct Version1;

impl Records<RECORD> for Version1 {
    const LAYOUT: Layout = Layout { x: field(0, 9), y: field(9, 8), p: field(17, 1), ..Version2::LAYOUT };

    fn earlier(&self) -> Option<i64> {
        Some(0)
    }
}

pub(super) fn decode(bytes: &[u8], empty: Decoded) -> Decoded {
    let header = Header::read(bytes);
    let mut decoded = Decoded { sensor: header.sensor(), ..empty };
    let version = header.get("Version").and_then(|version| version.parse::<f32>().ok()).unwrap_or(1.0);
    decoded.metadata.extend(header.lines);
    let mut start = header.end;
    if start > 0 {
        let Some(&[kind, size]) = bytes.get(start..start + 2) else {
            decoded.stop(start.min(bytes.len()), "the type and size of events are cut off");
            return decoded;
        };
        if usize::from(size) != RECORD {
            decoded.stop(
                start,
                format!("events of type {kind} and {size} bytes: change detection has {RECORD}"),
            );
            return decoded;
        }
        start += 2;
    }
    let (records, rest) = bytes[start..].as_chunks::<RECORD>();
    if version >= 2.0 {
        fill::records(&mut decoded, records, Version2);
    } else {
        fill::records(&mut decoded, records, Version1);
    }
    decoded.unwrap_time(32);
    if !rest.is_empty() {
        let problem = format!("the last event is cut: {} of {RECORD} bytes", rest.len());
        decoded.stop(bytes.len() - rest.len(), problem);
    }
    decoded
}
