//! WebP files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_images::Picture;
use tks_images::decode::{Decoder, dimensions};

fuzz_target!(|data: &[u8]| {
    const MAGIC: &[u8] = b"RIFF";
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(data.strip_prefix(MAGIC).unwrap_or(data));
    let mut picture = Picture::default();
    if Decoder::default().decode(&file, &mut picture).is_ok() {
        assert_eq!(picture.pixels.len(), picture.height * picture.width * 3);
        assert_eq!(dimensions(&file), Ok([picture.height, picture.width]));
    }
});
