//! A loss: cross entropy of the mean over only the last steps, when the network has seen enough.

use serde::Deserialize;
use tks_loss::{Loss, LossError, LossInput, LossTerms, Progress, cross_entropy};

/// Its settings: `loss = { late_steps = { from = 2 } }`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LateSteps {
    /// The first step that counts, from 0.
    from: i64,
}

impl Default for LateSteps {
    fn default() -> Self {
        LateSteps { from: 1 }
    }
}

impl Loss for LateSteps {
    fn terms(&self, input: &LossInput, _: Progress) -> Result<LossTerms, LossError> {
        let steps = input.logits.size()[0];
        if !(0..steps).contains(&self.from) {
            let (key, value) = ("late_steps.from", self.from.to_string());
            return Err(LossError::Config { key, value, expected: "a step that the network runs" });
        }
        let late = input.logits.f_narrow(0, self.from, steps - self.from)?;
        let log_probabilities = late.f_mean_dim(0, false, None)?.f_log_softmax(1, None)?;
        LossTerms::one("ce", cross_entropy(&log_probabilities, &input.distribution)?)
    }
}
