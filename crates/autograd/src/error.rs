//! What can go wrong.

use tks_neuron::NeuronError;

/// Why an operation could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AutogradError {
    /// The neuron or its buffers do not fit.
    #[error(transparent)]
    Neuron(#[from] NeuronError),
    /// libtorch refused.
    #[error("libtorch: {0}")]
    Libtorch(String),
    /// CUDA's driver or compiler refused, or is missing.
    #[error("CUDA: {0}")]
    Cuda(String),
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
    /// Something that this crate promises itself does not hold: a mistake in it, to be reported.
    #[error("a mistake in tks-autograd, please report it: {0}")]
    Invariant(String),
    /// A tensor is of a kind, device or layout that the operation does not know.
    #[error("{0}")]
    Unsupported(String),
}

impl From<tch::TchError> for AutogradError {
    fn from(error: tch::TchError) -> Self {
        AutogradError::Libtorch(error.to_string())
    }
}
