//! The shipped recordings, stored splits and manifests.

mod common;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tks_data::manifest::Manifest;
use tks_data::split::{StoredSplit, balanced};
use tks_data::{Dataset, LastBatch, Loader, LoaderConfig, SampleCache, SampleSet};
use tks_events::datasets::{EventFrames, EventSet, SetOptions};
use tks_events::recipe::Recipe;
use tks_events::slicing::Slicing;

use common::{catalogue, datasets, manifest};

fn shipped() -> Arc<EventSet> {
    let manifest = manifest("nmnist-1000");
    let path = datasets().join(&manifest.files[0].name);
    Arc::new(EventSet::open(manifest, &path, SetOptions::default()).unwrap())
}

#[test]
fn the_recordings_that_ship_are_all_there_and_right() {
    let set = shipped();
    assert_eq!(set.len(), 1000);
    let parts = set.parts(None, &catalogue()).unwrap();
    assert_eq!((parts["train"].len(), parts["test"].len()), (900, 100));
    // index.csv was created by another decoder.
    let archive = tks_data::Archive::open(datasets().join("nmnist-1000/N-MNIST-1000.tar.xz")).unwrap();
    let table = archive.bytes(archive.find_ending("index.csv").unwrap()).unwrap();
    let mut listed = BTreeMap::new();
    for row in std::str::from_utf8(&table).unwrap().lines().skip(1) {
        let columns: Vec<&str> = row.split(',').collect();
        let name = columns[0].strip_suffix(".bin").unwrap().to_lowercase();
        listed.insert(name, (columns[2].parse::<usize>().unwrap(), columns[3].parse::<usize>().unwrap()));
    }
    let mut total = 0;
    for index in 0..set.len() {
        let stream = set.read(index).unwrap();
        assert_eq!(listed[set.name(index)], (set.label(index), stream.len()), "{}", set.name(index));
        assert!(stream.duration_us() > 250_000 && stream.duration_us() < 400_000);
        total += stream.len();
    }
    assert_eq!(total, 4_097_764);
    let state = tks_data::fetch::verify(set.manifest(), &datasets()).unwrap();
    assert_eq!(state[0].1, tks_data::fetch::FileState::Good);
}

fn frames(set: &Arc<EventSet>, part: &str, augment: bool) -> EventFrames<f32> {
    let recipe = Recipe { slicing: Slicing::time_bins(4), resize: None, ..Recipe::reference() };
    let indices = set.parts(None, &catalogue()).unwrap()[part].clone();
    EventFrames::new(Arc::clone(set), indices, recipe, augment).unwrap()
}

#[test]
fn a_batch_holds_every_event_of_its_recordings() {
    let set = shipped();
    let loader = Loader::new(Arc::new(frames(&set, "test", false)), LoaderConfig::evaluation(16, 2)).unwrap();
    let mut labels = [0usize; 10];
    for batch in loader.epoch(0).unwrap() {
        let batch = batch.unwrap();
        assert_eq!(batch.inputs().shape(), [4, batch.len(), 2, 34, 34]);
        for (b, &sample) in batch.samples().iter().enumerate() {
            let sum: f32 = batch.inputs().index_axis(ndarray::Axis(1), b).sum();
            let index = set.parts(None, &catalogue()).unwrap()["test"][sample];
            assert_eq!(sum, set.read(index).unwrap().len() as f32);
            labels[batch.labels()[b] as usize] += 1;
        }
    }
    assert_eq!(labels.iter().sum::<usize>(), 100);
}

#[test]
fn augmented_batches_are_the_same_for_any_number_of_workers() {
    let set = shipped();
    let run = |workers: usize, seed: u64| -> Vec<f32> {
        let config =
            LoaderConfig { batch_size: 20, workers, seed, last_batch: LastBatch::Keep, ..Default::default() };
        let loader = Loader::new(Arc::new(frames(&set, "test", true)), config).unwrap();
        loader.epoch(3).unwrap().flat_map(|batch| batch.unwrap().as_slice().to_vec()).collect()
    };
    let alone = run(0, 1);
    assert_eq!(alone, run(3, 1));
    assert_ne!(alone, run(3, 2));
}

#[test]
fn cached_frames_are_the_frames() {
    let folder = tempfile::tempdir().unwrap();
    let set = shipped();
    let frames = Arc::new(frames(&set, "test", false));
    let key = frames.cache_key("official/test").unwrap();
    let (cache, _) = SampleCache::open_or_build(&frames, &key, folder.path(), 2, &mut |_, _| {}).unwrap();
    let content = |dataset: Arc<dyn Dataset<Element = f32>>| -> Vec<f32> {
        let loader = Loader::new(dataset, LoaderConfig::evaluation(10, 1)).unwrap();
        loader.epoch(0).unwrap().flat_map(|batch| batch.unwrap().as_slice().to_vec()).collect()
    };
    assert_eq!(content(Arc::new(cache)), content(frames.clone()));
    let other = Recipe { slicing: Slicing::time_bins(5), ..Recipe::default() };
    let other = EventFrames::<f32>::new(Arc::clone(&set), vec![0], other, false).unwrap();
    assert_ne!(other.cache_key("official/test").unwrap().path(folder.path()), key.path(folder.path()));
    let augmented = EventFrames::<f32>::new(set, vec![0], Recipe::reference(), true).unwrap();
    assert!(augmented.cache_key("official/test").is_err());
}

/// Names and classes of a whole data set of this layout, in natural order.
fn whole(manifest: &Manifest) -> (Vec<String>, Vec<usize>) {
    /// Recordings of each class of N-Caltech101, in the order of its classes.
    const N_CALTECH101: [usize; 101] = [
        467, 435, 200, 798, 55, 800, 42, 42, 47, 54, 46, 33, 128, 98, 43, 85, 91, 50, 43, 123, 47, 59, 62,
        107, 47, 69, 73, 70, 50, 51, 57, 67, 52, 65, 68, 75, 64, 53, 64, 85, 67, 67, 45, 34, 34, 51, 99, 100,
        42, 54, 88, 80, 31, 64, 86, 114, 61, 81, 78, 41, 66, 43, 40, 87, 32, 76, 55, 35, 39, 47, 38, 45, 53,
        34, 57, 82, 59, 49, 40, 63, 39, 84, 57, 35, 64, 45, 86, 59, 64, 35, 85, 49, 86, 75, 239, 37, 59, 34,
        56, 39, 60,
    ];
    let (mut names, mut labels) = (Vec::new(), Vec::new());
    for (label, class) in manifest.classes.names().unwrap().iter().enumerate() {
        let of_class: Vec<String> = match manifest.name.as_str() {
            "dvs-cifar10" => (0..1000).map(|i| format!("{class}/cifar10_{class}_{i}")).collect(),
            _ => (1..=N_CALTECH101[label]).map(|i| format!("{class}/image_{i:04}")).collect(),
        };
        labels.resize(labels.len() + of_class.len(), label);
        names.extend(of_class);
    }
    (names, labels)
}

/// The stored splits equal the output of the seeded generator; `TKS_WRITE_SPLITS=1` writes them.
#[test]
fn stored_splits_are_balanced_and_made_by_their_seed() {
    const SEED: u64 = 2023;
    for name in ["dvs-cifar10", "n-caltech101"] {
        let manifest = manifest(name);
        let (names, labels) = whole(&manifest);
        let about = format!(
            "nine tenths of each class for training, drawn by tks_data::split::balanced with seed {SEED} from the \
             files in natural order of their names"
        );
        let test = balanced(&labels, 0.9, SEED)["test"].clone();
        let made = StoredSplit::of_test_part(name, &about, &names, &test);
        let path = datasets().join(format!("splits/{name}-balanced-90.toml"));
        if std::env::var_os("TKS_WRITE_SPLITS").is_some() {
            std::fs::write(&path, made.to_toml()).unwrap();
        }
        assert_eq!(StoredSplit::read(&path).unwrap(), made);
        let parts =
            catalogue().parts(manifest.split(Some("balanced-90")).unwrap(), &names, &labels, true).unwrap();
        let per_class = |part: &str| {
            let mut counts = vec![0usize; manifest.classes.count()];
            parts[part].iter().for_each(|&i| counts[labels[i]] += 1);
            counts
        };
        for (train, test) in per_class("train").into_iter().zip(per_class("test")) {
            assert!((test as f64 - 0.1 * (train + test) as f64).abs() <= 0.5, "{train} and {test}");
        }
        let all: HashSet<usize> = parts.values().flatten().copied().collect();
        assert_eq!(all.len(), names.len());
    }
}

#[test]
fn every_manifest_of_recordings_is_valid_and_says_what_it_does_not_know() {
    let mut found = 0;
    for name in catalogue().names().unwrap() {
        let manifest = manifest(&name);
        if manifest.kind == tks_data::manifest::Kind::Events {
            found += 1;
            assert!(manifest.page.starts_with("https://"), "{name}");
            assert!(manifest.size.fixed().is_some(), "{name}");
        }
    }
    assert_eq!(found, 10);
}
