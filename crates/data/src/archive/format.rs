//! The kind of an archive file, by its content or its name.

use std::path::Path;

use super::tarball;
use crate::bytes::ByteSource;
use crate::error::DataError;

/// The kind of a file, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Zip,
    Tar,
    Gzip,
    Xz,
}

impl Format {
    pub(super) fn detect(source: &ByteSource) -> Result<Option<Format>, DataError> {
        let mut scratch = Vec::new();
        let head = source.bytes_in(0..source.len().min(tarball::HEAD), &mut scratch)?;
        Ok(match head {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Format::Zip),
            [0x1f, 0x8b, ..] => Some(Format::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Format::Xz),
            _ if tarball::is_tar(head) => Some(Format::Tar),
            _ => None,
        })
    }
}

const ARCHIVE_NAMES: [&str; 12] = [
    ".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst", ".tzst", ".7z",
    ".rar",
];

pub(super) fn has_archive_name(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    ARCHIVE_NAMES.iter().any(|end| {
        name.len() > end.len()
            && name.is_char_boundary(name.len() - end.len())
            && name[name.len() - end.len()..].eq_ignore_ascii_case(end)
    })
}

pub(super) fn not_an_archive(bytes: &[u8], path: &Path) -> DataError {
    let start = String::from_utf8_lossy(bytes).trim().to_string();
    let lower = start.to_lowercase();
    let message = if bytes.is_empty() {
        "the file is empty; fetch it again".to_string()
    } else if lower.starts_with("<!doctype") || lower.starts_with("<html") {
        "this is a web page, saved in place of the archive; fetch it again".to_string()
    } else if bytes.starts_with(b"BZh") {
        "bzip2 is not read; decompress the file with `bunzip2`".to_string()
    } else if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        "Zstandard is not read; decompress the file with `unzstd`".to_string()
    } else if bytes.starts_with(b"7z\xbc\xaf") || bytes.starts_with(b"Rar!") {
        "7z and rar are not read; unpack the archive into a folder".to_string()
    } else {
        format!("neither zip nor tar, gzip nor xz: it begins with {start:?}")
    };
    DataError::Archive { path: path.to_path_buf(), offset: 0, message }
}

/// `train.idx.gz` contains `train.idx`.
pub(super) fn unpacked_name(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    match name.rsplit_once('.') {
        Some((stem, end)) if matches!(end.to_ascii_lowercase().as_str(), "gz" | "xz") => stem.to_string(),
        _ => name,
    }
}
