//! A SEW basic block.

use serde::{Deserialize, Serialize};

use super::{LayerPlan, one};
use crate::architectures::{Names, push_sew_basic};
use crate::builder::Builder;
use crate::config::check_size;
use crate::error::ModelError;

/// See [`LayerConfig::SewBlock`](crate::LayerConfig::SewBlock).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SewBlockConfig {
    /// Number of output channels, 1 or above.
    pub channels: usize,
    /// Stride of the first convolution and of the shortcut, 1 or above.
    #[serde(default = "one")]
    pub stride: usize,
}

impl LayerPlan for SewBlockConfig {
    fn check(&self) -> Result<(), ModelError> {
        check_size("channels", self.channels)?;
        check_size("stride", self.stride)
    }

    fn build(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError> {
        push_sew_basic(builder, name, self.channels, self.stride, Names::BRAINCOG)
    }
}
