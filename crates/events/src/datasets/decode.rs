//! From the bytes of a data set's file to a recording, in the formats that the data sets use.

use crate::error::EventError;
use crate::stream::{EventStream, SensorSize};

/// The events of a file, told by its first bytes. With a span, only those within `start <= t < end`, in us.
pub(super) fn recording(
    bytes: &[u8],
    sensor: SensorSize,
    span: Option<(i64, i64)>,
) -> Result<EventStream, EventError> {
    let mut columns = Columns { span, ..Columns::default() };
    match bytes {
        _ if bytes.starts_with(b"#!AER-DAT2.0") => aedat2(bytes, &mut columns)?,
        _ if bytes.starts_with(b"#!AER-DAT3.1") => aedat31(bytes, &mut columns)?,
        _ if bytes.starts_with(b"%") => dat(bytes, &mut columns)?,
        _ if bytes.starts_with(b"#!AER-DAT4") => {
            return Err(EventError::Malformed { offset: 0, message: "AEDAT 4 is not read here".into() });
        }
        _ => atis(bytes, &mut columns)?,
    }
    let mut stream = EventStream::new(sensor, columns.t, columns.x, columns.y, columns.p)?;
    stream.sort();
    Ok(stream)
}

#[derive(Default)]
struct Columns {
    t: Vec<i64>,
    x: Vec<u16>,
    y: Vec<u16>,
    p: Vec<u8>,
    span: Option<(i64, i64)>,
}

impl Columns {
    fn reserve(&mut self, events: usize) {
        self.t.reserve(events);
        self.x.reserve(events);
        self.y.reserve(events);
        self.p.reserve(events);
    }

    fn push(&mut self, t: i64, x: u16, y: u16, p: u8) {
        if self.span.is_none_or(|(start, end)| (start..end).contains(&t)) {
            self.t.push(t);
            self.x.push(x);
            self.y.push(y);
            self.p.push(p);
        }
    }
}

fn whole(bytes: &[u8], from: usize, record: usize) -> Result<&[u8], EventError> {
    let body = &bytes[from..];
    match body.len() % record {
        0 => Ok(body),
        rest => Err(EventError::Malformed {
            offset: bytes.len() - rest,
            message: format!("{rest} bytes where an event has {record}: the file is cut"),
        }),
    }
}

/// ATIS, 5 bytes an event: x, y, a bit of polarity and 23 of time; y = 240 says that the clock went once
/// round its 13 bits.
fn atis(bytes: &[u8], columns: &mut Columns) -> Result<(), EventError> {
    let body = whole(bytes, 0, 5)?;
    columns.reserve(body.len() / 5);
    let mut turns = 0;
    for event in body.as_chunks::<5>().0 {
        let [x, y, high, middle, low] = *event;
        if y == 240 {
            turns += 1 << 13;
            continue;
        }
        let t = i64::from(high & 0x7f) << 16 | i64::from(middle) << 8 | i64::from(low);
        columns.push(t + turns, x.into(), y.into(), high >> 7);
    }
    Ok(())
}

/// Where the lines end that begin with `#` or `%`.
fn after_header(bytes: &[u8], mark: u8) -> usize {
    let mut at = 0;
    while bytes.get(at) == Some(&mark) {
        match bytes[at..].iter().position(|&byte| byte == b'\n') {
            Some(end) => at += end + 1,
            None => return bytes.len(),
        }
    }
    at
}

/// AEDAT 2.0 of a DVS128, big-endian: an address of 32 bits, then the time in us. Values as stored.
fn aedat2(bytes: &[u8], columns: &mut Columns) -> Result<(), EventError> {
    let body = whole(bytes, after_header(bytes, b'#'), 8)?;
    columns.reserve(body.len() / 8);
    for event in body.as_chunks::<8>().0 {
        let [a, b, c, d, t @ ..] = *event;
        let address = u32::from_be_bytes([a, b, c, d]);
        // The highest bit of the lower half marks what is no event of a pixel.
        if address & 0x8000 == 0 {
            let (x, y) = ((address >> 1 & 0x7f) as u16, (address >> 8 & 0x7f) as u16);
            columns.push(i32::from_be_bytes(t).into(), x, y, (address & 1) as u8);
        }
    }
    Ok(())
}

/// Prophesee DAT: two bytes of type and size, then 8 bytes an event, little-endian.
fn dat(bytes: &[u8], columns: &mut Columns) -> Result<(), EventError> {
    let at = after_header(bytes, b'%');
    let Some([_, size]) = bytes.get(at..at + 2) else {
        return Err(EventError::Malformed { offset: at, message: "the file ends with its header".into() });
    };
    if *size != 8 {
        return Err(EventError::Malformed {
            offset: at + 1,
            message: format!("events of {size} bytes, where those of a camera have 8"),
        });
    }
    let body = whole(bytes, at + 2, 8)?;
    columns.reserve(body.len() / 8);
    for event in body.as_chunks::<8>().0 {
        let [a, b, c, d, data @ ..] = *event;
        let (t, data) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(data));
        columns.push(t.into(), (data & 0x3fff) as u16, (data >> 14 & 0x3fff) as u16, (data >> 28 & 1) as u8);
    }
    Ok(())
}

/// AEDAT 3.1, little-endian: packets of events of one type, each with a header of 28 bytes.
fn aedat31(bytes: &[u8], columns: &mut Columns) -> Result<(), EventError> {
    const HEADER: usize = 28;
    const POLARITY: u16 = 1;
    let mut at = after_header(bytes, b'#');
    while at < bytes.len() {
        let cut =
            |what: &str| EventError::Malformed { offset: at, message: format!("{what}: the file is cut") };
        let header = bytes.get(at..at + HEADER).ok_or_else(|| cut("a packet's header of 28 bytes"))?;
        let word = |i: usize| u32::from_le_bytes([header[i], header[i + 1], header[i + 2], header[i + 3]]);
        let kind = u16::from_le_bytes([header[0], header[1]]);
        let (size, overflow, count) = (word(4) as usize, i64::from(word(12)), word(20) as usize);
        let length = size.checked_mul(count).ok_or_else(|| cut("a packet without end"))?;
        let body = bytes
            .get(at + HEADER..)
            .and_then(|rest| rest.get(..length))
            .ok_or_else(|| cut(&format!("a packet of {length} bytes")))?;
        at += HEADER + length;
        if kind != POLARITY || size != 8 {
            continue;
        }
        for event in body.as_chunks::<8>().0 {
            let [a, b, c, d, t @ ..] = *event;
            let (data, t) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(t));
            if data & 1 == 1 {
                let (x, y) = ((data >> 17) as u16, (data >> 2 & 0x7fff) as u16);
                columns.push(overflow << 31 | i64::from(t), x, y, (data >> 1 & 1) as u8);
            }
        }
    }
    Ok(())
}
