//! Limits on memory.

use crate::error::JpegError;

/// Limits on decoding, so that a small file cannot fill the memory. Photographs stay far below the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most pixels of an image at full size. Default: 178,956,970, Pillow's limit.
    pub max_pixels: usize,
    /// Bytes of memory that decoding may take regardless of the file's length. Default: 64 MiB.
    pub free_memory: usize,
    /// Bytes of memory that decoding may take per byte of the file, if that is more than `free_memory`.
    /// Default: 256, of which photographs take less than a fifth.
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

    /// Checks that an image of this many pixels, decoded from `length` bytes, may take `memory` bytes.
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
