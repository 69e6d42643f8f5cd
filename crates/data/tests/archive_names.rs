//! Archives: nothing in an archive or a folder is dropped without being counted and named.

use std::io::Write;
use std::path::Path;

use tks_data::archive::SkipReason;
use tks_data::{Archive, ArchiveOptions, DataError};

fn names(archive: &Archive) -> Vec<&str> {
    archive.entries().iter().map(|entry| entry.name()).collect()
}

fn skipped(archive: &Archive) -> Vec<(&str, SkipReason)> {
    archive.skipped().iter().map(|skipped| (&*skipped.name, skipped.reason)).collect()
}

fn write(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A tar header and its content, with a raw name and, for links, a target.
fn append(tar: &mut tar::Builder<Vec<u8>>, name: &[u8], kind: tar::EntryType, target: &str, data: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, data).unwrap();
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, data) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_are_read_and_stay_apart() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let class = root.join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir_all(&class).unwrap();
    for name in [b"\xe8.bin".as_slice(), b"\xe9.bin", b"plain.bin"] {
        std::fs::write(class.join(OsStr::from_bytes(name)), name).unwrap();
    }
    write(&root, "a\\b.bin", b"a backslash is no separator in a folder");
    write(&root, "line\n\u{202e}.bin", b"control characters");
    let wanted = ["a\\b.bin", "caf\\xe9/\\xe8.bin", "caf\\xe9/\\xe9.bin", "caf\\xe9/plain.bin"];
    let archive = Archive::open(&root).unwrap();
    let last = archive.len() - 1;
    assert_eq!(archive.entries()[last].name(), "line\\u{a}\\u{202e}.bin");
    assert_eq!(&archive.bytes(last).unwrap()[..], b"control characters");
    assert_eq!(names(&archive)[..last], wanted);
    assert_eq!(&archive.bytes(1).unwrap()[..], b"\xe8.bin");
    assert_eq!(&archive.bytes(3).unwrap()[..], b"plain.bin");
    assert_eq!(archive.head(2, 1).unwrap(), b"\xe9");
    assert_eq!(archive.head(0, 100).unwrap().len(), 39);

    let mut tar = tar::Builder::new(Vec::new());
    for name in [b"caf\xe9/\xe8.bin".as_slice(), b"caf\xe9/\xe9.bin"] {
        append(&mut tar, name, tar::EntryType::Regular, "", name);
    }
    write(folder.path(), "set.tar", &tar.into_inner().unwrap());
    let archive = Archive::open(folder.path().join("set.tar")).unwrap();
    assert_eq!(names(&archive), wanted[1..3]);
    assert_eq!(&archive.bytes(1).unwrap()[..], b"caf\xe9/\xe9.bin");
}

#[cfg(unix)]
#[test]
fn links_are_followed_counted_or_named() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    write(&root, "a/1.bin", b"one");
    symlink("1.bin", root.join("a/2.bin")).unwrap();
    symlink("a", root.join("b")).unwrap();
    symlink("nothing", root.join("a/3.bin")).unwrap();
    let archive = Archive::open(&root).unwrap();
    assert_eq!(names(&archive), ["a/1.bin", "a/2.bin", "b/1.bin", "b/2.bin"]);
    let dangling = [("a/3.bin", SkipReason::DanglingLink), ("b/3.bin", SkipReason::DanglingLink)];
    assert_eq!(skipped(&archive), dangling);

    // links to its own folder, to above the root, to itself, and two folders that link to each other
    for (targets, named) in [
        (&[("a/up", "..")][..], "a/up"),
        (&[("a/above", "../..")], "a/above"),
        (&[("a/self", "self")], "a/self"),
        (&[("a/to-c", "../c"), ("c/to-a", "../a")], "to-"),
    ] {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "a/1.bin", b"one");
        write(root.path(), "c/1.bin", b"one");
        for (link, target) in targets {
            symlink(target, root.path().join(link)).unwrap();
        }
        let error = Archive::open(root.path()).unwrap_err();
        let DataError::LinkLoop { link } = &error else { panic!("{error}") };
        assert!(link.to_string_lossy().contains(named), "{error}");
    }
    assert!(Archive::open("/dev/null").unwrap_err().to_string().contains("a device"));
}

#[test]
fn what_systems_add_and_empty_folders_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a/1.bin", "a/Thumbs.db", "a/._1.bin", "__MACOSX/a/1.bin", "b/.DS_Store", "d/e/@eaDir/x"];
    for name in files {
        write(folder.path(), &format!("set/{name}"), b"x");
    }
    std::fs::create_dir_all(folder.path().join("set/c")).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for name in ["a/", "b/", "c/", "d/", "d/e/"] {
        zip.add_directory(name, options).unwrap();
    }
    for name in files {
        zip.start_file(name, options).unwrap();
    }
    write(folder.path(), "set.zip", &zip.finish().unwrap().into_inner());
    for name in ["set", "set.zip"] {
        let archive = Archive::open(folder.path().join(name)).unwrap();
        assert_eq!(names(&archive), ["a/1.bin"], "{name}");
        let empty: Vec<&str> = archive.empty_folders().collect();
        assert!(["b", "c", "d/e"].iter().all(|folder| empty.contains(folder)), "{name}: {empty:?}");
        assert!(!archive.skipped().is_empty(), "{name}");
        assert!(archive.skipped().iter().all(|skipped| skipped.reason == SkipReason::System), "{name}");
    }
}

#[test]
fn a_folder_with_a_file_anywhere_below_it_is_not_empty() {
    let folder = tempfile::tempdir().unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for name in ["a/", "b/", "c/", "d/", "d/e/", "d/f/"] {
        zip.add_directory(name, options).unwrap();
    }
    for name in ["a/1.bin", "b/1.bin", "c.bin", "d/e/1.bin"] {
        zip.start_file(name, options).unwrap();
    }
    write(folder.path(), "set.zip", &zip.finish().unwrap().into_inner());
    let archive = Archive::open(folder.path().join("set.zip")).unwrap();
    assert_eq!(archive.empty_folders().collect::<Vec<_>>(), ["c", "d/f"]);
}

#[test]
fn links_in_a_tar_are_the_files_that_they_lead_to() {
    use tar::EntryType::{Fifo, Link, Regular, Symlink};
    let folder = tempfile::tempdir().unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, b"a/1.bin", Regular, "", b"one");
    append(&mut tar, b"b/1.bin", Link, "a/1.bin", b"");
    append(&mut tar, b"b/2.bin", Symlink, "../c/3.bin", b"");
    append(&mut tar, b"c/3.bin", Symlink, "../a/1.bin", b"");
    append(&mut tar, b"d/evil", Symlink, "/etc/passwd", b"");
    append(&mut tar, b"d/worse", Symlink, "../../etc/passwd", b"");
    append(&mut tar, b"d/worst", Link, "/etc/passwd", b"");
    append(&mut tar, b"e/pipe", Fifo, "", b"");
    append(&mut tar, b"a/1.bin", Regular, "", b"again");
    write(folder.path(), "set.tar", &tar.into_inner().unwrap());
    let archive = Archive::open(folder.path().join("set.tar")).unwrap();
    assert_eq!(names(&archive), ["a/1.bin", "b/1.bin", "b/2.bin", "c/3.bin"]);
    for index in 0..4 {
        assert_eq!(&archive.bytes(index).unwrap()[..], b"again");
    }
    let expected = [
        ("d/evil", SkipReason::Link),
        ("d/worse", SkipReason::Link),
        ("d/worst", SkipReason::Link),
        ("e/pipe", SkipReason::Special),
        ("a/1.bin", SkipReason::Replaced),
    ];
    assert_eq!(skipped(&archive), expected);
}

#[test]
fn an_entry_that_a_later_one_replaces_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut zip = zip_of(&[("a/1.bin", b"first"), ("a/2.bin", b"other")]);
    // both names of the second entry are replaced by the first's
    let at: Vec<usize> = (0..zip.len() - 7).filter(|&at| &zip[at..at + 7] == b"a/2.bin").collect();
    for at in at {
        zip[at + 2] = b'1';
    }
    write(folder.path(), "twice.zip", &zip);
    let archive = Archive::open(folder.path().join("twice.zip")).unwrap();
    assert_eq!(names(&archive), ["a/1.bin"]);
    assert_eq!(skipped(&archive), [("a/1.bin", SkipReason::Replaced)]);
}

#[test]
fn zip_entries_of_the_same_bytes_and_encrypted_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let zip = zip_of(&[("a/1.bin", &[1; 500]), ("a/2.bin", &[1; 500])]);
    let headers: Vec<usize> = (0..zip.len() - 4).filter(|&at| &zip[at..at + 4] == b"PK\x01\x02").collect();
    let mut same = zip.clone();
    same.copy_within(headers[0] + 42..headers[0] + 46, headers[1] + 42);
    write(folder.path(), "same.zip", &same);
    let error = Archive::open(folder.path().join("same.zip")).unwrap_err().to_string();
    assert!(error.contains("`a/1.bin` and `a/2.bin` are of the same bytes"), "{error}");

    let mut encrypted = zip;
    encrypted[headers[0] + 8] |= 1;
    write(folder.path(), "encrypted.zip", &encrypted);
    let error = Archive::open(folder.path().join("encrypted.zip")).unwrap_err().to_string();
    assert!(error.contains("`a/1.bin` is encrypted"), "{error}");
}

/// 0.1 MB that decompress to 80 MiB.
#[test]
fn what_grows_beyond_any_data_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = vec![0; 80 << 20];
    write(folder.path(), "bomb.zip", &zip_of(&[("a/1.png", &zeros), ("a/2.png", b"small")]));
    let archive = Archive::open(folder.path().join("bomb.zip")).unwrap();
    assert_eq!(&archive.bytes(1).unwrap()[..], b"small");
    let cached = archive.source(0, &ArchiveOptions::default());
    for error in [archive.bytes(0).unwrap_err(), cached.unwrap_err()] {
        assert!(matches!(error, DataError::TooLarge { .. }), "{error}");
        assert!(error.to_string().contains("a/1.png"), "{error}");
    }
    assert_eq!(archive.head(0, 3).unwrap(), [0; 3]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gz.write_all(&zeros).unwrap();
    write(folder.path(), "bomb.tar.gz", &gz.finish().unwrap());
    let error = Archive::open(folder.path().join("bomb.tar.gz")).unwrap_err();
    assert!(matches!(error, DataError::TooLarge { .. }), "{error}");
    assert!(!folder.path().join(".tks-cache").exists());

    // a file that decompresses within the limits but is not a tar leaves nothing either
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gz.write_all(&[7; 5000]).unwrap();
    write(folder.path(), "no.tar.gz", &gz.finish().unwrap());
    let options = ArchiveOptions { memory_limit: 0, ..ArchiveOptions::default() };
    let error = Archive::open_with(folder.path().join("no.tar.gz"), &options).unwrap_err();
    assert!(error.to_string().contains("no tar"), "{error}");
    assert!(!folder.path().join(".tks-cache").exists());
}
