//! Images as returned by the loader.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{fixture, jpeg_fixture, write};
use tks_data::rng::sample_rng;
use tks_data::{LastBatch, Loader, LoaderConfig, SampleSet, Sampler, Shard};
use tks_images::datasets::{OpenOptions, open_folder};
use tks_images::decode::Decoder;
use tks_images::recipe::{Level, Normalize, Recipe, Resize, Scratch};
use tks_images::resize::Filter;
use tks_images::{ImageSamples, ImageSet};

const NAMES: [&str; 6] = [
    "china.jpg",
    "flower.jpg",
    "china-420-progressive.jpg",
    "china-grey.jpg",
    "china-rgba.png",
    "china-411-baseline.jpg",
];

/// One of [`NAMES`]; JPEG files are those that the decoder is tested with.
fn file(name: &str) -> Vec<u8> {
    if name.ends_with(".jpg") {
        std::fs::read(jpeg_fixture(name)).unwrap()
    } else {
        fixture(&format!("images/{name}"))
    }
}

/// Twelve images in two classes.
fn images(root: &Path) -> Arc<ImageSet> {
    for (number, name) in NAMES.iter().chain(&NAMES).enumerate() {
        let extension = name.rsplit('.').next().unwrap();
        let path = format!("{}/{number:02}.{extension}", ["first", "second"][number / NAMES.len()]);
        write(root, &path, file(name));
    }
    Arc::new(open_folder(root, None, &OpenOptions::default()).unwrap())
}

fn recipe() -> Recipe {
    serde_json::from_str(
        r#"{
            "resize": { "height": 40, "width": 48 },
            "normalize": "imagenet",
            "augment": [
                { "random_resized_crop": { "height": 40, "width": 48 } },
                { "flip_horizontal": {} },
                { "color_jitter": { "brightness": 0.4, "hue": 0.1 } },
                { "rand_augment": { "policy": "rand-m9-mstd0.5-inc1" } },
                { "random_erasing": { "mode": "pixel" } }
            ]
        }"#,
    )
    .unwrap()
}

fn samples<E: Level>(set: &Arc<ImageSet>, recipe: Recipe, augment: bool) -> ImageSamples<E> {
    ImageSamples::new(Arc::clone(set), (0..set.len()).collect(), recipe, augment).unwrap()
}

fn on_images_only() -> Recipe {
    let mut recipe = recipe();
    recipe.augment.pop();
    recipe
}

/// Labels and values of each batch of two epochs.
fn batches(set: &Arc<ImageSet>, config: LoaderConfig) -> Vec<(Vec<i64>, Vec<f32>)> {
    let loader = Loader::new(Arc::new(samples::<f32>(set, recipe(), true)), config).unwrap();
    let batches = (0..2).flat_map(|epoch| loader.epoch(epoch).unwrap());
    batches
        .map(|batch| batch.unwrap())
        .map(|batch| (batch.labels().to_vec(), batch.as_slice().to_vec()))
        .collect()
}

#[test]
fn batches_are_the_same_for_any_number_of_workers() {
    let folder = tempfile::tempdir().unwrap();
    let set = images(folder.path());
    for sampler in [
        Sampler::Shuffled,
        Sampler::ClassBalanced { per_epoch: Some(9) },
        Sampler::Weighted { weights: (0..12).map(f64::from).collect(), per_epoch: None },
    ] {
        for last_batch in [LastBatch::Keep, LastBatch::Drop] {
            let shard = Shard { rank: 1, world_size: 2 };
            let config = |workers| LoaderConfig {
                batch_size: 2,
                workers,
                seed: 5,
                shard,
                last_batch,
                sampler: sampler.clone(),
                ..LoaderConfig::default()
            };
            let alone = batches(&set, config(0));
            assert!(alone.len() >= 4, "{sampler:?}: {}", alone.len());
            for workers in [1, 3] {
                assert!(batches(&set, config(workers)) == alone, "{sampler:?}, {workers} workers");
            }
            let other = batches(&set, LoaderConfig { seed: 6, ..config(0) });
            assert!(other != alone, "another seed, other batches");
        }
    }
}

/// If a JPEG is cropped first, the result equals that of decoding the whole image.
#[test]
fn a_decoded_part_is_that_part_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let set = images(folder.path());
    let recipe = on_images_only();
    let loaded = samples::<f32>(&set, recipe.clone(), true);
    let config =
        LoaderConfig { batch_size: 1, sampler: Sampler::Sequential, seed: 3, ..LoaderConfig::default() };
    let normalization = loaded.normalization().clone();
    let loader = Loader::new(Arc::new(loaded), config).unwrap();
    let mut scratch = Scratch::default();
    for epoch in 0..20 {
        for (index, batch) in loader.epoch(epoch).unwrap().enumerate() {
            let file = file(NAMES[index % NAMES.len()]);
            Decoder::default().decode(&file, &mut scratch.image).unwrap();
            let mut expected = vec![0.0f32; 3 * 40 * 48];
            let mut rng = sample_rng(3, epoch, index as u64);
            recipe.write_augmented(&normalization, None, &mut rng, &mut expected, &mut scratch).unwrap();
            assert!(batch.unwrap().as_slice() == expected, "{} in epoch {epoch}", NAMES[index % NAMES.len()]);
        }
    }
}

/// Reduced decoding changes a photograph little, and one that is not large enough not at all.
#[test]
fn reduced_decoding_keeps_the_image() {
    let folder = tempfile::tempdir().unwrap();
    let set = images(folder.path());
    let values = |size: usize, reduced_decoding: bool, augment: bool| {
        let mut recipe = on_images_only();
        recipe.augment.truncate(1);
        recipe.augment[0] = serde_json::from_value(
            serde_json::json!({ "random_resized_crop": { "height": size, "width": size, "scale": [0.8, 1.0] } }),
        )
        .unwrap();
        recipe.resize = Some(Resize { height: size, width: size, crop: 1.0, filter: Filter::Bilinear });
        recipe.normalize = Normalize::None;
        recipe.reduced_decoding = reduced_decoding;
        let config = LoaderConfig { batch_size: 1, sampler: Sampler::Sequential, ..LoaderConfig::default() };
        let loader = Loader::new(Arc::new(samples::<f32>(&set, recipe, augment)), config).unwrap();
        // the first image is china.jpg, with 160 x 107 pixels
        loader.epoch(0).unwrap().next().unwrap().unwrap().as_slice().to_vec()
    };
    for augment in [false, true] {
        for (size, same) in [(100, true), (40, false), (12, false)] {
            let (plain, reduced) = (values(size, false, augment), values(size, true, augment));
            assert_eq!(plain == reduced, same, "{size}");
            let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>();
            // an image that is shifted by a pixel differs more than twice as much
            let (off, shifted) = (distance(&plain, &reduced), distance(&plain, &plain[1..]));
            assert!(2.0 * off < shifted, "{size} pixels, augmented {augment}: {off}, {shifted}");
        }
    }
}

#[test]
fn grey_levels_normalised_later_are_the_values() {
    let folder = tempfile::tempdir().unwrap();
    let set = images(folder.path());
    for augment in [false, true] {
        let config = LoaderConfig { batch_size: 12, sampler: Sampler::Sequential, ..LoaderConfig::default() };
        let levels = samples::<u8>(&set, on_images_only(), augment);
        let normalization = levels.normalization().clone();
        let levels = Loader::new(Arc::new(levels), config.clone()).unwrap();
        let values = Loader::new(Arc::new(samples::<f32>(&set, on_images_only(), augment)), config).unwrap();
        let (levels, values) = (
            levels.epoch(0).unwrap().next().unwrap().unwrap(),
            values.epoch(0).unwrap().next().unwrap().unwrap(),
        );
        for (at, (&level, &value)) in levels.as_slice().iter().zip(values.as_slice()).enumerate() {
            let channel = at / (40 * 48) % 3;
            let expected =
                (f32::from(level) / 255.0 - normalization.mean()[channel]) / normalization.std()[channel];
            assert!((value - expected).abs() < 1e-5, "{value} {expected}");
        }
    }
}

#[test]
fn a_damaged_image_is_an_error_that_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let set = images(folder.path());
    let whole = file("china.jpg");
    write(folder.path(), "first/00.jpg", &whole[..whole.len() / 2]);
    let loader =
        Loader::new(Arc::new(samples::<f32>(&set, recipe(), true)), LoaderConfig::evaluation(4, 2)).unwrap();
    let error = loader.epoch(0).unwrap().find_map(Result::err).expect("an error");
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    assert!(text.contains("00.jpg") && text.contains("the file is cut"), "{text}");
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let set = images(folder.path());
    let error = |recipe: Recipe, indices: Vec<usize>| {
        let floats = ImageSamples::<f32>::new(Arc::clone(&set), indices.clone(), recipe.clone(), true).err();
        let levels = ImageSamples::<u8>::new(Arc::clone(&set), indices, recipe, true).err();
        [floats.map(|error| error.to_string()), levels.map(|error| error.to_string())]
    };
    let [floats, levels] = error(recipe(), vec![0]);
    assert_eq!(floats, None);
    assert!(levels.unwrap().contains("follows normalisation"));
    let [floats, _] = error(recipe(), vec![12]);
    assert!(floats.unwrap().contains("12 is not below the data set's 12 images"));
    let [floats, _] = error(Recipe::default(), vec![0]);
    assert!(floats.unwrap().contains("of several sizes"));
}
