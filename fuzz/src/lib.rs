//! What several targets do.

use tks_images::Picture;
use tks_images::decode::{Decoder, dimensions};

/// An image file that begins with `magic`, whatever `data` begin with: decoded to the size that its header states, or
/// an error.
pub fn image(magic: &[u8], data: &[u8]) {
    let mut file = magic.to_vec();
    file.extend_from_slice(data.strip_prefix(magic).unwrap_or(data));
    let mut picture = Picture::default();
    if Decoder::default().decode(&file, &mut picture).is_ok() {
        assert_eq!(picture.pixels.len(), picture.height * picture.width * 3);
        assert_eq!(dimensions(&file), Ok([picture.height, picture.width]));
    }
}
