//! Bytes of files: held in memory, or read from an open file on demand.
//!
//! Nothing is memory-mapped. If another program truncates a mapped file (as `cp other.tar data.tar` does),
//! the process is killed by a signal without a message; a file that is read gives an error that names it.

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::DataError;
use crate::regular_file;

/// A range of bytes in memory that is cheap to clone and to slice.
#[derive(Clone, Default)]
pub struct Bytes {
    owner: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Bytes {
    /// The part of these bytes in `range`; `None` if it extends beyond the end.
    fn slice(&self, range: Range<u64>) -> Option<Bytes> {
        let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
        (start <= end && end <= self.len()).then(|| Bytes {
            owner: Arc::clone(&self.owner),
            range: self.range.start + start..self.range.start + end,
        })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.owner[self.range.clone()]
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(memory: Vec<u8>) -> Self {
        let range = 0..memory.len();
        Bytes { owner: Arc::new(memory), range }
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({} bytes)", self.len())
    }
}

/// A range of bytes of an open file or of memory, read on demand from any thread. It is cheap to clone and to
/// slice.
#[derive(Clone, Debug)]
pub struct ByteSource {
    data: Data,
    /// Its offset in the file; 0 for memory.
    start: u64,
    len: u64,
}

#[derive(Clone, Debug)]
enum Data {
    File(Arc<OpenFile>),
    Memory(Bytes),
}

#[derive(Debug)]
struct OpenFile {
    file: std::fs::File,
    path: PathBuf,
    len: u64,
}

impl ByteSource {
    /// The whole file at `path`.
    ///
    /// # Errors
    /// [`DataError::Io`] if it cannot be opened, [`DataError::NotAFile`] for a folder, a pipe or a device.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let (file, len) = regular_file::open(path)?;
        let file = OpenFile { file, path: path.to_path_buf(), len };
        Ok(ByteSource { data: Data::File(Arc::new(file)), start: 0, len })
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part of length `len` that starts at `offset`; `None` if it extends beyond the end.
    pub fn slice(&self, offset: u64, len: u64) -> Option<ByteSource> {
        let end = offset.checked_add(len).filter(|&end| end <= self.len)?;
        let (data, start) = match &self.data {
            Data::File(file) => (Data::File(Arc::clone(file)), self.start + offset),
            Data::Memory(bytes) => (Data::Memory(bytes.slice(offset..end)?), 0),
        };
        Some(ByteSource { data, start, len })
    }

    /// Fills `out` with the bytes starting at `offset`.
    ///
    /// # Errors
    /// [`DataError::Changed`] if the file's size differs from that when it was opened; [`DataError::Io`].
    pub fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), DataError> {
        let end = offset.saturating_add(out.len() as u64);
        match &self.data {
            Data::Memory(bytes) => {
                let part = bytes.slice(offset..end).ok_or_else(|| self.beyond(end))?;
                out.copy_from_slice(&part);
                Ok(())
            }
            Data::File(_) if end > self.len => Err(self.beyond(end)),
            Data::File(file) => file.read_at(self.start + offset, out),
        }
    }

    /// A read beyond the end: the caller did not check its range.
    fn beyond(&self, end: u64) -> DataError {
        let path = match &self.data {
            Data::File(file) => file.path.clone(),
            Data::Memory(_) => PathBuf::from("bytes in memory"),
        };
        let message = format!("bytes up to {end} are asked for, but there are {}", self.len);
        DataError::Archive { path, offset: self.len, message }
    }

    /// The bytes of `range`: borrowed if they are in memory, else read into `scratch`.
    ///
    /// # Errors
    /// As [`ByteSource::read_at`].
    pub fn bytes_in<'a>(
        &'a self,
        range: Range<u64>,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], DataError> {
        let end = range.end;
        let too_much = || self.beyond(end);
        if let Data::Memory(bytes) = &self.data {
            let (Ok(start), Ok(end)) = (usize::try_from(range.start), usize::try_from(range.end)) else {
                return Err(too_much());
            };
            return bytes.get(start..end).ok_or_else(too_much);
        }
        let count = range.end.checked_sub(range.start).filter(|_| range.end <= self.len);
        let count = count.and_then(|count| usize::try_from(count).ok()).ok_or_else(too_much)?;
        scratch.clear();
        scratch.try_reserve_exact(count).map_err(|_| self.out_of_memory(count))?;
        scratch.resize(count, 0);
        self.read_at(range.start, scratch)?;
        Ok(scratch)
    }

    fn out_of_memory(&self, count: usize) -> DataError {
        let path = match &self.data {
            Data::File(file) => file.path.as_path(),
            Data::Memory(_) => Path::new("bytes in memory"),
        };
        let message = format!("there is no memory for its {count} bytes");
        DataError::io("read", path, io::Error::new(io::ErrorKind::OutOfMemory, message))
    }

    /// All bytes, in memory.
    ///
    /// # Errors
    /// As [`ByteSource::read_at`].
    pub fn to_bytes(&self) -> Result<Bytes, DataError> {
        if let Data::Memory(bytes) = &self.data {
            return Ok(bytes.clone());
        }
        let mut memory = Vec::new();
        self.bytes_in(0..self.len, &mut memory)?;
        Ok(memory.into())
    }

    /// Reads from the beginning, at least `window` bytes at a time.
    pub(crate) fn reader(&self, window: usize) -> Reader {
        Reader { source: self.clone(), position: 0, buffer: Vec::new(), buffer_start: 0, window }
    }
}

impl From<Vec<u8>> for ByteSource {
    fn from(memory: Vec<u8>) -> Self {
        let len = memory.len() as u64;
        ByteSource { data: Data::Memory(memory.into()), start: 0, len }
    }
}

impl OpenFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), DataError> {
        let read = read_exact_at(&self.file, out, offset);
        let io = |e| DataError::io("read", &self.path, e);
        // Checked after reading, so that the bytes read are those of the file as it was opened.
        let found = self.file.metadata().map_err(io)?.len();
        if found != self.len {
            return Err(DataError::Changed { path: self.path.clone(), opened: self.len, found });
        }
        read.map_err(io)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &std::fs::File, out: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &std::fs::File, mut out: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !out.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, out, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out = &mut out[count..];
        offset += count as u64;
    }
    Ok(())
}

/// A [`ByteSource`] as a stream. Seeking keeps the buffer, since archive readers jump about within a small
/// range.
pub(crate) struct Reader {
    source: ByteSource,
    position: u64,
    buffer: Vec<u8>,
    buffer_start: u64,
    window: usize,
}

impl Reader {
    /// The offset of the next byte to read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    fn left(&self) -> u64 {
        self.source.len.saturating_sub(self.position)
    }
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let buffered = self.position.checked_sub(self.buffer_start);
        let in_buffer = buffered.is_some_and(|at| at < self.buffer.len() as u64);
        let count = if in_buffer || out.len() < self.window {
            let available = self.fill_buf()?;
            let count = available.len().min(out.len());
            out[..count].copy_from_slice(&available[..count]);
            count
        } else {
            let count = self.left().min(out.len() as u64) as usize;
            if count == 0 {
                return Ok(0);
            }
            self.source.read_at(self.position, &mut out[..count]).map_err(io::Error::other)?;
            count
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Data::Memory(bytes) = &self.source.data {
            let at = self.position.min(bytes.len() as u64) as usize;
            return Ok(&bytes[at..]);
        }
        let within = |at: u64, length: usize| at < length as u64;
        let at = self.position.checked_sub(self.buffer_start).filter(|&at| within(at, self.buffer.len()));
        let at = match at {
            Some(at) => at as usize,
            None => {
                let count = self.left().min(self.window as u64) as usize;
                if count == 0 {
                    return Ok(&[]);
                }
                self.buffer.resize(count, 0);
                self.buffer_start = self.position;
                if let Err(error) = self.source.read_at(self.position, &mut self.buffer) {
                    self.buffer.clear();
                    return Err(io::Error::other(error));
                }
                0
            }
        };
        Ok(&self.buffer[at..])
    }

    fn consume(&mut self, count: usize) {
        self.position += count as u64;
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.source.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "a position before the beginning");
        self.position = position.ok_or_else(before)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of_file(folder: &Path, bytes: &[u8]) -> ByteSource {
        let path = folder.join("data");
        std::fs::write(&path, bytes).unwrap();
        ByteSource::open(&path).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn files_and_memory_read_alike(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            cut in (0u64..300, 0u64..300),
            jumps in prop::collection::vec((0u64..320, 0usize..40), 1..20),
            window in 1usize..50,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let file = of_file(folder.path(), &bytes);
            let memory = ByteSource::from(bytes.clone());
            let (start, len) = cut;
            let (file, memory) = (file.slice(start, len), memory.slice(start, len));
            prop_assert_eq!(file.is_some(), start + len <= bytes.len() as u64);
            prop_assert_eq!(memory.is_some(), file.is_some());
            let (Some(file), Some(memory)) = (file, memory) else { return Ok(()) };
            let part = &bytes[start as usize..(start + len) as usize];
            prop_assert_eq!(&file.to_bytes().unwrap()[..], part);
            prop_assert_eq!(&memory.to_bytes().unwrap()[..], part);
            let mut plain = io::Cursor::new(part);
            let mut readers = [file.reader(window), memory.reader(window)];
            for (position, count) in jumps {
                let mut expected = vec![0; count];
                plain.seek(SeekFrom::Start(position)).unwrap();
                let length = plain.read(&mut expected).unwrap();
                for reader in &mut readers {
                    reader.seek(SeekFrom::Start(position)).unwrap();
                    let mut found = Vec::new();
                    reader.by_ref().take(count as u64).read_to_end(&mut found).unwrap();
                    prop_assert_eq!(&found[..], &expected[..length]);
                    prop_assert_eq!(reader.position(), position + length as u64);
                }
            }
        }
    }

    #[test]
    fn a_reader_goes_where_a_cursor_goes() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..40).collect();
        for source in [of_file(folder.path(), &bytes), ByteSource::from(bytes.clone())] {
            let mut plain = io::Cursor::new(&bytes);
            let mut reader = source.reader(7);
            // Within the buffer, before it, at its end, beyond the end of all.
            let ways = [
                SeekFrom::Start(3),
                SeekFrom::Current(2),
                SeekFrom::Current(-4),
                SeekFrom::Current(20),
                SeekFrom::End(-3),
                SeekFrom::End(-40),
                SeekFrom::Current(7),
                SeekFrom::End(0),
                SeekFrom::End(5),
                SeekFrom::Start(39),
            ];
            for to in ways {
                assert_eq!(reader.seek(to).unwrap(), plain.seek(to).unwrap(), "{to:?}");
                for count in [0, 2, 7, 8] {
                    let (mut found, mut expected) = ([99; 8], [99; 8]);
                    let mut read = 0;
                    while let Ok(more @ 1..) = reader.read(&mut found[read..count]) {
                        read += more;
                    }
                    assert_eq!(plain.read(&mut expected[..count]).unwrap(), read, "{to:?} {count}");
                    assert_eq!((found, reader.position()), (expected, plain.position()), "{to:?} {count}");
                }
            }
            let position = reader.position();
            for to in [SeekFrom::Current(-41), SeekFrom::End(-41)] {
                let error = reader.seek(to).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                assert_eq!(reader.position(), position);
            }
            reader.seek(SeekFrom::Start(5)).unwrap();
            assert_eq!(reader.fill_buf().unwrap()[..3], [5, 6, 7]);
            reader.consume(2);
            assert_eq!((reader.position(), reader.fill_buf().unwrap()[0], reader.left()), (7, 7, 33));
        }
    }

    #[test]
    fn a_file_is_read_a_window_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = of_file(folder.path(), &[1; 40]).reader(7);
        assert_eq!((reader.fill_buf().unwrap().len(), reader.read(&mut [0; 3]).unwrap()), (7, 3));
        // Large reads bypass the buffer once it is empty.
        assert_eq!(reader.read(&mut [0; 20]).unwrap(), 4);
        assert_eq!(reader.read(&mut [0; 20]).unwrap(), 20);
        assert_eq!(
            (reader.buffer_start, reader.buffer.len(), reader.read(&mut [0; 20]).unwrap()),
            (0, 7, 13)
        );
        assert_eq!(reader.read(&mut [0; 20]).unwrap(), 0);
    }

    #[test]
    fn a_file_that_is_shortened_or_replaced_in_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let source = of_file(folder.path(), &[7; 100_000]);
        let path = folder.path().join("data");
        for bytes in [&[9; 10][..], &[], &[8; 100_001]] {
            // In place, as `cp` does.
            std::fs::write(&path, bytes).unwrap();
            for offset in [0, 50_000] {
                let error = source.read_at(offset, &mut [0; 10]).unwrap_err();
                assert!(matches!(error, DataError::Changed { opened: 100_000, .. }), "{error}");
                assert!(error.to_string().contains(&path.display().to_string()), "{error}");
            }
            assert!(source.reader(16).read(&mut [0; 4]).unwrap_err().to_string().contains("100000 bytes"));
        }
        std::fs::write(&path, [7; 100_000]).unwrap();
        source.read_at(0, &mut [0; 10]).unwrap();
    }

    #[test]
    fn what_lies_beyond_the_end_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for source in [of_file(folder.path(), &[1, 2, 3]), ByteSource::from(vec![1, 2, 3])] {
            let mut scratch = Vec::new();
            assert_eq!(source.bytes_in(1..3, &mut scratch).unwrap(), [2, 3]);
            assert!(!source.is_empty() && source.slice(3, 0).unwrap().is_empty());
            for range in [2..4, 4..4, u64::MAX - 1..u64::MAX] {
                assert!(source.bytes_in(range.clone(), &mut scratch).is_err(), "{range:?}");
            }
            assert!(source.read_at(u64::MAX, &mut [0; 2]).is_err());
            assert!(source.slice(u64::MAX, 2).is_none());
        }
    }
}
