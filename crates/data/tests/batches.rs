//! The properties of a batch, the positions of its samples, and the bounds of the loader's settings.

use std::sync::{Arc, Mutex};

use rand::Rng;
use tks_data::rng::{below, shuffle, unit};
use tks_data::{
    Batch, BoxError, DataError, Dataset, Element, LastBatch, Loader, LoaderConfig, SampleContext, SampleRng,
    SampleShape, SampleSlot, Sampler, Shard, sample_rng,
};

/// Samples of two steps and three elements, all equal to the sample's index; classes alternate.
#[derive(Debug)]
struct Numbers {
    samples: usize,
    panic: Option<fn()>,
}

impl Dataset for Numbers {
    type Element = f32;

    fn len(&self) -> usize {
        self.samples
    }

    fn shape(&self) -> SampleShape {
        SampleShape::frames(2, 1, 1, 3)
    }

    fn classes(&self) -> usize {
        4
    }

    fn label(&self, index: usize) -> usize {
        index % 4
    }

    fn load(
        &self,
        index: usize,
        _: &mut SampleContext,
        mut slot: SampleSlot<'_, f32>,
    ) -> Result<(), BoxError> {
        if let Some(panic) = self.panic {
            panic();
        }
        slot.fill(index as f32);
        Ok(())
    }
}

fn loader(samples: usize, config: LoaderConfig) -> Result<Loader<Numbers>, DataError> {
    Loader::new(Arc::new(Numbers { samples, panic: None }), config)
}

#[test]
fn a_batch_tells_its_epoch_its_number_and_its_samples() {
    let config = LoaderConfig { last_batch: LastBatch::Pad, ..LoaderConfig::evaluation(4, 2) };
    let loader = loader(10, config).unwrap();
    let epoch = loader.epoch_from(7, 1).unwrap();
    assert_eq!((epoch.batches(), loader.batches()), (3, 3));
    let batches: Vec<Batch<f32>> = epoch.map(Result::unwrap).collect();
    let told: Vec<_> = batches
        .iter()
        .map(|batch| (batch.epoch(), batch.index(), batch.len(), batch.valid(), batch.is_empty()))
        .collect();
    assert_eq!(told, [(7, 1, 4, 4, false), (7, 2, 4, 2, false)]);
    assert_eq!(batches[1].samples(), [8, 9, 0, 1]);
    assert_eq!(batches[1].labels(), [0, 1, 0, 1]);
    let first = batches.into_iter().next().unwrap().into_inputs();
    assert_eq!(first.shape(), [2, 4, 1, 1, 3]);
    assert_eq!(first[[1, 3, 0, 0, 2]], 7.0);
}

#[test]
fn soft_labels_begin_as_one_hot_vectors_whatever_a_batch_before_left() {
    // The last batch of each epoch is smaller, and one thread reuses the same memory.
    let hook = |batch: &mut Batch<f32>, _: &mut SampleRng| -> Result<(), BoxError> {
        assert!(batch.soft_labels().is_none());
        let labels = batch.labels().to_vec();
        let (inputs, soft) = batch.inputs_and_soft_labels();
        assert_eq!((soft.dim(), inputs.shape()[1]), ((labels.len(), 4), labels.len()));
        for (row, &label) in soft.rows().into_iter().zip(&labels) {
            let one_hot: Vec<f32> = (0..4).map(|class| f32::from(u8::from(class == label))).collect();
            assert_eq!(row.to_vec(), one_hot);
        }
        soft.fill(0.25);
        // When requested again, they are as changed by the hook.
        assert_eq!(batch.inputs_and_soft_labels().1[[0, 0]], 0.25);
        Ok(())
    };
    let dataset = Arc::new(Numbers { samples: 10, panic: None });
    let loader = Loader::with_hook(Arc::clone(&dataset), LoaderConfig::evaluation(4, 0), hook).unwrap();
    for epoch in 0..3 {
        for batch in loader.epoch(epoch).unwrap() {
            assert!(batch.unwrap().soft_labels().unwrap().iter().all(|&share| share == 0.25));
        }
    }
    let plain = Loader::new(dataset, LoaderConfig::evaluation(4, 0)).unwrap();
    assert!(plain.epoch(0).unwrap().all(|batch| batch.unwrap().soft_labels().is_none()));
}

#[test]
fn every_batch_of_every_process_has_a_generator_of_its_own() {
    let drawn = Arc::new(Mutex::new(Vec::new()));
    for rank in 0..3 {
        let seen = Arc::clone(&drawn);
        let hook = move |_: &mut Batch<f32>, rng: &mut SampleRng| -> Result<(), BoxError> {
            seen.lock().unwrap().push(rng.next_u64());
            Ok(())
        };
        let shard = Shard { rank, world_size: 3 };
        let config = LoaderConfig { batch_size: 2, workers: 0, seed: 5, shard, ..Default::default() };
        let dataset = Arc::new(Numbers { samples: 30, panic: None });
        let loader = Loader::with_hook(dataset, config, hook).unwrap();
        assert_eq!(loader.epoch(4).unwrap().map(Result::unwrap).count(), 5);
    }
    // In the order of a single process that takes all batches in turn.
    let expected: Vec<u64> = (0..3u64)
        .flat_map(|rank| (0..5u64).map(move |k| (1 << 63) | (3 * k + rank)))
        .map(|number| sample_rng(5, 4, number).next_u64())
        .collect();
    assert_eq!(*drawn.lock().unwrap(), expected);
}

#[test]
fn a_slot_is_the_samples_own_part_of_the_batch() {
    let shape = SampleShape::frames(3, 1, 1, 2);
    assert_eq!((shape.len(), shape.steps(), shape.frame_len(), shape.is_empty()), (6, 3, 2, false));
    assert!(SampleShape::frames(3, 0, 1, 2).is_empty());
    let image = SampleShape::image(3, 4, 5);
    assert_eq!((image.time_steps, image.len(), image.batch(2)), (None, 60, vec![2, 3, 4, 5]));
    assert_eq!(shape.batch(2), [3, 2, 1, 1, 2]);
    for position in 0..3 {
        let mut batch: Vec<u8> = (0..18).collect();
        let mut slot = SampleSlot::in_batch(&mut batch, &shape, 3, position);
        assert_eq!((slot.time_steps(), slot.frame_len()), (3, 2));
        let said = format!("{slot:?}");
        assert!(
            said.contains("stride: 6") && said.contains("frame_len: 2") && said.contains("steps: 3"),
            "{said}"
        );
        for t in 0..3 {
            let first = (t * 6 + position * 2) as u8;
            assert_eq!(slot.step(t), [first, first + 1]);
        }
        let (elements, stride) = slot.strided();
        assert_eq!((elements.len(), stride), (14, 6));
        assert_eq!(elements[stride], 6 + 2 * position as u8);
        slot.reborrow().fill(77);
        let own: Vec<usize> = (0..18).filter(|&i| batch[i] == 77).collect();
        let expected: Vec<usize> =
            (0..3).flat_map(|t| [t * 6 + position * 2, t * 6 + position * 2 + 1]).collect();
        assert_eq!(own, expected);
    }
    let none = SampleShape::frames(0, 1, 1, 2);
    let mut slot = SampleSlot::<u8>::in_batch(&mut [], &none, 3, 2);
    assert_eq!((slot.time_steps(), slot.strided().0.len()), (0, 0));
    slot.fill(1);
    assert_eq!([<f32 as Element>::NAME, <u8 as Element>::NAME], ["f32", "u8"]);
}

#[test]
fn a_place_that_is_not_there_is_the_callers_mistake() {
    let shape = SampleShape::frames(3, 1, 1, 2);
    let panics = |work: &(dyn Fn() + std::panic::RefUnwindSafe)| std::panic::catch_unwind(work).is_err();
    let slot = |length: usize, batch, position| {
        let shape = shape.clone();
        move || {
            SampleSlot::in_batch(&mut vec![0u8; length], &shape, batch, position);
        }
    };
    assert!(!panics(&slot(18, 3, 2)));
    assert!(panics(&slot(18, 3, 3)), "no such position");
    assert!(panics(&slot(17, 3, 2)) && panics(&slot(19, 3, 2)), "not of the batch's size");
    let one = |work: fn(&mut SampleSlot<'_, u8>)| {
        let shape = shape.clone();
        move || work(&mut SampleSlot::alone(&mut [0; 6], &shape))
    };
    assert!(!panics(&one(|slot| slot.copy_from(&[1; 6]))) && panics(&one(|slot| slot.copy_from(&[1; 7]))));
    assert!(!panics(&one(|slot| slot.step(2).fill(1))) && panics(&one(|slot| slot.step(3).fill(1))));
}

#[test]
fn a_data_set_behind_a_pointer_is_the_same() {
    let dataset = Numbers { samples: 5, panic: None };
    assert_eq!(
        (dataset.sample_name(3), dataset.sample_size(3), dataset.is_empty()),
        ("3".to_string(), None, false)
    );
    assert!(Numbers { samples: 0, panic: None }.is_empty());
    let shared = Arc::new(dataset);
    assert_eq!(Dataset::len(&shared), 5);
    assert_eq!((Dataset::classes(&shared), Dataset::label(&shared, 3)), (4, 3));
    assert_eq!(Dataset::shape(&shared), SampleShape::frames(2, 1, 1, 3));
    assert_eq!((Dataset::sample_name(&shared, 3), Dataset::sample_size(&shared, 3)), ("3".to_string(), None));
    let (mut sample, mut context) = ([0.0; 6], SampleContext::new(0, 0, 3));
    Dataset::load(&shared, 3, &mut context, SampleSlot::alone(&mut sample, &shared.shape())).unwrap();
    assert_eq!(sample, [3.0; 6]);
}

#[test]
fn a_worker_keeps_one_room_for_each_type() {
    let mut context = SampleContext::new(3, 9, 1);
    context.scratch::<Vec<u8>>().push(1);
    context.scratch::<String>().push('a');
    context.scratch::<Vec<u8>>().push(2);
    assert_eq!(context.scratch::<Vec<u8>>(), &[1, 2]);
    let (rng, text) = context.rng_and_scratch::<String>();
    assert_eq!((rng.next_u64(), text.as_str()), (sample_rng(3, 9, 1).next_u64(), "a"));
    let said = format!("{context:?}");
    assert!(said.starts_with("SampleContext") && said.contains("epoch: 9"), "{said}");
}

#[test]
fn a_seed_means_the_same_numbers_for_ever() {
    // Computed independently of this code, from the definitions of SplitMix64 and xoshiro256++.
    for (seed, epoch, index, expected) in [
        (0, 0, 0, [0xbabb_761a_c830_fe4a, 0x2b1a_bb54_7c60_bbab]),
        (7, 0, 3, [0x33bb_deb0_637d_c8e1, 0x6cdb_4669_164b_c588]),
        (7, 3, 0, [0x8556_27e0_1cd9_a564, 0x10bf_7dbb_aa24_e4d5]),
        (1, 2, 1 << 63, [0xf11e_9bcf_8ba6_6a05, 0xf0f0_5eb0_5771_d2db_u64]),
    ] {
        let mut rng = sample_rng(seed, epoch, index);
        assert_eq!([rng.next_u64(), rng.next_u64()], expected, "{seed} {epoch} {index}");
    }
    let mut rng = sample_rng(7, 0, 3);
    assert_eq!([(); 8].map(|()| below(10, &mut rng)), [2, 4, 2, 4, 1, 3, 5, 4]);
    let mut rng = sample_rng(7, 0, 3);
    let drawn = [(); 3].map(|()| unit(&mut rng));
    assert_eq!(drawn, [0.20208541685450776, 0.42522087159731736, 0.24028737478433237]);
    let mut items = [0, 1, 2, 3, 4, 5, 6, 7];
    shuffle(&mut items, &mut sample_rng(7, 0, 3));
    assert_eq!(items, [4, 5, 3, 0, 6, 7, 2, 1]);
    assert_eq!(Sampler::Shuffled.order(8, &[], 3, 1), [5, 1, 2, 6, 3, 4, 0, 7]);
    assert_eq!(Sampler::Sequential.order(4, &[], 3, 1), [0, 1, 2, 3]);
}

#[test]
fn every_class_comes_once_a_round_and_its_samples_in_turn() {
    // Class 2 has no samples; class 1 has one, which occurs in every round.
    let labels = [0, 0, 1, 0, 3, 3];
    let sampler = Sampler::ClassBalanced { per_epoch: Some(20) };
    let order = sampler.order(6, &labels, 5, 0);
    assert_eq!((order.len(), sampler.epoch_len(6)), (20, 20));
    for round in order.chunks(3) {
        let mut classes: Vec<u32> = round.iter().map(|&index| labels[index as usize]).collect();
        classes.sort_unstable();
        classes.dedup();
        assert_eq!(classes.len(), round.len(), "{round:?}");
    }
    for class in [0, 3] {
        let of_class: Vec<u32> = order.iter().copied().filter(|&i| labels[i as usize] == class).collect();
        for turn in of_class.chunks_exact(labels.iter().filter(|&&label| label == class).count()) {
            let mut turn = turn.to_vec();
            turn.sort_unstable();
            turn.dedup();
            assert_eq!(turn.len(), labels.iter().filter(|&&label| label == class).count(), "each once");
        }
    }
    assert_eq!(Sampler::ClassBalanced { per_epoch: None }.order(6, &labels, 5, 0).len(), 6);
    assert_eq!(Sampler::Weighted { weights: vec![1.0; 6], per_epoch: None }.epoch_len(6), 6);
}

#[test]
fn settings_are_taken_up_to_their_bounds_and_not_beyond() {
    let base = LoaderConfig { batch_size: 2, ..Default::default() };
    let check = |config: &LoaderConfig, samples| config.check(samples).map_err(|error| error.to_string());
    let shard = |rank, world_size| Shard { rank, world_size };
    let weighted = |weights: Vec<f64>| Sampler::Weighted { weights, per_epoch: None };
    let drop = "leaves out what does not fill a batch: make it smaller, or set `last_batch = \"keep\"`";
    let cases: [(LoaderConfig, usize, String); 16] = [
        (LoaderConfig { workers: 1024, ..base.clone() }, 10, String::new()),
        (
            LoaderConfig { workers: 1025, ..base.clone() },
            10,
            "`workers`: 1025 threads are more than 1024".into(),
        ),
        (base.clone(), u32::MAX as usize, String::new()),
        (
            base.clone(),
            u32::MAX as usize + 1,
            "`dataset`: it has 4294967296 samples, more than 2^32 - 1".into(),
        ),
        (LoaderConfig { shard: shard(1, 2), ..base.clone() }, 10, String::new()),
        (
            LoaderConfig { shard: shard(0, 0), ..base.clone() },
            10,
            "`shard`: rank 0 should be below the world size 0".into(),
        ),
        (LoaderConfig { batch_size: 10, ..base.clone() }, 10, String::new()),
        (
            LoaderConfig { batch_size: 11, ..base.clone() },
            10,
            format!(
                "`batch_size`: 11 is more than the 10 samples of an epoch, and `last_batch = \"drop\"` {drop}"
            ),
        ),
        (
            LoaderConfig { batch_size: 6, shard: shard(0, 2), ..base.clone() },
            11,
            format!(
                "`batch_size`: 6 is more than the 11 samples of an epoch, shared by 2 processes, and `last_batch = \"drop\"` {drop}"
            ),
        ),
        (LoaderConfig { batch_size: 11, last_batch: LastBatch::Pad, ..base.clone() }, 10, String::new()),
        (
            LoaderConfig { sampler: Sampler::ClassBalanced { per_epoch: Some(0) }, ..base.clone() },
            10,
            "`sampler`: an epoch should have at least one sample".into(),
        ),
        (LoaderConfig { sampler: weighted(vec![0.0, 2.0]), ..base.clone() }, 2, String::new()),
        (
            LoaderConfig { sampler: weighted(vec![0.0, 0.0]), ..base.clone() },
            2,
            "`sampler`: the weights should have a sum above 0 and below infinity".into(),
        ),
        (
            LoaderConfig { sampler: weighted(vec![f64::MAX, f64::MAX]), ..base.clone() },
            2,
            "`sampler`: the weights should have a sum above 0 and below infinity".into(),
        ),
        (
            LoaderConfig { sampler: weighted(vec![1.0, -1.0]), ..base.clone() },
            2,
            "`sampler`: the weight of sample 1 is -1; it should be at least 0".into(),
        ),
        (
            LoaderConfig { sampler: weighted(vec![1.0, f64::INFINITY]), ..base.clone() },
            2,
            "`sampler`: the weight of sample 1 is inf; it should be at least 0".into(),
        ),
    ];
    for (config, samples, expected) in cases {
        assert_eq!(check(&config, samples).err().unwrap_or_default(), expected, "{config:?}");
    }
}

#[test]
fn the_number_of_batches_is_that_of_the_rarest_shard() {
    for (samples, batch_size, world_size) in [(10, 3, 1), (10, 3, 2), (12, 3, 2), (13, 3, 2), (100, 7, 3)] {
        for last_batch in [LastBatch::Keep, LastBatch::Drop, LastBatch::Pad] {
            let shard = Shard { rank: world_size - 1, world_size };
            let config = LoaderConfig { batch_size, shard, last_batch, workers: 0, ..Default::default() };
            let expected = match last_batch {
                LastBatch::Drop => samples / (batch_size * world_size),
                _ => samples.div_ceil(batch_size * world_size),
            };
            let loader = loader(samples, config).unwrap();
            assert_eq!(loader.batches(), expected, "{samples} {batch_size} {world_size} {last_batch:?}");
            assert_eq!(loader.epoch(0).unwrap().count(), expected);
            assert_eq!(loader.epoch_from(0, expected + 3).unwrap().count(), 0);
        }
    }
}

#[test]
fn a_loader_and_an_epoch_are_told_in_short() {
    let loader = loader(10, LoaderConfig::evaluation(4, 1)).unwrap();
    assert_eq!(loader.config(), &LoaderConfig::evaluation(4, 1));
    assert_eq!(loader.dataset().samples, 10);
    let said = format!("{loader:?}");
    assert!(said.starts_with("Loader") && said.contains("samples: 10, classes: 4"), "{said}");
    let said = format!("{:?}", loader.epoch(2).unwrap());
    assert_eq!(said, "Epoch { epoch: 2, batches: 3, failed: false, .. }");
}

#[test]
fn what_a_panic_says_is_told_whatever_it_is_made_of() {
    let cases: [(fn(), &str); 3] = [
        (|| panic!("plain"), "plain"),
        (|| panic!("number {}", std::hint::black_box(7)), "number 7"),
        (|| std::panic::panic_any(7), "no message"),
    ];
    for (panic, expected) in cases {
        let dataset = Numbers { samples: 10, panic: Some(panic) };
        let loader = Loader::new(Arc::new(dataset), LoaderConfig::evaluation(4, 0)).unwrap();
        let error = loader.epoch(0).unwrap().next().unwrap().unwrap_err().to_string();
        assert!(error.starts_with(&format!("a worker panicked at sample 0: {expected}; ")), "{error}");
    }
}

#[test]
fn the_share_of_a_mixture_lies_between_nothing_and_all() {
    let mut rng = sample_rng(1, 0, 0);
    let drawn: Vec<f64> = (0..1000).map(|_| tks_data::mixing::draw_lambda(0.5, &mut rng)).collect();
    assert!(drawn.iter().all(|share| (0.0..=1.0).contains(share)));
    let mean = drawn.iter().sum::<f64>() / 1000.0;
    assert!((mean - 0.5).abs() < 0.05 && drawn.iter().any(|&share| share < 0.1), "{mean}");
    assert_eq!(tks_data::mixing::draw_lambda(0.0, &mut rng), 0.5);
}
