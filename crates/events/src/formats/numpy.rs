//! NumPy's `.npz` and `.npy`, as SpikingJelly and tonic save events.
//!
//! An `.npz` has arrays `t`, `x`, `y`, `p` (SpikingJelly), or one structured array. An `.npy` is structured, with fields of
//! these names in any order (tonic), or has the shape `[N, 4]`, columns t, x, y, p. Other names that are known: `ts`, `time`,
//! `timestamp` for `t`, `pol` and `polarity` for `p`. Any integer, boolean or floating-point type; times are in us.
//! Polarity is 1 or 0, or 1 or -1.

use std::io::{Cursor, Read};

use super::decoded::{COLUMN_NAMES, Decoded};
use crate::number::NumberType;

/// An archive's array that unfolds to more than this many times its own size is no recording but an attack.
const MOST_RATIO: u64 = 2000;

/// One column of an array: where its values lie and what they are.
struct Column<'a> {
    bytes: &'a [u8],
    offset: usize,
    step: usize,
    count: usize,
    kind: NumberType,
}

/// A parsed `.npy`.
struct Array<'a> {
    /// Names with type and offset in a record; one nameless field for a plain array.
    fields: Vec<(String, NumberType, usize)>,
    record: usize,
    shape: Vec<usize>,
    fortran_order: bool,
    data: &'a [u8],
}

impl<'a> Array<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let major = *bytes.get(6).ok_or("the header is cut")?;
        let (length, start) = match major {
            1 => (bytes.get(8..10).map(|two| usize::from(two[0]) | (usize::from(two[1]) << 8)), 10),
            _ => (super::cursor::u32_at(bytes, 8).map(|length| length as usize), 12),
        };
        let end = length.and_then(|length| length.checked_add(start)).ok_or("the header is cut")?;
        let header = bytes.get(start..end).ok_or("the header is cut")?;
        let header = std::str::from_utf8(header).map_err(|_| "the header is no text")?;
        let after =
            |key: &str| header.find(key).map(|at| header[at + key.len()..].trim_start_matches([':', ' ']));
        let descr = after("'descr'").ok_or("the header has no `descr`")?;
        let shape = after("'shape'").and_then(|text| text.strip_prefix('(')?.split(')').next());
        let shape = shape.ok_or("the header has no `shape`")?;
        let shape: Option<Vec<usize>> = shape
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().ok())
            .collect();
        let shape = shape.ok_or("the header's `shape` is no list of sizes")?;
        let fortran_order = after("'fortran_order'").is_some_and(|text| text.starts_with("True"));
        let (mut fields, mut record) = (Vec::new(), 0usize);
        if let Some(list) = descr.strip_prefix('[') {
            let list = list.split(']').next().unwrap_or("");
            // ('name', '<i8'), ...
            let quoted: Vec<&str> = list.split('\'').skip(1).step_by(2).collect();
            for pair in quoted.chunks(2) {
                let [name, kind] = pair else { return Err("the header's fields are no pairs".into()) };
                let known = NumberType::of_numpy(kind)
                    .ok_or_else(|| format!("field `{name}` has the type `{kind}`"))?;
                fields.push(((*name).to_owned(), known, record));
                record += known.size();
            }
        } else {
            let text = descr.trim_start_matches('\'').split('\'').next().unwrap_or("");
            let kind = NumberType::of_numpy(text)
                .ok_or_else(|| format!("values of type `{text}` are no numbers"))?;
            fields.push((String::new(), kind, 0));
            record = kind.size();
        }
        Ok(Array { fields, record, shape, fortran_order, data: &bytes[end..] })
    }

    /// The whole records that are there, and whether those are all that the header promises.
    fn count(&self, per_event: usize) -> (usize, bool) {
        let promised = self.shape.first().copied().unwrap_or(1);
        let there = self.data.len() / (self.record * per_event).max(1);
        (promised.min(there), promised <= there)
    }

    fn column(&self, names: &[&str]) -> Option<Column<'a>> {
        let (_, kind, offset) =
            self.fields.iter().find(|(name, ..)| names.contains(&name.to_ascii_lowercase().as_str()))?;
        let (count, _) = self.count(1);
        Some(Column { bytes: self.data, offset: *offset, step: self.record, count, kind: *kind })
    }
}

/// Adds the events of these columns, up to the first that is none; `start` is where the columns lie in the file.
fn fill(decoded: &mut Decoded, columns: [Column<'_>; 4], start: usize) {
    let count = columns.iter().map(|column| column.count).min().unwrap_or(0);
    let at = |column: &Column<'_>, i: usize| {
        let bytes = column.bytes.get(column.offset.saturating_add(i * column.step)..);
        bytes.and_then(|bytes| column.kind.whole(bytes))
    };
    decoded.extend_with(
        count,
        |i| [0, 1, 2, 3].map(|c| at(&columns[c], i)),
        |i| start + columns[0].offset + i * columns[0].step,
    );
}

pub(super) fn decode_npy(bytes: &[u8], mut decoded: Decoded) -> Decoded {
    let array = match Array::parse(bytes) {
        Ok(array) => array,
        Err(problem) => {
            decoded.stop(0, problem);
            return decoded;
        }
    };
    let start = bytes.len() - array.data.len();
    let plain = array.fields.len() == 1 && array.fields[0].0.is_empty();
    let (columns, whole) = if plain && array.shape.len() == 2 && array.shape[1] == 4 {
        let (count, whole) = array.count(4);
        let kind = array.fields[0].1;
        let columns = [0, 1, 2, 3].map(|c| {
            let (offset, step) = match array.fortran_order {
                true => (usize::saturating_mul(c, array.shape[0]).saturating_mul(kind.size()), kind.size()),
                false => (c * kind.size(), 4 * kind.size()),
            };
            Some(Column { bytes: array.data, offset, step, count, kind })
        });
        (columns, whole)
    } else {
        (COLUMN_NAMES.map(|names| array.column(names)), array.count(1).1)
    };
    match columns {
        [Some(t), Some(x), Some(y), Some(p)] => fill(&mut decoded, [t, x, y, p], start),
        _ => {
            let names: Vec<&str> = array.fields.iter().map(|(name, ..)| name.as_str()).collect();
            decoded.stop(
                0,
                format!(
                    "fields t, x, y, p are needed, or the shape [N, 4]; this has {names:?}, {:?}",
                    array.shape
                ),
            );
        }
    }
    if !whole {
        decoded.stop(bytes.len(), format!("the array is cut: its header says {:?}", array.shape));
    }
    decoded
}

pub(super) fn decode_npz(bytes: &[u8], mut decoded: Decoded) -> Decoded {
    let mut archive = match zip::ZipArchive::new(Cursor::new(bytes)) {
        Ok(archive) => archive,
        Err(error) => {
            decoded.stop(0, format!("the archive cannot be read: {error}"));
            return decoded;
        }
    };
    let mut arrays = Vec::new();
    for i in 0..archive.len() {
        let most = (bytes.len() as u64).saturating_mul(MOST_RATIO);
        let read = archive.by_index(i).map_err(std::io::Error::other).and_then(|entry| {
            let name =
                entry.name().map_err(std::io::Error::other)?.trim_end_matches(".npy").to_ascii_lowercase();
            let mut content = Vec::new();
            entry.take(most).read_to_end(&mut content)?;
            Ok((name, content))
        });
        match read {
            Ok(array) => arrays.push(array),
            Err(error) => {
                decoded.stop(0, format!("array {i} of the archive cannot be read: {error}"));
                return decoded;
            }
        }
    }
    let named = |names: &[&str]| arrays.iter().find(|(name, _)| names.contains(&name.as_str()));
    let found = COLUMN_NAMES.map(named);
    if found.iter().any(Option::is_none) {
        if let [(_, content)] = &arrays[..] {
            return decode_npy(content, decoded);
        }
        let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
        decoded.stop(0, format!("arrays t, x, y, p are needed; the archive has {names:?}"));
        return decoded;
    }
    let mut columns = Vec::new();
    for (name, content) in found.into_iter().flatten() {
        let column = Array::parse(content).and_then(|array| {
            let (count, whole) = array.count(1);
            if !whole || array.shape.len() > 1 {
                return Err(format!("its header says {:?}, and {count} values are there", array.shape));
            }
            let kind = array.fields.first().map(|(_, kind, _)| *kind).ok_or("it has no type")?;
            Ok(Column { bytes: array.data, offset: 0, step: array.record, count, kind })
        });
        match column {
            Ok(column) => columns.push(column),
            Err(problem) => {
                decoded.stop(0, format!("array `{name}`: {problem}"));
                return decoded;
            }
        }
    }
    if let Ok(columns) = <[Column<'_>; 4]>::try_from(columns) {
        let lengths = [0, 1, 2, 3].map(|c| columns[c].count);
        if lengths.iter().any(|&length| length != lengths[0]) {
            decoded.stop(0, format!("the arrays t, x, y, p have {lengths:?} values"));
        }
        fill(&mut decoded, columns, 0);
    }
    decoded
}
