//! The neuromorphic data sets, with stand-ins for each layout.

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};

use tks_data::SampleSet;
use tks_data::manifest::{Manifest, Stated};
use tks_events::datasets::{EventSet, Orientation, SetOptions};
use tks_events::{EventError, EventStream, SensorSize};

use common::{catalogue, manifest};

type Event = (i64, u16, u16, u8);

/// A different recording for each number: 40 events within 32 x 32 pixels, 1 ms apart.
fn events(number: usize) -> Vec<Event> {
    let value = |i: usize, k: usize| (((number * 31 + i * 7 + k) * 2654435761) >> 7 & 31) as u16;
    (0..40).map(|i| (i as i64 * 1000 + 500, value(i, 1), value(i, 2), (value(i, 3) & 1) as u8)).collect()
}

fn atis(events: &[Event]) -> Vec<u8> {
    let mut turns = 0;
    let mut bytes = Vec::new();
    for &(t, x, y, p) in events {
        while t - (turns << 13) >= 1 << 13 {
            turns += 1;
            bytes.extend([0, 240, 0, 0, 0]);
        }
        let word = u32::from(p) << 23 | (t - (turns << 13)) as u32;
        bytes.extend([x as u8, y as u8]);
        bytes.extend(&word.to_be_bytes()[1..]);
    }
    bytes
}

fn aedat2(events: &[Event]) -> Vec<u8> {
    let mut bytes = b"#!AER-DAT2.0\r\n# a stand-in\r\n".to_vec();
    for &(t, x, y, p) in events {
        bytes.extend((u32::from(y) << 8 | u32::from(x) << 1 | u32::from(p)).to_be_bytes());
        bytes.extend((t as u32).to_be_bytes());
    }
    // Records that are not pixel events are skipped.
    bytes.extend([0, 0, 0x80, 0, 0, 0, 0, 1]);
    bytes
}

fn aedat31(events: &[Event]) -> Vec<u8> {
    let mut bytes = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n".to_vec();
    let packet = |kind: u16, events: &[Event], bytes: &mut Vec<u8>| {
        bytes.extend(kind.to_le_bytes());
        bytes.extend([1, 0]);
        let count = events.len() as u32;
        for word in [8, 4, 0, count, count, count] {
            bytes.extend(word.to_le_bytes());
        }
        for &(t, x, y, p) in events {
            bytes.extend((u32::from(x) << 17 | u32::from(y) << 2 | u32::from(p) << 1 | 1).to_le_bytes());
            bytes.extend((t as u32).to_le_bytes());
        }
    };
    packet(0, &events[..1], &mut bytes);
    events.chunks(9).for_each(|events| packet(1, events, &mut bytes));
    bytes
}

fn dat(events: &[Event]) -> Vec<u8> {
    let mut bytes = b"% Data file containing Event2D events.\n% Version 2\n\x00\x08".to_vec();
    for &(t, x, y, p) in events {
        bytes.extend((t as u32).to_le_bytes());
        bytes.extend((u32::from(p) << 28 | u32::from(y) << 14 | u32::from(x)).to_le_bytes());
    }
    bytes
}

fn stream(sensor: SensorSize, events: &[Event]) -> EventStream {
    EventStream::new(
        sensor,
        events.iter().map(|e| e.0).collect(),
        events.iter().map(|e| e.1).collect(),
        events.iter().map(|e| e.2).collect(),
        events.iter().map(|e| e.3).collect(),
    )
    .unwrap()
}

fn zip(files: &[(String, Vec<u8>)], deflate: bool) -> Vec<u8> {
    let method = if deflate { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, data) in files {
        zip.start_file(name, options).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn write(folder: &Path, files: &[(String, Vec<u8>)]) {
    for (name, data) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, data).unwrap();
    }
}

/// A manifest with the sizes of a stand-in.
fn small(name: &str, split: &str, parts: &[(&str, u64)]) -> Manifest {
    let mut manifest = manifest(name);
    for scheme in &mut manifest.splits {
        if scheme.name == split {
            scheme.parts =
                parts.iter().map(|(part, size)| (part.to_string(), Stated::Value(*size))).collect();
        }
    }
    manifest
}

/// Opens a stand-in in each of the forms in which it is stored, and checks that the recordings are the same.
fn same_everywhere(
    manifest: &Manifest,
    ways: &[PathBuf],
    expected: &[(&str, usize, EventStream)],
) -> EventSet {
    let mut sets = ways.iter().map(|path| {
        let set = EventSet::open(manifest.clone(), path, SetOptions::default()).unwrap();
        let names: Vec<&str> = (0..set.len()).map(|i| set.name(i)).collect();
        let expected_names: Vec<&str> = expected.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, expected_names, "{}", path.display());
        for (i, (_, label, stream)) in expected.iter().enumerate() {
            assert_eq!(set.label(i), *label);
            assert_eq!(set.read(i).unwrap().events(), stream.events(), "{} {}", path.display(), set.name(i));
        }
        set
    });
    let first = sets.next().unwrap();
    sets.for_each(drop);
    first
}

#[test]
fn n_mnist_from_its_two_zips_or_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let sensor = SensorSize { width: 34, height: 34 };
    let files = |part: &str, from: usize| -> Vec<(String, Vec<u8>)> {
        (from..from + 4).map(|i| (format!("{part}/{}/{i:05}.bin", i % 3), atis(&events(i)))).collect()
    };
    let (train, test) = (files("Train", 10), files("Test", 20));
    let (zips, unpacked) = (folder.path().join("zips"), folder.path().join("unpacked"));
    write(&zips, &[("Train.zip".into(), zip(&train, true)), ("Test.zip".into(), zip(&test, false))]);
    write(&unpacked.join("N-MNIST"), &train);
    write(&unpacked.join("N-MNIST"), &test);
    let expected: Vec<(String, usize, EventStream)> = [("test", 20), ("train", 10)]
        .into_iter()
        .flat_map(|(part, from)| {
            let mut of_part: Vec<_> = (from..from + 4)
                .map(|i| (format!("{part}/{}/{i:05}", i % 3), i % 3, stream(sensor, &events(i))))
                .collect();
            of_part.sort_by(|a, b| a.0.cmp(&b.0));
            of_part
        })
        .collect();
    let expected: Vec<(&str, usize, EventStream)> =
        expected.iter().map(|(name, label, stream)| (name.as_str(), *label, stream.clone())).collect();
    let manifest = small("n-mnist", "official", &[("train", 4), ("test", 4)]);
    let set = same_everywhere(&manifest, &[zips, unpacked], &expected);
    let parts = set.parts(None, &catalogue()).unwrap();
    assert_eq!(parts["test"], [0, 1, 2, 3]);
    assert_eq!(parts["train"], [4, 5, 6, 7]);
    assert_eq!(set.per_class()[..4], [2, 3, 3, 0]);
}

#[test]
fn dvs_cifar10_from_its_zips_with_both_splits_and_orientations() {
    let folder = tempfile::tempdir().unwrap();
    let sensor = SensorSize { width: 128, height: 128 };
    let classes = ["airplane", "bird"];
    let files = |class: &str| -> Vec<(String, Vec<u8>)> {
        (0..20).map(|i| (format!("{class}/cifar10_{class}_{i}.aedat"), aedat2(&events(i)))).collect()
    };
    let (zips, unpacked) = (folder.path().join("zips"), folder.path().join("unpacked"));
    for class in classes {
        write(&zips, &[(format!("{class}.zip"), zip(&files(class), true))]);
        write(&unpacked, &files(class));
    }
    let expected: Vec<(String, usize, EventStream)> = classes
        .iter()
        .flat_map(|class| {
            let label = usize::from(*class == "bird") * 2;
            (0..20).map(move |i| (format!("{class}/cifar10_{class}_{i}"), label, stream(sensor, &events(i))))
        })
        .collect();
    let expected: Vec<(&str, usize, EventStream)> =
        expected.iter().map(|(name, label, stream)| (name.as_str(), *label, stream.clone())).collect();
    let manifest = small("dvs-cifar10", "first-90", &[("train", 36), ("test", 4)]);
    let set = same_everywhere(&manifest, &[zips.clone(), unpacked.clone()], &expected);
    // In numeric, not alphabetical order: 18 and 19, not 8 and 9.
    assert_eq!(set.parts(Some("first-90"), &catalogue()).unwrap()["test"], [18, 19, 38, 39]);

    // The stored split is for the whole data set, and the error says so.
    let error = set.parts(None, &catalogue()).unwrap_err().to_string();
    assert!(error.contains("is the download complete?"), "{error}");
    let lenient = SetOptions { strict: false, ..SetOptions::default() };
    let parts = EventSet::open(manifest.clone(), &zips, lenient).unwrap().parts(None, &catalogue()).unwrap();
    assert_eq!(parts["train"].len() + parts["test"].len(), 40);

    let flipped = SetOptions { orientation: Orientation::Spikingjelly, ..SetOptions::default() };
    let flipped = EventSet::open(manifest, &unpacked, flipped).unwrap().read(3).unwrap();
    for (i, (t, x, y, p)) in events(3).into_iter().enumerate() {
        let e = flipped.events();
        assert_eq!((e.t[i], e.x[i], e.y[i], e.p[i]), (t, 127 - y, 127 - x, 1 - p));
    }
}

#[test]
fn n_caltech101_from_a_zip_in_a_zip_without_its_annotations() {
    let folder = tempfile::tempdir().unwrap();
    let sensor = SensorSize { width: 240, height: 180 };
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for class in ["accordion", "yin_yang"] {
        for i in 1..=10 {
            files.push((format!("Caltech101/{class}/image_{i:04}.bin"), atis(&events(i))));
            files.push((format!("Caltech101_annotations/{class}/annotation_{i:04}.bin"), vec![1; 40]));
        }
    }
    let (zips, unpacked) = (folder.path().join("zips"), folder.path().join("unpacked"));
    let inner = zip(&files, true);
    write(&zips, &[("N-Caltech101-archive.zip".into(), zip(&[("Caltech101.zip".into(), inner)], false))]);
    write(&unpacked, &files);
    let expected: Vec<(String, usize, EventStream)> = [("accordion", 4), ("yin_yang", 100)]
        .iter()
        .flat_map(|(class, label)| {
            (1..=10).map(move |i| (format!("{class}/image_{i:04}"), *label, stream(sensor, &events(i))))
        })
        .collect();
    let expected: Vec<(&str, usize, EventStream)> =
        expected.iter().map(|(name, label, stream)| (name.as_str(), *label, stream.clone())).collect();
    let manifest = small("n-caltech101", "first-90", &[("train", 18), ("test", 2)]);
    let archive = zips.join("N-Caltech101-archive.zip");
    let set = same_everywhere(&manifest, &[zips, archive, unpacked], &expected);
    assert_eq!(set.parts(Some("first-90"), &catalogue()).unwrap()["test"], [9, 19]);
}

#[test]
fn n_cars_from_zips_in_a_zip() {
    let folder = tempfile::tempdir().unwrap();
    let sensor = SensorSize { width: 120, height: 100 };
    let files = |part: &str| -> Vec<(String, Vec<u8>)> {
        ["background", "cars"]
            .iter()
            .map(|class| (format!("{part}/{class}/obj_{part}_td.dat"), dat(&events(class.len()))))
            .collect()
    };
    let parts = [("n-cars_train.zip", "train"), ("n-cars_test.zip", "test")];
    let outer: Vec<(String, Vec<u8>)> =
        parts.iter().map(|(name, part)| (format!("n_cars/{name}"), zip(&files(part), true))).collect();
    let zips = folder.path().join("zips");
    write(&zips, &[("Prophesee_Dataset_n_cars.zip".into(), zip(&outer, true))]);
    let unpacked = folder.path().join("unpacked");
    write(&unpacked, &files("n-cars_train"));
    write(&unpacked, &files("n-cars_test"));
    let set = |path: &Path| {
        let manifest = small("n-cars", "official", &[("train", 2), ("test", 2)]);
        EventSet::open(manifest, path, SetOptions::default()).unwrap()
    };
    for set in [set(&zips), set(&unpacked)] {
        assert_eq!(set.per_class(), [2, 2]);
        let parts = set.parts(None, &catalogue()).unwrap();
        for index in parts.values().flatten().copied() {
            let class = set.manifest().classes.names().unwrap()[set.label(index)].len();
            assert_eq!(set.read(index).unwrap().events(), stream(sensor, &events(class)).events());
        }
        assert!(parts["test"].iter().all(|&i| set.name(i).starts_with("test/")));
    }
}

#[test]
fn dvs128_gesture_is_cut_by_its_tables() {
    let folder = tempfile::tempdir().unwrap();
    let sensor = SensorSize { width: 128, height: 128 };
    let table = "class,startTime_usec,endTime_usec\n2,1000,20000\n11,20000,39500\n";
    let mut files: Vec<(String, Vec<u8>)> = vec![
        ("DvsGesture/trials_to_train.txt".into(), b"user01_led.aedat\r\nuser02_lab.aedat\r\n".to_vec()),
        ("DvsGesture/trials_to_test.txt".into(), b"user24_led.aedat\n\n".to_vec()),
    ];
    for (number, trial) in ["user01_led", "user02_lab", "user24_led"].into_iter().enumerate() {
        files.push((format!("DvsGesture/{trial}.aedat"), aedat31(&events(number))));
        files.push((format!("DvsGesture/{trial}_labels.csv"), table.into()));
    }
    write(folder.path(), &files);
    let manifest = small("dvs128-gesture", "official", &[("train", 4), ("test", 2)]);
    let set = EventSet::open(manifest.clone(), folder.path(), SetOptions::default()).unwrap();
    let names: Vec<&str> = (0..set.len()).map(|i| set.name(i)).collect();
    assert_eq!(names[..2], ["test/user24_led/01", "test/user24_led/02"]);
    assert_eq!(names[2..4], ["train/user01_led/01", "train/user01_led/02"]);
    assert_eq!((set.label(0), set.label(1)), (1, 10));
    let cut: Vec<Event> = events(2).into_iter().filter(|e| (20000..39500).contains(&e.0)).collect();
    assert!(cut.len() > 10 && cut.len() < 40);
    assert_eq!(set.read(1).unwrap().events(), stream(sensor, &cut).events());
    assert_eq!(set.parts(None, &catalogue()).unwrap()["train"], [2, 3, 4, 5]);

    let bad = folder.path().join("DvsGesture/user02_lab_labels.csv");
    std::fs::write(&bad, "class,startTime_usec,endTime_usec\n12,1,2\n").unwrap();
    let error = EventSet::open(manifest, folder.path(), SetOptions::default()).unwrap_err().to_string();
    assert!(error.contains("user02_lab_labels.csv:2: `12,1,2`"), "{error}");
    std::fs::write(&bad, "class,startTime_usec,endTime_usec\n1,1,2\n0,3,4\n").unwrap();
    let error =
        EventSet::open(small("dvs128-gesture", "official", &[]), folder.path(), SetOptions::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("user02_lab_labels.csv: gesture 2 has class 0; they are 1 to 11"), "{error}");
}

/// Parts of the file that do not contain the gesture are skipped, whatever the order of their times.
#[test]
fn a_gesture_is_the_same_from_its_part_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<Event> = (0..30_000u32)
        .map(|i| {
            let now = if (9000..18_000).contains(&i) { 27_000 - i } else { i };
            (i64::from(now) * 10, (i % 128) as u16, (i / 128 % 128) as u16, (i % 2) as u8)
        })
        .collect();
    let table =
        "class,startTime_usec,endTime_usec\n1,0,40000\n2,95000,180000\n3,170000,170010\n4,400000,500000\n";
    let whole = aedat31(&all);
    let mut cut = whole.clone();
    cut.truncate(whole.len() - 3);
    write(
        folder.path(),
        &[
            ("trials_to_train.txt".into(), b"whole.aedat\n".to_vec()),
            ("trials_to_test.txt".into(), b"cut.aedat\n".to_vec()),
            ("whole.aedat".into(), whole),
            ("whole_labels.csv".into(), table.into()),
            ("cut.aedat".into(), cut),
            ("cut_labels.csv".into(), table.into()),
        ],
    );
    let set = EventSet::open(manifest("dvs128-gesture"), folder.path(), SetOptions::default()).unwrap();
    let spans = [(0, 40_000), (95_000, 180_000), (170_000, 170_010), (400_000, 500_000)];
    for (i, (start, end)) in spans.into_iter().enumerate() {
        let mut expected: Vec<Event> = all.iter().filter(|e| (start..end).contains(&e.0)).copied().collect();
        expected.sort_by_key(|e| e.0);
        assert_eq!(expected.is_empty(), i == 3);
        let sensor = SensorSize { width: 128, height: 128 };
        assert_eq!(
            set.read(4 + i).unwrap().events(),
            stream(sensor, &expected).events(),
            "{}",
            set.name(4 + i)
        );
        // A truncated file is an error wherever the gesture is.
        let error = set.read(i).unwrap_err();
        assert!(matches!(error, EventError::File { event: 29_999, .. }), "{error}");
    }
}

#[test]
fn asl_dvs_from_zips_in_zips_or_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        std::fs::read(path).unwrap()
    };
    let contents = [fixture("standin_asl_dvs.mat"), fixture("standin_asl_dvs_plain.mat")];
    let files = |letter: &str| -> Vec<(String, Vec<u8>)> {
        (1..=5).map(|i| (format!("{letter}/{letter}_{i:04}.mat"), contents[i % 2].clone())).collect()
    };
    let letters: Vec<(String, Vec<u8>)> = ["a", "y"]
        .iter()
        .map(|letter| (format!("ICCV2019/{letter}.zip"), zip(&files(letter), true)))
        .collect();
    let publisher = zip(&letters, false);
    let (mirror, zips) = (folder.path().join("mirror"), folder.path().join("zips"));
    write(
        &mirror,
        &[("ASLDVS.zip".into(), zip(&[("ICCV2019_DVS_dataset.zip".into(), publisher.clone())], true))],
    );
    write(&zips, &[("ICCV2019_DVS_dataset.zip".into(), publisher)]);
    let unpacked = folder.path().join("unpacked");
    write(&unpacked, &[files("a"), files("y")].concat());

    let sensor = SensorSize { width: 240, height: 180 };
    let events: Vec<Event> = (0..40)
        .map(|i| (i * 1000 + 500, (i * 37 % 240) as u16, (i * 53 % 180) as u16, (i % 2) as u8))
        .collect();
    let expected: Vec<(String, usize, EventStream)> = [("a", 0), ("y", 23)]
        .iter()
        .flat_map(|(letter, label)| (1..=5).map(move |i| (format!("{letter}/{letter}_{i:04}"), *label)))
        .map(|(name, label)| (name, label, stream(sensor, &events)))
        .collect();
    let expected: Vec<(&str, usize, EventStream)> =
        expected.iter().map(|(name, label, stream)| (name.as_str(), *label, stream.clone())).collect();
    let manifest = small("asl-dvs", "first-80", &[("train", 8), ("test", 2)]);
    let set = same_everywhere(&manifest, &[mirror, zips, unpacked.clone()], &expected);
    assert_eq!(set.parts(None, &catalogue()).unwrap()["test"], [4, 9]);

    let flipped = SetOptions { orientation: Orientation::Spikingjelly, ..SetOptions::default() };
    let flipped = EventSet::open(manifest.clone(), &unpacked, flipped).unwrap().read(0).unwrap();
    for (i, &(t, x, y, p)) in events.iter().enumerate() {
        let e = flipped.events();
        assert_eq!((e.t[i], e.x[i], e.y[i], e.p[i]), (t, 239 - x, 179 - y, p));
    }

    let cut = &contents[0][..contents[0].len() - 9];
    write(&unpacked, &[("a/a_0001.mat".into(), cut.to_vec())]);
    let error =
        EventSet::open(manifest, &unpacked, SetOptions::default()).unwrap().read(0).unwrap_err().to_string();
    assert!(error.contains("a_0001.mat: byte") && error.contains("fetch it again"), "{error}");
}

/// The remains of a full disk or a failed copy: an error that names the file, even if faulty events are
/// dropped.
#[test]
fn recordings_of_no_bytes_or_of_another_kind_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xf3\xf2\xf1\xf0\xef".to_vec();
    write(
        folder.path(),
        &[
            ("Train/0/00001.bin".into(), atis(&events(1))),
            ("Train/0/00002.bin".into(), Vec::new()),
            ("Train/0/00003.bin".into(), gzip),
            ("Train/0/00004.bin".into(), vec![0; 500]),
            // macOS's companion of a file, in an archive created there.
            ("Train/0/._00001.bin".into(), b"\0\x05\x16\x07".to_vec()),
        ],
    );
    for lenient in [false, true] {
        let options = SetOptions { strict: false, lenient, ..SetOptions::default() };
        let set = EventSet::open(manifest("n-mnist"), folder.path(), options).unwrap();
        assert_eq!(set.len(), 4);
        assert_eq!(set.read(0).unwrap(), stream(set.sensor(), &events(1)));
        for (index, name, problem) in [
            (1, "00002.bin", "the file is empty"),
            (2, "00003.bin", "this is a gzip archive"),
            (3, "00004.bin", "only zeros"),
        ] {
            let found = set.read(index).unwrap_err().to_string();
            assert!(found.contains(name) && found.contains(problem), "{found}");
        }
    }
}

#[test]
fn faulty_events_are_dropped_and_counted_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let whole = atis(&events(1));
    let with_bad = [&whole[..], &[33, 33, 0, 0, 0, 34, 0, 0, 0, 1][..]].concat();
    write(
        folder.path(),
        &[
            ("Train/0/00001.bin".into(), whole.clone()),
            ("Train/0/00002.bin".into(), with_bad),
            ("Train/0/00003.bin".into(), whole[..whole.len() - 2].to_vec()),
        ],
    );
    let open = |lenient| {
        let options = SetOptions { strict: false, lenient, ..SetOptions::default() };
        EventSet::open(manifest("n-mnist"), folder.path(), options).unwrap()
    };
    let strict = open(false);
    let problem = strict.read(1).unwrap_err().to_string();
    assert!(problem.contains(&format!("byte {}", whole.len() + 5)), "{problem}");
    assert!(problem.contains("x = 34, y = 0, outside of a sensor of 34 x 34"), "{problem}");
    assert!(problem.contains("data.bad_events"), "{problem}");
    assert!(strict.read(2).is_err());
    assert_eq!(strict.left_out().recordings, 0);

    let lenient = open(true);
    for _epoch in 0..2 {
        assert_eq!([0, 1, 2].map(|index| lenient.read(index).unwrap().len()), [40, 41, 39]);
    }
    let left_out = lenient.left_out();
    assert_eq!((left_out.recordings, left_out.events, left_out.cut), (2, 1, 1));
    let (name, first) = left_out.first.clone().unwrap();
    assert_eq!((name.as_str(), first.bad_events.unwrap().count), ("train/0/00002", 1));
    let line = left_out.to_string();
    assert!(
        line.starts_with(
            "2 recordings are faulty: 1 event left out, 1 recording cut; the first, train/0/00002:"
        ),
        "{line}"
    );
}

#[test]
fn wrong_places_and_cut_recordings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| EventSet::open(manifest(name), folder.path(), SetOptions::default());
    std::fs::write(folder.path().join("something.txt"), "else").unwrap();
    let error = open("n-mnist").unwrap_err().to_string();
    assert!(error.contains("something.txt") && error.contains("is a recording of N-MNIST"), "{error}");
    let error = open("shd").unwrap_err().to_string();
    assert!(error.contains("HDF5"), "{error}");
    let mut bytes = atis(&events(1));
    bytes.pop();
    write(folder.path(), &[("Train/3/00001.bin".into(), bytes)]);
    let set = open("n-mnist").unwrap();
    let error = set.read(0).unwrap_err();
    assert!(matches!(error, EventError::File { event: 39, .. }));
    assert!(error.to_string().contains("00001.bin: byte") && error.to_string().contains("cut"), "{error}");
    let error = set.parts(None, &catalogue()).unwrap_err().to_string();
    assert!(error.contains("has 0 samples where the manifest states 10000"), "{error}");
    let error = set.parts(Some("oficial"), &catalogue()).unwrap_err().to_string();
    assert!(error.contains("did you mean `official`?"), "{error}");
}

/// SpikingJelly's archive of a recording.
fn npz(events: &[Event]) -> Vec<u8> {
    let recording = stream(SensorSize { width: 128, height: 128 }, events);
    tks_events::formats::write_bytes(recording.events(), tks_events::formats::Format::Npz).unwrap()
}

#[test]
fn spikingjellys_recordings_are_read_the_way_up_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = folder.path().join("events_np/bird");
    std::fs::create_dir_all(&recordings).unwrap();
    for number in 0..3 {
        std::fs::write(recordings.join(format!("cifar10_bird_{number}.NPZ")), npz(&events(number))).unwrap();
    }
    let frames = folder.path().join("frames_number_10_split_by_number/bird");
    std::fs::create_dir_all(&frames).unwrap();
    std::fs::write(frames.join("cifar10_bird_0.npz"), b"frames").unwrap();
    std::fs::write(folder.path().join("._notes"), b"").unwrap();
    std::fs::create_dir_all(folder.path().join("events_np/dodo")).unwrap();
    std::fs::write(folder.path().join("events_np/dodo/cifar10_dodo_0.npz"), b"none").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", recordings.join("cifar10_bird_9.npz")).unwrap();
    let open = |orientation| {
        let options = SetOptions { strict: false, orientation, ..SetOptions::default() };
        EventSet::open(manifest("dvs-cifar10"), folder.path(), options).unwrap()
    };
    let set = open(Orientation::Spikingjelly);
    assert_eq!((set.len(), set.name(1)), (3, "bird/cifar10_bird_1"));
    let sensor = SensorSize { width: 128, height: 128 };
    assert_eq!(set.read(1).unwrap().events(), stream(sensor, &events(1)).events());
    let stored: Vec<Event> = events(1).iter().map(|&(t, x, y, p)| (t, 127 - y, 127 - x, 1 - p)).collect();
    assert_eq!(open(Orientation::Stored).read(1).unwrap().events(), stream(sensor, &stored).events());

    let lost: Vec<String> =
        set.passed_over().iter().filter(|files| files.is_lost).map(ToString::to_string).collect();
    assert!(
        lost.iter().any(|files| files.contains("not a class") && files.contains("cifar10_dodo_0")),
        "{lost:?}"
    );
    if cfg!(unix) {
        assert!(lost.iter().any(|files| files.contains("link to nothing")), "{lost:?}");
    }
    let other: Vec<String> = set.passed_over().iter().map(ToString::to_string).collect();
    assert!(other.iter().any(|files| files.contains("SpikingJelly's frames")), "{other:?}");
    assert!(other.iter().any(|files| files.contains("operating system")), "{other:?}");

    std::fs::remove_dir_all(folder.path().join("events_np")).unwrap();
    let options = SetOptions { strict: false, ..SetOptions::default() };
    let problem = EventSet::open(manifest("dvs-cifar10"), folder.path(), options).unwrap_err().to_string();
    assert!(problem.contains("events_np") && problem.contains("slicing"), "{problem}");
}
