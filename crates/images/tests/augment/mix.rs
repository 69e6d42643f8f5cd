//! MixUp and CutMix of batches, as a loader hook.

use std::sync::Arc;

use serde_json::json;
use tks_data::rng::sample_rng;
use tks_data::{ArrayDataset, Loader, LoaderConfig, SampleShape};
use tks_images::augment::{Beta, Mix, MixMode};

/// Seven samples, each of a class of its own: sample `i` has the value `i + 1` everywhere.
fn batch(shape: SampleShape) -> tks_data::Batch<f32> {
    let config = LoaderConfig { batch_size: 7, workers: 1, seed: 3, ..LoaderConfig::default() };
    let values = (1..=7u8).flat_map(|value| vec![f32::from(value); shape.len()]).collect();
    let samples = ArrayDataset::new(shape, values, (0..7).collect(), 7).unwrap();
    let loader = Loader::new(Arc::new(samples), config).unwrap();
    loader.epoch(0).unwrap().next().unwrap().unwrap()
}

/// Values `[B, C * H * W]`, labels `[B, K]` and classes after a mix.
fn mixed(mix: Mix, seed: u64) -> (Vec<Vec<f32>>, Vec<Vec<f32>>, Vec<usize>) {
    let mut batch = batch(SampleShape::image(2, 12, 10));
    mix.on_batch(&mut batch, &mut sample_rng(seed, 0, 0)).unwrap();
    let values = batch.as_slice().chunks_exact(240).map(<[f32]>::to_vec).collect();
    let labels = batch.soft_labels().unwrap().rows().into_iter().map(|row| row.to_vec()).collect();
    let classes = batch.labels().iter().map(|&label| label as usize).collect();
    (values, labels, classes)
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

fn beta(alpha: f64) -> Option<Beta> {
    Some(Beta { alpha })
}

const UNSMOOTHED: Mix = Mix {
    mixup: None,
    cutmix: None,
    probability: 1.0,
    switch_probability: 0.5,
    mode: MixMode::Batch,
    label_smoothing: 0.0,
};

#[test]
fn labels_say_what_the_images_hold() {
    for mode in [MixMode::Batch, MixMode::Pair, MixMode::Element] {
        for (mixup, cutmix) in [(beta(0.8), None), (None, beta(1.0)), (beta(0.8), beta(1.0))] {
            let mix = Mix { mixup, cutmix, mode, ..UNSMOOTHED };
            for seed in 0..40 {
                let (values, labels, classes) = mixed(mix, seed);
                for (sample, (values, label)) in values.iter().zip(&labels).enumerate() {
                    assert!((label.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                    // A sample's value is its class plus 1, so the mean value equals the mean of the labels
                    // plus 1.
                    let held: f32 =
                        label.iter().enumerate().map(|(class, share)| share * (class + 1) as f32).sum();
                    assert!((mean(values) - held).abs() < 1e-3, "{mix:?}: {} {held}", mean(values));
                    let partner = classes[6 - sample];
                    for (class, &share) in label.iter().enumerate() {
                        assert!(share == 0.0 || class == classes[sample] || class == partner);
                    }
                    // Both channels of a pixel come from the same sample.
                    assert_eq!(values[..120], values[120..]);
                }
            }
        }
    }
}

#[test]
fn one_draw_holds_for_what_its_mode_says() {
    let weights = |mode| {
        let mix = Mix { mixup: beta(1.0), mode, ..UNSMOOTHED };
        let (_, labels, classes) = mixed(mix, 5);
        let own = classes.iter().zip(&labels).map(|(&class, label)| label[class]);
        own.collect::<Vec<f32>>()
    };
    let batch = weights(MixMode::Batch);
    assert!([0, 1, 2, 4, 5, 6].iter().all(|&i| (batch[i] - batch[0]).abs() < 1e-6) && batch[3] == 1.0);
    let pair = weights(MixMode::Pair);
    assert!((0..3).all(|i| (pair[i] - pair[6 - i]).abs() < 1e-6) && pair[0] != pair[1]);
    let element = weights(MixMode::Element);
    assert!((0..3).all(|i| element[i] != element[6 - i]));
}

#[test]
fn probabilities_of_mixing_and_switching_are_met() {
    let mix =
        Mix { mixup: beta(1.0), cutmix: beta(1.0), probability: 0.6, switch_probability: 0.3, ..UNSMOOTHED };
    let (mut mixed_up, mut cut) = (0, 0);
    for seed in 0..2000 {
        let (values, labels, classes) = mixed(mix, seed);
        if labels[0][classes[0]] < 1.0 {
            if values[0].iter().all(|value| *value == values[0][0]) { mixed_up += 1 } else { cut += 1 }
        }
    }
    // A rectangle may cover no pixels or all of them, so a few cuts are invisible.
    assert!((f64::from(mixed_up) / 2000.0 - 0.42).abs() < 0.05, "{mixed_up}");
    assert!((f64::from(cut) / 2000.0 - 0.18).abs() < 0.05, "{cut}");
}

#[test]
fn labels_are_smoothed_whether_mixed_or_not() {
    let (values, labels, classes) = mixed(Mix::default(), 1);
    for ((values, label), class) in values.iter().zip(&labels).zip(classes) {
        assert!(values.iter().all(|&value| value == class as f32 + 1.0));
        for (other, &share) in label.iter().enumerate() {
            let expected = if other == class { 0.9 + 0.1 / 7.0 } else { 0.1 / 7.0 };
            assert!((share - expected).abs() < 1e-6);
        }
    }
    let mix = Mix { mixup: beta(1.0), ..Mix::default() };
    let (_, labels, _) = mixed(mix, 1);
    assert!(labels.iter().all(|label| (label.iter().sum::<f32>() - 1.0).abs() < 1e-5));
    assert!(labels.iter().flatten().all(|&share| share >= 0.1 / 7.0 - 1e-6));
}

#[test]
fn settings_and_shapes_that_make_no_sense_are_refused() {
    for (config, named) in [
        (json!({ "mixup": { "alpha": -1.0 } }), "mixup.alpha"),
        (json!({ "cutmix": { "alpha": 0.0 } }), "cutmix.alpha"),
        (json!({ "probability": 2.0 }), "probability"),
        (json!({ "label_smoothing": 1.0 }), "label_smoothing"),
    ] {
        let mix: Mix = serde_json::from_value(config).unwrap();
        assert!(mix.check().unwrap_err().to_string().contains(named));
    }
    assert!(serde_json::from_value::<Mix>(json!({ "alpha": 1.0 })).is_err());
    let mut frames = batch(SampleShape::frames(2, 1, 3, 3));
    let error = Mix::default().on_batch(&mut frames, &mut sample_rng(0, 0, 0)).unwrap_err();
    assert!(error.to_string().contains("[B, C, H, W]"), "{error}");
}

#[test]
fn a_batch_is_mixed_differently_for_each_seed_and_alike_for_the_same() {
    let mix = Mix { mixup: beta(0.8), cutmix: beta(1.0), mode: MixMode::Element, ..Mix::default() };
    assert_eq!(mixed(mix, 9), mixed(mix, 9));
    assert_ne!(mixed(mix, 9).1, mixed(mix, 10).1);
}
