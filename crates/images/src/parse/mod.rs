//! Readers for the label and image files of the data sets, over byte slices.
//!
//! | module | reads |
//! |---|---|
//! | [`idx`] | IDX: MNIST, Fashion-MNIST |
//! | [`cifar`] | the binary version of CIFAR10 and CIFAR100 |
//! | [`pickle`] | the Python version of CIFAR10 and CIFAR100, without executing anything |
//! | [`lines`] | text tables with one row per line: CUB-200-2011, ImageNet's ground truth |
//!
//! MATLAB v5 `.mat` files, the lists of StanfordDogs, StanfordCars and ImageNet's devkit, are read by
//! [`tks_data::parse::mat`].
//!
//! Nothing here opens a file, panics on bad bytes, or allocates memory out of proportion to the input: a
//! reader that decompresses has a limit. An error gives the byte offset, what is wrong there and what to do;
//! the caller that opened the file adds its name.

pub mod cifar;
pub mod idx;
pub mod lines;
pub mod pickle;

pub use tks_data::parse::ParseError;
pub(crate) use tks_data::parse::{Cursor, FETCH_AGAIN};

/// The start of a text from a file, short enough for a message.
pub(crate) fn shown(text: &[u8]) -> String {
    const LONGEST: usize = 80;
    String::from_utf8_lossy(&text[..text.len().min(LONGEST)]).into_owned()
}
