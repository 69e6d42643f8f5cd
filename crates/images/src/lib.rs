//! Static image data sets, without libtorch: the official layouts, decoding, augmentation.
//!
//! | module | contents |
//! |---|---|
//! | [`augment`] | random changes to images, and mixing within batches |
//! | [`datasets`] | opening and checking the data sets, as downloaded or unpacked |
//! | [`decode`] | JPEG, PNG, WebP, BMP and GIF files to pixels |
//! | [`error`] | errors, with place and remedy |
//! | [`image`] | an image in memory |
//! | [`preprocess`], [`recipe`], [`samples`] | from a stored image to a network's input, and samples for the loader |
//! | [`resize`](mod@resize) | resizing, with Pillow's results |
//! | [`parse`] | readers for the label and image files: IDX, CIFAR (binary, pickle), MATLAB v5, text tables |
//!
//! ```
//! use tks_images::parse::cifar::{CifarLayout, parse_cifar};
//!
//! let mut record = vec![7; 3073];
//! record[0] = 3;
//! let records = parse_cifar(&record, CifarLayout::Cifar10)?;
//! assert_eq!(records.iter().map(|record| record.label).collect::<Vec<_>>(), [3]);
//! # Ok::<(), tks_images::parse::ParseError>(())
//! ```

pub mod augment;
pub mod datasets;
pub mod decode;
pub mod error;
mod format;
pub mod image;
pub mod parse;
pub mod preprocess;
pub mod recipe;
pub mod resize;
pub mod samples;

pub use crate::image::Image;
pub use datasets::{ImageBytes, ImageSet, OpenOptions};
pub use error::ImageError;
pub use preprocess::Preprocessor;
pub use recipe::Recipe;
pub use samples::ImageSamples;
