//! Errors of the kernels.

/// Why a kernel could not run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A size is out of range.
    #[error("`{parameter}` = {value} is out of range: it must be {range}")]
    OutOfRange {
        /// The size's name.
        parameter: &'static str,
        /// The given value.
        value: f64,
        /// The allowed range.
        range: &'static str,
    },
    /// The length of a buffer does not match the sizes.
    #[error("`{buffer}` holds {actual} values where {expected} are needed ({shape})")]
    Length {
        /// The buffer's name.
        buffer: &'static str,
        /// Its length.
        actual: usize,
        /// The length required by the sizes.
        expected: usize,
        /// The sizes in words.
        shape: &'static str,
    },
    /// The environment variable that limits the instruction set does not name one.
    #[error("TKS_SIMD = \"{value}\" names no instruction set: it must be baseline, avx2 or avx512, or unset")]
    InstructionSet {
        /// The variable's value.
        value: String,
    },
}
