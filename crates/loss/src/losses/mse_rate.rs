//! Mean squared error of the rates.

use serde::{Deserialize, Serialize};
use tch::Reduction;

use super::Loss;
use crate::config::Progress;
use crate::error::LossError;
use crate::input::LossInput;
use crate::terms::LossTerms;

/// Settings of [`LossConfig::MseRate`](crate::LossConfig::MseRate): it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MseRateConfig {}

impl Loss for MseRateConfig {
    /// `MSE(mean_t o_t, label)`.
    fn terms(&self, input: &LossInput, _: Progress) -> Result<LossTerms, LossError> {
        LossTerms::one("mse", input.mean.f_mse_loss(&input.distribution, Reduction::Mean)?)
    }
}
