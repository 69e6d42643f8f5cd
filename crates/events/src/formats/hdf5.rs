//! HDF5, with the feature `hdf5`: one data set a column, under `events/` or at the root.
//!
//! DSEC's layout (Gehrig et al., IEEE RA-L 2021): `events/t`, `x`, `y`, `p`, and `t_offset`, which is added to each time;
//! also `events/ts`, `xs`, `ys`, `ps`, the usual names of files that were converted from ROS bags, whose times are in
//! seconds if they are of floating point. DSEC's own files are compressed by Blosc, which is not read: repack them
//! (`h5repack -f GZIP=1`).

#[cfg(feature = "hdf5")]
use hdf5_reader::{ByteOrder, Datatype, Hdf5File, OpenOptions};

use super::decoded::Decoded;
#[cfg(feature = "hdf5")]
use super::numpy::{Column, Kind, fill};

/// First bytes of a file.
pub(super) const MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";

#[cfg(not(feature = "hdf5"))]
pub(super) fn decode(_: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    decoded.stop(0, "this is HDF5: build tks-events with the feature `hdf5` to read it");
    decoded
}

/// The largest column that is read: 4 billion events of 8 bytes would fill any machine.
#[cfg(feature = "hdf5")]
const MOST_BYTES: usize = 1 << 34;

#[cfg(feature = "hdf5")]
pub(super) fn decode(bytes: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    if let Err(problem) = read(bytes, &mut decoded) {
        decoded.stop(0, problem);
    }
    decoded
}

#[cfg(feature = "hdf5")]
fn read(bytes: &[u8], decoded: &mut Decoded) -> Result<(), String> {
    let options = OpenOptions::default().with_max_read_bytes(MOST_BYTES);
    let file = Hdf5File::from_bytes_with_options(bytes, options).map_err(|error| error.to_string())?;
    let column = |names: &[&str]| {
        let found = names
            .iter()
            .flat_map(|name| [format!("events/{name}"), (*name).to_owned()])
            .find_map(|path| file.dataset(&path).ok())
            .ok_or_else(|| format!("there is no data set `events/{}`", names[0]))?;
        let kind = kind_of(found.dtype()).ok_or_else(|| format!("`{}` holds no numbers", names[0]))?;
        let bytes = found.read_raw_bytes().map_err(|error| format!("`{}`: {error}", names[0]))?;
        Ok::<_, String>((kind, bytes))
    };
    let columns = [
        column(&["t", "ts", "timestamps"])?,
        column(&["x", "xs"])?,
        column(&["y", "ys"])?,
        column(&["p", "ps", "polarities"])?,
    ];
    let offset = match column(&["t_offset"]) {
        Ok((kind, bytes)) => kind.read(&bytes).unwrap_or(0),
        Err(_) => 0,
    };
    let mut columns = columns;
    if columns[0].0.class == b'f' {
        columns[0] = (Kind { class: b'i', size: 8, big_endian: false }, microseconds(&columns[0]));
    }
    let lengths = [0, 1, 2, 3].map(|c| columns[c].1.len() / columns[c].0.size);
    if lengths.iter().any(|&length| length != lengths[0]) {
        return Err(format!("t, x, y, p have {lengths:?} values"));
    }
    let views = [0, 1, 2, 3].map(|c| {
        let (kind, bytes) = &columns[c];
        Column { bytes, offset: 0, step: kind.size, count: lengths[c], kind: *kind }
    });
    fill(decoded, views, 0);
    for t in &mut decoded.t {
        *t = t.saturating_add(offset);
    }
    Ok(())
}

/// Times in seconds as whole us; those that are no numbers become the largest, which no clock reaches.
#[cfg(feature = "hdf5")]
fn microseconds((kind, bytes): &(Kind, Vec<u8>)) -> Vec<u8> {
    let seconds = |value: &[u8]| match (kind.size, kind.big_endian) {
        (4, false) => value.first_chunk().map(|value| f64::from(f32::from_le_bytes(*value))),
        (4, true) => value.first_chunk().map(|value| f64::from(f32::from_be_bytes(*value))),
        (_, false) => value.first_chunk().map(|value| f64::from_le_bytes(*value)),
        (_, true) => value.first_chunk().map(|value| f64::from_be_bytes(*value)),
    };
    let us = |value: &[u8]| match seconds(value) {
        Some(seconds) if seconds.is_finite() => (seconds * 1e6).round() as i64,
        _ => i64::MAX,
    };
    bytes.chunks_exact(kind.size).flat_map(|value| us(value).to_le_bytes()).collect()
}

#[cfg(feature = "hdf5")]
fn kind_of(kind: &Datatype) -> Option<Kind> {
    let big = |order: &ByteOrder| *order == ByteOrder::BigEndian;
    let (class, size, big_endian) = match kind {
        Datatype::FixedPoint { size, signed, byte_order } => {
            (if *signed { b'i' } else { b'u' }, usize::from(*size), big(byte_order))
        }
        Datatype::FloatingPoint { size, byte_order } => (b'f', usize::from(*size), big(byte_order)),
        Datatype::Enum { base, .. } => return kind_of(base),
        _ => return None,
    };
    let known = matches!((class, size), (b'i' | b'u', 1 | 2 | 4 | 8) | (b'f', 4 | 8));
    known.then_some(Kind { class, size, big_endian })
}
