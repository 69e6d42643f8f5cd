//! Synaptic operations and an estimate of their energy.

use serde::{Deserialize, Serialize};

/// Energy of a 32-bit floating-point multiply-accumulate (MAC) at 45 nm, in joules: 3.7 pJ to multiply, 0.9
/// pJ to add. A dense processor does one for each weight and input, regardless of their values. Horowitz,
/// "Computing's energy problem (and what we can do about it)", ISSCC 2014.
pub const MAC_JOULES: f64 = 4.6e-12;

/// Energy of a 32-bit floating-point accumulate (AC) at 45 nm, in joules: the cost of a spike at each synapse
/// on an event-driven processor. Horowitz, ISSCC 2014.
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
    /// MACs of one dense evaluation: the cost of the layer in an ANN.
    pub macs: u64,
    /// The layer's input.
    pub input: LayerInput,
}

/// The kind of a layer's input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LayerInput {
    /// Dense values, such as an image or membrane potentials: every weight is multiplied `evaluations` times
    /// (once for an image that is the same at each time step).
    Analog {
        /// The number of times the layer is evaluated for one sample.
        evaluations: u64,
    },
    /// Event frames: at each time step, a weight is multiplied if its input is not zero.
    Frames {
        /// Mean share of non-zero inputs.
        density: f64,
    },
    /// Spikes: a weight is added for each spike that arrives.
    Spikes {
        /// Mean number of spikes per input and time step (it can exceed 1 where residual branches are added,
        /// or spikes are pooled).
        rate: f64,
    },
}

impl Default for LayerInput {
    fn default() -> Self {
        LayerInput::Spikes { rate: 0.0 }
    }
}

impl LayerOperations {
    /// MACs of the spiking network on an event-driven processor, per sample.
    pub fn snn_macs(&self, time_steps: usize) -> f64 {
        match self.input {
            LayerInput::Analog { evaluations } => self.macs as f64 * evaluations as f64,
            LayerInput::Frames { density } => self.macs as f64 * density * time_steps as f64,
            LayerInput::Spikes { .. } => 0.0,
        }
    }

    /// MACs of the spiking network on a processor that does not skip zeros, per sample.
    pub fn dense_macs(&self, time_steps: usize) -> f64 {
        match self.input {
            LayerInput::Analog { evaluations } => self.macs as f64 * evaluations as f64,
            LayerInput::Frames { .. } | LayerInput::Spikes { .. } => self.macs as f64 * time_steps as f64,
        }
    }

    /// ACs of the spiking network on an event-driven processor, per sample: `macs x rate x T`.
    pub fn snn_acs(&self, time_steps: usize) -> f64 {
        match self.input {
            LayerInput::Analog { .. } | LayerInput::Frames { .. } => 0.0,
            LayerInput::Spikes { rate } => self.macs as f64 * rate * time_steps as f64,
        }
    }

    /// Energy of the spiking network on an event-driven processor, in joules per sample.
    pub fn snn_joules(&self, time_steps: usize) -> f64 {
        self.snn_macs(time_steps) * MAC_JOULES + self.snn_acs(time_steps) * AC_JOULES
    }

    /// Energy of an ANN with the same weights on a dense processor, in joules per sample.
    pub fn ann_joules(&self) -> f64 {
        self.macs as f64 * MAC_JOULES
    }
}

impl Energy {
    /// MACs of the spiking network on an event-driven processor, per sample.
    pub fn snn_macs(&self) -> f64 {
        self.layers.iter().map(|layer| layer.snn_macs(self.time_steps)).sum()
    }

    /// MACs of the spiking network on a processor that does not skip zeros, per sample.
    pub fn dense_macs(&self) -> f64 {
        self.layers.iter().map(|layer| layer.dense_macs(self.time_steps)).sum()
    }

    /// ACs of the spiking network on an event-driven processor, per sample.
    pub fn snn_acs(&self) -> f64 {
        self.layers.iter().map(|layer| layer.snn_acs(self.time_steps)).sum()
    }

    /// MACs of an ANN with the same weights, which is evaluated once, per sample.
    pub fn ann_macs(&self) -> f64 {
        self.layers.iter().map(|layer| layer.macs as f64).sum()
    }

    /// Energy of the spiking network on an event-driven processor, in joules per sample.
    pub fn snn_joules(&self) -> f64 {
        self.snn_macs() * MAC_JOULES + self.snn_acs() * AC_JOULES
    }

    /// Energy of the spiking network on a processor that does not skip zeros, in joules per sample.
    pub fn dense_joules(&self) -> f64 {
        self.dense_macs() * MAC_JOULES
    }

    /// Energy of an ANN with the same weights on a dense processor, in joules per sample.
    pub fn ann_joules(&self) -> f64 {
        self.ann_macs() * MAC_JOULES
    }
}
