//! Decompression of files without random access: once, into memory or into a cache file.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::format::Format;
use super::options::ArchiveOptions;
use crate::bytes::ByteSource;
use crate::error::DataError;
use crate::whole_file;

/// Number of bytes of a compressed file read at a time.
const WINDOW: usize = 1 << 16;

/// A compressed file: its name in error messages, its identity, and where its contents may be kept.
pub(super) struct Origin<'a> {
    pub(super) path: &'a Path,
    pub(super) key: String,
    pub(super) cache_dir: &'a Path,
}

impl Origin<'_> {
    /// The cache file: a different one if the compressed file differs.
    fn cache_file(&self) -> PathBuf {
        let hash = Sha256::digest(self.key.as_bytes());
        let hex: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        self.cache_dir.join(format!("{name}.{hex}.unpacked"))
    }
}

pub(super) fn unpack(
    bytes: &ByteSource,
    format: Format,
    origin: &Origin<'_>,
    options: &ArchiveOptions,
) -> Result<ByteSource, DataError> {
    let cached = origin.cache_file();
    if cached.is_file() {
        return ByteSource::open(&cached);
    }
    let packed = bytes.len();
    match format {
        Format::Xz => {
            let reader = lzma_rust2::XzReader::new(bytes.reader(WINDOW), true);
            drain(reader, |r| r.inner().position(), packed, origin, &cached, options)
        }
        _ => {
            let reader = flate2::bufread::MultiGzDecoder::new(bytes.reader(WINDOW));
            drain(reader, |r| r.get_ref().position(), packed, origin, &cached, options)
        }
    }
}

/// A deflated archive within an archive that is too large to be inflated into memory.
pub(super) fn inflate_to_cache(
    packed: &ByteSource,
    origin: &Origin<'_>,
    options: &ArchiveOptions,
) -> Result<ByteSource, DataError> {
    // The output may itself be compressed; it is then decompressed under the plain key.
    let cached = Origin { key: format!("{}|inflated", origin.key), ..*origin }.cache_file();
    if cached.is_file() {
        return ByteSource::open(&cached);
    }
    let reader = flate2::bufread::DeflateDecoder::new(packed.reader(WINDOW));
    drain(reader, |r| r.get_ref().position(), packed.len(), origin, &cached, options)
}

/// Reads all of `reader` into memory, or into the file `cached` once it exceeds the limit.
fn drain<R: Read>(
    mut reader: R,
    position: impl Fn(&R) -> u64,
    packed: u64,
    origin: &Origin<'_>,
    cached: &Path,
    options: &ArchiveOptions,
) -> Result<ByteSource, DataError> {
    // Data that grow unusually go to disk early, as they may have to be refused.
    let in_memory = options.memory_limit.min(packed.saturating_mul(4).saturating_add(16 << 20));
    let mut memory = Vec::new();
    // Dropped in reverse order, so that the lock outlives the file written under it.
    let mut lock = None;
    let mut file: Option<BufWriter<tempfile::NamedTempFile>> = None;
    let mut chunk = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        let count = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => {
                return Err(DataError::Archive {
                    path: origin.path.to_path_buf(),
                    offset: position(&reader),
                    message: format!(
                        "cannot be decompressed ({e}) after {total} bytes: the file is cut or corrupt; fetch it again"
                    ),
                });
            }
        };
        total += count as u64;
        options.limit(origin.path, total, packed)?;
        if file.is_none() && total > in_memory {
            let begun = begin_file(cached)?;
            // The previous holder of the lock may have written the file in the meantime.
            let Some((begun, writer)) = begun else { return ByteSource::open(cached) };
            lock = Some(begun);
            let writer = file.insert(writer);
            writer.write_all(&memory).map_err(|e| DataError::io("write", cached, e))?;
            memory = Vec::new();
        }
        match &mut file {
            None => memory.extend_from_slice(&chunk[..count]),
            Some(writer) => {
                writer.write_all(&chunk[..count]).map_err(|e| DataError::io("write", cached, e))?;
            }
        }
    }
    let Some(writer) = file else { return Ok(memory.into()) };
    let temporary = writer.into_inner().map_err(|e| DataError::io("write", cached, e.into_error()))?;
    whole_file::finish(temporary, cached)?;
    drop(lock);
    ByteSource::open(cached)
}

/// Removes the file that [`unpack`] kept, if its contents turn out to be unreadable.
pub(super) fn forget(origin: &Origin<'_>) {
    // if the file remains, it is found to be invalid again the next time
    let _ = std::fs::remove_file(origin.cache_file());
    let _ = std::fs::remove_dir(origin.cache_dir);
}

/// The lock on a cache file. On drop, the lock file is removed, and so is the cache folder if it is empty.
///
/// A process that waited for the lock then holds a lock on a removed file and may write at the same time as
/// another process. This is harmless, as both write whole files and rename them.
struct CacheLock {
    path: PathBuf,
    _file: File,
}

impl Drop for CacheLock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        if let Some(folder) = self.path.parent() {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// A file beside `cached`, and the lock on it; `None` if another process finished `cached` while we waited.
fn begin_file(cached: &Path) -> Result<Option<(CacheLock, BufWriter<tempfile::NamedTempFile>)>, DataError> {
    let folder = cached.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).map_err(|e| DataError::io("create", folder, e))?;
    let path = cached.with_extension("lock");
    let file = File::create(&path).map_err(|e| DataError::io("create", &path, e))?;
    file.lock().map_err(|e| DataError::io("lock", &path, e))?;
    let lock = CacheLock { path, _file: file };
    if cached.is_file() {
        return Ok(None);
    }
    Ok(Some((lock, BufWriter::with_capacity(1 << 20, whole_file::begin(cached)?))))
}
