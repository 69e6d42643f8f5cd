//! JPEG files: an error or an image, and a region equals that part of the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_jpeg::{DecodeRegion, Decoder, Dimensions};

fuzz_target!(|data: &[u8]| {
    const START: &[u8] = &[0xff, 0xd8, 0xff];
    let mut file = START.to_vec();
    file.extend_from_slice(data.strip_prefix(START).unwrap_or(data));
    // without an end marker, a file is refused before anything is decoded
    file.extend_from_slice(&[0xff, 0xd9]);
    let (mut decoder, mut image, mut part) = (Decoder::default(), Vec::new(), Vec::new());
    let whole = decoder.decode(&file, &mut image);
    if let Ok(full) = whole {
        assert_eq!(image.len(), full.height * full.width * 3);
        assert_eq!(decoder.dimensions(&file), Ok(full));
    }
    let Ok(full) = decoder.dimensions(&file) else { return };
    // the region depends on the bytes, so that runs are reproducible
    let draw = |at: usize, below: usize| usize::from(data[at % data.len().max(1)]) * 257 % below.max(1);
    for scale_denominator in [1, 1 << (data.len() % 4)] {
        let Dimensions { height: rows, width: columns } = full.scaled(scale_denominator);
        let (top, left) = (draw(3, rows), draw(17, columns));
        let (height, width) = (1 + draw(29, rows - top), 1 + draw(41, columns - left));
        let region = DecodeRegion { scale_denominator, top, left, height, width };
        let decoded = decoder.decode_region(&file, region, &mut part);
        if whole.is_ok() && scale_denominator == 1 {
            assert_eq!(decoded, Ok(Dimensions { height, width }));
            let expected = image.chunks_exact(3 * full.width).skip(top).take(height);
            assert!(expected.flat_map(|row| &row[3 * left..3 * (left + width)]).eq(&part));
        }
    }
});
