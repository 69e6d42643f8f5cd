//! Each operation equals Pillow's, and the deterministic steps equal torchvision's: cases made by
//! `fixtures/augment/make_fixtures.py`, and those in the folder named by `TKS_AUGMENT_FIXTURES`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tks_data::rng::sample_rng;
use tks_images::Image;
use tks_images::augment::ops::{Interpolation, Operation, Sampling};
use tks_images::augment::{Augment, Scratch};

use crate::support::{fixture, read_image};

/// A file of cases; the format is described in `fixtures/augment/README.md`.
#[derive(Deserialize)]
struct Cases {
    #[serde(rename = "versions")]
    _versions: serde_json::Value,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    input: PathBuf,
    #[serde(default = "three")]
    channels: usize,
    operation: Option<Operation>,
    step: Option<Augment>,
    #[serde(default)]
    interpolation: Interpolation,
    #[serde(default)]
    fill: [u8; 3],
    expected: PathBuf,
    #[serde(default)]
    index: usize,
    #[serde(default)]
    tolerance: u8,
}

fn three() -> usize {
    3
}

/// Runs the cases of a folder; returns their number.
fn run(folder: &Path) -> usize {
    let text = std::fs::read_to_string(folder.join("cases.json")).expect("cases.json");
    let cases: Cases = serde_json::from_str(&text).expect("cases as described");
    let mut scratch = Scratch::default();
    // a sheet holds the results of many cases
    let mut sheet = (PathBuf::new(), Image::default());
    for case in &cases.cases {
        let mut image = read_image(&folder.join(&case.input), case.channels);
        match (&case.operation, &case.step) {
            (Some(operation), None) => {
                let sampling = Sampling { interpolation: case.interpolation, fill: case.fill };
                operation.apply(&mut image, sampling, &mut scratch).unwrap();
            }
            (None, Some(step)) => {
                step.on_image(&mut image, &mut scratch, &mut sample_rng(1, 2, 3)).unwrap();
            }
            _ => panic!("one of operation and step: {case:?}"),
        }
        if sheet.0 != case.expected {
            sheet = (case.expected.clone(), read_image(&folder.join(&case.expected), case.channels));
        }
        let sheet = &sheet.1;
        let size = image.pixels.len();
        assert_eq!((sheet.width, sheet.pixels.len() % size), (image.width, 0), "size of {case:?}");
        let expected = &sheet.pixels[case.index * size..][..size];
        let distance = |(a, b): (&u8, &u8)| a.abs_diff(*b);
        let worst = image.pixels.iter().zip(expected).map(distance).max().unwrap_or(0);
        assert!(worst <= case.tolerance, "off by {worst}: {case:?}");
    }
    cases.cases.len()
}

#[test]
fn operations_equal_pillow() {
    let cases = run(&fixture(""));
    assert!(cases > 300, "{cases} cases");
}

#[test]
fn fixtures() {
    if let Some(folder) = std::env::var_os("TKS_AUGMENT_FIXTURES") {
        let cases = run(Path::new(&folder));
        println!("{cases} cases");
        assert!(cases > 0);
    }
}
