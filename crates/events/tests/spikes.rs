//! SHD, SSC and N-TIDIGITS18: files with their layout, written by h5py (`fixtures/make_spikes.py`).
#![cfg(feature = "hdf5")]

use std::io::Write;
use std::path::{Path, PathBuf};

use tks_data::Catalogue;
use tks_data::SampleSet;
use tks_data::manifest::{Manifest, Stated};
use tks_events::datasets::{EventSet, SetOptions};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn manifest(name: &str, parts: &[(&str, u64)]) -> Manifest {
    let mut manifest = Catalogue::BuiltIn.manifest(name).unwrap();
    manifest.splits[0].parts = parts.iter().map(|(part, n)| (part.to_string(), Stated::Value(*n))).collect();
    manifest
}

fn check_heidelberg(set: &EventSet) {
    assert_eq!(set.len(), 8);
    let parts = set.parts(None, &Catalogue::BuiltIn).unwrap();
    assert_eq!((parts["test"].as_slice(), parts["train"].as_slice()), (&[0, 1, 2][..], &[3, 4, 5, 6, 7][..]));
    for (part, indices) in parts {
        for (i, index) in indices.into_iter().enumerate() {
            assert_eq!(set.name(index), format!("{part}/{i:05}"));
            assert_eq!(set.label(index), 4 * i);
            let stream = set.read(index).unwrap();
            assert_eq!(stream.len(), 3 * i);
            for (k, &t) in stream.events().t.iter().enumerate() {
                assert_eq!(t, (k * (i + 1) * 1_000_000 / 64) as i64);
                assert_eq!(usize::from(stream.events().x[k]), 10 * k + 7);
                assert_eq!((stream.events().y[k], stream.events().p[k]), (0, 1));
            }
        }
    }
}

#[test]
fn heidelberg_files_from_their_zips_or_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let (zips, plain) = (folder.path().join("zips"), folder.path().join("plain"));
    std::fs::create_dir_all(&zips).unwrap();
    std::fs::create_dir_all(&plain).unwrap();
    for part in ["train", "test"] {
        let bytes = std::fs::read(fixtures().join(format!("standin_{part}.h5"))).unwrap();
        std::fs::write(plain.join(format!("shd_{part}.h5")), &bytes).unwrap();
        let options = zip::write::SimpleFileOptions::default();
        let mut zip =
            zip::ZipWriter::new(std::fs::File::create(zips.join(format!("shd_{part}.h5.zip"))).unwrap());
        zip.start_file(format!("shd_{part}.h5"), options).unwrap();
        zip.write_all(&bytes).unwrap();
        zip.finish().unwrap();
    }
    for path in [plain, zips] {
        let manifest = manifest("shd", &[("train", 5), ("test", 3)]);
        let mut options = SetOptions::default();
        options.archive.memory_limit = 0;
        check_heidelberg(&EventSet::open(manifest, &path, options).unwrap());
    }
}

#[test]
fn n_tidigits_takes_single_digits() {
    let path = fixtures().join("standin_tidigits.hdf5");
    let manifest = manifest("n-tidigits", &[("train", 2), ("test", 1)]);
    let set = EventSet::open(manifest, &path, SetOptions::default()).unwrap();
    let found: Vec<(&str, usize, usize)> =
        (0..set.len()).map(|i| (set.name(i), set.label(i), set.read(i).unwrap().len())).collect();
    assert_eq!(found, [("test/cc-woman-o", 0, 4), ("train/ae-man-1", 1, 4), ("train/bb-man-z", 10, 5)]);
    let stream = set.read(2).unwrap();
    assert_eq!(stream.events().t, [0, 250_000, 500_000, 750_000, 1_000_000]);
    assert_eq!(stream.events().x, [0, 20, 40, 60, 16]);
}

#[test]
fn cut_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shd_train.h5");
    let bytes = std::fs::read(fixtures().join("standin_train.h5")).unwrap();
    for cut in (0..bytes.len()).step_by(97) {
        // A different file each time: the last one may still be mapped.
        std::fs::remove_file(&path).ok();
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let options = SetOptions { strict: false, ..SetOptions::default() };
        let Ok(set) = EventSet::open(manifest("shd", &[("train", 5)]), folder.path(), options) else {
            continue;
        };
        assert!((0..set.len()).any(|i| set.read(i).is_err()), "cut at {cut} of {}", bytes.len());
    }
}
