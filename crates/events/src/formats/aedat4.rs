//! AEDAT 4 of DV: packets of flatbuffers, plain or compressed by LZ4 or Zstandard.
//!
//! `#!AER-DAT4.0`, then a header of its own (compression, where the table at the file's end begins, and an XML text
//! that says what each stream holds), then packets: a stream's number and a length, of 32 bits each, and a
//! flatbuffer. A stream of type `EVTS` holds events of 16 bytes: time of 64 bits in us, `x` and `y` of 16 bits,
//! polarity. Frames, IMU samples and triggers are passed over. The first event stream is read.

use std::io::Read;

use super::cursor::{bytes_at, i32_at, u16_at, u32_at};
use super::decoded::Decoded;
use super::fill;
use crate::stream::SensorSize;

const MAGIC: usize = 14;
const EVENT: usize = 16;
/// A packet of DV holds some ten thousand events: one that unfolds to more than this is an attack or a fault.
const MOST_BYTES: u64 = 1 << 30;

/// A table of a flatbuffer: `bytes` from its size on.
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

    /// Where field `index` lies, if the table has it.
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

    /// Start and number of the vector or string of field `index`.
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

/// Number and sensor size of the first stream of events.
fn event_stream(xml: &str) -> Option<(i32, Option<SensorSize>)> {
    // Each stream is a node of its own, named by its number; what lies before its name is another's.
    let mut parts = xml.split("<node name=\"");
    parts.next();
    let parts: Vec<&str> = parts.collect();
    for (i, part) in parts.iter().enumerate() {
        let Some(number) = part.split('"').next().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if attribute(part, "typeIdentifier") != Some("EVTS") {
            continue;
        }
        // The node `info` follows inside.
        let info = parts.get(i + 1).filter(|info| info.starts_with("info\"")).copied().unwrap_or(part);
        let size = |key| attribute(info, key).and_then(|value| value.parse::<u16>().ok());
        let sensor = size("sizeX").zip(size("sizeY")).map(|(width, height)| SensorSize { width, height });
        return Some((number, sensor));
    }
    None
}

enum Compression {
    None,
    Lz4,
    Zstd,
}

impl Compression {
    fn unfold(&self, bytes: &[u8], into: &mut Vec<u8>) -> Result<(), String> {
        into.clear();
        let read = match self {
            Compression::None => {
                into.extend_from_slice(bytes);
                return Ok(());
            }
            Compression::Lz4 => {
                lz4_flex::frame::FrameDecoder::new(bytes).take(MOST_BYTES + 1).read_to_end(into)
            }
            Compression::Zstd => ruzstd::decoding::StreamingDecoder::new(bytes)
                .map_err(|error| error.to_string())?
                .take(MOST_BYTES + 1)
                .read_to_end(into),
        };
        match read {
            Ok(_) if into.len() as u64 > MOST_BYTES => Err("it unfolds to more than 1 GiB".into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

pub(super) fn decode(bytes: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
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
    let Some((stream, sensor)) = event_stream(xml) else {
        decoded.stop(MAGIC, "the header names no stream of events (EVTS)");
        return decoded;
    };
    decoded.sensor = sensor;
    if let Some(source) = attribute(xml, "source") {
        decoded.metadata.push(("source".into(), source.into()));
    }
    let end = usize::try_from(table).ok().filter(|&end| end > 0 && end <= bytes.len()).unwrap_or(bytes.len());
    let mut at = MAGIC + header.len();
    let mut buffer = Vec::new();
    while at < end {
        let (Some(id), Some(size)) = (i32_at(bytes, at), i32_at(bytes, at + 4)) else {
            decoded.stop(at, format!("a packet's header is cut: {} of 8 bytes", end - at));
            break;
        };
        let start = at + 8;
        let packet = usize::try_from(size).ok().and_then(|size| bytes.get(start..start.checked_add(size)?));
        let Some(packet) = packet else {
            decoded.stop(at, format!("a packet of {size} bytes is cut after {}", bytes.len() - start));
            break;
        };
        at = start + packet.len();
        if id != stream {
            continue;
        }
        if let Err(problem) = compression.unfold(packet, &mut buffer) {
            decoded.stop(start, format!("a packet cannot be unfolded: {problem}"));
            break;
        }
        let events = Table::root(&buffer).and_then(|table| {
            let Some((first, count)) = table.vector(0) else { return Some(&[][..]) };
            table.bytes.get(first..first.checked_add(count.checked_mul(EVENT)?)?)
        });
        let Some(events) = events else {
            decoded.stop(start, "a packet is no flatbuffer of events");
            break;
        };
        let (events, _) = events.as_chunks::<EVENT>();
        let negative = events.iter().fold(0, |signs, event| signs | event[9] | event[11]) & 0x80 != 0;
        if negative {
            decoded.stop(start, "a packet holds an event with a negative coordinate");
            break;
        }
        fill::records(&mut decoded, events, |event| {
            let [a, b, c, d, e, f, g, h, x0, x1, y0, y1, p, ..] = *event;
            let t = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
            (t, u16::from_le_bytes([x0, x1]), u16::from_le_bytes([y0, y1]), u8::from(p != 0))
        });
    }
    decoded
}
