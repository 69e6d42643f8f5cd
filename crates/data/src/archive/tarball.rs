//! The entries of a tar, found without touching their contents.

use std::io::Cursor;
use std::path::Path;

use tar::EntryType;

use super::{Archive, ArchiveOptions, Entry, Place, Source, SourceData, name, too_many_entries};
use crate::bytes::Bytes;
use crate::error::DataError;

const BLOCK: usize = 512;

/// Whether these bytes begin with a tar header: one whose checksum is right, or an empty tar.
pub(super) fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..BLOCK) else { return false };
    if header.iter().all(|&b| b == 0) {
        return bytes.len() >= 2 * BLOCK && bytes[BLOCK..2 * BLOCK].iter().all(|&b| b == 0);
    }
    let stated = std::str::from_utf8(&header[148..156])
        .ok()
        .and_then(|digits| u64::from_str_radix(digits.trim_matches(['\0', ' ']), 8).ok());
    let sum: u64 = header
        .iter()
        .enumerate()
        .map(|(i, &b)| if (148..156).contains(&i) { 32 } else { u64::from(b) })
        .sum();
    stated == Some(sum)
}

pub(super) fn list(bytes: Bytes, path: &Path, options: &ArchiveOptions) -> Result<Archive, DataError> {
    let broken =
        |offset: u64, message: String| DataError::Archive { path: path.to_path_buf(), offset, message };
    let total = bytes.len() as u64;
    let mut archive = tar::Archive::new(Cursor::new(bytes.clone()));
    let mut entries = Vec::new();
    // End of what was listed, in whole blocks.
    let mut end = 0;
    let cut = |end: u64, what: &str| {
        broken(
            end.min(total),
            format!("{what}: the archive is cut ({total} bytes are there); fetch it again"),
        )
    };
    for entry in archive.entries_with_seek().map_err(|e| broken(0, e.to_string()))? {
        let entry = entry.map_err(|e| broken(end, format!("no entry that can be read: {e}")))?;
        let (offset, size) = (entry.raw_file_position(), entry.size());
        let next = offset.checked_add(size).filter(|&next| next <= total);
        let raw = entry.path_bytes();
        let Some(next) = next else {
            let entry = String::from_utf8_lossy(&raw);
            return Err(cut(offset, &format!("the entry `{entry}` of {size} bytes reaches beyond the end")));
        };
        end = next.next_multiple_of(BLOCK as u64);
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::GNUSparse => {
                return Err(broken(offset, "sparse entries are not read; unpack the archive".into()));
            }
            _ => continue,
        }
        if let Some(name) = name::plain(&raw, path)? {
            entries.push(Entry { name: name.into(), size, place: Place::Span { source: 0, offset } });
            if entries.len() as u64 > options.max_entries {
                return Err(too_many_entries(path, entries.len() as u64, options));
            }
        }
    }
    // Without the mark a tar that was cut between two entries would pass for a smaller one.
    let mark = bytes.get(end as usize..end as usize + BLOCK);
    if !mark.is_some_and(|block| block.iter().all(|&b| b == 0)) {
        return Err(cut(end, "no mark of the archive's end"));
    }
    let source = Source { path: path.to_path_buf(), data: SourceData::Bytes(bytes) };
    Ok(Archive::sorted(path, entries, vec![source]))
}
