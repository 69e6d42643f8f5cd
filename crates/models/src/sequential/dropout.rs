//! Dropout.

use serde::{Deserialize, Serialize};

use super::LayerPlan;
use crate::builder::Builder;
use crate::config::check_rate;
use crate::error::ModelError;

/// See [`LayerConfig::Dropout`](crate::LayerConfig::Dropout).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DropoutConfig {
    /// Share of the features to drop, 0 to below 1.
    pub rate: f64,
}

impl Default for DropoutConfig {
    fn default() -> Self {
        DropoutConfig { rate: 0.5 }
    }
}

impl LayerPlan for DropoutConfig {
    fn check(&self) -> Result<(), ModelError> {
        check_rate("rate", self.rate)
    }

    fn build(&self, builder: &mut Builder<'_>, _: &str) -> Result<(), ModelError> {
        builder.push_dropout(self.rate);
        Ok(())
    }
}
