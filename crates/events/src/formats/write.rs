//! Writing recordings.

use std::io::{Cursor, Write};
use std::path::Path;

use super::Format;
use crate::error::EventError;
use crate::stream::Events;

/// Writes a recording to a file, whole or not at all: beside it first, then renamed. ATIS `.bin`, EVT 2.0 and 3.0,
/// `.npz` and text can be written.
///
/// # Errors
/// [`EventError::Write`] for what the format cannot hold, [`EventError::Data`] where the disk refuses.
pub fn write(path: impl AsRef<Path>, events: Events<'_>, format: Format) -> Result<(), EventError> {
    let bytes = write_bytes(events, format)?;
    Ok(tks_data::whole_file::write(path.as_ref(), &bytes)?)
}

/// The bytes of a recording's file, see [`fn@write`].
///
/// # Errors
/// [`EventError::Write`] for what the format cannot hold.
pub fn write_bytes(events: Events<'_>, format: Format) -> Result<Vec<u8>, EventError> {
    match format {
        Format::Atis => atis(events),
        Format::Evt2 => evt2(events),
        Format::Evt3 => evt3(events),
        Format::Npz => npz(events),
        Format::Text => Ok(text(events)),
        other => Err(EventError::Write {
            format: other,
            event: 0,
            problem: "this format is read only: write ATIS .bin, EVT 2.0, EVT 3.0, .npz or text".into(),
        }),
    }
}

fn refuse(format: Format, event: usize, problem: String) -> EventError {
    EventError::Write { format, event, problem }
}

fn atis(events: Events<'_>) -> Result<Vec<u8>, EventError> {
    let refuse = |event, problem| Err(refuse(Format::Atis, event, problem));
    if events.is_empty() {
        // Which reading refuses: most files of no bytes were cut.
        return refuse(
            0,
            "there is none, and without a header the file would have no bytes: choose a format with one"
                .into(),
        );
    }
    let mut bytes = Vec::with_capacity(events.len() * super::atis::RECORD);
    let mut later = 0i64;
    for i in 0..events.len() {
        let (t, x, y, p) = (events.t[i], events.x[i], events.y[i], events.p[i]);
        if x > 255 || y > 255 || y == 240 {
            return refuse(
                i,
                format!("x = {x}, y = {y}: it holds 0 to 255, and y = 240 has another meaning"),
            );
        }
        // A second of silence is 122 records: an hour would still fit, an epoch in us would not.
        if t - later >= 1 << 40 {
            return refuse(i, format!("t = {t} us is too late: shift the recording to begin at 0"));
        }
        while t - later >= 1 << 23 {
            bytes.extend([0, 240, 0, 0, 0]);
            later += 1 << 13;
        }
        if t < later {
            return refuse(
                i,
                format!("t = {t} us lies before {later} us: sort the recording, to begin at 0 or later"),
            );
        }
        let rest = (t - later) as u32 | (u32::from(p) << 23);
        let [_, high, middle, low] = rest.to_be_bytes();
        bytes.extend([x as u8, y as u8, high, middle, low]);
    }
    Ok(bytes)
}

fn evt2(events: Events<'_>) -> Result<Vec<u8>, EventError> {
    let refuse = |event, problem| Err(refuse(Format::Evt2, event, problem));
    let sensor = events.sensor;
    let mut bytes = format!(
        "% evt 2.0\n% format EVT2;height={1};width={0}\n% geometry {0}x{1}\n% end\n",
        sensor.width, sensor.height
    )
    .into_bytes();
    let mut high = None;
    for i in 0..events.len() {
        let (t, x, y, p) = (events.t[i], events.x[i], events.y[i], events.p[i]);
        if x > 2047 || y > 2047 {
            return refuse(i, format!("x = {x}, y = {y}: it holds 0 to 2047"));
        }
        if !(0..1 << 34).contains(&t) {
            return refuse(i, format!("t = {t} us: it holds 0 to 2^34 - 1"));
        }
        let now = (t >> 6) as u32;
        if high.is_some_and(|before: u32| before > now) {
            return refuse(i, format!("t = {t} us lies before the event before it: sort the recording"));
        }
        if high != Some(now) {
            bytes.extend((0x8000_0000 | now).to_le_bytes());
            high = Some(now);
        }
        let word = (u32::from(p) << 28) | ((t as u32 & 0x3f) << 22) | (u32::from(x) << 11) | u32::from(y);
        bytes.extend(word.to_le_bytes());
    }
    Ok(bytes)
}

/// Words only for what changes: 2 to 8 bytes an event, fewer where neighbours fire together.
fn evt3(events: Events<'_>) -> Result<Vec<u8>, EventError> {
    let refuse = |event, problem| Err(refuse(Format::Evt3, event, problem));
    let sensor = events.sensor;
    let mut bytes = format!(
        "% evt 3.0\n% format EVT3;height={1};width={0}\n% geometry {0}x{1}\n% end\n",
        sensor.width, sensor.height
    )
    .into_bytes();
    let mut word = |kind: u16, value: u16| bytes.extend(((kind << 12) | value).to_le_bytes());
    // The upper 12 bits of the time count on beyond those that a word holds; of the file's clock at first 0.
    let (mut high, mut low, mut row) = (None, 0, None);
    let mut i = 0;
    while i < events.len() {
        let (t, x, y, p) = (events.t[i], events.x[i], events.y[i], u16::from(events.p[i]));
        if x > 2047 || y > 2047 {
            return refuse(i, format!("x = {x}, y = {y}: it holds 0 to 2047"));
        }
        let now = t >> 12;
        let before = high.unwrap_or(0);
        if t < 0 || now < before || (Some(now) == high && t & 0xfff < low) {
            return refuse(i, format!("t = {t} us: sort the recording, to begin at 0 or later"));
        }
        // An hour of silence is 430 words, an epoch in us would be a hundred million.
        if now - before > 1 << 28 {
            return refuse(i, format!("t = {t} us is too late: shift the recording to begin at 0"));
        }
        if high != Some(now) {
            // The reader takes a fall by more than half of the clock's range for a turn of it.
            let mut step = before;
            if high.is_none() && now >= 1 << 11 {
                word(8, 0);
            }
            while now - step >= 1 << 11 {
                step += (1 << 11) - 1;
                word(8, (step & 0xfff) as u16);
            }
            word(8, (now & 0xfff) as u16);
            (high, low) = (Some(now), 0);
        }
        if t & 0xfff != low {
            low = t & 0xfff;
            word(6, low as u16);
        }
        if row != Some(y) {
            word(0, y);
            row = Some(y);
        }
        // Neighbours to the right that fire at the same time, with the same polarity, go into one vector of 12.
        let mut vector = 1u16;
        let mut last = x;
        let mut end = i + 1;
        while end < events.len()
            && (events.t[end], events.y[end], u16::from(events.p[end])) == (t, y, p)
            && (last + 1..x + 12).contains(&events.x[end])
            && events.x[end] <= 2047
        {
            last = events.x[end];
            vector |= 1 << (last - x);
            end += 1;
        }
        if end > i + 2 {
            word(3, (p << 11) | x);
            word(4, vector);
            i = end;
        } else {
            word(2, (p << 11) | x);
            i += 1;
        }
    }
    Ok(bytes)
}

fn npz(events: Events<'_>) -> Result<Vec<u8>, EventError> {
    let array = |kind: &str, values: Vec<u8>| {
        let mut header =
            format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({},), }}", events.len());
        // The data begin at a multiple of 64 bytes, and the header ends with a line's end.
        let padding = (10 + header.len() + 1).next_multiple_of(64) - (10 + header.len() + 1);
        header.push_str(&" ".repeat(padding));
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(values);
        bytes
    };
    let arrays = [
        ("t.npy", array("<i8", events.t.iter().flat_map(|t| t.to_le_bytes()).collect())),
        ("x.npy", array("<u2", events.x.iter().flat_map(|x| x.to_le_bytes()).collect())),
        ("y.npy", array("<u2", events.y.iter().flat_map(|y| y.to_le_bytes()).collect())),
        ("p.npy", array("|u1", events.p.to_vec())),
    ];
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .large_file(events.len() > 1 << 27);
    let mut fill = || -> Result<(), zip::result::ZipError> {
        for (name, bytes) in &arrays {
            archive.start_file(*name, options)?;
            archive.write_all(bytes)?;
        }
        Ok(())
    };
    let done = fill().and_then(|()| archive.finish());
    done.map(Cursor::into_inner).map_err(|error| refuse(Format::Npz, 0, error.to_string()))
}

fn text(events: Events<'_>) -> Vec<u8> {
    let mut text = String::from("t,x,y,p\n");
    for i in 0..events.len() {
        // Writing to a string does not fail.
        let _ = std::fmt::Write::write_fmt(
            &mut text,
            format_args!("{},{},{},{}\n", events.t[i], events.x[i], events.y[i], events.p[i]),
        );
    }
    text.into_bytes()
}
