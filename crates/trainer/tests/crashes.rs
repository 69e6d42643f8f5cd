//! A training that ends at any time, killed or out of disk space: what was intact remains intact, and `tks
//! resume` gives the same result as an uninterrupted training, bit for bit.

#![cfg(unix)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{TINY, errors, run, text, tks};
use tch::Tensor;
use tks_trainer::checkpoint::{Checkpoint, CheckpointKind, Position};
use tks_trainer::run_folder::RunFolder;
use tks_trainer::run_state::RunState;

/// Two batches per epoch, two epochs, a checkpoint after each batch, a report.
const CHANGES: [&str; 4] =
    ["data.train.to=64", "data.test.to=32", "output.report=true", "training.checkpoint_minutes=1e-9"];

/// `tks train` into `run`.
fn train_command(folder: &Path, run: &Path) -> Command {
    let file = folder.join("tiny.toml");
    std::fs::write(&file, TINY).unwrap();
    let mut command = tks();
    command.arg("train").arg(&file).arg("--run").arg(run).arg("--quiet");
    for change in CHANGES {
        command.args(["--set", change]);
    }
    command
}

fn resume(run: &Path) -> Command {
    let mut command = tks();
    command.arg("resume").arg(run).arg("--quiet");
    command
}

/// A checkpoint's state, position, digest, and tensors by name.
type Saved = (RunState, Position, String, Vec<(String, Tensor)>);

/// The parts of a run that depend on the training and not on the clock.
#[derive(Debug, PartialEq)]
struct Result {
    checkpoints: Vec<Saved>,
    batches: String,
    epochs: Vec<tks_report::EpochRecord>,
    rows: usize,
    evaluation: String,
}

impl Result {
    fn read(path: &Path) -> Self {
        let run = RunFolder::open(path).unwrap();
        let checkpoints = [CheckpointKind::Last, CheckpointKind::Best].map(|which| {
            let Checkpoint { state, mut position, digest, tensors, .. } =
                Checkpoint::read(&run.checkpoint(which)).unwrap();
            (position.seconds, position.meters.seconds) = (0.0, 0.0);
            let mut tensors: Vec<_> = tensors.into_iter().collect();
            tensors.sort_by(|a, b| a.0.cmp(&b.0));
            (state, position, digest, tensors)
        });
        assert!(run.file("report/index.html").exists());
        let left = leftovers(path);
        assert!(left.is_empty(), "{left:?}");
        Result {
            checkpoints: checkpoints.into(),
            batches: text(&run, "batches.csv"),
            epochs: common::epochs(&run),
            rows: text(&run, "epochs.csv").lines().count(),
            evaluation: text(&run, "evaluation.json"),
        }
    }
}

/// Files that are no longer needed.
fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            left.extend(leftovers(&entry.path()));
        } else if name.contains("unfinished") || name.contains("previous") || name.contains("damaged") {
            left.push(entry.path());
        }
    }
    left
}

/// Checks that the files after a crash are consistent: `tks eval` would not mistake one epoch's network for
/// another's.
fn ensure_sound(path: &Path, moment: &str) {
    let Ok(run) = RunFolder::open(path) else { return };
    for which in [CheckpointKind::Last, CheckpointKind::Best, CheckpointKind::Previous] {
        let file = run.checkpoint(which);
        if file.exists() {
            Checkpoint::read(&file).unwrap_or_else(|error| panic!("{moment}: {error:#}"));
        }
    }
}

/// Resumes the run in `place` to its end and compares its result with the expected one.
fn ends_alike(folder: &Path, place: &Path, expected: &Result, moment: &str) {
    // Without a configuration there is no run, and the folder is free for another start.
    let mut again =
        if place.join("config.toml").exists() { resume(place) } else { train_command(folder, place) };
    let output = run(&mut again);
    assert!(output.status.success(), "{moment}: {}", errors(&output));
    assert_eq!(&Result::read(place), expected, "{moment}");
}

#[test]
fn a_training_that_is_killed_before_any_rename_goes_on_to_the_same_result() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let output = run(&mut train_command(folder.path(), &whole));
    assert!(output.status.success(), "{}", errors(&output));
    let expected = Result::read(&whole);
    assert_eq!(expected.checkpoints[0].0, RunState::Finished { early: false });

    let place = folder.path().join("killed");
    for number in 1.. {
        let killed =
            run(train_command(folder.path(), &place).env("TKS_TEST_ABORT_AT_RENAME", number.to_string()));
        if killed.status.success() {
            assert!(number > 30, "a training renames more often than {number} times");
            break;
        }
        let moment = format!("before rename {number}");
        ensure_sound(&place, &moment);
        ends_alike(folder.path(), &place, &expected, &moment);
        std::fs::remove_dir_all(&place).unwrap();
    }
}

#[test]
fn a_training_without_room_goes_on_to_the_same_result_when_it_has_some() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let output = run(&mut train_command(folder.path(), &whole));
    assert!(output.status.success(), "{}", errors(&output));
    let expected = Result::read(&whole);
    let checkpoint = std::fs::metadata(whole.join("checkpoints/last.safetensors")).unwrap().len() / 512;

    for blocks in [0, 1, 3, checkpoint / 2, checkpoint - 1, checkpoint + 8] {
        let place = folder.path().join(format!("run-{blocks}"));
        // A file beyond the limit cannot be written, as on a full disk.
        let mut command = Command::new("sh");
        command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), "sh"]);
        let train = train_command(folder.path(), &place);
        command.arg(train.get_program()).args(train.get_args());
        let output = run(&mut command);
        let said = errors(&output);
        let moment = format!("{blocks} blocks: {said}");
        assert!(!said.contains("panicked"), "{moment}");
        if !output.status.success() {
            assert!(said.contains(&place.display().to_string()), "the file is named: {moment}");
        }
        ensure_sound(&place, &moment);
        ends_alike(folder.path(), &place, &expected, &moment);
    }
}
