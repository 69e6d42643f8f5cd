//! Options for opening a file.

use super::super::columns::most_unpacked;
use super::filters;

/// Maximum size in bytes of a chunk that is read regardless of the file's size.
const ANY_CHUNK: usize = 8 << 20;

/// The options for a file of this length, which keep it from requesting a disproportionate amount of memory.
pub(crate) fn open_options(file: usize) -> hdf5_reader::OpenOptions {
    let most = most_unpacked(file);
    let chunk = most.min(hdf5_reader::DEFAULT_MAX_CHUNK_BYTES).min(file.saturating_mul(16).max(ANY_CHUNK));
    hdf5_reader::OpenOptions::default()
        .with_filter_registry(filters::registry(chunk))
        .with_max_read_bytes(most)
        .with_max_chunk_bytes(chunk)
        // Each data set is read once.
        .with_chunk_cache_bytes(chunk.min(8 << 20))
        .with_max_object_header_bytes(file.min(hdf5_reader::DEFAULT_MAX_OBJECT_HEADER_BYTES))
}
