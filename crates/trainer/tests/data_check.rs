//! `tks data check` reads what `tks train` reads, and calls nothing sound that a training refuses.

mod common;

use std::path::Path;
use std::process::Output;

use common::{TINY, run, tks};

/// A grey PNG that no other seed gives.
fn image(path: &Path, seed: u8) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, 8, 8);
    encoder.set_color(png::ColorType::Grayscale);
    let pixels: Vec<u8> = (0..64).map(|i: u8| i.wrapping_mul(seed) ^ seed).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
}

/// Images of these classes, four each.
fn part(root: &Path, part: &str, classes: &[&str], seed: u8) {
    for (index, class) in (0u8..).zip(classes) {
        for number in 0..4u8 {
            image(&root.join(part).join(class).join(format!("{number}.png")), seed + 4 * index + number);
        }
    }
}

fn check(arguments: &[&str], path: &Path) -> (bool, String) {
    let output = run(tks().args(["data", "check"]).args(arguments).arg(path));
    (output.status.success(), said(&output))
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(text).unwrap()
}

/// One epoch of a training on a folder, by its training part and `val`.
fn train(folder: &Path, data: &Path) -> (bool, String) {
    let file = folder.join("tiny.toml");
    std::fs::write(&file, TINY).unwrap();
    let mut command = tks();
    command.arg("train").arg(file).arg("--run").arg(folder.join("run"));
    let data = format!("data.path={:?}", data.display().to_string());
    for change in [
        "data.name=folder",
        data.as_str(),
        "data.train={ part = \"train\" }",
        "data.test={ part = \"val\" }",
        "data.images.recipe.resize=none",
        "training.epochs=1",
        "training.batch_size=4",
    ] {
        command.args(["--set", change]);
    }
    let output = run(&mut command);
    (output.status.success(), said(&output))
}

#[test]
fn a_class_that_a_part_lacks_is_named_by_the_check_and_by_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("images");
    part(&data, "train", &["cat", "dog", "emu"], 1);
    part(&data, "Valid", &["cat", "emu"], 101);
    let (sound, told) = check(&["folder"], &data);
    assert!(!sound && told.contains("not sound"), "{told}");
    assert!(told.contains("missing class: dog: `Valid` lacks this class, which `train` has"), "{told}");
    let (trained, told) = train(folder.path(), &data);
    assert!(!trained && told.contains("`val` lacks the class `dog`, which `train` has"), "{told}");
}

#[test]
fn what_is_passed_over_is_told_by_both_and_a_lost_class_is_refused_by_both() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("images");
    part(&data, "train", &["cat", "dog"], 1);
    part(&data, "val", &["cat", "dog"], 101);
    let (sound, told) = check(&["folder"], &data);
    assert!(sound, "{told}");
    std::fs::write(data.join("train/cat/9.avif"), b"\0\0\0\x1cftypavif").unwrap();
    let passed = "1 AVIF image, which is not read (`train/cat/9.avif`)";
    let (sound, told) = check(&["folder"], &data);
    assert!(!sound && told.contains(&format!("passed over: {passed}")), "{told}");
    let (trained, told) = train(folder.path(), &data);
    assert!(trained && told.contains(&format!("passed over in `train`: {passed}")), "{told}");

    std::fs::create_dir(data.join("train/fox")).unwrap();
    std::fs::rename(data.join("train/cat/9.avif"), data.join("train/fox/9.avif")).unwrap();
    std::fs::remove_dir_all(folder.path().join("run")).unwrap();
    let (sound, told) = check(&["folder"], &data);
    assert!(!sound && told.contains("class without an image: fox"), "{told}");
    let (trained, told) = train(folder.path(), &data);
    assert!(!trained && told.contains("the class `fox` would be lost"), "{told}");
}

#[test]
fn a_damaged_image_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("images");
    part(&data, "train", &["cat", "dog"], 1);
    part(&data, "val", &["cat", "dog"], 101);
    std::fs::write(data.join("train/dog/2.png"), b"").unwrap();
    let (trained, told) = train(folder.path(), &data);
    assert!(!trained, "{told}");
    let told = told.lines().find(|line| line.starts_with("error")).unwrap();
    assert_eq!(told.matches("dog/2.png").count(), 1, "{told}");
    assert_eq!(told.matches("the file is empty (0 bytes)").count(), 1, "{told}");
}

#[test]
fn recordings_of_no_bytes_are_not_sound() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = tks_trainer::datasets::folder().unwrap().join("nmnist-1000");
    let mut files = std::fs::read_dir(shipped).unwrap().map(|item| item.unwrap().path());
    let archive = files.find(|path| path.extension().is_some_and(|ending| ending == "xz")).unwrap();
    let archive = tks_data::Archive::open(archive).unwrap();
    for (index, entry) in archive.entries().iter().enumerate() {
        let path = folder.path().join(entry.name());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &archive.bytes(index).unwrap()[..]).unwrap();
    }
    let (sound, told) = check(&["nmnist-1000"], folder.path());
    assert!(sound, "{told}");
    let recording = archive.entries().iter().find(|entry| entry.name().ends_with(".bin")).unwrap();
    std::fs::write(folder.path().join(recording.name()), b"").unwrap();
    let (sound, told) = check(&["nmnist-1000"], folder.path());
    assert!(!sound && told.contains(recording.name()), "{told}");
}
