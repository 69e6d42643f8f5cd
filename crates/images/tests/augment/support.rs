//! Pictures and numbers to test with.

use std::path::{Path, PathBuf};

use tks_images::Picture;

/// A file beside `make_fixtures.py`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/augment").join(name)
}

/// A PNG file as a picture of 1 or 3 channels.
pub(crate) fn read_picture(path: &Path, channels: usize) -> Picture {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut picture = Picture::default();
    tks_images::decode::Decoder::default().decode(&bytes, &mut picture).unwrap();
    picture.set_channels(channels);
    picture
}

/// A picture whose values differ from place to place.
pub(crate) fn numbered(height: usize, width: usize, channels: usize) -> Picture {
    let pixels = (0..height * width * channels).map(|i| (i * 37 + i / 7 * 11) as u8).collect();
    Picture { pixels, height, width, channels }
}
