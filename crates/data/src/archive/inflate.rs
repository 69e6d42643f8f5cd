//! The deflated entries of a zip.

use std::io::Read;
use std::path::Path;

use flate2::Crc;

use crate::bytes::Reader;
use crate::error::DataError;

/// The initial size of the buffer that an entry is inflated into; it doubles as it fills.
const INFLATE_ROOM: usize = 1 << 20;

/// Maximum number of bytes of a compressed entry read at a time.
pub(super) const MAX_INFLATE_WINDOW: u64 = 1 << 16;

/// Why a compressed entry cannot be inflated.
pub(super) enum InflateError {
    /// It does not match its header.
    Corrupt(String),
    /// Its bytes could not be read.
    Read(DataError),
}

impl InflateError {
    pub(super) fn into_error(self, path: &Path, offset: u64, entry: &str) -> DataError {
        match self {
            InflateError::Read(error) => error,
            InflateError::Corrupt(message) => DataError::Archive {
                path: path.to_path_buf(),
                offset,
                message: format!("entry `{entry}`: {message}"),
            },
        }
    }
}

/// Inflates into `scratch`, which afterwards holds exactly the entry.
pub(super) fn inflate(
    packed: Reader,
    size: u64,
    crc: u32,
    scratch: &mut Vec<u8>,
) -> Result<(), InflateError> {
    let corrupt = |message: String| Err(InflateError::Corrupt(message));
    scratch.clear();
    // Memory is not allocated for a claimed size; from here on, the buffer doubles as it fills.
    scratch.reserve(size.saturating_add(1).min(INFLATE_ROOM as u64) as usize);
    let mut inflater = flate2::bufread::DeflateDecoder::new(packed);
    // One byte more than expected, to detect surplus data.
    if let Err(error) = inflater.by_ref().take(size.saturating_add(1)).read_to_end(scratch) {
        return match error.downcast::<DataError>() {
            Ok(error) => Err(InflateError::Read(error)),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                corrupt(format!("cut: {} of {size} bytes", scratch.len()))
            }
            Err(error) => corrupt(format!("corrupt at its byte {}: {error}", inflater.total_in())),
        };
    }
    if scratch.len() as u64 > size {
        return corrupt(format!("holds more than the {size} bytes it should"));
    }
    if scratch.len() as u64 != size {
        return corrupt(format!("holds {} bytes where it should {size}", scratch.len()));
    }
    let mut sum = Crc::new();
    sum.update(scratch);
    if sum.sum() != crc {
        let found = sum.sum();
        return corrupt(format!("checksum {found:08x} where it should be {crc:08x}: the archive is corrupt"));
    }
    Ok(())
}
