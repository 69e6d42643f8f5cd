//! What goes wrong, at any moment: clear errors, and nothing lost.

mod common;

use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{TINY, config, errors, files, pictures_config, run, text, tks, train, write_pictures};
use tks_trainer::checkpoint::{Checkpoint, Which};
use tks_trainer::run_folder::RunFolder;
use tks_trainer::stop::Stop;
use tks_trainer::trainer::Trainer;

/// `tks train` of the tiny training into `folder`, with a checkpoint after every step.
fn train_command(folder: &std::path::Path, changes: &[&str]) -> std::process::Command {
    let file = folder.join("tiny.toml");
    std::fs::write(&file, TINY).unwrap();
    let mut command = tks();
    command.arg("train").arg(&file).arg("--run").arg(folder.join("run")).arg("--json");
    command.args(["--set", "training.checkpoint_minutes=1e-9"]);
    for change in changes {
        command.args(["--set", change]);
    }
    command
}

#[test]
fn a_killed_training_goes_on_to_the_same_result() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = train(folder.path(), &[]);

    let mut child =
        train_command(folder.path(), &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let batches = folder.path().join("run/batches.csv");
    let deadline = Instant::now() + Duration::from_secs(120);
    let lines = || std::fs::read_to_string(&batches).map_or(0, |text| text.lines().count());
    while lines() < 6 {
        assert!(Instant::now() < deadline, "it never began");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(lines() <= 20, "it was killed before its end");

    let output = run(tks().arg("resume").arg(folder.path().join("run")).arg("--quiet"));
    assert!(output.status.success(), "{}", errors(&output));
    let resumed = RunFolder::open(&folder.path().join("run")).unwrap();
    assert_eq!(text(&resumed, "batches.csv"), text(&whole, "batches.csv"));
    assert_eq!(common::epochs(&resumed), common::epochs(&whole));
}

#[cfg(unix)]
#[test]
fn a_full_disk_ends_a_training_with_the_last_checkpoint_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (short, _) = train(folder.path(), &["training.epochs=1"]);
    let size = std::fs::metadata(short.checkpoint(Which::Last)).unwrap().len();
    // No file may be as large as a checkpoint: the write fails as it does where no room is left.
    let limit = size / 1024 - 4;
    let run_folder = short.path().display().to_string();
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", limit * 2);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_tks"), "resume", &run_folder]);
    command.args(["--set", "training.epochs=3", "--quiet"]);
    let before = std::fs::read(short.checkpoint(Which::Last)).unwrap();
    let output = run(&mut command);
    let said = errors(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("the checkpoint was not written") && said.contains("tks resume"), "{said}");
    assert_eq!(std::fs::read(short.checkpoint(Which::Last)).unwrap(), before, "the old one is as it was");
    let left = std::fs::read_dir(short.file("checkpoints")).unwrap().count();
    assert_eq!(left, 2, "nothing half-written is left");

    let output = run(tks().args(["resume", &run_folder, "--set", "training.epochs=3", "--quiet"]));
    assert!(output.status.success(), "{}", errors(&output));
    let (whole, _) = train(folder.path(), &["training.epochs=3"]);
    // Another number of epochs is another schedule: but the first epoch's batches are the same ones.
    assert_eq!(common::epochs(&short).len(), common::epochs(&whole).len());
}

#[test]
fn a_cut_checkpoint_is_named_and_the_best_one_still_works() {
    let folder = tempfile::tempdir().unwrap();
    let (trained, _) = train(folder.path(), &[]);
    let last = trained.checkpoint(Which::Last);
    let bytes = std::fs::read(&last).unwrap();
    std::fs::write(&last, &bytes[..bytes.len() / 2]).unwrap();
    let path = trained.path().display().to_string();
    let output = run(tks().args(["resume", &path, "--set", "training.epochs=3"]));
    let said = errors(&output);
    assert!(!output.status.success() && said.contains("last.safetensors is cut short"), "{said}");
    let output = run(tks().args(["eval", &path, "--quiet"]));
    assert!(output.status.success(), "{}", errors(&output));
}

#[test]
fn a_configuration_for_another_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (trained, _) = train(folder.path(), &[]);
    let changes = ["network.width=4".to_string(), "training.epochs=3".to_string()];
    let _turn = common::turn();
    let error = Trainer::resume(trained.clone(), &changes, files(&trained)).err().unwrap();
    let said = format!("{error:#}");
    assert!(said.contains("another network") && said.contains("shape"), "{said}");
    // The run is as it was.
    assert_eq!(trained.config().unwrap().network.width, 8);
    assert!(Checkpoint::read(&trained.checkpoint(Which::Last)).is_ok());
}

#[test]
fn data_that_go_while_training_are_named() {
    let folder = tempfile::tempdir().unwrap();
    // What is listed at the start is read when its turn comes.
    let pictures = folder.path().join("pictures");
    write_pictures(&pictures, 40);
    let mut changes = pictures_config(&pictures);
    changes.push("training.epochs=3".into());
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    let config = config(folder.path(), &changes);
    let place = RunFolder::create(&config).unwrap();
    let gone = pictures.join("train/bright");
    let mut listeners = files(&place);
    listeners.push(Box::new(common::Hears(move |message: &tks_trainer::message::Message| {
        if matches!(message, tks_trainer::message::Message::Epoch(_)) && gone.exists() {
            std::fs::remove_dir_all(&gone)?;
        }
        Ok(())
    })));
    let _turn = common::turn();
    let error = Trainer::start(config, place.clone(), listeners).unwrap().fit(&Stop::default()).unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("epoch 2") && said.contains("train/bright/"), "{said}");
    assert_eq!(
        Checkpoint::read(&place.checkpoint(Which::Last)).unwrap().position.epoch,
        1,
        "the first epoch is kept"
    );
}

#[test]
fn a_loss_that_is_not_finite_stops_with_its_cause_and_a_checkpoint_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let changes = ["optimizer.name=sgd", "optimizer.lr=1e30", "training.epochs=5", "training.ema_decay=0.0"];
    let config = config(folder.path(), &changes);
    let place = RunFolder::create(&config).unwrap();
    let error =
        Trainer::start(config, place.clone(), files(&place)).unwrap().fit(&Stop::default()).unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("epoch 1, batch") && said.contains("before-failure.safetensors"), "{said}");
    assert!(said.contains("optimizer.lr"), "{said}");
    assert!(Checkpoint::read(&place.file("checkpoints/before-failure.safetensors")).is_ok());
}

#[test]
fn mistakes_in_a_configuration_are_answered_with_what_was_meant() {
    let cases = [
        (vec!["--set", "training.epoch=3"], "did you mean `epochs`"),
        (vec!["--set", "loss.tks.taus=3"], "did you mean `tau`"),
        (vec!["--set", "network.architecture=sew_resnet91"], "did you mean `sew_resnet19`"),
        (vec!["--set", "data.name=digit"], "did you mean `digits`"),
        (vec!["--set", "training.batch_size=0"], "training.batch_size"),
        (vec!["--set", "hardware.device=cuda:7"], "CUDA devices are at hand"),
        (vec!["--set", "data.test={ part = \"train\", from = 300 }"], "share samples"),
    ];
    for (arguments, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tiny.toml");
        std::fs::write(&file, TINY).unwrap();
        let output =
            run(tks().arg("train").arg(&file).args(&arguments).args(["--run"]).arg(folder.path().join("r")));
        let said = errors(&output);
        assert!(!output.status.success() && said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}
