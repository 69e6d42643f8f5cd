//! Errors of this crate.

use tch::{Device, Kind, TchError};
use tks_kernels::KernelError;
use tks_neuron::NeuronError;
use tks_torch::TorchError;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AutogradError {
    /// The neuron or its buffers are invalid.
    #[error(transparent)]
    Neuron(#[from] NeuronError),
    /// The sizes of a convolution or batch norm are invalid.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// An error from libtorch or CUDA.
    #[error(transparent)]
    Torch(#[from] TorchError),
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
    /// The operation does not support the tensor's kind.
    #[error("`{tensor}` must be {expected}, not {kind:?}")]
    Kind {
        /// The tensor's name.
        tensor: &'static str,
        /// Its kind.
        kind: Kind,
        /// The requirement, in words.
        expected: &'static str,
    },
    /// There are kernels only for the CPU and for CUDA.
    #[error("no kernels for {device:?}: move the tensors to the CPU or to a CUDA device")]
    Device {
        /// The tensor's device.
        device: Device,
    },
    /// The sparse convolution was requested but is not possible.
    #[error("the sparse convolution needs f32 on the CPU, not {input:?} and {weight:?} on {device:?}")]
    SparseConvolution {
        /// The input's kind.
        input: Kind,
        /// The weight's kind.
        weight: Kind,
        /// The input's device.
        device: Device,
    },
    /// A size is below 0.
    #[error("a stride or padding of {value} is below 0")]
    Negative {
        /// The given value.
        value: i64,
    },
    /// The unbiased variance of a batch needs at least two values.
    #[error("batch norm needs 2 or more values a channel when training, got {count} from {size:?}")]
    TooFewValues {
        /// Number of values in a channel.
        count: i64,
        /// The input's shape.
        size: Vec<i64>,
    },
    /// A tensor that was saved unpacked was not passed to `restore`.
    #[error("the saved tensor is missing: what `to_save` gives goes to `record`, and comes back from it")]
    NotSaved,
    /// An internal invariant of this crate does not hold: a bug, which should be reported.
    #[error("a mistake in tks-autograd, please report it: {0}")]
    Invariant(&'static str),
}

impl From<TchError> for AutogradError {
    fn from(error: TchError) -> Self {
        TorchError::from(error).into()
    }
}
