//! JPEG files: an error or a picture, and a part is that part of the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_images::Picture;
use tks_images::decode::{Decoder, Part};

fuzz_target!(|data: &[u8]| {
    const START: &[u8] = &[0xff, 0xd8, 0xff];
    let mut file = START.to_vec();
    file.extend_from_slice(data.strip_prefix(START).unwrap_or(data));
    // without the mark of its end a file is refused before anything is decoded
    file.extend_from_slice(&[0xff, 0xd9]);
    let (mut decoder, mut picture, mut small) = (Decoder::default(), Picture::default(), Picture::default());
    let whole = decoder.decode(&file, &mut picture);
    if whole.is_ok() {
        assert_eq!(picture.pixels.len(), picture.height * picture.width * 3);
    }
    // which part: by the bytes, so that it is the same again
    let draw = |at: usize, below: usize| usize::from(data[at % data.len().max(1)]) * 257 % below.max(1);
    for reduction in [1, 1 << (data.len() % 4)] {
        let choose = |size: [usize; 2]| {
            let [rows, columns] = size.map(|side| side.div_ceil(reduction));
            let (top, left) = (draw(3, rows), draw(17, columns));
            let (height, width) = (1 + draw(29, rows - top), 1 + draw(41, columns - left));
            Part { reduction, top, left, height, width }
        };
        let mut asked = None;
        let part = decoder.decode_part(&file, |size| *asked.insert(choose(size)), &mut small);
        if whole.is_ok() && reduction == 1 {
            let Part { top, left, height, width, .. } = asked.unwrap();
            let mut expected = Picture::default();
            picture.crop(top, left, height, width, &mut expected);
            assert!(part.is_ok() && small == expected);
        }
    }
});
