//! What a network is made of, without running it.

use serde::Serialize;

/// What a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// Convolution.
    Convolution,
    /// Linear layer.
    Linear,
    /// Batch norm.
    BatchNorm,
    /// Neurons.
    Neurons,
    /// Mean over squares, over a whole plane, or over tokens.
    AvgPool,
    /// Maximum over squares.
    MaxPool,
    /// Attention's products.
    Attention,
    /// A layer that a program defined.
    Own,
}

/// One layer, for one sample at one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Its name, as in the state dictionary.
    pub name: String,
    /// What it is.
    pub kind: LayerKind,
    /// Shape of its input: `[C, H, W]`, `[F]` or `[N, D]`.
    pub input: Vec<usize>,
    /// Shape of its output.
    pub output: Vec<usize>,
    /// Number of learned values.
    pub parameters: usize,
    /// Multiplications with an addition, each step, of a dense input.
    pub macs: u64,
    /// Whether its input is made of spikes (or of sums or means of spikes). Then a synapse costs an addition for each
    /// spike: synaptic operations are `macs` times the share of the input that is not zero.
    pub spiking_input: bool,
    /// Whether it is computed once, and not at every step, where the network's input is the same at every step.
    pub is_static: bool,
}

/// A network's layers in the order of its forward pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The layers.
    pub layers: Vec<LayerSummary>,
}

impl Summary {
    /// Number of learned values.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.parameters).sum()
    }

    /// Multiplications with an addition for one sample, each step.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(|layer| layer.macs).sum()
    }

    /// Number of neurons.
    pub fn neurons(&self) -> usize {
        let neurons = self.layers.iter().filter(|layer| layer.kind == LayerKind::Neurons);
        neurons.map(|layer| layer.output.iter().product::<usize>()).sum()
    }
}
