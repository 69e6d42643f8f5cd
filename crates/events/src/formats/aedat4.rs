//! DV's AEDAT 4: packets of flatbuffers, uncompressed or compressed with LZ4 or Zstandard.
//!
//! `#!AER-DAT4.0`, then a header flatbuffer (compression, the position of the table at the end of the file,
//! and an XML text that describes each stream), then packets: a stream's number and a length, of 32 bits
//! each, and a flatbuffer. A stream of type `EVTS` contains events of 16 bytes: time of 64 bits in us, `x`
//! and `y` of 16 bits, polarity. The first event stream is read; packets of other streams (frames, IMU
//! samples, triggers, the events of a second camera) are skipped and counted.

use std::collections::BTreeMap;
use std::io::Read;

use rayon::prelude::*;

use super::ReadOptions;
use super::cursor::{bytes_at, i32_at, u16_at, u32_at};
use super::decoded::Decoded;
use super::event_format::EventFormat;
use super::fill::{self, Raw};
use crate::sensor::SensorSize;

const MAGIC: usize = 14;
const EVENT: usize = 16;
/// A packet from DV contains about ten thousand events: one that decompresses to more than this is malicious
/// or damaged.
const MOST_BYTES: u64 = 1 << 28;
/// Events with increasing times compress to a tenth at best, so a packet that decompresses to more than this
/// many times its size is malicious or damaged.
const MOST_RATIO: u64 = 1000;
const ALWAYS: u64 = 1 << 16;
/// Number of packets per thread that are decompressed before they are merged.
const PACKETS_A_THREAD: usize = 16;

/// AEDAT 4.
#[derive(Debug)]
pub(super) struct Aedat4;

impl EventFormat for Aedat4 {
    fn title(&self) -> &str {
        "AEDAT 4"
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"#!AER-DAT4")
    }

    fn endings(&self) -> &[&str] {
        &["aedat4"]
    }

    fn decode(&self, bytes: &[u8], _: &ReadOptions, decoded: Decoded) -> Decoded {
        decode(bytes, decoded)
    }
}

/// A table of a flatbuffer: `bytes` starting at its size.
#[derive(Clone, Copy)]
struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Table<'a> {
    /// The root of a buffer that begins with its own size.
    fn root(bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.get(4..)?;
        let at = u32_at(bytes, 0)? as usize;
        (at < bytes.len()).then_some(Table { bytes, at })
    }

    /// The position of field `index`, if the table has it.
    fn field(&self, index: usize) -> Option<usize> {
        let back = i64::from(i32_at(self.bytes, self.at)?);
        let table = usize::try_from(self.at as i64 - back).ok()?;
        let length = usize::from(u16_at(self.bytes, table)?);
        let slot = 4 + 2 * index;
        if slot + 2 > length {
            return None;
        }
        let offset = usize::from(u16_at(self.bytes, table.checked_add(slot)?)?);
        (offset != 0).then(|| self.at + offset)
    }

    /// Start and length of the vector or string in field `index`.
    fn vector(&self, index: usize) -> Option<(usize, usize)> {
        let field = self.field(index)?;
        let start = field.checked_add(u32_at(self.bytes, field)? as usize)?;
        Some((start.checked_add(4)?, u32_at(self.bytes, start)? as usize))
    }
}

/// The value of `<attr key="KEY" ...>VALUE</attr>` in a piece of XML.
fn attribute<'a>(xml: &'a str, key: &str) -> Option<&'a str> {
    let rest = &xml[xml.find(&format!("key=\"{key}\""))?..];
    let value = &rest[rest.find('>')? + 1..];
    Some(&value[..value.find('<')?])
}

/// A stream described in the header.
#[derive(Debug, PartialEq, Eq)]
struct Stream {
    number: i32,
    /// Four letters: `EVTS`, `FRME`, `IMUS`, `TRIG`.
    kind: String,
    sensor: Option<SensorSize>,
}

impl Stream {
    /// The kind of its packets; `read` is the stream being read.
    fn name(&self, read: i32) -> String {
        match self.kind.as_str() {
            EVENTS => format!("packets of another event stream ({}; {read} is read)", self.number),
            "FRME" => "packets of frames".into(),
            "IMUS" => "packets of IMU samples".into(),
            "TRIG" => "packets of triggers".into(),
            kind => format!("packets of the type {kind}"),
        }
    }
}

/// The type of a stream of events.
const EVENTS: &str = "EVTS";

/// The streams described in the header.
fn streams(xml: &str) -> Vec<Stream> {
    // Each stream is a separate node named by its number; the text before it belongs to another node.
    let parts: Vec<&str> = xml.split("<node name=\"").skip(1).collect();
    let stream = |(i, part): (usize, &&str)| {
        let number = part.split('"').next()?.parse().ok()?;
        let kind = attribute(part, "typeIdentifier")?.to_owned();
        // The node `info` follows inside it.
        let info = parts.get(i + 1).filter(|info| info.starts_with("info\"")).copied().unwrap_or(part);
        let size = |key| attribute(info, key).and_then(|value| value.parse::<u16>().ok());
        let sensor = size("sizeX").zip(size("sizeY")).map(|(width, height)| SensorSize { width, height });
        Some(Stream { number, kind, sensor })
    };
    parts.iter().enumerate().filter_map(stream).collect()
}

#[derive(Clone, Copy)]
enum Compression {
    None,
    Lz4,
    Zstd,
}

impl Compression {
    /// Decompresses a packet: returns the packet itself, or `into`.
    fn unfold<'a>(self, bytes: &'a [u8], into: &'a mut Vec<u8>) -> Result<&'a [u8], String> {
        into.clear();
        let most = (bytes.len() as u64 * MOST_RATIO + ALWAYS).min(MOST_BYTES);
        let read = match self {
            Compression::None => return Ok(bytes),
            Compression::Lz4 => lz4_flex::frame::FrameDecoder::new(bytes).take(most + 1).read_to_end(into),
            Compression::Zstd => ruzstd::decoding::StreamingDecoder::new(bytes)
                .map_err(|error| error.to_string())?
                .take(most + 1)
                .read_to_end(into),
        };
        match read {
            Ok(_) if into.len() as u64 > most => {
                Err(format!("{} bytes unfold to more than {most}", bytes.len()))
            }
            Ok(_) => Ok(into),
            Err(error) => Err(error.to_string()),
        }
    }
}

pub(super) fn decode(bytes: &[u8], mut decoded: Decoded) -> Decoded {
    let Some(header) = u32_at(bytes, MAGIC).and_then(|size| bytes.get(MAGIC..MAGIC + 4 + size as usize))
    else {
        decoded.stop(MAGIC.min(bytes.len()), "the header is cut");
        return decoded;
    };
    let Some(root) = Table::root(header) else {
        decoded.stop(MAGIC, "the header is no flatbuffer");
        return decoded;
    };
    let compression = match root.field(0).and_then(|at| i32_at(root.bytes, at)).unwrap_or(0) {
        0 => Compression::None,
        1 | 2 => Compression::Lz4,
        3 | 4 => Compression::Zstd,
        other => {
            decoded.stop(MAGIC, format!("compression {other} is unknown"));
            return decoded;
        }
    };
    let table = root.field(1).and_then(|at| bytes_at(root.bytes, at)).map_or(-1, i64::from_le_bytes);
    let xml = root
        .vector(2)
        .and_then(|(start, length)| root.bytes.get(start..start.checked_add(length)?))
        .and_then(|text| std::str::from_utf8(text).ok())
        .unwrap_or("");
    let streams = streams(xml);
    let Some(stream) = streams.iter().find(|stream| stream.kind == EVENTS) else {
        let kinds: Vec<&str> = streams.iter().map(|stream| stream.kind.as_str()).collect();
        let there = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
        decoded.stop(MAGIC, format!("the header names no stream of events (EVTS), but these: {there}"));
        return decoded;
    };
    decoded.sensor = stream.sensor;
    if let Some(source) = attribute(xml, "source") {
        decoded.metadata.push(("source".into(), source.into()));
    }
    let end = usize::try_from(table).ok().filter(|&end| end > 0 && end <= bytes.len()).unwrap_or(bytes.len());
    let mut buffer = Vec::new();
    let (packets, others, stop) = packets(bytes, MAGIC + header.len(), end, stream.number);
    for (number, count) in others {
        let name = streams.iter().find(|other| other.number == number).map(|other| other.name(stream.number));
        decoded.pass_over(
            name.unwrap_or_else(|| format!("packets of stream {number}, which the header does not name")),
            count,
        );
    }
    let add = |buffer: &mut Vec<u8>, decoded: &mut Decoded, (start, packet): (usize, &[u8])| {
        if let Err(problem) = unfold(compression, (start, packet), buffer, decoded) {
            decoded.stop(start, problem);
        }
    };
    // The exact number if they are not compressed.
    decoded.reserve(packets.iter().map(|(_, packet)| packet.len() / EVENT).sum());
    let threads = if decoded.seek.is_some() { 1 } else { rayon::current_num_threads() };
    // A few packets per thread at a time, so that data not yet merged stay small compared with the recording.
    for wave in packets.chunks(if threads == 1 { 1 } else { PACKETS_A_THREAD * threads }) {
        if let [packet] = wave {
            add(&mut buffer, &mut decoded, *packet);
        } else {
            let parts = wave.par_iter().map_init(Vec::new, |buffer, &packet| {
                let mut part = Decoded::default();
                add(buffer, &mut part, packet);
                part
            });
            parts.collect::<Vec<_>>().into_iter().for_each(|part| decoded.append(part));
        }
        if decoded.stop.is_some() {
            return decoded;
        }
    }
    if let Some((at, problem)) = stop {
        decoded.stop(at, problem);
    }
    decoded
}

/// The positions and bytes of a stream's packets, up to the first fault, and the number of packets of other
/// streams.
#[expect(clippy::type_complexity, reason = "named where it is used")]
fn packets(
    bytes: &[u8],
    mut at: usize,
    end: usize,
    stream: i32,
) -> (Vec<(usize, &[u8])>, BTreeMap<i32, u64>, Option<(usize, String)>) {
    let (mut packets, mut others) = (Vec::new(), BTreeMap::new());
    while at < end {
        let (Some(id), Some(size)) = (i32_at(bytes, at), i32_at(bytes, at + 4)) else {
            let problem = format!("a packet's header is cut: {} of 8 bytes", end - at);
            return (packets, others, Some((at, problem)));
        };
        let start = at + 8;
        let packet = usize::try_from(size).ok().and_then(|size| bytes.get(start..start.checked_add(size)?));
        let Some(packet) = packet else {
            let there = bytes.len() - start;
            return (packets, others, Some((at, format!("a packet of {size} bytes is cut after {there}"))));
        };
        at = start + packet.len();
        if id == stream {
            packets.push((start, packet));
        } else {
            *others.entry(id).or_default() += 1;
        }
    }
    (packets, others, None)
}

/// Adds the events of a packet at byte `start`; `buffer` is memory for the decompressed data.
fn unfold(
    compression: Compression,
    (start, packet): (usize, &[u8]),
    buffer: &mut Vec<u8>,
    decoded: &mut Decoded,
) -> Result<(), String> {
    let unfolded = compression
        .unfold(packet, buffer)
        .map_err(|problem| format!("a packet cannot be unfolded: {problem}"))?;
    let events = Table::root(unfolded).and_then(|table| {
        let Some((first, count)) = table.vector(0) else { return Some(&[][..]) };
        table.bytes.get(first..first.checked_add(count.checked_mul(EVENT)?)?)
    });
    let (events, _) = events.ok_or("a packet is no flatbuffer of events")?.as_chunks::<EVENT>();
    let is_negative = |event: &[u8; EVENT]| (event[9] | event[11]) & 0x80 != 0;
    // The position of an event in the file: its own if the packet is not compressed, else its packet's.
    let origin = packet.as_ptr().addr().wrapping_sub(start);
    let place = |event: &[u8; EVENT]| match compression {
        Compression::None => event.as_ptr().addr().wrapping_sub(origin),
        _ => start,
    };
    if decoded.seek.is_some() || events.iter().any(is_negative) {
        for (i, event) in events.iter().enumerate() {
            let (t, x, y, p) = parse(event);
            if is_negative(event) {
                let problem =
                    || format!("event {i} of its packet lies at x = {}, y = {}", x as i16, y as i16);
                decoded.leave_out(place(event), problem);
            } else {
                decoded.push_at(place(event), t, x, y, p == 1);
            }
        }
        return Ok(());
    }
    fill::each(decoded, events, parse);
    Ok(())
}

/// An event, except for negative coordinates.
#[inline(always)]
fn parse(&[a, b, c, d, e, f, g, h, x0, x1, y0, y1, p, ..]: &[u8; EVENT]) -> Raw {
    let t = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
    (t, u16::from_le_bytes([x0, x1]), u16::from_le_bytes([y0, y1]), u8::from(p != 0))
}
