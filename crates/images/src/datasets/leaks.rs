//! Images shared by two parts, found without reading all of them.

use std::collections::HashMap;
use std::path::PathBuf;

use tks_data::{DataError, SampleSet};

use super::set::ImageSet;

/// Maximum number of images read to find duplicates, so that training does not have to wait for it.
const MOST_READ: usize = 4096;

/// Images of a test part that are also in the training part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedImages {
    /// Number of images of the test part that were examined.
    pub looked_at: usize,
    /// Number of them that are also in the training part.
    pub count: usize,
    /// The first of them, and the same image in the training part.
    pub first: [PathBuf; 2],
}

/// Finds images of `test` that are also in `train`, byte for byte; `None` if none were found. Only images of
/// equal stored size are read, and in large parts only the first few thousand of those.
///
/// # Errors
/// An image that cannot be read.
pub fn shared_images(train: &ImageSet, test: &ImageSet) -> Result<Option<SharedImages>, DataError> {
    let mut by_size: HashMap<Option<u64>, Vec<usize>> = HashMap::new();
    for index in 0..train.len() {
        by_size.entry(train.sample_size(index)).or_default().push(index);
    }
    let (mut here, mut there) = (Vec::new(), Vec::new());
    let mut read = 0;
    let mut shared: Option<SharedImages> = None;
    let mut looked_at = 0;
    for index in 0..test.len() {
        if read >= MOST_READ {
            break;
        }
        looked_at += 1;
        let alike = by_size.get(&test.sample_size(index)).map_or(&[][..], Vec::as_slice);
        for &other in alike.iter().take(MOST_READ - read) {
            read += 1;
            if test.image(index, &mut here)? != train.image(other, &mut there)? {
                continue;
            }
            let first = || [test.path(index), train.path(other)];
            shared.get_or_insert_with(|| SharedImages { looked_at: 0, count: 0, first: first() }).count += 1;
            break;
        }
    }
    Ok(shared.map(|shared| SharedImages { looked_at, ..shared }))
}
