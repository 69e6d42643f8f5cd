//! The entries of a tar, found without touching their contents.

use std::collections::HashMap;
use std::path::Path;

use tar::EntryType;

use super::entry::{Entry, LISTING_WINDOW, Place, Source, SourceData};
use super::listing::{Listing, SkipReason};
use super::name::{self, Name};
use super::options::ArchiveOptions;
use crate::bytes::ByteSource;
use crate::error::DataError;

const BLOCK: usize = 512;
/// How many bytes at the start of a file show whether it is a tar.
pub(super) const HEAD: u64 = 2 * BLOCK as u64;

/// The maximum length of a chain of links.
const MAX_LINKS: usize = 8;

/// Whether these bytes begin with a tar header with a correct checksum, or are an empty tar.
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

pub(super) fn list(bytes: ByteSource, path: &Path, options: &ArchiveOptions) -> Result<Listing, DataError> {
    let broken =
        |offset: u64, message: String| DataError::Archive { path: path.to_path_buf(), offset, message };
    let total = bytes.len();
    let mut archive = tar::Archive::new(bytes.reader(LISTING_WINDOW));
    let mut listing = Listing::default();
    let mut links = Vec::new();
    // End of the listed entries, in whole blocks.
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
            let entry = name::text(&raw);
            return Err(cut(offset, &format!("the entry `{entry}` of {size} bytes reaches beyond the end")));
        };
        end = next.next_multiple_of(BLOCK as u64);
        let kind = entry.header().entry_type();
        let name = match (name::plain(&raw, path)?, kind) {
            (Name::System(name), _) => {
                listing.skip(name, SkipReason::System);
                continue;
            }
            (Name::File(name) | Name::Folder(name), EntryType::Directory) | (Name::Folder(name), _) => {
                listing.folders.push(name);
                continue;
            }
            (Name::File(name), _) => name,
        };
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                let place = Place::Span { source: 0, offset };
                listing.entries.push(Entry { name: name.into(), size, place });
            }
            EntryType::GNUSparse => {
                return Err(broken(offset, "sparse entries are not read; unpack the archive".into()));
            }
            EntryType::Link | EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = target_of(&name, &target, kind == EntryType::Symlink, path);
                links.push((name, target));
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => listing.skip(name, SkipReason::Special),
            // headers that describe the whole archive or the next entry
            _ => continue,
        }
        listing.limit(path, (listing.entries.len() + links.len()) as u64, options)?;
    }
    // Without this check, a tar truncated between two entries would look like a smaller one.
    let mut scratch = Vec::new();
    let mark_end = end + BLOCK as u64;
    let marked = mark_end <= total && bytes.bytes_in(end..mark_end, &mut scratch)?.iter().all(|&b| b == 0);
    if !marked {
        return Err(cut(end, "no mark of the archive's end"));
    }
    add_links(&mut listing, links);
    listing.sources.push(Source { path: path.to_path_buf(), data: SourceData::Bytes(bytes) });
    Ok(listing)
}

/// The target entry of a link: a hard link names it directly, a symbolic link relative to its own location.
/// `None` if it is outside the archive.
fn target_of(name: &str, target: &[u8], symbolic: bool, archive: &Path) -> Option<String> {
    if !symbolic {
        return match name::plain(target, archive) {
            Ok(Name::File(target)) => Some(target),
            _ => None,
        };
    }
    let target = name::text(target);
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A link to a file in the archive is that file again; other links are skipped.
fn add_links(listing: &mut Listing, mut links: Vec<(String, Option<String>)>) {
    for _ in 0..MAX_LINKS {
        if links.is_empty() {
            return;
        }
        let known: HashMap<&str, (u64, Place)> =
            listing.entries.iter().map(|entry| (&*entry.name, (entry.size, entry.place))).collect();
        let mut found = Vec::new();
        links.retain(|(name, target)| {
            let held = target.as_ref().and_then(|target| known.get(target.as_str()));
            found.extend(held.map(|&(size, place)| Entry { name: name.as_str().into(), size, place }));
            held.is_none()
        });
        if found.is_empty() {
            break;
        }
        listing.entries.extend(found);
    }
    for (name, _) in links {
        listing.skip(name, SkipReason::Link);
    }
}
