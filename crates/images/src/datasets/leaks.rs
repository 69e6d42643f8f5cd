//! Images that two parts share, found without reading all of both.

use std::collections::HashMap;
use std::path::PathBuf;

use tks_data::DataError;

use super::set::ImageSet;

/// Images that are read to look for others of the same bytes, at most: a training should not wait for it.
const MOST_READ: usize = 4096;

/// Images of a test part that its training part has, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedImages {
    /// Images of the test part that were looked at.
    pub looked_at: usize,
    /// How many of them the training part has.
    pub count: usize,
    /// The first of them, and the same image of the training part.
    pub first: [PathBuf; 2],
}

/// The images of `test` that `train` has byte for byte; `None` where none was found. Only images of the same stored size
/// are read, and of large parts the first few thousand of those.
///
/// # Errors
/// An image that cannot be read.
pub fn shared_images(train: &ImageSet, test: &ImageSet) -> Result<Option<SharedImages>, DataError> {
    let mut by_size: HashMap<u64, Vec<usize>> = HashMap::new();
    for index in 0..train.len() {
        by_size.entry(train.stored_size(index)).or_default().push(index);
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
        let alike = by_size.get(&test.stored_size(index)).map_or(&[][..], Vec::as_slice);
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
