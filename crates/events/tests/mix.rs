//! MixUp, CutMix and EventMix, and their labels.

use std::sync::Arc;

use tks_data::rng::sample_rng;
use tks_data::{ArrayDataset, Loader, LoaderConfig, SampleShape};
use tks_events::EventError;
use tks_events::frames::FramesMut;
use tks_events::mix::{
    CutBox, CutMix, EventMix, LabelWeight, Mix, MixMethod, MixUp, draw_lambda, soft_label,
};

const SHAPE: [usize; 4] = [6, 2, 12, 10];
const LENGTH: usize = 6 * 2 * 12 * 10;

fn event_mix(label: LabelWeight) -> MixMethod {
    MixMethod::EventMix(EventMix { alpha: 1.0, probability: 1.0, components: [2, 4], label })
}

fn cut_mix(label: LabelWeight) -> MixMethod {
    MixMethod::CutMix(CutMix { alpha: 1.0, probability: 1.0, label })
}

/// Mixes `b` into `a`; returns the result and the label weight of `a`.
fn mixed(mix: MixMethod, a: &[f32], b: &[f32], seed: u64) -> (Vec<f32>, f32) {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    let other = FramesMut::contiguous(&mut b, SHAPE).unwrap();
    let mut frames = FramesMut::contiguous(&mut a, SHAPE).unwrap();
    let weight = mix.apply(&mut frames, &other, &mut sample_rng(seed, 0, 0)).unwrap();
    (a, weight)
}

#[test]
fn mix_up_adds_in_proportion() {
    let mix = MixMethod::MixUp(MixUp { alpha: 0.4, probability: 1.0 });
    let mut weights = Vec::new();
    for seed in 0..50 {
        let (values, weight) = mixed(mix, &[1.0; LENGTH], &[3.0; LENGTH], seed);
        assert!(values.iter().all(|&v| (v - (3.0 - 2.0 * weight)).abs() < 1e-5));
        weights.push(weight);
    }
    assert!(weights.iter().any(|&w| w < 0.2) && weights.iter().any(|&w| w > 0.8));
}

#[test]
fn a_cut_is_worth_its_area() {
    for mix in [cut_mix(LabelWeight::Area), event_mix(LabelWeight::Area)] {
        for seed in 0..50 {
            let (values, weight) = mixed(mix, &[1.0; LENGTH], &[0.0; LENGTH], seed);
            let left = values.iter().sum::<f32>() / LENGTH as f32;
            assert!((left - weight).abs() < 1e-5, "{mix:?}: {left} is left, {weight} is said");
            // Both polarities of a pixel come from the same sample.
            for step in values.chunks_exact(240) {
                assert_eq!(step[..120], step[120..]);
            }
        }
    }
}

#[test]
fn a_cut_is_worth_its_events() {
    let a: Vec<f32> = (0..LENGTH).map(|i| (i % 3) as f32).collect();
    let b: Vec<f32> = (0..LENGTH).map(|i| 100.0 * (1 + i % 7) as f32).collect();
    for mix in [cut_mix(LabelWeight::Events), event_mix(LabelWeight::Events)] {
        for seed in 0..50 {
            let (values, weight) = mixed(mix, &a, &b, seed);
            let own: f32 = values.iter().filter(|&&v| v < 100.0).sum::<f32>() / a.iter().sum::<f32>();
            let theirs: f32 = values.iter().filter(|&&v| v >= 100.0).sum::<f32>() / b.iter().sum::<f32>();
            assert!((weight - own / (own + theirs)).abs() < 1e-4, "{mix:?}: {weight}");
        }
    }
}

#[test]
fn the_nearer_sample_weighs_more() {
    let a: Vec<f32> = (0..LENGTH).map(|i| (i.wrapping_mul(i + 7919) % 5) as f32).collect();
    let b: Vec<f32> = (0..LENGTH).map(|i| (i.wrapping_mul(i + 104_730) / 3 % 5) as f32).collect();
    for seed in 0..50 {
        let (_, by_area) = mixed(event_mix(LabelWeight::Area), &a, &b, seed);
        let (values, weight) = mixed(event_mix(LabelWeight::Distance), &a, &b, seed);
        assert!((0.0..=1.0).contains(&weight));
        if (by_area - 0.5).abs() > 0.1 {
            assert_eq!(by_area > 0.5, weight > 0.5, "area {by_area}, distance {weight}");
        }
        if values == a {
            assert_eq!(weight, 1.0);
        }
    }
}

/// Each value becomes the mean of the 3 x 3 pixels around it, with 0 beyond the border.
fn blurred(values: &[f32]) -> Vec<f64> {
    let [_, _, height, width] = SHAPE;
    let mean = |plane: &[f32], y: usize, x: usize| {
        let around =
            (0..height * width).filter(|i| (i / width).abs_diff(y) <= 1 && (i % width).abs_diff(x) <= 1);
        around.map(|i| f64::from(plane[i])).sum::<f64>() / 9.0
    };
    values
        .chunks_exact(height * width)
        .flat_map(|plane| (0..height * width).map(move |i| mean(plane, i / width, i % width)))
        .collect()
}

#[test]
fn the_distance_is_between_blurred_samples() {
    let a: Vec<f32> = (0..LENGTH).map(|i| (i.wrapping_mul(i + 7919) % 5) as f32).collect();
    let b: Vec<f32> = (0..LENGTH).map(|i| (i.wrapping_mul(i + 104_730) / 3 % 7) as f32).collect();
    let distance =
        |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(p, q)| (p - q).powi(2)).sum::<f64>();
    let (of_a, of_b) = (blurred(&a), blurred(&b));
    for mix in [cut_mix(LabelWeight::Distance), event_mix(LabelWeight::Distance)] {
        for seed in 0..10 {
            let (values, weight) = mixed(mix, &a, &b, seed);
            let found = blurred(&values);
            let (own, theirs) = (distance(&found, &of_a).powi(2), distance(&found, &of_b).powi(2));
            assert!((f64::from(weight) - theirs / (own + theirs)).abs() < 1e-4, "{mix:?}: {weight}");
        }
    }
}

#[test]
fn event_mix_replaces_the_share_that_was_drawn() {
    for seed in 0..50 {
        let (values, _) = mixed(event_mix(LabelWeight::Events), &[1.0; LENGTH], &[0.0; LENGTH], seed);
        let mut rng = sample_rng(seed, 0, 0);
        let _: bool = rand::RngExt::random_bool(&mut rng, 1.0);
        let lambda = draw_lambda(1.0, &mut rng);
        let left = values.iter().sum::<f32>() / LENGTH as f32;
        assert!((f64::from(left) - lambda).abs() < 1e-3, "{left} is left of {lambda}");
    }
}

#[test]
fn empty_samples_have_a_label_too() {
    for label in [LabelWeight::Area, LabelWeight::Events, LabelWeight::Distance] {
        for mix in [cut_mix(label), event_mix(label)] {
            let (_, weight) = mixed(mix, &[0.0; LENGTH], &[0.0; LENGTH], 4);
            assert!((0.0..=1.0).contains(&weight), "{mix:?}: {weight}");
        }
    }
}

#[test]
fn lambda_follows_its_distribution() {
    let mut rng = sample_rng(1, 0, 0);
    for (alpha, variance) in [(1.0, 1.0 / 12.0), (0.2, 1.0 / (4.0 * 1.4)), (5.0, 1.0 / (4.0 * 11.0))] {
        let draws: Vec<f64> = (0..20_000).map(|_| draw_lambda(alpha, &mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let found = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!((mean - 0.5).abs() < 0.02 && (found - variance).abs() < 0.01, "{alpha}: {mean}, {found}");
    }
}

#[test]
fn a_cut_box_stays_inside() {
    let mut rng = sample_rng(2, 0, 0);
    for _ in 0..1000 {
        let lambda = draw_lambda(1.0, &mut rng);
        let cut = CutBox::draw(10, 12, lambda, &mut rng);
        assert!(cut.x[0] <= cut.x[1] && cut.x[1] <= 10 && cut.y[0] <= cut.y[1] && cut.y[1] <= 12);
        let inside = (0..120).filter(|i| cut.contains(i % 10, i / 10)).count();
        assert_eq!(inside, cut.area());
        assert!(cut.area() as f64 <= (1.0 - lambda) * 120.0);
    }
}

#[test]
fn nothing_is_mixed_with_probability_0() {
    let mix = MixMethod::MixUp(MixUp { alpha: 1.0, probability: 0.0 });
    let (values, weight) = mixed(mix, &[1.0; LENGTH], &[3.0; LENGTH], 0);
    assert_eq!((values, weight), (vec![1.0; LENGTH], 1.0));
}

#[test]
fn labels_are_soft() {
    let mut target = [9.0; 4];
    soft_label(3, 3, 0.25, &mut target).unwrap();
    assert_eq!(target, [0.0, 0.0, 0.0, 1.0]);
    assert!(matches!(soft_label(1, 4, 0.5, &mut target), Err(EventError::Label { label: 4, classes: 4 })));
}

#[test]
fn options_are_read_and_checked() {
    let read = |text: &str| toml::from_str::<Mix>(text);
    let expected = EventMix { alpha: 1.0, probability: 0.5, components: [2, 4], label: LabelWeight::Events };
    let both = read("mixup = { alpha = 0.4 }\neventmix = {}").unwrap();
    assert_eq!(
        both.methods().collect::<Vec<_>>(),
        [MixMethod::MixUp(MixUp { alpha: 0.4, probability: 0.5 }), MixMethod::EventMix(expected)]
    );
    assert_eq!(read("").unwrap().methods().count(), 0);
    assert!(read("cutmix = { beta = 1.0 }").is_err());
    for wrong in [
        MixMethod::MixUp(MixUp { alpha: 0.0, probability: 0.5 }),
        MixMethod::CutMix(CutMix { alpha: 1.0, probability: -0.1, label: LabelWeight::Area }),
        MixMethod::EventMix(EventMix {
            alpha: 1.0,
            probability: 0.5,
            components: [3, 2],
            label: LabelWeight::Area,
        }),
    ] {
        assert!(matches!(wrong.check(), Err(EventError::Option { .. })), "{wrong:?}");
    }
}

/// Sample `i` of eight has the value `i + 1` everywhere and class `i`.
fn numbers() -> ArrayDataset {
    let shape = SampleShape::frames(6, 2, 12, 10);
    let values = (1..=8u8).flat_map(|value| vec![f32::from(value); shape.len()]).collect();
    ArrayDataset::new(shape, values, (0..8).collect(), 8).unwrap()
}

#[test]
fn a_batch_is_mixed_with_its_labels() {
    for (mix, tolerance) in
        [(MixMethod::MixUp(MixUp { alpha: 1.0, probability: 1.0 }), 1e-4), (cut_mix(LabelWeight::Area), 1e-4)]
    {
        let config = LoaderConfig { batch_size: 8, seed: 3, ..LoaderConfig::default() };
        let hook = move |batch: &mut _, rng: &mut _| mix.on_batch(batch, rng).map_err(Into::into);
        let loader = Loader::with_hook(Arc::new(numbers()), config, hook).unwrap();
        let batch = loader.epoch(0).unwrap().next().expect("one batch").unwrap();
        let soft = batch.soft_labels().expect("soft labels");
        let mut mixed = 0;
        for b in 0..8 {
            let label = soft.row(b);
            assert!((label.sum() - 1.0).abs() < 1e-5);
            // The sample of class k has the value k + 1, so the mean of a mixed sample is the mean of its
            // label.
            let expected: f32 = label.iter().zip(1..).map(|(&share, k)| share * k as f32).sum();
            let sample = batch.inputs().index_axis(ndarray::Axis(1), b);
            let mean = sample.mean().expect("not empty");
            assert!((mean - expected).abs() < tolerance, "{mix:?}: {mean} and not {expected}");
            mixed += usize::from(label.iter().filter(|&&share| share > 0.0).count() == 2);
        }
        assert!(mixed >= 3, "only {mixed} of 8 samples were mixed");
    }
}
