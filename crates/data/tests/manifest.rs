//! Manifests: read, validated, written back; errors that give file, line and the intended name.

use std::path::Path;

use tks_data::Catalogue;
use tks_data::manifest::{Address, Checksum, Kind, Manifest, SplitRule, Stated};

const TEXT: &str = r#"
version = 1
name = "toy"
title = "Toy"
kind = "events"
layout = "toy"
size = { width = 34, height = 34 }
channels = 2
classes = ["zero", "one"]
page = "https://example.org/toy"
licence = "CC BY 4.0"
citation = "Nobody: Toy, 2020"

[[splits]]
name = "official"
rule = "official"
parts = { train = 6, test = "unknown" }

[[splits]]
name = "first-90"
rule = { first-of-class = 0.9 }
parts = { train = 5, test = 1 }

[[splits]]
name = "balanced"
rule = { stored = "splits/toy.toml" }
parts = { train = 5, test = 1 }

[[files]]
name = "toy.zip"
url = "https://example.org/toy.zip"
size = 123
checksums = ["md5:d41d8cd98f00b204e9800998ecf8427e"]

[[files]]
name = "labels.csv"
url = "manual"
size = "unknown"
checksums = []
"#;

fn parse(text: &str) -> Result<Manifest, String> {
    Manifest::parse(text, Path::new("toy.toml")).map_err(|e| e.to_string())
}

#[test]
fn a_manifest_is_read_and_written_back() {
    let manifest = parse(TEXT).unwrap();
    assert_eq!(manifest.kind, Kind::Events);
    assert_eq!(manifest.classes.count(), 2);
    assert_eq!(manifest.split(None).unwrap().name, "official");
    assert_eq!(manifest.split(Some("first-90")).unwrap().rule, SplitRule::FirstOfClass(0.9));
    assert_eq!(manifest.splits[0].parts["test"], Stated::Unknown);
    assert_eq!(manifest.files[0].size, Stated::Value(123));
    assert!(matches!(manifest.files[0].checksums[0], Checksum::Md5(_)));
    assert_eq!(manifest.files[1].url, Address::Manual);
    let again = toml::to_string(&manifest).unwrap();
    assert_eq!(parse(&again).unwrap(), manifest);
}

#[test]
fn mistakes_are_named_with_line_and_remedy() {
    let cases = [
        ("licence = \"CC BY 4.0\"", "license = \"MIT\"", "toy.toml:11:1: unknown key `license`", "`licence`"),
        ("kind = \"events\"", "kind = \"event\"", "toy.toml:5:8: `kind` is \"event\"", "`events`"),
        ("channels = 2", "channels = \"two\"", "toy.toml:8:12: `channels` is \"two\"", "a whole number"),
        ("size = 123", "", "`size` is missing in `files[0]`", ""),
        ("size = 123", "size = \"many\"", "toy.toml:32:8: ", "a number, or \"unknown\""),
        ("\"md5:d41d8cd9", "\"md5:d41d8c", "toy.toml:33:14: ", "32 hexadecimal digits"),
        ("\"https://example.org/toy.zip\"", "\"ftp://x\"", "toy.toml:31:7: ", "`manual`"),
        ("[\"zero\", \"one\"]", "[\"zero\", \"zero\"]", "toy.toml: `classes`", "twice"),
        ("name = \"toy\"", "name = \"Toy\"", "toy.toml: `name`", "small letters"),
        ("name = \"toy\"", "name = \"tay\"", "toy.toml: `name`", "file name"),
        ("\"toy.zip\"", "\"../toy.zip\"", "toy.toml: `files`", "within"),
        ("0.9", "1.9", "toy.toml: `splits`", "within 0 and 1"),
        ("channels = 2", "channels = 2\nmean = [0.5]", "toy.toml: `mean`", "each of 2 channels"),
        ("channels = 2", "channels = 2\nstd = [0.5, 0.0]", "toy.toml: `std`", "above 0"),
    ];
    for (from, to, begins, holds) in cases {
        let error = parse(&TEXT.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(begins) && error.contains(holds), "{to}: {error}");
    }
    assert!(
        parse(TEXT)
            .unwrap()
            .split(Some("ofical"))
            .unwrap_err()
            .to_string()
            .contains("did you mean `official`?")
    );
}

#[test]
fn an_unknown_data_set_gets_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("toy.toml"), TEXT).unwrap();
    assert_eq!(Catalogue::Folder(folder.path().into()).manifest("toy").unwrap().title, "Toy");
    let error = Catalogue::Folder(folder.path().into()).manifest("toi").unwrap_err().to_string();
    assert_eq!(error, "there is no data set named `toi` (did you mean `toy`?); known: toy");
    assert!(Catalogue::Folder(folder.path().into()).manifest("../toy").is_err());
}

#[test]
fn the_built_in_data_sets_are_those_of_the_repository() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
    let (built_in, folder) = (Catalogue::BuiltIn, Catalogue::Folder(folder));
    // a newly added manifest is built in once `build.rs` or another manifest changes
    assert_eq!(built_in.names().unwrap(), folder.names().unwrap());
    assert_eq!(built_in.manifests().unwrap(), folder.manifests().unwrap());
    let manifest = built_in.manifest("dvs-cifar10").unwrap();
    let scheme = manifest.split(Some("balanced-90")).unwrap();
    let parts = |catalogue: &Catalogue| catalogue.parts(scheme, &["airplane/1"], &[0], false).unwrap();
    assert_eq!(parts(&built_in), parts(&folder));
    assert!(built_in.manifest("../datasets/cifar10").is_err());
}
