//! Options of several representations.

use serde::{Deserialize, Serialize};

/// What the channels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Polarity {
    /// Two channels: darker events (0), brighter events (1).
    #[default]
    Split,
    /// One channel: events of both polarities.
    Merged,
    /// One channel: brighter events minus darker ones.
    Signed,
}

/// Where an event lies among the bins of a voxel grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VoxelTime {
    /// As in the paper: `b_i = (bins - 1) (t_i - t_0) / (t_{N-1} - t_0)`. The weights of an event sum to 1.
    #[default]
    Zhu,
    /// tonic 1.7: `b_i = bins (t_i - t_0) / (t_{N-1} - t_0)`. What falls beyond the last bin is lost.
    Tonic,
}

/// How the past fades.
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

    /// How far the channel of brighter events lies after that of darker ones, in values.
    pub(super) fn stride(self, plane: usize) -> usize {
        if self == Polarity::Split { plane } else { 0 }
    }
}

impl Decay {
    /// What is left of 1 after `age_us`.
    pub(super) fn after(self, age_us: i64, tau_us: f64) -> f32 {
        let age = age_us as f64 / tau_us;
        match self {
            Decay::Exponential => (-age as f32).exp(),
            Decay::Linear => (1.0 - age / 3.0).max(0.0) as f32,
        }
    }
}
