//! Valid ranges of parameters.

use crate::error::NeuronError;

/// The valid range of a parameter of a model or a surrogate; every parameter must be finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    Finite,
    AtLeastZero,
    AboveZero,
    AboveOne,
    /// A time constant in steps.
    Tau,
    /// PLIF's time constant.
    LearnedTau,
    /// GLIF's rates.
    Share,
}

impl Range {
    pub(crate) fn check(self, parameter: &'static str, value: f32) -> Result<(), NeuronError> {
        let (fine, range) = match self {
            Range::Finite => (true, "finite"),
            Range::AtLeastZero => (value >= 0.0, "finite and 0 or above"),
            Range::AboveZero => (value > 0.0, "finite and above 0"),
            Range::AboveOne => (value > 1.0, "finite and above 1"),
            Range::Tau => (value >= 1.0, "finite and 1 or above (a time constant in steps)"),
            Range::LearnedTau => (value > 1.0, "finite and above 1, since 1 / tau = sigmoid(w) is below 1"),
            Range::Share => {
                (value > 0.0 && value < 1.0, "above 0 and below 1, since it is a sigmoid's value")
            }
        };
        if fine && value.is_finite() {
            return Ok(());
        }
        Err(NeuronError::OutOfRange { parameter, value: f64::from(value), range })
    }
}
