//! A recording of a data set before it is read.

/// The location of a recording, and its labels.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) class: usize,
    pub(super) entry: usize,
    /// The time span within the recording, `start <= t < end` in us.
    pub(super) span: Option<(i64, i64)>,
    /// The index of the sample in its file, if the file contains many.
    #[cfg_attr(not(feature = "hdf5"), expect(dead_code, reason = "only HDF5 files hold many samples"))]
    pub(super) row: usize,
}

/// A sample and its official part.
pub(super) type Found = (Sample, Option<String>);
