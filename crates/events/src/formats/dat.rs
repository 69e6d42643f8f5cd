//! Prophesee DAT: N-Cars and others. Sironi et al., "HATS", CVPR 2018.
//!
//! Lines that begin with `%`, then a byte for the type and one for the size of an event, then 8 bytes per
//! event, least significant first: a time of 32 bits in us, and an address of 32 bits: in version 2, `x` in
//! bits 0 to 13, `y` in bits 14 to 27, polarity in bit 28; in earlier versions, `x` in bits 0 to 8, `y` in
//! bits 9 to 16, polarity in bit 17. Pixel events have the types 0 and 12; files of other events, such as
//! triggers (14), are refused by name.

use super::decoded::Decoded;
use super::event_format::EventFormat;
use super::fill::{self, Raw, Records, bits};
use super::prophesee::Header;
use super::{Format, ReadOptions, prophesee};

const RECORD: usize = 8;

/// Prophesee DAT.
#[derive(Debug)]
pub(super) struct Dat;

impl EventFormat for Dat {
    fn title(&self) -> &str {
        "Prophesee DAT"
    }

    fn has_mark(&self) -> bool {
        false
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        prophesee::told(bytes) == Some(Ok(Format::Dat))
    }

    fn endings(&self) -> &[&str] {
        &["dat"]
    }

    fn record_size(&self) -> Option<usize> {
        Some(RECORD)
    }

    fn decode(&self, bytes: &[u8], _: &ReadOptions, decoded: Decoded) -> Decoded {
        decode(bytes, decoded)
    }
}

struct Version2;

impl Records<RECORD> for Version2 {
    #[inline(always)]
    fn event(record: &[u8; RECORD]) -> Raw {
        let (time, place) = words(record);
        (time.into(), bits(place, 0, 14) as u16, bits(place, 14, 14) as u16, bits(place, 28, 1) as u8)
    }
}

struct Version1;

impl Records<RECORD> for Version1 {
    #[inline(always)]
    fn event(record: &[u8; RECORD]) -> Raw {
        let (time, place) = words(record);
        (time.into(), bits(place, 0, 9) as u16, bits(place, 9, 8) as u16, bits(place, 17, 1) as u8)
    }
}

/// Time and address.
#[inline(always)]
fn words(&[a, b, c, d, e, f, g, h]: &[u8; RECORD]) -> (u32, u32) {
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

/// The kind of events of this type, if they are not pixel events.
fn other_events(kind: u8) -> Option<String> {
    match kind {
        0 | 12 => None,
        14 => Some("trigger events (type 14)".into()),
        kind => Some(format!("events of type {kind}")),
    }
}

/// The version of a file that states none, from whether its addresses use bits that version 1 does not have.
fn guess(records: &[[u8; RECORD]]) -> Result<u32, String> {
    let places = records.iter().fold(0, |all, record| all | words(record).1);
    match places {
        0..0x4_0000 => Ok(1),
        0x4_0000..0x2000_0000 => Ok(2),
        _ => Err(format!(
            "the header states no version (`% Version 2`), and the places have bits of neither ({places:#x})"
        )),
    }
}

pub(super) fn decode(bytes: &[u8], empty: Decoded) -> Decoded {
    let header = Header::read(bytes);
    let mut decoded = Decoded { sensor: header.sensor(), ..empty };
    let stated = header.get("Version").map(str::to_owned);
    decoded.metadata.extend(header.lines);
    let mut start = header.end;
    if start > 0 {
        let Some(&[kind, size]) = bytes.get(start..start + 2) else {
            decoded.stop(start.min(bytes.len()), "the type and size of events are cut off");
            return decoded;
        };
        if let Some(what) = other_events(kind) {
            let problem = format!(
                "this DAT file holds {what}, not events of pixels (type 0 or 12): read the file that has those"
            );
            decoded.refuse(start, problem);
            return decoded;
        }
        if usize::from(size) != RECORD {
            decoded.refuse(start, format!("events of type {kind} have {RECORD} bytes, and these {size}"));
            return decoded;
        }
        start += 2;
    }
    let (records, rest) = bytes[start..].as_chunks::<RECORD>();
    let version = match stated.as_deref().map(|version| version.trim().parse::<f32>()) {
        None => guess(records),
        Some(Ok(version)) if version < 2.0 => Ok(1),
        Some(Ok(version)) if version < 3.0 => Ok(2),
        Some(_) => Err(format!("version {} is not read: 1 and 2 are", stated.unwrap_or_default())),
    };
    match version {
        Ok(1) => _ = fill::records(&mut decoded, records, Version1),
        Ok(_) => _ = fill::records(&mut decoded, records, Version2),
        Err(problem) => {
            decoded.refuse(start, problem);
            return decoded;
        }
    }
    decoded.unwrap_time(32);
    if !rest.is_empty() {
        let problem = format!("the last event is cut: {} of {RECORD} bytes", rest.len());
        decoded.stop(bytes.len() - rest.len(), problem);
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_not_stated_is_told_by_the_places() {
        let place = |place: u32| {
            let [a, b, c, d] = place.to_le_bytes();
            [0, 0, 0, 0, a, b, c, d]
        };
        assert_eq!(guess(&[place(303 | (239 << 9) | (1 << 17))]), Ok(1));
        assert_eq!(guess(&[place(5), place(300 | (239 << 14) | (1 << 28))]), Ok(2));
        assert!(guess(&[place(1 << 30)]).is_err());
    }
}
