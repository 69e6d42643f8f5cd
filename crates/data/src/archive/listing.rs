//! The contents found in an archive or a folder, and those that are skipped.

use std::path::Path;

use super::entry::{Entry, Source};
use super::options::ArchiveOptions;
use crate::error::DataError;

/// Something in an archive or a folder that is not provided as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its name, with `/` between the parts.
    pub name: Box<str>,
    /// Why it is skipped.
    pub reason: SkipReason,
}

/// Why something in an archive or a folder is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// It was added by an operating system: `__MACOSX`, `._*`, `.DS_Store`, `Thumbs.db`, `desktop.ini`,
    /// `@eaDir`.
    System,
    /// A broken link in a folder.
    DanglingLink,
    /// A link in an archive that does not lead to one of its files.
    Link,
    /// A device, a pipe or a socket.
    Special,
    /// A later entry of an archive has the same name.
    Replaced,
}

impl SkipReason {
    /// A description in the singular: "link to nothing".
    pub fn text(self) -> &'static str {
        match self {
            SkipReason::System => "file of the operating system",
            SkipReason::DanglingLink => "link to nothing",
            SkipReason::Link => "link that leads to no file of the archive",
            SkipReason::Special => "device, pipe or socket",
            SkipReason::Replaced => "entry with the name of a later one",
        }
    }
}

/// The contents found by the reader of one kind of archive, in any order.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    pub(super) sources: Vec<Source>,
    pub(super) skipped: Vec<Skipped>,
    /// Folders that may be empty.
    pub(super) folders: Vec<String>,
}

impl Listing {
    pub(super) fn skip(&mut self, name: impl Into<Box<str>>, reason: SkipReason) {
        self.skipped.push(Skipped { name: name.into(), reason });
    }

    /// Checks that `count` does not exceed the allowed number of entries.
    pub(super) fn limit(&self, path: &Path, count: u64, options: &ArchiveOptions) -> Result<(), DataError> {
        if count <= options.max_entries {
            return Ok(());
        }
        Err(DataError::TooLarge {
            path: path.to_path_buf(),
            what: "the number of entries".into(),
            size: count,
            limit: options.max_entries,
            remedy: "name a folder or archive that holds the data set alone".into(),
        })
    }

    /// Sorts by name and keeps only the empty folders. Of several entries with the same name, the last one
    /// counts, as in a tar that was appended to.
    pub(super) fn finish(self) -> Listing {
        let Listing { mut entries, sources, mut skipped, mut folders } = self;
        entries.reverse();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries.dedup_by(|earlier, kept| {
            let same = earlier.name == kept.name;
            if same {
                skipped.push(Skipped { name: earlier.name.clone(), reason: SkipReason::Replaced });
            }
            same
        });
        entries.shrink_to_fit();
        skipped.sort_by(|a, b| (a.reason, &a.name).cmp(&(b.reason, &b.name)));
        folders.sort();
        folders.dedup();
        let has_a_file = |folder: &str| {
            let first = entries.partition_point(|entry| *entry.name < *format!("{folder}/"));
            entries.get(first).is_some_and(|entry| is_below(&entry.name, folder))
        };
        folders.retain(|folder| !folder.is_empty() && !has_a_file(folder));
        Listing { entries, sources, skipped, folders }
    }
}

/// Whether there is a file in `folder` or in one of its subfolders.
fn is_below(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
