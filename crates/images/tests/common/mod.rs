//! Small data sets in the official layouts, written into a folder.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};

use image::{ExtendedColorType, ImageEncoder};

pub fn fixture_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// One of the JPEG files that the decoder is tested with.
pub fn jpeg_fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../jpeg/tests/fixtures").join(name)
}

pub fn fixture(name: &str) -> Vec<u8> {
    let path = fixture_path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes a file and creates its folders.
pub fn write(root: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A small JPEG, different for each `seed`.
pub fn jpeg(seed: u8) -> Vec<u8> {
    let pixels: Vec<u8> =
        (0..24 * 16 * 3).map(|i| (i as u8).wrapping_mul(seed.wrapping_mul(2) | 1) ^ seed).collect();
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90)
        .write_image(&pixels, 24, 16, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// A batch of CIFAR10's binary version: record `i` has label `(first + i) % 10`.
pub fn cifar10_batch(first: usize, records: usize) -> Vec<u8> {
    (first..first + records)
        .flat_map(|i| {
            std::iter::once((i % 10) as u8).chain((0..3072).map(move |pixel| (i * 31 + pixel * 7) as u8))
        })
        .collect()
}

/// CIFAR10 with `records` records in each of its six files.
pub fn write_cifar10(root: &Path, records: usize) {
    for batch in 0..5 {
        let name = format!("cifar-10-batches-bin/data_batch_{}.bin", batch + 1);
        write(root, &name, cifar10_batch(batch * records, records));
    }
    write(root, "cifar-10-batches-bin/test_batch.bin", cifar10_batch(5 * records, records));
}

/// A tar of files, in the order given.
pub fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An IDX file of unsigned bytes.
pub fn idx(dims: &[u32], values: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    file.extend(dims.iter().flat_map(|size| size.to_be_bytes()));
    file.extend(values);
    file
}
