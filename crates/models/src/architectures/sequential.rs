//! The layers listed in the configuration.

use super::ArchitecturePlan;
use crate::builder::Builder;
use crate::error::ModelError;
use crate::sequential::build;

/// The layers of `layers` and a classifier.
#[derive(Debug)]
pub(super) struct Sequential;

impl ArchitecturePlan for Sequential {
    fn has_sew_blocks(&self) -> bool {
        true
    }

    fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
        let config = builder.config();
        build(builder, &config.layers)
    }
}
