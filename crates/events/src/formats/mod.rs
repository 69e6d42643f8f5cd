//! Recordings in files: every format used by the data sets of the field can be read, and some can be written.
//!
//! The format is detected from a file's content, not from its name. Decoding is one pass over its bytes,
//! directly into the columns of an [`EventStream`]. Values are as stored: no axis is flipped.
//!
//! | format | read | written |
//! |---|---|---|
//! | AEDAT 1.0, 2.0 (jAER, v2e: DVS128, CIFAR10-DVS, DAVIS, DVS640) | [`aedat2`] | |
//! | AEDAT 3.1 (cAER: DVS128 Gesture) | [`aedat3`] | |
//! | AEDAT 4 (DV; none, LZ4, Zstandard) | [`aedat4`] | |
//! | ATIS `.bin` (N-MNIST, N-Caltech101) | [`atis`] | yes |
//! | Prophesee DAT | [`dat`] | |
//! | Prophesee RAW: EVT 2.0, 2.1, 3.0 | [`evt2`], [`evt3`] | EVT 2.0, 3.0 |
//! | Event Stream `.es` | [`es`] | |
//! | HDF5 (v2e, MVSEC, M3ED, Prophesee, DSEC) | [`hdf5`] | |
//! | MATLAB `.mat` (ASL-DVS, struct `TD`) | [`matlab`] | |
//! | NumPy `.npz`, `.npy` | [`numpy`] | `.npz` |
//! | text, CSV | [`text`] | yes |
//!
//! Each is an [`EventFormat`] represented by its [`Format`]; a program can add its own with
//! [`Format::register`].
//!
//! ```
//! use tks_events::formats::{Format, ReadOptions, read_bytes, write_bytes};
//! use tks_events::{EventStream, SensorSize};
//!
//! let sensor = SensorSize { width: 34, height: 34 };
//! let stream = EventStream::new(sensor, vec![0, 7], vec![3, 33], vec![4, 0], vec![1, 0])?;
//! let bytes = write_bytes(stream.events(), Format::Npz)?;
//! let options = ReadOptions { sensor: Some(sensor), ..ReadOptions::default() };
//! let reading = read_bytes("two.npz", &bytes, &options)?;
//! assert_eq!(reading.format, Format::Npz);
//! assert_eq!(reading.stream.events(), stream.events());
//! # Ok::<(), tks_events::EventError>(())
//! ```

pub mod aedat2;
pub mod aedat3;
pub mod aedat4;
pub mod atis;
mod camera;
mod columns;
mod cursor;
pub mod dat;
mod decoded;
mod detect;
pub mod es;
mod event_format;
pub mod evt2;
pub mod evt3;
mod fill;
mod foreign;
pub(crate) mod format;
pub mod hdf5;
mod left_out;
pub mod matlab;
pub mod numpy;
mod order;
mod prophesee;
pub mod text;
mod write;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::EventError;
use crate::sensor::SensorSize;
use crate::stream::EventStream;
pub use camera::Camera;
pub use decoded::Decoded;
use decoded::Seek;
pub(crate) use detect::is_surely_a_recording;
pub use event_format::{EventFormat, Unwritable};
pub use format::{Format, OwnFormat};
pub use left_out::{BadEvents, LeftOut, Lost, PassedOver};
pub use write::{write, write_bytes};

/// Options for reading a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// The format; if not given, it is detected from the content.
    pub format: Option<Format>,
    /// Size of the sensor; if not given, as stated in the file, else the smallest that contains all events.
    pub sensor: Option<SensorSize>,
    /// The camera, for files that depend on it and do not name it (AEDAT 1.0 and 2.0). It also determines the
    /// size of the sensor.
    pub camera: Option<Camera>,
    /// Whether to leave out faulty events, and everything after a fault that ends the file, instead of
    /// failing; [`Reading::left_out`] counts them.
    pub lenient: bool,
    /// Order of the columns of a text or an array `[N, 4]`, and the unit of time; if not given, as stated in
    /// the file.
    pub columns: text::ColumnOrder,
}

/// A recording read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The events.
    pub stream: EventStream,
    /// The file's format.
    pub format: Format,
    /// The contents of the file that are not in the stream.
    pub left_out: LeftOut,
}

/// Reads a recording.
///
/// # Errors
/// [`EventError::Data`] if the file cannot be opened, [`EventError::File`] with the position of the first
/// fault, unless it is skipped due to [`ReadOptions::lenient`].
pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Reading, EventError> {
    read_into(path, options, EventStream::default())
}

/// [`read`] into the memory of a recording that is no longer needed: half of the time to read a large
/// recording is the system's memory allocation.
///
/// # Errors
/// As [`read`].
pub fn read_into(
    path: impl AsRef<Path>,
    options: &ReadOptions,
    used: EventStream,
) -> Result<Reading, EventError> {
    let path = path.as_ref();
    read_bytes_into(path, &tks_data::regular_file::read(path)?, options, used)
}

/// Reads a recording from memory; `name` is used in messages.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(
    name: impl AsRef<Path>,
    bytes: &[u8],
    options: &ReadOptions,
) -> Result<Reading, EventError> {
    read_bytes_into(name.as_ref(), bytes, options, EventStream::default())
}

/// [`read_bytes`] into the memory of `used`.
fn read_bytes_into(
    path: &Path,
    bytes: &[u8],
    options: &ReadOptions,
    used: EventStream,
) -> Result<Reading, EventError> {
    read_like(path, bytes, options, used, None).map(|(reading, _)| reading)
}

/// [`read_bytes`] into the memory of `used`; also returns the size of the sensor stated in the file. With
/// `first`, the recording from which the size in `options` is taken, a file that states another size is an
/// error.
pub(crate) fn read_like(
    path: &Path,
    bytes: &[u8],
    options: &ReadOptions,
    used: EventStream,
    first: Option<&Path>,
) -> Result<(Reading, Option<SensorSize>), EventError> {
    if bytes.is_empty() {
        let what = "the file is empty: it has no bytes, not even a header; copy or record it again";
        return Err(fault(path, 0, 0, what.into()));
    }
    let refuse = |problem: String| fault(path, 0, 0, problem);
    let format = match options.format {
        Some(format) => match format.implementation().refusal(bytes) {
            Some(problem) => return Err(refuse(problem)),
            None => format,
        },
        None => Format::told_by(bytes).map_err(refuse)?,
    };
    let implementation = format.implementation();
    let zeros = implementation.record_size().map_or(0, |size| zeros_at_the_end(bytes, size));
    let (whole, bytes) = (bytes.len(), &bytes[..bytes.len() - zeros]);
    let decode = |empty: Decoded| implementation.decode(bytes, options, empty);
    let mut decoded = decode(Decoded::in_memory_of(used));
    if zeros > 0 {
        let problem = "there are only zeros from here on, as an interrupted copy or a full disk leaves them";
        decoded.stop(bytes.len(), problem);
    }
    let place = |index| decode(Decoded::seeking(Seek::new(bytes, index))).found();
    let has_columns = implementation.has_columns();
    // An order specified by the user is trusted.
    let is_believed = has_columns && options.columns.given().is_some();
    if !is_believed
        && decoded.refusal.is_none()
        && let Some((back, first)) = decoded.backwards()
    {
        let remedy = if has_columns { REMEDY_BACKWARDS_COLUMNS } else { REMEDY_BACKWARDS };
        let problem = format!(
            "the times run backwards {back} times in {} events, this being the first: the columns, records or words are not \
             what they are taken for, or the file is damaged; {remedy}",
            decoded.t.len()
        );
        return Err(fault(path, place(first).unwrap_or(0), first, problem));
    }
    let stated = decoded.sensor.filter(|_| decoded.refusal.is_none());
    if let (Some(first), Some(size), Some(stated)) = (first, options.sensor, stated)
        && size != stated
    {
        let problem = format!(
            "the sensor is of {} x {} pixels, that of `{}` of {} x {}: give one size for all (`sensor`), or put \
             recordings of one sensor into the folder",
            stated.width,
            stated.height,
            first.display(),
            size.width,
            size.height
        );
        return Err(refuse(problem));
    }
    let (stream, left_out) = check(path, whole, decoded, place, options)?;
    Ok((Reading { stream, format, left_out }, stated))
}

/// Reads the events of an AEDAT 3 file in `span` (`start <= t < end`), decoding only the packets needed;
/// `bytes` are those of [`aedat3::Index::range`].
///
/// # Errors
/// As [`read_bytes`]; a fault anywhere in the file is an error, whatever the span, unless reading is lenient.
pub(crate) fn read_aedat3_span(
    path: &Path,
    bytes: &[u8],
    index: &aedat3::Index,
    span: (i64, i64),
    options: &ReadOptions,
    used: EventStream,
) -> Result<(EventStream, LeftOut), EventError> {
    let decode = |empty| index.decode(bytes, span, empty);
    let start = index.range(span).start;
    let place = |event| {
        let found = decode(Decoded::seeking(Seek::new(bytes, event))).found();
        found.map(|in_part| start + in_part)
    };
    let mut decoded = decode(Decoded::in_memory_of(used));
    if let Some(stop) = &decoded.stop {
        if !options.lenient {
            let problem = format!("{}; {REMEDY_LOST}", stop.problem);
            return Err(fault(path, stop.offset, index.events(), problem));
        }
        // The data before the fault are complete.
        if index.latest() >= span.1 {
            decoded.stop = None;
        }
    }
    let (mut stream, left_out) = check(path, index.length(), decoded, place, options)?;
    stream.sort();
    Ok((stream.events().select(|event| (span.0..span.1).contains(&event.t))?, left_out))
}

/// Number of bytes in records of zeros at the end of a file, if too many to be events.
fn zeros_at_the_end(bytes: &[u8], record: usize) -> usize {
    let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    if zeros < ZEROS_ARE_A_FAULT { 0 } else { zeros / record * record }
}

/// Number of zero bytes at the end that are a fault: for the shortest records, 16 without information; for
/// the longest, 4 events at time 0 in the first pixel.
const ZEROS_ARE_A_FAULT: usize = 32;

fn fault(path: &Path, offset: usize, event: usize, problem: String) -> EventError {
    EventError::File { path: path.to_owned(), offset: offset as u64, event, problem }
}

/// The remedy for events outside the sensor.
const REMEDY_SENSOR: &str =
    "give the size of the sensor that recorded it (`sensor`; `--sensor WIDTHxHEIGHT`)";
/// The remedy for times that run backwards.
const REMEDY_BACKWARDS: &str = "if it is of another format, name that (`format`; `--format`)";
/// The same for columns.
const REMEDY_BACKWARDS_COLUMNS: &str =
    "name the order of columns, which is then believed (`columns`; `--columns t,x,y,p`)";
/// The remedy for individual faulty events.
const REMEDY_LENIENT: &str = "leave such events out by lenient reading (`lenient`; `--lenient`; in a training's \
                              configuration `data.bad_events = \"drop\"`)";
/// The remedy for a file that cannot be read to its end.
const REMEDY_LOST: &str = "lenient reading (`lenient`; `--lenient`) keeps the events before it";

/// Creates a recording from the result of a decoder. `place` returns the position of an event in the file
/// from its index.
fn check(
    path: &Path,
    length: usize,
    mut decoded: Decoded,
    place: impl Fn(usize) -> Option<usize>,
    options: &ReadOptions,
) -> Result<(EventStream, LeftOut), EventError> {
    if let Some(refusal) = decoded.refusal.take() {
        return Err(fault(path, refusal.offset, 0, refusal.problem));
    }
    let sensor = options.sensor.or(options.camera.map(Camera::sensor));
    let events = decoded.t.len();
    let bad = decoded.bad.take();
    let outside = decoded.leave_out_outside(sensor, place);
    let mut first_bad = None;
    for (bad, remedy) in
        [(bad, REMEDY_LENIENT.to_owned()), (outside, format!("{REMEDY_SENSOR}, or {REMEDY_LENIENT}"))]
    {
        first_bad = match (first_bad, bad) {
            (None, bad) => bad.map(|bad| (bad, remedy)),
            (first, None) => first,
            (Some((a, remedy_a)), Some(b)) => {
                let count = a.count + b.count;
                let (first, remedy) = if b.offset < a.offset { (b, remedy) } else { (a, remedy_a) };
                Some((BadEvents { count, ..first }, remedy))
            }
        };
    }
    let stop = decoded.stop.take();
    if !options.lenient {
        let stop_at = stop.as_ref().map_or(u64::MAX, |stop| stop.offset as u64);
        if let Some((bad, remedy)) = first_bad.as_ref().filter(|(bad, _)| bad.offset <= stop_at) {
            let problem = format!("{}: {remedy}", bad.problem);
            return Err(fault(path, bad.offset as usize, bad.event, problem));
        }
        if let Some(stop) = stop {
            let problem = if events > 0 { format!("{}; {REMEDY_LOST}", stop.problem) } else { stop.problem };
            return Err(fault(path, stop.offset, events, problem));
        }
    } else if let Some(stop) = stop.as_ref().filter(|_| events == 0) {
        // There is nothing to keep.
        return Err(fault(path, stop.offset, 0, stop.problem.clone()));
    }
    let left_out = LeftOut {
        bad_events: first_bad.map(|(bad, _)| bad),
        passed_over: std::mem::take(&mut decoded.passed_over),
        lost: stop.map(|stop| Lost {
            offset: stop.offset as u64,
            bytes: length.saturating_sub(stop.offset) as u64,
            problem: stop.problem,
        }),
    };
    if let Some(bad) =
        left_out.bad_events.as_ref().filter(|bad| 2 * bad.count > bad.count + decoded.t.len() as u64)
    {
        let problem = format!(
            "{} of {} events are faulty, the first: {}; {REMEDY_SENSOR}, or the format, if it is another (`format`)",
            bad.count,
            bad.count + decoded.t.len() as u64,
            bad.problem
        );
        return Err(fault(path, bad.offset as usize, bad.event, problem));
    }
    Ok((decoded.into_stream(sensor)?, left_out))
}
