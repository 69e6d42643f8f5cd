//! The Python version of CIFAR10 and CIFAR100: a pickle that is parsed, not executed.
//!
//! A pickle is a program for a small stack machine. This reader supports the opcodes that those files use
//! (protocol 2, as written by Python 2's cPickle and, for the same dictionary, by Python 3) and the five
//! names that they call: numpy's array, its reconstruction and its `dtype`, and `_codecs.encode`. Any other
//! opcode or name is an error, so a file cannot make this reader do anything except return bytes.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Cursor, ParseError, shown};

const FORMAT: &str = "Python pickle";
const REMEDY: &str = "only the pickles of CIFAR10's and CIFAR100's Python version are read: fetch the file again, or take \
                      the binary version";

/// The most values that a file may create; CIFAR100's 50,000 records need about 200,000.
const MAX_VALUES: usize = 1 << 21;

/// The contents of a batch file of the Python version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CifarBatch<'a> {
    /// The classes, `labels` or `fine_labels`. As stored, so they may be out of range.
    pub labels: Vec<i64>,
    /// The superclasses, `coarse_labels`, if there are any.
    pub coarse: Option<Vec<i64>>,
    /// Planar pixels, `[N, 3072]`.
    pub pixels: Cow<'a, [u8]>,
}

/// Reads a batch file (`data_batch_1`, `test_batch`, `train`, `test`).
///
/// # Errors
/// An opcode or a name that the official files do not use, a truncated file, a dictionary without `data` and
/// `labels` or `fine_labels`, and pixels that are not `[N, 3072]` bytes for N labels.
pub fn parse_cifar_pickle(bytes: &[u8]) -> Result<CifarBatch<'_>, ParseError> {
    let (heap, root) = Machine::run(bytes)?;
    let end = bytes.len();
    let labels = match heap.entry(root, "labels").or_else(|| heap.entry(root, "fine_labels")) {
        Some(labels) => {
            heap.numbers(labels).ok_or_else(|| error(end, "`labels` is no list of whole numbers"))?
        }
        None => return Err(error(end, "a dictionary without `labels` and `fine_labels`")),
    };
    let coarse = match heap.entry(root, "coarse_labels") {
        Some(coarse) => Some(
            heap.numbers(coarse).ok_or_else(|| error(end, "`coarse_labels` is no list of whole numbers"))?,
        ),
        None => None,
    };
    let data = heap.entry(root, "data").ok_or_else(|| error(end, "a dictionary without `data`"))?;
    let (shape, pixels) = heap.array(data).ok_or_else(|| error(end, "`data` is no numpy array of bytes"))?;
    let records = labels.len();
    if coarse.as_ref().is_some_and(|coarse| coarse.len() != records) {
        return Err(error(end, "`coarse_labels` and `fine_labels` differ in number"));
    }
    if shape != [records as i64, super::cifar::PIXELS as i64]
        || pixels.len() != records * super::cifar::PIXELS
    {
        let found = pixels.len();
        return Err(error(
            end,
            format!("`data` is {shape:?} and {found} bytes for {records} labels of 3072 pixels"),
        ));
    }
    Ok(CifarBatch { labels, coarse, pixels })
}

/// Reads the class names from `batches.meta` or `meta`, by key: `label_names`, `fine_label_names` or
/// `coarse_label_names`.
///
/// # Errors
/// As [`parse_cifar_pickle`], or a dictionary without that list of strings.
pub fn parse_cifar_names(bytes: &[u8], key: &str) -> Result<Vec<String>, ParseError> {
    let (heap, root) = Machine::run(bytes)?;
    heap.entry(root, key)
        .and_then(|names| heap.strings(names))
        .ok_or_else(|| error(bytes.len(), format!("a dictionary without a list of strings `{key}`")))
}

fn error(offset: usize, problem: impl Into<String>) -> ParseError {
    ParseError { remedy: REMEDY, ..Cursor::new(FORMAT, &[]).error_at(offset, problem) }
}

/// A name that a pickle may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Callable {
    Reconstruct,
    NdArray,
    Dtype,
    Encode,
}

impl Callable {
    fn named(module: &[u8], name: &[u8]) -> Option<Self> {
        match (module, name) {
            // numpy 2 renamed the module
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => {
                Some(Self::Reconstruct)
            }
            (b"numpy", b"ndarray") => Some(Self::NdArray),
            (b"numpy", b"dtype") => Some(Self::Dtype),
            (b"_codecs", b"encode") => Some(Self::Encode),
            _ => None,
        }
    }
}

/// An index into the heap. Values hold indices, so a value that a pickle refers to many times is stored once.
type Place = usize;

#[derive(Debug, Clone)]
enum Value<'a> {
    None,
    Bool,
    Int(i64),
    /// Python 2's `str`, or bytes.
    Bytes(&'a [u8]),
    Text(&'a str),
    /// `_codecs.encode(text, 'latin1')`: how protocol 2 writes bytes. Decoded on demand.
    Encoded(&'a str),
    List(Vec<Place>),
    Tuple(Vec<Place>),
    /// Alternating keys and values.
    Dict(Vec<Place>),
    Callable(Callable),
    Dtype {
        is_bytes: bool,
    },
    Array {
        shape: Vec<i64>,
        data: Option<Place>,
    },
}

#[derive(Debug)]
struct Heap<'a> {
    values: Vec<Value<'a>>,
}

impl<'a> Heap<'a> {
    fn get(&self, place: Place) -> &Value<'a> {
        &self.values[place]
    }

    fn bytes(&self, place: Place) -> Option<Cow<'a, [u8]>> {
        match *self.get(place) {
            Value::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
            Value::Encoded(text) => text
                .chars()
                .map(|c| u8::try_from(u32::from(c)).ok())
                .collect::<Option<Vec<u8>>>()
                .map(Cow::Owned),
            _ => None,
        }
    }

    fn string(&self, place: Place) -> Option<&'a str> {
        match *self.get(place) {
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn int(&self, place: Place) -> Option<i64> {
        match *self.get(place) {
            Value::Int(int) => Some(int),
            _ => None,
        }
    }

    fn items(&self, place: Place) -> Option<&[Place]> {
        match self.get(place) {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    fn numbers(&self, place: Place) -> Option<Vec<i64>> {
        self.items(place)?.iter().map(|&item| self.int(item)).collect()
    }

    fn strings(&self, place: Place) -> Option<Vec<String>> {
        self.items(place)?.iter().map(|&item| self.string(item).map(str::to_owned)).collect()
    }

    /// The last value of a key in a dictionary, as in Python. Python 3 reads Python 2's keys as bytes.
    fn entry(&self, dict: Place, key: &str) -> Option<Place> {
        let Value::Dict(entries) = self.get(dict) else { return None };
        let (pairs, _) = entries.as_chunks::<2>();
        pairs.iter().rev().find(|[name, _]| self.is_key(*name, key)).map(|&[_, value]| value)
    }

    fn is_key(&self, place: Place, key: &str) -> bool {
        match *self.get(place) {
            Value::Bytes(bytes) => bytes == key.as_bytes(),
            Value::Text(text) | Value::Encoded(text) => text == key,
            _ => false,
        }
    }

    fn array(&self, place: Place) -> Option<(&[i64], Cow<'a, [u8]>)> {
        let Value::Array { shape, data: Some(data) } = self.get(place) else { return None };
        Some((shape, self.bytes(*data)?))
    }
}

struct Machine<'a> {
    cursor: Cursor<'a>,
    heap: Heap<'a>,
    stack: Vec<Place>,
    /// The stack heights at the marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Place>,
}

impl<'a> Machine<'a> {
    fn run(bytes: &'a [u8]) -> Result<(Heap<'a>, Place), ParseError> {
        let mut machine = Self {
            cursor: Cursor::new(FORMAT, bytes),
            heap: Heap { values: Vec::new() },
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        loop {
            let at = machine.cursor.offset();
            let opcode = machine.cursor.u8()?;
            if opcode == b'.' {
                let root = machine.pop(at)?;
                return Ok((machine.heap, root));
            }
            machine.step(opcode, at)?;
            if machine.size() > MAX_VALUES {
                return Err(error(at, format!("more than {MAX_VALUES} values")));
            }
        }
    }

    fn step(&mut self, opcode: u8, at: usize) -> Result<(), ParseError> {
        match opcode {
            // PROTO
            0x80 => match self.cursor.u8()? {
                0..=2 => {}
                version => return Err(error(at, format!("protocol {version}"))),
            },
            // MARK
            b'(' => self.marks.push(self.stack.len()),
            // NONE, NEWTRUE, NEWFALSE
            b'N' => self.push(Value::None),
            0x88 | 0x89 => self.push(Value::Bool),
            // BININT, BININT1, BININT2, LONG1
            b'J' => {
                let int = i32::from_le_bytes(self.cursor.array()?);
                self.push(Value::Int(int.into()));
            }
            b'K' => {
                let int = self.cursor.u8()?;
                self.push(Value::Int(int.into()));
            }
            b'M' => {
                let int = u16::from_le_bytes(self.cursor.array()?);
                self.push(Value::Int(int.into()));
            }
            0x8a => self.long(at)?,
            // INT
            b'I' => {
                let line = self.cursor.until(b'\n')?;
                let int = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok());
                self.push(Value::Int(int.ok_or_else(|| error(at, "a whole number that is none"))?));
            }
            // SHORT_BINSTRING, BINSTRING
            b'U' => {
                let length = self.cursor.u8()?;
                self.push_bytes(length.into())?;
            }
            b'T' => {
                let length = i32::from_le_bytes(self.cursor.array()?);
                self.push_bytes(
                    usize::try_from(length).map_err(|_| error(at, "a string of negative length"))?,
                )?;
            }
            // SHORT_BINBYTES, BINBYTES
            b'C' => {
                let length = self.cursor.u8()?;
                self.push_bytes(length.into())?;
            }
            b'B' => {
                let length = u32::from_le_bytes(self.cursor.array()?);
                self.push_bytes(length as usize)?;
            }
            // BINUNICODE
            b'X' => {
                let length = u32::from_le_bytes(self.cursor.array()?);
                let text = self.cursor.take(length as usize)?;
                let text = std::str::from_utf8(text).map_err(|_| error(at, "a string that is no UTF-8"))?;
                self.push(Value::Text(text));
            }
            // EMPTY_LIST, EMPTY_DICT, EMPTY_TUPLE, TUPLE, TUPLE1 to TUPLE3
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b't' => {
                let items = self.pop_to_mark(at)?;
                self.push(Value::Tuple(items));
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(opcode - 0x84), at)?;
                self.push(Value::Tuple(items));
            }
            // APPEND, APPENDS, SETITEM, SETITEMS
            b'a' => {
                let items = self.pop_many(1, at)?;
                self.extend_list(items, at)?;
            }
            b'e' => {
                let items = self.pop_to_mark(at)?;
                self.extend_list(items, at)?;
            }
            b's' => {
                let items = self.pop_many(2, at)?;
                self.extend_dict(items, at)?;
            }
            b'u' => {
                let items = self.pop_to_mark(at)?;
                self.extend_dict(items, at)?;
            }
            // BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
            b'q' => {
                let key = self.cursor.u8()?;
                self.put(key.into(), at)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.cursor.array()?);
                self.put(key, at)?;
            }
            b'h' => {
                let key = self.cursor.u8()?;
                self.fetch(key.into(), at)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.cursor.array()?);
                self.fetch(key, at)?;
            }
            // GLOBAL, REDUCE, BUILD
            b'c' => {
                let (module, name) = (self.cursor.until(b'\n')?, self.cursor.until(b'\n')?);
                let callable = Callable::named(module, name).ok_or_else(|| {
                    error(at, format!("it asks for `{}.{}`, which is not called", shown(module), shown(name)))
                })?;
                self.push(Value::Callable(callable));
            }
            b'R' => self.reduce(at)?,
            b'b' => self.build(at)?,
            _ => return Err(error(at, format!("opcode {opcode:#04x}"))),
        }
        Ok(())
    }

    /// The length of the largest container of values, which bounds how much a small file can allocate.
    fn size(&self) -> usize {
        self.heap.values.len().max(self.stack.len()).max(self.marks.len()).max(self.memo.len())
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.heap.values.len());
        self.heap.values.push(value);
    }

    fn push_bytes(&mut self, length: usize) -> Result<(), ParseError> {
        let bytes = self.cursor.take(length)?;
        self.push(Value::Bytes(bytes));
        Ok(())
    }

    fn long(&mut self, at: usize) -> Result<(), ParseError> {
        let length = self.cursor.u8()?;
        let digits = self.cursor.take(length.into())?;
        if digits.len() > 8 {
            return Err(error(at, format!("a whole number of {length} bytes")));
        }
        let negative = digits.last().is_some_and(|&last| last >= 0x80);
        let mut bytes = [if negative { 0xff } else { 0 }; 8];
        bytes[..digits.len()].copy_from_slice(digits);
        self.push(Value::Int(i64::from_le_bytes(bytes)));
        Ok(())
    }

    /// The lowest stack index that may be popped: values below the last mark stay.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self, at: usize) -> Result<Place, ParseError> {
        if self.stack.len() <= self.floor() {
            return Err(error(at, "nothing on the stack"));
        }
        self.stack.pop().ok_or_else(|| error(at, "nothing on the stack"))
    }

    fn pop_many(&mut self, count: usize, at: usize) -> Result<Vec<Place>, ParseError> {
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= self.floor() => Ok(self.stack.split_off(start)),
            _ => Err(error(at, format!("fewer than {count} values on the stack"))),
        }
    }

    fn pop_to_mark(&mut self, at: usize) -> Result<Vec<Place>, ParseError> {
        let mark = self.marks.pop().ok_or_else(|| error(at, "no mark on the stack"))?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&self, at: usize) -> Result<Place, ParseError> {
        match self.stack.last() {
            Some(&place) if self.stack.len() > self.floor() => Ok(place),
            _ => Err(error(at, "nothing on the stack")),
        }
    }

    fn put(&mut self, key: u32, at: usize) -> Result<(), ParseError> {
        let place = self.top(at)?;
        self.memo.insert(key, place);
        Ok(())
    }

    fn fetch(&mut self, key: u32, at: usize) -> Result<(), ParseError> {
        let place = *self.memo.get(&key).ok_or_else(|| error(at, format!("nothing was stored as {key}")))?;
        self.stack.push(place);
        Ok(())
    }

    fn extend_list(&mut self, items: Vec<Place>, at: usize) -> Result<(), ParseError> {
        let list = self.top(at)?;
        match &mut self.heap.values[list] {
            Value::List(list) => list.extend(items),
            _ => return Err(error(at, "items for what is no list")),
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: Vec<Place>, at: usize) -> Result<(), ParseError> {
        let dict = self.top(at)?;
        match &mut self.heap.values[dict] {
            Value::Dict(entries) if items.len().is_multiple_of(2) => entries.extend(items),
            _ => return Err(error(at, "pairs for what is no dictionary")),
        }
        Ok(())
    }

    fn reduce(&mut self, at: usize) -> Result<(), ParseError> {
        let called = self.pop_many(2, at)?;
        let Value::Callable(callable) = *self.heap.get(called[0]) else {
            return Err(error(at, "a call of what is no function"));
        };
        let arguments = match self.heap.get(called[1]) {
            Value::Tuple(arguments) => arguments.as_slice(),
            _ => return Err(error(at, "a call without a tuple of arguments")),
        };
        let wrong = || error(at, format!("{callable:?} with other arguments than CIFAR's files have"));
        let value = match (callable, arguments) {
            (Callable::Reconstruct, [class, ..])
                if matches!(self.heap.get(*class), Value::Callable(Callable::NdArray)) =>
            {
                Value::Array { shape: Vec::new(), data: None }
            }
            (Callable::Dtype, [name, ..]) => {
                let name = self.heap.string(*name).ok_or_else(wrong)?;
                Value::Dtype { is_bytes: matches!(name, "u1" | "|u1" | "uint8") }
            }
            (Callable::Encode, [text, codec]) => match (self.heap.get(*text), self.heap.string(*codec)) {
                (Value::Text(text), Some("latin1" | "latin-1")) => Value::Encoded(text),
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        };
        self.push(value);
        Ok(())
    }

    /// `__setstate__`: of a `dtype` (byte order and the like, irrelevant for bytes), or of an array.
    fn build(&mut self, at: usize) -> Result<(), ParseError> {
        let state = self.pop(at)?;
        let object = self.top(at)?;
        match self.heap.get(object) {
            Value::Dtype { .. } => Ok(()),
            Value::Array { .. } => {
                let array = self.array_state(state, at)?;
                self.heap.values[object] = array;
                Ok(())
            }
            _ => Err(error(at, "a state for what is no array")),
        }
    }

    /// `(version, shape, dtype, is_fortran, data)`
    fn array_state(&self, state: Place, at: usize) -> Result<Value<'a>, ParseError> {
        let Some(&[_, shape, dtype, _, data]) = self.heap.items(state) else {
            return Err(error(at, "an array's state that is no tuple of five"));
        };
        if !matches!(self.heap.get(dtype), Value::Dtype { is_bytes: true }) {
            return Err(error(at, "an array of other values than bytes"));
        }
        let shape = self.heap.numbers(shape).ok_or_else(|| error(at, "an array's shape that is no tuple"))?;
        Ok(Value::Array { shape, data: Some(data) })
    }
}
