//! Random choices: how often, how strongly, and the same for the same seed.

use proptest::prelude::*;
use serde_json::{from_value, json};
use tks_data::rng::sample_rng;
use tks_images::Image;
use tks_images::augment::{Augment, PaddingMode, Scratch};

use crate::support::numbered;

/// A step as written in a configuration.
fn step(config: serde_json::Value) -> Augment {
    from_value(config).unwrap()
}

/// The image after a step.
fn after(augment: &Augment, image: &Image, seed: u64) -> Image {
    let mut image = image.clone();
    augment.on_image(&mut image, &mut Scratch::default(), &mut sample_rng(seed, 0, 0)).unwrap();
    image
}

/// The values after a step.
fn values_after(augment: &Augment, value: f32, shape: [usize; 3], seed: u64) -> Vec<f32> {
    let mut values = vec![value; shape.iter().product()];
    augment.on_values(&mut values, shape, &mut sample_rng(seed, 0, 0)).unwrap();
    values
}

fn all_on_images() -> Vec<Augment> {
    vec![
        step(json!({ "random_crop": { "padding_mode": "reflect" } })),
        step(json!({ "random_resized_crop": { "height": 17, "width": 23 } })),
        step(json!({ "flip_horizontal": {} })),
        step(json!({ "flip_vertical": {} })),
        step(
            json!({ "color_jitter": { "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1 } }),
        ),
        step(json!({ "grayscale": { "probability": 0.5 } })),
        step(json!({ "gaussian_blur": {} })),
        step(json!({ "rand_augment": {} })),
        step(json!({ "rand_augment": { "policy": "rand-m9-n4-mstd101-tweights" } })),
        step(json!({ "rand_augment": { "policy": "rand-m30-mmax40-p1-n6-mstd9" } })),
        step(json!({ "rand_augment": { "policy": { "num_ops": 3, "magnitude": 30 } } })),
        step(json!({ "auto_augment": {} })),
        step(json!({ "auto_augment": { "policy": "originalr-mstd1" } })),
        step(json!({ "trivial_augment": { "interpolation": "bicubic" } })),
    ]
}

#[test]
fn the_same_seed_gives_the_same_image_whatever_was_done_before() {
    let image = numbered(29, 41, 3);
    for augment in all_on_images() {
        let (mut used, mut differ) = (Scratch::default(), false);
        for seed in 0..40 {
            let fresh = after(&augment, &image, seed);
            let mut again = image.clone();
            augment.on_image(&mut again, &mut used, &mut sample_rng(seed, 0, 0)).unwrap();
            assert_eq!(fresh, again, "{augment:?}");
            differ |= fresh != after(&augment, &image, seed + 1000);
        }
        assert!(differ, "{augment:?} leaves nothing to chance");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_image_of_any_size_is_changed_without_fail(
        height in 1usize..40, width in 1usize..40, grey: bool, seed: u64,
    ) {
        let channels = if grey { 1 } else { 3 };
        let image = numbered(height, width, channels);
        for augment in all_on_images() {
            let changed = after(&augment, &image, seed);
            prop_assert_eq!(changed.pixels.len(), changed.height * changed.width * channels);
            if !matches!(augment, Augment::RandomResizedCrop { .. }) {
                prop_assert_eq!((changed.height, changed.width), (height, width));
            }
        }
    }

    #[test]
    fn a_flip_undoes_itself_and_keeps_every_value(height in 1usize..20, width in 1usize..20, grey: bool) {
        let image = numbered(height, width, if grey { 1 } else { 3 });
        for name in ["flip_horizontal", "flip_vertical"] {
            let flip = step(json!({ name: { "probability": 1.0 } }));
            let once = after(&flip, &image, 1);
            prop_assert_eq!(&after(&flip, &once, 1), &image);
            let sum = |image: &Image| image.pixels.iter().map(|&value| u64::from(value)).sum::<u64>();
            prop_assert_eq!(sum(&once), sum(&image));
        }
    }

    #[test]
    fn a_crop_without_padding_lies_in_the_image(
        height in 1usize..24, width in 1usize..24, rows in 1usize..24, columns in 1usize..24, seed: u64,
    ) {
        let (rows, columns) = (rows.min(height), columns.min(width));
        let image = numbered(height, width, 3);
        let crop = step(json!({ "random_crop": { "height": rows, "width": columns, "padding": 0 } }));
        let cut = after(&crop, &image, seed);
        let place = (0..=height - rows).flat_map(|y| (0..=width - columns).map(move |x| (y, x))).find(|&(y, x)| {
            (0..rows).all(|row| cut.row(row) == &image.row(y + row)[x * 3..(x + columns) * 3])
        });
        prop_assert!(place.is_some());
    }
}

#[test]
fn every_place_of_a_crop_is_as_likely() {
    let image = numbered(6, 6, 1);
    let crop = step(json!({ "random_crop": { "height": 5, "width": 6, "padding": 1 } }));
    let mut counts = std::collections::BTreeMap::new();
    for seed in 0..3000 {
        *counts.entry(after(&crop, &image, seed).pixels).or_insert(0) += 1;
    }
    // 4 horizontal and 3 vertical positions: 250 each, with a standard deviation of 15.
    assert_eq!(counts.len(), 12);
    assert!(counts.values().all(|count| (180..320).contains(count)), "{:?}", counts.values());
}

#[test]
fn a_crop_larger_than_the_padded_image_is_refused() {
    let crop = step(json!({ "random_crop": { "height": 9, "padding": 1 } }));
    let mut image = numbered(6, 6, 1);
    let error = crop.on_image(&mut image, &mut Scratch::default(), &mut sample_rng(0, 0, 0)).unwrap_err();
    assert!(error.to_string().contains("8 in all"), "{error}");
    assert_eq!(image, numbered(6, 6, 1));
}

#[test]
fn padding_is_the_fill_colour() {
    let crop = Augment::RandomCrop {
        height: Some(3),
        width: Some(3),
        padding: 1,
        padding_mode: PaddingMode::Constant,
        fill: [1, 2, 3],
    };
    let padded = after(&crop, &Image { pixels: vec![7, 8, 9], height: 1, width: 1, channels: 3 }, 5);
    let middle = padded.pixels.chunks_exact(3).position(|pixel| pixel == [7, 8, 9]);
    assert_eq!(middle, Some(4));
    assert_eq!(padded.pixels.chunks_exact(3).filter(|pixel| *pixel == [1, 2, 3]).count(), 8);
}

/// How often a step changes an image, out of 4000 seeds.
fn changes(augment: &Augment, image: &Image) -> usize {
    (0..4000).filter(|&seed| after(augment, image, seed) != *image).count()
}

#[test]
fn probabilities_are_met() {
    let image = numbered(3, 4, 3);
    for (config, expected) in [
        (json!({ "flip_horizontal": {} }), 0.5),
        (json!({ "flip_vertical": { "probability": 0.2 } }), 0.2),
        (json!({ "grayscale": {} }), 0.1),
        (json!({ "color_jitter": { "probability": 0.7, "brightness": 0.5 } }), 0.7),
    ] {
        let augment = step(config);
        let share = changes(&augment, &image) as f64 / 4000.0;
        // Five standard deviations, or more.
        assert!((share - expected).abs() < 0.04, "{augment:?}: {share}");
    }
}

#[test]
fn each_operation_of_rand_augment_is_as_likely() {
    // Grey levels show which operation was applied: only a few operations change a uniform image, each in a
    // different way.
    let plain = Image { pixels: vec![200; 3 * 64], height: 8, width: 8, channels: 3 };
    let policy = step(json!({ "rand_augment": { "policy": "rand-m10-n1-p1", "fill": [200, 200, 200] } }));
    let mut counts = std::collections::BTreeMap::new();
    for seed in 0..6000 {
        *counts.entry(after(&policy, &plain, seed).pixels[0]).or_insert(0) += 1;
    }
    // Invert: 55. Posterise to 4 bits: 192. Brightness by 1.9: 255. Solarise from 256 on, and the rest: 200.
    let share = |value| f64::from(*counts.get(&value).unwrap_or(&0)) / 6000.0;
    for value in [55, 192, 255] {
        assert!((share(value) - 1.0 / 15.0).abs() < 0.013, "{value}: {}", share(value));
    }
    assert_eq!(counts.len(), 4, "{counts:?}");
    assert!((share(200) - 12.0 / 15.0).abs() < 0.026, "{}", share(200));
}

#[test]
fn magnitudes_spread_as_their_standard_deviation_says() {
    // In one long row with one bright pixel, a shift along the row shows its magnitude: full magnitude is
    // 0.45 of the width.
    let width = 1001;
    let mut image = Image { pixels: vec![0; width], height: 1, width, channels: 1 };
    image.pixels[width / 2] = 255;
    let policy = json!({
        "rand_augment": { "policy": "rand-m5-n1-p1-mstd1", "interpolation": "nearest", "fill": [0, 0, 0] }
    });
    let policy = step(policy);
    let (mut magnitudes, mut negative) = (Vec::new(), 0);
    for seed in 0..20_000 {
        let moved = after(&policy, &image, seed);
        let bright: Vec<_> = (0..width).filter(|&x| moved.pixels[x] == 255).collect();
        // Only a shift along the row leaves one bright pixel elsewhere.
        if let [x] = bright[..]
            && x != width / 2
            && moved.pixels.iter().filter(|&&value| value == 0).count() == width - 1
        {
            let shift = x as f64 - (width / 2) as f64;
            negative += usize::from(shift < 0.0);
            magnitudes.push(shift.abs() / width as f64 / 0.45 * 10.0);
        }
    }
    let count = magnitudes.len() as f64;
    // 1 of 15 is the shift; a rotation and a shear of a single row leave its middle in place.
    assert!((count / 20_000.0 - 1.0 / 15.0).abs() < 0.01, "{count}");
    let mean = magnitudes.iter().sum::<f64>() / count;
    let deviation = (magnitudes.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / count).sqrt();
    assert!((mean - 5.0).abs() < 0.14, "mean {mean}");
    assert!((deviation - 1.0).abs() < 0.1, "standard deviation {deviation}");
    assert!((negative as f64 / count - 0.5).abs() < 0.07, "{negative} of {count}");
}

#[test]
fn weighted_operations_are_drawn_once() {
    let policy = step(json!({ "rand_augment": { "policy": "rand-m0-n15-p1-tweights" } }));
    let image = Image::new(3, 3, 3);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let pixels = after(&policy, &image, seed).pixels;
        assert!(pixels.iter().all(|value| *value == pixels[0]));
        seen.insert(pixels[0]);
    }
    // At magnitude 0, all fifteen leave a black image unchanged, except for invert and, combined with it,
    // posterise to 4 bits. A second inversion would show.
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [240, 255]);
}

#[test]
fn jitter_keeps_to_its_ranges_and_is_even() {
    let image = Image { pixels: vec![100; 12], height: 2, width: 2, channels: 3 };
    let jitter = step(json!({ "color_jitter": { "brightness": 0.4 } }));
    let levels: Vec<f64> = (0..4000).map(|seed| f64::from(after(&jitter, &image, seed).pixels[0])).collect();
    assert!(levels.iter().all(|level| (60.0..=140.0).contains(level)));
    let mean = levels.iter().sum::<f64>() / 4000.0;
    let variance = levels.iter().map(|level| (level - mean).powi(2)).sum::<f64>() / 4000.0;
    // 60 to 140, truncated to whole numbers.
    assert!((mean - 99.5).abs() < 2.0 && (variance.sqrt() - 80.0 / 12f64.sqrt()).abs() < 1.0);
}

#[test]
fn erasing_covers_what_it_is_asked_to() {
    let shape = [3, 40, 60];
    for (config, blocks) in [(json!([1, 1]), 1.0), (json!([3, 3]), 3.0)] {
        let erase = step(json!({
            "random_erasing": { "probability": 1.0, "mode": "const", "area": [0.1, 0.2], "count": config }
        }));
        let (mut total, seeds) = (0.0, 400);
        for seed in 0..seeds {
            let values = values_after(&erase, 1.0, shape, seed);
            let erased = values.iter().filter(|&&value| value == 0.0).count() as f64 / values.len() as f64;
            assert!(erased < 0.22, "{erased}");
            assert!(blocks > 1.0 || erased > 0.085, "{erased}");
            // The same pixels in each channel.
            assert!(values[..2400] == values[2400..4800] && values[..2400] == values[4800..]);
            total += erased / seeds as f64;
        }
        // Rectangles may overlap.
        let expected = if blocks == 1.0 { 0.15 } else { 0.142 };
        assert!((total - expected).abs() < 0.008, "{blocks}: {total}");
    }
}

#[test]
fn erased_pixels_are_noise_of_their_kind() {
    let shape = [3, 50, 50];
    let erase = |mode: &str| {
        let config = json!({ "random_erasing": { "probability": 1.0, "mode": mode, "area": [0.3, 0.3] } });
        let values = values_after(&step(config), 9.0, shape, 3);
        values.chunks_exact(2500).map(|plane| plane.iter().copied().filter(|&v| v != 9.0).collect()).collect()
    };
    let planes: Vec<Vec<f32>> = erase("pixel");
    let all: Vec<f64> = planes.concat().into_iter().map(f64::from).collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let variance = all.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / all.len() as f64;
    assert!(all.len() > 2000 && mean.abs() < 0.1 && (variance - 1.0).abs() < 0.15, "{mean} {variance}");
    let planes: Vec<Vec<f32>> = erase("rand");
    assert!(planes.iter().all(|plane| plane.iter().all(|value| *value == plane[0])));
    assert!(planes[0][0] != planes[1][0] && planes[1][0] != planes[2][0]);
    let erase = step(json!({ "random_erasing": {} }));
    let count =
        (0..2000).filter(|&seed| values_after(&erase, 1.0, shape, seed).iter().any(|&value| value != 1.0));
    assert!((count.count() as f64 / 2000.0 - 0.25).abs() < 0.05);
}

#[test]
fn cutout_is_a_square_around_a_pixel() {
    let cutout = step(json!({ "cutout": { "length": 6 } }));
    let mut areas = std::collections::BTreeSet::new();
    for seed in 0..2000 {
        let values = values_after(&cutout, 1.0, [2, 12, 10], seed);
        let gone = |x: usize, y: usize| values[y * 10 + x] == 0.0;
        let columns: Vec<_> = (0..10).filter(|&x| (0..12).any(|y| gone(x, y))).collect();
        let rows: Vec<_> = (0..12).filter(|&y| (0..10).any(|x| gone(x, y))).collect();
        let area = values.iter().filter(|&&value| value == 0.0).count();
        assert_eq!(area, 2 * columns.len() * rows.len());
        assert!((3..=6).contains(&columns.len()) && (3..=6).contains(&rows.len()));
        areas.insert((rows.len(), columns.len()));
    }
    // 3 to 6 pixels of each side remain within the image.
    assert_eq!(areas.len(), 16);
}

#[test]
fn a_step_at_the_wrong_place_is_refused() {
    let mut rng = sample_rng(0, 0, 0);
    let error = step(json!({ "cutout": {} }))
        .on_image(&mut numbered(4, 4, 3), &mut Scratch::default(), &mut rng)
        .unwrap_err();
    assert!(error.to_string().contains("after the others"), "{error}");
    let error = step(json!({ "grayscale": {} })).on_values(&mut [0.0; 16], [1, 4, 4], &mut rng).unwrap_err();
    assert!(error.to_string().contains("before normalisation"), "{error}");
    let error = step(json!({ "cutout": {} })).on_values(&mut [0.0; 15], [1, 4, 4], &mut rng).unwrap_err();
    assert!(error.to_string().contains("15 numbers"), "{error}");
    let mut broken = Image { pixels: vec![0; 5], height: 1, width: 2, channels: 3 };
    let error = step(json!({ "grayscale": {} }))
        .on_image(&mut broken, &mut Scratch::default(), &mut rng)
        .unwrap_err();
    assert!(error.to_string().contains("5 bytes"), "{error}");
}

#[test]
fn a_resized_crop_of_everything_is_a_resize() {
    use tks_images::resize::{Filter, Region, resize};
    let image = numbered(20, 30, 3);
    let whole = json!({
        "random_resized_crop": { "height": 12, "width": 9, "scale": [1.0, 1.0], "ratio": [1.5, 1.5], "filter": "bicubic" }
    });
    let cropped = after(&step(whole), &image, 4);
    let mut resized = Image::default();
    let mut room = tks_images::resize::Scratch::default();
    resize(&image, Region::whole(&image), 12, 9, Filter::Bicubic, &mut resized, &mut room).unwrap();
    assert_eq!(cropped, resized);
    let empty = &mut Image::new(0, 5, 3);
    let crop = step(json!({ "random_resized_crop": {} }));
    assert!(crop.on_image(empty, &mut Scratch::default(), &mut sample_rng(0, 0, 0)).is_err());
}
