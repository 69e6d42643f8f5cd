//! Prophesee DAT: N-Cars and others. Sironi et al., "HATS", CVPR 2018.
//!
//! Lines that begin with `%`, then a byte for the type and one for the size of an event, then 8 bytes an event, least
//! significant first: a time of 32 bits in us, and 32 bits of place: in version 2 `x` in bits 0 to 13, `y` in bits 14 to
//! 27, polarity in bit 28; before, `x` in bits 0 to 8, `y` in bits 9 to 16, polarity in bit 17.

use super::decoded::Decoded;
use super::fill;
use super::prophesee::Header;

const RECORD: usize = 8;

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
    let split = |record: &[u8; RECORD]| {
        let [a, b, c, d, e, f, g, h] = *record;
        (i64::from(u32::from_le_bytes([a, b, c, d])), u32::from_le_bytes([e, f, g, h]))
    };
    let always = |_: &[u8; RECORD]| true;
    if version >= 2.0 {
        fill::records(&mut decoded, records, always, |record| {
            let (t, place) = split(record);
            (t, (place & 0x3fff) as u16, ((place >> 14) & 0x3fff) as u16, ((place >> 28) & 1) as u8)
        });
    } else {
        fill::records(&mut decoded, records, always, |record| {
            let (t, place) = split(record);
            (t, (place & 0x1ff) as u16, ((place >> 9) & 0xff) as u16, ((place >> 17) & 1) as u8)
        });
    }
    decoded.unwrap_time(32);
    if !rest.is_empty() {
        let problem = format!("the last event is cut: {} of {RECORD} bytes", rest.len());
        decoded.stop(bytes.len() - rest.len(), problem);
    }
    decoded
}
