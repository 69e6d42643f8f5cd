//! Temporal Efficient Training. Deng et al., ICLR 2022.

use serde::{Deserialize, Serialize};
use tch::Kind;

use super::{Loss, require, share, smoothing};
use crate::config::Progress;
use crate::error::LossError;
use crate::input::LossInput;
use crate::terms::{LossTerms, cross_entropy, smoothed};

/// Settings of [`LossConfig::Tet`](crate::LossConfig::Tet). The defaults are those of the authors' script.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TetConfig {
    /// Weight of the mean squared error against `phi`, 0 to 1.
    pub lambda: f64,
    /// The value towards which the logits are drawn.
    pub phi: f64,
    /// Share of the label that is spread evenly over all classes, 0 to below 1.
    pub label_smoothing: f64,
}

impl Default for TetConfig {
    fn default() -> Self {
        Self { lambda: 1e-3, phi: 1.0, label_smoothing: 0.0 }
    }
}

impl Loss for TetConfig {
    fn check(&self) -> Result<(), LossError> {
        share("tet.lambda", self.lambda)?;
        require("tet.phi", self.phi, self.phi.is_finite(), "a finite number")?;
        smoothing("tet.label_smoothing", self.label_smoothing)
    }

    /// `(1 - lambda) mean_t CE(o_t, label) + lambda MSE(o, phi)`.
    fn terms(&self, input: &LossInput, _: Progress) -> Result<LossTerms, LossError> {
        let log_probabilities = input.logits.f_log_softmax(2, None)?.f_mean_dim(0, false, None)?;
        let label = smoothed(&input.distribution, self.label_smoothing)?;
        let ce = cross_entropy(&log_probabilities, &label)?;
        let mse = input.logits.f_sub_scalar(self.phi)?.f_square()?.f_mean(None::<Kind>)?;
        LossTerms::sum(&[("ce", &ce, 1.0 - self.lambda), ("mse", &mse, self.lambda)])
    }
}
