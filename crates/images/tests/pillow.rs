//! Files decode to Pillow's pixels, and resized, cropped and flipped images equal Pillow's and torchvision's:
//! cases made by `fixtures/images/make_images.py`, and those in the folder named by `TKS_IMAGE_FIXTURES`.

mod common;

use std::path::{Path, PathBuf};

use common::fixture_path;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tks_data::rng::sample_rng;
use tks_images::Image;
use tks_images::augment::{Augment, Scratch};
use tks_images::decode::{DecodeError, Decoder};
use tks_images::recipe::{self, Normalization, Normalize, Recipe};
use tks_images::resize::{self, Filter, Region};

/// The format is described in `fixtures/images/README.md`.
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
    operation: Do,
    expected: Option<PathBuf>,
    sha256: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Do {
    Decode,
    Resize {
        height: usize,
        width: usize,
        filter: Filter,
        #[serde(rename = "box")]
        region: Option<[f32; 4]>,
    },
    CentreCrop {
        height: usize,
        width: usize,
    },
    Evaluate {
        height: usize,
        width: usize,
        crop: f64,
        filter: Filter,
    },
    FlipHorizontal,
    FlipVertical,
    Grey,
}

fn decode(path: &Path) -> Result<Image, DecodeError> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut image = Image::default();
    Decoder::default().decode(&bytes, &mut image)?;
    Ok(image)
}

/// The image after the recipe's evaluation steps, before normalisation.
fn evaluated(image: Image, resize: recipe::Resize) -> Image {
    let recipe = Recipe { resize: Some(resize), normalize: Normalize::None, ..Recipe::default() };
    let normalization = Normalization::of(&recipe.normalize, None, 3).unwrap();
    let mut planes = vec![0u8; 3 * resize.height * resize.width];
    let mut scratch = recipe::Scratch::default();
    scratch.image = image;
    recipe.write(&normalization, None, &mut planes, &mut scratch).unwrap();
    let mut out = Image::default();
    out.copy_planes(&planes, 3, resize.height, resize.width);
    out
}

fn done(operation: &Do, mut image: Image) -> Image {
    match *operation {
        Do::Decode => {}
        Do::Resize { height, width, filter, region } => {
            let region = region.map_or(Region::whole(&image), |[left, top, right, bottom]| Region {
                left,
                top,
                right,
                bottom,
            });
            let mut out = Image::default();
            let room = &mut resize::Scratch::default();
            resize::resize(&image, region, height, width, filter, &mut out, room).unwrap();
            image = out;
        }
        Do::CentreCrop { height, width } => {
            let mut out = Image::default();
            let middle = |whole: usize, part: usize| ((whole - part) as f64 / 2.0).round_ties_even() as usize;
            let (top, left) = (middle(image.height, height), middle(image.width, width));
            image.crop(top, left, height, width, &mut out);
            image = out;
        }
        Do::Evaluate { height, width, crop, filter } => {
            image = evaluated(image, recipe::Resize { height, width, crop, filter });
        }
        Do::FlipHorizontal | Do::FlipVertical => {
            let step = match operation {
                Do::FlipHorizontal => Augment::FlipHorizontal { probability: 1.0 },
                _ => Augment::FlipVertical { probability: 1.0 },
            };
            step.on_image(&mut image, &mut Scratch::default(), &mut sample_rng(1, 2, 3)).unwrap();
        }
        Do::Grey => {
            image.set_channels(1);
            image.set_channels(3);
        }
    }
    image
}

/// Runs the cases of a folder; returns the mismatches and the number of cases.
fn run(folder: &Path) -> (Vec<String>, usize) {
    let text = std::fs::read_to_string(folder.join("cases.json")).expect("cases.json");
    let cases: Cases = serde_json::from_str(&text).expect("cases as described");
    let mut wrong = Vec::new();
    for case in &cases.cases {
        let fail = |what: String| format!("{} {:?}: {what}", case.input.display(), case.operation);
        let result = decode(&folder.join(&case.input)).map(|image| done(&case.operation, image));
        match (result, &case.expected, &case.sha256, &case.error) {
            (Err(error), _, _, Some(part)) if error.to_string().contains(part) => {}
            (Err(error), ..) => wrong.push(fail(error.to_string())),
            (Ok(_), _, _, Some(part)) => wrong.push(fail(format!("no error `{part}`"))),
            (Ok(image), Some(expected), ..) => {
                let expected = decode(&folder.join(expected)).expect("an image to compare with");
                let sizes = [&image, &expected].map(|image| [image.height, image.width]);
                let distances = image.pixels.iter().zip(&expected.pixels).map(|(a, b)| a.abs_diff(*b));
                match distances.max().unwrap_or(0) {
                    _ if sizes[0] != sizes[1] => wrong.push(fail(format!("sizes {sizes:?}"))),
                    0 => {}
                    worst => wrong.push(fail(format!("off by {worst}"))),
                }
            }
            (Ok(image), None, Some(expected), _) => {
                let digest = Sha256::digest(&image.pixels);
                let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                if digest != *expected {
                    wrong.push(fail("other pixels".to_owned()));
                }
            }
            (Ok(_), None, None, None) => panic!("nothing to compare with: {case:?}"),
        }
    }
    (wrong, cases.cases.len())
}

#[test]
fn images_are_those_of_pillow_and_torchvision_to_the_bit() {
    let (wrong, cases) = run(&fixture_path("images"));
    assert_eq!(wrong, Vec::<String>::new());
    assert!(cases > 70, "{cases} cases");
}

#[test]
fn fixtures() {
    let Some(folder) = std::env::var_os("TKS_IMAGE_FIXTURES") else {
        eprintln!("skipped: TKS_IMAGE_FIXTURES names no folder");
        return;
    };
    let (wrong, cases) = run(Path::new(&folder));
    assert!(cases > 0);
    assert!(wrong.is_empty(), "{} of {cases} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{cases} cases agree");
}
