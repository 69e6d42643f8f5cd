//! Files decode to Pillow's pixels, and resized, cut and mirrored pictures are Pillow's and torchvision's: cases made
//! by `fixtures/pictures/make_pictures.py`, and whatever lies in the folder named by `TKS_PICTURE_FIXTURES`.

mod common;

use std::path::{Path, PathBuf};

use common::fixture_path;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tks_data::rng::sample_rng;
use tks_images::Picture;
use tks_images::augment::{Augment, Scratch};
use tks_images::decode::{DecodeError, Decoder};
use tks_images::recipe::{self, Normalization, Normalize, Recipe};
use tks_images::resize::{self, Filter, Region};

/// The format is described in `fixtures/pictures/README.md`.
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

fn decode(path: &Path) -> Result<Picture, DecodeError> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut picture = Picture::default();
    Decoder::default().decode(&bytes, &mut picture)?;
    Ok(picture)
}

/// The picture as the recipe's evaluation has it, before normalisation.
fn evaluated(picture: Picture, resize: recipe::Resize) -> Picture {
    let recipe = Recipe { resize: Some(resize), normalize: Normalize::None, ..Recipe::default() };
    let normalization = Normalization::of(&recipe.normalize, None, 3).unwrap();
    let mut planes = vec![0u8; 3 * resize.height * resize.width];
    let mut scratch = recipe::Scratch::default();
    scratch.picture = picture;
    recipe.write(&normalization, None, &mut planes, &mut scratch).unwrap();
    let mut out = Picture::default();
    out.copy_planes(&planes, 3, resize.height, resize.width);
    out
}

fn done(operation: &Do, mut picture: Picture) -> Picture {
    match *operation {
        Do::Decode => {}
        Do::Resize { height, width, filter, region } => {
            let region = region.map_or(Region::whole(&picture), |[left, top, right, bottom]| Region {
                left,
                top,
                right,
                bottom,
            });
            let mut out = Picture::default();
            let room = &mut resize::Scratch::default();
            resize::resize(&picture, region, height, width, filter, &mut out, room).unwrap();
            picture = out;
        }
        Do::CentreCrop { height, width } => {
            let mut out = Picture::default();
            let middle = |whole: usize, part: usize| ((whole - part) as f64 / 2.0).round_ties_even() as usize;
            let (top, left) = (middle(picture.height, height), middle(picture.width, width));
            picture.crop(top, left, height, width, &mut out);
            picture = out;
        }
        Do::Evaluate { height, width, crop, filter } => {
            picture = evaluated(picture, recipe::Resize { height, width, crop, filter });
        }
        Do::FlipHorizontal | Do::FlipVertical => {
            let step = match operation {
                Do::FlipHorizontal => Augment::FlipHorizontal { probability: 1.0 },
                _ => Augment::FlipVertical { probability: 1.0 },
            };
            step.on_picture(&mut picture, &mut Scratch::default(), &mut sample_rng(1, 2, 3)).unwrap();
        }
        Do::Grey => {
            picture.set_channels(1);
            picture.set_channels(3);
        }
    }
    picture
}

/// Runs the cases of a folder; what does not agree, and the number of cases.
fn run(folder: &Path) -> (Vec<String>, usize) {
    let text = std::fs::read_to_string(folder.join("cases.json")).expect("cases.json");
    let cases: Cases = serde_json::from_str(&text).expect("cases as described");
    let mut wrong = Vec::new();
    for case in &cases.cases {
        let fail = |what: String| format!("{} {:?}: {what}", case.input.display(), case.operation);
        let result = decode(&folder.join(&case.input)).map(|picture| done(&case.operation, picture));
        match (result, &case.expected, &case.sha256, &case.error) {
            (Err(error), _, _, Some(part)) if error.to_string().contains(part) => {}
            (Err(error), ..) => wrong.push(fail(error.to_string())),
            (Ok(_), _, _, Some(part)) => wrong.push(fail(format!("no error `{part}`"))),
            (Ok(picture), Some(expected), ..) => {
                let expected = decode(&folder.join(expected)).expect("a picture to compare with");
                let sizes = [&picture, &expected].map(|picture| [picture.height, picture.width]);
                let distances = picture.pixels.iter().zip(&expected.pixels).map(|(a, b)| a.abs_diff(*b));
                match distances.max().unwrap_or(0) {
                    _ if sizes[0] != sizes[1] => wrong.push(fail(format!("sizes {sizes:?}"))),
                    0 => {}
                    worst => wrong.push(fail(format!("off by {worst}"))),
                }
            }
            (Ok(picture), None, Some(expected), _) => {
                let digest = Sha256::digest(&picture.pixels);
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
fn pictures_are_those_of_pillow_and_torchvision_to_the_bit() {
    let (wrong, cases) = run(&fixture_path("pictures"));
    assert_eq!(wrong, Vec::<String>::new());
    assert!(cases > 70, "{cases} cases");
}

#[test]
fn fixtures() {
    let Some(folder) = std::env::var_os("TKS_PICTURE_FIXTURES") else {
        eprintln!("skipped: TKS_PICTURE_FIXTURES names no folder");
        return;
    };
    let (wrong, cases) = run(Path::new(&folder));
    assert!(cases > 0);
    assert!(wrong.is_empty(), "{} of {cases} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{cases} cases agree");
}
