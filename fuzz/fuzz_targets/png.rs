//! PNG files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_images::Picture;
use tks_images::decode::Decoder;

fuzz_target!(|data: &[u8]| {
    const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
    let mut file = SIGNATURE.to_vec();
    file.extend_from_slice(data.strip_prefix(SIGNATURE).unwrap_or(data));
    let mut picture = Picture::default();
    if Decoder::default().decode(&file, &mut picture).is_ok() {
        assert_eq!(picture.pixels.len(), picture.height * picture.width * 3);
    }
});
