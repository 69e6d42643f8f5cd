//! Uses of a trained network: other numbers of time steps, your own files, export.

mod common;

use std::path::Path;

use common::{errors, images_config, run, text, tks, train, write_images};
use serde_json::Value;
use tch::{Device, Kind, Tensor};
use tks_images::recipe::Normalize;
use tks_models::Input;
use tks_trainer::checkpoint::{Checkpoint, CheckpointKind};
use tks_trainer::export;
use tks_trainer::run_folder::RunFolder;
use tks_trainer::trainer::{build_network, load_weights};

/// The lines of JSON printed by `tks`.
fn json_of(arguments: &[&str]) -> Vec<Value> {
    let output = run(tks().args(arguments).arg("--json"));
    assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Accuracy by the number of time steps, as printed and as written by `tks eval`.
fn accuracies(place: &RunFolder, steps: &str) -> Vec<f64> {
    let printed = json_of(&["eval", &place.path().display().to_string(), "--time-steps", steps]);
    let written: Vec<Value> = serde_json::from_str(&text(place, "evaluation-by-steps.json")).unwrap();
    assert_eq!(printed, written);
    let counts: Vec<String> = printed.iter().map(|result| result["time_steps"].to_string()).collect();
    assert_eq!(counts.join(","), steps);
    printed.iter().map(|result| result["accuracy"].as_f64().unwrap()).collect()
}

/// Accuracy after 1, 2, ... steps at the end of training.
fn accuracies_of_training(place: &RunFolder) -> Vec<f64> {
    let evaluation: Value = serde_json::from_str(&text(place, "evaluation.json")).unwrap();
    evaluation["accuracy_by_steps"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn images_are_evaluated_at_any_number_of_steps_and_classified() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    write_images(&images, 20);
    let mut changes = images_config(&images);
    changes.push("training.epochs=6".into());
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    let (place, _) = train(folder.path(), &changes);
    let trained = accuracies_of_training(&place);
    assert!(trained[2] > 0.9, "dark and bright are easily told apart: {trained:?}");
    let found = accuracies(&place, "2,1,3,6");
    assert_eq!(found[..3], [trained[1], trained[0], trained[2]]);
    assert!(found[3] > 0.9, "{found:?}");

    let place = place.path().display().to_string();
    let file = |class: &str| images.join("test").join(class).join("3.png").display().to_string();
    let (dark, bright) = (file("dark"), file("bright"));
    let predictions = json_of(&["predict", &place, &dark, &bright, "--time-steps", "5"]);
    for (prediction, (path, class)) in predictions.iter().zip([(&dark, "dark"), (&bright, "bright")]) {
        assert_eq!(prediction["file"], path.as_str());
        assert_eq!(prediction["classes"][0][0], class);
        assert_eq!(prediction["by_steps"].as_array().unwrap().len(), 5);
        let shares: f64 =
            prediction["classes"].as_array().unwrap().iter().map(|pair| pair[1].as_f64().unwrap()).sum();
        assert!((shares - 1.0).abs() < 1e-6, "{shares}");
    }
    let quiet = run(tks().args(["predict", &place, &bright, "--quiet"]));
    assert_eq!(String::from_utf8_lossy(&quiet.stdout), "bright\n");
    let output = run(tks().args(["predict", &place, &dark, "no/such.png", &bright, "--quiet"]));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "dark\nbright\n", "the others are classified");
    let said = errors(&output);
    assert!(output.status.code() == Some(1) && said.matches("no/such.png").count() == 1, "{said}");
    let output = run(tks().args(["predict", &place, &format!("{place}/config.toml")]));
    let said = errors(&output);
    assert!(!output.status.success() && said.contains("config.toml") && !said.contains("panicked"), "{said}");
}

#[test]
fn recordings_are_evaluated_at_fewer_and_more_steps_than_trained_and_classified() {
    let folder = tempfile::tempdir().unwrap();
    let data = tks_trainer::datasets::folder().unwrap().join("nmnist-1000");
    let changes = [
        "data={ name = \"nmnist-1000\", accept_counts = true, workers = 0 }",
        &format!("data.path={:?}", data.display().to_string()),
        "data.train={ part = \"train\", to = 96 }",
        "data.test={ part = \"test\", to = 32 }",
    ];
    let (place, _) = train(folder.path(), &changes);
    let trained = accuracies_of_training(&place);
    let found = accuracies(&place, "1,2,3,5");
    assert_eq!(found[..3], trained, "fewer steps are the first frames");
    let whole = accuracies(&place, "5");
    assert_eq!(found[3], whole[0], "more steps are the recording in more frames, beside fewer or alone");

    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../datasets/event-fixtures/atis-bin-nmnist/Test_00003.bin");
    let out = folder.path().join("out");
    let output = run(tks().arg("export").arg(place.path()).arg("--out").arg(&out));
    assert!(output.status.success(), "{}", errors(&output));
    let (_, description) = export::read(&out, Device::Cpu).unwrap();
    let events = description.events.unwrap();
    assert_eq!(events.recipe.time_steps().unwrap(), 3, "as trained, not the default");
    assert_eq!((events.sensor.width, events.sensor.height), (34, 34));

    let place = place.path().display().to_string();
    let recording = recording.display().to_string();
    let prediction = &json_of(&["predict", &place, &recording])[0];
    assert_eq!(prediction["by_steps"].as_array().unwrap().len(), 3);
    assert!(prediction["classes"][0][0].as_str().unwrap().parse::<u8>().unwrap() < 10);
    let prediction = &json_of(&["predict", &place, &recording, "--time-steps", "9"])[0];
    assert_eq!(prediction["by_steps"].as_array().unwrap().len(), 9, "the whole recording in more frames");
}

#[test]
fn a_report_takes_seeds_together_and_tells_other_settings_apart() {
    let folder = tempfile::tempdir().unwrap();
    let trained = |changes: &[&str]| train(folder.path(), changes).0.path().display().to_string();
    let [first, second] = ["seed=1", "seed=2"].map(|seed| trained(&["training.epochs=1", seed]));
    let softer = trained(&["training.epochs=1", "loss={ tks = { tau = 2.0 } }"]);
    let longer = trained(&["training.epochs=2"]);
    let mut report = tks();
    report.args(["report", &first]);
    // A run given twice does not count as another seed.
    for run in [&second, &softer, &longer, &second, &first] {
        report.args(["--beside", run]);
    }
    let output = run(&mut report);
    assert!(output.status.success(), "{}", errors(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let name = Path::new(&longer).file_name().unwrap().display();
    let begins = ["test time steps ", "TKS (2 runs) ", "TKS tau=2.0 ", &format!("TKS ({name}) "), "report: "];
    assert_eq!(printed.lines().count(), begins.len(), "{printed}");
    for (line, begin) in printed.lines().zip(begins) {
        assert!(line.starts_with(begin), "{begin}: {printed}");
    }
}

#[test]
fn an_exported_network_is_rebuilt_with_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (place, _) = train(folder.path(), &[]);
    let out = folder.path().join("out");
    let output = run(tks().arg("export").arg(place.path()).arg("--out").arg(&out));
    assert!(output.status.success(), "{}", errors(&output));

    let (network, description) = export::read(&out, Device::Cpu).unwrap();
    let config = place.config().unwrap();
    let task = place.task().unwrap();
    assert_eq!((&description.task, description.network.classes), (&task, 10));
    let recipe = description.images.unwrap().recipe;
    assert!(recipe.augment.is_empty(), "training alone does that");
    let expected = Normalize::Values { mean: vec![0.3053], std: vec![0.3759] };
    assert_eq!(recipe.normalize, expected, "numbers, not the data set's name");
    assert_eq!(description.layers, network.describe_layers().unwrap());
    let expected = build_network(&config, &task, Device::Cpu).unwrap();
    load_weights(expected.as_ref(), &Checkpoint::read(&place.checkpoint(CheckpointKind::Best)).unwrap())
        .unwrap();
    let images = Tensor::arange(4 * 64, (Kind::Float, Device::Cpu)).sin().view([4, 1, 8, 8]);
    let [actual, expected] = [&network, &expected].map(|network| {
        tch::no_grad(|| network.forward(Input::Static(&images, 3), false, &config.execution)).unwrap()
    });
    assert_eq!(actual, expected);
    assert!(actual.abs().max().double_value(&[]) > 0.0);

    let refused = |expected: &str| {
        let said = format!("{:#}", export::read(&out, Device::Cpu).unwrap_err());
        assert!(said.contains(expected), "{said}");
    };
    let (weights, network) = (out.join(export::WEIGHTS), out.join(export::DESCRIPTION));
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() - 9]).unwrap();
    refused("weights.safetensors is cut short");
    std::fs::write(&weights, &whole).unwrap();
    let description: Value = serde_json::from_slice(&std::fs::read(&network).unwrap()).unwrap();
    for (place, value, expected) in
        [("/network/width", 4, "has the shape"), ("/format", 1, "this program reads 2")]
    {
        let mut changed = description.clone();
        *changed.pointer_mut(place).unwrap() = value.into();
        std::fs::write(&network, changed.to_string()).unwrap();
        refused(expected);
    }
    std::fs::remove_file(&network).unwrap();
    refused("cannot open");
}

#[test]
fn an_option_that_is_a_key_is_answered_with_the_change_to_type() {
    let cases = [
        (vec!["--epochs", "3"], "--set training.epochs=3"),
        (vec!["--batch-size=8"], "--set training.batch_size=8"),
        (vec!["--optimizer.lr", "0.1"], "--set optimizer.lr=0.1"),
        (vec!["--lr"], "--set optimizer.lr=VALUE"),
    ];
    for (arguments, expected) in cases {
        let output = run(tks().args(["train", "digits-small"]).args(&arguments));
        let said = errors(&output);
        assert!(output.status.code() == Some(2) && said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn numbers_of_the_command_line_have_their_range() {
    for arguments in [
        ["eval", "no-run", "--time-steps", "0-3"],
        ["predict", "no-run", "a.png", "--top=0"],
        ["predict", "no-run", "a.png", "--time-steps=1000000000"],
        ["predict", "no-run", "a.png", "--time-steps=5-1"],
        ["predict", "no-run", "a.png", "--time-steps=1e3"],
        ["data", "show", "digits-small", "--count=0"],
    ] {
        let said = errors(&run(tks().args(arguments)));
        assert!(said.contains("it should be") && said.contains('1'), "{arguments:?}: {said}");
    }
}
