//! IDX, the format of MNIST: a big-endian header of sizes, then the values.
//!
//! Layout: two zero bytes, the type (0x08 is unsigned byte, the only one that the data sets use), the number
//! of dimensions, one `u32` per dimension, then the values in row-major order. (Y. LeCun, C. Cortes, C.
//! Burges: THE MNIST DATABASE of handwritten digits.)

use super::{Cursor, ParseError};

const FORMAT: &str = "IDX";
const UNSIGNED_BYTE: u8 = 0x08;
/// MNIST's images have three dimensions; a file with more dimensions than this is not IDX.
const MAX_DIMENSIONS: u8 = 8;

/// The header of an IDX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdxHeader {
    /// The sizes, outermost first: `[N]` for labels, `[N, H, W]` for images.
    pub dims: Vec<usize>,
}

impl IdxHeader {
    /// The number of values: the sizes multiplied.
    pub fn values(&self) -> usize {
        self.dims.iter().product()
    }

    /// The number of bytes of the header.
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

/// Reads an IDX file of unsigned bytes: `[N]` labels or `[N, H, W]` images.
///
/// # Errors
/// A file that is not IDX, another type of value, and fewer or more bytes than the header states.
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
