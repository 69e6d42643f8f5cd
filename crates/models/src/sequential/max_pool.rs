//! Max pooling.

use serde::{Deserialize, Serialize};

use super::LayerPlan;
use crate::builder::Builder;
use crate::config::check_size;
use crate::error::ModelError;

/// See [`LayerConfig::MaxPool`](crate::LayerConfig::MaxPool).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaxPoolConfig {
    /// Height and width of the square window, and the stride; 1 or above.
    pub size: usize,
}

impl Default for MaxPoolConfig {
    fn default() -> Self {
        MaxPoolConfig { size: 2 }
    }
}

impl LayerPlan for MaxPoolConfig {
    fn check(&self) -> Result<(), ModelError> {
        check_size("size", self.size)
    }

    fn build(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError> {
        builder.push_max_pool(name, [self.size, self.size, 0])
    }
}
