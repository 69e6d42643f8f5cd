//! The loader's guarantees: every sample once, the same batches for any number of workers, clean shutdown.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use rand::RngExt;
use tks_data::{
    Batch, BoxError, DataError, Dataset, LastBatch, Loader, LoaderConfig, SampleContext, SampleRng,
    SampleShape, SampleSlot, Sampler, Shard, Subset,
};

/// Samples with 3 time steps of 2 elements: the index, and a number drawn from the sample's generator.
struct Drawn {
    samples: usize,
    classes: usize,
    fails_at: Option<usize>,
    panics_at: Option<usize>,
    loaded: AtomicUsize,
}

impl Drawn {
    fn new(samples: usize) -> Self {
        Drawn { samples, classes: 3, fails_at: None, panics_at: None, loaded: AtomicUsize::new(0) }
    }
}

impl Dataset for Drawn {
    type Element = f32;

    fn len(&self) -> usize {
        self.samples
    }

    fn shape(&self) -> SampleShape {
        SampleShape { time_steps: Some(3), frame: vec![2] }
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn label(&self, index: usize) -> usize {
        // Classes of very different sizes.
        if index.is_multiple_of(7) { 2 } else { index % 2 }
    }

    fn sample_name(&self, index: usize) -> String {
        format!("drawn/{index:03}")
    }

    fn sample_size(&self, index: usize) -> Option<u64> {
        Some(10 + index as u64)
    }

    fn load(
        &self,
        index: usize,
        context: &mut SampleContext,
        mut slot: SampleSlot<'_, f32>,
    ) -> Result<(), BoxError> {
        self.loaded.fetch_add(1, Ordering::Relaxed);
        if self.fails_at == Some(index) {
            return Err("the file is cut".into());
        }
        assert_ne!(self.panics_at, Some(index), "a defect");
        for t in 0..3 {
            let drawn = context.rng.random::<f32>();
            slot.step(t).copy_from_slice(&[index as f32, drawn]);
        }
        Ok(())
    }
}

type Content = (Vec<usize>, Vec<i64>, Vec<f32>, usize, usize);

fn content(batch: &Batch<f32>) -> Content {
    (
        batch.samples().to_vec(),
        batch.labels().to_vec(),
        batch.as_slice().to_vec(),
        batch.index(),
        batch.valid(),
    )
}

fn epoch(samples: usize, config: &LoaderConfig, epoch: u64) -> Vec<Content> {
    let loader = Loader::new(Arc::new(Drawn::new(samples)), config.clone()).unwrap();
    let batches: Vec<_> = loader.epoch(epoch).unwrap().map(|batch| content(&batch.unwrap())).collect();
    assert_eq!(batches.len(), loader.batches());
    batches
}

#[test]
fn a_batch_is_time_first_and_each_sample_in_its_place() {
    let config = LoaderConfig { batch_size: 4, ..LoaderConfig::evaluation(4, 2) };
    let loader = Loader::new(Arc::new(Drawn::new(10)), config).unwrap();
    let mut seen = 0;
    for batch in loader.epoch(0).unwrap() {
        let batch = batch.unwrap();
        assert_eq!(batch.inputs().shape(), [3, batch.len(), 2]);
        assert!(batch.inputs().is_standard_layout());
        for (b, &sample) in batch.samples().iter().enumerate() {
            assert_eq!(sample, seen);
            assert_eq!(batch.labels()[b], Drawn::new(10).label(sample) as i64);
            for t in 0..3 {
                assert_eq!(batch.inputs()[[t, b, 0]], sample as f32);
            }
            assert_ne!(batch.inputs()[[0, b, 1]], batch.inputs()[[1, b, 1]]);
            seen += 1;
        }
    }
    assert_eq!(seen, 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn content_does_not_depend_on_the_number_of_workers(
        samples in 1usize..60, batch_size in 1usize..9, prefetch in 1usize..4, seed: u64, number in 0u64..3,
        last in prop::sample::select(vec![LastBatch::Keep, LastBatch::Pad]),
        balanced: bool,
    ) {
        let sampler = if balanced { Sampler::ClassBalanced { per_epoch: None } } else { Sampler::Shuffled };
        let config = |workers| LoaderConfig {
            batch_size, workers, prefetch, seed, last_batch: last, sampler: sampler.clone(), ..Default::default()
        };
        let alone = epoch(samples, &config(0), number);
        for workers in 1..5 {
            prop_assert_eq!(&epoch(samples, &config(workers), number), &alone);
        }
    }

    #[test]
    fn every_sample_comes_exactly_once(samples in 1usize..90, batch_size in 1usize..9, seed: u64, shuffled: bool) {
        let sampler = if shuffled { Sampler::Shuffled } else { Sampler::Sequential };
        for last_batch in [LastBatch::Keep, LastBatch::Pad] {
            let config = LoaderConfig { batch_size, seed, last_batch, sampler: sampler.clone(), ..Default::default() };
            let mut seen: Vec<usize> = Vec::new();
            for (indices, _, _, _, valid) in epoch(samples, &config, 0) {
                if last_batch == LastBatch::Pad {
                    prop_assert_eq!(indices.len(), batch_size);
                }
                seen.extend(&indices[..valid]);
            }
            if !shuffled {
                prop_assert!(seen.is_sorted());
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..samples).collect::<Vec<_>>());
        }
    }

    #[test]
    fn shards_partition_the_set_in_batches_of_equal_number_and_size(
        samples in 1usize..90, batch_size in 1usize..5, world_size in 1usize..5, seed: u64,
    ) {
        let shards = |last_batch| -> Vec<Vec<Content>> {
            (0..world_size).map(|rank| {
                let shard = Shard { rank, world_size };
                epoch(samples, &LoaderConfig { batch_size, seed, last_batch, shard, ..Default::default() }, 1)
            }).collect()
        };
        for last_batch in [LastBatch::Keep, LastBatch::Pad] {
            let ranks = shards(last_batch);
            let mut seen: Vec<usize> =
                ranks.iter().flatten().flat_map(|batch| batch.0[..batch.4].to_vec()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..samples).collect::<Vec<_>>());
            for rank in &ranks[1..] {
                let sizes = |rank: &Vec<Content>| rank.iter().map(|batch| batch.0.len()).collect::<Vec<_>>();
                prop_assert_eq!(sizes(rank), sizes(&ranks[0]));
            }
        }
        if samples >= world_size * batch_size {
            // Batch k of all ranks together equals batch k of a single rank with a correspondingly larger
            // batch.
            let ranks = shards(LastBatch::Drop);
            let whole = epoch(samples, &LoaderConfig {
                batch_size: batch_size * world_size, seed, ..Default::default()
            }, 1);
            for (k, batch) in whole.iter().enumerate() {
                let together: HashSet<usize> = ranks.iter().flat_map(|rank| rank[k].0.clone()).collect();
                prop_assert_eq!(together, batch.0.iter().copied().collect::<HashSet<_>>());
            }
        }
    }

    #[test]
    fn an_epoch_goes_on_where_it_was_left(samples in 4usize..60, first in 0usize..20, seed: u64) {
        let config = LoaderConfig { batch_size: 4, seed, last_batch: LastBatch::Keep, ..Default::default() };
        let loader = Loader::new(Arc::new(Drawn::new(samples)), config.clone()).unwrap();
        let rest: Vec<_> = loader.epoch_from(2, first).unwrap().map(|b| content(&b.unwrap())).collect();
        let whole = epoch(samples, &config, 2);
        prop_assert_eq!(&rest[..], &whole[first.min(whole.len())..]);
    }

    #[test]
    fn classes_are_balanced_to_one(samples in 8usize..80, seed: u64) {
        let config = LoaderConfig {
            batch_size: 5, seed, last_batch: LastBatch::Keep,
            sampler: Sampler::ClassBalanced { per_epoch: Some(100) }, ..Default::default()
        };
        let mut counts = [0usize; 3];
        for batch in epoch(samples, &config, 0) {
            batch.1.iter().for_each(|&label| counts[label as usize] += 1);
        }
        prop_assert_eq!(counts.iter().sum::<usize>(), 100);
        prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{:?}", counts);
    }
}

#[test]
fn epochs_and_seeds_differ() {
    let config = LoaderConfig { batch_size: 8, ..Default::default() };
    let first = epoch(64, &config, 0);
    assert_ne!(first, epoch(64, &config, 1));
    assert_ne!(first, epoch(64, &LoaderConfig { seed: 1, ..config.clone() }, 0));
    assert_eq!(first, epoch(64, &config, 0));
}

#[test]
fn a_sample_that_comes_again_in_an_epoch_is_drawn_anew() {
    let config = LoaderConfig {
        batch_size: 8,
        sampler: Sampler::Weighted { weights: vec![1.0], per_epoch: Some(8) },
        ..Default::default()
    };
    let batches = epoch(1, &config, 0);
    let drawn: HashSet<u32> = batches[0].2[..16].chunks(2).map(|pair| pair[1].to_bits()).collect();
    assert_eq!(drawn.len(), 8);
}

#[test]
fn weights_are_followed() {
    let weights: Vec<f64> = (0..4).map(|i| [0.0, 1.0, 2.0, 5.0][i]).collect();
    let config = LoaderConfig {
        batch_size: 100,
        sampler: Sampler::Weighted { weights, per_epoch: Some(8000) },
        ..Default::default()
    };
    let mut counts = [0; 4];
    for batch in epoch(4, &config, 0) {
        batch.0.iter().for_each(|&sample| counts[sample] += 1);
    }
    assert_eq!(counts[0], 0);
    // Three standard deviations of a count of 8,000 draws are below 140.
    for (count, expected) in counts.iter().zip([0i32, 1000, 2000, 5000]) {
        assert!((count - expected).abs() < 140, "{counts:?}");
    }
}

#[test]
fn a_failing_sample_is_named_and_ends_the_epoch() {
    for workers in [0, 1, 3] {
        let dataset = Drawn { fails_at: Some(9), ..Drawn::new(1000) };
        let loader = Loader::new(Arc::new(dataset), LoaderConfig::evaluation(4, workers)).unwrap();
        let mut epoch = loader.epoch(0).unwrap();
        assert!(epoch.next().unwrap().is_ok());
        assert!(epoch.next().unwrap().is_ok());
        let error = epoch.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "sample 9 (`drawn/009`): the file is cut");
        assert!(epoch.next().is_none());
        // The workers have ended: nothing else holds the loader's internals or loads the rest.
        drop(epoch);
        assert!(loader.dataset().loaded.load(Ordering::Relaxed) < 60);
    }
}

#[test]
fn a_panic_becomes_an_error() {
    for workers in [0, 2] {
        let dataset = Drawn { panics_at: Some(5), ..Drawn::new(100) };
        let loader = Loader::new(Arc::new(dataset), LoaderConfig::evaluation(4, workers)).unwrap();
        let results: Vec<_> = loader.epoch(0).unwrap().collect();
        assert_eq!(results.len(), 2);
        let error = results[1].as_ref().unwrap_err();
        assert!(
            matches!(error, DataError::Panic { place, message } if place == "sample 5" && message.contains("a defect")),
            "{error}"
        );
    }
}

#[test]
fn dropping_an_epoch_early_ends_its_threads() {
    let dataset = Arc::new(Drawn::new(100_000));
    let loader =
        Loader::new(Arc::clone(&dataset), LoaderConfig { batch_size: 10, workers: 3, ..Default::default() })
            .unwrap();
    let mut epoch = loader.epoch(0).unwrap();
    epoch.next().unwrap().unwrap();
    drop(epoch);
    drop(loader);
    assert_eq!(Arc::strong_count(&dataset), 1, "a thread still holds the data set");
    // One taken, 3 workers with 2 ahead each, and those that claimed a batch as the window moved.
    assert!(dataset.loaded.load(Ordering::Relaxed) <= 10 * (1 + 6 + 1));
}

#[test]
fn prefetch_is_bounded() {
    let dataset = Arc::new(Drawn::new(100_000));
    let config = LoaderConfig { batch_size: 10, workers: 2, prefetch: 3, ..Default::default() };
    let loader = Loader::new(Arc::clone(&dataset), config).unwrap();
    let mut epoch = loader.epoch(0).unwrap();
    epoch.next().unwrap().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(dataset.loaded.load(Ordering::Relaxed), 10 * (1 + 6));
}

#[test]
fn batches_are_made_in_the_memory_of_earlier_ones() {
    let loader =
        Loader::new(Arc::new(Drawn::new(4000)), LoaderConfig { batch_size: 4, ..Default::default() })
            .unwrap();
    let mut places = HashSet::new();
    for number in 0..3 {
        for batch in loader.epoch(number).unwrap() {
            places.insert(batch.unwrap().as_slice().as_ptr() as usize);
        }
    }
    // 2 workers with 2 ahead each, one in use, one about to be.
    assert!(places.len() <= 6, "{} buffers", places.len());
}

/// MixUp of each sample with its neighbour, with a number drawn for the batch.
fn mix(batch: &mut Batch<f32>, rng: &mut SampleRng) -> Result<(), BoxError> {
    let lambda = rng.random::<f32>();
    let (inputs, soft) = batch.inputs_and_soft_labels();
    let (old, old_soft) = (inputs.clone(), soft.clone());
    let count = soft.nrows();
    for b in 0..count {
        let other = (b + 1) % count;
        for t in 0..3 {
            inputs[[t, b, 0]] = lambda * old[[t, b, 0]] + (1.0 - lambda) * old[[t, other, 0]];
        }
        for class in 0..soft.ncols() {
            soft[[b, class]] = lambda * old_soft[[b, class]] + (1.0 - lambda) * old_soft[[other, class]];
        }
    }
    Ok(())
}

#[test]
fn a_hook_mixes_batches_the_same_for_any_number_of_workers() {
    let run = |workers| -> Vec<(Vec<f32>, Vec<f32>)> {
        let config = LoaderConfig { batch_size: 6, workers, ..Default::default() };
        let loader = Loader::with_hook(Arc::new(Drawn::new(60)), config, mix).unwrap();
        loader
            .epoch(0)
            .unwrap()
            .map(|batch| {
                let batch = batch.unwrap();
                let soft = batch.soft_labels().unwrap();
                assert_eq!(soft.dim(), (6, 3));
                assert!(soft.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-6));
                (batch.as_slice().to_vec(), soft.iter().copied().collect())
            })
            .collect()
    };
    let alone = run(0);
    assert_eq!(run(1), alone);
    assert_eq!(run(4), alone);
    assert_ne!(alone[0].1, alone[1].1);
}

#[test]
fn a_hooks_generator_is_no_samples_generator() {
    let drawn = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::clone(&drawn);
    let draw = move |_: &mut Batch<f32>, rng: &mut SampleRng| -> Result<(), BoxError> {
        seen.lock().unwrap().insert(rng.random::<u64>());
        Ok(())
    };
    let config = LoaderConfig { batch_size: 6, seed: 5, ..Default::default() };
    let loader = Loader::with_hook(Arc::new(Drawn::new(60)), config, draw).unwrap();
    assert!(loader.epoch(2).unwrap().all(|batch| batch.is_ok()));
    let of_batches = drawn.lock().unwrap();
    assert_eq!(of_batches.len(), 10, "one generator for each batch");
    for index in 0..60 {
        assert!(!of_batches.contains(&SampleContext::new(5, 2, index).rng.random::<u64>()), "sample {index}");
    }
}

#[test]
fn an_epoch_tells_how_many_batches_are_left() {
    for workers in [0, 2] {
        let dataset = Drawn { fails_at: Some(35), ..Drawn::new(50) };
        let config = LoaderConfig { workers, ..LoaderConfig::evaluation(10, workers) };
        let mut epoch = Loader::new(Arc::new(dataset), config).unwrap().epoch(0).unwrap();
        for left in [5, 4, 3] {
            assert_eq!(epoch.size_hint(), (0, Some(left)));
            epoch.next().unwrap().unwrap();
        }
        assert!(epoch.next().unwrap().is_err());
        assert_eq!(epoch.size_hint(), (0, Some(0)));
    }
}

#[test]
fn a_part_of_a_data_set_gives_what_the_whole_gives() {
    let whole = Arc::new(Drawn::new(20));
    let part = Subset::new(Arc::clone(&whole), vec![4, 14, 7]).unwrap();
    assert_eq!((part.len(), part.classes(), part.shape()), (3, 3, whole.shape()));
    assert!(!part.is_empty() && Subset::new(Arc::clone(&whole), Vec::new()).unwrap().is_empty());
    for (index, of_whole) in [4, 14, 7].into_iter().enumerate() {
        assert_eq!(part.label(index), whole.label(of_whole));
        assert_eq!(part.sample_name(index), whole.sample_name(of_whole));
        assert_eq!(part.sample_size(index), Some(10 + of_whole as u64));
        let mut sample = [0.0; 6];
        part.load(index, &mut SampleContext::new(0, 0, index), SampleSlot::alone(&mut sample, &part.shape()))
            .unwrap();
        assert_eq!(sample[0], of_whole as f32);
    }
    let error = Subset::new(whole, vec![19, 20]).err().expect("an index beyond the end").to_string();
    assert!(error.contains("20 is not below the data set's 20 samples"), "{error}");
}

#[test]
fn a_whole_sample_is_copied_into_its_places_in_the_batch() {
    let shape = SampleShape::frames(3, 1, 1, 2);
    let mut batch = [0u8; 12];
    SampleSlot::in_batch(&mut batch, &shape, 2, 1).copy_from(&[1, 2, 3, 4, 5, 6]);
    assert_eq!(batch, [0, 0, 1, 2, 0, 0, 3, 4, 0, 0, 5, 6]);
}

#[test]
fn a_sample_of_weight_0_is_never_drawn() {
    // half of the smallest number rounds up to the number itself: draws reach the very end of the weights
    for weights in [vec![0.0, 1.0, 0.0, 2.0, 0.0], vec![0.0, f64::from_bits(1), 0.0]] {
        let sampler = Sampler::Weighted { weights: weights.clone(), per_epoch: Some(300) };
        let drawn: HashSet<u32> = sampler.order(weights.len(), &[], 1, 0).into_iter().collect();
        let wanted: HashSet<u32> =
            (0..5).filter(|&i| weights.get(i as usize).is_some_and(|&w| w > 0.0)).collect();
        assert_eq!(drawn, wanted);
    }
}

#[test]
fn a_hook_that_fails_or_panics_is_an_error() {
    let refuse = |_: &mut Batch<f32>, _: &mut SampleRng| -> Result<(), BoxError> { Err("no".into()) };
    let loader = Loader::with_hook(Arc::new(Drawn::new(60)), LoaderConfig::default(), refuse).unwrap();
    let error = loader.epoch(4).unwrap().next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "batch 0 of epoch 4, in the batch's hook: no");
    let transpose = |batch: &mut Batch<f32>, _: &mut SampleRng| -> Result<(), BoxError> {
        batch.inputs_mut().swap_axes(0, 1);
        Ok(())
    };
    let loader = Loader::with_hook(Arc::new(Drawn::new(60)), LoaderConfig::default(), transpose).unwrap();
    let error = loader.epoch(0).unwrap().next().unwrap().unwrap_err().to_string();
    assert!(error.contains("another shape, or not contiguous"), "{error}");
    let panics = |_: &mut Batch<f32>, _: &mut SampleRng| -> Result<(), BoxError> { panic!("broken") };
    let loader = Loader::with_hook(Arc::new(Drawn::new(60)), LoaderConfig::default(), panics).unwrap();
    let error = loader.epoch(4).unwrap().next().unwrap().unwrap_err().to_string();
    assert!(error.contains("batch 0 of epoch 4, in its hook") && error.contains("broken"), "{error}");
}

#[test]
fn wrong_settings_are_refused() {
    let refused = |config: LoaderConfig| {
        Loader::new(Arc::new(Drawn::new(10)), config).expect_err("should be refused").to_string()
    };
    let base = LoaderConfig { batch_size: 2, ..Default::default() };
    assert!(refused(LoaderConfig { batch_size: 0, ..base.clone() }).starts_with("`batch_size`"));
    assert!(refused(LoaderConfig { batch_size: 11, ..base.clone() }).contains("`last_batch = \"keep\"`"));
    assert!(refused(LoaderConfig { prefetch: 0, ..base.clone() }).starts_with("`prefetch`"));
    let shard = Shard { rank: 2, world_size: 2 };
    assert!(refused(LoaderConfig { shard, ..base.clone() }).contains("rank 2"));
    let sampler = Sampler::Weighted { weights: vec![1.0; 9], per_epoch: None };
    assert!(refused(LoaderConfig { sampler, ..base.clone() }).contains("9 weights for 10 samples"));
    let sampler = Sampler::Weighted { weights: vec![f64::NAN; 10], per_epoch: None };
    assert!(refused(LoaderConfig { sampler, ..base.clone() }).contains("sample 0 is NaN"));
    let dataset = Drawn { classes: 2, ..Drawn::new(10) };
    let error = Loader::new(Arc::new(dataset), base).expect_err("a label out of range");
    assert!(error.to_string().contains("label 2, but there are 2 classes: 0 to 1"), "{error}");
    let none = Loader::new(Arc::new(Drawn::new(0)), LoaderConfig::default()).expect_err("no samples");
    assert!(none.to_string().contains("no samples"), "{none}");
}

#[test]
fn settings_read_as_toml_with_the_nearest_name_for_a_typo() {
    let origin = std::path::Path::new("loader.toml");
    let text = "batch_size = 8\nsampler = \"class_balanced\"\n";
    let longer = "batch_size = 8\nsampler = { class_balanced = {} }\nlast_batch = \"keep\"\n";
    for text in [text, longer] {
        let config: LoaderConfig = tks_data::toml_file::parse(text, origin).unwrap();
        assert_eq!(config.sampler, Sampler::ClassBalanced { per_epoch: None });
    }
    let error = tks_data::toml_file::parse::<LoaderConfig>("worker = 1", origin).unwrap_err().to_string();
    assert!(error.contains("did you mean `workers`?"), "{error}");
}
