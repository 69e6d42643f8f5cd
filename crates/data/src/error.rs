//! Errors of data sets.

use std::io;
use std::path::{Path, PathBuf};

/// Any error: a data set's own crate reports it for a sample.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An error of this crate: what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    // Files
    /// An error from the operating system.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// The attempted operation, as a verb.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// No disk space left.
    #[error(
        "no room left on the disk while writing {}{}; free some, or choose another folder. What is there is \
         kept and goes on from where it stopped, where that is possible",
        path.display(), needed.map(|n| format!(" ({n} bytes in all)")).unwrap_or_default()
    )]
    DiskFull {
        /// The file being written.
        path: PathBuf,
        /// Its full size in bytes, if known.
        needed: Option<u64>,
    },

    /// A folder, a pipe or a device where a file is expected.
    #[error("{} is {kind}, not a file; give a file, or write what it holds into one first", path.display())]
    NotAFile {
        /// Its path.
        path: PathBuf,
        /// What it is, with an article.
        kind: &'static str,
    },
    /// A file that was changed by another program while in use.
    #[error(
        "{} had {opened} bytes when it was opened and has {found} now: another program changed it while it was in \
         use. Leave the file alone until the end, and begin again",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its size in bytes when it was opened.
        opened: u64,
        /// Its size now.
        found: u64,
    },

    // Manifests and settings
    /// A TOML file with a fault.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong, with the nearest known name for an unknown one.
        message: String,
    },
    /// A manifest that contradicts itself.
    #[error("{}: `{field}`: {message}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The field.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// An unknown name.
    #[error(
        "there is no {what} named `{name}`{}; known: {}",
        nearest.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default(), known.join(", ")
    )]
    UnknownName {
        /// The kind of thing named: a data set, a split.
        what: &'static str,
        /// The name given.
        name: String,
        /// The closest known name, if one is close.
        nearest: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// A setting that is out of range.
    #[error("`{field}`: {message}")]
    Setting {
        /// The setting's name.
        field: &'static str,
        /// What is wrong, and the valid values.
        message: String,
    },

    // Archives
    /// An archive that is truncated or corrupt.
    #[error("{} at byte {offset}: {message}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// The offset.
        offset: u64,
        /// The fault at that offset.
        message: String,
    },
    /// An entry whose name leads outside the archive's own folder.
    #[error(
        "{}: the entry `{entry}` leads out of the archive's folder; this archive is not opened",
        path.display()
    )]
    EntryPath {
        /// The archive.
        path: PathBuf,
        /// The entry's name.
        entry: String,
    },
    /// The limits are exceeded.
    #[error("{}: {what} is {size}, more than the limit of {limit}; {remedy}", path.display())]
    TooLarge {
        /// The archive.
        path: PathBuf,
        /// What is too large.
        what: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
        /// What to do.
        remedy: String,
    },
    /// A link that leads to itself, or to a folder that contains it.
    #[error("the link {} leads to itself or to a folder that it lies in; remove it", link.display())]
    LinkLoop {
        /// The link.
        link: PathBuf,
    },
    /// A missing file of the data set.
    #[error("{} holds no `{entry}`; {hint}", path.display())]
    MissingEntry {
        /// The archive or folder.
        path: PathBuf,
        /// The missing file.
        entry: String,
        /// What to do.
        hint: String,
    },

    // Fetching
    /// A file that can only be downloaded manually.
    #[error(
        "`{file}` is given out only to a person: get it from {page} and put it at {}, or name a mirror that \
         has it",
        path.display()
    )]
    ManualDownload {
        /// The file's name.
        file: String,
        /// The publisher's page.
        page: String,
        /// The path to put it at.
        path: PathBuf,
    },
    /// The server returned an error.
    #[error(
        "{url}: the server answers with status {status}; look whether the data set has moved, or name a mirror"
    )]
    Http {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server sent a web page instead of the file.
    #[error(
        "{url}: the server sends a web page in place of the file; get it with a browser, or name a mirror"
    )]
    WebPage {
        /// The address.
        url: String,
    },
    /// A redirect that is not allowed.
    #[error(
        "{url}: the address is not followed: {message}; look whether the data set has moved, or name a mirror"
    )]
    Redirect {
        /// The address.
        url: String,
        /// The target.
        message: String,
    },
    /// The file is longer than allowed.
    #[error(
        "{origin}: the file has more than {limit} bytes, the most that is fetched of it{}",
        if *is_stated {
            "; the publisher may have replaced it: compare with its page, or name a mirror"
        } else {
            "; if that is right, raise the limit (`tks data fetch --max-bytes`)"
        }
    )]
    TooLong {
        /// The address.
        origin: String,
        /// The limit.
        limit: u64,
        /// Whether the limit is `max_size` of the manifest rather than `max_bytes` of the options.
        is_stated: bool,
    },
    /// A file whose length is stated neither by the manifest nor by the server.
    #[error(
        "{origin}: the server does not say where the file ends, and the manifest states neither size nor checksum: \
         it cannot be told whether all of it came; name a mirror that says the length"
    )]
    NoEnd {
        /// The address.
        origin: String,
    },
    /// The connection failed or was closed early.
    #[error(
        "{origin}: {message} (after {done} bytes{}); what came is kept: fetch again to go on from there",
        total.map(|t| format!(" of {t}")).unwrap_or_default()
    )]
    Connection {
        /// The address, or the file in a mirror's folder.
        origin: String,
        /// Number of bytes received.
        done: u64,
        /// Total number of bytes, if known.
        total: Option<u64>,
        /// The reason.
        message: String,
    },
    /// A file whose size differs from the manifest's.
    #[error("{} has {found} bytes where the manifest states {stated}; {remedy}", path.display())]
    WrongSize {
        /// The file or address.
        path: PathBuf,
        /// The value in the manifest.
        stated: u64,
        /// The actual value.
        found: u64,
        /// What to do.
        remedy: &'static str,
    },
    /// A file whose checksum differs from the manifest's.
    #[error(
        "{origin}: the file's checksum is {found} where the manifest states {stated}; it was not kept as {}. The \
         publisher may have replaced it, or something on the way changed it: try a mirror",
        path.display()
    )]
    WrongChecksum {
        /// The intended file.
        path: PathBuf,
        /// Its source.
        origin: String,
        /// The value in the manifest.
        stated: String,
        /// The actual value.
        found: String,
    },

    // Splits
    /// A sample in two parts of a split, or twice in one.
    #[error(
        "the split of {dataset} lists `{sample}` twice, in `{first}` and in `{second}`: what is trained on \
         would be tested on; remove one"
    )]
    SplitOverlap {
        /// The data set.
        dataset: String,
        /// The sample.
        sample: String,
        /// The part that lists it first.
        first: String,
        /// The part that lists it again.
        second: String,
    },
    /// A sample on which a split and the data set's files disagree.
    #[error("the split of {dataset}, sample `{sample}`: {message}")]
    SplitSample {
        /// The data set.
        dataset: String,
        /// The sample.
        sample: String,
        /// The disagreement.
        message: String,
    },
    /// A part whose size differs from the manifest's.
    #[error(
        "split `{split}`: `{part}` has {found} samples where the manifest states {stated}; is the download \
         complete? To work with what is there, set `data.accept_counts = true`"
    )]
    SplitSize {
        /// The split scheme.
        split: String,
        /// The part.
        part: String,
        /// The value in the manifest.
        stated: u64,
        /// The actual value.
        found: u64,
    },

    // The cache
    /// A cache file that is truncated, corrupt or made with other settings.
    #[error("the cache file {}: {message}; remove it, and it is made again", path.display())]
    Cache {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },

    // The loader
    /// A sample that could not be loaded.
    #[error("sample {index} (`{name}`): {source}")]
    Sample {
        /// Its index in the data set.
        index: usize,
        /// Its name.
        name: String,
        /// The data set's error.
        source: BoxError,
    },
    /// A label outside the classes.
    #[error("sample {index} (`{name}`) has label {label}, but there are {classes} classes: 0 to {}", classes - 1)]
    Label {
        /// The sample's index in the data set.
        index: usize,
        /// Its name.
        name: String,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A batch for which the hook failed.
    #[error("batch {batch} of epoch {epoch}, in the batch's hook: {source}")]
    Hook {
        /// The epoch.
        epoch: u64,
        /// The number of the batch in it.
        batch: usize,
        /// The hook's error.
        source: BoxError,
    },
    /// A programming error in a data set or a hook, caught in a worker.
    #[error("a worker panicked at {place}: {message}; this is a defect of the data set's or hook's code")]
    Panic {
        /// The task it was working on.
        place: String,
        /// The panic message.
        message: String,
    },
}

impl DataError {
    /// Wraps a system error for a file, as [`DataError::DiskFull`] if the disk is full.
    pub fn io(doing: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                DataError::DiskFull { path, needed: None }
            }
            _ => DataError::Io { doing, path, source },
        }
    }
}
