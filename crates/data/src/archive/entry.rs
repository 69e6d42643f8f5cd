//! The files of an archive and the location of their bytes.

use std::path::PathBuf;

use crate::bytes::ByteSource;

/// A file of an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) name: Box<str>,
    pub(super) size: u64,
    pub(super) place: Place,
}

impl Entry {
    /// Its name, with `/` between the parts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// The location of an entry's bytes; the number is that of its source.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// A file in a folder; its path is the source's path joined with the entry's name without its first
    /// `skip` bytes, or the source's path itself if nothing is left of the name.
    File { source: u32, skip: u32 },
    /// Uncompressed, at an offset.
    Span { source: u32, offset: u64 },
    /// Deflated, at an offset.
    Deflated { source: u32, offset: u64, packed: u64, crc: u32 },
}

#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Its name in error messages.
    pub(super) path: PathBuf,
    pub(super) data: SourceData,
}

#[derive(Debug, Clone)]
pub(super) enum SourceData {
    Folder,
    Bytes(ByteSource),
}

/// Number of bytes read at a time while listing entries: the headers are far apart.
pub(super) const LISTING_WINDOW: usize = 1 << 12;
