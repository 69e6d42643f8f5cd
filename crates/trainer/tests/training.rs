//! A complete training, its results, and resuming.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Hears, config, epochs, files, text, train, turn};
use tks_trainer::checkpoint::{Checkpoint, CheckpointKind};
use tks_trainer::message::Message;
use tks_trainer::run_folder::RunFolder;
use tks_trainer::stop::StopFlag;
use tks_trainer::trainer::{Outcome, Trainer};

#[test]
fn a_training_learns_and_leaves_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let changes = [
        "training.epochs=4",
        "training.batch_size=16",
        "training.ema_decay=0.5",
        "loss.tks.alpha=0.1",
        "output.report=true",
    ];
    let (run, outcome) = train(folder.path(), &changes);
    let Outcome::Finished(evaluation) = outcome else { panic!("nobody asked to stop") };
    assert!(evaluation.accuracy() > 0.5, "{:?}", evaluation.accuracy_by_steps);
    assert_eq!((evaluation.samples, evaluation.accuracy_by_steps.len()), (64, 3));

    let records = epochs(&run);
    assert_eq!(records.iter().map(|record| record.epoch).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(records[3].train_accuracy > records[0].train_accuracy);
    assert_eq!(records[0].right_per_step.len(), 3);
    assert!(records[0].firing_rate.unwrap() > 0.0 && records[0].teacher_entropy.unwrap() > 0.0);
    assert_eq!(text(&run, "batches.csv").lines().count(), 1 + 4 * 20);
    assert_eq!(text(&run, "epochs.csv").lines().count(), 1 + 4);
    for line in text(&run, "log.jsonl").lines() {
        let _: serde_json::Value = serde_json::from_str(line).unwrap();
    }
    let page = text(&run, "report/index.html");
    assert!(page.contains("<svg") && page.contains("digits") && !page.contains("<script src"));
    let events = std::fs::read_dir(run.file("tensorboard")).unwrap().next().unwrap().unwrap().path();
    let scalars = tks_report::tensorboard::read_scalars(&events).unwrap();
    assert_eq!(scalars.iter().filter(|scalar| scalar.tag == "train/loss").count(), 4);
    assert_eq!(scalars.iter().filter(|scalar| scalar.tag == "batch/loss").count(), 80);
    for tag in ["cross_entropy/train", "cross_entropy/test"] {
        assert_eq!(scalars.iter().filter(|scalar| scalar.tag == tag).count(), 4, "{tag}");
    }
    for figure in ["cross_entropy", "training_loss", "membrane", "energy"] {
        assert!(page.contains(&format!("id=\"figure-{figure}\"")), "{figure}");
    }
    assert!(page.contains("The TKS loss may rise while the network learns"));
    assert!(page.contains("then reset where they fired"), "membranes before the reset, too");
    // The firing rates of training and evaluation weight neurons equally.
    let (train, test) = (records[3].firing_rate.unwrap(), evaluation.firing_rate().unwrap());
    assert!((train - test).abs() < 0.5 * test, "{train}, {test}");
}

/// Without augmentation and dropout, and with a very small learning rate, the cross entropy in training is
/// the same quantity as in testing: if the parts are exchanged, it is the same number. TKS's own loss
/// differs.
#[test]
fn cross_entropy_is_the_same_quantity_in_training_and_test() {
    let folder = tempfile::tempdir().unwrap();
    let part = |name: &str, part: &str| format!("data.{name}={{part=\"{part}\",to=64}}");
    let record = |train_part: &str, test_part: &str| {
        let (train_part, test_part) = (part("train", train_part), part("test", test_part));
        let changes = [
            "training.epochs=1",
            "optimizer.lr=1e-12",
            "network.dropout=0",
            "network.architecture=sequential",
            "network.layers=[{linear={features=32}}]",
            "training.batch_size=16",
            "data.images.recipe.augment=[]",
            "loss.tks.schedule=static",
            &train_part,
            &test_part,
        ];
        let (run, _) = train(folder.path(), &changes);
        (epochs(&run).remove(0), run)
    };
    let (first, run) = record("train", "test");
    let (other, _) = record("test", "train");
    let (train, test) = (first.train_cross_entropy.unwrap(), first.test_loss.unwrap());
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-4 * b, "{a}, not {b}");
    near(train, other.test_loss.unwrap());
    near(other.train_cross_entropy.unwrap(), test);
    assert!((first.train_loss.unwrap() - train).abs() > 0.1 * train, "{:?}", first.train_loss);
    let table = text(&run, "epochs.csv");
    let columns: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    let values: Vec<&str> = table.lines().nth(1).unwrap().split(',').collect();
    let value =
        |name| values[columns.iter().position(|column| *column == name).unwrap()].parse::<f64>().unwrap();
    assert_eq!((value("train_cross_entropy"), value("test_cross_entropy")), (train, test));
    assert_eq!(value("test_loss"), test, "by its name of before");
}

#[test]
fn the_same_seed_gives_the_same_training_with_any_number_of_workers() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = train(folder.path(), &["data.workers=0"]);
    let (second, _) = train(folder.path(), &["data.workers=2"]);
    let (other, _) = train(folder.path(), &["seed=2"]);
    assert_eq!(text(&first, "batches.csv"), text(&second, "batches.csv"));
    assert_eq!(epochs(&first), epochs(&second));
    assert_ne!(text(&first, "batches.csv"), text(&other, "batches.csv"));
}

/// Stops after `batches` batches, then resumes: the result is bit-identical to that of an uninterrupted
/// training.
fn stopped_and_resumed(batches: usize, changes: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (whole, outcome) = train(folder.path(), changes);

    let config = config(folder.path(), changes);
    let run = RunFolder::create(&config).unwrap();
    let stop = StopFlag::default();
    let (asked, seen) = (stop.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Hears(move |message: &Message| {
        if matches!(message, Message::Batch(_)) && seen.fetch_add(1, Ordering::SeqCst) + 1 == batches {
            asked.ask();
        }
        Ok(())
    });
    let mut listeners = files(&run);
    listeners.push(Box::new(count));
    let _turn = turn();
    let first = Trainer::start(config, run.clone(), listeners).unwrap().fit(&stop).unwrap();
    assert_eq!(first, Outcome::Stopped);
    let resumed = Trainer::resume(run.clone(), &[], files(&run)).unwrap().fit(&StopFlag::default()).unwrap();

    assert_eq!(text(&run, "batches.csv"), text(&whole, "batches.csv"));
    assert_eq!(epochs(&run), epochs(&whole));
    assert_eq!(resumed, outcome);
}

#[test]
fn a_stopped_training_goes_on_to_the_same_result() {
    stopped_and_resumed(4, &[]);
}

#[test]
fn one_that_accumulates_stops_between_steps_and_goes_on_to_the_same_result() {
    stopped_and_resumed(12, &["training.accumulation=4", "optimizer.name=sgd", "training.clip_norm=0.5"]);
}

#[test]
fn a_training_without_progress_ends_early() {
    let folder = tempfile::tempdir().unwrap();
    // A very small learning rate: the first epoch remains the best.
    let (run, _) = train(
        folder.path(),
        &["training.epochs=30", "training.patience=2", "optimizer.lr=1e-12", "schedule.min_lr=0.0"],
    );
    assert!(epochs(&run).len() < 30, "{}", epochs(&run).len());
    assert!(text(&run, "log.jsonl").contains("\"early\":true"));
}

#[test]
fn the_best_epoch_is_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (run, outcome) = train(folder.path(), &["training.epochs=4"]);
    let Outcome::Finished(evaluation) = outcome else { panic!("nobody asked to stop") };
    let best = epochs(&run).iter().filter_map(|record| record.test_accuracy).fold(0.0, f64::max);
    assert_eq!(evaluation.accuracy(), best);
    let kept = Checkpoint::read(&run.checkpoint(CheckpointKind::Best)).unwrap();
    assert_eq!(kept.position.best.unwrap().accuracy, best);
}
