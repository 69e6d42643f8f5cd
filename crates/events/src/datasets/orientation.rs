//! Which way up recordings are given.

use serde::{Deserialize, Serialize};

/// Which way up recordings are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Orientation {
    /// As the file has it.
    #[default]
    Stored,
    /// As SpikingJelly gives them, on which published results stand. CIFAR10-DVS: `x = W - 1 - y`, `y = H - 1 - x`,
    /// `p = 1 - p`; ASL-DVS: `x = W - 1 - x`, `y = H - 1 - y`. The others it gives as they are stored.
    Spikingjelly,
}
