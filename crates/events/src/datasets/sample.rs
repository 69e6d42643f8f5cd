//! A recording of a data set, before it is read.

/// Where a recording lies, and what it is.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) class: usize,
    pub(super) entry: usize,
    /// The part of the recording that it is, `start <= t < end` in us.
    pub(super) span: Option<(i64, i64)>,
    /// Which sample of its file it is, where a file holds many.
    #[cfg_attr(not(feature = "hdf5"), expect(dead_code, reason = "only HDF5 files hold many samples"))]
    pub(super) row: usize,
}

/// A sample, and its official part.
pub(super) type Found = (Sample, Option<String>);
