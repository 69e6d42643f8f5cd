//! What a file may take.

use crate::error::JpegError;

/// What decoding a file may take, so that a small file cannot fill the memory. Photographs stay far below the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most pixels of an image at full size. By default 178,956,970, as many as Pillow takes.
    pub max_pixels: usize,
    /// Bytes of memory that decoding may take whatever the file's length. By default 64 MiB.
    pub free_memory: usize,
    /// Bytes of memory that decoding may take for each byte of the file, where that is more than `free_memory`. By
    /// default 256, of which photographs take less than a fifth.
    pub memory_per_byte: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// The default limits.
    pub const DEFAULT: Self = Self { max_pixels: 178_956_970, free_memory: 64 << 20, memory_per_byte: 256 };

    /// Bytes of memory that decoding a file of `length` bytes may take.
    pub const fn max_memory(&self, length: usize) -> usize {
        let by_length = self.memory_per_byte.saturating_mul(length);
        if by_length > self.free_memory { by_length } else { self.free_memory }
    }

    /// That an image of so many pixels, decoded from `length` bytes, may take `memory` bytes.
    pub(crate) fn require(
        &self,
        [height, width]: [usize; 2],
        memory: usize,
        length: usize,
    ) -> Result<(), JpegError> {
        if memory > self.max_memory(length) {
            return Err(JpegError::Memory { height, width, length });
        }
        Ok(())
    }
}
