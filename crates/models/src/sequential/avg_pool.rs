//! Average pooling.

use serde::{Deserialize, Serialize};

use super::LayerPlan;
use crate::builder::Builder;
use crate::config::check_size;
use crate::error::ModelError;

/// See [`LayerConfig::AvgPool`](crate::LayerConfig::AvgPool).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AvgPoolConfig {
    /// Height and width of the square window, and the stride; 1 or above.
    pub size: usize,
}

impl Default for AvgPoolConfig {
    fn default() -> Self {
        AvgPoolConfig { size: 2 }
    }
}

impl LayerPlan for AvgPoolConfig {
    fn check(&self) -> Result<(), ModelError> {
        check_size("size", self.size)
    }

    fn build(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError> {
        builder.push_avg_pool(name, self.size)
    }
}
