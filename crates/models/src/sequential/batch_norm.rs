//! Batch norm on its own.

use super::LayerPlan;
use crate::builder::Builder;
use crate::error::ModelError;

/// See [`LayerConfig::BatchNorm`](crate::LayerConfig::BatchNorm).
#[derive(Debug)]
pub(super) struct BatchNorm;

impl LayerPlan for BatchNorm {
    fn build(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError> {
        builder.push_batch_norm(&format!("{name}.bn"), 1.0)
    }
}
