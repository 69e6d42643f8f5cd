//! What can go wrong.

use std::path::PathBuf;

use tks_data::DataError;

/// Why a chart, a page or an event file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The numbers do not fit together.
    #[error("{part}: {what}")]
    Data {
        /// The part of the report, as its field is called.
        part: &'static str,
        /// What does not fit.
        what: String,
    },
    /// A chart could not be drawn.
    #[error("the chart \"{title}\" could not be drawn: {what}")]
    Chart {
        /// Its title.
        title: String,
        /// What the drawing library says.
        what: String,
    },
    /// A file could not be written, whole or at all.
    #[error(transparent)]
    Write(#[from] DataError),
    /// An event file could not be read or written.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was being done: "read".
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file that should hold TensorBoard events holds something else.
    #[error("{path} is no file of TensorBoard events: {what}, at byte {offset}")]
    Events {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
        /// Where.
        offset: u64,
    },
}
