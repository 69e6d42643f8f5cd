//! The lock that allows only one process to train a run.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The name of the locked file.
pub(super) const LOCK: &str = ".lock";

/// A file locked by a single process, for a run that is being trained.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Locks the run in `folder` until this is dropped or the process ends in any way.
    ///
    /// # Errors
    /// Another process is training it; a failed write.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(LOCK);
        loop {
            // The contents are kept: it could be someone else's file.
            let open = File::options().create(true).truncate(false).write(true).open(&path);
            let file = open.with_context(|| format!("cannot write {}", path.display()))?;
            match file.try_lock() {
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) => return Ok(RunLock { _file: file }),
                Err(std::fs::TryLockError::WouldBlock) => {
                    bail!("another process trains the run in {}; wait for it, or end it", folder.display())
                }
                // On a file system without locks, other processes cannot be kept out.
                Err(std::fs::TryLockError::Error(_)) => return Ok(RunLock { _file: file }),
            }
        }
    }
}

/// Whether the file still has this name: a file removed by its holder before unlocking locks nothing.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(own), Ok(named)) => place(own) == place(named),
        (_, Err(error)) => error.kind() != std::io::ErrorKind::NotFound,
        (Err(_), Ok(_)) => true,
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_trained_by_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let lock = RunLock::take(folder.path()).unwrap();
        assert!(RunLock::take(folder.path()).is_err());
        drop(lock);
        RunLock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_lock_whose_file_was_removed_keeps_nobody_out_and_lets_nobody_in_twice() {
        let folder = tempfile::tempdir().unwrap();
        let old = RunLock::take(folder.path()).unwrap();
        std::fs::remove_file(folder.path().join(LOCK)).unwrap();
        let new = RunLock::take(folder.path()).unwrap();
        drop(old);
        assert!(RunLock::take(folder.path()).is_err());
        drop(new);
    }

    #[test]
    fn taking_a_lock_keeps_what_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LOCK), "precious").unwrap();
        RunLock::take(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join(LOCK)).unwrap(), "precious");
    }
}
