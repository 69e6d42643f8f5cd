//! Every preset builds a complete run on stand-in data with the right layout, and makes a step.

mod common;
mod stand_ins;

use std::path::Path;

use common::{epochs, text};
use tks_trainer::config::Config;
use tks_trainer::presets;
use tks_trainer::run_folder::RunFolder;
use tks_trainer::stop::StopFlag;
use tks_trainer::trainer::{Outcome, Trainer};

/// The preset, changed only in the location and number of its data: one batch of two samples at one time step.
fn one_step(preset: &str, data: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let text_of = |path: &Path| format!("{:?}", path.display().to_string());
    let mut changes = vec![
        format!("output.folder={}", text_of(folder.path())),
        format!("data.path={}", text_of(data)),
        "data.accept_counts=true".into(),
        "data.train.to=2".into(),
        "data.test.to=2".into(),
        "training.epochs=1".into(),
        // An epoch is shorter than the warm-up of some recipes.
        "schedule.warmup_epochs=0".into(),
        "training.batch_size=2".into(),
        // Networks for large images take seconds per step.
        "time_steps=1".into(),
        "hardware.device=cpu".into(),
        "output.report=false".into(),
    ];
    // The name of the test part is chosen by the preset.
    let preset_text = presets::text(preset).unwrap();
    let config = Config::parse(preset_text, preset.as_ref(), &[]).unwrap();
    changes.push(format!("data.train.part=\"{}\"", config.data.train.part));
    changes.push(format!("data.test.part=\"{}\"", config.data.test.part));
    let config = Config::parse(preset_text, preset.as_ref(), &changes).unwrap();
    let run = RunFolder::create(&config).unwrap();
    let _turn = common::turn();
    let trainer = Trainer::start(config, run.clone(), common::files(&run))
        .unwrap_or_else(|e| panic!("{preset}: {e:#}"));
    let Outcome::Finished(evaluation) =
        trainer.fit(&StopFlag::default()).unwrap_or_else(|e| panic!("{preset}: {e:#}"))
    else {
        panic!("nobody asked to stop")
    };
    assert_eq!(evaluation.samples, 2, "{preset}");
    assert_eq!(text(&run, "batches.csv").lines().count(), 1 + 1, "{preset}");
    assert!(epochs(&run)[0].train_loss.unwrap().is_finite(), "{preset}");
}

/// Runs the presets whose names begin with `data`; there must be `count`.
fn presets_of(data: &str, count: usize, write: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let names: Vec<_> = presets::names()
        .into_iter()
        .filter(|name| name.strip_prefix(data).is_some_and(|rest| rest.starts_with('-')))
        .collect();
    assert_eq!(names.len(), count, "{names:?}");
    for preset in names {
        one_step(preset, folder.path());
    }
}

#[test]
fn cifar10() {
    presets_of("cifar10", 6, |folder| stand_ins::cifar10(folder, 4));
}

#[test]
fn cifar100() {
    presets_of("cifar100", 3, |folder| stand_ins::cifar100(folder, 4));
}

#[test]
fn imagenet() {
    presets_of("imagenet-1k", 2, stand_ins::imagenet);
}

#[test]
fn dvs_cifar10() {
    presets_of("dvs-cifar10", 1, stand_ins::dvs_cifar10);
}

#[test]
fn n_caltech101() {
    presets_of("n-caltech101", 1, stand_ins::n_caltech101);
}

#[test]
fn cub_200_2011() {
    presets_of("cub-200-2011", 1, stand_ins::cub);
}

#[test]
fn stanford_dogs() {
    presets_of("stanford-dogs", 1, stand_ins::dogs);
}

#[test]
fn stanford_cars() {
    presets_of("stanford-cars", 1, stand_ins::cars);
}

#[test]
fn fashion_mnist() {
    presets_of("fashion-mnist", 1, stand_ins::fashion_mnist);
}

#[test]
fn what_ships() {
    for (preset, data) in [("digits-small", "digits"), ("nmnist-small", "nmnist-1000")] {
        one_step(preset, &tks_trainer::datasets::folder().unwrap().join(data));
    }
}
