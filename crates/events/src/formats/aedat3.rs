//! cAER's AEDAT 3.1: DVS128 Gesture. Amir et al., CVPR 2017.
//!
//! Lines that begin with `#` up to `#!END-HEADER`, then packets, least significant byte first: a header of 28
//! bytes (type and source of 16 bits each, then size of an event, offset of its time, overflow of the clock,
//! capacity, number, number of valid ones, of 32 bits each), and the events. An event of type 1 (polarity) is
//! 32 bits (valid in bit 0, polarity in bit 1, `y` in bits 2 to 16, `x` in bits 17 to 31) and a time of 32
//! bits in us. Other types and invalid events are skipped and counted, as are the events of further cameras:
//! only the source of the first packet of polarity events is read. Its line `#Source 1: DAVIS240C` determines
//! the size of the sensor.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::ReadOptions;
use super::cursor::{bytes_at, header_lines, i32_at, key_value};
use super::decoded::Decoded;
use super::event_format::EventFormat;
use super::fill::{self, Raw, Records, bits};
use crate::error::EventError;
use crate::sensor::SensorSize;

const PACKET_HEADER: usize = 28;
const POLARITY: i16 = 1;
const EVENT: usize = 8;

/// The packets of polarity events of a file's first camera, in sequence, up to the first fault.
struct Packets<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The camera to read, once it is known.
    source: Option<i16>,
    stop: Option<(usize, String)>,
    /// Events of other types, and of other cameras.
    others: BTreeMap<Other, u64>,
}

/// The kind of skipped events.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Other {
    /// Events of a type other than polarity.
    Type(i16),
    /// Polarity events of another source.
    Source(i16),
}

impl Other {
    /// The kind of these events, as named by cAER.
    fn name(&self) -> String {
        let kind = match self {
            Other::Source(source) => return format!("events of another camera (source {source})"),
            Other::Type(kind) => kind,
        };
        let name = match kind {
            0 => "special events",
            2 => "frames",
            3 => "IMU samples (6 axes)",
            4 => "IMU samples (9 axes)",
            5 => "samples",
            6 => "ear events",
            7 => "configuration events",
            8..=11 => "points",
            12 => "spike events",
            other => return format!("events of the unknown type {other}"),
        };
        name.to_owned()
    }
}

/// The sensor of a source, with camera names as in the headers of cAER and DV; more specific names come
/// first.
fn sensor_of(source: &str) -> Option<SensorSize> {
    let name = source.to_ascii_lowercase();
    [
        ("dvs128", 128, 128),
        ("edvs", 128, 128),
        ("dvs132", 132, 104),
        ("davis128", 128, 128),
        ("davis208", 208, 192),
        ("davis240", 240, 180),
        ("davis346", 346, 260),
        ("davishet640", 640, 480),
        ("davisrgb640", 640, 480),
        ("davis640", 640, 480),
        ("dvxplorer_lite", 320, 240),
        ("dvxplorer lite", 320, 240),
        ("dvxplorer", 640, 480),
        ("samsung", 640, 480),
        ("dvs640", 640, 480),
    ]
    .into_iter()
    .find(|(part, ..)| name.contains(part))
    .map(|(_, width, height)| SensorSize { width, height })
}

/// AEDAT 3.x.
#[derive(Debug)]
pub(super) struct Aedat3;

impl EventFormat for Aedat3 {
    fn title(&self) -> &str {
        "AEDAT 3.1"
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"#!AER-DAT3")
    }

    fn endings(&self) -> &[&str] {
        &["aedat"]
    }

    fn decode(&self, bytes: &[u8], _: &ReadOptions, decoded: Decoded) -> Decoded {
        decode(bytes, decoded)
    }
}

/// A packet: its start, its events, and the offset of its times.
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
        let before = decoded.t.len();
        fill::records(decoded, self.events, Polarity { earlier: self.earlier });
        if decoded.seek.is_none() {
            let invalid = self.events.len() - (decoded.t.len() - before);
            decoded.pass_over("invalid events", invalid as u64);
        }
    }
}

struct Polarity {
    earlier: i64,
}

impl Records<EVENT> for Polarity {
    #[inline(always)]
    fn event(&[a, b, c, d, e, f, g, h]: &[u8; EVENT]) -> Raw {
        let (time, data) = (u32::from_le_bytes([e, f, g, h]), u32::from_le_bytes([a, b, c, d]));
        (time.into(), bits(data, 17, 15) as u16, bits(data, 2, 15) as u16, bits(data, 1, 1) as u8)
    }

    /// Whether the event is valid.
    #[inline(always)]
    fn is_event(event: &[u8; EVENT]) -> bool {
        event[0] & 1 == 1
    }

    fn earlier(&self) -> Option<i64> {
        Some(self.earlier)
    }
}

impl<'a> Packets<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Packets { bytes, at, source: None, stop: None, others: BTreeMap::new() }
    }

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
            let source = bytes_at(header, 2).map_or(-1, i16::from_le_bytes);
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
            if kind < 0 {
                self.fault(
                    at,
                    format!("a packet of type {kind} is compressed, or damaged: save the file again as RAW"),
                );
                return None;
            }
            let other = match kind {
                POLARITY if source == *self.source.get_or_insert(source) => None,
                POLARITY => Some(Other::Source(source)),
                other => Some(Other::Type(other)),
            };
            if let Some(other) = other {
                if length > there {
                    self.fault(start, format!("a packet is cut: {there} of {length} bytes"));
                    return None;
                }
                *self.others.entry(other).or_default() += count as u64;
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
                // The last packet may be written without its unused capacity.
                self.at = start.saturating_add(length).min(bytes.len());
            }
            return Some(Packet { at, events, earlier: overflow << 31 });
        }
        None
    }
}

/// The contents of the header, and where the packets begin.
#[derive(Debug, Clone)]
struct Header {
    end: usize,
    lines: Vec<(String, String)>,
}

impl Header {
    fn read(bytes: &[u8]) -> Self {
        let mut header = Header { end: 0, lines: Vec::new() };
        for (line, end) in header_lines(bytes, b'#') {
            header.end = end;
            if line.contains("END-HEADER") {
                break;
            }
            header.lines.extend(key_value(line));
        }
        header
    }

    /// The sensor of this source. A file re-recorded from another one has the other's sources with a minus
    /// sign.
    fn sensor(&self, source: i16) -> Option<SensorSize> {
        let of = |key: String| {
            self.lines.iter().find(|(known, _)| *known == key).and_then(|(_, name)| sensor_of(name))
        };
        of(format!("Source {source}")).or_else(|| {
            let mut former = self.lines.iter().filter(|(key, _)| key.starts_with("-Source"));
            former.find_map(|(_, name)| sensor_of(name))
        })
    }

    /// The reason for refusal if the header names an unsupported form of packets.
    fn refusal(&self) -> Option<String> {
        let (_, form) = self.lines.iter().find(|(key, _)| key == "Format")?;
        (!form.eq_ignore_ascii_case("raw")).then(|| {
            format!("packets of the form `{form}` are not read: save the file again with `#Format: RAW`, or as AEDAT 4")
        })
    }

    /// Adds metadata on the camera `source`.
    fn describe(self, source: Option<i16>, decoded: &mut Decoded) {
        decoded.sensor = source.and_then(|source| self.sensor(source));
        decoded.metadata.extend(self.lines);
    }
}

pub(super) fn decode(bytes: &[u8], mut decoded: Decoded) -> Decoded {
    let header = Header::read(bytes);
    if let Some(problem) = header.refusal() {
        decoded.refuse(header.end, problem);
        return decoded;
    }
    let mut packets = Packets::new(bytes, header.end);
    for packet in &mut packets {
        packet.decode(&mut decoded);
    }
    header.describe(packets.source, &mut decoded);
    for (other, count) in packets.others {
        decoded.pass_over(other.name(), count);
    }
    if let Some((at, problem)) = packets.stop {
        decoded.stop(at, problem);
    }
    decoded
}

/// An index of the times in a file, so that part of it can be decoded on its own.
#[derive(Debug)]
pub(crate) struct Index {
    length: usize,
    header: Header,
    parts: Vec<Part>,
    events: usize,
    source: Option<i16>,
    stop: Option<(usize, String)>,
}

/// Consecutive packets.
#[derive(Debug)]
struct Part {
    start: usize,
    end: usize,
    earliest: i64,
    latest: i64,
}

/// Minimum size of a part in bytes: its index entry is then a thousandth of it.
const PART: usize = 1 << 15;

impl Index {
    /// Builds the index from the times of a file.
    pub(crate) fn of(bytes: &[u8]) -> Index {
        let header = Header::read(bytes);
        let mut packets = Packets::new(bytes, header.end);
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
        let Packets { source, stop, .. } = packets;
        Index { length: bytes.len(), header, parts, events, source, stop }
    }

    /// Size of the whole file in bytes.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Number of events in the whole file.
    pub(super) fn events(&self) -> usize {
        self.events
    }

    /// The latest time of an event.
    pub(super) fn latest(&self) -> i64 {
        self.parts.iter().map(|part| part.latest).max().unwrap_or(i64::MIN)
    }

    /// The parts that contain times in `start <= t < end`.
    fn parts(&self, (start, end): (i64, i64)) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |part| part.earliest < end && part.latest >= start)
    }

    /// The byte range of the file that [`Index::decode`] needs for a time span.
    pub(crate) fn range(&self, span: (i64, i64)) -> Range<usize> {
        let start = self.parts(span).map(|part| part.start).min().unwrap_or(0);
        start..self.parts(span).map(|part| part.end).max().unwrap_or(start)
    }

    /// Decodes the events of all parts that contain times in `start <= t < end`, and the fault of the file;
    /// `bytes` are those of [`Index::range`].
    pub(super) fn decode(&self, bytes: &[u8], span: (i64, i64), mut decoded: Decoded) -> Decoded {
        if let Some(problem) = self.header.refusal() {
            decoded.refuse(self.header.end, problem);
            return decoded;
        }
        self.header.clone().describe(self.source, &mut decoded);
        if let Some((at, problem)) = &self.stop {
            decoded.stop(*at, problem.clone());
        }
        let first = self.range(span).start;
        for part in self.parts(span) {
            let part = &bytes[..(part.end - first).min(bytes.len())][part.start - first..];
            for packet in (Packets { source: self.source, ..Packets::new(part, 0) }) {
                packet.decode(&mut decoded);
            }
        }
        decoded
    }
}

/// A labelled part of a recording, as in DVS128 Gesture's `_labels.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelledSpan {
    /// The class as given in the file (DVS128 Gesture counts from 1).
    pub class: u32,
    /// Start in us, inclusive.
    pub start_us: i64,
    /// End in us, exclusive.
    pub end_us: i64,
}

/// Reads DVS128 Gesture's labels: lines of `class,startTime_usec,endTime_usec` after a header. `name` is used
/// in messages.
///
/// # Errors
/// [`EventError::Table`] with the first invalid line.
pub fn read_labels(name: impl AsRef<Path>, text: &str) -> Result<Vec<LabelledSpan>, EventError> {
    labels(name.as_ref(), text, u32::MAX)
}

/// [`read_labels`] for classes up to `last`.
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
