//! What can go wrong.

use tch::{Device, Kind, TchError};
use tks_kernels::KernelError;
use tks_neuron::NeuronError;
use tks_torch::TorchError;

/// Why an operation could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AutogradError {
    /// The neuron or its buffers do not fit.
    #[error(transparent)]
    Neuron(#[from] NeuronError),
    /// The sizes of a convolution or of a batch norm do not fit.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// libtorch or CUDA refused.
    #[error(transparent)]
    Torch(#[from] TorchError),
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
    /// A tensor is of a kind that the operation does not know.
    #[error("`{tensor}` must be {expected}, not {kind:?}")]
    Kind {
        /// The tensor's name.
        tensor: &'static str,
        /// Its kind.
        kind: Kind,
        /// What is needed, in words.
        expected: &'static str,
    },
    /// There are kernels for the CPU and for CUDA alone.
    #[error("no kernels for {device:?}: move the tensors to the CPU or to a CUDA device")]
    Device {
        /// Where the tensor is.
        device: Device,
    },
    /// The sparse convolution was asked for where it is not possible.
    #[error("the sparse convolution needs f32 on the CPU, not {input:?} and {weight:?} on {device:?}")]
    SparseConvolution {
        /// The input's kind.
        input: Kind,
        /// The weight's kind.
        weight: Kind,
        /// Where the input is.
        device: Device,
    },
    /// A size is below 0.
    #[error("a stride or padding of {value} is below 0")]
    Negative {
        /// What was given.
        value: i64,
    },
    /// The unbiased variance of a batch takes two values.
    #[error("batch norm needs 2 or more values a channel when training, got {count} from {size:?}")]
    TooFewValues {
        /// Values of a channel.
        count: i64,
        /// The input's shape.
        size: Vec<i64>,
    },
    /// A tensor that was saved as it is was not given back.
    #[error("the saved tensor is missing: what `to_save` gives goes to `record`, and comes back from it")]
    NotSaved,
    /// Something that this crate promises itself does not hold: a mistake in it, to be reported.
    #[error("a mistake in tks-autograd, please report it: {0}")]
    Invariant(&'static str),
}

impl From<TchError> for AutogradError {
    fn from(error: TchError) -> Self {
        TorchError::from(error).into()
    }
}
