//! What can go wrong with a data set.

use std::io;
use std::path::{Path, PathBuf};

/// Any error: what a data set's own crate reports about one sample.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An error of this crate: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    // Files
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No room left.
    #[error(
        "no room left on the disk while writing {}{}; free some, or choose another folder. What is there is \
         kept and goes on from where it stopped, where that is possible",
        path.display(), needed.map(|n| format!(" ({n} bytes in all)")).unwrap_or_default()
    )]
    DiskFull {
        /// The file that was written.
        path: PathBuf,
        /// Its full size in bytes, if known.
        needed: Option<u64>,
    },

    /// A folder, a pipe or a device where a file is expected.
    #[error("{} is {kind}, not a file; give a file, or write what it holds into one first", path.display())]
    NotAFile {
        /// Its path.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A file that another program changed while it was in use.
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
    /// A TOML file that does not say what it should.
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
    /// A name that is not among those known.
    #[error(
        "there is no {what} named `{name}`{}; known: {}",
        nearest.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default(), known.join(", ")
    )]
    UnknownName {
        /// What is named: a data set, a split.
        what: &'static str,
        /// The name given.
        name: String,
        /// The known name nearest to it, if one is near.
        nearest: Option<String>,
        /// All names known.
        known: Vec<String>,
    },
    /// A setting out of its range.
    #[error("`{field}`: {message}")]
    Setting {
        /// The setting's name.
        field: &'static str,
        /// What is wrong, and which values are right.
        message: String,
    },

    // Archives
    /// An archive that is cut or corrupt.
    #[error("{} at byte {offset}: {message}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        message: String,
    },
    /// An entry whose name leads out of the archive's own folder.
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
    /// More than the limits allow.
    #[error("{}: {what} is {size}, more than the limit of {limit}; {remedy}", path.display())]
    TooLarge {
        /// The archive.
        path: PathBuf,
        /// What is too large.
        what: String,
        /// How large it is.
        size: u64,
        /// The limit.
        limit: u64,
        /// What to do.
        remedy: String,
    },
    /// A link that leads to itself, or to a folder that it lies in.
    #[error("the link {} leads to itself or to a folder that it lies in; remove it", link.display())]
    LinkLoop {
        /// The link.
        link: PathBuf,
    },
    /// A file that the data set should have and has not.
    #[error("{} holds no `{entry}`; {hint}", path.display())]
    MissingEntry {
        /// The archive or folder.
        path: PathBuf,
        /// The file looked for.
        entry: String,
        /// What to do.
        hint: String,
    },

    // Fetching
    /// What only a person can get.
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
        /// Where it belongs.
        path: PathBuf,
    },
    /// The server refused.
    #[error(
        "{url}: the server answers with status {status}; look whether the data set has moved, or name a mirror"
    )]
    Http {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server sent a page for people.
    #[error(
        "{url}: the server sends a web page in place of the file; get it with a browser, or name a mirror"
    )]
    WebPage {
        /// The address.
        url: String,
    },
    /// An address that leads to where it should not.
    #[error(
        "{url}: the address is not followed: {message}; look whether the data set has moved, or name a mirror"
    )]
    Redirect {
        /// The address.
        url: String,
        /// Where it leads.
        message: String,
    },
    /// More bytes than the file may have.
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
        /// Whether the limit is the manifest's (`max_size`), not `max_bytes` of the options.
        is_stated: bool,
    },
    /// A file of which nobody says how long it is.
    #[error(
        "{origin}: the server does not say where the file ends, and the manifest states neither size nor checksum: \
         it cannot be told whether all of it came; name a mirror that says the length"
    )]
    NoEnd {
        /// The address.
        origin: String,
    },
    /// The connection failed or was cut.
    #[error(
        "{origin}: {message} (after {done} bytes{}); what came is kept: fetch again to go on from there",
        total.map(|t| format!(" of {t}")).unwrap_or_default()
    )]
    Connection {
        /// The address, or the file of a mirror's folder.
        origin: String,
        /// Bytes that are there.
        done: u64,
        /// Bytes in all, if known.
        total: Option<u64>,
        /// What happened.
        message: String,
    },
    /// A file of another size than the manifest states.
    #[error("{} has {found} bytes where the manifest states {stated}; {remedy}", path.display())]
    WrongSize {
        /// The file or address.
        path: PathBuf,
        /// As the manifest states.
        stated: u64,
        /// As it is.
        found: u64,
        /// What to do.
        remedy: &'static str,
    },
    /// A file of another content than the manifest states.
    #[error(
        "{origin}: the file's checksum is {found} where the manifest states {stated}; it was not kept as {}. The \
         publisher may have replaced it, or something on the way changed it: try a mirror",
        path.display()
    )]
    WrongChecksum {
        /// The file that was to be.
        path: PathBuf,
        /// Where it came from.
        origin: String,
        /// As the manifest states.
        stated: String,
        /// As it is.
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
    /// A sample that a split and the data set's files do not agree on.
    #[error("the split of {dataset}, sample `{sample}`: {message}")]
    SplitSample {
        /// The data set.
        dataset: String,
        /// The sample.
        sample: String,
        /// What does not agree.
        message: String,
    },
    /// A part of another size than the manifest states.
    #[error(
        "split `{split}`: `{part}` has {found} samples where the manifest states {stated}; is the download \
         complete? To work with what is there, set `data.accept_counts = true`"
    )]
    SplitSize {
        /// The split scheme.
        split: String,
        /// The part.
        part: String,
        /// As the manifest states.
        stated: u64,
        /// As it is.
        found: u64,
    },

    // The cache
    /// A cache file that is cut, corrupt or of another setting.
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
        /// What its data set said.
        source: BoxError,
    },
    /// A label that is no class.
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
    /// A batch that its hook refused.
    #[error("batch {batch} of epoch {epoch}, in the batch's hook: {source}")]
    Hook {
        /// The epoch.
        epoch: u64,
        /// The batch in it.
        batch: usize,
        /// What the hook said.
        source: BoxError,
    },
    /// A programming error in a data set or a hook, caught in a worker.
    #[error("a worker panicked at {place}: {message}; this is a defect of the data set's or hook's code")]
    Panic {
        /// What it worked at.
        place: String,
        /// The panic's message.
        message: String,
    },
}

impl DataError {
    /// An error of the system at a file: [`DataError::DiskFull`] where that is what it is.
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
