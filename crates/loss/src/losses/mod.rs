//! The losses, each in its own file with its settings, ranges and equation.

mod ce;
mod mse_rate;
mod teacher;
mod tet;
mod tks;

use std::fmt::Debug;

use crate::config::Progress;
use crate::error::LossError;
use crate::input::LossInput;
use crate::terms::LossTerms;

pub use ce::CeConfig;
pub use mse_rate::MseRateConfig;
pub use teacher::Teacher;
pub use tet::TetConfig;
pub use tks::{Assembly, NoCorrect, Schedule, Selection, TeacherGradient, TksConfig};

/// A loss over the logits of all time steps: its settings and its equation.
///
/// A program can define its own as a type that implements this trait. Once registered, it can be selected by
/// name in a configuration, like the built-in ones:
///
/// ```
/// use serde::Deserialize;
/// use tch::{Device, Kind, Tensor};
/// use tks_loss::{Loss, LossConfig, LossError, LossInput, LossTerms, Progress, Target, cross_entropy};
///
/// /// Cross entropy of the last step alone.
/// #[derive(Debug, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct LastStep {
///     weight: f64,
/// }
///
/// impl Loss for LastStep {
///     fn terms(&self, input: &LossInput, _: Progress) -> Result<LossTerms, LossError> {
///         let log_probabilities = input.logits.f_get(-1)?.f_log_softmax(1, None)?;
///         let ce = cross_entropy(&log_probabilities, &input.distribution)?;
///         LossTerms::sum(&[("ce", &ce, self.weight)])
///     }
/// }
///
/// LossConfig::register_with::<LastStep>("last_step")?;
///
/// #[derive(Deserialize)]
/// struct Training {
///     loss: LossConfig,
/// }
/// let training: Training = toml::from_str("loss = { last_step = { weight = 0.5 } }")?;
/// let logits = Tensor::zeros([4, 2, 10], (Kind::Float, Device::Cpu));
/// let labels = Tensor::from_slice(&[3i64, 7]);
/// let output = training.loss.compute(&logits, Target::Hard(&labels), Progress { epoch: 0, epochs: 1 })?;
/// assert!((output.loss.double_value(&[]) - 0.5 * 10f64.ln()).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Loss: Debug + Send + Sync {
    /// Checks that each setting is in its range.
    ///
    /// # Errors
    /// [`LossError::Config`] with the first invalid one.
    fn check(&self) -> Result<(), LossError> {
        Ok(())
    }

    /// The loss of a batch, of shape `[]`, and its terms.
    ///
    /// # Errors
    /// Errors from libtorch; [`LossError::Progress`].
    fn terms(&self, input: &LossInput, progress: Progress) -> Result<LossTerms, LossError>;
}

/// Checks that a share is from 0 to 1.
fn share(key: &'static str, value: f64) -> Result<(), LossError> {
    require(key, value, (0.0..=1.0).contains(&value), "a number from 0 to 1")
}

fn smoothing(key: &'static str, value: f64) -> Result<(), LossError> {
    require(key, value, (0.0..1.0).contains(&value), "a number from 0 to below 1")
}

fn require(
    key: &'static str,
    value: impl ToString,
    holds: bool,
    expected: &'static str,
) -> Result<(), LossError> {
    if holds { Ok(()) } else { Err(LossError::Config { key, value: value.to_string(), expected }) }
}
