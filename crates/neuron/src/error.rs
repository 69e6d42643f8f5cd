//! What can go wrong.

use tks_kernels::KernelError;

/// Why a neuron could not be built or run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NeuronError {
    /// A parameter lies outside its range.
    #[error("`{parameter}` = {value} is out of range: it must be {range}")]
    OutOfRange {
        /// The parameter, by its name in the configuration.
        parameter: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
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
    /// A buffer has another length than the shape asks for.
    #[error("`{buffer}` holds {actual} values where {expected} are needed ({shape})")]
    Length {
        /// The buffer's name.
        buffer: &'static str,
        /// Its length.
        actual: usize,
        /// The length that the shape asks for.
        expected: usize,
        /// The shape in words.
        shape: &'static str,
    },
    /// A state that the model has is missing, or one that it has not was given.
    #[error("the model `{model}` {problem}")]
    State {
        /// The model's name.
        model: &'static str,
        /// What is wrong with its state.
        problem: &'static str,
    },
    /// Of the kernels below: the instruction set has no such name.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}
