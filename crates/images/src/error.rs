//! Errors of image data sets.

use std::path::PathBuf;

use tks_data::DataError;

use crate::decode::DecodeError;
use crate::parse::ParseError;

/// An error of this crate: what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// An error with files, archives or manifests.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A label or image file that cannot be parsed.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong in it and where.
        source: ParseError,
    },
    /// An image that cannot be decoded.
    #[error("{}: {source}; fetch it again, or leave it out", path.display())]
    Decode {
        /// The file, or the archive and its entry.
        path: PathBuf,
        /// What is wrong in it.
        source: DecodeError,
    },
    /// Images of different sizes where equal sizes are needed.
    #[error(
        "`data.images.recipe.resize` is left out, but the images are of several sizes: {} of {} x {} pixels (height, \
         width), {} of {} x {}; set `data.images.recipe.resize = {{ height = {}, width = {} }}`",
        first.display(), first_size[0], first_size[1], second.display(), second_size[0], second_size[1],
        first_size[0], first_size[1]
    )]
    Sizes {
        /// An image.
        first: PathBuf,
        /// Its height and width.
        first_size: [usize; 2],
        /// An image of a different size.
        second: PathBuf,
        /// Its height and width.
        second_size: [usize; 2],
    },
    /// An image whose size differs from the network's input, without resizing.
    #[error(
        "{}: the image has {} x {} pixels (height x width), but {} x {} are needed: `resize` of the recipe is not set, \
         so every image has to have that size",
        path.display(), found[0], found[1], expected[0], expected[1]
    )]
    Size {
        /// The file, or the archive and its entry.
        path: PathBuf,
        /// Height and width of the image.
        found: [usize; 2],
        /// Height and width of the network's input.
        expected: [usize; 2],
    },
    /// A folder or archive that does not have the data set's layout.
    #[error("{}: {problem}; {remedy}", path.display())]
    Layout {
        /// The folder or archive.
        path: PathBuf,
        /// What is missing or unexpected.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A label outside the classes.
    #[error(
        "{}: label {label}, but there are {classes} classes: 0 to {}; check the data set to see all such entries",
        path.display(), classes - 1
    )]
    Label {
        /// The image, or the file and record.
        path: PathBuf,
        /// The label, starting at 0.
        label: i64,
        /// The number of classes.
        classes: usize,
    },
    /// A number of images that differs from the manifest's.
    #[error(
        "{}: `{part}` of {dataset} has {expected} images, but {found} are here; fetch what is missing, or set \
         `data.accept_counts = true` if this is a part of the data set on purpose",
        path.display()
    )]
    Count {
        /// The folder or archive.
        path: PathBuf,
        /// The data set.
        dataset: String,
        /// The part: `train`, `test` or `val`.
        part: String,
        /// The manifest's number.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// Missing images that are named by the labels.
    #[error(
        "{}: {count} of the images that `{list}` names are not here, the first is `{first}`; fetch the archive \
         again, or unpack it again",
        path.display()
    )]
    Missing {
        /// The folder or archive.
        path: PathBuf,
        /// The file with the names.
        list: String,
        /// The number of missing images.
        count: usize,
        /// The first of them.
        first: String,
    },
}

impl ImageError {
    pub(crate) fn layout(
        path: impl Into<PathBuf>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Layout { path: path.into(), problem: problem.into(), remedy: remedy.into() }
    }
}

/// Adds the file's name to a parser's error.
pub(crate) trait InFile<T> {
    fn in_file(self, path: impl Into<PathBuf>) -> Result<T, ImageError>;
}

impl<T> InFile<T> for Result<T, ParseError> {
    fn in_file(self, path: impl Into<PathBuf>) -> Result<T, ImageError> {
        self.map_err(|source| ImageError::Parse { path: path.into(), source })
    }
}
