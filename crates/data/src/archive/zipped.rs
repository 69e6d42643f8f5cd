//! The entries of a zip, from its central directory.

use std::io::Cursor;
use std::path::Path;

use zip::CompressionMethod;

use super::{Archive, ArchiveOptions, Entry, Place, Source, SourceData, name, too_many_entries};
use crate::bytes::Bytes;
use crate::error::DataError;

/// Deflate cannot make more than 1,032 bytes of one: a larger claim is a lie or a bomb.
const MOST_BYTES_OF_ONE: u64 = 1032;

pub(super) fn list(bytes: Bytes, path: &Path, options: &ArchiveOptions) -> Result<Archive, DataError> {
    let total = bytes.len() as u64;
    let broken =
        |offset: u64, message: String| DataError::Archive { path: path.to_path_buf(), offset, message };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes.clone())).map_err(|e| {
        broken(total, format!("no directory of entries at the end ({e}): the archive is cut; fetch it again"))
    })?;
    if archive.len() as u64 > options.max_entries {
        return Err(too_many_entries(path, archive.len() as u64, options));
    }
    let mut entries = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let entry = archive
            .by_index_raw(index)
            .map_err(|e| broken(total, format!("entry {index} of the directory cannot be read: {e}")))?;
        let Some(name) = name::plain(entry.name_raw(), path)? else { continue };
        if entry.is_dir() || entry.is_symlink() {
            continue;
        }
        let header = entry.header_start();
        if entry.encrypted() {
            return Err(broken(header, format!("the entry `{name}` is encrypted; unpack the archive")));
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
        if size > options.max_unpacked {
            return Err(DataError::TooLarge {
                path: path.to_path_buf(),
                what: format!("the entry `{name}` in bytes"),
                size,
                limit: options.max_unpacked,
                setting: "max_unpacked",
            });
        }
        entries.push(Entry { name: name.into(), size, place });
    }
    let source = Source { path: path.to_path_buf(), data: SourceData::Bytes(bytes) };
    Ok(Archive::sorted(path, entries, vec![source]))
}
