//! The files of a data set, unpacked or in archives as downloaded, found by the end of their names.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tks_data::archive::Skipped;
use tks_data::{Archive, ArchiveOptions, Bytes, DataError};

use crate::error::ImageError;

/// Limits on an image in an archive, in bytes and as a multiple of its compressed size: images are already
/// compressed, so anything larger is a decompression bomb.
const MOST_INFLATED: u64 = 16 << 20;
const MOST_RATIO: u64 = 4;

/// A folder (or an archive) and the archives opened in it.
#[derive(Debug)]
pub(crate) struct Files {
    archives: Vec<Archive>,
    options: ArchiveOptions,
}

/// A file: its archive and its index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    archive: u32,
    entry: u32,
}

impl Files {
    pub(crate) fn open(root: &Path, options: &ArchiveOptions) -> Result<Self, ImageError> {
        Ok(Self { archives: vec![Archive::open_with(root, options)?], options: options.clone() })
    }

    /// The folder or archive that was opened first.
    pub(crate) fn root(&self) -> &Path {
        self.archives[0].path()
    }

    /// Also opens those of the named archives that are present; with `depth` 2, the archives in them too.
    pub(crate) fn look_into(&mut self, names: &[&str], depth: usize) -> Result<(), ImageError> {
        for name in names {
            if let Some(id) = self.find_in(0, name)? {
                let mut archive = self.archives[0].nested(id.entry as usize, &self.options)?;
                for _ in 1..depth {
                    archive = archive.expanded(&self.options)?;
                }
                self.archives.push(archive);
            }
        }
        Ok(())
    }

    /// Opens every archive in the folder `folder` (tars of classes that were not unpacked).
    pub(crate) fn expand_root(&mut self) -> Result<(), ImageError> {
        let root = Archive::open_with(self.root(), &self.options)?;
        self.archives = vec![root.expanded(&self.options)?];
        Ok(())
    }

    /// The file whose name is `ending` or ends in `/ending`.
    pub(crate) fn find(&self, ending: &str) -> Result<Option<FileId>, ImageError> {
        for archive in 0..self.archives.len() {
            if let Some(id) = self.find_in(archive, ending)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn find_in(&self, archive: usize, ending: &str) -> Result<Option<FileId>, ImageError> {
        let fits = |name: &str| ends_in(name, ending);
        let entries = self.archives[archive].entries();
        let mut found = entries.iter().enumerate().filter(|(_, entry)| fits(entry.name()));
        let Some((index, first)) = found.next() else { return Ok(None) };
        if let Some((_, second)) = found.next() {
            return Err(ImageError::layout(
                self.archives[archive].path(),
                format!("there is a `{}` and a `{}`", first.name(), second.name()),
                "name the folder of one data set only",
            ));
        }
        Ok(Some(FileId { archive: archive as u32, entry: index as u32 }))
    }

    /// Like [`Files::find`], with an error that says what to do.
    pub(crate) fn require(&self, ending: &str, remedy: &str) -> Result<FileId, ImageError> {
        self.find(ending)?.ok_or_else(|| {
            ImageError::layout(self.root(), format!("no `{ending}` here ({})", self.found()), remedy)
        })
    }

    /// A summary of what is present, for an error about missing files.
    pub(crate) fn found(&self) -> String {
        const NAMED: usize = 6;
        let mut kinds: Vec<(String, usize)> = Vec::new();
        for (_, name) in self.below("") {
            // a folder represents its files
            let shown = match name.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => name.to_owned(),
            };
            match kinds.last_mut().filter(|(last, _)| *last == shown) {
                Some((_, count)) => *count += 1,
                None => kinds.push((shown, 1)),
            }
        }
        if kinds.is_empty() {
            return "it is empty".to_owned();
        }
        let tell = |(name, count): &(String, usize)| match (name.ends_with('/'), count) {
            (false, _) => name.clone(),
            (true, 1) => format!("{name} with 1 file"),
            (true, count) => format!("{name} with {count} files"),
        };
        let named: Vec<String> = kinds.iter().take(NAMED).map(tell).collect();
        let more = if kinds.len() > NAMED { ", ..." } else { "" };
        format!("it holds {}{more}", named.join(", "))
    }

    /// The file for the first of several endings that is present.
    pub(crate) fn find_any(&self, endings: &[&str]) -> Result<Option<FileId>, ImageError> {
        for ending in endings {
            if let Some(id) = self.find(ending)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Finds many files by their names within one folder, of which only the end of the path is known
    /// (`images`).
    pub(crate) fn locate<'n>(
        &self,
        folder: &str,
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<Vec<Option<FileId>>, ImageError> {
        // the first name found gives the location of the folder
        const PROBES: usize = 16;
        let mut base = None;
        for name in names.clone().take(PROBES) {
            let upper = match name.rsplit_once('.') {
                Some((stem, ending)) => format!("{stem}.{}", ending.to_ascii_uppercase()),
                None => name.to_owned(),
            };
            let inside = |name: &str| format!("{folder}/{name}");
            // if none is found in the folder, the folder itself was opened
            let mut found = None;
            for ending in [inside(name), inside(&upper), name.to_owned(), upper] {
                if let Some(id) = self.find(&ending)? {
                    found = Some((id, ending));
                    break;
                }
            }
            if let Some((id, ending)) = found {
                let place = self.name(id);
                let prefix = &place[..place.len() - ending.len()];
                base = Some((id.archive, format!("{prefix}{}", &ending[..ending.len() - name.len()])));
                break;
            }
        }
        let Some((archive, base)) = base else { return Ok(names.map(|_| None).collect()) };
        let files = &self.archives[archive as usize];
        let mut full = String::new();
        // built if a name is not found as written: extensions may have been changed to upper case
        let mut by_lower_case: Option<HashMap<String, usize>> = None;
        Ok(names
            .map(|name| {
                full.clear();
                full.push_str(&base);
                full.push_str(name);
                let entry = files.find(&full).or_else(|| {
                    let all = files.entries().iter().enumerate();
                    let known = by_lower_case.get_or_insert_with(|| {
                        all.map(|(at, entry)| (entry.name().to_lowercase(), at)).collect()
                    });
                    known.get(&full.to_lowercase()).copied()
                });
                entry.map(|entry| FileId { archive, entry: entry as u32 })
            })
            .collect())
    }

    /// The files whose names begin with `prefix`, with the rest of their names, in the first archive or
    /// folder.
    pub(crate) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (FileId, &'a str)> {
        let entries = self.archives[0].entries();
        let first = entries.partition_point(|entry| entry.name() < prefix);
        entries[first..].iter().zip(first as u32..).map_while(move |(entry, index)| {
            Some((FileId { archive: 0, entry: index }, entry.name().strip_prefix(prefix)?))
        })
    }

    /// Entries skipped in the first archive or folder.
    pub(crate) fn skipped(&self) -> &[Skipped] {
        self.archives[0].skipped()
    }

    /// The names of folders without files in the first archive or folder.
    pub(crate) fn empty_folders(&self) -> impl Iterator<Item = &str> {
        self.archives[0].empty_folders()
    }

    /// The first bytes of a file.
    pub(crate) fn head(&self, id: FileId, most: usize) -> Result<Vec<u8>, DataError> {
        self.archives[id.archive as usize].head(id.entry as usize, most)
    }

    /// All files, archive by archive, sorted by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (FileId, &str)> {
        self.archives.iter().enumerate().flat_map(|(archive, files)| {
            files.entries().iter().enumerate().map(move |(entry, file)| {
                (FileId { archive: archive as u32, entry: entry as u32 }, file.name())
            })
        })
    }

    pub(crate) fn name(&self, id: FileId) -> &str {
        self.archives[id.archive as usize].entries()[id.entry as usize].name()
    }

    /// The file's name in error messages.
    pub(crate) fn path(&self, id: FileId) -> PathBuf {
        self.archives[id.archive as usize].entry_path(id.entry as usize)
    }

    /// The file's size in bytes.
    pub(crate) fn size(&self, id: FileId) -> u64 {
        self.archives[id.archive as usize].entries()[id.entry as usize].size()
    }

    pub(crate) fn bytes(&self, id: FileId) -> Result<Bytes, DataError> {
        self.archives[id.archive as usize].bytes(id.entry as usize)
    }

    pub(crate) fn bytes_in<'a>(
        &'a self,
        id: FileId,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], DataError> {
        let (archive, entry) = (&self.archives[id.archive as usize], id.entry as usize);
        let (size, packed) = (archive.entries()[entry].size(), archive.packed_size(entry));
        let limit = MOST_INFLATED.max(packed.saturating_mul(MOST_RATIO)).max(packed);
        if size > limit {
            return Err(DataError::TooLarge {
                path: archive.entry_path(entry),
                what: format!("the size of an image that takes {packed} bytes in the archive"),
                size,
                limit,
                remedy: "if it is to be trusted, unpack the archive and name the folder".into(),
            });
        }
        archive.bytes_in(entry, scratch)
    }

    /// The bytes of a file that may itself be compressed (`.gz`, `.xz`).
    pub(crate) fn unpacked(&self, id: FileId) -> Result<Bytes, ImageError> {
        let name = self.name(id);
        if !name.ends_with(".gz") && !name.ends_with(".xz") {
            return Ok(self.bytes(id)?);
        }
        let inner = self.archives[id.archive as usize].nested(id.entry as usize, &self.options)?;
        if inner.len() != 1 {
            let problem = format!("an archive of {} files instead of one packed file", inner.len());
            return Err(ImageError::layout(self.path(id), problem, "name the folder of the data set"));
        }
        Ok(inner.bytes(0)?)
    }
}

/// Whether a name is `ending`, or ends in `/` and `ending`.
fn ends_in(name: &str, ending: &str) -> bool {
    name.strip_suffix(ending).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}
