//! Readers for the label and picture files of the data sets, over byte slices.
//!
//! | module | reads |
//! |---|---|
//! | [`idx`] | IDX: MNIST, Fashion-MNIST |
//! | [`cifar`] | the binary version of CIFAR10 and CIFAR100 |
//! | [`pickle`] | the Python version of CIFAR10 and CIFAR100, without running anything |
//! | [`mat`] | MATLAB v5 `.mat`: the lists of StanfordDogs, StanfordCars and of ImageNet's devkit |
//! | [`lines`] | text tables with a row a line: CUB-200-2011, ImageNet's ground truth |
//!
//! Nothing here opens a file, panics on bad bytes, or takes memory out of proportion to the input: a reader that
//! unpacks has a limit. An error tells the byte offset, what is wrong there and what to do; who opened the file adds
//! its name.

pub mod cifar;
pub mod idx;
pub mod lines;
pub mod mat;
pub mod pickle;

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
pub(crate) const FETCH_AGAIN: &str = "the file is cut or damaged: fetch it again and compare its checksum";

/// The start of a text from a file, short enough for a message.
pub(crate) fn shown(text: &[u8]) -> String {
    const LONGEST: usize = 80;
    String::from_utf8_lossy(&text[..text.len().min(LONGEST)]).into_owned()
}

/// The bytes, and how far they were read.
///
/// Every read checks the length first, so that no reader indexes past the end.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    format: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(format: &'static str, bytes: &'a [u8]) -> Self {
        Self { format, bytes, at: 0 }
    }

    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn error(&self, problem: impl Into<String>) -> ParseError {
        self.error_at(self.at, problem)
    }

    pub(crate) fn error_at(&self, offset: usize, problem: impl Into<String>) -> ParseError {
        ParseError {
            format: self.format,
            offset: offset as u64,
            problem: problem.into(),
            remedy: FETCH_AGAIN,
        }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], ParseError> {
        if length > self.remaining() {
            return Err(self.error(format!("{length} bytes wanted, {} left", self.remaining())));
        }
        let part = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(part)
    }

    /// As [`Cursor::take`], or what is left when that is less.
    pub(crate) fn take_up_to(&mut self, length: usize) -> &'a [u8] {
        let part = &self.bytes[self.at..self.at + length.min(self.remaining())];
        self.at += part.len();
        part
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ParseError> {
        Ok(self.array::<1>()?[0])
    }

    /// Up to and without the next `end`, which is passed over.
    pub(crate) fn until(&mut self, end: u8) -> Result<&'a [u8], ParseError> {
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
