//! Refused files and their error messages.

mod common;

use common::fixture;
use flate2::Crc;
use tks_images::Image;
use tks_images::decode::{DecodeError, Decoder};

fn problem(bytes: &[u8]) -> String {
    Decoder::default().decode(bytes, &mut Image::default()).unwrap_err().to_string()
}

/// A PNG chunk with its checksum.
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

/// The compressed stream of one black row of `length` bytes.
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
    let mut image = Image::default();
    Decoder::default().decode(&file(6), &mut image).unwrap();
    assert_eq!(image.pixels, [7; 12]);
    for palette in [4, 7, 127, 766] {
        let error = problem(&file(palette));
        assert!(error.contains(&format!("palette is of {palette} bytes")), "{error}");
    }
}

#[test]
fn a_png_that_claims_more_than_it_can_hold_takes_no_memory() {
    let error = problem(&png(&[header(40_000, 40_000, 2), black(4), chunk(b"IEND", &[])]));
    assert!(error.contains("40000 x 40000 pixels (height, width) out of"), "{error}");
}

#[test]
fn every_cut_of_a_png_is_an_error() {
    let whole = Image::default();
    for name in ["china-rgb.png", "china-palette.png"] {
        let file = fixture(&format!("images/{name}"));
        let mut decoder = Decoder::default();
        // the last chunk is empty
        for length in (0..file.len() - 12).step_by(7) {
            let result = decoder.decode(&file[..length], &mut whole.clone());
            assert!(result.is_err(), "{name}: {length} of {} bytes", file.len());
        }
        decoder.decode(&file, &mut whole.clone()).unwrap();
    }
}

#[test]
fn other_formats_are_named_as_such() {
    for (bytes, what) in [
        (b"II*\0\x08\0\0\0".as_slice(), "a TIFF image, which is not read"),
        (b"\0\0\0\x1cftypavif", "an AVIF image"),
        (b"\0\0\0\x18ftypheic", "a HEIC image"),
        (b"\0\0\0\x0cjP  \r\n", "a JPEG 2000 image"),
        (b"<svg xmlns=", "an SVG image"),
        (b" <!DOCTYPE html>", "a web page"),
        (b"P6\n1 1\n255\n", "a PNM image"),
        (b"", "the file is empty (0 bytes)"),
        (b"BM is how this text begins", "neither a JPEG, PNG, WebP, BMP nor GIF image"),
        (b"\xff\xd8", "neither a JPEG, PNG, WebP, BMP nor GIF image"),
    ] {
        assert!(problem(bytes).starts_with(what), "{}", problem(bytes));
    }
}

/// A WebP, BMP and GIF file of 24 x 16 pixels.
fn others() -> [(&'static str, Vec<u8>); 3] {
    use image::{ExtendedColorType::Rgb8, ImageEncoder, codecs};
    let pixels: Vec<u8> = (0..24 * 16 * 3).map(|i: u32| (i * i / 7) as u8).collect();
    let (mut webp, mut bmp, mut gif) = (Vec::new(), Vec::new(), Vec::new());
    codecs::webp::WebPEncoder::new_lossless(&mut webp).write_image(&pixels, 24, 16, Rgb8).unwrap();
    codecs::bmp::BmpEncoder::new(&mut bmp).encode(&pixels, 24, 16, Rgb8).unwrap();
    codecs::gif::GifEncoder::new(&mut gif).encode(&pixels, 24, 16, Rgb8).unwrap();
    [("webp", webp), ("bmp", bmp), ("gif", gif)]
}

#[test]
fn a_cut_webp_bmp_or_gif_is_an_error_or_lost_nothing() {
    for (name, file) in others() {
        let (mut whole, mut part) = (Image::default(), Image::default());
        Decoder::default().decode(&file, &mut whole).unwrap();
        for length in 0..file.len() {
            let decoded = Decoder::default().decode(&file[..length], &mut part);
            // nothing after a GIF's first frame is read
            assert!(
                decoded.is_err() || (name == "gif" && part == whole),
                "{name}: {length} of {}",
                file.len()
            );
        }
    }
}

/// Headers that claim a large size, in files of few bytes.
#[test]
fn a_size_that_is_claimed_takes_no_memory() {
    let claim = |name: &str, side: u16| -> Vec<u8> {
        let (_, mut file) = others().into_iter().find(|(known, _)| *known == name).unwrap();
        let bytes = side.to_le_bytes();
        match name {
            "bmp" => {
                for at in [18, 22] {
                    file[at..at + 4].copy_from_slice(&u32::from(side).to_le_bytes());
                }
            }
            "gif" => {
                // the canvas, and the frame after its descriptor
                file[6..10].copy_from_slice(&[bytes, bytes].concat());
                let frame = file.iter().rposition(|&byte| byte == 0x2c).unwrap();
                let frame =
                    (13..=frame).find(|&at| file[at] == 0x2c && file[at + 1..at + 5] == [0; 4]).unwrap();
                file[frame + 5..frame + 9].copy_from_slice(&[bytes, bytes].concat());
            }
            _ => {
                // VP8L: 14 bits of width - 1, 14 of height - 1
                let size = u32::from(side - 1) | u32::from(side - 1) << 14;
                let rest = u32::from_le_bytes(file[21..25].try_into().unwrap()) & 0xf000_0000;
                file[21..25].copy_from_slice(&(size | rest).to_le_bytes());
            }
        }
        file
    };
    for name in ["webp", "bmp", "gif"] {
        let error = Decoder::default().decode(&claim(name, 12_000), &mut Image::default()).unwrap_err();
        let expected = DecodeError::Ratio { height: 12_000, width: 12_000, length: claim(name, 9).len() };
        assert_eq!(error, expected, "{name}");
    }
    for name in ["bmp", "gif", "webp"] {
        let error = Decoder::default().decode(&claim(name, 16_000), &mut Image::default()).unwrap_err();
        assert_eq!(error, DecodeError::Size { height: 16_000, width: 16_000 }, "{name}");
    }
    let error = problem(&png(&[header(60_000, 60_000, 2), black(4), chunk(b"IEND", &[])]));
    assert!(error.contains("60000 x 60000 pixels"), "{error}");
}

#[test]
fn of_an_animation_the_first_frame_is_read() {
    use image::{Frame, RgbaImage, codecs::gif::GifEncoder};
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for colour in [[255, 0, 0, 255], [0, 0, 255, 255]] {
        encoder.encode_frame(Frame::new(RgbaImage::from_pixel(3, 2, colour.into()))).unwrap();
    }
    drop(encoder);
    let mut image = Image::default();
    Decoder::default().decode(&bytes, &mut image).unwrap();
    assert_eq!(image.pixels, [255, 0, 0].repeat(6));
}
