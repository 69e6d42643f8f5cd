//! Your own recordings in folders of classes.

use std::path::Path;
use std::sync::Arc;

use tks_data::{Catalogue, Dataset, SampleSet};
use tks_events::datasets::{EventFrames, EventSet, FolderOptions};
use tks_events::formats::{Format, write_bytes};
use tks_events::recipe::Recipe;
use tks_events::{EventError, EventStream, SensorSize};

const SMALL: SensorSize = SensorSize { width: 32, height: 24 };

fn stream(sensor: SensorSize, number: u16) -> EventStream {
    let times = (0..20).map(|i| i * 1000 + i64::from(number)).collect();
    let x = (0..20).map(|i| (i * 3 + number) % sensor.width).collect();
    let y = (0..20).map(|i| (i * 5 + number) % sensor.height).collect();
    EventStream::new(sensor, times, x, y, vec![1; 20]).unwrap()
}

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn put_recording(root: &Path, name: &str, format: Format, sensor: SensorSize, number: u16) {
    put(root, name, &write_bytes(stream(sensor, number).events(), format).unwrap());
}

fn with_sensor() -> FolderOptions {
    let mut options = FolderOptions::default();
    options.read.sensor = Some(SMALL);
    options
}

#[test]
fn recordings_of_any_format_are_in_the_parts_and_classes_of_their_folders() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put_recording(root, "train/left/a.npz", Format::Npz, SMALL, 1);
    put_recording(root, "train/left/more/b.bin", Format::Atis, SMALL, 2);
    put_recording(root, "train/right/c.txt", Format::Text, SMALL, 3);
    put_recording(root, "test/right/d.raw", Format::Evt2, SMALL, 4);
    // By its content.
    put_recording(root, "test/up/e.recording", Format::Evt3, SMALL, 5);
    let set = EventSet::open_folder(root, with_sensor()).unwrap();
    assert_eq!(set.manifest().classes.names().unwrap(), ["left", "right", "up"]);
    assert_eq!(set.sensor(), SMALL);
    let names: Vec<&str> = (0..set.len()).map(|index| set.name(index)).collect();
    let expected = [
        "test/right/d.raw",
        "test/up/e.recording",
        "train/left/a.npz",
        "train/left/more/b.bin",
        "train/right/c.txt",
    ];
    assert_eq!(names, expected);
    let labels: Vec<usize> = (0..set.len()).map(|index| set.label(index)).collect();
    assert_eq!(labels, [1, 2, 0, 0, 1]);
    let parts = set.parts(None, &Catalogue::BuiltIn).unwrap();
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["test", "train"]);
    assert_eq!((&parts["test"][..], &parts["train"][..]), (&[0, 1][..], &[2, 3, 4][..]));
    // `left` is not in `test`, `up` not in `train`.
    assert_eq!(
        (set.missing_classes(&parts["test"]), set.missing_classes(&parts["train"])),
        (vec![0], vec![2])
    );
    for (index, number) in [(0, 4), (1, 5), (2, 1), (3, 2), (4, 3)] {
        assert_eq!(set.read(index).unwrap().events(), stream(SMALL, number).events(), "{}", set.name(index));
    }
    assert!(set.passed_over().is_empty());
    let frames =
        EventFrames::<f32>::new(Arc::new(set), parts["train"].clone(), Recipe::default(), false).unwrap();
    assert_eq!((frames.len(), frames.classes(), frames.label(2)), (3, 3, 1));
    assert!(frames.cache_key("folders/train").unwrap().setting["read"]["sensor"]["width"] == 32);
}

#[test]
fn what_is_no_recording_is_passed_over_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put_recording(root, "train/left/a.npz", Format::Npz, SMALL, 1);
    put(root, "README.md", b"Recorded in 2026.");
    put(root, "train/left/notes.txt", b"12 of these are dark\n");
    put(root, "train/left/labels.csv", b"file,class\na.npz,3\n");
    put(root, "train/left/._a.npz", b"\0");
    put(root, "train/left/.a.npz.swp", b"\0");
    put(root, "train/.cache/b.npz", b"\0");
    put(root, "train/left/photo.jpg", b"\xff\xd8\xff\xe0 and so on");
    put(root, "docs/images/photo.jpg", b"\xff\xd8\xff\xe0 and so on");
    put(root, "train/stray.npz", b"\0");
    let set = EventSet::open_folder(root, with_sensor()).unwrap();
    assert_eq!((set.len(), set.manifest().classes.names().unwrap()), (1, &["left".to_owned()][..]));
    let told: Vec<String> =
        set.passed_over().iter().map(|files| format!("{} {files}", files.is_lost)).collect();
    let expected = [
        "true 2 x file that is no recording of a format that is known (the first is `docs/images/photo.jpg`)",
        "false 1 file of the operating system (`train/left/._a.npz`)",
        "false 2 x hidden file (the first is `train/.cache/b.npz`)",
        "true 1 recording in a folder that is not a class or a part (`train/stray.npz`)",
        "false 3 x text that is no recording (the first is `README.md`)",
    ];
    let mut told = told;
    told.sort_by_key(|line| line.split_once(" a ").map(|(_, what)| what.to_owned()));
    let mut expected = expected.map(str::to_owned).to_vec();
    expected.sort_by_key(|line| line.split_once(" a ").map(|(_, what)| what.to_owned()));
    assert_eq!(told, expected);
}

#[test]
fn a_class_without_a_recording_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put_recording(root, "train/b/a.npz", Format::Npz, SMALL, 1);
    std::fs::create_dir_all(root.join("train/a")).unwrap();
    put(root, "train/c/a.npz.gz", b"\x1f\x8b\x08\0");
    let set = EventSet::open_folder(root, with_sensor()).unwrap();
    assert_eq!(set.manifest().classes.names().unwrap(), ["a", "b", "c"]);
    assert_eq!(set.per_class(), [0, 1, 0]);
    assert_eq!(set.missing_classes(&[0]), [0, 2]);
}

#[test]
fn a_folder_without_recordings_is_told_what_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let error = || EventSet::open_folder(root, with_sensor()).unwrap_err();
    let empty = error();
    assert!(matches!(empty, EventError::Layout { .. }));
    assert!(empty.to_string().contains("it holds no file"), "{empty}");
    put(root, "train/left/notes.txt", b"none yet");
    let notes = error().to_string();
    assert!(notes.contains("1 text that is no recording (`train/left/notes.txt`)"), "{notes}");
    // Classes without parts.
    put_recording(root, "left/a.npz", Format::Npz, SMALL, 1);
    let shallow = error().to_string();
    assert!(shallow.contains("`left/a.npz`") && shallow.contains("a folder `train`"), "{shallow}");
}

#[test]
fn the_sensor_is_the_first_recordings_and_another_one_is_an_error_that_names_both() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put_recording(root, "train/left/1.raw", Format::Evt2, SMALL, 1);
    put_recording(root, "train/left/2.raw", Format::Evt3, SMALL, 2);
    // Which states none.
    put_recording(root, "train/left/3.npz", Format::Npz, SMALL, 3);
    let large = SensorSize { width: 64, height: 48 };
    put_recording(root, "train/left/10.raw", Format::Evt2, large, 4);
    let set = EventSet::open_folder(root, FolderOptions::default()).unwrap();
    assert_eq!(set.sensor(), SMALL);
    for index in 0..3 {
        assert_eq!(set.read(index).unwrap().sensor(), SMALL);
    }
    let error = set.read(3).unwrap_err().to_string();
    for part in ["10.raw", "1.raw`", "64 x 48", "32 x 24", "`sensor`"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    // A given size is trusted.
    let mut options = FolderOptions::default();
    options.read.sensor = Some(large);
    let set = EventSet::open_folder(root, options).unwrap();
    assert!((0..4).all(|index| set.read(index).unwrap().sensor() == large));
}

#[test]
fn a_first_recording_that_states_no_sensor_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    put_recording(folder.path(), "train/left/1.bin", Format::Atis, SMALL, 1);
    let error = EventSet::open_folder(folder.path(), FolderOptions::default()).unwrap_err().to_string();
    assert!(error.contains("1.bin") && error.contains("`sensor`"), "{error}");
}

#[test]
fn a_broken_recording_is_an_error_unless_reading_is_lenient() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put_recording(root, "train/left/1.raw", Format::Evt2, SMALL, 1);
    let mut bytes = write_bytes(stream(SMALL, 2).events(), Format::Evt2).unwrap();
    bytes.pop();
    put(root, "train/left/2.raw", &bytes);
    let set = EventSet::open_folder(root, FolderOptions::default()).unwrap();
    let error = set.read(1).unwrap_err();
    assert!(matches!(&error, EventError::File { path, .. } if path.ends_with("train/left/2.raw")), "{error}");
    let mut options = FolderOptions::default();
    options.read.lenient = true;
    let set = EventSet::open_folder(root, options).unwrap();
    assert_eq!(set.read(1).unwrap().len(), 19);
    let left_out = set.left_out();
    assert_eq!((left_out.recordings, left_out.cut), (1, 1));
    assert_eq!(left_out.first.unwrap().0, "train/left/2.raw");
}
