//! Files that are whole or not there: written beside, then renamed.

use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::DataError;

/// Writes a file, whole or not at all: an error or a crash leaves what was there before.
///
/// # Errors
/// [`DataError::Io`] where the disk refuses.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let mut file = begin(path)?;
    std::io::Write::write_all(&mut file, bytes).map_err(|e| DataError::io("write", path, e))?;
    finish(file, path)
}

/// A file beside `path`, in a folder that is made if need be; gone again unless [`finish`] names it.
pub(crate) fn begin(path: &Path) -> Result<NamedTempFile, DataError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).map_err(|e| DataError::io("create", folder, e))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-");
    // Others may read it, as any other file that a user writes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(|e| DataError::io("create a file in", folder, e))
}

/// Gives the file its name, once what is written has reached the disk.
pub(crate) fn finish(file: NamedTempFile, path: &Path) -> Result<(), DataError> {
    file.as_file().sync_all().map_err(|e| DataError::io("write", path, e))?;
    file.persist(path).map_err(|e| DataError::io("rename to", path, e.error))?;
    Ok(())
}
