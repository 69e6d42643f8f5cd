//! `tks data check` reads the same data as `tks train`, and never accepts data that training refuses.

mod common;

use std::path::Path;
use std::process::Output;

use common::{TINY, run, tks};
use tks_trainer::config::Config;
use tks_trainer::data::Data;

/// A grey PNG that is different for each seed.
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

/// One epoch of training on a folder, with its training part and `val`.
fn train(folder: &Path, data: &Path) -> (bool, String) {
    train_with(folder, data, &[])
}

fn train_with(folder: &Path, data: &Path, changes: &[&str]) -> (bool, String) {
    std::fs::create_dir_all(folder).unwrap();
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
    changes.iter().for_each(|change| {
        command.args(["--set", change]);
    });
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

/// Unpacks the shipped recordings into a folder and returns their names.
fn unpacked(folder: &Path) -> Vec<String> {
    let shipped = tks_trainer::datasets::folder().unwrap().join("nmnist-1000");
    let mut files = std::fs::read_dir(shipped).unwrap().map(|item| item.unwrap().path());
    let archive = files.find(|path| path.extension().is_some_and(|ending| ending == "xz")).unwrap();
    let archive = tks_data::Archive::open(archive).unwrap();
    for (index, entry) in archive.entries().iter().enumerate() {
        let path = folder.join(entry.name());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &archive.bytes(index).unwrap()[..]).unwrap();
    }
    let names = archive.entries().iter().map(|entry| entry.name().to_string());
    names.filter(|name| name.ends_with(".bin")).collect()
}

#[test]
fn recordings_of_no_bytes_are_not_sound() {
    let folder = tempfile::tempdir().unwrap();
    let names = unpacked(folder.path());
    let (sound, told) = check(&["nmnist-1000"], folder.path());
    assert!(sound, "{told}");
    std::fs::write(folder.path().join(&names[0]), b"").unwrap();
    let (sound, told) = check(&["nmnist-1000"], folder.path());
    assert!(!sound && told.contains(&names[0]), "{told}");
    // The advice is about configuration keys, not about options of other commands.
    assert!(!told.contains("(`lenient`"), "{told}");
}

#[test]
fn a_class_without_recordings_and_files_of_other_formats_are_named_by_both() {
    let folder = tempfile::tempdir().unwrap();
    let names = unpacked(folder.path());
    let of_seven = |name: &&String| name.contains("Test/7/");
    assert!(names.iter().any(|name| of_seven(&name)));
    for name in names.iter().filter(of_seven) {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    let beside = Path::new(names.iter().find(|name| name.contains("Test/3/")).unwrap()).parent().unwrap();
    std::fs::write(folder.path().join(beside).join("1.npy"), b"other").unwrap();
    std::fs::write(folder.path().join(beside).join("._1.bin"), b"other").unwrap();
    let (sound, told) = check(&["nmnist-1000"], folder.path());
    assert!(!sound && told.contains("missing class: `test` has no recording of `7`"), "{told}");

    let changes = ["data={ name = \"nmnist-1000\", accept_counts = true, workers = 0 }".to_string()]
        .into_iter()
        .chain([
            format!("data.path={:?}", folder.path().display().to_string()),
            "data.train={ part = \"train\" }".into(),
            "data.test={ part = \"test\" }".into(),
        ]);
    let config = Config::parse(TINY, "tiny.toml".as_ref(), &changes.collect::<Vec<_>>()).unwrap();
    let warnings = Data::open(&config).unwrap().warnings.join("\n");
    assert!(warnings.contains("`test` has no recording of the class `7`"), "{warnings}");
    for text in [&told, &warnings] {
        assert!(text.contains("no recording of the data set's format") && text.contains("1.npy"), "{text}");
        assert!(text.contains("._1.bin"), "{text}");
    }
}

#[test]
fn what_cannot_be_tested_on_is_not_sound() {
    let folder = tempfile::tempdir().unwrap();
    let images = |name: &str| folder.path().join(name);
    let one_part = images("one_part");
    part(&one_part, "train", &["cat", "dog"], 1);
    part(&one_part, "eval", &["cat", "dog"], 101);
    let (sound, told) = check(&["folder"], &one_part);
    assert!(!sound && told.contains("`train` is the only part") && told.contains("eval"), "{told}");

    let one_class = images("one_class");
    part(&one_class, "train", &["cat"], 1);
    part(&one_class, "val", &["cat"], 101);
    let (sound, told) = check(&["folder"], &one_class);
    assert!(!sound && told.contains("one class alone: cat"), "{told}");
    let (trained, told) = train(&images("a"), &one_class);
    assert!(trained && told.contains("`cat` is the only class"), "{told}");

    let leaks = images("leaks");
    part(&leaks, "train", &["cat", "dog"], 1);
    part(&leaks, "val", &["cat", "dog"], 1);
    let (sound, told) = check(&["folder"], &leaks);
    assert!(!sound && told.contains("the same in two parts"), "{told}");
    let (trained, told) = train(&images("b"), &leaks);
    assert!(
        trained && told.contains("8 of the 8 images of `val` that were looked at are in `train` too"),
        "{told}"
    );

    let no_parts = images("no_parts");
    part(&no_parts, "", &["cat", "dog"], 1);
    for path in [no_parts, leaks.join("train")] {
        let (trained, told) = train(&images("c"), &path);
        assert!(!trained && told.contains("there are no parts, such as `train/cat/`"), "{told}");
    }
}

#[test]
fn a_number_of_classes_that_was_given_is_compared_with_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("images");
    let classes = ["cat", "dog", "emu"];
    part(&data, "train", &classes, 1);
    part(&data, "val", &classes, 101);
    for given in ["2", "10"] {
        let (trained, told) = train_with(folder.path(), &data, &[&format!("network.classes={given}")]);
        let refused = format!("`network.classes` is {given}, but `folder` has 3");
        assert!(!trained && told.contains(&refused), "{told}");
    }
    let (trained, told) = train(folder.path(), &data);
    assert!(trained, "{told}");
    let place = folder.path().join("run");
    let kept = std::fs::read_to_string(place.join("config.toml")).unwrap();
    assert!(!kept.contains("\nclasses = "), "{kept}");
    // A run of an older version has the default in its file, without a checksum line.
    let (_, rest) = kept.split_once('\n').unwrap();
    let old = rest.replacen("[network]\n", "[network]\nclasses = 10\n", 1);
    std::fs::write(place.join("config.toml"), old).unwrap();
    let resume = |change: &str| {
        let output = run(tks().arg("resume").arg(&place).args(["--set", change]));
        (output.status.success(), said(&output))
    };
    let (resumed, told) = resume("training.epochs=2");
    assert!(resumed && told.contains("has no sum in its first line"), "{told}");
    let (resumed, told) = resume("network.classes=10");
    assert!(!resumed && told.contains("`network.classes` is 10, but `folder` has 3"), "{told}");
}

#[test]
fn recordings_in_a_folder_are_checked_and_an_unknown_sensor_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("recordings");
    // ATIS: four events of five bytes, and no word about the sensor.
    let recording: Vec<u8> = (0..4u8).flat_map(|i| [i, i, 0x80, 0, 10 * i]).collect();
    for class in ["train/left", "train/right", "test/left", "test/right"] {
        std::fs::create_dir_all(data.join(class)).unwrap();
        std::fs::write(data.join(class).join("1.bin"), &recording).unwrap();
    }
    let (sound, told) = check(&["folder"], &data);
    assert!(!sound && told.contains("does not state the size of its sensor"), "{told}");
    assert!(told.contains("--sensor WxH") && !told.contains("image"), "{told}");
    let (sound, told) = check(&["--sensor", "8x8", "folder"], &data);
    assert!(sound && told.contains("4 recordings, 16 events"), "{told}");
    let (sound, told) = check(&["--sensor", "2x2", "folder"], &data);
    assert!(!sound && told.contains("unreadable"), "{told}");
}
