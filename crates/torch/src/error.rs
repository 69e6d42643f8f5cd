//! Errors.

use tch::{Device, Kind, TchError};

/// An error of any kind, for code that libtorch calls back.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorchError {
    /// An error from libtorch, reported by tch.
    #[error("libtorch: {0}")]
    Tch(#[from] TchError),
    /// An error from libtorch, reported by the C++ shim.
    #[error("libtorch: {0}")]
    Shim(String),
    /// An error from CUDA's driver or compiler.
    #[error("CUDA: {what}: {source}")]
    Cuda {
        /// The operation.
        what: &'static str,
        /// The reason.
        source: BoxError,
    },
    /// A library that CUDA needs is not installed.
    #[error("CUDA: {library} is not installed: {remedy}")]
    MissingLibrary {
        /// The library.
        library: &'static str,
        /// Where to get it.
        remedy: &'static str,
    },
    /// A kernel needs more threads than a launch can have.
    #[error("CUDA: {count} threads are too many for one launch")]
    TooManyThreads {
        /// Their number.
        count: usize,
    },
    /// A tensor's kind, length, device or memory layout is not the required one.
    #[error(
        "needs a dense {kind:?} tensor{} on {device:?}, not {actual_kind:?} of {actual_length} values on \
         {actual_device:?} with strides {stride:?}",
        length.map_or(String::new(), |length| format!(" of {length} values"))
    )]
    Layout {
        /// The required number format.
        kind: Kind,
        /// The required number of values, if any.
        length: Option<usize>,
        /// The required device.
        device: Device,
        /// The tensor's number format.
        actual_kind: Kind,
        /// Its number of values.
        actual_length: usize,
        /// Its device.
        actual_device: Device,
        /// Its strides.
        stride: Vec<i64>,
    },
    /// A tensor does not have the required shape.
    #[error("`{tensor}` has the shape {actual:?}, but {expected} is needed")]
    Shape {
        /// The tensor's name.
        tensor: &'static str,
        /// Its shape.
        actual: Vec<i64>,
        /// The requirement, in words.
        expected: String,
    },
    /// Lists of tensors that belong together differ in length.
    #[error("{actual} {name} for {expected} parameters")]
    Count {
        /// The contents of the list.
        name: &'static str,
        /// Their number.
        actual: usize,
        /// The required number.
        expected: usize,
    },
    /// A parameter's state has a different memory layout from the parameter.
    #[error("{name} lie in another order in memory than their parameters: make them with `empty_like`")]
    Strides {
        /// The contents of the list.
        name: &'static str,
    },
}

impl TorchError {
    /// The error for a tensor without the required kind, length, device or layout.
    pub(crate) fn layout(tensor: &tch::Tensor, kind: Kind, length: Option<usize>, device: Device) -> Self {
        TorchError::Layout {
            kind,
            length,
            device,
            actual_kind: tensor.kind(),
            actual_length: tensor.numel(),
            actual_device: tensor.device(),
            stride: tensor.stride(),
        }
    }
}
