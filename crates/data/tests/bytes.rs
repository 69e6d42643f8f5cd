//! Bytes and files: ranges within and beyond a part, and the handling of file names.

use std::io;
use std::path::Path;

use tks_data::{ByteSource, Bytes, DataError, regular_file, whole_file};

/// The bytes 0, 1, 2, ... as a file and as memory.
fn both(folder: &Path, length: u8) -> [ByteSource; 2] {
    let bytes: Vec<u8> = (0..length).collect();
    let path = folder.join("data");
    std::fs::write(&path, &bytes).unwrap();
    [ByteSource::open(&path).unwrap(), bytes.into()]
}

#[test]
fn a_part_gives_its_own_bytes_and_none_of_the_whole_beyond_it() {
    let folder = tempfile::tempdir().unwrap();
    for (whole, name) in both(folder.path(), 20).into_iter().zip(["data", "bytes in memory"]) {
        for (start, length) in [(0u64, 20u64), (3, 7), (19, 1), (20, 0)] {
            let part = whole.slice(start, length).unwrap();
            assert_eq!((part.len(), part.is_empty()), (length, length == 0));
            let inner = part.slice(length / 2, length - length / 2).unwrap();
            assert_eq!(
                &inner.to_bytes().unwrap()[..],
                (start + length / 2..start + length).map(|b| b as u8).collect::<Vec<_>>()
            );
            for (offset, count) in (0..=length).flat_map(|offset| (0..4u64).map(move |count| (offset, count)))
            {
                let expected: Vec<u8> = (start + offset..start + offset + count).map(|b| b as u8).collect();
                let (mut out, mut scratch) = (vec![99; count as usize], Vec::new());
                let read = part.read_at(offset, &mut out);
                let taken = part.bytes_in(offset..offset + count, &mut scratch);
                if offset + count <= length {
                    read.unwrap();
                    assert_eq!((&out[..], taken.unwrap()), (&expected[..], &expected[..]));
                } else {
                    let said = format!(
                        "{name} at byte {length}: bytes up to {} are asked for, but there are {length}",
                        offset + count
                    );
                    for error in [read.unwrap_err(), taken.unwrap_err()] {
                        assert!(error.to_string().ends_with(&said), "{error}");
                    }
                }
            }
            #[expect(clippy::reversed_empty_ranges, reason = "what is wanted of it is an error")]
            let backwards = part.bytes_in(1..0, &mut Vec::new()).map(<[u8]>::len);
            assert!(backwards.is_err());
        }
        assert!(whole.slice(0, 21).is_none() && whole.slice(20, 1).is_none() && whole.slice(21, 0).is_none());
    }
    let bytes: Bytes = vec![1, 2, 3].into();
    assert_eq!(format!("{bytes:?}"), "Bytes(3 bytes)");
    assert_eq!(bytes.as_ref(), [1, 2, 3]);
}

#[test]
fn memory_that_is_used_again_holds_the_last_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (long, short) = (folder.path().join("long"), folder.path().join("short"));
    std::fs::write(&long, [7; 100]).unwrap();
    std::fs::write(&short, [8; 3]).unwrap();
    let mut memory = Vec::new();
    regular_file::read_into(&long, &mut memory).unwrap();
    assert_eq!(memory, [7; 100]);
    regular_file::read_into(&short, &mut memory).unwrap();
    assert_eq!(memory, [8; 3]);
    assert_eq!(regular_file::read(&long).unwrap(), [7; 100]);
    assert_eq!(regular_file::open(&long).unwrap().1, 100);
}

#[cfg(unix)]
#[test]
fn a_socket_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let error = ByteSource::open(&path).unwrap_err().to_string();
    assert!(error.contains("socket is a socket, not a file"), "{error}");
}

#[test]
fn a_full_disk_is_told_from_other_refusals() {
    for (kind, is_full) in [
        (io::ErrorKind::StorageFull, true),
        (io::ErrorKind::QuotaExceeded, true),
        (io::ErrorKind::PermissionDenied, false),
    ] {
        let error = DataError::io("write", "a/b", kind.into());
        assert_eq!(matches!(error, DataError::DiskFull { needed: None, .. }), is_full, "{error}");
        assert!(error.to_string().contains("a/b"), "{error}");
    }
}

#[test]
fn files_are_removed_and_renamed_and_refusals_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    whole_file::write(&a, b"one").unwrap();
    whole_file::rename(&a, &b).unwrap();
    assert!(!a.exists());
    assert_eq!(std::fs::read(&b).unwrap(), b"one");
    assert!(whole_file::rename(&a, &b).unwrap_err().to_string().contains("rename to"));
    whole_file::remove(&b).unwrap();
    assert!(!b.exists());
    // It may already be gone; one that exists and cannot be removed is an error.
    whole_file::remove(&b).unwrap();
    std::fs::create_dir(&b).unwrap();
    std::fs::write(b.join("held"), "").unwrap();
    assert!(whole_file::remove(&b).unwrap_err().to_string().contains("cannot remove"));
    assert!(whole_file::write(&b, b"two").unwrap_err().to_string().contains("rename to"));
    assert!(whole_file::write_new(&b.join("held/x"), b"two").is_err());
    // A failure for a reason other than an existing file does not indicate another writer.
    assert!(whole_file::write_new(&b.join("x".repeat(300)), b"two").is_err());
    for (name, is) in [(".unfinished-1", true), ("unfinished-1", false), ("a.unfinished-1", false)] {
        assert_eq!(whole_file::is_unfinished(name.as_ref()), is, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn others_may_read_what_is_written() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    let (plain, whole) = (folder.path().join("plain"), folder.path().join("whole"));
    std::fs::write(&plain, "").unwrap();
    whole_file::write(&whole, b"").unwrap();
    assert_eq!(mode(&whole), mode(&plain), "as any other file of the user");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_of_another_disk_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("version");
    std::fs::write(&to, "before").unwrap();
    whole_file::copy(Path::new("/proc/version"), &to).unwrap();
    assert_eq!(std::fs::read(&to).unwrap(), std::fs::read("/proc/version").unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Changes four names in turn, each in a different way; run by
/// [`a_process_ends_before_the_change_of_a_name_that_it_is_told`].
#[test]
fn four_changes_of_names() {
    let Some(folder) = std::env::var_os("TKS_TEST_FOLDER") else { return };
    let at = |name: &str| Path::new(&folder).join(name);
    whole_file::write(&at("1"), b"").unwrap();
    whole_file::write_new(&at("2"), b"").unwrap();
    whole_file::copy(&at("1"), &at("3")).unwrap();
    whole_file::rename(&at("3"), &at("4")).unwrap();
}

#[test]
fn a_process_ends_before_the_change_of_a_name_that_it_is_told() {
    let left = ["", "1", "1 2", "1 2 3", "1 2 4"];
    for (number, left) in (1..).zip(left) {
        let folder = tempfile::tempdir().unwrap();
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "four_changes_of_names"])
            .env("TKS_TEST_FOLDER", folder.path())
            .env("TKS_TEST_ABORT_AT_RENAME", number.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.success(), number == 5, "{number}");
        whole_file::remove_unfinished(folder.path()).unwrap();
        let mut names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names.join(" "), left, "aborted at change {number}");
    }
}
