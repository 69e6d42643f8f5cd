//! HDF5, including files from MATLAB 7.3.
//!
//! | layout | used by | times |
//! |---|---|---|
//! | `events/{t,x,y,p}`, `t_offset` added to each time | DSEC | us |
//! | `events/{ts,xs,ys,ps}` | files converted from ROS bags (rpg, event CNN) | seconds |
//! | `prophesee/left/{t,x,y,p}`, `right` | M3ED | us |
//! | `davis/left/events` `[N, 4]` of x, y, t, p, `right` | MVSEC | seconds |
//! | `CD/events`, records of x, y, p, t | Prophesee | us |
//! | `events` `[N, 4]` of t, x, y, p (x, y, t, p if the third is the increasing one) unless the option `columns` is given | v2e | us |
//! | `TD/{x,y,p,ts}` | a MATLAB struct, see [`super::matlab`] | us |
//! | the same names at the root, and records at `events` | MATLAB 7.3's vectors, flat files | |
//! | otherwise, the only group with such names or data set of such records | | |
//!
//! Columns can have any of the names known to [`super::text`], and any numeric type. A unit of time stated in
//! a name is used; otherwise, integer times are in us and times with a fraction in seconds, and MVSEC's are
//! in seconds. Of two cameras, the left one is read, and the events of the other are counted as skipped.
//!
//! Filters: deflate, shuffle, Fletcher-32, szip, n-bit and scale-offset; LZF, LZ4, Zstandard, Bitshuffle and
//! Blosc. Others, such as Prophesee's ECF, are refused by name.

#[cfg(feature = "hdf5")]
mod bitshuffle;
#[cfg(feature = "hdf5")]
mod blosc;
#[cfg(feature = "hdf5")]
mod codecs;
#[cfg(feature = "hdf5")]
mod filters;
#[cfg(feature = "hdf5")]
mod layouts;
#[cfg(feature = "hdf5")]
mod options;

use super::columns::ColumnOrder;
use super::decoded::Decoded;
use super::event_format::EventFormat;
use super::{ReadOptions, matlab};
#[cfg(feature = "hdf5")]
pub(crate) use filters::explain;
#[cfg(feature = "hdf5")]
pub(crate) use options::open_options;

/// HDF5, except for MATLAB's.
#[derive(Debug)]
pub(super) struct Hdf5;

impl EventFormat for Hdf5 {
    fn title(&self) -> &str {
        "HDF5"
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        is_hdf5(bytes) && !matlab::is_matlab(bytes)
    }

    fn endings(&self) -> &[&str] {
        &["h5", "hdf5"]
    }

    fn has_columns(&self) -> bool {
        true
    }

    fn decode(&self, bytes: &[u8], options: &ReadOptions, decoded: Decoded) -> Decoded {
        decode(bytes, options.columns, decoded)
    }
}

/// The first bytes of a file, possibly after 512 bytes, or twice or four times as many, and so on.
const MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Maximum size of a user block before the signature.
const MOST_BEFORE: usize = 1 << 16;

/// Whether this is HDF5.
pub(super) fn is_hdf5(bytes: &[u8]) -> bool {
    let mut at = 0;
    while at <= MOST_BEFORE {
        if bytes.get(at..).is_some_and(|rest| rest.starts_with(MAGIC)) {
            return true;
        }
        at = (2 * at).max(512);
    }
    false
}

#[cfg(not(feature = "hdf5"))]
pub(super) fn decode(_: &[u8], _: ColumnOrder, mut decoded: Decoded) -> Decoded {
    decoded.refuse(0, "this is HDF5: build tks-events with the feature `hdf5` to read it");
    decoded
}

#[cfg(feature = "hdf5")]
pub(super) fn decode(bytes: &[u8], columns: ColumnOrder, mut decoded: Decoded) -> Decoded {
    if let Err(problem) = layouts::read(bytes, columns, &mut decoded) {
        decoded.refuse(0, problem);
    }
    decoded
}
