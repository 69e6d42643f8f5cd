//! The files of a data set, unpacked or in the archives as downloaded, found by the end of their names.

use std::path::{Path, PathBuf};

use tks_data::{Archive, ArchiveOptions, Bytes, DataError};

use crate::error::ImageError;

/// A folder (or an archive) and those archives in it that were opened.
#[derive(Debug)]
pub(crate) struct Files {
    archives: Vec<Archive>,
    options: ArchiveOptions,
}

/// A file: its archive, and its place there.
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

    /// Looks into those of the named archives that are here as well; with `depth` 2, into the archives in them.
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

    /// Looks into every archive that lies in the folder `folder` (tars of classes that were not unpacked).
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

    /// As [`Files::find`], or an error that says what to do.
    pub(crate) fn require(&self, ending: &str, remedy: &str) -> Result<FileId, ImageError> {
        self.find(ending)?.ok_or_else(|| {
            let some: Vec<&str> =
                self.archives[0].entries().iter().take(3).map(|entry| entry.name()).collect();
            let found = match some.len() {
                0 => "it is empty".to_owned(),
                _ => format!("it holds {} files: {}, ...", self.archives[0].len(), some.join(", ")),
            };
            ImageError::layout(self.root(), format!("no `{ending}` here ({found})"), remedy)
        })
    }

    /// The first of several endings that is there.
    pub(crate) fn find_any(&self, endings: &[&str]) -> Result<Option<FileId>, ImageError> {
        for ending in endings {
            if let Some(id) = self.find(ending)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Finds many files below one folder, of which only the end is known (`images`), by their names in it.
    pub(crate) fn locate<'n>(
        &self,
        folder: &str,
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<Vec<Option<FileId>>, ImageError> {
        // the first of the names that is there tells where the folder is
        const PROBES: usize = 16;
        let mut base = None;
        for name in names.clone().take(PROBES) {
            let ending = format!("{folder}/{name}");
            let found = match self.find(&ending)? {
                Some(found) => Some((found, ending)),
                // the folder itself was opened
                None => self.find(name)?.map(|found| (found, name.to_owned())),
            };
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
        Ok(names
            .map(|name| {
                full.clear();
                full.push_str(&base);
                full.push_str(name);
                files.find(&full).map(|entry| FileId { archive, entry: entry as u32 })
            })
            .collect())
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

    /// What errors call the file.
    pub(crate) fn path(&self, id: FileId) -> PathBuf {
        self.archives[id.archive as usize].entry_path(id.entry as usize)
    }

    pub(crate) fn bytes(&self, id: FileId) -> Result<Bytes, DataError> {
        self.archives[id.archive as usize].bytes(id.entry as usize)
    }

    pub(crate) fn bytes_in<'a>(
        &'a self,
        id: FileId,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], DataError> {
        self.archives[id.archive as usize].bytes_in(id.entry as usize, scratch)
    }

    /// The bytes of a file that may be packed by itself (`.gz`, `.xz`).
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

/// Whether a name is `ending`, or ends in it after a `/`.
fn ends_in(name: &str, ending: &str) -> bool {
    name.strip_suffix(ending).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}
