//! The layouts of HDF5 files of events.

use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, Datatype, Hdf5File};

use super::super::columns::{
    Column, ColumnOrder, Columns, Order, RealTimes, TimeUnit, how_to_name, listed, most_unpacked, places,
};
use super::super::decoded::Decoded;
use super::filters::explain;
use super::options::open_options;
use crate::number::NumberType;
use crate::sensor::SensorSize;

/// A layout of a file.
struct Layout {
    /// The paths of the events; of several that exist, the first is read, such as the left of two cameras.
    paths: &'static [&'static str],
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// A group with one data set per column.
    Columns,
    /// The same for a MATLAB struct: counted from 1 if polarities are 1 and 2.
    MatlabStruct,
    /// A data set of records.
    Records,
    /// A data set `[N, 4]`.
    Table(Order),
}

/// The layouts, tried in this order.
const LAYOUTS: &[Layout] = &[
    // DSEC (Gehrig et al., IEEE RA-L 2021), with `t_offset` at the root; also files converted from ROS bags.
    Layout { paths: &["events"], form: Form::Columns },
    // M3ED (Chaney et al., CVPRW 2023).
    Layout { paths: &["prophesee/left", "prophesee/right"], form: Form::Columns },
    // MVSEC (Zhu et al., IEEE RA-L 2018).
    Layout { paths: &["davis/left/events", "davis/right/events"], form: Form::Table(Order::XYTP_SECONDS) },
    // Prophesee's Metavision SDK.
    Layout { paths: &["CD/events"], form: Form::Records },
    // v2e (Hu et al., CVPRW 2021).
    Layout { paths: &["events"], form: Form::Table(Order::TXYP) },
    Layout { paths: &["events"], form: Form::Records },
    Layout { paths: &["TD"], form: Form::MatlabStruct },
    Layout { paths: &[""], form: Form::Columns },
];

/// The events found.
enum Found {
    /// One data set per column, and the unit of time if a name states it.
    Columns(Box<[Dataset; 4]>, Option<TimeUnit>),
    Records(Dataset),
    Table(Dataset, Order),
}

/// Maximum number of items in an error message, and maximum search depth for events.
const MOST_ITEMS: usize = 200;
const MOST_DEPTH: usize = 6;

pub(super) fn read(bytes: &[u8], order: ColumnOrder, decoded: &mut Decoded) -> Result<(), String> {
    let file =
        Hdf5File::from_bytes_with_options(bytes, open_options(bytes.len())).map_err(|e| explain(&e))?;
    let mut reader = Reader { file, left: most_unpacked(bytes.len()) };
    for Layout { paths, form } in LAYOUTS {
        let mut read = false;
        for path in *paths {
            let Some(found) = reader.find(path, *form, order)? else { continue };
            if read {
                decoded.pass_over(format!("events of `{path}`"), found.count());
                continue;
            }
            read = true;
            reader.events(path, &found, *form, order, decoded)?;
        }
        if read {
            decoded.sensor = reader.geometry();
            return Ok(());
        }
    }
    reader.only_one(order, decoded)
}

struct Reader {
    file: Hdf5File,
    /// Number of bytes that may still be read.
    left: usize,
}

/// Whether an error says that an item does not exist, as opposed to being damaged.
fn is_missing(error: &Error) -> bool {
    match error {
        Error::DatasetNotFound(_) | Error::GroupNotFound(_) => true,
        Error::Context { source, .. } => is_missing(source),
        _ => false,
    }
}

/// An item that may be missing, if it exists.
fn there<T>(path: &str, found: Result<T, Error>) -> Result<Option<T>, String> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(in_path(path, &error)),
    }
}

fn in_path(path: &str, error: &Error) -> String {
    format!("`{path}`: {}", explain(error))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

impl Found {
    /// Number of events.
    fn count(&self) -> u64 {
        match self {
            Found::Columns(columns, _) => columns[0].num_elements().unwrap_or(0),
            Found::Records(records) => records.num_elements().unwrap_or(0),
            Found::Table(table, _) => table.num_elements().unwrap_or(0) / 4,
        }
    }
}

impl Reader {
    /// The events at a path, if they exist in this form.
    fn find(&self, path: &str, form: Form, order: ColumnOrder) -> Result<Option<Found>, String> {
        match form {
            Form::Columns | Form::MatlabStruct => {
                let Some(group) = there(path, self.file.group(path))? else { return Ok(None) };
                self.columns(path, &group)
            }
            Form::Records | Form::Table(_) => {
                let Some(dataset) = there(path, self.file.dataset(path))? else { return Ok(None) };
                Ok(match form {
                    Form::Table(usual) => {
                        let order = order.given().unwrap_or(usual);
                        table_rows(&dataset, order).map(|_| Found::Table(dataset, order))
                    }
                    _ => Record::of(&dataset).map(|_| Found::Records(dataset)),
                })
            }
        }
    }

    /// The columns of a group, if it has all four.
    fn columns(&self, path: &str, group: &Group) -> Result<Option<Found>, String> {
        let names = match group.member_names() {
            Ok((_, names)) => names,
            Err(error) => {
                // Find the damaged one.
                for name in ["t", "ts", "x", "xs", "y", "ys", "p", "ps"] {
                    there(&join(path, name), group.dataset(name))?;
                }
                return Err(in_path(path, &error));
            }
        };
        let Some((places, unit)) = places(names.iter().map(String::as_str)) else { return Ok(None) };
        let mut columns = Vec::new();
        for place in places {
            let name = &names[place];
            columns.push(group.dataset(name).map_err(|error| in_path(&join(path, name), &error))?);
        }
        Ok(<[Dataset; 4]>::try_from(columns).ok().map(|columns| Found::Columns(Box::new(columns), unit)))
    }

    /// The bytes of a data set, if the file can contain them.
    fn bytes(&mut self, path: &str, dataset: &Dataset) -> Result<Vec<u8>, String> {
        let failed = |error: Error| in_path(path, &error);
        let size = dataset.raw_byte_len().map_err(failed)?;
        self.left = self.left.checked_sub(size).ok_or_else(|| {
            format!(
                "`{path}` promises {size} bytes, more than a file of this size holds; if it does, write it uncompressed: \
                 `h5repack -f NONE IN OUT`"
            )
        })?;
        dataset.read_raw_bytes().map_err(failed)
    }

    /// A data set with one column of numbers: its bytes, their type and their number.
    fn column(&mut self, path: &str, dataset: &Dataset) -> Result<(Vec<u8>, NumberType), String> {
        let kind = NumberType::of_hdf5(dataset.dtype())
            .filter(|_| dataset.shape().iter().filter(|&&size| size != 1).count() <= 1)
            .ok_or_else(|| format!("`{path}` is not a column of numbers but {}", describe(dataset)))?;
        Ok((self.bytes(path, dataset)?, kind))
    }

    /// Adds the events to `decoded`.
    fn events(
        &mut self,
        path: &str,
        found: &Found,
        form: Form,
        order: ColumnOrder,
        decoded: &mut Decoded,
    ) -> Result<(), String> {
        let offset_us = self.offset(path)?;
        let fill = |columns: Columns<'_>, decoded: &mut Decoded| {
            let unit = order.unit().or(columns.unit);
            Columns { unit, offset_us, ..columns }.fill(decoded, |_| 0);
        };
        match found {
            Found::Columns(datasets, unit) => {
                let mut read = Vec::new();
                for dataset in datasets.iter() {
                    read.push(self.column(&join(path, dataset.name().trim_start_matches('/')), dataset)?);
                }
                let column = |i: usize| plain_column(&read[i].0, read[i].1);
                let columns = Columns::new([column(0), column(1), column(2), column(3)], *unit);
                match form {
                    Form::MatlabStruct => fill(columns.counted_as_matlab()?, decoded),
                    _ => fill(columns, decoded),
                }
            }
            Found::Records(dataset) => {
                let bytes = self.bytes(path, dataset)?;
                let Some(Record { fields, size, unit }) = Record::of(dataset) else {
                    return Err(format!("`{path}` is {}", describe(dataset)));
                };
                let count = bytes.len() / size.max(1);
                let columns =
                    fields.map(|(offset, kind)| Column { bytes: &bytes, offset, step: size, count, kind });
                fill(Columns::new(columns, unit), decoded);
            }
            Found::Table(dataset, order) => {
                let bytes = self.bytes(path, dataset)?;
                let Some((rows, is_transposed, kind)) = table_rows(dataset, *order) else {
                    return Err(format!("`{path}` is {}", describe(dataset)));
                };
                fill(Columns::of_table(&bytes, rows, kind, *order, is_transposed), decoded);
            }
        }
        Ok(())
    }

    /// The offset that DSEC's `t_offset` adds to each time, in us.
    fn offset(&mut self, path: &str) -> Result<i64, String> {
        for path in ["t_offset".to_owned(), join(path, "t_offset")] {
            let Some(dataset) = there(&path, self.file.dataset(&path))? else { continue };
            let (bytes, kind) = self.column(&path, &dataset)?;
            let wrong = || format!("`{path}` is not a time");
            if kind.is_float() {
                let offset = kind.real(&bytes).ok_or_else(wrong)?;
                let mut times = RealTimes::default();
                times.add(offset);
                return times.unit()?.real(offset).ok_or_else(wrong);
            }
            return kind.whole(&bytes).ok_or_else(wrong);
        }
        Ok(0)
    }

    /// The sensor's size, if stated at the root as in Prophesee's files: `640x480`.
    fn geometry(&self) -> Option<SensorSize> {
        let geometry = self.file.root_group().ok()?.attribute("geometry").ok()?.read_string().ok()?;
        let (width, height) = geometry.split_once('x')?;
        let side = |text: &str| text.trim().trim_matches('\0').parse::<u16>().ok().filter(|&side| side > 0);
        Some(SensorSize { width: side(width)?, height: side(height)? })
    }

    /// The events of the only item that contains any, in a form that identifies its columns.
    fn only_one(&mut self, order: ColumnOrder, decoded: &mut Decoded) -> Result<(), String> {
        let mut walk = Walk::default();
        let root = self.file.root_group().map_err(|error| explain(&error))?;
        walk.group(self, "", &root, order, 0);
        let Walk { mut found, items } = walk;
        if let [(path, Found::Columns(..) | Found::Records(_) | Found::Table(..))] = &found[..] {
            let path = path.clone();
            let (_, found) = found.remove(0);
            return self.events(&path, &found, Form::Columns, order, decoded);
        }
        if found.is_empty() {
            let how = how_to_name("t,x,y,p");
            return Err(format!(
                "no events are found: none of the known layouts fits (`events/{{t,x,y,p}}`, `CD/events` and others); the \
                 file has {}; of a table [N, 4], {how}",
                listed(&items)
            ));
        }
        let paths: Vec<String> = found.into_iter().map(|(path, _)| format!("`{path}`")).collect();
        Err(format!(
            "several places have events: {}; copy the one that is meant into a file of its own, as in \
             `h5copy -i IN -o OUT -s /PLACE -d /events`",
            listed(&paths)
        ))
    }
}

fn plain_column(bytes: &[u8], kind: NumberType) -> Column<'_> {
    let size = kind.size();
    Column { bytes, offset: 0, step: size, count: bytes.len() / size, kind }
}

/// A record of an event.
struct Record {
    /// The positions of t, x, y, p in it, and their types.
    fields: [(usize, NumberType); 4],
    /// Its size in bytes.
    size: usize,
    /// The unit of time, if a name states it.
    unit: Option<TimeUnit>,
}

impl Record {
    /// The records of a data set, if they are events.
    fn of(dataset: &Dataset) -> Option<Record> {
        let Datatype::Compound { size, fields } = dataset.dtype() else { return None };
        let (places, unit) = places(fields.iter().map(|field| field.name.as_str()))?;
        let mut found = Vec::new();
        for place in places {
            let field = &fields[place];
            found.push((field.byte_offset as usize, NumberType::of_hdf5(&field.datatype)?));
        }
        Some(Record { fields: <[_; 4]>::try_from(found).ok()?, size: *size as usize, unit })
    }
}

/// The number of rows of a table of numbers with these columns, and whether each column is a row of the data
/// set.
fn table_rows(dataset: &Dataset, order: Order) -> Option<(usize, bool, NumberType)> {
    let kind = NumberType::of_hdf5(dataset.dtype())?;
    let count = u64::from(order.count);
    let (rows, is_transposed) = match *dataset.shape() {
        [rows, columns] if columns == count => (rows, false),
        [columns, rows] if columns == count => (rows, true),
        _ => return None,
    };
    Some((usize::try_from(rows).ok()?, is_transposed, kind))
}

/// A traversal of everything in a file.
#[derive(Default)]
struct Walk {
    found: Vec<(String, Found)>,
    /// The items in the file, for an error.
    items: Vec<String>,
}

impl Walk {
    fn group(&mut self, reader: &Reader, path: &str, group: &Group, order: ColumnOrder, depth: usize) {
        let (groups, datasets) = match group.members() {
            Ok(members) => members,
            Err(error) => return self.items.push(format!("`{path}` (damaged: {})", explain(&error))),
        };
        if let Ok(Some(columns)) = reader.columns(path, group) {
            self.found.push((path.to_owned(), columns));
        }
        for dataset in datasets {
            if self.items.len() >= MOST_ITEMS {
                return;
            }
            let path = join(path, dataset.name().rsplit('/').next().unwrap_or_default());
            self.items.push(format!("`{path}` ({})", describe(&dataset)));
            let table = order.given().filter(|&order| table_rows(&dataset, order).is_some());
            if Record::of(&dataset).is_some() {
                self.found.push((path, Found::Records(dataset)));
            } else if let Some(order) = table {
                self.found.push((path, Found::Table(dataset, order)));
            }
        }
        for inner in groups {
            if depth < MOST_DEPTH && self.items.len() < MOST_ITEMS {
                let path = join(path, inner.name().rsplit('/').next().unwrap_or_default());
                self.group(reader, &path, &inner, order, depth + 1);
            }
        }
    }
}

/// A readable description of a data set's type and shape.
fn describe(dataset: &Dataset) -> String {
    let kind = match dataset.dtype() {
        Datatype::FixedPoint { size, signed, .. } => {
            format!(
                "{} of {} bits",
                if *signed { "integers" } else { "unsigned integers" },
                8 * u32::from(*size)
            )
        }
        Datatype::FloatingPoint { size, .. } => format!("floating point of {} bits", 8 * u32::from(*size)),
        Datatype::Compound { fields, .. } => {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            format!("records of {}", names.join(", "))
        }
        Datatype::String { .. } => "text".into(),
        Datatype::Enum { .. } => "named numbers".into(),
        Datatype::VarLen { .. } => "lists".into(),
        _ => "other values".into(),
    };
    let sizes: Vec<String> = dataset.shape().iter().map(u64::to_string).collect();
    format!("{kind} [{}]", sizes.join(", "))
}
