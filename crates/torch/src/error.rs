//! What can go wrong.

use tch::{Device, Kind, TchError};

/// An error of any kind, for code that libtorch calls back.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorchError {
    /// libtorch refused, as tch says it.
    #[error("libtorch: {0}")]
    Tch(#[from] TchError),
    /// libtorch refused, as the C++ shim says it.
    #[error("libtorch: {0}")]
    Shim(String),
    /// CUDA's driver or compiler refused.
    #[error("CUDA: {what}: {source}")]
    Cuda {
        /// What was being done.
        what: &'static str,
        /// Why not.
        source: BoxError,
    },
    /// A library that CUDA needs is not installed.
    #[error("CUDA: {library} is not installed: {remedy}")]
    MissingLibrary {
        /// The library.
        library: &'static str,
        /// Where it comes from.
        remedy: &'static str,
    },
    /// A kernel was to run more threads than a launch has.
    #[error("CUDA: {count} threads are too many for one launch")]
    TooManyThreads {
        /// How many.
        count: usize,
    },
    /// A tensor lies elsewhere or otherwise in memory than is needed.
    #[error(
        "needs a dense {kind:?} tensor{} on {device:?}, not {actual_kind:?} of {actual_length} values on \
         {actual_device:?} with strides {stride:?}",
        length.map_or(String::new(), |length| format!(" of {length} values"))
    )]
    Layout {
        /// The number format that is needed.
        kind: Kind,
        /// The number of values that is needed, where it is.
        length: Option<usize>,
        /// The device that is needed.
        device: Device,
        /// What it is.
        actual_kind: Kind,
        /// Its number of values.
        actual_length: usize,
        /// Where it is.
        actual_device: Device,
        /// Its strides.
        stride: Vec<i64>,
    },
    /// A tensor has another shape than is needed.
    #[error("`{tensor}` has the shape {actual:?}, but {expected} is needed")]
    Shape {
        /// The tensor's name.
        tensor: &'static str,
        /// Its shape.
        actual: Vec<i64>,
        /// What is needed, in words.
        expected: String,
    },
    /// Lists of tensors that belong together differ in length.
    #[error("{actual} {name} for {expected} parameters")]
    Count {
        /// What the list holds.
        name: &'static str,
        /// How many.
        actual: usize,
        /// How many are needed.
        expected: usize,
    },
    /// A parameter's state lies in another order in memory than the parameter.
    #[error("{name} lie in another order in memory than their parameters: make them with `empty_like`")]
    Strides {
        /// What the list holds.
        name: &'static str,
    },
}

impl TorchError {
    /// That a tensor does not lie as it is needed.
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
