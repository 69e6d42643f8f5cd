//! TensorBoard event files: writing and reading scalars over steps.
//!
//! An event file is a sequence of records (TFRecord: length, its checksum, bytes, their checksum), each a
//! protocol buffer `Event`; only the parts needed for scalars are written here. A resumed training run
//! appends to its file: a record truncated by a crash is dropped, and TensorBoard is told that values after
//! the step at which it resumes are invalid.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::ReportError;

/// The prefix of every event file's name, by which TensorBoard finds it.
pub const FILE_PREFIX: &str = "events.out.tfevents.";

/// One number at one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// Its name: `train/loss`.
    pub tag: String,
    /// Step: epoch or batch.
    pub step: i64,
    /// The value; TensorBoard stores it in single precision.
    pub value: f32,
    /// Time of writing, in seconds since 1970.
    pub wall_time: f64,
}

/// Writes scalars to an event file.
#[derive(Debug)]
pub struct EventWriter {
    file: BufWriter<File>,
    path: PathBuf,
}

impl EventWriter {
    /// Starts a new event file in the folder, which is created if necessary.
    ///
    /// # Errors
    /// [`ReportError::Io`] if it cannot be written.
    pub fn create(folder: &Path) -> Result<Self, ReportError> {
        std::fs::create_dir_all(folder).map_err(|e| io("create", folder, e))?;
        let now = now();
        // A second file made in the same second by the same process gets the next number.
        let mut number = 0;
        let (path, file) = loop {
            let name = format!("{FILE_PREFIX}{:010}.tks.{}.{number}", now as u64, std::process::id());
            let path = folder.join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => break (path, file),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(io("create", &path, error)),
            }
        };
        let mut writer = Self { file: BufWriter::new(file), path };
        writer.record(&event(now, 0, &Content::Version))?;
        writer.flush()?;
        Ok(writer)
    }

    /// Continues the newest event file of the folder from `step` on: values already written for this step and
    /// later ones become invalid. If there is no file, a new one is started.
    ///
    /// # Errors
    /// [`ReportError::Io`] if it cannot be read or written, [`ReportError::Events`] if it is damaged other
    /// than by a truncated end.
    pub fn resume(folder: &Path, step: i64) -> Result<Self, ReportError> {
        let Some(path) = newest(folder)? else { return Self::create(folder) };
        let bytes = std::fs::read(&path).map_err(|e| io("read", &path, e))?;
        let sound = Records::new(&path, &bytes).try_fold(0, |_, record| record.map(|record| record.end))?;
        let file = OpenOptions::new().append(true).open(&path).map_err(|e| io("write", &path, e))?;
        file.set_len(sound).map_err(|e| io("shorten", &path, e))?;
        let mut writer = Self { file: BufWriter::new(file), path };
        if sound == 0 {
            writer.record(&event(now(), 0, &Content::Version))?;
        }
        writer.record(&event(now(), step, &Content::SessionStart))?;
        writer.flush()?;
        Ok(writer)
    }

    /// Repairs the newest event file of the folder, if damaged, so that [`EventWriter::resume`] can continue
    /// it: the records before the damage are kept. The original file is kept under the name that is returned;
    /// TensorBoard, which reads any file with `tfevents` in its name, ignores it. Returns `None` if nothing
    /// is damaged.
    ///
    /// # Errors
    /// [`ReportError::Io`] if it cannot be read, [`ReportError::Write`] if writing fails.
    pub fn repair(folder: &Path) -> Result<Option<PathBuf>, ReportError> {
        let Some(path) = newest(folder)? else { return Ok(None) };
        let bytes = std::fs::read(&path).map_err(|e| io("read", &path, e))?;
        let (mut sound, mut is_damaged) = (0, false);
        for record in Records::new(&path, &bytes) {
            match record {
                Ok(record) => sound = record.end as usize,
                Err(_) => is_damaged = true,
            }
        }
        if !is_damaged {
            return Ok(None);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().replace("tfevents.", "");
        let aside = folder.join(format!("{name}.damaged"));
        tks_data::whole_file::copy(&path, &aside)?;
        tks_data::whole_file::write(&path, &bytes[..sound])?;
        Ok(Some(aside))
    }

    /// Writes one number. Non-finite values are written too; TensorBoard shows them as such.
    ///
    /// # Errors
    /// [`ReportError::Io`] if writing fails.
    pub fn scalar(&mut self, tag: &str, step: i64, value: f64) -> Result<(), ReportError> {
        self.record(&event(now(), step, &Content::Scalar(tag, value as f32)))
    }

    /// Writes several numbers of one step and flushes them to the system.
    ///
    /// # Errors
    /// [`ReportError::Io`] if writing fails.
    pub fn scalars(&mut self, step: i64, scalars: &[(String, f64)]) -> Result<(), ReportError> {
        for (tag, value) in scalars {
            self.scalar(tag, step, *value)?;
        }
        self.flush()
    }

    /// Flushes everything written to the system, so that TensorBoard sees it.
    ///
    /// # Errors
    /// [`ReportError::Io`] if writing fails.
    pub fn flush(&mut self) -> Result<(), ReportError> {
        self.file.flush().map_err(|e| io("write", &self.path, e))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn record(&mut self, data: &[u8]) -> Result<(), ReportError> {
        self.file.write_all(&framed(data)).map_err(|e| io("write", &self.path, e))
    }
}

/// Reads the scalars of an event file in the order in which they were written, except those that a later
/// session invalidated. A truncated record at the end is ignored.
///
/// # Errors
/// [`ReportError::Io`] if it cannot be read, [`ReportError::Events`] if it is damaged.
pub fn read_scalars(path: &Path) -> Result<Vec<Scalar>, ReportError> {
    let bytes = std::fs::read(path).map_err(|e| io("read", path, e))?;
    let mut scalars: Vec<Scalar> = Vec::new();
    for record in Records::new(path, &bytes) {
        let record = record?;
        let parsed = parse_event(record.data, &mut scalars);
        parsed.ok_or_else(|| damaged(path, "an event that cannot be parsed", record.start))?;
    }
    Ok(scalars)
}

/// A record in the TFRecord framing.
fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut framed = Vec::with_capacity(data.len() + 16);
    framed.extend_from_slice(&length);
    framed.extend_from_slice(&masked_checksum(&length).to_le_bytes());
    framed.extend_from_slice(data);
    framed.extend_from_slice(&masked_checksum(data).to_le_bytes());
    framed
}

/// CRC-32C, rotated and offset, since a CRC over data that contains CRCs is unreliable.
fn masked_checksum(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// The contents of an event besides its time and step.
enum Content<'a> {
    /// The first event of a file.
    Version,
    /// Values written earlier for this step and later ones are invalid.
    SessionStart,
    Scalar(&'a str, f32),
}

/// Field numbers of TensorFlow's `event.proto` and `summary.proto`.
mod field {
    pub(super) const WALL_TIME: u64 = 1;
    pub(super) const STEP: u64 = 2;
    pub(super) const FILE_VERSION: u64 = 3;
    pub(super) const SUMMARY: u64 = 5;
    pub(super) const SESSION_LOG: u64 = 7;
    pub(super) const SUMMARY_VALUE: u64 = 1;
    pub(super) const VALUE_TAG: u64 = 1;
    pub(super) const VALUE_SIMPLE: u64 = 2;
    pub(super) const SESSION_STATUS: u64 = 1;
    pub(super) const SESSION_STATUS_START: u64 = 1;
}

/// The wire types of protocol buffers.
mod wire {
    pub(super) const VARINT: u64 = 0;
    pub(super) const EIGHT_BYTES: u64 = 1;
    pub(super) const LENGTH: u64 = 2;
    pub(super) const FOUR_BYTES: u64 = 5;
}

fn event(wall_time: f64, step: i64, content: &Content) -> Vec<u8> {
    let mut event = Vec::new();
    varint(&mut event, field::WALL_TIME << 3 | wire::EIGHT_BYTES);
    event.extend_from_slice(&wall_time.to_le_bytes());
    varint(&mut event, field::STEP << 3 | wire::VARINT);
    varint(&mut event, step as u64);
    match content {
        Content::Version => bytes_field(&mut event, field::FILE_VERSION, b"brain.Event:2"),
        Content::SessionStart => {
            let mut session = Vec::new();
            varint(&mut session, field::SESSION_STATUS << 3 | wire::VARINT);
            varint(&mut session, field::SESSION_STATUS_START);
            bytes_field(&mut event, field::SESSION_LOG, &session);
        }
        Content::Scalar(tag, value) => {
            let mut entry = Vec::new();
            bytes_field(&mut entry, field::VALUE_TAG, tag.as_bytes());
            varint(&mut entry, field::VALUE_SIMPLE << 3 | wire::FOUR_BYTES);
            entry.extend_from_slice(&value.to_le_bytes());
            let mut summary = Vec::new();
            bytes_field(&mut summary, field::SUMMARY_VALUE, &entry);
            bytes_field(&mut event, field::SUMMARY, &summary);
        }
    }
    event
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes_field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | wire::LENGTH);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Adds the event's scalar, if it has one, or removes those that it invalidates. `None` if it is damaged.
fn parse_event(data: &[u8], scalars: &mut Vec<Scalar>) -> Option<()> {
    let (mut wall_time, mut step, mut summary, mut session) = (0.0, 0i64, None, None);
    for found in Fields(data) {
        match found? {
            (field::WALL_TIME, Value::EightBytes(bytes)) => wall_time = f64::from_le_bytes(bytes),
            (field::STEP, Value::Varint(value)) => step = value as i64,
            (field::SUMMARY, Value::Bytes(bytes)) => summary = Some(bytes),
            (field::SESSION_LOG, Value::Bytes(bytes)) => session = Some(bytes),
            _ => {}
        }
    }
    for found in Fields(session.unwrap_or_default()) {
        if let (field::SESSION_STATUS, Value::Varint(field::SESSION_STATUS_START)) = found? {
            scalars.retain(|scalar| scalar.step < step);
        }
    }
    for found in Fields(summary.unwrap_or_default()) {
        let (field::SUMMARY_VALUE, Value::Bytes(entry)) = found? else { continue };
        let (mut tag, mut number) = (None, None);
        for found in Fields(entry) {
            match found? {
                (field::VALUE_TAG, Value::Bytes(bytes)) => tag = Some(std::str::from_utf8(bytes).ok()?),
                (field::VALUE_SIMPLE, Value::FourBytes(bytes)) => number = Some(f32::from_le_bytes(bytes)),
                _ => {}
            }
        }
        if let (Some(tag), Some(value)) = (tag, number) {
            scalars.push(Scalar { tag: tag.to_string(), step, value, wall_time });
        }
    }
    Some(())
}

/// A field's value as stored.
enum Value<'a> {
    Varint(u64),
    EightBytes([u8; 8]),
    Bytes(&'a [u8]),
    FourBytes([u8; 4]),
}

/// The fields of a message; a damaged field gives `None` as the last item.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let found = self.read();
        if found.is_none() {
            self.0 = &[];
        }
        Some(found)
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Option<(u64, Value<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            wire::VARINT => Value::Varint(self.varint()?),
            wire::EIGHT_BYTES => Value::EightBytes(self.take(8)?.try_into().ok()?),
            wire::LENGTH => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            wire::FOUR_BYTES => Value::FourBytes(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        Some((key >> 3, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
}

/// A record and its position in the file.
struct Record<'a> {
    data: &'a [u8],
    start: u64,
    end: u64,
}

/// The records of a file, without a truncated one at the end.
struct Records<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        Self { path, bytes, at: 0 }
    }

    fn read(&self, rest: &'a [u8]) -> Result<Option<&'a [u8]>, &'static str> {
        let Some((length, after)) = rest.split_first_chunk::<8>() else { return Ok(None) };
        let Some((checksum, after)) = after.split_first_chunk::<4>() else { return Ok(None) };
        if u32::from_le_bytes(*checksum) != masked_checksum(length) {
            return Err("the checksum of a record's length is wrong");
        }
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((data, after)) = after.split_at_checked(length) else { return Ok(None) };
        let Some(checksum) = after.first_chunk::<4>() else { return Ok(None) };
        if u32::from_le_bytes(*checksum) != masked_checksum(data) {
            return Err("the checksum of a record is wrong");
        }
        Ok(Some(data))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, ReportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        match self.read(&self.bytes[start..]) {
            Ok(Some(data)) => {
                self.at += data.len() + 16;
                Some(Ok(Record { data, start: start as u64, end: self.at as u64 }))
            }
            Ok(None) => None,
            Err(what) => {
                self.at = self.bytes.len();
                Some(Err(damaged(self.path, what, start as u64)))
            }
        }
    }
}

/// The folder's event file with the last name, and hence the latest time.
fn newest(folder: &Path) -> Result<Option<PathBuf>, ReportError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("read", folder, error)),
    };
    let mut newest: Option<PathBuf> = None;
    for entry in entries {
        let path = entry.map_err(|e| io("read", folder, e))?.path();
        let named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FILE_PREFIX));
        if named && newest.as_ref().is_none_or(|best| path > *best) {
            newest = Some(path);
        }
    }
    Ok(newest)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn io(doing: &'static str, path: &Path, source: std::io::Error) -> ReportError {
    ReportError::Io { doing, path: path.to_path_buf(), source }
}

fn damaged(path: &Path, what: &'static str, offset: u64) -> ReportError {
    ReportError::Events { path: path.to_path_buf(), what, offset }
}
