//! The entries of a zip, from its central directory.

use std::collections::HashSet;
use std::path::Path;

use zip::CompressionMethod;

use super::entry::{Entry, LISTING_WINDOW, Place, Source, SourceData};
use super::listing::{Listing, SkipReason};
use super::name::{self, Name};
use super::options::ArchiveOptions;
use crate::bytes::ByteSource;
use crate::error::DataError;

/// Deflate cannot produce more than 1,032 bytes from one: a larger claim is false.
const MOST_BYTES_OF_ONE: u64 = 1032;

pub(super) fn list(bytes: ByteSource, path: &Path, options: &ArchiveOptions) -> Result<Listing, DataError> {
    let total = bytes.len();
    let broken =
        |offset: u64, message: String| DataError::Archive { path: path.to_path_buf(), offset, message };
    let mut archive = zip::ZipArchive::new(bytes.reader(LISTING_WINDOW)).map_err(|e| {
        broken(total, format!("no directory of entries at the end ({e}): the archive is cut; fetch it again"))
    })?;
    let mut listing = Listing::default();
    listing.limit(path, archive.len() as u64, options)?;
    let mut spans = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let entry = archive
            .by_index_raw(index)
            .map_err(|e| broken(total, format!("entry {index} of the directory cannot be read: {e}")))?;
        let name = match name::plain(entry.name_raw(), path)? {
            Name::File(name) if entry.is_symlink() => {
                listing.skip(name, SkipReason::Link);
                continue;
            }
            Name::File(name) if !entry.is_dir() => name,
            Name::File(name) | Name::Folder(name) => {
                listing.folders.push(name);
                continue;
            }
            Name::System(name) => {
                listing.skip(name, SkipReason::System);
                continue;
            }
        };
        let header = entry.header_start();
        if entry.encrypted() {
            return Err(broken(
                header,
                format!("the entry `{name}` is encrypted; unpack the archive with its password"),
            ));
        }
        let (size, packed) = (entry.size(), entry.compressed_size());
        let offset = entry
            .data_start()
            .filter(|start| start.checked_add(packed).is_some_and(|end| end <= total))
            .ok_or_else(|| broken(header, format!("the entry `{name}` reaches beyond the end")))?;
        let place = match entry.compression() {
            CompressionMethod::Stored if size == packed => Place::Span { source: 0, offset },
            CompressionMethod::Stored => {
                return Err(broken(
                    header,
                    format!("the entry `{name}` states two sizes: {size} and {packed}"),
                ));
            }
            CompressionMethod::Deflated => Place::Deflated { source: 0, offset, packed, crc: entry.crc32() },
            other => {
                return Err(broken(
                    header,
                    format!(
                        "the entry `{name}` is compressed with {other}, which is not read; unpack the archive"
                    ),
                ));
            }
        };
        if size > packed.saturating_mul(MOST_BYTES_OF_ONE).saturating_add(MOST_BYTES_OF_ONE) {
            return Err(broken(header, format!("the entry `{name}` claims {size} bytes out of {packed}")));
        }
        spans.push((offset, packed, listing.entries.len()));
        listing.entries.push(Entry { name: name.into(), size, place });
    }
    spans.sort_unstable();
    for pair in spans.windows(2) {
        let [(offset, packed, first), (next, _, second)] = [pair[0], pair[1]];
        if offset + packed > next {
            let [first, second] = [first, second].map(|index| listing.entries[index].name());
            let message = format!(
                "the entries `{first}` and `{second}` are of the same bytes: a zip that grows without bound, or a \
                 damaged one"
            );
            return Err(broken(next, message));
        }
    }
    let (start, mut scratch) = (archive.central_directory_start().min(total), Vec::new());
    skip_replaced(&mut listing, bytes.bytes_in(start..total, &mut scratch)?, archive.len());
    listing.sources.push(Source { path: path.to_path_buf(), data: SourceData::Bytes(bytes) });
    Ok(listing)
}

/// Records entries whose name is repeated later in the directory: the zip reader returns only the last of
/// them.
fn skip_replaced(listing: &mut Listing, directory: &[u8], given: usize) {
    let names = || {
        let mut at = 0;
        std::iter::from_fn(move || {
            let header = directory
                .get(at..)?
                .first_chunk::<46>()
                .filter(|header| header.starts_with(b"PK\x01\x02"))?;
            let length = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
            let name = directory.get(at + 46..at + 46 + length(28))?;
            at += 46 + length(28) + length(30) + length(32);
            Some(name)
        })
    };
    if names().count() == given {
        return;
    }
    let mut seen = HashSet::new();
    for name in names() {
        if !seen.insert(name) {
            listing.skip(name::text(name), SkipReason::Replaced);
        }
    }
}
