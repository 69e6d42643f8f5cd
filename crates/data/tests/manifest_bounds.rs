//! Manifests, catalogues and splits: each rule at its bounds, and the written form of values.

use std::path::Path;

use tks_data::manifest::{
    Address, Checksum, Classes, Manifest, PerSample, SampleSize, Size, SplitRule, SplitScheme, Stated,
};
use tks_data::split::{StoredSplit, check_sizes, first_of_class, natural};
use tks_data::{Catalogue, DataError};

/// A manifest with one field changed, before it is checked.
fn changed(change: impl FnOnce(&mut Manifest)) -> Manifest {
    let text = r#"
version = 1
name = "toy-1.2_x"
title = "Toy"
kind = "images"
layout = "toy"
size = { width = 3, height = 4 }
channels = 2
classes = ["zero", "one"]
page = "https://example.org/toy"
licence = "unknown"
citation = "none"
mean = [0.5, 0.25]
std = [0.5, 0.25]
splits = [{ name = "official", rule = "official", parts = { train = 6 } }]
files = [{ name = "a/toy.zip", url = "shipped", size = 123, checksums = [] }]
"#;
    let mut manifest = Manifest::parse(text, Path::new("a file without an end")).unwrap();
    change(&mut manifest);
    manifest
}

/// The field and message of its error, or nothing.
fn fault(manifest: &Manifest, path: &str) -> String {
    match manifest.check(Path::new(path)) {
        Ok(()) => String::new(),
        Err(DataError::Manifest { field, message, .. }) => format!("{field}: {message}"),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn each_rule_of_a_manifest_is_kept_at_its_bounds() {
    type Case = (fn(&mut Manifest), &'static str);
    let cases: [Case; 28] = [
        (|_| {}, ""),
        (|m| m.name = String::new(), "name: `` should be of small letters, digits, `-`, `_` and `.`"),
        (|m| m.name = "a b".into(), "name: `a b` should be of small letters, digits, `-`, `_` and `.`"),
        (|m| m.classes = Classes::Count(0), "classes: there should be at least one"),
        (|m| m.classes = Classes::Count(1), ""),
        (|m| m.classes = Classes::Names(vec![]), "classes: there should be at least one"),
        (
            |m| m.classes = Classes::Names(vec!["b".into(), "a".into(), "b".into()]),
            "classes: `b` stands there twice",
        ),
        (|m| m.splits.clear(), "splits: there should be at least one"),
        (|m| m.splits.push(m.splits[0].clone()), "splits: `official` stands there twice"),
        (|m| m.splits[0].parts.clear(), "splits: `official` has no parts"),
        (|m| m.splits[0].rule = SplitRule::FirstOfClass(0.0), ""),
        (|m| m.splits[0].rule = SplitRule::FirstOfClass(1.0), ""),
        (
            |m| m.splits[0].rule = SplitRule::FirstOfClass(-0.5),
            "splits: first-of-class = -0.5 should lie within 0 and 1",
        ),
        (
            |m| m.splits[0].rule = SplitRule::FirstOfClass(f64::NAN),
            "splits: first-of-class = NaN should lie within 0 and 1",
        ),
        (|m| m.files.push(m.files[0].clone()), "files: `a/toy.zip` stands there twice"),
        (|m| m.files[0].name = String::new(), "files: `` is no path within the data set's folder"),
        (|m| m.files[0].name = "a//b".into(), "files: `a//b` is no path within the data set's folder"),
        (|m| m.files[0].name = "/b".into(), "files: `/b` is no path within the data set's folder"),
        (|m| m.files[0].name = "a/..".into(), "files: `a/..` is no path within the data set's folder"),
        (
            |m| m.files[0].name = "a\\..\\b".into(),
            "files: `a\\..\\b` is no path within the data set's folder",
        ),
        (|m| m.files[0].name = "a..b".into(), ""),
        (|m| m.mean = None, ""),
        (|m| m.mean = Some(vec![0.0, -1.0]), ""),
        (|m| m.mean = Some(vec![0.5]), "mean: there should be a finite number for each of 2 channels"),
        (
            |m| m.mean = Some(vec![0.5, f32::NAN]),
            "mean: there should be a finite number for each of 2 channels",
        ),
        (
            |m| m.std = Some(vec![0.5, 0.5, 0.5]),
            "std: there should be a finite number for each of 2 channels",
        ),
        (|m| m.std = Some(vec![0.5, 0.0]), "std: every value should be above 0"),
        (|m| m.std = Some(vec![0.5, -0.5]), "std: every value should be above 0"),
    ];
    for (change, expected) in cases {
        assert_eq!(fault(&changed(change), "a file"), expected);
    }
    let manifest = changed(|_| {});
    assert_eq!(fault(&manifest, "a/toy-1.2_x.toml"), "");
    assert_eq!(fault(&manifest, "a/toy.txt"), "", "only a TOML file is named after its data set");
    assert_eq!(
        fault(&manifest, "toy.toml"),
        "name: it is `toy-1.2_x`, which is not the manifest's file name"
    );
}

#[test]
fn values_are_what_they_say() {
    let manifest = changed(|_| {});
    assert_eq!(manifest.size.fixed(), Some(Size { width: 3, height: 4 }));
    assert_eq!(SampleSize::Varies(PerSample::Varies).fixed(), None);
    assert_eq!(manifest.classes.names().unwrap(), ["zero", "one"]);
    assert_eq!((Classes::Count(7).names(), Classes::Count(7).count()), (None, 7));
    assert_eq!((Stated::Value(3).known(), Stated::<u64>::Unknown.known()), (Some(3), None));
    assert!(manifest.split(None).is_ok());
    let error = manifest.split(Some("offical")).unwrap_err().to_string();
    assert_eq!(error, "there is no split named `offical` (did you mean `official`?); known: official");
    assert!(changed(|m| m.splits.clear()).split(None).is_err());

    let text = toml::to_string(&changed(|m| {
        m.files[0].url = Address::Http("https://example.org/x".into());
        m.files.push(m.files[0].clone());
        (m.files[1].url, m.files[1].size, m.files[1].optional) = (Address::Manual, Stated::Unknown, true);
        m.size = SampleSize::Varies(PerSample::Varies);
    }))
    .unwrap();
    for part in [
        "url = \"https://example.org/x\"",
        "url = \"manual\"",
        "size = \"unknown\"",
        "size = 123",
        "size = \"varies\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.matches("optional").count(), 1, "only what differs from the default is written");
    let shipped = toml::to_string(&manifest).unwrap();
    assert!(shipped.contains("url = \"shipped\""), "{shipped}");
    let negative = shipped.replace("size = 123", "size = -1");
    let error = Manifest::parse(&negative, Path::new("x")).unwrap_err().to_string();
    assert!(error.contains("it should not be negative"), "{error}");
    let zero = Manifest::parse(&shipped.replace("size = 123", "size = 0"), Path::new("x")).unwrap();
    assert_eq!(zero.files[0].size, Stated::Value(0));
    let error = Manifest::parse(&shipped.replace("size = 123", "size = 0.5"), Path::new("x")).unwrap_err();
    assert!(error.to_string().contains("it should be a number, or \"unknown\""), "{error}");
    for (url, is_one) in [("http://a", true), ("https://a", true), ("ftp://a", false), ("example.org", false)]
    {
        let text = shipped.replace("\"shipped\"", &format!("\"{url}\""));
        assert_eq!(Manifest::parse(&text, Path::new("x")).is_ok(), is_one, "{url}");
    }
}

#[test]
fn checksums_are_read_and_written_alike_or_refused() {
    for text in [
        "md5:900150983cd24fb0d6963f7d28e17f72",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ] {
        assert_eq!(text.parse::<Checksum>().unwrap().to_string(), text);
    }
    let bytes: [u8; 16] = std::array::from_fn(|i| i as u8 * 16 + 1);
    assert_eq!("md5:0111213141516171 8191a1b1c1d1e1f1".replace(' ', "").parse(), Ok(Checksum::Md5(bytes)));
    for text in [
        "",
        "md5",
        "900150983cd24fb0d6963f7d28e17f72",
        "sha1:900150983cd24fb0d6963f7d28e17f72",
        "md5:900150983cd24fb0d6963f7d28e17f7",
        "md5:900150983cd24fb0d6963f7d28e17f720",
        "md5:900150983cd24fb0d6963f7d28e17f7200",
        "md5:900150983cd24fb0d6963f7d28e17fxx",
        "md5:900150983cd24fb0d6963f7d28e17é",
        "sha256:900150983cd24fb0d6963f7d28e17f72",
    ] {
        let error = text.parse::<Checksum>().unwrap_err();
        assert!(error.starts_with(&format!("`{text}` is neither `md5:` with 32")), "{error}");
    }
}

#[test]
fn a_catalogue_lists_its_manifests_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str| {
        let mut manifest = changed(|_| {});
        manifest.name = name.into();
        toml::to_string(&manifest).unwrap()
    };
    for name in ["b", "a"] {
        std::fs::write(folder.path().join(format!("{name}.toml")), text(name)).unwrap();
    }
    std::fs::write(folder.path().join("readme.md"), "").unwrap();
    let catalogue = Catalogue::Folder(folder.path().into());
    assert_eq!(catalogue.names().unwrap(), ["a", "b"]);
    let names: Vec<String> = catalogue.manifests().unwrap().into_iter().map(|m| m.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(
        Catalogue::Folder(folder.path().join("none"))
            .names()
            .unwrap_err()
            .to_string()
            .contains("cannot list")
    );
    assert_eq!(Catalogue::default(), Catalogue::BuiltIn);

    let scheme = |rule| SplitScheme { name: "x".into(), rule, parts: [].into(), note: None };
    let parts = |rule| Catalogue::BuiltIn.parts(&scheme(rule), &["s"], &[0], true).unwrap_err();
    let error = parts(SplitRule::Official);
    assert!(matches!(error, DataError::Setting { field: "split", .. }), "{error}");
    assert!(error.to_string().contains("`x` is told by the data set's own files"), "{error}");
    let error = parts(SplitRule::Stored("splits/none.toml".into())).to_string();
    assert!(
        error.starts_with("there is no built-in file named `datasets/splits/none.toml`; known: "),
        "{error}"
    );
    assert!(error.contains("cifar10.toml") && error.contains("splits/"), "{error}");
}

fn toy_split() -> StoredSplit {
    StoredSplit {
        dataset: "toy".into(),
        about: "by \"hand\"".into(),
        rest: Some("train".into()),
        parts: [("test".to_string(), vec!["b/1".to_string(), "a/2".to_string()])].into(),
    }
}

#[test]
fn a_split_is_written_a_sample_a_line() {
    let split = toy_split();
    let text = split.to_toml();
    assert_eq!(
        text,
        "dataset = \"toy\"\nabout = 'by \"hand\"'\nrest = \"train\"\n\n[parts]\n\"test\" = [\n    \"b/1\",\n    \"a/2\",\n]\n"
    );
    let closed = StoredSplit { rest: None, ..split.clone() };
    assert!(!closed.to_toml().contains("rest"));
    for split in [&split, &closed] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.toml");
        std::fs::write(&path, split.to_toml()).unwrap();
        assert_eq!(&StoredSplit::read(&path).unwrap(), split);
    }
    let twice = text.replace("a/2", "b/1");
    let error = StoredSplit::parse(&twice, Path::new("s.toml")).unwrap_err().to_string();
    assert!(error.contains("the split of toy lists `b/1` twice, in `test` and in `test`"), "{error}");
    let made = StoredSplit::of_test_part("toy", "x", &["i10", "i2", "i1"], &[0, 1]);
    assert_eq!(made.parts["test"], ["i2", "i10"]);
    assert_eq!(made.rest.as_deref(), Some("train"));
}

#[test]
fn what_a_split_lists_and_nobody_has_is_counted() {
    let split = toy_split();
    for (names, others) in [(&["c"][..], Some(1)), (&["a/2"], Some(0)), (&["a/2", "b/1"], None)] {
        let found = split.assign(names, true).map_err(|error| error.to_string());
        match others {
            Some(others) => {
                let error = found.unwrap_err();
                assert!(
                    error.contains(&format!("nor are {others} others; is the download complete?")),
                    "{error}"
                );
            }
            None => assert_eq!(found.unwrap()["test"], [0, 1]),
        }
    }
    // The rest is a part even if nothing belongs to it.
    assert_eq!(split.assign(&["a/2", "b/1"], true).unwrap()["train"], [] as [usize; 0]);
    let scheme = |stated| SplitScheme {
        name: "x".into(),
        rule: SplitRule::Official,
        parts: [("test".to_string(), stated), ("other".to_string(), Stated::Value(0))].into(),
        note: None,
    };
    let parts = split.assign(&["a/2"], false).unwrap();
    for (stated, fits) in [
        (Stated::Value(1), true),
        (Stated::Value(2), false),
        (Stated::Value(0), false),
        (Stated::Unknown, true),
    ] {
        assert_eq!(check_sizes(&scheme(stated), &parts).is_ok(), fits, "{stated:?}");
    }
    let parts = first_of_class(&[0, 0, 0], 7.0);
    assert_eq!((parts["train"].len(), parts["test"].len()), (3, 0), "no more than there are");
}

/// Names as lists of letters and numbers, compared as such.
fn naive(a: &str, b: &str) -> std::cmp::Ordering {
    let key = |text: &str| {
        let mut key: Vec<(u8, u128)> = Vec::new();
        let mut within = false;
        for byte in text.bytes() {
            match key.last_mut() {
                Some((b'0', number)) if within && byte.is_ascii_digit() => {
                    *number = *number * 10 + u128::from(byte - b'0')
                }
                _ if byte.is_ascii_digit() => key.push((b'0', u128::from(byte - b'0'))),
                _ => key.push((byte, 0)),
            }
            within = byte.is_ascii_digit();
        }
        key
    };
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}

proptest::proptest! {
    #[test]
    fn natural_order_is_that_of_letters_and_numbers(a in "[a/_z0-2]{0,8}", b in "[a/_z0-2]{0,8}") {
        // A digit compared with another character, for which the order of numbers does not matter.
        proptest::prop_assert_eq!(natural(&a, &b), naive(&a, &b), "{} {}", a, b);
    }
}
