//! Options shared by several representations.

use serde::{Deserialize, Serialize};

/// The channels of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Polarity {
    /// Two channels: OFF events (darker, 0) and ON events (brighter, 1).
    #[default]
    Split,
    /// One channel: events of both polarities.
    Merged,
    /// One channel: ON events (brighter) minus OFF events (darker).
    Signed,
}

/// Position of an event among the bins of a voxel grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VoxelTime {
    /// As in the paper: `b_i = (bins - 1) (t_i - t_0) / (t_{N-1} - t_0)`. The weights of an event sum to 1.
    #[default]
    Zhu,
    /// tonic 1.7: `b_i = bins (t_i - t_0) / (t_{N-1} - t_0)`. Weights beyond the last bin are lost.
    Tonic,
}

/// The decay function of past events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Decay {
    /// `exp(-age / tau)`.
    #[default]
    Exponential,
    /// `max(0, 1 - age / (3 tau))`.
    Linear,
}

impl Polarity {
    /// Number of channels.
    pub fn channels(self) -> usize {
        match self {
            Polarity::Split => 2,
            Polarity::Merged | Polarity::Signed => 1,
        }
    }

    /// Distance in values from the channel of OFF events to that of ON events.
    pub(super) fn stride(self, plane: usize) -> usize {
        if self == Polarity::Split { plane } else { 0 }
    }
}

impl Decay {
    /// The remainder of 1 after `age_us`.
    pub(super) fn after(self, age_us: i64, tau_us: f64) -> f32 {
        let age = age_us as f64 / tau_us;
        match self {
            Decay::Exponential => (-age as f32).exp(),
            Decay::Linear => (1.0 - age / 3.0).max(0.0) as f32,
        }
    }
}
