//! Splits: stored by name, by rule, never overlapping.

use std::path::Path;

use proptest::prelude::*;
use tks_data::Catalogue;
use tks_data::manifest::{SplitRule, SplitScheme, Stated};
use tks_data::split::{StoredSplit, balanced, first_of_class, natural};

#[test]
fn numbers_in_names_count_as_numbers() {
    let mut names = vec!["cat_10", "cat_2", "cat_1", "bat_3", "cat_02", "cat_2_10", "cat_2_9", "cat"];
    names.sort_by(|a, b| natural(a, b));
    assert_eq!(names, ["bat_3", "cat", "cat_1", "cat_02", "cat_2", "cat_2_9", "cat_2_10", "cat_10"]);
}

#[test]
fn a_stored_split_is_read_and_assigned_by_name() {
    let text =
        "dataset = \"toy\"\nabout = \"by hand\"\nrest = \"train\"\n[parts]\ntest = [\"b/1\", \"a/2\"]\n";
    let split = StoredSplit::parse(text, Path::new("s.toml")).unwrap();
    assert_eq!(StoredSplit::parse(&split.to_toml(), Path::new("s.toml")).unwrap(), split);
    let parts = split.assign(&["a/1", "a/2", "b/1", "b/2"], true).unwrap();
    assert_eq!(parts["test"], [1, 2]);
    assert_eq!(parts["train"], [0, 3]);
    let error = split.assign(&["a/1", "b/1"], true).unwrap_err().to_string();
    assert!(error.contains("sample `a/2`") && error.contains("complete"), "{error}");
    assert_eq!(split.assign(&["a/1", "b/1"], false).unwrap()["test"], [1]);
    let closed = StoredSplit { rest: None, ..split };
    let error = closed.assign(&["a/2", "b/1", "c/1"], true).unwrap_err().to_string();
    assert!(error.contains("sample `c/1`: it belongs to no part"), "{error}");
}

#[test]
fn overlapping_splits_are_refused() {
    for parts in ["train = [\"a\", \"b\"]\ntest = [\"c\", \"b\"]", "test = [\"b\", \"b\"]"] {
        let text = format!("dataset = \"toy\"\nabout = \"\"\n[parts]\n{parts}\n");
        let error = StoredSplit::parse(&text, Path::new("s.toml")).unwrap_err().to_string();
        assert!(error.contains("lists `b` twice") && error.contains("`test`"), "{error}");
    }
}

#[test]
fn the_reference_rule_takes_the_first_of_each_class_rounded_as_python_does() {
    // Python: round(0.9 * 45) is 40, round(0.9 * 35) is 32, round(0.9 * 10) is 9.
    let labels: Vec<usize> = [45, 35, 10].iter().enumerate().flat_map(|(c, &n)| vec![c; n]).collect();
    let parts = first_of_class(&labels, 0.9);
    let expected: Vec<usize> = (0..40).chain(45..77).chain(80..89).collect();
    assert_eq!(parts["train"], expected);
    assert_eq!(parts["train"].len() + parts["test"].len(), 90);
}

#[test]
fn a_scheme_is_followed_and_its_sizes_compared() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..20).map(|i| format!("{}/{}", i / 10, i % 10)).collect();
    let labels: Vec<usize> = (0..20).map(|i| i / 10).collect();
    let split = StoredSplit::of_test_part("toy", "seed 3", &names, &balanced(&labels, 0.9, 3)["test"]);
    std::fs::write(folder.path().join("toy.toml"), split.to_toml()).unwrap();
    let catalogue = Catalogue::Folder(folder.path().into());
    let scheme = |rule, train| SplitScheme {
        name: "x".into(),
        rule,
        parts: [("train".to_string(), train), ("test".to_string(), Stated::Unknown)].into(),
        note: None,
    };
    let stored = SplitRule::Stored("toy.toml".into());
    let parts = catalogue.parts(&scheme(stored.clone(), Stated::Value(18)), &names, &labels, true).unwrap();
    assert_eq!(parts, balanced(&labels, 0.9, 3));
    let error = catalogue.parts(&scheme(stored, Stated::Value(19)), &names, &labels, true).unwrap_err();
    assert!(error.to_string().contains("`train` has 18 samples where the manifest states 19"), "{error}");
    let first =
        catalogue.parts(&scheme(SplitRule::FirstOfClass(0.5), Stated::Value(1)), &names, &labels, false);
    assert_eq!(first.unwrap()["train"], [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]);
    assert!(catalogue.parts(&scheme(SplitRule::Official, Stated::Unknown), &names, &labels, true).is_err());
}

proptest! {
    #[test]
    fn every_rule_partitions_and_keeps_the_classes_in_proportion(
        labels in prop::collection::vec(0usize..5, 0..200), fraction in 0.0..=1.0f64, seed: u64,
    ) {
        for parts in [balanced(&labels, fraction, seed), first_of_class(&labels, fraction)] {
            let mut all: Vec<usize> = parts.values().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
            for class in 0..5 {
                let of = |part: &str| parts[part].iter().filter(|&&i| labels[i] == class).count() as f64;
                let total = of("train") + of("test");
                prop_assert!((of("train") - fraction * total).abs() <= 0.5);
            }
        }
        prop_assert_eq!(balanced(&labels, fraction, seed), balanced(&labels, fraction, seed));
    }

    #[test]
    fn natural_order_is_a_total_order(names in prop::collection::vec("[a-b0-2]{0,5}", 3)) {
        use std::cmp::Ordering::{Equal, Less};
        let (a, b, c) = (&names[0], &names[1], &names[2]);
        prop_assert_eq!(natural(a, b), natural(b, a).reverse());
        prop_assert_eq!(natural(a, b) == Equal, a == b);
        if natural(a, b) == Less && natural(b, c) == Less {
            prop_assert_eq!(natural(a, c), Less);
        }
    }
}

#[test]
fn a_seeded_split_is_the_same_for_ever() {
    // Stored splits were made in this way: this fails if a change would give different splits for the same
    // seed.
    assert_eq!(balanced(&[0; 20], 0.8, 1)["test"], [4, 10, 13, 18]);
}
