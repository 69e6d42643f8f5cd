//! How archives are opened, and limits on their decompressed size.

use std::path::{Path, PathBuf};

use crate::error::DataError;

/// How archives are opened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArchiveOptions {
    /// The folder that compressed tars are decompressed to; if not given, `.tks-cache` beside the archive.
    pub cache_dir: Option<PathBuf>,
    /// A compressed tar of at most this many bytes when decompressed is held in memory, without a file,
    /// unless it grows beyond both 16 MiB and four times its compressed size.
    pub memory_limit: u64,
    /// A compressed file that exceeds this many bytes when decompressed is refused.
    pub max_unpacked: u64,
    /// A compressed file or entry that exceeds 64 MiB when decompressed is refused if that is more than this
    /// many times its compressed size: real data compress less, decompression bombs more.
    pub max_ratio: u64,
    /// An archive with more entries than this is refused.
    pub max_entries: u64,
}

/// Up to this many bytes, [`ArchiveOptions::max_ratio`] does not apply.
const RATIO_FROM: u64 = 64 << 20;

impl ArchiveOptions {
    /// The most bytes that `packed` compressed bytes may become.
    pub(super) fn most_of(&self, packed: u64) -> u64 {
        packed.saturating_mul(self.max_ratio).max(RATIO_FROM).min(self.max_unpacked)
    }

    /// Checks that an entry, or a compressed file, of `packed` bytes that decompresses to `size` is within
    /// the limits.
    pub(super) fn limit(&self, path: &Path, size: u64, packed: u64) -> Result<(), DataError> {
        let limit = self.most_of(packed);
        if size <= limit {
            return Ok(());
        }
        Err(DataError::TooLarge {
            path: path.to_path_buf(),
            what: format!("the decompressed size of its {packed} bytes"),
            size,
            limit,
            remedy: "if it is to be trusted, decompress it and name the folder".into(),
        })
    }
}

impl Default for ArchiveOptions {
    fn default() -> Self {
        ArchiveOptions {
            cache_dir: None,
            memory_limit: 64 << 20,
            max_unpacked: 1 << 40,
            max_ratio: 256,
            max_entries: 20_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_becomes_of_something_grows_with_it_between_two_limits() {
        let options = ArchiveOptions { max_unpacked: 1 << 30, max_ratio: 256, ..Default::default() };
        for (packed, most) in [
            (0, 64 << 20),
            (1 << 18, 64 << 20),
            ((1 << 18) + 1, (64 << 20) + 256),
            (1 << 22, 1 << 30),
            (u64::MAX, 1 << 30),
        ] {
            assert_eq!(options.most_of(packed), most, "{packed}");
            assert!(options.limit(Path::new("x"), most, packed).is_ok());
            let error = options.limit(Path::new("x"), most + 1, packed).unwrap_err();
            assert!(
                matches!(error, DataError::TooLarge { size, limit, .. } if size == most + 1 && limit == most),
                "{error}"
            );
        }
        let options = ArchiveOptions { max_unpacked: 5, ..options };
        assert_eq!(options.most_of(1), 5);
        let default = ArchiveOptions::default();
        assert_eq!(
            (default.memory_limit, default.max_unpacked, default.max_ratio, default.max_entries),
            (67_108_864, 1_099_511_627_776, 256, 20_000_000)
        );
    }
}
