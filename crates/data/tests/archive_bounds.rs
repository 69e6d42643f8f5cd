//! Archives at their bounds: limits that are only just met, sizes that are only just wrong, and what is kept
//! of decompressed data.

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};

use common::{gzip, tar_of, zip_of};
use tks_data::archive::SkipReason;
use tks_data::{Archive, ArchiveOptions, DataError};

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

fn deflated(files: &[(&str, &[u8])]) -> Vec<u8> {
    zip_of(files, zip::CompressionMethod::Deflated)
}

/// The positions of the directory's entries in a zip.
fn directory(zip: &[u8]) -> Vec<usize> {
    (0..zip.len() - 4).filter(|&at| &zip[at..at + 4] == b"PK\x01\x02").collect()
}

/// A zip with one number in the first entry of its directory changed.
fn with_number(zip: &[u8], at: usize, number: u32) -> Vec<u8> {
    let (mut zip, entry) = (zip.to_vec(), directory(zip)[0]);
    zip[entry + at..entry + at + 4].copy_from_slice(&number.to_le_bytes());
    zip
}

const CRC: usize = 16;
const PACKED: usize = 20;
const SIZE: usize = 24;

fn all_the_same(count: u8) -> Vec<u8> {
    vec![1; usize::from(count)]
}

#[test]
fn an_entry_that_is_not_what_the_directory_says_is_told_how() {
    let folder = tempfile::tempdir().unwrap();
    let zip = deflated(&[("a/1.bin", &all_the_same(200)), ("a/2.bin", b"other")]);
    let entry = directory(&zip)[0];
    let packed = u32::from_le_bytes(zip[entry + PACKED..entry + SIZE].try_into().unwrap());
    let crc = u32::from_le_bytes(zip[entry + CRC..entry + PACKED].try_into().unwrap());
    let cases = [
        (with_number(&zip, SIZE, 199), "holds more than the 199 bytes it should".to_string()),
        (with_number(&zip, SIZE, 201), "holds 200 bytes where it should 201".into()),
        (with_number(&zip, PACKED, packed - 2), "cut: ".into()),
        (
            with_number(&zip, CRC, 0x1234),
            format!("checksum {crc:08x} where it should be 00001234: the archive is corrupt"),
        ),
    ];
    for (bytes, said) in cases {
        let path = write(folder.path(), "a.zip", &bytes);
        let archive = Archive::open(&path).unwrap();
        for error in [archive.bytes(0).unwrap_err(), archive.bytes_in(0, &mut Vec::new()).unwrap_err()] {
            let DataError::Archive { path: named, offset, message } = &error else { panic!("{error}") };
            assert_eq!((named, *offset), (&path, 37), "the entry's bytes begin after its header and name");
            assert!(message.starts_with(&format!("entry `a/1.bin`: {said}")), "{message}");
        }
        assert_eq!(&archive.bytes(1).unwrap()[..], b"other");
    }
    let mut noise = zip.clone();
    noise[37..37 + packed as usize].fill(0xff);
    let archive = Archive::open(write(folder.path(), "a.zip", &noise)).unwrap();
    let error = archive.bytes(0).unwrap_err().to_string();
    assert!(error.contains("entry `a/1.bin`: corrupt at its byte "), "{error}");
}

#[test]
fn a_directory_that_contradicts_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |bytes: &[u8]| {
        let error = Archive::open(write(folder.path(), "a.zip", bytes)).unwrap_err();
        assert!(matches!(error, DataError::Archive { .. }), "{error}");
        error.to_string()
    };
    let stored = zip_of(&[("a", b"abc"), ("b", b"def")], zip::CompressionMethod::Stored);
    let said = refusal(&with_number(&stored, SIZE, 4));
    assert!(said.contains("at byte 0: the entry `a` states two sizes: 4 and 3"), "{said}");
    let said = refusal(&with_number(&with_number(&stored, SIZE, 5000), PACKED, 5000));
    assert!(said.contains("the entry `a` reaches beyond the end"), "{said}");
    // Deflate expands one byte to at most 1032, and one more byte may be started.
    let zip = deflated(&[("a", &all_the_same(200))]);
    let entry = directory(&zip)[0];
    let packed = u32::from_le_bytes(zip[entry + PACKED..entry + SIZE].try_into().unwrap());
    let most = packed * 1032 + 1032;
    assert!(Archive::open(write(folder.path(), "b.zip", &with_number(&zip, SIZE, most))).is_ok());
    let said = refusal(&with_number(&zip, SIZE, most + 1));
    assert!(said.contains(&format!("the entry `a` claims {} bytes out of {packed}", most + 1)), "{said}");
    // An unsupported method.
    let mut other = stored.clone();
    for at in [directory(&stored)[0] + 10, 8] {
        other[at] = 12;
    }
    let said = refusal(&other);
    assert!(
        said.contains("the entry `a` is compressed with") && said.contains("unpack the archive"),
        "{said}"
    );
    // Up to the next entry's bytes, and one byte into them.
    let touching = with_number(&with_number(&stored, SIZE, 35), PACKED, 35);
    let said = refusal(&touching);
    assert!(said.contains("the entries `a` and `b` are of the same bytes"), "{said}");
    let just = with_number(&with_number(&stored, SIZE, 34), PACKED, 34);
    assert!(Archive::open(write(folder.path(), "b.zip", &just)).unwrap().len() == 2);
    let said = refusal(&stored[..stored.len() - 1]);
    assert!(
        said.contains(&format!("at byte {}: no directory of entries at the end", stored.len() - 1)),
        "{said}"
    );
}

#[test]
fn entries_that_are_replaced_are_found_behind_whatever_a_directory_adds_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut zip = deflated(&[("a/1", b"first"), ("a/2", b"second"), ("a/3", b"third")]);
    // The first two entries of the directory, the last one first, get a field of five bytes and a comment of
    // three.
    for at in directory(&zip)[..2].iter().rev() {
        zip.splice(at + 49..at + 49, *b"\x77\x77\x01\0xno.");
        (zip[at + 30], zip[at + 32]) = (5, 3);
    }
    let end = (0..zip.len() - 4).find(|&at| &zip[at..at + 4] == b"PK\x05\x06").unwrap();
    zip[end + 12] += 16;
    assert_eq!(Archive::open(write(folder.path(), "a.zip", &zip)).unwrap().len(), 3);
    // Then the third gets the name of the second.
    for at in (0..zip.len() - 3).filter(|&at| &zip[at..at + 3] == b"a/3").collect::<Vec<_>>() {
        zip[at + 2] = b'2';
    }
    let archive = Archive::open(write(folder.path(), "a.zip", &zip)).unwrap();
    let skipped: Vec<(&str, SkipReason)> = archive.skipped().iter().map(|s| (&*s.name, s.reason)).collect();
    assert_eq!((archive.len(), skipped), (2, vec![("a/2", SkipReason::Replaced)]));
}

#[test]
fn an_archive_has_as_many_entries_as_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 3] = [("a/1", b"x"), ("a/2", b"y"), ("b/3", b"z")];
    for (name, data) in files {
        write(folder.path(), &format!("set/{name}"), data);
    }
    let mut linked = tar::Builder::new(tar_of(&files[..2]));
    // The end mark is removed, so that a link follows.
    let content = linked.get_mut();
    content.truncate(4 * 512);
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Link);
    header.set_size(0);
    linked.append_link(&mut header, "b/3", "a/1").unwrap();
    write(folder.path(), "set.tar", &tar_of(&files));
    write(folder.path(), "linked.tar", &linked.into_inner().unwrap());
    write(folder.path(), "set.zip", &deflated(&files));
    for name in ["set", "set.tar", "linked.tar", "set.zip"] {
        let path = folder.path().join(name);
        let open =
            |max_entries| Archive::open_with(&path, &ArchiveOptions { max_entries, ..Default::default() });
        assert_eq!(open(3).unwrap().len(), 3, "{name}");
        let error = open(2).unwrap_err();
        let DataError::TooLarge { what, size: 3, limit: 2, .. } = &error else { panic!("{name}: {error}") };
        assert_eq!(what, "the number of entries");
        assert!(error.to_string().contains("more than the limit of 2; name a folder"), "{error}");
    }
    // Folders count too: the root and three below it.
    let deep = folder.path().join("deep");
    std::fs::create_dir_all(deep.join("a/b/c")).unwrap();
    let open = |max_entries| Archive::open_with(&deep, &ArchiveOptions { max_entries, ..Default::default() });
    assert_eq!(open(4).unwrap().empty_folders().collect::<Vec<_>>(), ["a", "a/b", "a/b/c"][2..]);
    assert!(matches!(open(3).unwrap_err(), DataError::TooLarge { size: 4, limit: 3, .. }));
    // So do the entries of nested archives.
    let outer = folder.path().join("outer");
    write(&outer, "1.zip", &deflated(&files));
    write(&outer, "2.zip", &deflated(&files));
    let expanded = |max_entries| {
        let options = ArchiveOptions { max_entries, ..Default::default() };
        Archive::open(&outer).unwrap().expanded(&options)
    };
    assert_eq!(expanded(6).unwrap().len(), 6);
    assert!(matches!(expanded(5).unwrap_err(), DataError::TooLarge { size: 6, limit: 5, .. }));
}

#[test]
fn folders_lie_in_one_another_as_deep_as_they_may() {
    let folder = tempfile::tempdir().unwrap();
    let deep = |depth: usize| {
        let root = folder.path().join(depth.to_string());
        write(&root, &format!("{}x", "d/".repeat(depth)), b"x");
        Archive::open(&root)
    };
    assert_eq!(deep(63).unwrap().len(), 1);
    let error = deep(64).unwrap_err();
    assert!(matches!(error, DataError::TooLarge { size: 65, limit: 64, .. }), "{error}");
    assert!(error.to_string().contains("the depth of folders is 65"), "{error}");
}

#[test]
fn what_is_kept_in_memory_and_what_in_a_file_is_told_by_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let tar = tar_of(&[("a", b"one")]);
    let path = write(folder.path(), "set/a.tar.gz", &gzip(&tar));
    let cache = folder.path().join("set/.tks-cache");
    let size = tar.len() as u64;
    for (memory_limit, is_kept) in [(size, false), (size - 1, true)] {
        let options = ArchiveOptions { memory_limit, ..Default::default() };
        let archive = Archive::open_with(&path, &options).unwrap();
        assert_eq!(&archive.bytes(0).unwrap()[..], b"one");
        assert_eq!(cache.exists(), is_kept, "{memory_limit}");
    }
    let kept: Vec<String> = std::fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(kept.len(), 1, "and no lock: {kept:?}");
    let hash = kept[0].strip_prefix("a.tar.gz.").unwrap().strip_suffix(".unpacked").unwrap();
    assert!(hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{kept:?}");

    // The same for an entry of a zip.
    let zip = write(folder.path(), "zip/a.zip", &deflated(&[("in/x.bin", &[3; 100])]));
    let archive = Archive::open(&zip).unwrap();
    assert!(archive.packed_size(0) < 100);
    let cache = folder.path().join("zip/.tks-cache");
    for (memory_limit, is_kept) in [(100, false), (99, true), (0, true)] {
        let options = ArchiveOptions { memory_limit, ..Default::default() };
        assert_eq!(&archive.source(0, &options).unwrap().to_bytes().unwrap()[..], [3; 100]);
        assert_eq!(cache.exists(), is_kept, "{memory_limit}");
    }
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 1);
    let elsewhere = folder.path().join("elsewhere");
    let options =
        ArchiveOptions { memory_limit: 0, cache_dir: Some(elsewhere.clone()), ..Default::default() };
    archive.source(0, &options).unwrap();
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 1);
}

#[test]
fn entries_of_one_name_in_two_places_are_unpacked_apart() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|text| gzip(&tar_of(&[("x", text.as_bytes())])));
    let inner: [(&str, &[u8]); 2] = [("a/x.tar.gz", &first), ("b/x.tar.gz", &second)];
    let options = ArchiveOptions { memory_limit: 0, ..Default::default() };
    for (name, bytes) in [("set.tar", tar_of(&inner)), ("set.zip", deflated(&inner))] {
        let archive = Archive::open(write(folder.path(), name, &bytes)).unwrap().expanded(&options).unwrap();
        let found: Vec<_> = (0..2).map(|i| archive.bytes(i).unwrap().to_vec()).collect();
        assert_eq!(found, [b"first".to_vec(), b"second".to_vec()], "{name}");
    }
}

#[test]
fn what_an_inner_archive_passes_over_is_told_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.add_directory("empty/", options).unwrap();
    for name in ["x", ".DS_Store"] {
        zip.start_file(name, options).unwrap();
        zip.write_all(name.as_bytes()).unwrap();
    }
    zip.add_symlink("link", "x", options).unwrap();
    let inner = zip.finish().unwrap().into_inner();
    let root = folder.path().join("set");
    for name in ["1.zip", "2.zip"] {
        write(&root, name, &inner);
    }
    write(&root, "plain", b"plain");
    std::fs::create_dir(root.join("none")).unwrap();
    let archive = Archive::open(&root).unwrap().expanded(&ArchiveOptions::default()).unwrap();
    let names: Vec<&str> = archive.entries().iter().map(|entry| entry.name()).collect();
    assert_eq!(names, ["1.zip/x", "2.zip/x", "plain"]);
    for (index, text) in ["x", "x", "plain"].into_iter().enumerate() {
        assert_eq!(&archive.bytes(index).unwrap()[..], text.as_bytes());
        assert_eq!(archive.head(index, 1).unwrap(), text.as_bytes()[..1]);
        assert_eq!(archive.packed_size(index), if index < 2 { 3 } else { 5 }, "deflated, or as it is");
        assert_eq!(archive.entry_path(index), root.join(names[index]));
    }
    assert_eq!(archive.empty_folders().collect::<Vec<_>>(), ["1.zip/empty", "2.zip/empty", "none"]);
    let skipped: Vec<(&str, SkipReason)> = archive.skipped().iter().map(|s| (&*s.name, s.reason)).collect();
    let expected = [
        ("1.zip/.DS_Store", SkipReason::System),
        ("2.zip/.DS_Store", SkipReason::System),
        ("1.zip/link", SkipReason::Link),
        ("2.zip/link", SkipReason::Link),
    ];
    assert_eq!(skipped, expected);
    assert_eq!((archive.path(), archive.is_empty()), (root.as_path(), false));
    let texts = [
        SkipReason::System,
        SkipReason::DanglingLink,
        SkipReason::Link,
        SkipReason::Special,
        SkipReason::Replaced,
    ]
    .map(SkipReason::text);
    assert_eq!(
        texts,
        [
            "file of the operating system",
            "link to nothing",
            "link that leads to no file of the archive",
            "device, pipe or socket",
            "entry with the name of a later one",
        ]
    );
}

#[test]
fn one_file_is_found_by_the_end_of_its_name_or_none() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a/x.csv", "a/ax.csv", "b/y.csv", "c/y.csv", "x.bin"] {
        write(folder.path(), name, b"");
    }
    let archive = Archive::open(folder.path()).unwrap();
    let find = |suffix: &str| archive.find_ending(suffix).map(|i| archive.entries()[i].name().to_string());
    assert_eq!(find("x.csv").unwrap(), "a/x.csv");
    assert_eq!(find("a/x.csv").unwrap(), "a/x.csv");
    assert_eq!(find("x.bin").unwrap(), "x.bin");
    let error = find("y.csv").unwrap_err().to_string();
    assert!(error.ends_with("holds no `y.csv`; there are several: `b/y.csv` and `c/y.csv`"), "{error}");
    let error = find("z").unwrap_err().to_string();
    assert!(error.ends_with("holds no `z`; it holds 5 files: a/ax.csv, a/x.csv, b/y.csv, ..."), "{error}");
    assert!(Archive::open(folder.path().join("none")).unwrap_err().to_string().contains("cannot open"));
}

#[test]
fn a_part_of_an_entry_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 2] = [("a", b"abc"), ("b", b"def")];
    for (name, data) in files {
        write(folder.path(), &format!("set/{name}"), data);
    }
    write(folder.path(), "set.tar", &tar_of(&files));
    write(folder.path(), "stored.zip", &zip_of(&files, zip::CompressionMethod::Stored));
    write(folder.path(), "set.zip", &deflated(&files));
    for name in ["set", "set.tar", "stored.zip", "set.zip"] {
        let archive = Archive::open(folder.path().join(name)).unwrap();
        let mut scratch = Vec::new();
        assert_eq!(archive.range_in(1, 1..3, &mut scratch).unwrap(), b"ef", "{name}");
        for range in [0..4, 3..4, 4..4, 5..9] {
            let error = archive.range_in(1, range.clone(), &mut scratch).unwrap_err();
            if name != "set" {
                let said = format!("b at byte 3: bytes {} to {} are asked for", range.start, range.end);
                assert!(error.to_string().ends_with(&said), "{name}: {error}");
            }
        }
        for (most, expected) in [(0, "".as_bytes()), (2, b"de"), (3, b"def"), (9, b"def")] {
            assert_eq!(archive.head(1, most).unwrap(), expected, "{name}");
        }
    }
}

#[test]
fn a_file_is_taken_for_what_its_bytes_say_or_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let refusals: [(&str, &[u8], &str); 12] = [
        ("a.zip", b"", "the file is empty; fetch it again"),
        ("a.tar", b"  <!DOCTYPE html>", "this is a web page"),
        ("a.TAR.GZ", b"<HTML>", "this is a web page"),
        ("a.tar.bz2", b"BZh91AY", "decompress the file with `bunzip2`"),
        ("a.tbz2", b"BZ", "neither zip nor tar, gzip nor xz: it begins with \"BZ\""),
        ("a.tar.zst", &[0x28, 0xb5, 0x2f, 0xfd], "decompress the file with `unzstd`"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c", "7z and rar are not read"),
        ("a.rar", b"Rar!\x1a\x07", "7z and rar are not read"),
        ("a.tgz", b"words", "it begins with \"words\""),
        ("ä.txz", b"words", "it begins with \"words\""),
        ("a.tzst", &[b'w'; 41], "wwww\""),
        ("b/.zip.zip", b"words", "it begins with \"words\""),
    ];
    for (name, bytes, said) in refusals {
        let error = Archive::open(write(folder.path(), name, bytes)).unwrap_err();
        assert!(matches!(error, DataError::Archive { offset: 0, .. }), "{name}: {error}");
        assert!(error.to_string().contains(said), "{name}: {error}");
        assert!(error.to_string().len() < 40 + 120 + folder.path().as_os_str().len(), "{error}");
    }
    // A name that consists only of an extension, and others that only resemble one.
    for name in [".zip", "zip", "azip", "a.zips", "é"] {
        let archive = Archive::open(write(folder.path(), name, b"words")).unwrap();
        assert_eq!((archive.entries()[0].name(), archive.entries()[0].size()), (name, 5));
    }
    for (name, within) in
        [("x.idx.gz", "x.idx"), ("x.GZ", "x"), ("x.gzip", "x.gzip"), ("x.xz", "x"), ("x", "x")]
    {
        let archive = Archive::open(write(folder.path(), name, &gzip(b"words"))).unwrap();
        assert_eq!(archive.entries()[0].name(), within);
        assert_eq!(&archive.bytes(0).unwrap()[..], b"words");
    }
    // An empty zip is one.
    let empty = zip::ZipWriter::new(std::io::Cursor::new(Vec::new())).finish().unwrap().into_inner();
    assert!(Archive::open(write(folder.path(), "empty", &empty)).unwrap().is_empty());
    // For a tar, the header's checksum is checked, with its own field as blanks.
    let mut tar = tar_of(&[("a", b"abc")]);
    assert_eq!(Archive::open(write(folder.path(), "t", &tar)).unwrap().entries()[0].name(), "a");
    for at in [0, 147, 156, 511] {
        tar[at] ^= 1;
        assert_eq!(Archive::open(write(folder.path(), "t", &tar)).unwrap().entries()[0].name(), "t", "{at}");
        tar[at] ^= 1;
    }
    for (zeros, is_tar) in [(512, false), (1023, false), (1024, true)] {
        let archive = Archive::open(write(folder.path(), "zeros", &vec![0; zeros])).unwrap();
        assert_eq!(archive.is_empty(), is_tar, "{zeros}");
    }
    let mut zeros = vec![0; 1024];
    for at in [512, 515, 1023] {
        zeros[at] = 1;
        assert_eq!(Archive::open(write(folder.path(), "zeros", &zeros)).unwrap().len(), 1, "{at}");
        zeros[at] = 0;
    }
}

#[test]
fn a_chain_of_links_is_followed_so_far() {
    let folder = tempfile::tempdir().unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, kind: tar::EntryType, target: &str, data: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.append(&header, data).unwrap();
    };
    use tar::EntryType::{Block, Char, Continuous, Directory, Link, Regular, Symlink};
    // Later ones first, so that each round finds one.
    for number in (1..=9).rev() {
        add(&format!("c/{number}"), Symlink, &format!("./{}", number - 1), b"");
    }
    add("c/0", Regular, "", b"end");
    add("d/up", Symlink, "../c//0", b"");
    add("d/here", Symlink, ".", b"");
    add("d/folder", Link, "c/", b"");
    add("d/back", Link, "c\\0", b"");
    add("e/char", Char, "", b"");
    add("e/block", Block, "", b"");
    add("e/continuous", Continuous, "", b"more");
    add("f", Directory, "", b"");
    add("g/", Regular, "", b"");
    let path = write(folder.path(), "set.tar", &tar.into_inner().unwrap());
    let archive = Archive::open(&path).unwrap();
    let names: Vec<&str> = archive.entries().iter().map(|entry| entry.name()).collect();
    let expected =
        ["c/0", "c/1", "c/2", "c/3", "c/4", "c/5", "c/6", "c/7", "c/8", "d/back", "d/up", "e/continuous"];
    assert_eq!(names, expected);
    assert!((0..11).all(|index| archive.bytes(index).unwrap()[..] == *b"end"));
    assert_eq!(&archive.bytes(11).unwrap()[..], b"more");
    let skipped: Vec<(&str, SkipReason)> = archive.skipped().iter().map(|s| (&*s.name, s.reason)).collect();
    let expected = [
        ("c/9", SkipReason::Link),
        ("d/folder", SkipReason::Link),
        ("d/here", SkipReason::Link),
        ("e/block", SkipReason::Special),
        ("e/char", SkipReason::Special),
    ];
    assert_eq!(skipped, expected);
    assert_eq!(archive.empty_folders().collect::<Vec<_>>(), ["f", "g"]);
}

#[test]
fn a_tar_that_ends_too_soon_is_told_where() {
    let folder = tempfile::tempdir().unwrap();
    let tar = tar_of(&[("a", &[1; 600]), ("b", b"abc")]);
    // Header, two blocks, header, one block, the mark.
    for (length, at, said) in [
        (
            1000,
            512,
            "the entry `a` of 600 bytes reaches beyond the end: the archive is cut (1000 bytes are there)",
        ),
        (1536, 1536, "no mark of the archive's end: the archive is cut (1536 bytes are there)"),
        (2049, 2048, "the entry `b` of 3 bytes reaches beyond the end"),
        (2051, 2051, "no mark of the archive's end: the archive is cut (2051 bytes are there)"),
        (2560, 2560, "no mark of the archive's end"),
        (3071, 2560, "no entry that can be read"),
    ] {
        let error = Archive::open(write(folder.path(), "a.tar", &tar[..length])).unwrap_err();
        let DataError::Archive { offset, message, .. } = &error else { panic!("{error}") };
        assert_eq!(*offset, at, "{length}: {error}");
        assert!(
            message.starts_with(said) && (length == 3071 || message.ends_with("fetch it again")),
            "{length}: {message}"
        );
    }
    assert_eq!(Archive::open(write(folder.path(), "a.tar", &tar[..3072])).unwrap().len(), 2);
    let mut sparse = tar.clone();
    sparse[156] = b'S';
    // One piece of 600 bytes starting at 0, and its real size, in octal digits.
    for (at, number) in [(386, "00000000000\0"), (398, "00000001130\0"), (483, "00000001130\0")] {
        sparse[at..at + 12].copy_from_slice(number.as_bytes());
    }
    let sum: u32 = (0..512).map(|i| if (148..156).contains(&i) { 32 } else { u32::from(sparse[i]) }).sum();
    sparse[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let error = Archive::open(write(folder.path(), "a.tar", &sparse)).unwrap_err().to_string();
    assert!(error.contains("sparse entries are not read"), "{error}");
}

#[test]
fn a_compressed_file_grows_as_far_as_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let size = 70_000u64;
    let path = write(folder.path(), "x.gz", &gzip(&vec![1; size as usize]));
    let open =
        |max_unpacked| Archive::open_with(&path, &ArchiveOptions { max_unpacked, ..Default::default() });
    assert_eq!(open(size).unwrap().entries()[0].size(), size);
    let error = open(size - 1).unwrap_err();
    assert!(matches!(error, DataError::TooLarge { size: 70_000, limit: 69_999, .. }), "{error}");
    let packed = std::fs::metadata(&path).unwrap().len();
    assert!(
        error.to_string().contains(&format!("the decompressed size of its {packed} bytes is 70000")),
        "{error}"
    );
    let cut = write(folder.path(), "y.gz", &gzip(&tar_of(&[("a", &[5; 9000])]))[..60]);
    let error = Archive::open(&cut).unwrap_err().to_string();
    assert!(
        error.contains("cannot be decompressed (") && error.contains(" bytes: the file is cut or corrupt"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn what_is_no_file_in_a_folder_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "set/x", b"x");
    write(folder.path(), "set/.tks-cache/y", b"y");
    let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("set/socket")).unwrap();
    std::os::unix::fs::symlink("x/below", folder.path().join("set/through-a-file")).unwrap();
    let archive = Archive::open(folder.path().join("set")).unwrap();
    assert_eq!(archive.len(), 1);
    let skipped: Vec<(&str, SkipReason)> = archive.skipped().iter().map(|s| (&*s.name, s.reason)).collect();
    assert_eq!(skipped, [("through-a-file", SkipReason::DanglingLink), ("socket", SkipReason::Special)]);
    // A folder that contains only files added by a system is empty.
    write(folder.path(), "set/sys/Thumbs.DB", b"");
    let archive = Archive::open(folder.path().join("set")).unwrap();
    assert_eq!(archive.empty_folders().collect::<Vec<_>>(), ["sys"]);
}
