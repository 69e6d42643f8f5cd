//! Levels, strings and policies compared with those of timm and torchvision in `tests/fixtures/augment`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::auto_augment::Table;
use super::level::{Binned, Bins, Leveled};
use super::ops::Operation;
use super::{AutoPolicy, Spread, TimmRandAugment};

/// By name, the pairs of operations with their probabilities and magnitudes.
type Policies<Magnitude> = BTreeMap<String, Vec<[(String, f64, Magnitude); 2]>>;

#[derive(Deserialize)]
struct Settings {
    timm_levels: Vec<(String, f64, f64)>,
    timm_strings: Vec<TimmString>,
    timm_policies: Policies<f64>,
    torchvision_policies: Policies<Option<usize>>,
    torchvision_operations: TorchvisionOperations,
}

#[derive(Deserialize)]
struct TimmString {
    text: String,
    operations: Vec<String>,
    weights: Option<Vec<f64>>,
    layers: usize,
    probability: f64,
    magnitude: f64,
    most: f64,
    deviation: Value,
}

#[derive(Deserialize)]
struct TorchvisionOperations {
    height: usize,
    width: usize,
    rows: Vec<(String, String, usize, bool, Option<f64>)>,
}

fn settings() -> Settings {
    let text = include_str!("../../tests/fixtures/augment/settings.json");
    serde_json::from_str(text).expect("as described beside it")
}

const LEVELED: [Leveled; 24] = [
    Leveled::AutoContrast,
    Leveled::Equalize,
    Leveled::Invert,
    Leveled::Rotate,
    Leveled::Posterize,
    Leveled::PosterizeIncreasing,
    Leveled::PosterizeOriginal,
    Leveled::Solarize,
    Leveled::SolarizeIncreasing,
    Leveled::SolarizeAdd,
    Leveled::Color,
    Leveled::ColorIncreasing,
    Leveled::Contrast,
    Leveled::ContrastIncreasing,
    Leveled::Brightness,
    Leveled::BrightnessIncreasing,
    Leveled::Sharpness,
    Leveled::SharpnessIncreasing,
    Leveled::ShearX,
    Leveled::ShearY,
    Leveled::TranslateXRel,
    Leveled::TranslateYRel,
    Leveled::Desaturate,
    Leveled::GaussianBlur,
];

/// The operation with that name: timm's names equal those of the variants.
fn leveled(name: &str) -> Leveled {
    LEVELED.into_iter().find(|operation| format!("{operation:?}") == name).expect(name)
}

fn binned(name: &str) -> Binned {
    let mut all = Binned::CHOICE.into_iter().chain([Binned::Invert]);
    all.find(|operation| format!("{operation:?}") == name).expect(name)
}

/// The single argument of an operation.
fn argument(operation: Operation) -> Option<f64> {
    match serde_json::to_value(operation).unwrap() {
        Value::Object(variant) => {
            variant.values().next().and_then(|fields| fields.as_object()?.values().next()?.as_f64())
        }
        _ => None,
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * (1.0 + b.abs())
}

#[test]
fn levels_give_the_arguments_of_timm() {
    let size = [200, 100];
    for (name, level, expected) in settings().timm_levels {
        // A shift is a share of the image in one and a number of pixels in the other; above 8 and below 0
        // bits nothing changes.
        let expected = match name.as_str() {
            "TranslateXRel" => expected * 100.0,
            "TranslateYRel" => expected * 200.0,
            "PosterizeOriginal" | "PosterizeIncreasing" => expected.clamp(0.0, 8.0),
            "Desaturate" => 1.0 - expected,
            _ => expected,
        };
        let operation = leveled(&name).operation(level, size, || false);
        let found = argument(operation).expect("an argument");
        assert!((found - expected).abs() < 1e-12, "{name} at {level}: {found}, and {expected} in timm");
        operation.check().unwrap();
    }
}

#[test]
fn a_negative_sign_turns_the_argument_around() {
    for name in ["Rotate", "ShearX", "ShearY", "TranslateXRel", "TranslateYRel"] {
        let [a, b] = [true, false].map(|negative| leveled(name).operation(7.0, [9, 5], || negative));
        assert_eq!(argument(a).unwrap(), -argument(b).unwrap(), "{name}");
    }
    for name in ["Color", "Contrast", "Brightness", "Sharpness"].map(|name| format!("{name}Increasing")) {
        let [a, b] = [true, false].map(|negative| leveled(&name).operation(7.0, [9, 5], || negative));
        assert!(near(argument(a).unwrap() + argument(b).unwrap(), 2.0), "{name}");
    }
}

#[test]
fn strings_mean_what_they_mean_to_timm() {
    for expected in settings().timm_strings {
        let policy: TimmRandAugment = expected.text.parse().unwrap();
        let (operations, weights) = policy.operations();
        // By name, since the order is arbitrary.
        let mut found: Vec<(String, f64)> = operations
            .iter()
            .enumerate()
            .map(|(i, operation)| (format!("{operation:?}"), weights.get(i).copied().unwrap_or(1.0)))
            .collect();
        let total: f64 = found.iter().map(|(_, weight)| weight).sum();
        found.iter_mut().for_each(|(_, weight)| *weight /= total);
        let share = 1.0 / expected.operations.len() as f64;
        let weights = expected.weights.unwrap_or_else(|| vec![share; expected.operations.len()]);
        let mut known: Vec<_> = expected.operations.into_iter().zip(weights).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        known.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found.len(), known.len(), "{}", expected.text);
        for (found, known) in found.iter().zip(&known) {
            assert!(found.0 == known.0 && near(found.1, known.1), "{}: {found:?} {known:?}", expected.text);
        }
        assert_eq!(
            (policy.layers, policy.probability, policy.magnitude.into(), policy.most.into()),
            (expected.layers, expected.probability, expected.magnitude, expected.most),
            "{}",
            expected.text
        );
        let spread = match expected.deviation.as_f64() {
            None => Spread::Uniform,
            Some(0.0) => Spread::None,
            Some(deviation) => Spread::Normal(deviation),
        };
        assert_eq!(policy.spread, spread, "{}", expected.text);
    }
}

#[test]
fn policies_are_those_of_timm() {
    let policies = settings().timm_policies;
    assert_eq!(policies.len(), 4);
    for (name, expected) in policies {
        let policy: AutoPolicy = name.parse().unwrap();
        let Table::Leveled(pairs, posterize) = policy.table() else { panic!("{name}") };
        assert_eq!(pairs.len(), expected.len());
        for (pair, expected) in pairs.iter().zip(&expected) {
            for ((operation, probability, level), expected) in pair.iter().zip(expected) {
                let operation = if operation.posterizes() { posterize } else { *operation };
                assert_eq!((operation, *probability, *level), (leveled(&expected.0), expected.1, expected.2));
            }
        }
    }
}

#[test]
fn policies_are_those_of_torchvision() {
    let policies = settings().torchvision_policies;
    assert_eq!(policies.len(), 3);
    for (name, expected) in policies {
        let policy: AutoPolicy = name.parse().unwrap();
        let Table::Binned(pairs) = policy.table() else { panic!("{name}") };
        assert_eq!(pairs.len(), expected.len());
        for (pair, expected) in pairs.iter().zip(&expected) {
            for ((operation, probability, bin), expected) in pair.iter().zip(expected) {
                let known = (binned(&expected.0), expected.1, expected.2.unwrap_or(0));
                assert_eq!((*operation, *probability, *bin), known);
            }
        }
    }
}

#[test]
fn bins_give_what_torchvision_hands_to_pillow() {
    let TorchvisionOperations { height, width, rows } = settings().torchvision_operations;
    assert!(rows.len() > 150);
    for (space, name, bin, negative, expected) in rows {
        let bins =
            Bins { bins: if space == "auto_augment" { 10 } else { 31 }, wide: space == "trivial_augment" };
        let operation = binned(&name).operation(bins, bin, [height, width], || negative);
        let place = format!("{space}, {name}, {bin}, {negative}");
        match (argument(operation), expected) {
            (Some(found), Some(expected)) => assert!(near(found, expected), "{place}: {found} {expected}"),
            (found, expected) => assert_eq!(found, expected, "{place}"),
        }
        operation.check().unwrap();
    }
}
