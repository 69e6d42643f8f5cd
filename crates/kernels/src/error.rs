//! What can go wrong.

/// Why a kernel could not run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A size lies outside its range.
    #[error("`{parameter}` = {value} is out of range: it must be {range}")]
    OutOfRange {
        /// The size's name.
        parameter: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// A buffer has another length than the sizes ask for.
    #[error("`{buffer}` holds {actual} values where {expected} are needed ({shape})")]
    Length {
        /// The buffer's name.
        buffer: &'static str,
        /// Its length.
        actual: usize,
        /// The length that the sizes ask for.
        expected: usize,
        /// The sizes in words.
        shape: &'static str,
    },
    /// The variable that limits the instruction set names none.
    #[error("TKS_SIMD = \"{value}\" names no instruction set: it must be baseline, avx2 or avx512, or unset")]
    InstructionSet {
        /// What the variable holds.
        value: String,
    },
}
