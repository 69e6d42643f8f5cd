//! Static image data sets, with no libtorch: the official layouts, decoding, augmentation.
//!
//! | module | what it holds |
//! |---|---|
//! | [`augment`] | random changes to images, and batches mixed |
//! | [`datasets`] | the data sets, as downloaded or unpacked: opened, checked |
//! | [`decode`] | JPEG, PNG, WebP, BMP and GIF files to pixels |
//! | [`error`] | what can go wrong, where, and what to do |
//! | [`image`] | an image in memory |
//! | [`preprocess`], [`recipe`], [`samples`] | from a stored image to what a network sees, and that as a data set for the loader |
//! | [`resize`](mod@resize) | images in another size, as Pillow gives them |
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
