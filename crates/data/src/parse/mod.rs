//! Parsers for the data sets' files, over byte slices.
//!
//! | module | reads |
//! |---|---|
//! | [`mat`] | MATLAB v5 `.mat`: lists of images and their labels, recordings of events |
//!
//! Nothing here opens a file, panics on bad bytes, or allocates memory out of proportion to the input: a
//! reader that decompresses has a limit. An error gives the byte offset, what is wrong there and what to do;
//! the caller that opened the file adds its name.

pub mod mat;

/// What is wrong in a file's bytes, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{format}: {problem} (at byte {offset}); {remedy}")]
pub struct ParseError {
    /// The format that was expected.
    pub format: &'static str,
    /// The offset in the (decompressed) bytes.
    pub offset: u64,
    /// What was found and what was expected.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
}

/// The usual remedy: the file was truncated or altered during transfer.
pub const FETCH_AGAIN: &str = "the file is cut or damaged: fetch it again and compare its checksum";

/// The bytes and the current position.
///
/// Every read checks the length first, so that no reader indexes past the end.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    format: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`; `format` is used in error messages.
    pub fn new(format: &'static str, bytes: &'a [u8]) -> Self {
        Self { format, bytes, at: 0 }
    }

    /// Number of bytes read so far.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Number of bytes left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// An error at the next byte, with the usual remedy.
    pub fn error(&self, problem: impl Into<String>) -> ParseError {
        self.error_at(self.at, problem)
    }

    /// An error at byte `offset`, with the usual remedy.
    pub fn error_at(&self, offset: usize, problem: impl Into<String>) -> ParseError {
        ParseError {
            format: self.format,
            offset: offset as u64,
            problem: problem.into(),
            remedy: FETCH_AGAIN,
        }
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// If fewer bytes are left.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], ParseError> {
        if length > self.remaining() {
            return Err(self.error(format!("{length} bytes wanted, {} left", self.remaining())));
        }
        let part = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(part)
    }

    /// Like [`Cursor::take`], but returns what is left if that is less.
    pub fn take_up_to(&mut self, length: usize) -> &'a [u8] {
        let part = &self.bytes[self.at..self.at + length.min(self.remaining())];
        self.at += part.len();
        part
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// If fewer bytes are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// The next byte.
    ///
    /// # Errors
    /// If no byte is left.
    pub fn u8(&mut self) -> Result<u8, ParseError> {
        Ok(self.array::<1>()?[0])
    }

    /// The bytes up to the next `end`, which is skipped.
    ///
    /// # Errors
    /// If there is no `end`.
    pub fn until(&mut self, end: u8) -> Result<&'a [u8], ParseError> {
        match self.bytes[self.at..].iter().position(|&byte| byte == end) {
            Some(length) => {
                let part = self.take(length)?;
                self.at += 1;
                Ok(part)
            }
            None => Err(self.error(format!("no byte {end:#04x} up to the end"))),
        }
    }
}
