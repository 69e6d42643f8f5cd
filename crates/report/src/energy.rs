//! Synaptic operations, and an estimate of what they cost.

use serde::{Deserialize, Serialize};

/// Energy of a multiplication with accumulation of 32-bit floats at 45 nm, in joules: 3.7 pJ to multiply, 0.9 pJ
/// to add. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014.
pub const MAC_JOULES: f64 = 4.6e-12;

/// Energy of an accumulation of 32-bit floats at 45 nm, in joules. Horowitz, ISSCC 2014.
pub const AC_JOULES: f64 = 0.9e-12;

/// The operations of a network for one sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Energy {
    /// Time steps, `T`.
    pub time_steps: usize,
    /// Layers with weights, from the input to the output.
    pub layers: Vec<LayerOperations>,
}

/// The operations of one layer with weights (a convolution, a linear layer) for one sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerOperations {
    /// The layer's name in the network.
    pub layer: String,
    /// Multiplications with accumulation of one dense evaluation: what the layer costs an ANN.
    pub macs: u64,
    /// What comes into the layer.
    pub input: LayerInput,
}

/// What comes into a layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LayerInput {
    /// Numbers: every weight is multiplied, `evaluations` times (once for a static image that is the same at each
    /// step, `T` times for frames).
    Analog {
        /// How often the layer is evaluated for one sample.
        evaluations: u64,
    },
    /// Spikes: a weight is added where one arrives.
    Spikes {
        /// Mean spikes per input and step (above 1 where residual branches are added).
        rate: f64,
    },
}

impl Default for LayerInput {
    fn default() -> Self {
        LayerInput::Spikes { rate: 0.0 }
    }
}

impl LayerOperations {
    /// Multiplications with accumulation in the spiking network, per sample.
    pub fn snn_macs(&self) -> f64 {
        match self.input {
            LayerInput::Analog { evaluations } => self.macs as f64 * evaluations as f64,
            LayerInput::Spikes { .. } => 0.0,
        }
    }

    /// Accumulations (synaptic operations) in the spiking network, per sample: `macs x rate x T`.
    pub fn snn_acs(&self, time_steps: usize) -> f64 {
        match self.input {
            LayerInput::Analog { .. } => 0.0,
            LayerInput::Spikes { rate } => self.macs as f64 * rate * time_steps as f64,
        }
    }

    /// Joules of the spiking network, per sample.
    pub fn snn_joules(&self, time_steps: usize) -> f64 {
        self.snn_macs() * MAC_JOULES + self.snn_acs(time_steps) * AC_JOULES
    }

    /// Joules of an ANN of the same weights, per sample.
    pub fn ann_joules(&self) -> f64 {
        self.macs as f64 * MAC_JOULES
    }
}

impl Energy {
    /// Multiplications with accumulation of the spiking network, per sample.
    pub fn snn_macs(&self) -> f64 {
        self.layers.iter().map(LayerOperations::snn_macs).sum()
    }

    /// Accumulations (synaptic operations) of the spiking network, per sample.
    pub fn snn_acs(&self) -> f64 {
        self.layers.iter().map(|layer| layer.snn_acs(self.time_steps)).sum()
    }

    /// Multiplications with accumulation of an ANN of the same weights, per sample.
    pub fn ann_macs(&self) -> f64 {
        self.layers.iter().map(|layer| layer.macs as f64).sum()
    }

    /// Joules of the spiking network, per sample.
    pub fn snn_joules(&self) -> f64 {
        self.snn_macs() * MAC_JOULES + self.snn_acs() * AC_JOULES
    }

    /// Joules of an ANN of the same weights, per sample.
    pub fn ann_joules(&self) -> f64 {
        self.ann_macs() * MAC_JOULES
    }
}
