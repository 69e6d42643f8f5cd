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
    let mut picture = tks_images::decode::decode(&bytes).unwrap();
    picture.set_channels(channels);
    picture
}
