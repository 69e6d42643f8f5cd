//! AEDAT 3.1 of cAER: DVS128 Gesture. Amir et al., CVPR 2017.
//!
//! Lines that begin with `#` up to `#!END-HEADER`, then packets, least significant byte first: a header of 28 bytes
//! (type and source of 16 bits each, then size of an event, offset of its time, overflow of the clock, capacity,
//! number, number of valid ones, of 32 bits each), and the events. Of type 1 (polarity) an event is 32 bits (valid in
//! bit 0, polarity in bit 1, `y` in bits 2 to 16, `x` in bits 17 to 31) and a time of 32 bits in us. Other types and
//! invalid events are passed over.

use std::path::Path;

use super::cursor::{bytes_at, header_lines, i32_at, key_value};
use super::decoded::Decoded;
use super::fill::{self, EventIf, Layout, Records, field};
use crate::error::EventError;
use crate::stream::SensorSize;

const PACKET_HEADER: usize = 28;
const POLARITY: i16 = 1;
const EVENT: usize = 8;

/// The packets of polarity events of a file, one after the other, up to its first fault.
struct Packets<'a> {
    bytes: &'a [u8],
    at: usize,
    stop: Option<(usize, String)>,
}

/// A packet: where it begins, its events, and what its times start from.
struct Packet<'a> {
    at: usize,
    events: &'a [[u8; EVENT]],
    earlier: i64,
}

impl Packet<'_> {
    fn time(&self, event: &[u8; EVENT]) -> i64 {
        let [.., e, f, g, h] = *event;
        self.earlier + i64::from(u32::from_le_bytes([e, f, g, h]))
    }

    fn decode(&self, decoded: &mut Decoded) {
        fill::records(decoded, self.events, Polarity { earlier: self.earlier });
    }
}

#[derive(Clone, Copy)]
struct Polarity {
    earlier: i64,
}

impl Records<EVENT> for Polarity {
    const LAYOUT: Layout = Layout {
        time: [4, 5, 6, 7],
        address: [0, 1, 2, 3],
        t: field(0, 32),
        x: field(17, 15),
        y: field(2, 15),
        p: field(1, 1),
        event: EventIf::Equal(1, 1),
    };

    fn earlier(&self) -> Option<i64> {
        Some(self.earlier)
    }
}

impl<'a> Packets<'a> {
    fn fault(&mut self, at: usize, problem: String) {
        self.stop = Some((at, problem));
        self.at = self.bytes.len();
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        while self.at < self.bytes.len() {
            let (bytes, at) = (self.bytes, self.at);
            let Some(header) = bytes.get(at..at + PACKET_HEADER) else {
                let there = bytes.len() - at;
                self.fault(at, format!("a packet's header is cut: {there} of {PACKET_HEADER} bytes"));
                return None;
            };
            let kind = bytes_at(header, 0).map_or(-1, i16::from_le_bytes);
            let number = |offset| i64::from(i32_at(header, offset).unwrap_or(-1));
            let (size, overflow, capacity, count) = (number(4), number(12), number(16), number(20));
            if size < 0 || capacity < 0 || count < 0 || count > capacity || overflow < 0 {
                let what = format!(
                    "a packet's header makes no sense ({count} of {capacity} events of {size} bytes)"
                );
                self.fault(at, what);
                return None;
            }
            let start = at + PACKET_HEADER;
            let length = (size as usize).saturating_mul(capacity as usize);
            let there = bytes.len() - start;
            if kind != POLARITY {
                if length > there {
                    self.fault(start, format!("a packet is cut: {there} of {length} bytes"));
                    return None;
                }
                self.at = start + length;
                continue;
            }
            if size as usize != EVENT {
                self.fault(at, format!("polarity events of {size} bytes instead of {EVENT}"));
                return None;
            }
            let whole = (count as usize).min(there / EVENT);
            let (events, _) = bytes[start..start + whole * EVENT].as_chunks::<EVENT>();
            if whole < count as usize {
                let what = format!("a packet is cut: {whole} of its {count} events are there");
                self.fault(start + whole * EVENT, what);
            } else {
                // The last packet may be written without the room that it was not filled with.
                self.at = start.saturating_add(length).min(bytes.len());
            }
            return Some(Packet { at, events, earlier: overflow << 31 });
        }
        None
    }
}

/// What the header says, and where the packets begin.
fn begin(bytes: &[u8], mut decoded: Decoded) -> (Decoded, usize) {
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
    (decoded, at)
}

pub(super) fn decode(bytes: &[u8], empty: Decoded) -> Decoded {
    let (mut decoded, at) = begin(bytes, empty);
    let mut packets = Packets { bytes, at, stop: None };
    for packet in &mut packets {
        packet.decode(&mut decoded);
    }
    if let Some((at, problem)) = packets.stop {
        decoded.stop(at, problem);
    }
    decoded
}

/// Where in a file which times lie, so that a part of it can be decoded alone.
#[derive(Debug)]
pub(crate) struct Index {
    parts: Vec<Part>,
    events: usize,
    stop: Option<(usize, String)>,
}

/// Packets that follow each other.
#[derive(Debug)]
struct Part {
    start: usize,
    end: usize,
    earliest: i64,
    latest: i64,
}

/// Bytes of a part, at least: its entry in the index is then a thousandth of it.
const PART: usize = 1 << 15;

impl Index {
    /// Looks over the times of a file.
    pub(crate) fn of(bytes: &[u8]) -> Index {
        let (_, at) = begin(bytes, Decoded::default());
        let mut packets = Packets { bytes, at, stop: None };
        let (mut parts, mut events) = (Vec::<Part>::new(), 0);
        while let Some(packet) = packets.next() {
            events += packet.events.iter().filter(|event| event[0] & 1 == 1).count();
            let times = packet.events.iter().map(|event| packet.time(event));
            let (earliest, latest) =
                times.fold((i64::MAX, i64::MIN), |(low, high), t| (low.min(t), high.max(t)));
            match parts.last_mut().filter(|part| part.end - part.start < PART) {
                Some(part) => {
                    part.end = packets.at;
                    part.earliest = part.earliest.min(earliest);
                    part.latest = part.latest.max(latest);
                }
                None => parts.push(Part { start: packet.at, end: packets.at, earliest, latest }),
            }
        }
        Index { parts, events, stop: packets.stop }
    }

    /// How many events the whole file has.
    pub(super) fn events(&self) -> usize {
        self.events
    }

    /// The latest time of an event.
    pub(super) fn latest(&self) -> i64 {
        self.parts.iter().map(|part| part.latest).max().unwrap_or(i64::MIN)
    }

    /// The events of all parts that hold times of `start <= t < end`, and the fault of the file.
    pub(super) fn decode(&self, bytes: &[u8], (start, end): (i64, i64), empty: Decoded) -> Decoded {
        let (mut decoded, _) = begin(bytes, empty);
        if let Some((at, problem)) = &self.stop {
            decoded.stop(*at, problem.clone());
        }
        for part in self.parts.iter().filter(|part| part.earliest < end && part.latest >= start) {
            let part = &bytes[..part.end.min(bytes.len())][part.start..];
            for packet in (Packets { bytes: part, at: 0, stop: None }) {
                packet.decode(&mut decoded);
            }
        }
        decoded
    }
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
/// [`EventError::Table`] with the first line that is none.
pub fn read_labels(name: impl AsRef<Path>, text: &str) -> Result<Vec<LabelledSpan>, EventError> {
    labels(name.as_ref(), text, u32::MAX)
}

/// [`read_labels`], of classes up to `last`.
pub(crate) fn labels(path: &Path, text: &str, last: u32) -> Result<Vec<LabelledSpan>, EventError> {
    let mut spans = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || (number == 0 && line.starts_with(|first: char| first.is_alphabetic())) {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let span = match fields[..] {
            [class, start, end] => class.parse().ok().zip(start.parse().ok()).zip(end.parse().ok()),
            _ => None,
        };
        let Some(((class, start_us), end_us)) =
            span.filter(|((class, start), end): &((u32, i64), i64)| *class <= last && start <= end)
        else {
            return Err(EventError::Table {
                path: path.to_owned(),
                line: number + 1,
                text: line.trim().to_owned(),
                expected: "class, start and end in us, with commas between, the start before the end",
            });
        };
        spans.push(LabelledSpan { class, start_us, end_us });
    }
    Ok(spans)
}
