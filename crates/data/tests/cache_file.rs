//! The file of a cache: its name, its parts, and the reasons for refusing it.

use std::path::Path;
use std::sync::Arc;

use tks_data::cache::CacheState;
use tks_data::{
    ArrayDataset, CacheKey, DataError, Dataset, SampleCache, SampleContext, SampleShape, SampleSlot,
};

/// Samples of some steps and three elements, with consecutive numbers.
fn consecutive(samples: usize, steps: usize) -> ArrayDataset {
    let values = (0..samples * steps * 3).map(|value| value as f32).collect();
    let labels = (0..samples).map(|index| index % 9).collect();
    ArrayDataset::new(SampleShape::frames(steps, 1, 1, 3), values, labels, 9).unwrap()
}

fn key() -> CacheKey {
    CacheKey {
        dataset: "toy".into(),
        version: 1,
        split: "official/train 2".into(),
        setting: serde_json::json!({ "b": 1, "a": 2 }),
        source: "x".into(),
    }
}

fn build(folder: &Path, samples: usize, steps: usize) -> (SampleCache<f32>, CacheState) {
    SampleCache::open_or_build(&Arc::new(consecutive(samples, steps)), &key(), folder, 1, &mut |_, _| {})
        .unwrap()
}

#[test]
fn the_file_is_named_after_set_and_split_and_a_hash() {
    let path = key().path(Path::new("cache"));
    let name = path.file_name().unwrap().to_str().unwrap();
    let hash = name.strip_prefix("toy-official-train-2-").unwrap().strip_suffix(".samples").unwrap();
    assert!(hash.len() == 24 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    let other = CacheKey { setting: serde_json::json!({ "a": 2, "b": 1 }), ..key() };
    assert_eq!(other.path(Path::new("cache")), path, "the order of settings says nothing");
}

#[test]
fn every_sample_is_where_it_belongs() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, _) = build(folder.path(), 11, 2);
    assert_eq!((cache.len(), cache.classes(), cache.shape()), (11, 9, SampleShape::frames(2, 1, 1, 3)));
    assert_eq!(cache.path(), key().path(folder.path()));
    for index in 0..11 {
        let expected: Vec<f32> = (index * 6..index * 6 + 6).map(|value| value as f32).collect();
        assert_eq!(cache.sample(index).unwrap(), expected);
        let mut loaded = vec![0.0; 6];
        let slot = SampleSlot::alone(&mut loaded, &cache.shape());
        cache.load(index, &mut SampleContext::new(0, 0, 0), slot).unwrap();
        assert_eq!(loaded, expected);
        assert_eq!((cache.label(index), cache.sample_name(index)), (index % 9, index.to_string()));
    }
    let beyond = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cache.sample(11)));
    assert!(beyond.is_err());
}

#[test]
fn a_cache_of_other_samples_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    build(folder.path(), 4, 2);
    for (samples, steps) in [(5, 2), (5, 3), (2, 3)] {
        let (cache, state) = build(folder.path(), samples, steps);
        assert_eq!(state, CacheState::Rebuilt("it holds other samples than the data set".into()));
        assert_eq!((cache.len(), cache.shape().steps()), (samples, steps));
        assert_eq!(build(folder.path(), samples, steps).1, CacheState::Found);
    }
}

/// The parts of a cache file: header, samples with the padding before them, tail.
struct Parts {
    header: serde_json::Value,
    data: Vec<u8>,
    tail: serde_json::Value,
}

impl Parts {
    fn read(path: &Path) -> Parts {
        let bytes = std::fs::read(path).unwrap();
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        let (header, tail) = (number(16), number(24));
        let (header_end, tail_end) = (32 + header, bytes.len() - 4);
        let data = header_end.next_multiple_of(64);
        assert!(bytes[header_end..data].iter().all(|&byte| byte == 0));
        Parts {
            header: serde_json::from_slice(&bytes[32..header_end]).unwrap(),
            data: bytes[data..tail_end - tail].to_vec(),
            tail: serde_json::from_slice(&bytes[tail_end - tail..tail_end]).unwrap(),
        }
    }

    /// Writes the file again, with matching lengths and checksum.
    fn write(&self, path: &Path) {
        let (header, tail) = (self.header.to_string(), self.tail.to_string());
        let mut bytes = b"tks-samples-1\0\0\n".to_vec();
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend((tail.len() as u64).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.resize(bytes.len().next_multiple_of(64), 0);
        bytes.extend(&self.data);
        bytes.extend(tail.bytes());
        let mut crc = flate2::Crc::new();
        crc.update(header.as_bytes());
        crc.update(tail.as_bytes());
        bytes.extend(crc.sum().to_le_bytes());
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = build(folder.path(), 4, 2).0.path().to_path_buf();
    let open = || SampleCache::<f32>::open(&path, &key());
    let refusal = |change: fn(&mut Parts)| -> String {
        let mut parts = Parts::read(&path);
        parts.write(&path);
        open().unwrap().verify().unwrap();
        change(&mut parts);
        let whole = std::fs::read(&path).unwrap();
        parts.write(&path);
        let error = open().expect_err("what does not fit");
        std::fs::write(&path, whole).unwrap();
        let DataError::Cache { path: named, message } = error else { panic!("{error}") };
        assert_eq!(named, path);
        message
    };
    let changes: [fn(&mut Parts); 7] = [
        |parts| parts.header["count"] = 3.into(),
        |parts| parts.header["shape"]["time_steps"] = 3.into(),
        |parts| parts.data.truncate(90),
        |parts| parts.data.push(0),
        |parts| parts.tail["labels"] = serde_json::json!([0, 1, 2]),
        |parts| parts.tail["names"] = serde_json::json!(["0", "1", "2", "3", "4"]),
        |parts| parts.tail["crcs"] = serde_json::json!([]),
    ];
    for change in changes {
        let said = refusal(change);
        assert!(said.starts_with("it is cut: ") && said.ends_with(" bytes are there"), "{said}");
    }
    assert_eq!(refusal(|parts| parts.header["element"] = "u8".into()), "its elements are u8, not f32");
    assert_eq!(
        refusal(|parts| parts.header["key"]["version"] = 2.into()),
        "it was made with another setting"
    );
    assert!(refusal(|parts| parts.tail = "x".into()).starts_with("it cannot be read: "));
}

#[test]
fn a_file_too_short_for_its_own_lengths_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let refusal = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        SampleCache::<f32>::open(&path, &key()).unwrap_err().to_string()
    };
    let start = |header: u64, tail: u64| {
        [&b"tks-samples-1\0\0\n"[..], &header.to_le_bytes(), &tail.to_le_bytes()].concat()
    };
    for bytes in [vec![], start(0, 0)[..31].to_vec(), vec![7; 100]] {
        assert!(refusal(&bytes).contains("it does not begin as a cache file"));
    }
    for (header, tail, length) in
        [(0, 0, 32), (0, 0, 67), (100, 0, 100), (0, 100, 100), (40, 40, 100), (u64::MAX, 0, 100)]
    {
        let mut bytes = start(header, tail);
        bytes.resize(length, 0);
        let said = refusal(&bytes);
        assert!(said.contains(&format!("it is cut: {length} bytes are there")), "{header} {tail}: {said}");
    }
    let mut bytes = start(0, 0);
    bytes.resize(68, 0);
    let said = refusal(&bytes);
    assert!(said.contains("it cannot be read"), "just long enough: {said}");
    bytes[64] = 1;
    assert!(refusal(&bytes).contains("header and tail do not fit their checksum"));
}
