//! Code shared by several targets.

use tks_images::Image;
use tks_images::decode::{Decoder, dimensions};

/// An image file made from `data` with its beginning replaced by `magic` must decode to the size stated in
/// its header, or give an error.
pub fn image(magic: &[u8], data: &[u8]) {
    let mut file = magic.to_vec();
    file.extend_from_slice(data.strip_prefix(magic).unwrap_or(data));
    let mut image = Image::default();
    if Decoder::default().decode(&file, &mut image).is_ok() {
        assert_eq!(image.pixels.len(), image.height * image.width * 3);
        assert_eq!(dimensions(&file), Ok([image.height, image.width]));
    }
}
