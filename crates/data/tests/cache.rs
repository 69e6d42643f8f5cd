//! The cache of decoded samples: the same samples, keyed by their settings, complete or made again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tks_data::cache::CacheState;
use tks_data::{
    BoxError, CacheKey, DataError, Dataset, Element, Loader, LoaderConfig, SampleCache, SampleContext,
    SampleShape, SampleSlot,
};

struct Counting<E> {
    samples: usize,
    scale: E,
    loads: AtomicUsize,
}

impl<E: Element> Counting<E> {
    fn new(samples: usize, scale: E) -> Arc<Self> {
        Arc::new(Counting { samples, scale, loads: AtomicUsize::new(0) })
    }
}

impl<E: Element + From<u8> + std::ops::Mul<Output = E>> Dataset for Counting<E> {
    type Element = E;

    fn len(&self) -> usize {
        self.samples
    }

    fn shape(&self) -> SampleShape {
        SampleShape::frames(3, 1, 2, 3)
    }

    fn classes(&self) -> usize {
        4
    }

    fn label(&self, index: usize) -> usize {
        index % 4
    }

    fn sample_name(&self, index: usize) -> String {
        format!("s{index}")
    }

    fn load(&self, index: usize, _: &mut SampleContext, mut slot: SampleSlot<'_, E>) -> Result<(), BoxError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        if index == 1000 {
            return Err("unreadable".into());
        }
        for t in 0..3 {
            for (i, value) in slot.step(t).iter_mut().enumerate() {
                *value = E::from((index * 7 + t * 6 + i) as u8) * self.scale;
            }
        }
        Ok(())
    }
}

fn key(bins: u32) -> CacheKey {
    CacheKey {
        dataset: "toy".into(),
        version: 1,
        split: "official/train".into(),
        setting: serde_json::json!({ "bins": bins, "size": [2, 3] }),
        source: "toy.zip 123".into(),
    }
}

fn open<D: Dataset + 'static>(
    dataset: &Arc<D>,
    key: &CacheKey,
    folder: &std::path::Path,
) -> (SampleCache<D::Element>, CacheState) {
    SampleCache::open_or_build(dataset, key, folder, 2, &mut |_, _| {}).unwrap()
}

#[test]
fn a_cache_gives_what_its_data_set_gives() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = Counting::new(21, 0.5f32);
    let mut seen = Vec::new();
    let (cache, state) = SampleCache::open_or_build(&dataset, &key(3), folder.path(), 2, &mut |done, all| {
        seen.push((done, all))
    })
    .unwrap();
    assert_eq!(state, CacheState::Built);
    assert_eq!(seen, [(8, 21), (16, 21), (21, 21)]);
    cache.verify().unwrap();
    let batches = |dataset: Arc<dyn Dataset<Element = f32>>| -> Vec<(Vec<f32>, Vec<i64>)> {
        let loader = Loader::new(dataset, LoaderConfig::evaluation(4, 2)).unwrap();
        loader
            .epoch(0)
            .unwrap()
            .map(|b| b.unwrap())
            .map(|b| (b.as_slice().to_vec(), b.labels().to_vec()))
            .collect()
    };
    assert_eq!(cache.sample_name(20), "s20");
    let cache = Arc::new(cache);
    assert_eq!(batches(cache), batches(dataset.clone()));
    let loads = dataset.loads.load(Ordering::Relaxed);
    let (_, state) = open(&dataset, &key(3), folder.path());
    assert_eq!(state, CacheState::Found);
    assert_eq!(dataset.loads.load(Ordering::Relaxed), loads, "nothing is decoded again");
}

#[test]
fn another_setting_version_or_source_is_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = Counting::new(5, 2u8);
    let keys = [
        key(3),
        key(4),
        CacheKey { version: 2, ..key(3) },
        CacheKey { source: "toy.zip 124".into(), ..key(3) },
        CacheKey { split: "official/test".into(), ..key(3) },
    ];
    for key in &keys {
        assert_eq!(open(&dataset, key, folder.path()).1, CacheState::Built);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), keys.len());
    let error = SampleCache::<u8>::open(&key(3).path(folder.path()), &key(4)).unwrap_err();
    assert!(error.to_string().contains("another setting"), "{error}");
    let error = SampleCache::<f32>::open(&key(3).path(folder.path()), &key(3)).unwrap_err();
    assert!(error.to_string().contains("elements are u8, not f32"), "{error}");
    let more = Counting::new(6, 2u8);
    assert!(matches!(open(&more, &key(3), folder.path()).1, CacheState::Rebuilt(_)));
}

#[test]
fn a_cut_or_corrupt_cache_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = Counting::new(5, 1u8);
    open(&dataset, &key(3), folder.path());
    let path = key(3).path(folder.path());
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let error = SampleCache::<u8>::open(&path, &key(3)).expect_err("a cut file");
        assert!(matches!(error, DataError::Cache { .. }), "{cut}: {error}");
    }
    let (cache, state) = open(&dataset, &key(3), folder.path());
    assert!(matches!(state, CacheState::Rebuilt(reason) if reason.contains("cut")));
    cache.verify().unwrap();
    let mut damaged = std::fs::read(&path).unwrap();
    let data = whole.windows(6).position(|w| w == [18, 19, 20, 21, 22, 23]).unwrap();
    damaged[data] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &damaged).unwrap();
    let error = SampleCache::<u8>::open(&path, &key(3)).unwrap().verify().unwrap_err().to_string();
    assert!(error.contains("sample 1 (`s1`) is corrupt"), "{error}");
}

#[test]
fn a_cache_that_is_cut_while_it_is_in_use_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, _) = open(&Counting::new(5, 1u8), &key(3), folder.path());
    let path = cache.path().to_path_buf();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
    let error = cache.sample(4).unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()) && error.contains("and has 100 now"), "{error}");
    let loader = Loader::new(Arc::new(cache), LoaderConfig::evaluation(2, 1)).unwrap();
    let error = loader.epoch(0).unwrap().find_map(Result::err).expect("an error");
    assert!(error.to_string().contains("and has 100 now"), "{error}");
}

#[test]
fn a_cache_that_cannot_be_finished_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = Counting::new(1001, 1u8);
    let error = SampleCache::open_or_build(&dataset, &key(3), folder.path(), 2, &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("sample 1000 (`s1000`): unreadable"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
