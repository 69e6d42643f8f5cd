//! Settings as written by a user.

use serde_json::{from_value, json};
use tks_images::augment::{Augment, AutoPolicy, RandPolicy, Spread, TimmRandAugment};

/// The error message of an invalid configuration.
fn failure(config: serde_json::Value) -> String {
    match from_value::<Augment>(config) {
        Err(error) => error.to_string(),
        Ok(augment) => augment.check().expect_err("an error").to_string(),
    }
}

#[test]
fn an_error_names_the_part_that_is_not_understood() {
    for (policy, part) in [
        ("rand-m9-mstd0,5", "`mstd0,5`"),
        ("rand-x3", "`x3`"),
        ("rand-m9.5", "`m9.5`"),
        ("rand-inc", "`inc`"),
        ("rand-", "``"),
        ("rand-m9-m8", "`m8`"),
        ("rand-p1.5", "`p1.5`"),
        ("rand-mmax0", "`mmax0`"),
        ("rand-n16-tweights", "`n16`"),
        ("rand-n14-w0", "`n14`"),
        ("rand-n101", "`n101`"),
        ("rand-tall", "`tall`"),
        ("augmix-m5", "`augmix`"),
        ("rand-mstdNaN", "`mstdNaN`"),
        ("rand-m9é", "`m9é`"),
    ] {
        let message = failure(json!({ "rand_augment": { "policy": policy } }));
        assert!(message.contains(part) && message.contains(policy), "{policy}: {message}");
    }
    for (policy, part) in [
        ("cifar", "cifar10, svhn"),
        ("cifar10-mstd1", "`mstd1`"),
        ("original-n2", "`n2`"),
        ("v0-mstd", "`mstd`"),
    ] {
        let message = failure(json!({ "auto_augment": { "policy": policy } }));
        assert!(message.contains(part), "{policy}: {message}");
    }
}

#[test]
fn options_out_of_range_and_typos_are_named() {
    for (config, named) in [
        (json!({ "flip_horizontal": { "probability": 1.5 } }), "probability"),
        (json!({ "flip_horizontal": { "probabilty": 0.5 } }), "probabilty"),
        (json!({ "random_crop": { "height": 0 } }), "height"),
        (json!({ "random_crop": { "padding": 100_000 } }), "padding"),
        (json!({ "random_crop": { "padding_mode": "mirror" } }), "mirror"),
        (json!({ "color_jitter": { "brightness": -0.1 } }), "brightness"),
        (json!({ "color_jitter": { "hue": 0.6 } }), "hue"),
        (json!({ "gaussian_blur": { "radius": [2.0, 1.0] } }), "radius"),
        (json!({ "rand_augment": { "policy": { "magnitude": 31 } } }), "magnitude 31"),
        (
            json!({ "rand_augment": { "policy": { "num_magnitude_bins": 1, "magnitude": 0 } } }),
            "num_magnitude_bins",
        ),
        (json!({ "rand_augment": { "policy": { "ops": 2 } } }), "ops"),
        (json!({ "rand_augment": { "policy": 9 } }), "a string such as"),
        (json!({ "trivial_augment": { "num_magnitude_bins": 0 } }), "num_magnitude_bins"),
        (json!({ "random_erasing": { "area": [0.5, 1.5] } }), "area"),
        (json!({ "random_erasing": { "aspect": [0.0, 1.0] } }), "aspect"),
        (json!({ "random_erasing": { "count": [0, 1] } }), "count"),
        (json!({ "random_erasing": { "mode": "noise" } }), "noise"),
        (json!({ "cutout": { "length": 0 } }), "length"),
    ] {
        let message = failure(config.clone());
        assert!(message.contains(named), "{config}: {message}");
    }
}

#[test]
fn settings_are_written_as_they_are_read() {
    let mut steps = Augment::reference();
    for policy in
        ["rand-m7-n3-mstd101-inc0-mmax20-p0.25", "rand-tweights", "rand-w0-n1", "rand-t3a", "rand-t3aw"]
    {
        let policy: TimmRandAugment = policy.parse().unwrap();
        assert_eq!(policy.to_string().parse(), Ok(policy));
        steps.push(Augment::RandAugment {
            policy: RandPolicy::Timm(policy),
            interpolation: None,
            fill: None,
        });
    }
    for policy in ["cifar10", "svhn", "imagenet", "original", "originalr-mstd0.5", "v0", "v0r-mstd101"] {
        let parsed: AutoPolicy = policy.parse().unwrap();
        assert_eq!(parsed.to_string(), policy);
        steps.push(Augment::AutoAugment { policy: parsed, interpolation: None, fill: Some([1, 2, 3]) });
    }
    for name in ["random_crop", "flip_vertical", "color_jitter", "grayscale", "gaussian_blur", "rand_augment"]
    {
        steps.push(from_value(json!({ name: {} })).unwrap());
    }
    for name in ["auto_augment", "trivial_augment", "random_erasing", "cutout"] {
        steps.push(from_value(json!({ name: {} })).unwrap());
    }
    steps.push(from_value(json!({ "rand_augment": { "policy": { "num_ops": 3 } } })).unwrap());
    for step in steps {
        step.check().unwrap();
        let text = serde_json::to_value(step).unwrap();
        assert_eq!(from_value::<Augment>(text.clone()).unwrap(), step, "{text}");
    }
}

#[test]
fn the_reference_recipe_is_the_defaults() {
    let policy: TimmRandAugment = "rand-m9-mstd0.5-inc1".parse().unwrap();
    assert_eq!(RandPolicy::default(), RandPolicy::Timm(policy));
    assert_eq!((policy.magnitude, policy.layers, policy.probability), (9, 2, 0.5));
    assert_eq!((policy.spread, policy.most, policy.increasing), (Spread::Normal(0.5), 10, true));
    let steps = ["random_crop", "flip_horizontal", "rand_augment", "random_erasing"];
    let read: Vec<Augment> = steps.into_iter().map(|name| from_value(json!({ name: {} })).unwrap()).collect();
    assert_eq!(read, Augment::reference());
}
