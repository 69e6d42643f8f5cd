//! NumPy's `.npz` and `.npy`.
//!
//! | layout | used by |
//! |---|---|
//! | `.npz` with arrays `t`, `x`, `y`, `p` | SpikingJelly's `events_np` |
//! | `.npz` with one array as in an `.npy`, or with such an array named `events` | `numpy.savez(path, events)` |
//! | `.npy` of records with fields `t`, `x`, `y`, `p` and possibly others | tonic, `numpy.save` of a structured array |
//! | `.npy` `[N, 4]` or `[4, N]`, columns t, x, y, p (x, y, t, p if the third is the increasing one) unless the option `columns` is given | |
//!
//! Names can be in any case and order, and can also be `ts`, `timestamp`, `pol` and similar, with a unit as
//! in `t_us`. Any integer, boolean or floating-point type of any byte order is supported, and `datetime64`
//! for times; records may be padded. Polarity is 1 or 0, or 1 or -1. Times without a unit are in us if they
//! are integers, and in seconds if any has a fraction. Python objects, and SpikingJelly's frames of events,
//! are refused by name.

mod array;
mod literal;

use std::io::{Cursor, Read, Write};

use super::ReadOptions;
use super::columns::{ColumnOrder, Columns, TimeUnit, listed, most_unpacked, places};
use super::decoded::Decoded;
use super::event_format::{EventFormat, Unwritable};
use crate::stream::Events;
use array::{Array, FRAMES};

/// NumPy's archive.
#[derive(Debug)]
pub(super) struct Npz;

impl EventFormat for Npz {
    fn title(&self) -> &str {
        "NumPy .npz"
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
    }

    fn endings(&self) -> &[&str] {
        &["npz"]
    }

    fn has_columns(&self) -> bool {
        true
    }

    fn decode(&self, bytes: &[u8], options: &ReadOptions, decoded: Decoded) -> Decoded {
        decode_npz(bytes, options.columns, decoded)
    }

    fn encode(&self, events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
        encode(events)
    }
}

/// One NumPy array.
#[derive(Debug)]
pub(super) struct Npy;

impl EventFormat for Npy {
    fn title(&self) -> &str {
        "NumPy .npy"
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"\x93NUMPY")
    }

    fn endings(&self) -> &[&str] {
        &["npy"]
    }

    fn has_columns(&self) -> bool {
        true
    }

    fn decode(&self, bytes: &[u8], options: &ReadOptions, decoded: Decoded) -> Decoded {
        decode_npy(bytes, options.columns, decoded)
    }
}

pub(super) fn decode_npy(bytes: &[u8], columns: ColumnOrder, mut decoded: Decoded) -> Decoded {
    let events = Array::parse(bytes).and_then(|array| Ok((array.columns(columns.given())?, array)));
    match events {
        Ok((events, array)) => {
            let unit = columns.unit().or(events.unit);
            Columns { unit, ..events }.fill(&mut decoded, |i| array.place(i));
            if !array.is_whole() {
                decoded.stop(bytes.len(), format!("the array is cut: its header says {}", array.describe()));
            }
        }
        Err(problem) => decoded.refuse(0, problem),
    }
    decoded
}

pub(super) fn decode_npz(bytes: &[u8], columns: ColumnOrder, mut decoded: Decoded) -> Decoded {
    if let Err(problem) = read_npz(bytes, columns, &mut decoded) {
        decoded.refuse(0, problem);
    }
    decoded
}

/// The arrays of an archive.
struct Arrays<'a> {
    archive: zip::ZipArchive<Cursor<&'a [u8]>>,
    names: Vec<String>,
    /// Number of bytes that may still be decompressed.
    left: u64,
}

impl Arrays<'_> {
    /// An array's bytes, or the first `at_most` of a large one.
    fn read(&mut self, i: usize, at_most: u64) -> Result<Vec<u8>, String> {
        let name = &self.names[i];
        let failed = |error: std::io::Error| format!("array `{name}` of the archive cannot be read: {error}");
        let entry = self.archive.by_index(i).map_err(|error| failed(std::io::Error::other(error)))?;
        let mut content = Vec::new();
        entry.take(at_most.min(self.left + 1)).read_to_end(&mut content).map_err(failed)?;
        self.left = self.left.checked_sub(content.len() as u64).ok_or_else(|| {
            format!(
                "array `{name}` unpacks to more than recordings do; if it is one, save it uncompressed, by `numpy.savez`"
            )
        })?;
        Ok(content)
    }

    /// The contents of the archive, for errors.
    fn describe(&mut self) -> String {
        const DESCRIBED: usize = 16;
        let mut items = Vec::new();
        for i in 0..self.names.len() {
            let start = if i < DESCRIBED { self.read(i, 4096).ok() } else { None };
            let shape = start.and_then(|start| Some(Array::parse(&start).ok()?.describe()));
            let name = &self.names[i];
            items.push(shape.map_or_else(|| name.clone(), |shape| format!("{name} ({shape})")));
        }
        listed(&items)
    }
}

fn read_npz(bytes: &[u8], columns: ColumnOrder, decoded: &mut Decoded) -> Result<(), String> {
    let failed = |error| format!("the archive cannot be read: {error}");
    let archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(failed)?;
    let plain = |name: std::borrow::Cow<'_, str>| name.strip_suffix(".npy").unwrap_or(&name).to_owned();
    let names = archive.file_names().map(|name| name.map(plain)).collect::<Result<_, _>>().map_err(failed)?;
    let mut npz = Arrays { archive, names, left: most_unpacked(bytes.len()) as u64 };
    if let Some((places, unit)) = places(npz.names.iter().map(String::as_str)) {
        return read_arrays(&mut npz, places, columns.unit().or(unit), decoded);
    }
    let named = |name: &str| npz.names.iter().position(|known| known.eq_ignore_ascii_case(name));
    let only = if npz.names.len() == 1 { Some(0) } else { named("events").or(named("event_data")) };
    let Some(only) = only else {
        let has_frames = named("frames").is_some();
        let found = npz.describe();
        return Err(if has_frames {
            format!("{FRAMES}; the archive has {found}")
        } else {
            format!("arrays t, x, y, p are needed, or one array `events`; the archive has {found}")
        });
    };
    let content = npz.read(only, u64::MAX)?;
    let name = &npz.names[only];
    let in_array = |problem: String| format!("array `{name}`: {problem}");
    let array = Array::parse(&content).map_err(in_array)?;
    let events = array.columns(columns.given()).map_err(in_array)?;
    let unit = columns.unit().or(events.unit);
    Columns { unit, ..events }.fill(decoded, |_| 0);
    if !array.is_whole() {
        decoded.stop(0, format!("array `{name}` is cut: its header says {}", array.describe()));
    }
    Ok(())
}

/// Adds the events of four arrays.
fn read_arrays(
    npz: &mut Arrays<'_>,
    places: [usize; 4],
    unit: Option<TimeUnit>,
    decoded: &mut Decoded,
) -> Result<(), String> {
    let mut contents = Vec::new();
    for place in places {
        contents.push(npz.read(place, u64::MAX)?);
    }
    let column = |i: usize| {
        let found = Array::parse(&contents[i]).and_then(|array| array.column());
        found.map_err(|problem| format!("array `{}`: {problem}", npz.names[places[i]]))
    };
    let (t, stated) = column(0)?;
    let columns = [t, column(1)?.0, column(2)?.0, column(3)?.0];
    Columns::new(columns, unit.or(stated)).fill(decoded, |_| 0);
    Ok(())
}

fn encode(events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
    let array = |kind: &str, values: Vec<u8>| {
        let mut header =
            format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({},), }}", events.len());
        // The data begin at a multiple of 64 bytes, and the header ends with a line end.
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
    done.map(Cursor::into_inner).map_err(|error| Unwritable { event: 0, problem: error.to_string() })
}
