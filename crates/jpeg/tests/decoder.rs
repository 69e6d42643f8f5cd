//! Regions, and files that are refused.

use tks_jpeg::{Damage, DecodeRegion, Decoder, Dimensions, JpegError, Limits};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The pixels of a region of `[H, W, 3]`.
fn crop(pixels: &[u8], whole: Dimensions, region: &DecodeRegion) -> Vec<u8> {
    let rows = pixels.chunks_exact(3 * whole.width).skip(region.top).take(region.height);
    rows.flat_map(|row| &row[3 * region.left..3 * (region.left + region.width)]).copied().collect()
}

#[test]
fn a_region_is_that_part_of_the_whole_and_one_beyond_it_an_error() {
    for name in ["china.jpg", "china-420-progressive.jpg", "china-411-baseline.jpg", "china-grey.jpg"] {
        let file = fixture(name);
        let (mut decoder, mut all, mut pixels) = (Decoder::default(), Vec::new(), Vec::new());
        let full = decoder.dimensions(&file).unwrap();
        for scale_denominator in [1, 2, 4, 8] {
            let whole = DecodeRegion::whole(full, scale_denominator);
            let whole = decoder.decode_region(&file, whole, &mut all).unwrap();
            assert_eq!(whole, full.scaled(scale_denominator));
            for (top, left) in [(0, 0), (1, 2), (whole.height / 2, whole.width / 3), (whole.height - 1, 0)] {
                let (height, width) = ((whole.height - top).min(3), whole.width - left);
                let asked = DecodeRegion { scale_denominator, top, left, height, width };
                let decoded = decoder.decode_region(&file, asked, &mut pixels).unwrap();
                assert_eq!(decoded, Dimensions { height, width });
                assert!(pixels == crop(&all, whole, &asked), "{name}: {asked:?}");
                for wrong in [
                    DecodeRegion { top: top + 1, height: whole.height - top, ..asked },
                    DecodeRegion { width: width + 1, ..asked },
                    DecodeRegion { height: 0, ..asked },
                    DecodeRegion { left: usize::MAX, ..asked },
                ] {
                    let error = decoder.decode_region(&file, wrong, &mut pixels).unwrap_err();
                    let Dimensions { height, width } = whole;
                    assert_eq!(error, JpegError::Region { region: wrong, height, width });
                }
                for wrong in [0, 3, 16] {
                    let region = DecodeRegion { scale_denominator: wrong, ..asked };
                    let error = decoder.decode_region(&file, region, &mut pixels).unwrap_err();
                    assert_eq!(error, JpegError::ScaleDenominator(wrong));
                }
            }
        }
    }
}

#[test]
fn every_cut_of_a_file_is_an_error() {
    for name in ["china-420-baseline.jpg", "china-420-progressive.jpg"] {
        let file = fixture(name);
        let (mut decoder, mut pixels) = (Decoder::default(), Vec::new());
        for length in (0..file.len()).step_by(7).chain([file.len() - 2, file.len() - 1]) {
            let result = decoder.decode(&file[..length], &mut pixels);
            assert!(result.is_err(), "{name}: {length} of {} bytes", file.len());
            assert!(pixels.is_empty());
        }
        decoder.decode(&file, &mut pixels).unwrap();
    }
}

#[test]
fn other_files_are_told() {
    for file in [b"".as_slice(), b"\xff", b"\x89PNG\r\n\x1a\n", b"II*\0"] {
        assert_eq!(Decoder::default().decode(file, &mut Vec::new()), Err(JpegError::NotJpeg));
        assert_eq!(Decoder::default().dimensions(file), Err(JpegError::NotJpeg));
    }
}

#[test]
fn limits_are_kept() {
    let (file, mut pixels) = (fixture("china.jpg"), Vec::new());
    let limited = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        Decoder::with_limits(limits)
    };
    let mut few_pixels = limited(|limits| limits.max_pixels = 107 * 160 - 1);
    let error = JpegError::Size { height: 107, width: 160, max_pixels: 107 * 160 - 1 };
    assert_eq!(few_pixels.dimensions(&file), Err(error.clone()));
    assert_eq!(few_pixels.decode(&file, &mut pixels), Err(error));
    let mut little_memory = limited(|limits| (limits.free_memory, limits.memory_per_byte) = (0, 1));
    let error = JpegError::Memory { height: 107, width: 160, length: file.len() };
    assert_eq!(little_memory.decode(&file, &mut pixels), Err(error));
    // an eighth of the size takes less
    let eighth = DecodeRegion::whole(Dimensions { height: 107, width: 160 }, 8);
    little_memory.decode_region(&file, eighth, &mut pixels).unwrap();
    limited(|limits| limits.max_pixels = 107 * 160).decode(&file, &mut pixels).unwrap();
}

#[test]
fn damage_is_told_by_what_it_is() {
    let decoded = |file: &[u8]| Decoder::default().decode(file, &mut Vec::new()).unwrap_err();
    let plain = fixture("china.jpg");
    let frame = plain.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    // the header claims 2000 x 2000 pixels
    let mut huge = plain.clone();
    huge[frame + 5..frame + 9].copy_from_slice(&[7, 0xd0, 7, 0xd0]);
    let damage = Damage::TooShortForSize { height: 2000, width: 2000, length: huge.len() };
    assert_eq!(decoded(&huge), JpegError::Damaged(damage));
    let mut two_components = plain.clone();
    two_components[frame + 9] = 2;
    assert_eq!(decoded(&two_components), JpegError::Damaged(Damage::Components { count: 2, length: 9 }));
    assert_eq!(decoded(b"\xff\xd8\xff\xda\xff\xd9"), JpegError::Truncated { length: 6 });
    let damage = Damage::SegmentLength { code: 0xdb, length: 1, offset: 4 };
    assert_eq!(decoded(b"\xff\xd8\xff\xdb\x00\x01\xff\xda\xff\xd9"), JpegError::Damaged(damage));
}
