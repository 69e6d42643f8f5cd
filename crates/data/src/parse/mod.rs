//! Reading files of the data sets over byte slices.
//!
//! | module | reads |
//! |---|---|
//! | [`mat`] | MATLAB v5 `.mat`: lists of images and their labels, recordings of events |
//!
//! Nothing here opens a file, panics on bad bytes, or takes memory out of proportion to the input: a reader that
//! unpacks has a limit. An error tells the byte offset, what is wrong there and what to do; who opened the file adds
//! its name.

pub mod mat;

/// What is wrong in a file's bytes, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{format}: {problem} (at byte {offset}); {remedy}")]
pub struct ParseError {
    /// The format that the bytes were read as.
    pub format: &'static str,
    /// Where in the (unpacked) bytes.
    pub offset: u64,
    /// What was found, and what was expected.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
}

/// The usual remedy: the file was cut or altered on its way.
pub const FETCH_AGAIN: &str = "the file is cut or damaged: fetch it again and compare its checksum";

/// The bytes, and how far they were read.
///
/// Every read checks the length first, so that no reader indexes past the end.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    format: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The start of `bytes`; `format` stands in errors.
    pub fn new(format: &'static str, bytes: &'a [u8]) -> Self {
        Self { format, bytes, at: 0 }
    }

    /// How many bytes were read.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
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
    /// Fewer are left.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], ParseError> {
        if length > self.remaining() {
            return Err(self.error(format!("{length} bytes wanted, {} left", self.remaining())));
        }
        let part = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(part)
    }

    /// As [`Cursor::take`], or what is left when that is less.
    pub fn take_up_to(&mut self, length: usize) -> &'a [u8] {
        let part = &self.bytes[self.at..self.at + length.min(self.remaining())];
        self.at += part.len();
        part
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// The next byte.
    ///
    /// # Errors
    /// None is left.
    pub fn u8(&mut self) -> Result<u8, ParseError> {
        Ok(self.array::<1>()?[0])
    }

    /// Up to and without the next `end`, which is passed over.
    ///
    /// # Errors
    /// There is no `end`.
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
