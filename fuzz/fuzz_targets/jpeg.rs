//! JPEG files: an error or a picture, and a part is that part of the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_images::Picture;
use tks_images::decode::Decoder;

fuzz_target!(|data: &[u8]| {
    const START: &[u8] = &[0xff, 0xd8, 0xff];
    let mut file = START.to_vec();
    file.extend_from_slice(data.strip_prefix(START).unwrap_or(data));
    // without the mark of its end a file is refused before anything is decoded
    file.extend_from_slice(&[0xff, 0xd9]);
    let mut picture = Picture::default();
    if Decoder::default().decode(&file, &mut picture).is_ok() {
        assert_eq!(picture.pixels.len(), picture.height * picture.width * 3);
    }
});
