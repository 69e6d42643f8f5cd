//! Files that are complete or absent: written under a temporary name, then renamed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::NamedTempFile;

use crate::error::DataError;

/// Writes a file, whole or not at all: after an error or a crash, the previous file is still there.
///
/// # Errors
/// [`DataError::Io`] if writing fails.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let mut file = begin(path)?;
    std::io::Write::write_all(&mut file, bytes).map_err(|e| DataError::io("write", path, e))?;
    finish(file, path)
}

/// The prefix of the names of incomplete files.
const UNFINISHED: &str = ".unfinished-";

/// Writes a file that must not exist yet, whole or not at all; returns `false` if another writer was first.
///
/// # Errors
/// [`DataError::Io`] if writing fails.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<bool, DataError> {
    let mut file = begin(path)?;
    std::io::Write::write_all(&mut file, bytes).map_err(|e| DataError::io("write", path, e))?;
    file.as_file().sync_all().map_err(|e| DataError::io("write", path, e))?;
    crash_point();
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(DataError::io("rename to", path, error.error)),
    }
}

/// Gives the file `from` the second name `to`, replacing any file of that name: by a hard link if the file
/// system supports it, otherwise by a copy. As files are replaced and never modified, each name keeps its
/// content.
///
/// # Errors
/// [`DataError::Io`] if `from` does not exist or writing fails.
pub fn copy(from: &Path, to: &Path) -> Result<(), DataError> {
    let folder = to.parent().unwrap_or(Path::new(""));
    let linked = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .make_in(folder, |beside| std::fs::hard_link(from, beside));
    let Ok(linked) = linked else {
        let mut source = std::fs::File::open(from).map_err(|e| DataError::io("read", from, e))?;
        let mut file = begin(to)?;
        std::io::copy(&mut source, &mut file).map_err(|e| DataError::io("write", to, e))?;
        return finish(file, to);
    };
    let beside = linked.into_temp_path();
    let name = beside.to_path_buf();
    crash_point();
    beside.persist(to).map_err(|e| DataError::io("rename to", to, e.error))?;
    // POSIX `rename` does nothing if both names already refer to the same file.
    let _is_gone_mostly = std::fs::remove_file(name);
    Ok(())
}

/// Renames a file, replacing any file of that name.
///
/// # Errors
/// [`DataError::Io`] for errors from the system.
pub fn rename(from: &Path, to: &Path) -> Result<(), DataError> {
    crash_point();
    std::fs::rename(from, to).map_err(|e| DataError::io("rename to", to, e))
}

/// Removes a file, if it exists.
///
/// # Errors
/// [`DataError::Io`] for errors from the system.
pub fn remove(path: &Path) -> Result<(), DataError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(DataError::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// Removes files left by killed writers in a folder and its subfolders, without following symbolic links. The
/// caller must hold a lock on them. Unreadable folders are skipped.
///
/// # Errors
/// [`DataError::Io`] for a leftover that cannot be removed.
pub fn remove_unfinished(folder: &Path) -> Result<(), DataError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_unfinished(&entry.path())?,
            Ok(kind) if kind.is_file() && is_unfinished(&entry.file_name()) => remove(&entry.path())?,
            _ => {}
        }
    }
    Ok(())
}

/// Whether this is the name of an incomplete file.
pub fn is_unfinished(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with(UNFINISHED)
}

/// Moves a damaged file out of the way by appending `.damaged` to its name, or `.damaged-2` and so on if that
/// exists; returns the new path.
///
/// # Errors
/// [`DataError::Io`] for errors from the system.
pub fn set_aside(path: &Path) -> Result<PathBuf, DataError> {
    let mut number = 1;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(if number == 1 { ".damaged".to_string() } else { format!(".damaged-{number}") });
        let aside = PathBuf::from(name);
        if aside.symlink_metadata().is_err() {
            rename(path, &aside)?;
            return Ok(aside);
        }
        number += 1;
    }
}

/// For tests of crash safety: a process with this environment variable aborts before its n-th rename.
const CRASH_VARIABLE: &str = "TKS_TEST_ABORT_AT_RENAME";

/// Aborts the process if [`CRASH_VARIABLE`] says so. Compared with a write that waits for the disk, this
/// costs nothing.
fn crash_point() {
    static AT: OnceLock<Option<u64>> = OnceLock::new();
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let at = AT.get_or_init(|| std::env::var(CRASH_VARIABLE).ok()?.parse().ok());
    if let Some(at) = at
        && SEEN.fetch_add(1, Ordering::SeqCst) + 1 == *at
    {
        std::process::abort();
    }
}

/// A temporary file beside `path`, in a folder that is created if necessary; it is removed unless [`finish`]
/// renames it.
pub(crate) fn begin(path: &Path) -> Result<NamedTempFile, DataError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).map_err(|e| DataError::io("create", folder, e))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    // Others may read it, like any other file that a user writes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(|e| DataError::io("create a file in", folder, e))
}

/// Gives the file its name after its contents have reached the disk.
pub(crate) fn finish(file: NamedTempFile, path: &Path) -> Result<(), DataError> {
    file.as_file().sync_all().map_err(|e| DataError::io("write", path, e))?;
    crash_point();
    file.persist(path).map_err(|e| DataError::io("rename to", path, e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_it_has_when_the_other_name_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let [last, best] = ["last", "best"].map(|name| folder.path().join(name));
        write(&last, b"one").unwrap();
        copy(&last, &best).unwrap();
        write(&last, b"two").unwrap();
        assert_eq!(
            (std::fs::read(&last).unwrap(), std::fs::read(&best).unwrap()),
            (b"two".into(), b"one".into())
        );
        // Twice the same file: no temporary file is left.
        copy(&last, &best).unwrap();
        copy(&last, &best).unwrap();
        assert_eq!(std::fs::read(&best).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        let gone = copy(&folder.path().join("gone"), &best).unwrap_err().to_string();
        assert!(gone.contains("gone"), "{gone}");
        assert_eq!(std::fs::read(&best).unwrap(), b"two");
    }

    #[test]
    fn a_new_file_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/config.toml");
        assert!(write_new(&path, b"first").unwrap());
        assert!(!write_new(&path, b"second").unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_killed_writers_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("checkpoints");
        std::fs::create_dir(&inner).unwrap();
        for path in [folder.path().join(".unfinished-a"), inner.join(".unfinished-b"), inner.join("last")] {
            std::fs::write(path, "x").unwrap();
        }
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join(".unfinished-c"), "x").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        remove_unfinished(folder.path()).unwrap();
        assert!(!folder.path().join(".unfinished-a").exists() && !inner.join(".unfinished-b").exists());
        assert!(inner.join("last").exists() && outside.path().join(".unfinished-c").exists());
        remove_unfinished(&folder.path().join("gone")).unwrap();
    }

    #[test]
    fn damaged_files_are_set_aside_under_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epochs.csv");
        let aside = ["1", "2"].map(|text| {
            std::fs::write(&path, text).unwrap();
            set_aside(&path).unwrap()
        });
        assert_eq!(
            aside,
            ["epochs.csv.damaged", "epochs.csv.damaged-2"].map(|name| folder.path().join(name))
        );
        assert_eq!(std::fs::read(&aside[0]).unwrap(), b"1");
        assert!(!path.exists());
    }
}
