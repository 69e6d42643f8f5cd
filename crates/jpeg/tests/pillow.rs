//! Files decode to Pillow's pixels: cases made by `fixtures/make_fixtures.py`, and those in the folder named
//! by `TKS_JPEG_FIXTURES`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tks_jpeg::{DecodeRegion, Decoder, Dimensions, JpegError};

/// The format is described in `fixtures/README.md`.
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
    operation: Operation,
    expected: Option<PathBuf>,
    sha256: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Operation {
    Decode,
    Scaled { scale_denominator: usize },
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn decode(path: &Path, operation: Operation) -> Result<(Dimensions, Vec<u8>), JpegError> {
    let (file, mut decoder, mut pixels) = (read(path), Decoder::default(), Vec::new());
    let dimensions = match operation {
        Operation::Decode => decoder.decode(&file, &mut pixels)?,
        Operation::Scaled { scale_denominator } => {
            let region = DecodeRegion::whole(decoder.dimensions(&file)?, scale_denominator);
            decoder.decode_region(&file, region, &mut pixels)?
        }
    };
    Ok((dimensions, pixels))
}

/// The pixels of a PNG file of 8-bit RGB or grey.
fn png_pixels(path: &Path) -> (Dimensions, Vec<u8>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(read(path)));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    if info.color_type == png::ColorType::Grayscale {
        pixels = pixels.iter().flat_map(|&grey| [grey; 3]).collect();
    }
    (Dimensions { height: info.height as usize, width: info.width as usize }, pixels)
}

/// Runs the cases of a folder; returns the mismatches and the number of cases.
fn run(folder: &Path) -> (Vec<String>, usize) {
    let text = std::fs::read_to_string(folder.join("cases.json")).expect("cases.json");
    let cases: Cases = serde_json::from_str(&text).expect("cases as described");
    let mut wrong = Vec::new();
    for case in &cases.cases {
        let fail = |what: String| format!("{} {:?}: {what}", case.input.display(), case.operation);
        let result = decode(&folder.join(&case.input), case.operation);
        match (result, &case.expected, &case.sha256, &case.error) {
            (Err(error), _, _, Some(part)) if error.to_string().contains(part) => {}
            (Err(error), ..) => wrong.push(fail(error.to_string())),
            (Ok(_), _, _, Some(part)) => wrong.push(fail(format!("no error `{part}`"))),
            (Ok((dimensions, pixels)), Some(expected), ..) => {
                let (expected_dimensions, expected) = png_pixels(&folder.join(expected));
                let distances = pixels.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b));
                match distances.max().unwrap_or(0) {
                    _ if dimensions != expected_dimensions => {
                        wrong.push(fail(format!("{dimensions:?}, but {expected_dimensions:?} is expected")));
                    }
                    _ if pixels.len() != expected.len() => wrong.push(fail("another length".to_owned())),
                    0 => {}
                    worst => wrong.push(fail(format!("off by {worst}"))),
                }
            }
            (Ok((_, pixels)), None, Some(expected), _) => {
                let digest = Sha256::digest(&pixels);
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
fn pixels_are_those_of_pillow_to_the_bit() {
    let (wrong, cases) = run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"));
    assert_eq!(wrong, Vec::<String>::new());
    assert!(cases > 50, "{cases} cases");
}

#[test]
fn fixtures() {
    let Some(folder) = std::env::var_os("TKS_JPEG_FIXTURES") else {
        eprintln!("skipped: TKS_JPEG_FIXTURES names no folder");
        return;
    };
    let (wrong, cases) = run(Path::new(&folder));
    assert!(cases > 0);
    assert!(wrong.is_empty(), "{} of {cases} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{cases} cases agree");
}
