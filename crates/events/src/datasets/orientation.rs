//! The orientation in which recordings are provided.

use serde::{Deserialize, Serialize};

/// The orientation in which recordings are provided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Orientation {
    /// As stored in the file.
    #[default]
    Stored,
    /// As provided by SpikingJelly, which published results are based on. CIFAR10-DVS: `x = W - 1 - y`, `y =
    /// H - 1 - x`, `p = 1 - p`; ASL-DVS: `x = W - 1 - x`, `y = H - 1 - y`. The other data sets are unchanged.
    Spikingjelly,
}
