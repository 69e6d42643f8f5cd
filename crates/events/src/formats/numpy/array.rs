//! A single `.npy` array and its header.

use super::super::columns::{Column, Columns, Order, TimeUnit, how_to_name, places};
use super::super::cursor::u32_at;
use super::literal::Literal;
use crate::number::NumberType;

/// A field of a record, or the only field of a plain array.
#[derive(Debug)]
struct Field {
    name: String,
    /// `None` for values that are not numbers: padding, text, arrays.
    kind: Option<NumberType>,
    /// For `datetime64` and `timedelta64`.
    unit: Option<TimeUnit>,
    offset: usize,
}

/// A parsed `.npy`.
#[derive(Debug)]
pub(super) struct Array<'a> {
    /// For a plain array, one field without a name.
    fields: Vec<Field>,
    /// The type of a plain array as given in the header.
    plain: Option<String>,
    /// Size of a record in bytes.
    record: usize,
    shape: Vec<usize>,
    fortran_order: bool,
    data: &'a [u8],
    /// The position of the data.
    start: usize,
}

/// A description of SpikingJelly's `frames`.
pub(super) const FRAMES: &str = "these are frames that were made of events (SpikingJelly's `frames_number_...`), not \
                                 events: take the recordings that they were made of, in `events_np` or as downloaded, \
                                 and let `slicing` make frames";

/// Parses a type in a header: the numeric type, the unit of time, and the size in bytes.
fn field_type(text: &str) -> Result<(Option<NumberType>, Option<TimeUnit>, usize), String> {
    if let Some(kind) = NumberType::of_numpy(text) {
        return Ok((Some(kind), None, kind.size()));
    }
    let plain = text.trim_start_matches(['<', '>', '|', '=']);
    let order = &text[..text.len() - plain.len()];
    let unknown = || format!("values of the type `{text}` are not numbers");
    let class = plain.chars().next().ok_or_else(unknown)?;
    let size = plain.get(1..).and_then(|size| size.parse::<usize>().ok());
    match (class, size) {
        ('O', _) => {
            Err("it holds Python objects (a pickle), which are not read: save the columns as numbers, as in \
                         `numpy.savez(\"events.npz\", t=t, x=x, y=y, p=p)`"
                .into())
        }
        ('M' | 'm', None) => {
            let unit =
                plain.split_once('[').and_then(|(_, unit)| TimeUnit::named(unit.trim_end_matches(']')));
            let kind = NumberType::of_numpy(&format!("{order}i8")).ok_or_else(unknown)?;
            Ok((Some(kind), Some(unit.ok_or_else(unknown)?), 8))
        }
        ('V' | 'S' | 'a' | 'f' | 'c', Some(size)) => Ok((None, None, size)),
        ('U', Some(size)) => Ok((None, None, size.checked_mul(4).ok_or_else(unknown)?)),
        _ => Err(unknown()),
    }
}

/// The fields of a record, and its size: each has a name (or a title and a name), a type, and possibly the
/// sizes of an array.
fn record(fields: &[Literal]) -> Result<(Vec<Field>, usize), String> {
    const WRONG: &str = "the header's fields are not names with types";
    let (mut found, mut end) = (Vec::new(), 0usize);
    for field in fields {
        let [name, kind, rest @ ..] = field.items().ok_or(WRONG)? else { return Err(WRONG.into()) };
        let name = match name {
            Literal::Text(name) => name,
            title => title.items().and_then(|names| names.last()?.text()).ok_or(WRONG)?,
        };
        let many = match rest {
            [] => 1,
            [sizes, ..] => sizes.sizes().and_then(|sizes| product(&sizes)).ok_or(WRONG)?,
        };
        let (kind, unit, size) = match kind {
            Literal::Text(text) => {
                field_type(text).map_err(|problem| format!("field `{name}`: {problem}"))?
            }
            inner => (None, None, record(inner.items().ok_or(WRONG)?)?.1),
        };
        let kind = kind.filter(|_| many == 1);
        found.push(Field { name: name.to_owned(), kind, unit, offset: end });
        let after = size.checked_mul(many).and_then(|size| end.checked_add(size));
        end = after.ok_or("the header's records are too large")?;
    }
    Ok((found, end))
}

fn product(sizes: &[usize]) -> Option<usize> {
    sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
}

impl<'a> Array<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let major = *bytes.get(6).ok_or("the header is cut")?;
        let (length, start) = match major {
            1 => (bytes.get(8..10).map(|two| usize::from(two[0]) | (usize::from(two[1]) << 8)), 10),
            _ => (u32_at(bytes, 8).map(|length| length as usize), 12),
        };
        let end = length.and_then(|length| length.checked_add(start)).ok_or("the header is cut")?;
        let header = bytes.get(start..end).ok_or("the header is cut")?;
        let header = std::str::from_utf8(header).map_err(|_| "the header is not text")?;
        let header = Literal::parse(header).ok_or("the header is not one that NumPy writes")?;
        let descr = header.get("descr").ok_or("the header has no `descr`")?;
        let shape = header.get("shape").ok_or("the header has no `shape`")?;
        let shape = shape.sizes().ok_or("the header's `shape` is not a list of sizes")?;
        let fortran_order = header.get("fortran_order") == Some(&Literal::Bool(true));
        let (fields, record, plain) = match descr {
            Literal::Text(text) => {
                let (kind, unit, size) = field_type(text)?;
                (vec![Field { name: String::new(), kind, unit, offset: 0 }], size, Some(text.clone()))
            }
            Literal::Items(fields) => {
                let (fields, size) = record(fields)?;
                (fields, size, None)
            }
            _ => return Err("the header's `descr` is not a type".into()),
        };
        Ok(Array { fields, plain, record, shape, fortran_order, data: &bytes[end..], start: end })
    }

    /// The position of event `i` in the file.
    pub(super) fn place(&self, i: usize) -> usize {
        let step = match *self.shape.as_slice() {
            [_, columns] if self.plain.is_some() && !self.fortran_order => {
                self.record.saturating_mul(columns)
            }
            _ => self.record,
        };
        self.start.saturating_add(i.saturating_mul(step))
    }

    /// Its type and shape.
    pub(super) fn describe(&self) -> String {
        let names = || {
            let named = self.fields.iter().map(|field| field.name.as_str()).filter(|name| !name.is_empty());
            named.collect::<Vec<_>>().join(", ")
        };
        let kind = self.plain.clone().unwrap_or_else(|| format!("records of {}", names()));
        format!("{kind} {:?}", self.shape)
    }

    /// Whether all values announced in the header are present.
    pub(super) fn is_whole(&self) -> bool {
        let promised = product(&self.shape).and_then(|count| count.checked_mul(self.record));
        promised.is_some_and(|promised| promised <= self.data.len())
    }

    fn cut(&self) -> String {
        format!("it is cut: its header says {:?}", self.shape)
    }

    /// The array as one column, with the unit of time if its type states it.
    pub(super) fn column(&self) -> Result<(Column<'a>, Option<TimeUnit>), String> {
        let mut sizes = self.shape.iter().copied().filter(|&size| size != 1);
        let (count, further) = (sizes.next().unwrap_or(1), sizes.next());
        match self.fields.as_slice() {
            [Field { kind: Some(_), .. }] if !self.is_whole() => Err(self.cut()),
            &[Field { kind: Some(kind), unit, offset, .. }] if further.is_none() => {
                Ok((Column { bytes: self.data, offset, step: self.record, count, kind }, unit))
            }
            _ => Err(format!("it is not a column of numbers but {}", self.describe())),
        }
    }

    /// The events' columns: from records, or from a table with one row or column per event.
    pub(super) fn columns(&self, given: Option<Order>) -> Result<Columns<'a>, String> {
        if self.plain.is_none() {
            return self.records();
        }
        if let [_, 2, _, _] = self.shape.as_slice() {
            return Err(format!("{FRAMES} ({})", self.describe()));
        }
        let order = given.unwrap_or(Order::TXYP);
        let count = usize::from(order.count);
        let (rows, is_transposed) = match *self.shape.as_slice() {
            [rows, columns] if columns == count => (rows, self.fortran_order),
            [columns, rows] if columns == count => (rows, !self.fortran_order),
            _ => {
                let mut example = vec!["t", "x", "y", "p"];
                if let [_, columns @ 5..=20] = *self.shape.as_slice() {
                    example.resize(columns, "_");
                }
                let how = how_to_name(&example.join(","));
                return Err(format!(
                    "records of t, x, y, p or an array [N, {count}] are needed, and this is {}; of an array with other \
                     columns, {how}",
                    self.describe()
                ));
            }
        };
        let Some(kind) = self.fields[0].kind else { return Err(format!("this is {}", self.describe())) };
        // Truncated data end before the first incomplete row; if columns are stored one after another, no row
        // is complete.
        if is_transposed && !self.is_whole() {
            return Err(self.cut());
        }
        let there = self.data.len() / (self.record * count).max(1);
        let rows = if is_transposed { rows } else { rows.min(there) };
        Ok(Columns::of_table(self.data, rows, kind, order, is_transposed))
    }

    fn records(&self) -> Result<Columns<'a>, String> {
        let found = places(self.fields.iter().map(|field| field.name.as_str()));
        let Some(([t, x, y, p], unit)) = found else {
            return Err(format!("fields t, x, y, p are needed, and this has {}", self.describe()));
        };
        let promised = product(&self.shape).unwrap_or(usize::MAX);
        let count = promised.min(self.data.len() / self.record.max(1));
        let column = |place: usize| {
            let Field { kind, offset, name, .. } = &self.fields[place];
            let kind = kind.ok_or_else(|| format!("field `{name}` does not hold numbers"))?;
            Ok::<_, String>(Column { bytes: self.data, offset: *offset, step: self.record, count, kind })
        };
        let unit = self.fields[t].unit.or(unit);
        Ok(Columns::new([column(t)?, column(x)?, column(y)?, column(p)?], unit))
    }
}
