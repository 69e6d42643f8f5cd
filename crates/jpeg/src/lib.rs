#![doc = include_str!("../README.md")]

mod bits;
mod colour;
mod decoder;
mod error;
mod header;
mod huffman;
mod limits;
mod plane;
mod region;
mod scan;
mod simd;
mod transform;
mod upsample;

pub use decoder::Decoder;
pub use error::{Damage, JpegError, Unsupported};
pub use limits::Limits;
pub use region::{DecodeRegion, Dimensions};
