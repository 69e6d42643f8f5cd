//! Opening files that a user names. A pipe could block forever and a device such as `/dev/zero` would never
//! end, so both are refused.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

use crate::error::DataError;

/// Opens a file for reading; also returns its size in bytes.
///
/// # Errors
/// [`DataError::NotAFile`] for a folder, a pipe, a socket or a device; [`DataError::Io`].
pub fn open(path: &Path) -> Result<(File, u64), DataError> {
    let io = |e| DataError::io("open", path, e);
    // Checked before opening, since opening a pipe waits for its writer.
    check(path, &std::fs::metadata(path).map_err(io)?)?;
    let file = File::open(path).map_err(io)?;
    // It may have been replaced in between.
    let metadata = file.metadata().map_err(io)?;
    check(path, &metadata)?;
    Ok((file, metadata.len()))
}

/// Reads a whole file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    read_into(path, &mut bytes)?;
    Ok(bytes)
}

/// Like [`read`], into memory that is reused.
///
/// # Errors
/// As [`open`].
pub fn read_into(path: &Path, bytes: &mut Vec<u8>) -> Result<(), DataError> {
    let (mut file, size) = open(path)?;
    bytes.clear();
    let io = |e: std::io::Error| DataError::io("read", path, e);
    // One byte more than the size; otherwise the end would only be detected after another allocation.
    let room = usize::try_from(size.saturating_add(1)).unwrap_or(usize::MAX);
    bytes.try_reserve(room).map_err(|_| {
        let message = format!("there is no memory for its {size} bytes");
        io(std::io::Error::new(std::io::ErrorKind::OutOfMemory, message))
    })?;
    file.read_to_end(bytes).map(|_| ()).map_err(io)
}

/// Reads a whole UTF-8 text file.
///
/// # Errors
/// As [`open`]; [`DataError::Io`] also for bytes that are not UTF-8.
pub fn read_to_string(path: &Path) -> Result<String, DataError> {
    String::from_utf8(read(path)?).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let message = format!("it is not text in UTF-8: see its byte {at}");
        DataError::io("read", path, std::io::Error::new(std::io::ErrorKind::InvalidData, message))
    })
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), DataError> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(DataError::NotAFile { path: path.to_path_buf(), kind: kind(metadata) })
}

fn kind(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    "a device"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "text").unwrap();
        assert_eq!(read_to_string(&path).unwrap(), "text");
        std::fs::write(&path, b"te\xff").unwrap();
        assert!(read_to_string(&path).unwrap_err().to_string().contains("byte 2"));
        assert!(matches!(read(&folder.path().join("none")).unwrap_err(), DataError::Io { .. }));
    }

    #[cfg(unix)]
    #[test]
    fn what_has_no_end_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for (path, kind) in
            [(pipe.as_path(), "a pipe"), (Path::new("/dev/zero"), "a device"), (folder.path(), "a folder")]
        {
            let error = read(path).unwrap_err();
            assert!(matches!(error, DataError::NotAFile { kind: found, .. } if found == kind), "{error}");
        }
    }
}
