//! Archives: the same entries from a folder, a zip and a tar, plain or compressed; truncated and hostile ones
//! are refused.

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};

use common::{gzip, tar_of, zip_of};
use proptest::prelude::*;
use tks_data::{Archive, ArchiveOptions, DataError};

const FILES: [(&str, &[u8]); 4] = [
    ("set/b/2.bin", b"second"),
    ("set/a/1.bin", b"the first, the first, the first, the first, the first"),
    ("set/empty", b""),
    ("set/a/10.bin", &[7; 3000]),
];

fn xz(data: &[u8]) -> Vec<u8> {
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    xz.write_all(data).unwrap();
    xz.finish().unwrap()
}

/// One archive or folder of each kind, with the same entries.
fn all_kinds(folder: &Path) -> Vec<PathBuf> {
    let unpacked = folder.join("unpacked");
    for (name, data) in FILES {
        let path = unpacked.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, data).unwrap();
    }
    let tar = tar_of(&FILES);
    let mut kinds = vec![unpacked];
    for (name, bytes) in [
        ("stored.zip", zip_of(&FILES, zip::CompressionMethod::Stored)),
        ("deflated.zip", zip_of(&FILES, zip::CompressionMethod::Deflated)),
        ("a.tar.gz", gzip(&tar)),
        ("a.tar.xz", xz(&tar)),
        ("a.tar", tar),
    ] {
        std::fs::write(folder.join(name), bytes).unwrap();
        kinds.push(folder.join(name));
    }
    kinds
}

#[test]
fn all_kinds_hold_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for memory_limit in [0, 1 << 20] {
        let options = ArchiveOptions { memory_limit, ..Default::default() };
        for path in all_kinds(folder.path()) {
            let archive = Archive::open_with(&path, &options).unwrap();
            let names: Vec<&str> = archive.entries().iter().map(|entry| entry.name()).collect();
            assert_eq!(
                names,
                ["set/a/1.bin", "set/a/10.bin", "set/b/2.bin", "set/empty"],
                "{}",
                path.display()
            );
            let mut scratch = vec![1, 2, 3];
            for (name, data) in FILES {
                let index = archive.find(name).unwrap();
                assert_eq!(archive.entries()[index].size(), data.len() as u64);
                assert_eq!(&archive.bytes(index).unwrap()[..], data, "{}", path.display());
                assert_eq!(archive.bytes_in(index, &mut scratch).unwrap(), data);
            }
            assert_eq!(archive.find("set/c"), None);
            assert_eq!(archive.find_ending("a/1.bin").unwrap(), 0);
            assert!(archive.find_ending("1.bin").is_ok(), "10.bin does not end in /1.bin");
            assert!(archive.find_ending("nothing").is_err());
        }
    }
}

#[test]
fn a_compressed_tar_is_decompressed_once_and_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.tar.gz");
    std::fs::write(&path, gzip(&tar_of(&FILES))).unwrap();
    let cache = folder.path().join("cache");
    let options = ArchiveOptions { cache_dir: Some(cache.clone()), memory_limit: 0, ..Default::default() };
    let unpacked = || {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&cache)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "unpacked"))
            .collect();
        files.sort();
        files
    };
    assert_eq!(Archive::open_with(&path, &options).unwrap().len(), 4);
    let first = unpacked();
    let written = std::fs::metadata(&first[0]).unwrap().modified().unwrap();
    assert_eq!(Archive::open_with(&path, &options).unwrap().len(), 4);
    assert_eq!(unpacked(), first);
    assert_eq!(std::fs::metadata(&first[0]).unwrap().modified().unwrap(), written);
    std::fs::write(&path, gzip(&tar_of(&FILES[..3]))).unwrap();
    assert_eq!(Archive::open_with(&path, &options).unwrap().len(), 3);
    assert_eq!(unpacked().len(), 2);
}

#[test]
fn archives_in_archives() {
    let folder = tempfile::tempdir().unwrap();
    let options = ArchiveOptions { memory_limit: 0, ..Default::default() };
    let inner_tar = tar_of(&[("n1/1.jpg", b"one"), ("n1/2.jpg", b"two")]);
    let inner_zip = zip_of(&[("plane/1.aedat", b"plane one")], zip::CompressionMethod::Deflated);
    let inner_gz = gzip(&tar_of(&[("x", b"y")]));
    let files: [(&str, &[u8]); 4] =
        [("n1.tar", &inner_tar), ("plane.zip", &inner_zip), ("z.tar.gz", &inner_gz), ("readme", b"plain")];
    let outer = folder.path().join("outer");
    std::fs::create_dir(&outer).unwrap();
    for (name, data) in files {
        std::fs::write(outer.join(name), data).unwrap();
    }
    let tar = folder.path().join("outer.tar");
    std::fs::write(&tar, tar_of(&files)).unwrap();
    let zip = folder.path().join("outer.zip");
    std::fs::write(&zip, zip_of(&files, zip::CompressionMethod::Deflated)).unwrap();
    for path in [outer, tar, zip] {
        let archive = Archive::open(&path).unwrap();
        let nested = archive.nested(archive.find("plane.zip").unwrap(), &options).unwrap();
        assert_eq!(&nested.bytes(0).unwrap()[..], b"plane one");
        if path.extension().is_some_and(|e| e == "zip") {
            // Larger than the memory limit: inflated into the cache.
            let cached = std::fs::read_dir(folder.path().join(".tks-cache")).unwrap();
            assert!(cached.flatten().any(|e| e.file_name().to_string_lossy().starts_with("plane.zip.")));
        }
        let archive = archive.expanded(&options).unwrap();
        let found: Vec<(String, Vec<u8>)> = (0..archive.len())
            .map(|i| (archive.entries()[i].name().to_string(), archive.bytes(i).unwrap().to_vec()))
            .collect();
        let expected: Vec<(String, Vec<u8>)> = [
            ("n1.tar/n1/1.jpg", "one"),
            ("n1.tar/n1/2.jpg", "two"),
            ("plane.zip/plane/1.aedat", "plane one"),
            ("readme", "plain"),
            ("z.tar.gz/x", "y"),
        ]
        .map(|(name, data)| (name.to_string(), data.as_bytes().to_vec()))
        .to_vec();
        assert_eq!(found, expected, "{}", path.display());
    }
}

#[test]
fn every_cut_of_an_archive_is_an_error_or_reads_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let tar = tar_of(&FILES);
    for (name, bytes) in [
        ("a.zip", zip_of(&FILES, zip::CompressionMethod::Deflated)),
        ("a.tar.gz", gzip(&tar)),
        ("a.tar.xz", xz(&tar)),
        ("a.tar", tar),
    ] {
        let path = folder.path().join(name);
        let mut refused = 0;
        for cut in 0..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            match Archive::open(&path) {
                Err(DataError::Archive { path: named, offset, .. }) => {
                    assert_eq!(named, path);
                    assert!(offset <= cut as u64, "{name} cut at {cut}: byte {offset}");
                    refused += 1;
                }
                Err(other) => panic!("{name} cut at {cut}: {other}"),
                // Only the padding after a tar's first end marker is cut off.
                Ok(archive) => assert_eq!((archive.len(), name), (4, "a.tar"), "cut at {cut}"),
            }
        }
        assert!(refused as f64 >= 0.5 * bytes.len() as f64, "{name}: {refused} of {}", bytes.len());
    }
}

#[test]
fn names_that_lead_out_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["../evil", "a/../../evil", "/etc/passwd", "a\\..\\evil", "C:/evil"] {
        // The writers refuse such names, so the bytes of a harmless name are replaced.
        let stand_in = "x".repeat(name.len());
        let replace = |bytes: Vec<u8>| {
            let mut bytes = bytes;
            while let Some(at) = bytes.windows(name.len()).position(|w| w == stand_in.as_bytes()) {
                bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
            }
            bytes
        };
        let path = folder.path().join("evil.zip");
        std::fs::write(&path, replace(zip_of(&[(&stand_in, b"data")], zip::CompressionMethod::Stored)))
            .unwrap();
        let error = Archive::open(&path).unwrap_err();
        assert!(matches!(&error, DataError::EntryPath { entry, .. } if entry == name), "{name}: {error}");

        let mut tar = replace(tar_of(&[(&stand_in, b"data")]));
        let sum: u32 = (0..512).map(|i| if (148..156).contains(&i) { 32 } else { u32::from(tar[i]) }).sum();
        tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let path = folder.path().join("evil.tar");
        std::fs::write(&path, tar).unwrap();
        let error = Archive::open(&path).unwrap_err();
        assert!(matches!(&error, DataError::EntryPath { entry, .. } if entry == name), "{name}: {error}");
    }
}

#[test]
fn a_bomb_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zeros.tar.gz");
    std::fs::write(&path, gzip(&vec![0; 5 << 20])).unwrap();
    let options = ArchiveOptions { max_unpacked: 1 << 20, memory_limit: 1 << 10, ..Default::default() };
    let error = Archive::open_with(&path, &options).unwrap_err();
    assert!(matches!(error, DataError::TooLarge { limit: 0x10_0000, .. }), "{error}");
    assert!(!folder.path().join(".tks-cache").exists());
    // A zip whose entry claims more than deflate can produce from its bytes.
    let mut zip = zip_of(&[("a", &[1; 100])], zip::CompressionMethod::Deflated);
    let directory = zip.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    zip[directory + 24..directory + 28].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let path = folder.path().join("bomb.zip");
    std::fs::write(&path, zip).unwrap();
    let error = Archive::open(&path).unwrap_err().to_string();
    assert!(error.contains("claims 2147483647 bytes out of"), "{error}");
}

#[test]
fn a_corrupt_entry_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut zip = zip_of(&FILES, zip::CompressionMethod::Deflated);
    let at = zip.windows(9).position(|w| w == b"set/a/1.b").unwrap() + 20;
    zip[at] ^= 0x55;
    let path = folder.path().join("a.zip");
    std::fs::write(&path, zip).unwrap();
    let archive = Archive::open(&path).unwrap();
    let error = archive.bytes(archive.find("set/a/1.bin").unwrap()).unwrap_err();
    assert!(error.to_string().contains("entry `set/a/1.bin`"), "{error}");
}

#[test]
fn an_archive_that_is_replaced_in_place_while_it_is_open_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let tar = tar_of(&FILES);
    for (name, bytes) in [
        ("stored.zip", zip_of(&FILES, zip::CompressionMethod::Stored)),
        ("deflated.zip", zip_of(&FILES, zip::CompressionMethod::Deflated)),
        ("a.tar", tar.clone()),
        ("unpacked/a.tar.gz", gzip(&tar)),
    ] {
        let mut path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let archive =
            Archive::open_with(&path, &ArchiveOptions { memory_limit: 0, ..Default::default() }).unwrap();
        if name.ends_with(".gz") {
            // The file in use is the decompressed one.
            let cached = std::fs::read_dir(path.with_file_name(".tks-cache")).unwrap();
            let mut cached = cached.map(|entry| entry.unwrap().path());
            path = cached.find(|path| path.extension().is_some_and(|e| e == "unpacked")).unwrap();
        }
        for length in [0, 77] {
            std::fs::write(&path, vec![b'x'; length]).unwrap();
            for index in (0..archive.len()).filter(|&index| archive.entries()[index].size() > 0) {
                let errors = [
                    archive.bytes(index).unwrap_err(),
                    archive.bytes_in(index, &mut Vec::new()).unwrap_err(),
                    archive.range_in(index, 0..1, &mut Vec::new()).unwrap_err(),
                ];
                for error in errors {
                    assert!(matches!(error, DataError::Changed { .. }), "{name}: {error}");
                    assert!(error.to_string().contains(&path.display().to_string()), "{name}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_part_of_an_entry_is_read_wherever_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    for path in all_kinds(folder.path()) {
        let archive = Archive::open(&path).unwrap();
        let index = archive.find(FILES[0].0).unwrap();
        let (data, mut scratch) = (FILES[0].1, Vec::new());
        let length = data.len() as u64;
        for range in [0..length, 1..2, length - 1..length, 0..0] {
            let found = archive.range_in(index, range.clone(), &mut scratch).unwrap();
            assert_eq!(found, &data[range.start as usize..range.end as usize], "{}", path.display());
        }
        assert!(archive.range_in(index, 0..length + 1, &mut scratch).is_err(), "{}", path.display());
        let source = archive.source(index, &ArchiveOptions::default()).unwrap();
        assert_eq!(&source.to_bytes().unwrap()[..], data, "{}", path.display());
    }
}

#[test]
fn a_web_page_in_place_of_an_archive_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    std::fs::write(&path, "<!DOCTYPE html><html><body>Log in</body></html>").unwrap();
    assert!(Archive::open(&path).unwrap_err().to_string().contains("web page"));
    let path = folder.path().join("events.bin");
    std::fs::write(&path, b"12345").unwrap();
    let single = Archive::open(&path).unwrap();
    assert_eq!((single.entries()[0].name(), single.len()), ("events.bin", 1));
    let path = folder.path().join("train-labels.gz");
    std::fs::write(&path, gzip(b"labels")).unwrap();
    let single = Archive::open(&path).unwrap();
    assert_eq!(single.entries()[0].name(), "train-labels");
    assert_eq!(&single.bytes(0).unwrap()[..], b"labels");
    // compressed, although the name does not say so
    let path = folder.path().join("labels.bin");
    std::fs::write(&path, gzip(b"labels")).unwrap();
    assert_eq!(Archive::open(&path).unwrap().entries()[0].name(), "labels.bin");
}

#[test]
fn an_empty_tar_is_an_archive_and_a_few_zeros_are_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.tar");
    std::fs::write(&path, tar_of(&[])).unwrap();
    assert_eq!(Archive::open(&path).unwrap().len(), 0);
    let path = folder.path().join("zeros.bin");
    std::fs::write(&path, [0; 512]).unwrap();
    let single = Archive::open(&path).unwrap();
    assert_eq!((single.entries()[0].name(), single.len()), ("zeros.bin", 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn damaged_archives_never_panic(flips in prop::collection::vec((any::<u16>(), any::<u8>()), 1..12), kind in 0usize..4) {
        let tar = tar_of(&FILES);
        let mut bytes = match kind {
            0 => zip_of(&FILES, zip::CompressionMethod::Deflated),
            1 => gzip(&tar),
            2 => xz(&tar),
            _ => tar,
        };
        for (at, value) in flips {
            let at = at as usize % bytes.len();
            bytes[at] = value;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged");
        std::fs::write(&path, bytes).unwrap();
        let options = ArchiveOptions { max_unpacked: 1 << 24, ..Default::default() };
        if let Ok(archive) = Archive::open_with(&path, &options) {
            for index in 0..archive.len() {
                let _ = archive.bytes(index);
            }
        }
    }
}
