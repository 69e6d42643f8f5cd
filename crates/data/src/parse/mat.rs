//! MATLAB v5 `.mat` files, as far as the data sets need them: cells, structs, text and numbers, plain or
//! compressed.
//!
//! After "MAT-File Format" (The MathWorks), level 5: a header of 128 bytes, then elements of a type, a length
//! and data, padded to 8 bytes; an element may hold a zlib stream of one element. Version 7.3 files are HDF5
//! and are refused with an error that says so, as are sparse matrices and objects.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::{Cursor, ParseError};

const FORMAT: &str = "MATLAB v5";
const HEADER: usize = 128;
/// Maximum nesting depth of cells and structs; the data sets' files need three.
const MAX_DEPTH: usize = 16;
/// Maximum total size of a list's decompressed elements; the data sets' files need less than 10 MB.
const MAX_UNPACKED: u64 = 32 << 20;
/// Maximum number of dimensions of an array.
const MAX_DIMENSIONS: usize = 32;
const ONLY_PARTS: &str =
    "only the parts of MATLAB v5 that the data sets use are read: save it with `-v6` or `-v7`";

const COMPRESSED: u32 = 15;
const MATRIX: u32 = 14;

/// A variable of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct MatVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: MatValue,
}

/// A value: arrays are in column-major order, as in MATLAB.
#[derive(Debug, Clone, PartialEq)]
pub enum MatValue {
    /// Numbers of any class.
    Numbers {
        /// The sizes.
        dims: Vec<usize>,
        /// The values; the imaginary part is omitted.
        values: MatNumbers,
    },
    /// Characters: for one row, the text.
    Text(String),
    /// A cell array.
    Cells {
        /// The sizes.
        dims: Vec<usize>,
        /// The cells.
        values: Vec<MatValue>,
    },
    /// A struct array.
    Structs {
        /// The sizes.
        dims: Vec<usize>,
        /// The names of the fields.
        fields: Vec<String>,
        /// One element after the other, each with its fields in order.
        values: Vec<MatValue>,
    },
}

/// Numbers as stored in a file, in the smallest type that holds them regardless of their class, so that a
/// long recording takes no more memory than its file.
#[derive(Debug, Clone, PartialEq)]
pub struct MatNumbers {
    kind: MatNumberKind,
    /// Least significant byte first.
    bytes: Vec<u8>,
}

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatNumberKind {
    /// Bytes of a number: 1, 2, 4 or 8.
    pub size: usize,
    /// Whether an integer is signed; floating-point numbers always are.
    pub signed: bool,
    /// Whether it is a floating-point number.
    pub float: bool,
}

impl MatNumberKind {
    /// The number type of an element with this type code.
    fn of_element(kind: u32) -> Option<Self> {
        let (size, signed, float) = match kind {
            1 => (1, true, false),
            2 => (1, false, false),
            3 => (2, true, false),
            4 => (2, false, false),
            5 => (4, true, false),
            6 => (4, false, false),
            7 => (4, true, true),
            9 => (8, true, true),
            12 => (8, true, false),
            13 => (8, false, false),
            _ => return None,
        };
        Some(MatNumberKind { size, signed, float })
    }
}

impl MatNumbers {
    /// None.
    fn none() -> Self {
        MatNumbers { kind: MatNumberKind { size: 8, signed: true, float: true }, bytes: Vec::new() }
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.kind.size
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How the numbers are stored.
    pub fn kind(&self) -> MatNumberKind {
        self.kind
    }

    /// Their bytes, in little-endian order.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The numbers in order. Integers above 2^53 lose their last digits.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        let MatNumberKind { size, signed, float } = self.kind;
        self.bytes.chunks_exact(size).map(move |number| {
            let mut bytes = [0; 8];
            bytes[..size].copy_from_slice(number);
            let bits = u64::from_le_bytes(bytes);
            match (float, size) {
                (true, 4) => f64::from(f32::from_bits(bits as u32)),
                (true, _) => f64::from_bits(bits),
                (false, _) if signed => {
                    let unused = 64 - 8 * size as u32;
                    ((bits.cast_signed() << unused) >> unused) as f64
                }
                (false, _) => bits as f64,
            }
        })
    }
}

impl MatValue {
    /// The number in an array with one element.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Numbers { values, .. } if values.len() == 1 => values.iter().next(),
            _ => None,
        }
    }

    /// The text. An array with one cell is treated as that cell, since MATLAB's lists wrap strings in this
    /// way.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Cells { values, .. } => match values.as_slice() {
                [one] => one.text(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The texts of a cell array.
    pub fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::Cells { values, .. } => values.iter().map(Self::text).collect(),
            _ => None,
        }
    }

    /// The elements of a struct array.
    pub fn elements(&self) -> Option<impl ExactSizeIterator<Item = MatStruct<'_>>> {
        match self {
            Self::Structs { fields, values, .. } if !fields.is_empty() => {
                Some(values.chunks_exact(fields.len()).map(|values| MatStruct { fields, values }))
            }
            _ => None,
        }
    }
}

/// One element of a struct array.
#[derive(Debug, Clone, Copy)]
pub struct MatStruct<'a> {
    fields: &'a [String],
    values: &'a [MatValue],
}

impl<'a> MatStruct<'a> {
    /// A field's value.
    pub fn field(&self, name: &str) -> Option<&'a MatValue> {
        let index = self.fields.iter().position(|field| field == name)?;
        self.values.get(index)
    }
}

/// Reads all variables of a file.
///
/// # Errors
/// A file that is not MATLAB v5, a version 7.3 file, a truncated or damaged one, or contents that the data
/// sets do not use.
pub fn parse_mat(bytes: &[u8]) -> Result<Vec<MatVariable>, ParseError> {
    parse_mat_within(bytes, MAX_UNPACKED)
}

/// Like [`parse_mat`], with a limit of `most` bytes on the total size of the decompressed elements.
///
/// # Errors
/// As [`parse_mat`].
pub fn parse_mat_within(bytes: &[u8], most: u64) -> Result<Vec<MatVariable>, ParseError> {
    let mut cursor = Cursor::new(FORMAT, bytes);
    let header = cursor.take(HEADER)?;
    let endian = match &header[126..] {
        b"IM" => Endian::Little,
        b"MI" => Endian::Big,
        _ if bytes.starts_with(b"\x89HDF") => return Err(version_73(&cursor)),
        _ => return Err(cursor.error_at(126, "no byte order `IM` or `MI`: no MATLAB v5 file")),
    };
    match endian.u16([header[124], header[125]]) {
        0x0100 => {}
        0x0200 => return Err(version_73(&cursor)),
        version => return Err(cursor.error_at(124, format!("version {version:#06x}"))),
    }
    let mut variables = Vec::new();
    let mut left = most;
    while cursor.remaining() > 0 {
        let start = cursor.offset();
        let element = Element::read(&mut cursor, endian)?;
        match element.kind {
            MATRIX => variables.extend(read_variable(element.data, element.offset, endian)?),
            COMPRESSED => {
                let inside = inflate(&element, &mut left)?;
                let mut inner = Cursor::new(FORMAT, &inside);
                let matrix = Element::read(&mut inner, endian).map_err(|error| within(error, start))?;
                if matrix.kind != MATRIX {
                    return Err(
                        cursor.error_at(start, format!("a compressed element of type {}", matrix.kind))
                    );
                }
                let variable = read_variable(matrix.data, matrix.offset, endian);
                variables.extend(variable.map_err(|error| within(error, start))?);
            }
            kind => {
                return Err(cursor.error_at(start, format!("an element of type {kind} instead of a matrix")));
            }
        }
    }
    Ok(variables)
}

/// Reads a file and returns one of its variables.
///
/// # Errors
/// As [`parse_mat`], and if the file has no such variable; the error lists those it has.
pub fn parse_mat_variable(bytes: &[u8], name: &str) -> Result<MatValue, ParseError> {
    let mut variables = parse_mat(bytes)?;
    match variables.iter().position(|variable| variable.name == name) {
        Some(index) => Ok(variables.swap_remove(index).value),
        None => {
            let found: Vec<&str> = variables.iter().map(|variable| variable.name.as_str()).collect();
            Err(ParseError {
                remedy: "it is another file than its name says",
                ..Cursor::new(FORMAT, bytes).error_at(HEADER, format!("no variable `{name}`, only {found:?}"))
            })
        }
    }
}

fn version_73(cursor: &Cursor<'_>) -> ParseError {
    ParseError { remedy: ONLY_PARTS, ..cursor.error_at(124, "a version 7.3 (HDF5) file") }
}

fn unsupported(offset: usize, what: impl Into<String>) -> ParseError {
    ParseError { remedy: ONLY_PARTS, ..Cursor::new(FORMAT, &[]).error_at(offset, what) }
}

/// Offsets within a decompressed element are of no use to the owner of the file, so the start of the element
/// is given.
fn within(error: ParseError, element: usize) -> ParseError {
    let problem = format!("{} (byte {} of the unpacked element)", error.problem, error.offset);
    ParseError { offset: element as u64, problem, ..error }
}

/// Decompresses an element to at most `left` bytes, and subtracts its size from `left`.
fn inflate(element: &Element<'_>, left: &mut u64) -> Result<Vec<u8>, ParseError> {
    let cursor = Cursor::new(FORMAT, &[]);
    let mut inside = Vec::new();
    ZlibDecoder::new(element.data)
        .take(left.saturating_add(1))
        .read_to_end(&mut inside)
        .map_err(|error| cursor.error_at(element.offset, format!("compressed element: {error}")))?;
    *left = left.checked_sub(inside.len() as u64).ok_or_else(|| {
        cursor.error_at(element.offset, format!("unpacks to more than the {left} bytes that are left for it"))
    })?;
    Ok(inside)
}

#[derive(Debug, Clone, Copy)]
enum Endian {
    Little,
    Big,
}

impl Endian {
    fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

/// A type, its data, and the offset of the data.
#[derive(Debug, Clone, Copy)]
struct Element<'a> {
    kind: u32,
    data: &'a [u8],
    offset: usize,
}

impl<'a> Element<'a> {
    fn read(cursor: &mut Cursor<'a>, endian: Endian) -> Result<Self, ParseError> {
        let tag = endian.u32(cursor.array()?);
        if tag >> 16 != 0 {
            // the small format: type and length in four bytes, the data in the next four
            let (kind, length) = (tag & 0xffff, (tag >> 16) as usize);
            let offset = cursor.offset();
            if length > 4 {
                return Err(cursor.error(format!("a small element of {length} bytes")));
            }
            return Ok(Self { kind, data: &cursor.take(4)?[..length], offset });
        }
        let length = endian.u32(cursor.array()?) as usize;
        let offset = cursor.offset();
        let data = cursor.take(length)?;
        if tag != COMPRESSED {
            // writers omit the padding of the last element
            cursor.take_up_to(length.next_multiple_of(8) - length);
        }
        Ok(Self { kind: tag, data, offset })
    }
}

/// The elements of a matrix, one by one.
struct Parts<'a> {
    cursor: Cursor<'a>,
    base: usize,
    endian: Endian,
}

impl<'a> Parts<'a> {
    fn next(&mut self) -> Result<Element<'a>, ParseError> {
        let base = self.base;
        let moved = |error: ParseError| ParseError { offset: error.offset + base as u64, ..error };
        let element = Element::read(&mut self.cursor, self.endian).map_err(moved)?;
        Ok(Element { offset: element.offset + base, ..element })
    }

    fn expect(&mut self, kinds: &[u32], what: &str) -> Result<Element<'a>, ParseError> {
        let element = self.next()?;
        if kinds.contains(&element.kind) {
            Ok(element)
        } else {
            Err(self.error(element.offset, format!("{what} of type {}", element.kind)))
        }
    }

    fn error(&self, offset: usize, problem: impl Into<String>) -> ParseError {
        self.cursor.error_at(offset, problem)
    }
}

fn read_variable(data: &[u8], offset: usize, endian: Endian) -> Result<Option<MatVariable>, ParseError> {
    match read_matrix(data, offset, endian, 0)? {
        // MATLAB's internal data (function workspaces) has no name
        (name, _) if name.is_empty() => Ok(None),
        (name, value) => Ok(Some(MatVariable { name, value })),
    }
}

fn read_matrix(
    data: &[u8],
    offset: usize,
    endian: Endian,
    depth: usize,
) -> Result<(String, MatValue), ParseError> {
    if data.is_empty() {
        return Ok((String::new(), MatValue::Numbers { dims: vec![0, 0], values: MatNumbers::none() }));
    }
    if depth > MAX_DEPTH {
        return Err(unsupported(offset, format!("cells and structs more than {MAX_DEPTH} deep")));
    }
    let mut parts = Parts { cursor: Cursor::new(FORMAT, data), base: offset, endian };
    let flags = parts.expect(&[6], "array flags")?;
    let class = match *flags.data {
        [a, b, c, d, ..] => endian.u32([a, b, c, d]) & 0xff,
        _ => return Err(parts.error(flags.offset, "array flags of fewer than 4 bytes")),
    };
    if !matches!(class, 1 | 2 | 4 | 6..=15) {
        return Err(unsupported(
            flags.offset,
            format!("an array of class {class} (object, sparse or function)"),
        ));
    }
    let sizes = parts.expect(&[5, 6], "sizes")?;
    let (sizes, _) = sizes.data.as_chunks::<4>();
    if sizes.len() > MAX_DIMENSIONS {
        return Err(parts.error(flags.offset, format!("an array of {} dimensions", sizes.len())));
    }
    let dims: Vec<usize> = sizes.iter().map(|&size| endian.u32(size) as usize).collect();
    let total = dims
        .iter()
        .try_fold(1usize, |total, &size| total.checked_mul(size))
        .filter(|_| !dims.is_empty())
        .ok_or_else(|| parts.error(flags.offset, format!("sizes {dims:?}")))?;
    let name = parts.expect(&[1, 2, 16], "a name")?;
    let name = String::from_utf8_lossy(name.data).into_owned();
    let value = match class {
        1 => {
            let values = read_nested(&mut parts, total, depth)?;
            MatValue::Cells { dims, values }
        }
        2 => read_structs(&mut parts, dims, total, depth)?,
        4 => read_text(&mut parts, &dims, total)?,
        _ => {
            let element = parts.next()?;
            let values = read_numbers(&element, endian)?;
            if values.len() != total {
                return Err(
                    parts.error(element.offset, format!("{} numbers for sizes {dims:?}", values.len()))
                );
            }
            MatValue::Numbers { dims, values }
        }
    };
    Ok((name, value))
}

fn read_nested(parts: &mut Parts<'_>, count: usize, depth: usize) -> Result<Vec<MatValue>, ParseError> {
    // each takes at least 8 bytes: impossible sizes are detected before memory is allocated for them
    if count > parts.cursor.remaining() / 8 {
        return Err(
            parts.error(parts.base + parts.cursor.offset(), format!("{count} values, cut before their end"))
        );
    }
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let element = parts.expect(&[MATRIX], "a cell or field")?;
        values.push(read_matrix(element.data, element.offset, parts.endian, depth + 1)?.1);
    }
    Ok(values)
}

fn read_structs(
    parts: &mut Parts<'_>,
    dims: Vec<usize>,
    total: usize,
    depth: usize,
) -> Result<MatValue, ParseError> {
    let length = parts.expect(&[5], "the length of field names")?;
    let (length, _) = length.data.as_chunks::<4>();
    let width = length.first().map_or(0, |&length| parts.endian.u32(length) as usize);
    let names = parts.expect(&[1, 2], "field names")?;
    if width == 0 || !names.data.len().is_multiple_of(width) {
        let found = names.data.len();
        return Err(parts.error(names.offset, format!("{found} bytes of field names of {width}")));
    }
    let fields: Vec<String> = names
        .data
        .chunks_exact(width)
        .map(|name| {
            String::from_utf8_lossy(name.split(|&byte| byte == 0).next().unwrap_or(name)).into_owned()
        })
        .collect();
    let count = total
        .checked_mul(fields.len())
        .ok_or_else(|| parts.error(names.offset, format!("sizes {dims:?} of {} fields", fields.len())))?;
    let values = read_nested(parts, count, depth)?;
    Ok(MatValue::Structs { dims, fields, values })
}

fn read_text(parts: &mut Parts<'_>, dims: &[usize], total: usize) -> Result<MatValue, ParseError> {
    let element = parts.next()?;
    let endian = parts.endian;
    let text = match element.kind {
        1 | 2 | 16 => std::str::from_utf8(element.data).map(str::to_owned).ok(),
        4 | 17 => {
            let (units, _) = element.data.as_chunks::<2>();
            String::from_utf16(&units.iter().map(|&unit| endian.u16(unit)).collect::<Vec<_>>()).ok()
        }
        kind => return Err(parts.error(element.offset, format!("text of type {kind}"))),
    };
    let text = text.ok_or_else(|| parts.error(element.offset, "text that is no UTF-8 or UTF-16"))?;
    let rows = dims.first().copied().unwrap_or(0);
    if rows > 1 && total > 0 {
        return Err(unsupported(element.offset, format!("text of {rows} rows")));
    }
    // sizes count UTF-16 units, regardless of the stored encoding
    if text.encode_utf16().count() != total && text.len() != total {
        let found = text.chars().count();
        return Err(parts.error(element.offset, format!("{found} characters for sizes {dims:?}")));
    }
    Ok(MatValue::Text(text))
}

fn read_numbers(element: &Element<'_>, endian: Endian) -> Result<MatNumbers, ParseError> {
    let kind = MatNumberKind::of_element(element.kind)
        .ok_or_else(|| unsupported(element.offset, format!("numbers of type {}", element.kind)))?;
    let (found, size) = (element.data.len(), kind.size);
    if !found.is_multiple_of(size) {
        let cursor = Cursor::new(FORMAT, &[]);
        return Err(cursor.error_at(element.offset, format!("{found} bytes of numbers of {size} bytes")));
    }
    let mut bytes = element.data.to_vec();
    if let Endian::Big = endian {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    Ok(MatNumbers { kind, bytes })
}
