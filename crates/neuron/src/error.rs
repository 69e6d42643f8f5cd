//! Errors of neurons and kernels.

use tks_kernels::KernelError;

/// Why a neuron could not be built or run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NeuronError {
    /// A parameter is out of range.
    #[error("`{parameter}` = {value} is out of range: it must be {range}")]
    OutOfRange {
        /// The parameter, by its name in the configuration.
        parameter: &'static str,
        /// The given value.
        value: f64,
        /// The allowed range.
        range: &'static str,
    },
    /// Two options exclude each other.
    #[error("{what}; {remedy}")]
    Incompatible {
        /// The conflict.
        what: &'static str,
        /// What to change.
        remedy: &'static str,
    },
    /// The model has no fused kernel.
    #[error("the model `{model}` has no fused kernel: run it step by step with `reference::step`")]
    NoKernel {
        /// The model's name.
        model: &'static str,
    },
    /// The length of a buffer does not match the shape.
    #[error("`{buffer}` holds {actual} values where {expected} are needed ({shape})")]
    Length {
        /// The buffer's name.
        buffer: &'static str,
        /// Its length.
        actual: usize,
        /// The length required by the shape.
        expected: usize,
        /// The shape in words.
        shape: &'static str,
    },
    /// A state of the model is missing, or a state that the model does not have was given.
    #[error("the model `{model}` {problem}")]
    State {
        /// The model's name.
        model: &'static str,
        /// What is wrong with its state.
        problem: &'static str,
    },
    /// An error of the underlying kernels, such as an unknown instruction set.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}
