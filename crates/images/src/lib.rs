//! Static picture data sets, with no libtorch: the official layouts, decoding, augmentation.
//!
//! | module | what it holds |
//! |---|---|
//! | [`augment`] | random changes to pictures, and batches mixed |
//! | [`datasets`] | the data sets, as downloaded or unpacked: opened, checked |
//! | [`decode`] | JPEG, PNG, WebP, BMP and GIF files to pixels |
//! | [`error`] | what can go wrong, where, and what to do |
//! | [`picture`] | a picture in memory |
//! | [`preprocess`], [`recipe`], [`samples`] | from a stored picture to what a network sees, and that as a data set for the loader |
//! | [`resize`](mod@resize) | pictures in another size, as Pillow gives them |
//! | [`parse`] | readers for the label and picture files: IDX, CIFAR (binary, pickle), MATLAB v5, text tables |
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
pub mod parse;
pub mod picture;
pub mod preprocess;
pub mod recipe;
pub mod resize;
pub mod samples;
mod simd;

pub use datasets::{ImageSet, OpenOptions, PictureBytes};
pub use error::ImageError;
pub use picture::Picture;
pub use preprocess::Preprocessor;
pub use recipe::Recipe;
pub use samples::ImageSamples;
