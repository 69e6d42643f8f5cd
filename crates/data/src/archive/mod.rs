//! A data set's files as downloaded or unpacked: a folder, a zip, or a plain or compressed tar, behind one
//! type.
//!
//! Entries are listed once, sorted by name, and read in any order from any thread. Entries of a tar and
//! stored entries of a zip are read in place; compressed entries of a zip are inflated when they are read. A
//! compressed tar allows no random access, so it is decompressed once: into memory if it is small
//! ([`memory_limit`](ArchiveOptions::memory_limit)), else into a file in
//! [`cache_dir`](ArchiveOptions::cache_dir), which is written whole or not at all and reused the next time.

mod entry;
mod folder;
mod format;
mod inflate;
mod listing;
mod name;
mod options;
mod tarball;
mod unpack;
mod zipped;

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::bytes::{ByteSource, Bytes};
use crate::error::DataError;
use crate::regular_file;
pub use entry::Entry;
use entry::{LISTING_WINDOW, Place, Source, SourceData};
use format::{Format, has_archive_name, not_an_archive, unpacked_name};
use inflate::{MAX_INFLATE_WINDOW, inflate};
use listing::Listing;
pub use listing::{SkipReason, Skipped};
pub use options::ArchiveOptions;

/// The files of a data set, in a folder or an archive.
///
/// Names have `/` between their parts on every system and never lead outside the archive. Bytes that are not
/// UTF-8 are written as `\xe9`, and characters that would affect the surrounding text (line ends, other
/// control characters) as `\u{a}`. Skipped entries are in [`Archive::skipped`], folders without files in
/// [`Archive::empty_folders`].
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    /// Identifies the archive: a part of the cache keys of data decompressed from it.
    key: String,
    entries: Vec<Entry>,
    sources: Vec<Source>,
    skipped: Vec<Skipped>,
    empty_folders: Vec<Box<str>>,
    options: ArchiveOptions,
}

impl Archive {
    /// Opens the folder or archive at `path`. A file that is not an archive is opened as one with itself as
    /// the only entry.
    ///
    /// # Errors
    /// [`DataError::Io`]; [`DataError::Archive`] with the offset at which it is truncated or corrupt;
    /// [`DataError::EntryPath`] and [`DataError::TooLarge`] for untrustworthy names and sizes.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DataError> {
        Archive::open_with(path, &ArchiveOptions::default())
    }

    /// [`Archive::open`] with options.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn open_with(path: impl AsRef<Path>, options: &ArchiveOptions) -> Result<Self, DataError> {
        let path = path.as_ref();
        let metadata = std::fs::metadata(path).map_err(|e| DataError::io("open", path, e))?;
        if metadata.is_dir() {
            return Ok(Archive::new(folder::list(path, options)?, path, options));
        }
        if !metadata.is_file() {
            let message = "a device, pipe or socket; name a folder, an archive or a file".to_string();
            return Err(DataError::Archive { path: path.to_path_buf(), offset: 0, message });
        }
        let stamp = metadata.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let key = format!("{}|{}|{stamp:?}", absolute.display(), metadata.len());
        let origin = unpack::Origin { path, key, cache_dir: &cache_dir(path, options) };
        Archive::from_source(ByteSource::open(path)?, &origin, options)
    }

    fn from_source(
        bytes: ByteSource,
        origin: &unpack::Origin<'_>,
        options: &ArchiveOptions,
    ) -> Result<Self, DataError> {
        let mut archive = Archive::new(listed(bytes, origin, options)?, origin.path, options);
        archive.key.clone_from(&origin.key);
        Ok(archive)
    }

    fn new(listing: Listing, path: &Path, options: &ArchiveOptions) -> Self {
        let Listing { entries, sources, skipped, folders } = listing.finish();
        let empty_folders = folders.into_iter().map(String::into_boxed_str).collect();
        let (path, options) = (path.to_path_buf(), options.clone());
        Archive { path, key: String::new(), entries, sources, skipped, empty_folders, options }
    }

    /// The folder or archive file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All files, sorted by name.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Skipped entries, with reason and name.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The names of folders that contain no files, not even in subfolders.
    pub fn empty_folders(&self) -> impl Iterator<Item = &str> {
        self.empty_folders.iter().map(AsRef::as_ref)
    }

    /// The number of bytes that an entry takes in the archive: less than its size if compressed.
    pub fn packed_size(&self, index: usize) -> u64 {
        match self.entries[index].place {
            Place::Deflated { packed, .. } => packed,
            _ => self.entries[index].size,
        }
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Index of the file of this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.entries.binary_search_by(|entry| (*entry.name).cmp(name)).ok()
    }

    /// Index of the only file whose name is `suffix` or ends in `/suffix`, since archives differ in the
    /// folders around the same files.
    ///
    /// # Errors
    /// [`DataError::MissingEntry`] if there is none or more than one.
    pub fn find_ending(&self, suffix: &str) -> Result<usize, DataError> {
        let fits =
            |name: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
        let mut found = (0..self.len()).filter(|&i| fits(&self.entries[i].name));
        let missing = |hint: String| DataError::MissingEntry {
            path: self.path.clone(),
            entry: suffix.to_string(),
            hint,
        };
        let first = found.next().ok_or_else(|| {
            let some: Vec<&str> = self.entries.iter().take(3).map(Entry::name).collect();
            missing(format!("it holds {} files: {}, ...", self.len(), some.join(", ")))
        })?;
        match found.next() {
            None => Ok(first),
            Some(second) => Err(missing(format!(
                "there are several: `{}` and `{}`",
                self.entries[first].name, self.entries[second].name
            ))),
        }
    }

    /// The entry's path for error messages: the archive's path and the entry's name.
    pub fn entry_path(&self, index: usize) -> PathBuf {
        self.path.join(&*self.entries[index].name)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`DataError::Io`], [`DataError::Changed`] if another program changed the archive since it was opened, and
    /// [`DataError::Archive`] if a compressed entry is corrupt.
    ///
    /// # Panics
    /// If `index` is not below [`Archive::len`]; this applies to all functions here that take an index.
    pub fn bytes(&self, index: usize) -> Result<Bytes, DataError> {
        let entry = &self.entries[index];
        if let Place::Span { source, offset } = entry.place {
            return self.span(source, offset, entry.size, entry)?.to_bytes();
        }
        let mut memory = Vec::new();
        self.bytes_in(index, &mut memory)?;
        Ok(memory.into())
    }

    /// The bytes of a file, without allocating: in `scratch`, whose memory is reused from one file to the
    /// next, or borrowed if the archive is in memory.
    ///
    /// # Errors
    /// As [`Archive::bytes`].
    pub fn bytes_in<'a>(&'a self, index: usize, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], DataError> {
        let entry = &self.entries[index];
        match entry.place {
            Place::File { .. } => {
                regular_file::read_into(&self.file(entry), scratch)?;
                Ok(scratch)
            }
            Place::Span { source, offset } => match &self.sources[source as usize].data {
                SourceData::Bytes(bytes) => bytes.bytes_in(offset..offset + entry.size, scratch),
                SourceData::Folder => Err(self.beyond(source, offset, entry)),
            },
            Place::Deflated { source, offset, packed, crc } => {
                self.options.limit(&self.entry_path(index), entry.size, packed)?;
                let window = packed.min(MAX_INFLATE_WINDOW) as usize;
                let packed = self.span(source, offset, packed, entry)?.reader(window);
                inflate(packed, entry.size, crc, scratch).map_err(|problem| {
                    problem.into_error(&self.sources[source as usize].path, offset, &entry.name)
                })?;
                Ok(scratch)
            }
        }
    }

    /// The first bytes of a file, at most `most`. Of a compressed entry, no more than these are inflated.
    ///
    /// # Errors
    /// As [`Archive::bytes`].
    pub fn head(&self, index: usize, most: usize) -> Result<Vec<u8>, DataError> {
        let entry = &self.entries[index];
        let mut head = Vec::new();
        let (source, is_packed) = match entry.place {
            Place::File { .. } => (ByteSource::open(&self.file(entry))?, false),
            Place::Span { source, offset } => (self.span(source, offset, entry.size, entry)?, false),
            Place::Deflated { source, offset, packed, .. } => {
                (self.span(source, offset, packed, entry)?, true)
            }
        };
        let reader = source.reader(LISTING_WINDOW);
        let most = most as u64;
        let done = if is_packed {
            flate2::bufread::DeflateDecoder::new(reader).take(most).read_to_end(&mut head)
        } else {
            reader.take(most).read_to_end(&mut head)
        };
        done.map_err(|e| DataError::io("read", self.entry_path(index), e))?;
        Ok(head)
    }

    /// A part of the bytes of a file, like [`Archive::bytes_in`]; if the file is uncompressed, only that part
    /// is read.
    ///
    /// # Errors
    /// As [`Archive::bytes`]; [`DataError::Archive`] if the range extends beyond the end of the file.
    pub fn range_in<'a>(
        &'a self,
        index: usize,
        range: Range<u64>,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], DataError> {
        let entry = &self.entries[index];
        let beyond = || DataError::Archive {
            path: self.entry_path(index),
            offset: entry.size,
            message: format!("bytes {} to {} are asked for", range.start, range.end),
        };
        match entry.place {
            Place::File { .. } => {
                ByteSource::open(&self.file(entry))?.bytes_in(range, scratch)?;
                Ok(scratch)
            }
            Place::Span { source, offset } if range.end <= entry.size => {
                match &self.sources[source as usize].data {
                    SourceData::Bytes(bytes) => {
                        bytes.bytes_in(offset + range.start..offset + range.end, scratch)
                    }
                    SourceData::Folder => Err(beyond()),
                }
            }
            Place::Span { .. } => Err(beyond()),
            Place::Deflated { .. } => {
                let all = self.bytes_in(index, scratch)?;
                all.get(range.start as usize..range.end as usize).ok_or_else(beyond)
            }
        }
    }

    /// A file to be kept open for random access. If it is compressed and larger than
    /// [`memory_limit`](ArchiveOptions::memory_limit), it is inflated into a cache file.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn source(&self, index: usize, options: &ArchiveOptions) -> Result<ByteSource, DataError> {
        let entry = &self.entries[index];
        match entry.place {
            Place::File { .. } => ByteSource::open(&self.file(entry)),
            Place::Span { source, offset } => self.span(source, offset, entry.size, entry),
            Place::Deflated { source, offset, packed, .. } if entry.size > options.memory_limit => {
                let packed = self.span(source, offset, packed, entry)?;
                let path = self.entry_path(index);
                let cache_dir = cache_dir(&self.path, options);
                let origin =
                    unpack::Origin { path: &path, key: self.entry_key(index), cache_dir: &cache_dir };
                unpack::inflate_to_cache(&packed, &origin, options)
            }
            Place::Deflated { .. } => {
                let mut memory = Vec::new();
                self.bytes_in(index, &mut memory)?;
                Ok(memory.into())
            }
        }
    }

    fn entry_key(&self, index: usize) -> String {
        format!("{}|{}", self.key, self.entries[index].name)
    }

    /// Opens an entry that is itself an archive: ImageNet's training tar holds one tar per class, and
    /// N-Caltech101 and DVS-CIFAR10 come as zips in an archive or a folder.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn nested(&self, index: usize, options: &ArchiveOptions) -> Result<Archive, DataError> {
        let entry = &self.entries[index];
        if let Place::File { .. } = entry.place {
            return Archive::open_with(self.file(entry), options);
        }
        let bytes = self.source(index, options)?;
        let path = self.entry_path(index);
        let cache_dir = cache_dir(&self.path, options);
        let origin = unpack::Origin { path: &path, key: self.entry_key(index), cache_dir: &cache_dir };
        Archive::from_source(bytes, &origin, options)
    }

    /// The same files, with each archive among them replaced by its contents: the files of `airplane.zip`
    /// become `airplane.zip/<name>`. This goes one level deep: an archive within such an archive remains one
    /// file.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn expanded(self, options: &ArchiveOptions) -> Result<Archive, DataError> {
        if !self.entries.iter().any(|entry| has_archive_name(&entry.name)) {
            return Ok(self);
        }
        let mut all =
            Listing { sources: self.sources.clone(), skipped: self.skipped.clone(), ..Listing::default() };
        all.folders.extend(self.empty_folders().map(str::to_owned));
        for index in 0..self.len() {
            let entry = &self.entries[index];
            if !has_archive_name(&entry.name) {
                all.entries.push(entry.clone());
                continue;
            }
            let inner = self.nested(index, options)?;
            let first = all.sources.len() as u32;
            let prefix = entry.name.len() as u32 + 1;
            let name = |held: &str| format!("{}/{held}", entry.name);
            all.folders.extend(inner.empty_folders().map(name));
            all.skipped.extend(
                inner
                    .skipped
                    .iter()
                    .map(|held| Skipped { name: name(&held.name).into(), reason: held.reason }),
            );
            all.sources.extend(inner.sources);
            all.entries.extend(inner.entries.into_iter().map(|held| Entry {
                name: name(&held.name).into(),
                size: held.size,
                place: match held.place {
                    Place::File { source, skip } => {
                        Place::File { source: source + first, skip: skip + prefix }
                    }
                    Place::Span { source, offset } => Place::Span { source: source + first, offset },
                    Place::Deflated { source, offset, packed, crc } => {
                        Place::Deflated { source: source + first, offset, packed, crc }
                    }
                },
            }));
            all.limit(&self.path, all.entries.len() as u64, options)?;
        }
        let mut archive = Archive::new(all, &self.path, options);
        archive.key = self.key;
        Ok(archive)
    }

    fn file(&self, entry: &Entry) -> PathBuf {
        match entry.place {
            Place::File { source, skip } => {
                let path = &self.sources[source as usize].path;
                match &entry.name[skip as usize..] {
                    "" => path.clone(),
                    name => path.join(name),
                }
            }
            _ => self.path.clone(),
        }
    }

    fn span(&self, source: u32, offset: u64, size: u64, entry: &Entry) -> Result<ByteSource, DataError> {
        let span = match &self.sources[source as usize].data {
            SourceData::Bytes(bytes) => bytes.slice(offset, size),
            SourceData::Folder => None,
        };
        span.ok_or_else(|| self.beyond(source, offset, entry))
    }

    fn beyond(&self, source: u32, offset: u64, entry: &Entry) -> DataError {
        DataError::Archive {
            path: self.sources[source as usize].path.clone(),
            offset,
            message: format!("the entry `{}` reaches beyond the end", entry.name),
        }
    }
}

/// The entries of an archive file.
fn listed(
    bytes: ByteSource,
    origin: &unpack::Origin<'_>,
    options: &ArchiveOptions,
) -> Result<Listing, DataError> {
    let path = origin.path;
    let mut scratch = Vec::new();
    match Format::detect(&bytes)? {
        Some(Format::Zip) => zipped::list(bytes, path, options),
        Some(Format::Tar) => tarball::list(bytes, path, options),
        Some(packed @ (Format::Gzip | Format::Xz)) => {
            let unpacked = unpack::unpack(&bytes, packed, origin, options)?;
            let listed = match Format::detect(&unpacked)? {
                Some(Format::Tar) => tarball::list(unpacked, path, options),
                _ if has_archive_name(&path.to_string_lossy()) => Err(DataError::Archive {
                    path: path.to_path_buf(),
                    offset: 0,
                    message: "what it decompresses to is no tar; fetch it again".into(),
                }),
                _ => Ok(single(unpacked, path, &unpacked_name(path))),
            };
            if listed.is_err() {
                unpack::forget(origin);
            }
            listed
        }
        None => {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if has_archive_name(&name) {
                let head = bytes.bytes_in(0..bytes.len().min(40), &mut scratch)?;
                return Err(not_an_archive(head, path));
            }
            Ok(single(bytes, path, &name))
        }
    }
}

/// A file that is not an archive, as one with itself as the only entry.
fn single(bytes: ByteSource, path: &Path, name: &str) -> Listing {
    let size = bytes.len();
    let mut listing = Listing::default();
    let place = Place::Span { source: 0, offset: 0 };
    listing.entries.push(Entry { name: name.into(), size, place });
    listing.sources.push(Source { path: path.to_path_buf(), data: SourceData::Bytes(bytes) });
    listing
}

fn cache_dir(archive: &Path, options: &ArchiveOptions) -> PathBuf {
    let beside = || archive.parent().unwrap_or(Path::new("")).join(".tks-cache");
    options.cache_dir.clone().unwrap_or_else(beside)
}
