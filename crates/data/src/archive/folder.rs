//! A folder as an archive.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::entry::{Entry, Place, Source, SourceData};
use super::listing::{Listing, SkipReason};
use super::name;
use super::options::ArchiveOptions;
use crate::error::DataError;

/// The maximum nesting depth of folders; links are followed.
const MAX_DEPTH: usize = 64;

pub(super) fn list(path: &Path, options: &ArchiveOptions) -> Result<Listing, DataError> {
    let real = std::fs::canonicalize(path).map_err(|e| DataError::io("open", path, e))?;
    let mut listing = Listing::default();
    listing.sources.push(Source { path: path.to_path_buf(), data: SourceData::Folder });
    let mut walk = Walk { root: path, options, listing, open: vec![real], link: None, folders: 0 };
    walk.folder(path, "")?;
    Ok(walk.listing)
}

struct Walk<'a> {
    root: &'a Path,
    options: &'a ArchiveOptions,
    listing: Listing,
    /// The real paths of the folders on the way to the one being listed, including itself.
    open: Vec<PathBuf>,
    /// The last link among them.
    link: Option<PathBuf>,
    folders: u64,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), DataError> {
        self.folders += 1;
        self.listing.limit(self.root, self.folders, self.options)?;
        if self.open.len() > MAX_DEPTH {
            return Err(DataError::TooLarge {
                path: folder.to_path_buf(),
                what: "the depth of folders".into(),
                size: self.open.len() as u64,
                limit: MAX_DEPTH as u64,
                remedy: "move the files up".into(),
            });
        }
        let items = std::fs::read_dir(folder).map_err(|e| DataError::io("list", folder, e))?;
        let mut is_empty = true;
        for item in items {
            let item = item.map_err(|e| DataError::io("list", folder, e))?;
            is_empty &= !self.item(&item, prefix)?;
        }
        if is_empty && !prefix.is_empty() {
            self.listing.folders.push(prefix.trim_end_matches('/').into());
        }
        Ok(())
    }

    /// Adds `item`; returns whether it is anything other than a file added by an operating system.
    fn item(&mut self, item: &std::fs::DirEntry, prefix: &str) -> Result<bool, DataError> {
        let path = item.path();
        let raw = item.file_name();
        let part = name::text(raw.as_encoded_bytes());
        let full = format!("{prefix}{part}");
        if part == ".tks-cache" {
            return Ok(false);
        }
        if name::is_of_a_system(&part) {
            self.listing.skip(full, SkipReason::System);
            return Ok(false);
        }
        let kind = item.file_type().map_err(|e| DataError::io("read", &path, e))?;
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(e) => match e.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory if kind.is_symlink() => {
                    self.listing.skip(full, SkipReason::DanglingLink);
                    return Ok(true);
                }
                ErrorKind::PermissionDenied => return Err(DataError::io("read", &path, e)),
                // a link to itself, or two to each other
                _ if kind.is_symlink() => return Err(DataError::LinkLoop { link: path }),
                _ => return Err(DataError::io("read", &path, e)),
            },
        };
        if metadata.is_dir() {
            let above = self.link.clone();
            let real = if kind.is_symlink() {
                let real = std::fs::canonicalize(&path).map_err(|e| DataError::io("open", &path, e))?;
                if self.open[0].starts_with(&real) {
                    return Err(DataError::LinkLoop { link: path });
                }
                self.link = Some(path.clone());
                real
            } else {
                self.open.last().map(|real| real.join(&raw)).unwrap_or_default()
            };
            if self.open.contains(&real) {
                return Err(DataError::LinkLoop { link: self.link.take().unwrap_or(path) });
            }
            self.open.push(real);
            self.folder(&path, &format!("{full}/"))?;
            self.open.pop();
            self.link = above;
        } else if metadata.is_file() {
            // an escaped name does not lead to its file, so the path is kept as well
            let (source, skip) = if is_path(&full, &path, self.root) {
                (0, 0)
            } else {
                self.listing.sources.push(Source { path, data: SourceData::Folder });
                (self.listing.sources.len() as u32 - 1, full.len() as u32)
            };
            let place = Place::File { source, skip };
            self.listing.entries.push(Entry { name: full.into(), size: metadata.len(), place });
            self.listing.limit(self.root, self.listing.entries.len() as u64, self.options)?;
        } else {
            self.listing.skip(full, SkipReason::Special);
        }
        Ok(true)
    }
}

/// Whether `name` below `root` equals `path`. This fails if the path has bytes that are not UTF-8, or control
/// characters.
fn is_path(name: &str, path: &Path, root: &Path) -> bool {
    path.strip_prefix(root).is_ok_and(|rest| rest.as_os_str().to_str() == Some(name))
}
