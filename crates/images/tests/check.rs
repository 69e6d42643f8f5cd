//! The check reports all faults of a data set: each kind of damage is found, and nothing else.

mod common;

use std::path::Path;

use common::{cifar10_batch, fixture, jpeg, write, write_cifar10};
use tks_images::OpenOptions;
use tks_images::datasets::{CheckOptions, CheckReport, ProblemKind, check, check_folder, manifest};

fn partial() -> CheckOptions {
    CheckOptions {
        open: OpenOptions { accept_counts: true, ..OpenOptions::default() },
        ..CheckOptions::default()
    }
}

/// The entries and messages of a kind, in a part.
fn problems(report: &CheckReport, part: &str, kind: ProblemKind) -> Vec<(String, String)> {
    let part = report.parts.iter().find(|found| found.part == part).unwrap();
    let listed = part.problems.iter().filter(|problem| problem.kind == kind);
    listed.map(|problem| (problem.entry.clone(), problem.message.clone())).collect()
}

fn count(report: &CheckReport, part: &str, kind: ProblemKind) -> u64 {
    let part = report.parts.iter().find(|found| found.part == part).unwrap();
    part.counts.get(&kind).copied().unwrap_or(0)
}

#[test]
fn the_digits_that_ship_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/digits");
    let report = check("digits", &folder, &CheckOptions::default()).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let images: Vec<u64> = report.parts.iter().map(|part| part.images).collect();
    assert_eq!(images, [359, 1438]);
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<CheckReport>(&text).unwrap(), report);
}

#[test]
fn wrong_labels_counts_and_duplicates_of_cifar10_are_found() {
    let folder = tempfile::tempdir().unwrap();
    write_cifar10(folder.path(), 4);
    let mut batch = cifar10_batch(4, 4);
    batch[0] = 11;
    // the second record's pixels are those of the first batch's third, under another class
    let same = cifar10_batch(2, 1);
    batch[3073 + 1..2 * 3073].copy_from_slice(&same[1..]);
    write(folder.path(), "cifar-10-batches-bin/data_batch_2.bin", &batch);
    // and an image of the test part is the first of the training part
    let mut test = cifar10_batch(20, 4);
    test[..3073].copy_from_slice(&cifar10_batch(0, 1));
    write(folder.path(), "cifar-10-batches-bin/test_batch.bin", &test);

    let report = check("cifar10", folder.path(), &partial()).unwrap();
    assert!(!report.is_sound());
    let range = problems(&report, "train", ProblemKind::LabelRange);
    assert_eq!(range.len(), 1);
    assert!(
        range[0].0.ends_with("data_batch_2.bin record 0") && range[0].1.contains("label 11"),
        "{range:?}"
    );
    let within = problems(&report, "train", ProblemKind::DuplicateWithin);
    assert_eq!(within.len(), 1, "{within:?}");
    assert!(
        within[0].1.contains("data_batch_1.bin record 2") && within[0].1.contains("class 5 here, 2 there")
    );
    // the parts are checked in the order of their names: the training part after the test part
    let across = problems(&report, "train", ProblemKind::DuplicateAcrossParts);
    assert_eq!(across.len(), 1, "{across:?}");
    assert!(across[0].1.contains("test_batch.bin record 0 of `test`, both of class 0"));
    assert_eq!(problems(&report, "test", ProblemKind::Count)[0].1, "4 images, not 10000");
    assert_eq!(count(&report, "test", ProblemKind::ClassCount), 10);
    let classes = &report.parts.iter().find(|part| part.part == "train").unwrap().classes;
    assert_eq!(classes.iter().map(|class| class.images).sum::<u64>(), 19);

    let short = CheckOptions { max_listed: 3, ..partial() };
    let report = check("cifar10", folder.path(), &short).unwrap();
    assert_eq!(problems(&report, "test", ProblemKind::ClassCount).len(), 3);
    assert_eq!(count(&report, "test", ProblemKind::ClassCount), 10);
}

#[test]
fn a_part_that_cannot_be_walked_says_why() {
    let folder = tempfile::tempdir().unwrap();
    write_cifar10(folder.path(), 4);
    std::fs::remove_file(folder.path().join("cifar-10-batches-bin/test_batch.bin")).unwrap();
    let report = check("cifar10", folder.path(), &partial()).unwrap();
    let failure = report.parts.iter().find(|part| part.part == "test").unwrap().failure.clone().unwrap();
    assert!(failure.contains("no `test_batch.bin` nor `test_batch` here"), "{failure}");
    assert!(!report.is_sound());
}

#[test]
fn missing_unreadable_and_mislabelled_images_are_found() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "train_list.mat", fixture("dogs_train_list.mat"));
    write(folder.path(), "test_list.mat", fixture("dogs_test_list.mat"));
    let whole = jpeg(1);
    write(folder.path(), "Images/n02085620-Chihuahua/n02085620_5927.jpg", &whole);
    write(folder.path(), "Images/n02085620-Chihuahua/n02085620_4441.jpg", &jpeg(2)[..jpeg(2).len() - 20]);
    write(folder.path(), "Images/n02085782-Japanese_spaniel/n02085782_1039.jpg", b"<html>not found</html>");
    write(folder.path(), "Images/n02085620-Chihuahua/n02085620_2650.jpg", jpeg(3));
    write(folder.path(), "Images/n02116738-African_hunting_dog/n02116738_9844.jpg", jpeg(4));
    let report = check("stanford-dogs", folder.path(), &partial()).unwrap();
    let missing = problems(&report, "train", ProblemKind::Missing);
    assert_eq!(missing.len(), 1);
    assert!(missing[0].0.ends_with("n02116738_10024.jpg") && missing[0].1.contains("train_list.mat"));
    let unreadable = problems(&report, "train", ProblemKind::Unreadable);
    assert_eq!(unreadable.len(), 2, "{unreadable:?}");
    assert!(unreadable[0].0.ends_with("n02085620_4441.jpg") && unreadable[0].1.contains("the file is cut"));
    assert!(unreadable[1].1.contains("a web page, which is not read"));
    assert_eq!(
        count(&report, "test", ProblemKind::Unreadable) + count(&report, "test", ProblemKind::Missing),
        0
    );
    // files are only read, if so requested
    let fast = CheckOptions { decode: false, ..partial() };
    assert_eq!(
        count(&check("stanford-dogs", folder.path(), &fast).unwrap(), "train", ProblemKind::Unreadable),
        0
    );

    let birds = tempfile::tempdir().unwrap();
    let names = manifest("cub-200-2011").unwrap().classes.names().unwrap().to_vec();
    write(birds.path(), "images.txt", format!("1 {}/a.jpg\n2 {}/b.jpg\n", names[0], names[1]));
    write(birds.path(), "image_class_labels.txt", "1 1\n2 3\n");
    write(birds.path(), "train_test_split.txt", "1 1\n2 1\n");
    write(birds.path(), &format!("images/{}/a.jpg", names[0]), jpeg(1));
    write(birds.path(), &format!("images/{}/b.jpg", names[1]), jpeg(2));
    let report = check("cub-200-2011", birds.path(), &partial()).unwrap();
    let wrong = problems(&report, "train", ProblemKind::Mislabelled);
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].0.ends_with("b.jpg") && wrong[0].1.contains("002.Laysan_Albatross"), "{wrong:?}");
}

#[test]
fn a_folder_of_images_is_checked_across_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "train/cat/1.jpg", jpeg(1));
    write(folder.path(), "train/dog/2.jpg", jpeg(2));
    write(folder.path(), "val/cat/3.jpg", jpeg(2));
    let report = check_folder(folder.path(), &["train", "val"], &CheckOptions::default()).unwrap();
    let across = problems(&report, "val", ProblemKind::DuplicateAcrossParts);
    assert_eq!(across.len(), 1);
    assert!(across[0].1.contains("train/dog/2.jpg"), "{across:?}");
    assert_eq!(problems(&report, "val", ProblemKind::MissingClass)[0].0, "dog");
    assert!(!report.is_sound());
}
