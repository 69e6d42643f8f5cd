//! The binary version of CIFAR10 and CIFAR100: records of one or two label bytes and 3,072 pixels.
//!
//! A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009.

use super::{Cursor, FETCH_AGAIN, ParseError};

/// The height and width of an image.
pub const SIDE: usize = 32;
/// The number of pixel values of an image: red, green and blue planes of 32 x 32, row by row.
pub const PIXELS: usize = 3 * SIDE * SIDE;

/// The two layouts of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CifarLayout {
    /// One label byte per record: 3,073 bytes.
    Cifar10,
    /// A coarse and a fine label byte per record: 3,074 bytes.
    Cifar100,
}

impl CifarLayout {
    /// The number of bytes before a record's pixels.
    pub const fn label_bytes(self) -> usize {
        match self {
            Self::Cifar10 => 1,
            Self::Cifar100 => 2,
        }
    }

    /// The number of bytes of a record.
    pub const fn record_bytes(self) -> usize {
        self.label_bytes() + PIXELS
    }
}

/// The records of a file, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct CifarRecords<'a> {
    layout: CifarLayout,
    bytes: &'a [u8],
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CifarRecord<'a> {
    /// The class; in CIFAR100, the fine one. As stored, so it may be out of range.
    pub label: u8,
    /// The superclass, in CIFAR100. As stored, so it may be out of range.
    pub coarse: Option<u8>,
    /// Planar pixels `[3, 32, 32]`.
    pub pixels: &'a [u8],
}

impl<'a> CifarRecords<'a> {
    /// The number of records.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.layout.record_bytes()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The records, in the file's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = CifarRecord<'a>> + use<'a> {
        let layout = self.layout;
        self.bytes.chunks_exact(layout.record_bytes()).map(move |record| {
            let (labels, pixels) = record.split_at(layout.label_bytes());
            match labels {
                [coarse, fine] => CifarRecord { label: *fine, coarse: Some(*coarse), pixels },
                _ => CifarRecord { label: labels[0], coarse: None, pixels },
            }
        })
    }
}

/// Reads a file of the binary version.
///
/// # Errors
/// A length that is not a whole number of records, or zero: the error names the truncated record.
pub fn parse_cifar(bytes: &[u8], layout: CifarLayout) -> Result<CifarRecords<'_>, ParseError> {
    let cursor = Cursor::new("CIFAR binary", bytes);
    let (record, rest) = (layout.record_bytes(), bytes.len() % layout.record_bytes());
    if bytes.is_empty() {
        return Err(cursor.error("an empty file"));
    }
    if rest != 0 {
        let other = match layout {
            CifarLayout::Cifar10 => CifarLayout::Cifar100,
            CifarLayout::Cifar100 => CifarLayout::Cifar10,
        };
        let remedy = if bytes.len().is_multiple_of(other.record_bytes()) {
            "its length fits the other of CIFAR10 and CIFAR100: open it as that"
        } else {
            FETCH_AGAIN
        };
        let whole = bytes.len() / record;
        let problem = format!("record {whole} is cut: {rest} of its {record} bytes");
        return Err(ParseError { remedy, ..cursor.error_at(whole * record, problem) });
    }
    Ok(CifarRecords { layout, bytes })
}
