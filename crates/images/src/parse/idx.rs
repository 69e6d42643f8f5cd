//! IDX, the format of MNIST: a big-endian header of sizes, then the values.
//!
//! Layout: two zero bytes, the type (0x08 is unsigned byte, the only one that the data sets use), the number of
//! dimensions, a `u32` a dimension, then the values in row-major order. (Y. LeCun, C. Cortes, C. Burges: THE MNIST
//! DATABASE of handwritten digits.)

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::{Cursor, FETCH_AGAIN, ParseError};

const FORMAT: &str = "IDX";
const UNSIGNED_BYTE: u8 = 0x08;
/// MNIST's pictures have three dimensions; more than this is no IDX file.
const MAX_DIMENSIONS: u8 = 8;

/// What an IDX file says before its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdxHeader {
    /// The sizes, outermost first: `[N]` for labels, `[N, H, W]` for pictures.
    pub dims: Vec<usize>,
}

impl IdxHeader {
    /// The number of values: the sizes multiplied.
    pub fn values(&self) -> usize {
        self.dims.iter().product()
    }

    /// The bytes of the header.
    pub fn length(&self) -> usize {
        4 + 4 * self.dims.len()
    }
}

/// An IDX file of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx<'a> {
    /// The sizes.
    pub header: IdxHeader,
    /// The values in row-major order.
    pub values: &'a [u8],
}

fn parse_header(cursor: &mut Cursor<'_>) -> Result<IdxHeader, ParseError> {
    let [zero, also_zero, kind, dimensions] = cursor.array::<4>()?;
    if zero != 0 || also_zero != 0 {
        return Err(
            cursor.error_at(0, format!("starts with {zero:#04x} {also_zero:#04x} instead of two zero bytes"))
        );
    }
    if kind != UNSIGNED_BYTE {
        return Err(ParseError {
            remedy: "only files of unsigned bytes (type 0x08) are read",
            ..cursor.error_at(2, format!("values of type {kind:#04x}"))
        });
    }
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        return Err(cursor.error_at(3, format!("{dimensions} dimensions")));
    }
    let mut dims = Vec::with_capacity(usize::from(dimensions));
    let mut values = 1usize;
    for _ in 0..dimensions {
        let size = u32::from_be_bytes(cursor.array()?) as usize;
        dims.push(size);
        values = match values.checked_mul(size) {
            Some(product) if product <= isize::MAX as usize => product,
            _ => return Err(cursor.error(format!("sizes {dims:?} are more values than memory can hold"))),
        };
    }
    Ok(IdxHeader { dims })
}

/// Reads an IDX file of unsigned bytes: `[N]` labels or `[N, H, W]` pictures.
///
/// # Errors
/// Not IDX, another type of value, and fewer or more bytes than the header announces.
///
/// ```
/// let file = [0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 20, 30];
/// let idx = tks_images::parse::idx::parse_idx(&file)?;
/// assert_eq!((idx.header.dims, idx.values), (vec![1, 3], &[10, 20, 30][..]));
/// # Ok::<(), tks_images::parse::ParseError>(())
/// ```
pub fn parse_idx(bytes: &[u8]) -> Result<Idx<'_>, ParseError> {
    let mut cursor = Cursor::new(FORMAT, bytes);
    let header = parse_header(&mut cursor)?;
    let (announced, found) = (header.values(), cursor.remaining());
    if announced != found {
        let sizes = &header.dims;
        return Err(cursor
            .error(format!("the header announces {announced} values ({sizes:?}), the file has {found}")));
    }
    let values = cursor.take(announced)?;
    Ok(Idx { header, values })
}

/// Whether the bytes start as a gzip file does.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Unpacks a gzip file that holds an IDX file, no further than its header announces.
///
/// # Errors
/// As [`parse_idx`], and a damaged gzip stream. A header that announces more than `limit` bytes is refused before
/// anything is unpacked, so a small file cannot fill the memory.
pub fn gunzip_idx(bytes: &[u8], limit: usize) -> Result<Vec<u8>, ParseError> {
    let damaged = |offset: usize, error: std::io::Error| ParseError {
        format: "IDX in gzip",
        offset: offset as u64,
        problem: format!("gzip stream: {error}"),
        remedy: FETCH_AGAIN,
    };
    let mut decoder = MultiGzDecoder::new(bytes);
    let mut unpacked = Vec::new();
    decoder.by_ref().take(4).read_to_end(&mut unpacked).map_err(|error| damaged(0, error))?;
    let dimensions = unpacked.get(3).map_or(0, |&dimensions| usize::from(dimensions.min(MAX_DIMENSIONS)));
    let sizes = 4 * dimensions as u64;
    decoder.by_ref().take(sizes).read_to_end(&mut unpacked).map_err(|error| damaged(4, error))?;
    let header = parse_header(&mut Cursor::new(FORMAT, &unpacked))?;
    if header.values() > limit {
        return Err(ParseError {
            format: FORMAT,
            offset: 4,
            problem: format!("sizes {:?} are more than the {limit} bytes that are read", header.dims),
            remedy: FETCH_AGAIN,
        });
    }
    let start = unpacked.len();
    // one byte more than announced, so that a file that goes on is told from one that ends
    let wanted = header.values() as u64 + 1;
    decoder.take(wanted).read_to_end(&mut unpacked).map_err(|error| damaged(start, error))?;
    Ok(unpacked)
}
