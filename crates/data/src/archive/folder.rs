//! A folder as an archive.

use std::path::Path;

use super::{Archive, ArchiveOptions, Entry, Place, Source, SourceData, name, too_many_entries};
use crate::error::DataError;

/// Links to folders are followed, at most this deep: a link may lead to where it lies.
const MAX_DEPTH: usize = 32;

pub(super) fn list(path: &Path, options: &ArchiveOptions) -> Result<Archive, DataError> {
    let mut entries = Vec::new();
    walk(path, path, "", 0, options, &mut entries)?;
    let source = Source { path: path.to_path_buf(), data: SourceData::Folder };
    Ok(Archive::sorted(path, entries, vec![source]))
}

fn walk(
    root: &Path,
    folder: &Path,
    prefix: &str,
    depth: usize,
    options: &ArchiveOptions,
    entries: &mut Vec<Entry>,
) -> Result<(), DataError> {
    if depth == MAX_DEPTH {
        return Err(DataError::TooLarge {
            path: folder.to_path_buf(),
            what: "the depth of folders".into(),
            size: depth as u64 + 1,
            limit: MAX_DEPTH as u64,
            setting: "nothing (does a link lead to where it lies?)",
        });
    }
    let listing = std::fs::read_dir(folder).map_err(|e| DataError::io("list", folder, e))?;
    for item in listing {
        let item = item.map_err(|e| DataError::io("list", folder, e))?;
        let path = item.path();
        let Ok(part) = item.file_name().into_string() else { continue };
        let full = format!("{prefix}{part}");
        // A link that leads nowhere is nothing to read.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if metadata.is_dir() {
            if part != ".tks-cache" {
                walk(root, &path, &format!("{full}/"), depth + 1, options, entries)?;
            }
        } else if metadata.is_file()
            && let Some(name) = name::plain(full.as_bytes(), root)?
        {
            let place = Place::File { source: 0, skip: 0 };
            entries.push(Entry { name: name.into(), size: metadata.len(), place });
            if entries.len() as u64 > options.max_entries {
                return Err(too_many_entries(root, entries.len() as u64, options));
            }
        }
    }
    Ok(())
}
