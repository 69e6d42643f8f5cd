//! Errors of this crate.

use std::path::PathBuf;

use tks_data::DataError;

/// Why a chart, a page or an event file could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The numbers are inconsistent.
    #[error("{part}: {what}")]
    Data {
        /// The part of the report, by the name of its field.
        part: &'static str,
        /// The inconsistency.
        what: String,
    },
    /// A chart could not be drawn.
    #[error("the chart \"{title}\" could not be drawn: {what}")]
    Chart {
        /// Its title.
        title: String,
        /// The drawing library's message.
        what: String,
    },
    /// A file could not be written completely, or at all.
    #[error(transparent)]
    Write(#[from] DataError),
    /// An event file could not be read or written.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// The operation: "read".
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file does not hold valid TensorBoard events.
    #[error("{path} is no file of TensorBoard events: {what}, at byte {offset}")]
    Events {
        /// The file.
        path: PathBuf,
        /// The fault.
        what: &'static str,
        /// Its offset in bytes.
        offset: u64,
    },
}
