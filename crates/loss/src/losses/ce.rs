//! Cross entropy of the logits' mean over the steps.

use serde::{Deserialize, Serialize};

use super::{Loss, smoothing};
use crate::config::Progress;
use crate::error::LossError;
use crate::input::LossInput;
use crate::terms::{LossTerms, cross_entropy, smoothed};

/// Settings of [`LossConfig::Ce`](crate::LossConfig::Ce).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CeConfig {
    /// Share of the label that is spread evenly over all classes, 0 to below 1.
    pub label_smoothing: f64,
}

impl Loss for CeConfig {
    fn check(&self) -> Result<(), LossError> {
        smoothing("ce.label_smoothing", self.label_smoothing)
    }

    /// `CE(mean_t o_t, label)`.
    fn terms(&self, input: &LossInput, _: Progress) -> Result<LossTerms, LossError> {
        let label = smoothed(&input.distribution, self.label_smoothing)?;
        LossTerms::one("ce", cross_entropy(&input.mean.f_log_softmax(1, None)?, &label)?)
    }
}
