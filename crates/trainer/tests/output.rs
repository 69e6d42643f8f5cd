//! The output of `tks` reaches its reader, or the exit code reports that it did not.
#![cfg(target_os = "linux")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::{Command, Output, Stdio};

const PRINTING: [&[&str]; 9] = [
    &["presets"],
    &["presets", "nmnist-small"],
    &["data", "list"],
    &["data", "list", "--json"],
    &["completions", "bash"],
    &["inspect", "nmnist-small"],
    &["inspect", "nmnist-small", "--json"],
    &["--help"],
    &["--version"],
];

fn tks(arguments: &[&str], output: impl Into<Stdio>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tks"));
    command.args(arguments).stdin(Stdio::null()).stdout(output).output().unwrap()
}

#[test]
fn a_full_disk_is_an_error() {
    for arguments in PRINTING {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = tks(arguments, full);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.contains("No space left") && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_reader_that_has_gone_is_none() {
    for arguments in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = tks(arguments, writer);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn an_error_that_nobody_can_be_told_is_an_exit_code() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tks"));
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = command.args(["presets", "none"]).stdout(full()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_training_whose_lines_are_lost_goes_on_and_ends_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut arguments = vec!["train", "nmnist-small", "--quiet", "--run", run.to_str().unwrap()];
    arguments.extend([
        "--set",
        "training.epochs=1",
        "--set",
        "network.width=4",
        "--set",
        "output.report=false",
    ]);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = tks(&arguments, full);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("the training goes on"), "{said}");
    assert!(run.join("evaluation.json").is_file(), "{said}");
}

#[test]
fn pipes_and_devices_are_no_configurations() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.to_str().unwrap(), "/dev/zero"] {
        let output = tks(&["train", path], Stdio::piped());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("not a file") && said.contains(path), "{said}");
    }
    let path = folder.path().join("mine.toml");
    File::create(&path).unwrap().write_all(b"seed = 3\n[training]\nepochs = 1\n").unwrap();
    assert!(tks(&["inspect", path.to_str().unwrap()], Stdio::piped()).status.success());
}
