//! A user's program: built as a separate project, then trained, resumed, evaluated and reported
//! with the command line that it gets from `tks`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/own-network")
}

/// Builds the programs in the workspace's target folder, whose third-party crates they share, and returns
/// their folder.
fn built() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    // The same versions as the workspace's; cargo removes those that the example does not need.
    std::fs::copy(example().join("../../Cargo.lock"), example().join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["build", "--bins", "--quiet", "--target-dir"])
        .arg(target)
        .current_dir(example())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("debug")
}

fn run(program: &Path, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).current_dir(folder).output().unwrap()
}

fn succeeds(program: &Path, folder: &Path, arguments: &[&str]) -> String {
    let output = run(program, folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn fails(program: &Path, folder: &Path, arguments: &[&str]) -> String {
    let output = run(program, folder, arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The accuracy in the last line of the table of epochs.
fn last_accuracy(run: &Path) -> f64 {
    let text = std::fs::read_to_string(run.join("epochs.csv")).unwrap();
    let mut lines = text.lines();
    let column = lines.next().unwrap().split(',').position(|name| name == "test_accuracy").unwrap();
    lines.last().unwrap().split(',').nth(column).unwrap().parse().unwrap()
}

#[test]
fn a_program_of_ones_own_has_the_whole_command_line() {
    let programs = built();
    let (program, make_bars) = (programs.join("own-network"), programs.join("make-bars"));
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    succeeds(&make_bars, place, &["data"]);

    // Its names are listed with the built-in ones.
    assert!(succeeds(&program, place, &["presets"]).contains("bars"));
    let info = succeeds(&program, place, &["data", "info", "--json", "data/train/down/03.bars"]);
    assert!(info.contains("\"events\":256") && info.contains("\"format\":\"bars\""), "{info}");
    let wrong = fails(&program, place, &["train", "bars", "--set", "loss=late_step"]);
    assert!(wrong.contains("did you mean `late_steps`"), "{wrong}");
    let wrong = fails(&program, place, &["train", "bars", "--set", "loss.late_steps.from=4"]);
    assert!(wrong.contains("loss.late_steps.from = 4"), "{wrong}");
    let wrong = fails(&program, place, &["train", "bars", "--set", "loss.late_steps.form=1"]);
    assert!(wrong.contains("unknown field `form`, expected `from`"), "{wrong}");
    // Over a configuration that has another loss, too.
    let wrong = fails(&program, place, &["inspect", "nmnist-small", "--set", "loss.late_steps.form=1"]);
    assert!(wrong.contains("unknown field `form`, expected `from`"), "{wrong}");

    let checked = succeeds(&program, place, &["data", "check", "folder", "data"]);
    assert!(checked.contains("100 recordings") && checked.ends_with("\nsound\n"), "{checked}");

    // Trained, and trained on by `resume`.
    succeeds(&program, place, &["train", "bars", "--run", "whole", "--quiet"]);
    succeeds(&program, place, &["train", "bars", "--run", "parts", "--quiet", "--set", "training.epochs=2"]);
    succeeds(&program, place, &["resume", "parts", "--quiet", "--set", "training.epochs=3"]);
    assert_eq!(std::fs::read_to_string(place.join("parts/epochs.csv")).unwrap().lines().count(), 1 + 3);
    let accuracy = last_accuracy(&place.join("whole"));
    assert!(accuracy > 0.9, "{accuracy}");

    let measured = succeeds(&program, place, &["eval", "whole", "--json"]);
    assert!(measured.contains("accuracy"), "{measured}");
    let predicted = succeeds(&program, place, &["predict", "whole", "data/test/right/04.bars", "--json"]);
    let predicted: serde_json::Value = serde_json::from_str(&predicted).unwrap();
    assert_eq!(predicted["classes"][0][0], "right", "{predicted}");
    succeeds(&program, place, &["report", "whole"]);
    let page = std::fs::read_to_string(place.join("whole/report/index.html")).unwrap();
    assert!(page.contains("late_steps"), "the configuration is in the report");
    succeeds(&program, place, &["export", "whole"]);
    let description = std::fs::read_to_string(place.join("whole/export/network.json")).unwrap();
    assert!(description.contains("GainLayer") && description.contains("\"gain\""), "{description}");

    // Another program does not know the additions, and says so.
    let unknown = fails(Path::new(env!("CARGO_BIN_EXE_tks")), place, &["eval", "whole"]);
    assert!(unknown.contains("late_steps"), "{unknown}");
}
