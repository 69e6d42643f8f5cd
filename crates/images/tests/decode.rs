//! What is refused, and with which words.

mod common;

use common::fixture;
use flate2::Crc;
use tks_images::Picture;
use tks_images::decode::{Decoder, Part};

fn problem(bytes: &[u8]) -> String {
    Decoder::default().decode(bytes, &mut Picture::default()).unwrap_err().to_string()
}

/// A PNG chunk with its sum.
fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut sum = Crc::new();
    sum.update(kind);
    sum.update(body);
    let length = (body.len() as u32).to_be_bytes();
    [&length, kind.as_slice(), body, &sum.sum().to_be_bytes()].concat()
}

fn header(width: u32, height: u32, colour: u8) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    chunk(b"IHDR", &[sides.as_slice(), &[8, colour, 0, 0, 0]].concat())
}

fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n".as_slice(), &chunks.concat()].concat()
}

/// The stream of one black row of `length` bytes.
fn black(length: usize) -> Vec<u8> {
    use std::io::Write;
    let mut stream = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    stream.write_all(&vec![0; length + 1]).unwrap();
    chunk(b"IDAT", &stream.finish().unwrap())
}

#[test]
fn a_palette_of_no_whole_number_of_colours_is_an_error() {
    let file = |palette: usize| {
        png(&[header(4, 1, 3), chunk(b"PLTE", &vec![7; palette]), black(4), chunk(b"IEND", &[])])
    };
    let mut picture = Picture::default();
    Decoder::default().decode(&file(6), &mut picture).unwrap();
    assert_eq!(picture.pixels, [7; 12]);
    for palette in [4, 7, 127, 766] {
        let error = problem(&file(palette));
        assert!(error.contains(&format!("palette is of {palette} bytes")), "{error}");
    }
}

#[test]
fn a_png_that_claims_more_than_it_can_hold_takes_no_memory() {
    let error = problem(&png(&[header(40_000, 40_000, 2), black(4), chunk(b"IEND", &[])]));
    assert!(error.contains("claims 40000 x 40000 pixels"), "{error}");
}

#[test]
fn every_cut_of_a_file_is_an_error() {
    let whole = Picture::default();
    for name in ["china-420-baseline.jpg", "china-420-progressive.jpg", "china-rgb.png", "china-palette.png"]
    {
        let file = fixture(&format!("pictures/{name}"));
        let mut decoder = Decoder::default();
        // a PNG's last chunk is empty, a JPEG's last mark two bytes
        for length in (0..file.len() - 12).step_by(7).chain([file.len() - 2, file.len() - 1]) {
            let result = decoder.decode(&file[..length], &mut whole.clone());
            if name.ends_with("jpg") || length < file.len() - 12 {
                assert!(result.is_err(), "{name}: {length} of {} bytes", file.len());
            }
        }
        decoder.decode(&file, &mut whole.clone()).unwrap();
    }
}

#[test]
fn other_formats_are_named_as_such() {
    for bytes in [b"GIF89a".as_slice(), b"", b"BM", b"\xff\xd8"] {
        assert_eq!(problem(bytes), "neither a JPEG nor a PNG file");
    }
}

#[test]
fn a_part_is_that_part_of_the_whole_and_one_beyond_it_an_error() {
    for name in ["china.jpg", "china-420-progressive.jpg", "china-411-baseline.jpg", "china-grey.jpg"] {
        let file = fixture(&format!("pictures/{name}"));
        let (mut decoder, mut whole, mut part, mut expected) =
            (Decoder::default(), Picture::default(), Picture::default(), Picture::default());
        for reduction in [1, 2, 4, 8] {
            let all = |size: [usize; 2]| {
                let [height, width] = size.map(|side| side.div_ceil(reduction));
                Part { reduction, top: 0, left: 0, height, width }
            };
            decoder.decode_part(&file, all, &mut whole).unwrap();
            for (top, left) in [(0, 0), (1, 2), (whole.height / 2, whole.width / 3), (whole.height - 1, 0)] {
                let (height, width) = ((whole.height - top).min(3), whole.width - left);
                let asked = Part { reduction, top, left, height, width };
                decoder.decode_part(&file, |_| asked, &mut part).unwrap();
                whole.crop(top, left, height, width, &mut expected);
                assert!(part == expected, "{name}: {asked:?}");
                for wrong in [
                    Part { top: top + 1, height: whole.height - top, ..asked },
                    Part { width: width + 1, ..asked },
                    Part { height: 0, ..asked },
                    Part { left: usize::MAX, ..asked },
                    Part { reduction: 3, ..asked },
                ] {
                    let error = decoder.decode_part(&file, |_| wrong, &mut part).unwrap_err();
                    assert!(error.to_string().starts_with("no part"), "{error}");
                }
            }
        }
    }
}
