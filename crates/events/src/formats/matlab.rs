//! MATLAB `.mat`, version 5 (`-v6`, `-v7`), and 7.3, which is [HDF5](super::hdf5) after 512 bytes.
//!
//! | layout | used by |
//! |---|---|
//! | vectors `ts`, `x`, `y`, `pol` of one length | ASL-DVS (Bi et al., ICCV 2019) |
//! | a struct `TD` of vectors `x`, `y`, `p`, `ts` | N-MNIST's and N-Caltech101's MATLAB functions (Orchard et al., 2015) |
//! | otherwise, the only struct of such vectors, possibly nested | AedatTools (`aedat.data.polarity`) |
//! | otherwise, the only matrix `[N, 4]`, if the option `columns` is given | |
//!
//! Any numeric class, and the names known to [`super::text`], are supported. Polarity is 1 or 0, or 1 or -1;
//! if it is 1 or 2 in a struct, it is counted from 1, as are `x` and `y`. Integer times are in us, times with
//! a fraction in seconds, unless a name states their unit.

use tks_data::parse::mat::{MatNumbers, MatValue, parse_mat_within};

use super::ReadOptions;
use super::columns::{Column, ColumnOrder, Columns, listed, most_unpacked, places};
use super::decoded::Decoded;
use super::event_format::EventFormat;
use super::hdf5;

/// MATLAB.
#[derive(Debug)]
pub(super) struct Matlab;

impl EventFormat for Matlab {
    fn title(&self) -> &str {
        "MATLAB .mat"
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        is_matlab(bytes)
    }

    fn endings(&self) -> &[&str] {
        &["mat"]
    }

    fn has_columns(&self) -> bool {
        true
    }

    fn decode(&self, bytes: &[u8], options: &ReadOptions, decoded: Decoded) -> Decoded {
        decode(bytes, options.columns, decoded)
    }
}

/// Whether this is a MATLAB file: every known writer begins its text like this.
pub(super) fn is_matlab(bytes: &[u8]) -> bool {
    bytes.starts_with(b"MATLAB 5.0 MAT-file") || is_version_73(bytes)
}

fn is_version_73(bytes: &[u8]) -> bool {
    bytes.starts_with(b"MATLAB 7.3 MAT-file") && hdf5::is_hdf5(bytes)
}

pub(super) fn decode(bytes: &[u8], order: ColumnOrder, mut decoded: Decoded) -> Decoded {
    if is_version_73(bytes) {
        return hdf5::decode(bytes, order, decoded);
    }
    let variables = match parse_mat_within(bytes, most_unpacked(bytes.len()) as u64) {
        Ok(variables) => variables,
        Err(error) => {
            decoded.stop(error.offset as usize, format!("{}; {}", error.problem, error.remedy));
            return decoded;
        }
    };
    let named: Vec<(&str, &MatValue)> =
        variables.iter().map(|variable| (variable.name.as_str(), &variable.value)).collect();
    let columns = columns(&named, order);
    match columns {
        Ok(columns) => {
            let unit = order.unit().or(columns.unit);
            Columns { unit, ..columns }.fill(&mut decoded, |_| 0);
        }
        Err(problem) => decoded.refuse(0, problem),
    }
    decoded
}

/// The columns of the first layout that matches.
fn columns<'a>(variables: &[(&str, &'a MatValue)], order: ColumnOrder) -> Result<Columns<'a>, String> {
    if let Some(columns) = vectors(variables) {
        return Ok(columns);
    }
    let mut structs = Vec::new();
    for (name, value) in variables {
        find_structs(name, value, 0, &mut structs);
    }
    let td = structs.iter().position(|(name, _)| name == "TD");
    let only = (structs.len() == 1).then_some(0);
    if let Some(found) = td.or(only) {
        return structs.swap_remove(found).1.counted_as_matlab();
    }
    if let Some(order) = order.given() {
        let matrices: Vec<Columns<'a>> =
            variables.iter().filter_map(|(_, value)| matrix(value, order)).collect();
        if let [only] = matrices[..] {
            return Ok(only);
        }
    }
    if !structs.is_empty() {
        let names: Vec<String> = structs.iter().map(|(name, _)| format!("`{name}`")).collect();
        return Err(format!(
            "several structs have events: {}; save the one that is meant alone, as `TD`",
            listed(&names)
        ));
    }
    let found: Vec<String> =
        variables.iter().map(|(name, value)| format!("`{name}` ({})", describe(value))).collect();
    Err(format!(
        "vectors ts, x, y, pol, or a struct of them as `TD`, are needed; the file has {}; of a matrix [N, 4], {}",
        listed(&found),
        super::columns::how_to_name("t,x,y,p")
    ))
}

/// The four columns among named values, if all are numeric vectors.
fn vectors<'a>(values: &[(&str, &'a MatValue)]) -> Option<Columns<'a>> {
    let are_vectors: Vec<(&str, &'a MatNumbers)> =
        values.iter().filter_map(|(name, value)| Some((*name, vector(value)?))).collect();
    let (places, unit) = places(are_vectors.iter().map(|(name, _)| *name))?;
    Some(Columns::new(places.map(|place| column(are_vectors[place].1, 0, None)), unit))
}

/// A row or a column of numbers, possibly empty.
fn vector(value: &MatValue) -> Option<&MatNumbers> {
    match value {
        MatValue::Numbers { dims, values } => {
            let is_vector = dims.iter().filter(|&&size| size != 1).count() <= 1;
            (is_vector || values.is_empty()).then_some(values)
        }
        _ => None,
    }
}

/// `count` numbers starting at `first`, or all of the rest.
fn column(numbers: &MatNumbers, first: usize, count: Option<usize>) -> Column<'_> {
    let kind = crate::number::NumberType::of_matlab(numbers.kind());
    let size = kind.size();
    let count = count.unwrap_or(numbers.len());
    Column { bytes: numbers.bytes(), offset: first * size, step: size, count, kind }
}

/// A matrix with one row per event and columns in this order.
fn matrix(value: &MatValue, order: super::columns::Order) -> Option<Columns<'_>> {
    let MatValue::Numbers { dims, values } = value else { return None };
    let &[rows, columns] = dims.as_slice() else { return None };
    let columns = (columns == usize::from(order.count)).then_some(order.places)?;
    Some(Columns::new(columns.map(|place| column(values, usize::from(place) * rows, Some(rows))), order.unit))
}

/// Maximum nesting depth of structs.
const MOST_DEPTH: usize = 8;

/// Adds the structs with one element that have the four columns.
fn find_structs<'a>(path: &str, value: &'a MatValue, depth: usize, found: &mut Vec<(String, Columns<'a>)>) {
    let MatValue::Structs { fields, values, .. } = value else { return };
    if values.len() != fields.len() || depth > MOST_DEPTH {
        return;
    }
    let named: Vec<(&str, &'a MatValue)> = fields.iter().map(String::as_str).zip(values).collect();
    if let Some(columns) = vectors(&named) {
        found.push((path.to_owned(), columns));
    }
    for (name, value) in named {
        find_structs(&format!("{path}.{name}"), value, depth + 1, found);
    }
}

/// A readable description of a value's class and size.
fn describe(value: &MatValue) -> String {
    let sizes = |dims: &[usize]| dims.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
    match value {
        MatValue::Numbers { dims, .. } => format!("numbers, {}", sizes(dims)),
        MatValue::Text(_) => "text".into(),
        MatValue::Cells { dims, .. } => format!("cells, {}", sizes(dims)),
        MatValue::Structs { dims, fields, .. } => {
            format!("a struct, {}, of {}", sizes(dims), fields.join(", "))
        }
    }
}
