//! AEDAT 3.1 of cAER: DVS128 Gesture. Amir et al., CVPR 2017.
//!
//! Lines that begin with `#` up to `#!END-HEADER`, then packets, least significant byte first: a header of 28 bytes
//! (type and source of 16 bits each, then size of an event, offset of its time, overflow of the clock, capacity,
//! number, number of valid ones, of 32 bits each), and the events. Of type 1 (polarity) an event is 32 bits (valid in
//! bit 0, polarity in bit 1, `y` in bits 2 to 16, `x` in bits 17 to 31) and a time of 32 bits in us. Other types and
//! invalid events are passed over.

use super::cursor::{bytes_at, header_lines, i32_at, key_value};
use super::decoded::Decoded;
use super::fill;
use crate::error::EventError;
use crate::stream::SensorSize;

const PACKET_HEADER: usize = 28;
const POLARITY: i16 = 1;
const EVENT: usize = 8;

pub(super) fn decode(bytes: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    let mut at = 0;
    for (line, end) in header_lines(bytes, b'#') {
        at = end;
        if line.contains("END-HEADER") {
            break;
        }
        if line.contains("DVS128") {
            decoded.sensor = Some(SensorSize { width: 128, height: 128 });
        }
        decoded.metadata.extend(key_value(line));
    }
    while at < bytes.len() {
        let Some(header) = bytes.get(at..at + PACKET_HEADER) else {
            decoded
                .stop(at, format!("a packet's header is cut: {} of {PACKET_HEADER} bytes", bytes.len() - at));
            break;
        };
        let kind = bytes_at(header, 0).map_or(-1, i16::from_le_bytes);
        let number = |offset| i64::from(i32_at(header, offset).unwrap_or(-1));
        let (size, overflow, capacity, count) = (number(4), number(12), number(16), number(20));
        if size < 0 || capacity < 0 || count < 0 || count > capacity || overflow < 0 {
            decoded.stop(
                at,
                format!("a packet's header makes no sense ({count} of {capacity} events of {size} bytes)"),
            );
            break;
        }
        let start = at + PACKET_HEADER;
        let length = (size as usize).saturating_mul(capacity as usize);
        let there = bytes.len() - start;
        if kind == POLARITY {
            if size as usize != EVENT {
                decoded.stop(at, format!("polarity events of {size} bytes instead of {EVENT}"));
                break;
            }
            let whole = (count as usize).min(there / EVENT);
            let (events, _) = bytes[start..start + whole * EVENT].as_chunks::<EVENT>();
            let earlier = overflow << 31;
            fill::words(&mut decoded, events, |event| {
                let [a, b, c, d, e, f, g, h] = event;
                let data = u32::from_le_bytes([a, b, c, d]);
                let t = earlier + i64::from(u32::from_le_bytes([e, f, g, h]));
                let event = (t, (data >> 17) as u16, ((data >> 2) & 0x7fff) as u16, ((data >> 1) & 1) as u8);
                Some((event, data & 1 == 1))
            });
            if whole < count as usize {
                decoded.stop(
                    start + whole * EVENT,
                    format!("a packet is cut: {whole} of its {count} events are there"),
                );
                break;
            }
        }
        if length > there {
            // Packets may be written without the room that they were not filled with.
            if kind != POLARITY {
                decoded.stop(start, format!("a packet is cut: {there} of {length} bytes"));
            }
            break;
        }
        at = start + length;
    }
    decoded
}

/// A part of a recording with its class, as DVS128 Gesture's `_labels.csv` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelledSpan {
    /// The class as it stands in the file (DVS128 Gesture counts from 1).
    pub class: u32,
    /// Beginning in us, included.
    pub start_us: i64,
    /// End in us, not included.
    pub end_us: i64,
}

/// Reads DVS128 Gesture's labels: lines of `class,startTime_usec,endTime_usec` under a header. `name` stands in
/// messages.
///
/// # Errors
/// [`EventError::File`] with the first line that is none.
pub fn read_labels(name: &str, text: &str) -> Result<Vec<LabelledSpan>, EventError> {
    let mut spans = Vec::new();
    let mut offset = 0;
    for (number, line) in text.lines().enumerate() {
        let start = offset as u64;
        offset += line.len() + 1;
        if line.trim().is_empty() || (number == 0 && line.starts_with(|first: char| first.is_alphabetic())) {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let span = match fields[..] {
            [class, start, end] => class.parse().ok().zip(start.parse().ok()).zip(end.parse().ok()),
            _ => None,
        };
        let Some(((class, start_us), end_us)) =
            span.filter(|((_, start), end): &((u32, i64), i64)| start <= end)
        else {
            return Err(EventError::File {
                path: name.into(),
                offset: start,
                event: 0,
                problem: format!(
                    "line {} is not `class,start,end` in us, start before end: {line}",
                    number + 1
                ),
            });
        };
        spans.push(LabelledSpan { class, start_us, end_us });
    }
    Ok(spans)
}
