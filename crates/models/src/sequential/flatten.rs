//! Flattening to a vector of all features.

use super::LayerPlan;
use crate::builder::Builder;
use crate::error::ModelError;

/// See [`LayerConfig::Flatten`](crate::LayerConfig::Flatten).
#[derive(Debug)]
pub(super) struct Flatten;

impl LayerPlan for Flatten {
    fn build(&self, builder: &mut Builder<'_>, _: &str) -> Result<(), ModelError> {
        builder.push_flatten();
        Ok(())
    }
}
