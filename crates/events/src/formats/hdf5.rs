//! HDF5, with the feature `hdf5`: one data set a column, under `events/` or at the root.
//!
//! DSEC's layout (Gehrig et al., IEEE RA-L 2021): `events/t`, `x`, `y`, `p`, and `t_offset`, which is added to each time;
//! also `events/ts`, `xs`, `ys`, `ps`, the usual names of files that were converted from ROS bags, whose times are in
//! seconds if they are of floating point. DSEC's own files are compressed by Blosc, which is not read: repack them
//! (`h5repack -f GZIP=1`).

#[cfg(feature = "hdf5")]
use hdf5_reader::{Hdf5File, OpenOptions, error::Error};

#[cfg(feature = "hdf5")]
use super::decoded::COLUMN_NAMES;
use super::decoded::Decoded;
#[cfg(feature = "hdf5")]
use crate::number::{NumberType, rounded};

/// First bytes of a file.
pub(super) const MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";

#[cfg(not(feature = "hdf5"))]
pub(super) fn decode(_: &[u8], mut decoded: Decoded) -> Decoded {
    decoded.stop(0, "this is HDF5: build tks-events with the feature `hdf5` to read it");
    decoded
}

/// Deflate, the strongest compression that is read, packs no more than this many bytes into one. What promises more
/// is made of values that were never written.
#[cfg(feature = "hdf5")]
const MOST_RATIO: usize = 1032;
/// What any file may promise.
#[cfg(feature = "hdf5")]
const ALWAYS: usize = 1 << 20;

/// The most bytes that the data of a file of this length unfold to.
#[cfg(feature = "hdf5")]
fn most_bytes(file: usize) -> usize {
    file.saturating_mul(MOST_RATIO).saturating_add(ALWAYS)
}

/// How a file of this length is opened, so that it cannot ask for memory out of proportion to it.
#[cfg(feature = "hdf5")]
pub(crate) fn open_options(file: usize) -> OpenOptions {
    let most = most_bytes(file);
    OpenOptions::default()
        .with_max_read_bytes(most)
        .with_max_chunk_bytes(most.min(hdf5_reader::DEFAULT_MAX_CHUNK_BYTES))
        .with_max_object_header_bytes(file.min(hdf5_reader::DEFAULT_MAX_OBJECT_HEADER_BYTES))
}

#[cfg(feature = "hdf5")]
pub(super) fn decode(bytes: &[u8], mut decoded: Decoded) -> Decoded {
    if let Err(problem) = read(bytes, &mut decoded) {
        decoded.stop(0, problem);
    }
    decoded
}

/// A data set of numbers, read.
#[cfg(feature = "hdf5")]
struct Column {
    kind: NumberType,
    bytes: Vec<u8>,
}

#[cfg(feature = "hdf5")]
impl Column {
    fn len(&self) -> usize {
        self.bytes.len() / self.kind.size()
    }

    fn at(&self, i: usize) -> &[u8] {
        &self.bytes[i * self.kind.size()..]
    }

    fn whole(&self, i: usize) -> Option<i64> {
        self.kind.whole(self.at(i))
    }

    /// A time in us, or of floating point in seconds.
    fn us(&self, i: usize) -> Option<i64> {
        match self.kind.is_float() {
            true => rounded(self.kind.real(self.at(i))? * 1e6),
            false => self.whole(i),
        }
    }
}

/// Whether an error says that there is no such data set, and not that there is one which is broken.
#[cfg(feature = "hdf5")]
fn is_missing(error: &Error) -> bool {
    match error {
        Error::DatasetNotFound(_) | Error::GroupNotFound(_) => true,
        Error::Context { source, .. } => is_missing(source),
        _ => false,
    }
}

#[cfg(feature = "hdf5")]
fn read(bytes: &[u8], decoded: &mut Decoded) -> Result<(), String> {
    let file = Hdf5File::from_bytes_with_options(bytes, open_options(bytes.len()))
        .map_err(|error| error.to_string())?;
    let mut left = most_bytes(bytes.len());
    let mut column = |names: &[&str]| {
        let (mut found, mut broken) = (None, None);
        for path in names.iter().flat_map(|name| [format!("events/{name}"), (*name).to_owned()]) {
            match file.dataset(&path) {
                Ok(dataset) => {
                    found = Some(dataset);
                    break;
                }
                Err(error) if is_missing(&error) => {}
                Err(error) => broken = Some(format!("`{path}`: {error}")),
            }
        }
        let Some(found) = found else { return broken.map_or(Ok(None), Err) };
        let failed = |error: Error| format!("`{}`: {error}", names[0]);
        let kind =
            NumberType::of_hdf5(found.dtype()).ok_or_else(|| format!("`{}` holds no numbers", names[0]))?;
        let size = found.raw_byte_len().map_err(failed)?;
        left = left.checked_sub(size).ok_or_else(|| {
            format!("`{}` promises {size} bytes, more than a file of this size holds", names[0])
        })?;
        Ok::<_, String>(Some(Column { kind, bytes: found.read_raw_bytes().map_err(failed)? }))
    };
    let mut needed =
        |names: &[&str]| column(names)?.ok_or_else(|| format!("there is no data set `events/{}`", names[0]));
    let [t, x, y, p] = COLUMN_NAMES;
    let [t, x, y, p] = [needed(t)?, needed(x)?, needed(y)?, needed(p)?];
    let offset = match column(&["t_offset"])? {
        Some(offset) if offset.len() > 0 => offset.us(0).ok_or("`t_offset` is no time")?,
        _ => 0,
    };
    let lengths = [t.len(), x.len(), y.len(), p.len()];
    if lengths.iter().any(|&length| length != lengths[0]) {
        return Err(format!("t, x, y, p have {lengths:?} values"));
    }
    let time = |i| t.us(i).map(|t| t.saturating_add(offset));
    decoded.extend_with(lengths[0], |i| [time(i), x.whole(i), y.whole(i), p.whole(i)], |_| 0);
    Ok(())
}
