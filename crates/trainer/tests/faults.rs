//! Faults at any time: clear errors, and nothing lost.

mod common;

use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{TINY, config, errors, files, images_config, run, text, tks, train, write_images};
use tks_trainer::checkpoint::{Checkpoint, CheckpointKind};
use tks_trainer::run_folder::RunFolder;
use tks_trainer::stop::StopFlag;
use tks_trainer::trainer::{Outcome, Trainer};

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
    let size = std::fs::metadata(short.checkpoint(CheckpointKind::Last)).unwrap().len();
    // No file can be as large as a checkpoint, so the write fails as on a full disk.
    let limit = size / 1024 - 4;
    let run_folder = short.path().display().to_string();
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", limit * 2);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_tks"), "resume", &run_folder]);
    command.args(["--set", "training.epochs=3", "--quiet"]);
    let before = std::fs::read(short.checkpoint(CheckpointKind::Last)).unwrap();
    let output = run(&mut command);
    let said = errors(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("the checkpoint was not written") && said.contains("tks resume"), "{said}");
    assert_eq!(
        std::fs::read(short.checkpoint(CheckpointKind::Last)).unwrap(),
        before,
        "the old one is as it was"
    );
    let left = std::fs::read_dir(short.file("checkpoints")).unwrap().count();
    assert_eq!(left, 2, "nothing half-written is left");

    let output = run(tks().args(["resume", &run_folder, "--set", "training.epochs=3", "--quiet"]));
    assert!(output.status.success(), "{}", errors(&output));
    let (whole, _) = train(folder.path(), &["training.epochs=3"]);
    // Another number of epochs changes the schedule, but the first epoch's batches are the same.
    assert_eq!(common::epochs(&short).len(), common::epochs(&whole).len());
}

#[test]
fn a_cut_checkpoint_is_named_and_the_best_one_still_works() {
    let folder = tempfile::tempdir().unwrap();
    let (trained, _) = train(folder.path(), &[]);
    let last = trained.checkpoint(CheckpointKind::Last);
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
    // The run is unchanged.
    assert_eq!(trained.config().unwrap().network.width, 8);
    assert!(Checkpoint::read(&trained.checkpoint(CheckpointKind::Last)).is_ok());
}

#[test]
fn data_that_go_while_training_are_named() {
    let folder = tempfile::tempdir().unwrap();
    // Files listed at the start are read when their turn comes.
    let images = folder.path().join("images");
    write_images(&images, 40);
    let mut changes = images_config(&images);
    changes.push("training.epochs=3".into());
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    let config = config(folder.path(), &changes);
    let place = RunFolder::create(&config).unwrap();
    let gone = images.join("train/bright");
    let mut listeners = files(&place);
    listeners.push(Box::new(common::Hears(move |message: &tks_trainer::message::Message| {
        if matches!(message, tks_trainer::message::Message::Epoch(_)) && gone.exists() {
            std::fs::remove_dir_all(&gone)?;
        }
        Ok(())
    })));
    let _turn = common::turn();
    let error =
        Trainer::start(config, place.clone(), listeners).unwrap().fit(&StopFlag::default()).unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("epoch 2") && said.contains("train/bright/"), "{said}");
    assert_eq!(
        Checkpoint::read(&place.checkpoint(CheckpointKind::Last)).unwrap().position.epoch,
        1,
        "the first epoch is kept"
    );
}

/// A learning rate with which the weights diverge at the first step.
const OVERFLOW: [&str; 4] =
    ["optimizer.name=sgd", "optimizer.lr=1e30", "training.ema_decay=0.0", "training.checkpoint_minutes=1e-9"];

#[test]
fn after_an_overflow_what_is_on_disk_is_finite_and_a_smaller_rate_goes_on() {
    for changes in [&OVERFLOW[..], &OVERFLOW[..3]] {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), changes);
        let place = RunFolder::create(&config).unwrap();
        let _turn = common::turn();
        let error = Trainer::start(config, place.clone(), files(&place))
            .unwrap()
            .fit(&StopFlag::default())
            .unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("epoch 1, batch") && said.contains("optimizer.lr=..."), "{said}");
        for entry in std::fs::read_dir(place.file("checkpoints")).unwrap() {
            let path = entry.unwrap().path();
            Checkpoint::read(&path).unwrap_or_else(|error| panic!("{error:#}"));
        }
        let smaller = ["optimizer.lr=0.001".to_string()];
        let resumed = Trainer::resume(place.clone(), &smaller, files(&place)).unwrap();
        assert!(matches!(resumed.fit(&StopFlag::default()).unwrap(), Outcome::Finished(_)));
        Checkpoint::read(&place.checkpoint(CheckpointKind::Last)).unwrap();
    }
}

#[test]
fn an_overflow_in_the_last_step_of_an_epoch_is_told_with_its_place_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut changes = OVERFLOW.to_vec();
    changes.extend(["optimizer.lr=1e60", "data.train.to=32"]);
    let config = config(folder.path(), &changes);
    let place = RunFolder::create(&config).unwrap();
    let _turn = common::turn();
    let trainer = Trainer::start(config, place.clone(), files(&place)).unwrap();
    let said = format!("{:#}", trainer.fit(&StopFlag::default()).unwrap_err());
    assert!(said.contains("epoch 1, batch 1") && said.contains("not finite"), "{said}");
    assert!(said.contains("optimizer.lr") || said.contains("no learning rate helps"), "{said}");
}

#[test]
fn a_configuration_that_lost_its_end_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (trained, _) = train(folder.path(), &["training.epochs=1"]);
    let path = trained.path().display().to_string();
    let whole = text(&trained, "config.toml");
    for length in [0, 20, whole.len() * 2 / 3] {
        std::fs::write(trained.file("config.toml"), &whole[..length]).unwrap();
        for arguments in [&["resume", &path, "--set", "training.epochs=2"][..], &["eval", &path]] {
            let output = run(tks().args(arguments));
            let said = errors(&output);
            assert!(
                !output.status.success() && said.contains("config.toml is not the configuration"),
                "{said}"
            );
            assert!(said.contains("environment.json") && said.contains("--set KEY=VALUE"), "{said}");
        }
        assert_eq!(text(&trained, "config.toml"), whole[..length]);
    }
    std::fs::write(trained.file("config.toml"), &whole).unwrap();
    let output = run(tks().args(["resume", &path, "--set", "training.epochs=2", "--quiet"]));
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(trained.config().unwrap().training.epochs, 2);
}

#[test]
fn folders_in_place_of_files_that_can_be_made_again_are_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (trained, _) = train(folder.path(), &["training.epochs=1"]);
    let path = trained.path().display().to_string();
    let names = ["epochs.csv", "log.jsonl", "network.json", "environment.json", "task.json", "batches.csv"];
    for name in names {
        std::fs::remove_file(trained.file(name)).unwrap();
        std::fs::create_dir(trained.file(name)).unwrap();
    }
    let output = run(tks().args(["resume", &path, "--set", "training.epochs=2"]));
    let said = [errors(&output), String::from_utf8_lossy(&output.stdout).into_owned()].concat();
    assert!(output.status.success(), "{said}");
    for name in names {
        assert!(trained.file(name).is_file() && trained.file(&format!("{name}.damaged")).is_dir(), "{name}");
        assert!(said.contains(&format!("{name} is a folder; it is set aside as ")), "{said}");
    }
}

#[test]
fn the_state_before_a_failure_is_that_of_before_its_batch_running_statistics_included() {
    let folder = tempfile::tempdir().unwrap();
    // Images with infinite levels: the first batch fails after it has been included in the running
    // statistics.
    let changes = ["data.images.recipe.normalize={ values = { mean = [0.0], std = [1e-42] } }"];
    let config = config(folder.path(), &changes);
    let place = RunFolder::create(&config).unwrap();
    let _turn = common::turn();
    let failed = Trainer::start(config, place.clone(), files(&place)).unwrap();
    let said = format!("{:#}", failed.fit(&StopFlag::default()).unwrap_err());
    assert!(said.contains("epoch 1, batch 1") && said.contains("before-failure.safetensors"), "{said}");
    assert!(said.contains("no learning rate helps"), "{said}");
    let [before, first] =
        [place.file("checkpoints/before-failure.safetensors"), place.checkpoint(CheckpointKind::Last)]
            .map(|path| Checkpoint::read(&path).unwrap());
    assert_eq!((before.position.batch, before.digest), (0, first.digest));
}

#[test]
fn weights_that_are_not_finite_are_refused_by_name_by_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let (trained, _) = train(folder.path(), &["training.epochs=1"]);
    let path = trained.path().display().to_string();
    for which in [CheckpointKind::Last, CheckpointKind::Best] {
        let file = trained.checkpoint(which);
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&file, bytes).unwrap();
    }
    let image = folder.path().join("x.png");
    std::fs::write(&image, "x").unwrap();
    let image = image.display().to_string();
    for command in [
        &["eval", &path][..],
        &["export", &path],
        &["predict", &path, &image],
        &["report", &path],
        &["resume", &path, "--set", "training.epochs=2"],
    ] {
        let output = run(tks().args(command));
        let said = errors(&output);
        assert!(!output.status.success(), "{command:?}: {said}");
        assert!(
            said.contains("values that are not finite") && said.contains("last.safetensors"),
            "{command:?}: {said}"
        );
    }
    let output = run(tks().args(["inspect", &path]));
    assert!(output.status.success() && errors(&output).contains("not finite"), "{}", errors(&output));
}

#[test]
fn a_best_network_of_another_epoch_is_not_taken_for_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = train(folder.path(), &["training.epochs=1"]);
    let (whole, _) = train(folder.path(), &["training.epochs=4"]);
    let expected = Checkpoint::read(&whole.checkpoint(CheckpointKind::Best)).unwrap();
    assert!(expected.position.best.as_ref().unwrap().epoch > 0, "it learns after its first epoch");
    // The best file is older than the one recorded in the newest checkpoint.
    std::fs::copy(first.checkpoint(CheckpointKind::Best), whole.checkpoint(CheckpointKind::Best)).unwrap();
    let path = whole.path().display().to_string();
    let output = run(tks().args(["eval", &path, "--quiet"]));
    let said = errors(&output);
    let best_is_last = expected.position.epoch == 4;
    assert_eq!(said.contains("is lost") && said.contains("of epoch 1"), !best_is_last, "{said}");
    let output = run(tks().args(["resume", &path, "--quiet", "--set", "training.epochs=5"]));
    assert!(output.status.success(), "{}", errors(&output));
    let resumed = Checkpoint::read(&whole.checkpoint(CheckpointKind::Best)).unwrap();
    assert_eq!(resumed.position.best.unwrap().digest, resumed.digest);
    let evaluation: tks_trainer::evaluation::Evaluation =
        whole.read_json("evaluation.json").unwrap().unwrap();
    let best = Checkpoint::read(&whole.checkpoint(CheckpointKind::Last)).unwrap().position.best.unwrap();
    assert_eq!(evaluation.accuracy(), best.accuracy);
}

#[test]
fn a_finished_run_is_resumed_to_what_it_was_and_with_more_epochs_trains_on() {
    let folder = tempfile::tempdir().unwrap();
    let (trained, _) = train(folder.path(), &["training.epochs=1"]);
    let path = trained.path().display().to_string();
    let before = std::fs::read(trained.checkpoint(CheckpointKind::Last)).unwrap();
    let output = run(tks().args(["resume", &path]));
    let said = errors(&output);
    assert!(output.status.success() && said.contains("training.epochs=...` above 1"), "{said}");
    assert_eq!(std::fs::read(trained.checkpoint(CheckpointKind::Last)).unwrap(), before);
    // Missing parts of the result are recreated.
    let evaluation = text(&trained, "evaluation.json");
    std::fs::remove_file(trained.file("evaluation.json")).unwrap();
    assert!(run(tks().args(["resume", &path])).status.success());
    assert_eq!(text(&trained, "evaluation.json"), evaluation);
    assert_eq!(common::epochs(&trained).len(), 1);
    let output = run(tks().args(["resume", &path, "--set", "training.epochs=2"]));
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(common::epochs(&trained).len(), 2);
}

#[test]
fn a_run_goes_on_from_its_best_epoch_where_the_newest_checkpoint_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let (trained, _) = train(folder.path(), &[]);
    let expected = common::epochs(&trained);
    std::fs::write(trained.checkpoint(CheckpointKind::Last), "damaged").unwrap();
    let path = trained.path().display().to_string();
    let output = run(tks().args(["resume", &path]));
    let said = errors(&output);
    assert!(!output.status.success() && said.contains("--checkpoint best"), "{said}");
    let output = run(tks().args(["resume", &path, "--checkpoint", "best", "--quiet"]));
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(common::epochs(&trained), expected);
    assert_eq!(Checkpoint::read(&trained.checkpoint(CheckpointKind::Last)).unwrap().position.epoch, 2);
}

#[test]
fn files_that_can_be_made_again_do_not_keep_a_run_from_going_on() {
    let folder = tempfile::tempdir().unwrap();
    let (trained, _) = train(folder.path(), &["training.epochs=1"]);
    let events = std::fs::read_dir(trained.file("tensorboard")).unwrap().next().unwrap().unwrap().path();
    let zeros = |path: &std::path::Path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes.extend([0; 200]);
        std::fs::write(path, bytes).unwrap();
    };
    zeros(&events);
    for name in ["batches.csv", "epochs.csv", "epochs.jsonl", "log.jsonl"] {
        zeros(&trained.file(name));
    }
    for name in ["evaluation.json", "environment.json", "task.json"] {
        std::fs::write(trained.file(name), [0; 100]).unwrap();
    }
    let path = trained.path().display().to_string();
    let output = run(tks().args(["resume", &path, "--set", "training.epochs=2", "--quiet"]));
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("warning: ") && said.contains(".damaged"), "{said}");
    assert_eq!(common::epochs(&trained).len(), 2);
    assert_eq!(text(&trained, "batches.csv").lines().count(), 1 + 20);
    let scalars = tks_report::tensorboard::read_scalars(&events).unwrap();
    assert_eq!(scalars.iter().filter(|scalar| scalar.tag == "train/loss").count(), 2);
    assert!(trained.task().is_ok());
}

#[test]
fn data_and_threads_that_changed_are_named_when_a_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    write_images(&images, 20);
    let changes = images_config(&images);
    let changes: Vec<&str> = changes.iter().map(String::as_str).chain(["training.epochs=1"]).collect();
    let (trained, _) = train(folder.path(), &changes);
    // Swapped labels: the same names, counts and sizes, with different images.
    let train_part = images.join("train");
    std::fs::rename(train_part.join("dark"), train_part.join("x")).unwrap();
    std::fs::rename(train_part.join("bright"), train_part.join("dark")).unwrap();
    std::fs::rename(train_part.join("x"), train_part.join("bright")).unwrap();
    let path = trained.path().display().to_string();
    let more = ["--set", "training.epochs=2", "--set", "hardware.threads=2", "--quiet"];
    let output = run(tks().args(["resume", &path]).args(more));
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the training part is not the one of before") && said.contains("values"), "{said}");
    assert!(said.contains("2 threads now and did with 1"), "{said}");
    assert!(!said.contains("the test part"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    for (signal, before, expected) in
        [("HUP", "trap '' HUP", 0), ("TERM", "true", 130), ("INT", "trap '' INT", 0)]
    {
        let folder = tempfile::tempdir().unwrap();
        let train = train_command(folder.path(), &["training.epochs=4"]);
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("{before}; exec \"$@\""), "sh"]).arg(train.get_program());
        command.args(train.get_args()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let batches = folder.path().join("run/batches.csv");
        let deadline = Instant::now() + Duration::from_secs(120);
        while !std::fs::metadata(&batches).is_ok_and(|file| file.len() > 0) {
            assert!(Instant::now() < deadline, "it never began");
            std::thread::sleep(Duration::from_millis(2));
        }
        let sent = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(expected), "{signal} after {before}");
    }
}

#[test]
fn a_start_that_fails_leaves_a_folder_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("run");
    for name in ["environment.json", "task.json", ".lock", "notes.txt"] {
        std::fs::create_dir_all(&mine).unwrap();
        std::fs::write(mine.join(name), "precious").unwrap();
    }
    let output = run(&mut train_command(folder.path(), &["data.path=\"/nonexistent\""]));
    let said = errors(&output);
    assert!(!output.status.success() && said.contains("is not empty and holds no run"), "{said}");
    for name in ["environment.json", "task.json", ".lock", "notes.txt"] {
        assert_eq!(std::fs::read_to_string(mine.join(name)).unwrap(), "precious");
    }
    std::fs::remove_dir_all(&mine).unwrap();
    let output = run(&mut train_command(folder.path(), &["data.path=\"/nonexistent\""]));
    assert!(!output.status.success() && !mine.exists(), "{}", errors(&output));
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
