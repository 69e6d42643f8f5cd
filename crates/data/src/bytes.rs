//! Bytes of a file, shared: a part of a memory map, or memory.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::error::DataError;

/// A run of bytes that is cheap to clone and to cut: of a memory-mapped file, or of memory.
///
/// A mapped file must not be shortened while it is in use: the operating system would end the process.
#[derive(Clone)]
pub struct Bytes {
    owner: Arc<Owner>,
    start: usize,
    len: usize,
}

enum Owner {
    Map(memmap2::Mmap),
    Memory(Vec<u8>),
}

impl Bytes {
    /// The whole file at `path`, memory-mapped.
    ///
    /// # Errors
    /// [`DataError::Io`] if it cannot be opened or mapped.
    pub fn map(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|e| DataError::io("open", path, e))?;
        let len = file.metadata().map_err(|e| DataError::io("read", path, e))?.len();
        if len == 0 {
            return Ok(Bytes::from(Vec::new()));
        }
        // SAFETY: the map is private and only read. That nobody shortens the file meanwhile is asked of the
        // user in this type's documentation; our own writers replace files by renaming, never in place.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(|e| DataError::io("map", path, e))?;
        let len = map.len();
        Ok(Bytes { owner: Arc::new(Owner::Map(map)), start: 0, len })
    }

    /// The part that starts at `offset` and is `len` long; `None` if that reaches beyond the end.
    pub fn slice(&self, offset: u64, len: u64) -> Option<Bytes> {
        let (offset, len) = (usize::try_from(offset).ok()?, usize::try_from(len).ok()?);
        (offset.checked_add(len)? <= self.len).then(|| Bytes {
            owner: Arc::clone(&self.owner),
            start: self.start + offset,
            len,
        })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let all: &[u8] = match &*self.owner {
            Owner::Map(map) => map,
            Owner::Memory(memory) => memory,
        };
        &all[self.start..self.start + self.len]
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(memory: Vec<u8>) -> Self {
        let len = memory.len();
        Bytes { owner: Arc::new(Owner::Memory(memory)), start: 0, len }
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({} bytes)", self.len)
    }
}
