//! Images and numbers for the tests.

use std::path::{Path, PathBuf};

use tks_images::Image;

/// A file beside `make_fixtures.py`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/augment").join(name)
}

/// A PNG file as an image of 1 or 3 channels.
pub(crate) fn read_image(path: &Path, channels: usize) -> Image {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut image = Image::default();
    tks_images::decode::Decoder::default().decode(&bytes, &mut image).unwrap();
    image.set_channels(channels);
    image
}

/// An image whose values differ from pixel to pixel.
pub(crate) fn numbered(height: usize, width: usize, channels: usize) -> Image {
    let pixels = (0..height * width * channels).map(|i| (i * 37 + i / 7 * 11) as u8).collect();
    Image { pixels, height, width, channels }
}
