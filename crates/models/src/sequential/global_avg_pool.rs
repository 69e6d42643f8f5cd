//! Global average pooling.

use super::LayerPlan;
use crate::builder::Builder;
use crate::error::ModelError;

/// See [`LayerConfig::GlobalAvgPool`](crate::LayerConfig::GlobalAvgPool).
#[derive(Debug)]
pub(super) struct GlobalAvgPool;

impl LayerPlan for GlobalAvgPool {
    fn build(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError> {
        builder.push_global_avg_pool(name)
    }
}
