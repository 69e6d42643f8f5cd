#![doc = include_str!("../README.md")]

pub mod cuda;
pub mod custom;
pub mod error;
mod ffi;
pub mod memory;
pub mod optimizer;
pub mod runtime;

pub use error::{BoxError, TorchError};

/// The version of libtorch that this crate was compiled against, such as `2.11.0`.
pub fn libtorch_version() -> &'static str {
    ffi::libtorch_version()
}

/// Drops the gradient that a leaf (such as a parameter) has accumulated, so that the next backward pass hands
/// its gradient over instead of adding it to zeros. This saves two passes over memory compared with
/// `zero_grad`.
///
/// # Errors
/// Errors from libtorch.
pub fn clear_grad(leaf: &tch::Tensor) -> Result<(), TorchError> {
    ffi::clear_grad(leaf)
}
