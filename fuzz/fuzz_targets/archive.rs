//! Tars, zips and compressed files: any bytes give an error or readable entries.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use tks_data::{Archive, ArchiveOptions};

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    std::fs::File::create(&path).unwrap().write_all(data).unwrap();
    let options = ArchiveOptions { max_unpacked: 8 << 20, max_entries: 10_000, ..ArchiveOptions::default() };
    if let Ok(archive) = Archive::open_with(&path, &options) {
        let mut scratch = Vec::new();
        for index in 0..archive.len().min(64) {
            let head = archive.head(index, 16);
            if let Ok(bytes) = archive.bytes_in(index, &mut scratch) {
                assert_eq!(head.unwrap(), bytes[..bytes.len().min(16)]);
            }
        }
    }
});
