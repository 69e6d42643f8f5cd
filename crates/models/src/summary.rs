//! A summary of a network's layers, without running it.

use serde::Serialize;

/// The kind of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LayerKind {
    /// Convolution.
    Convolution,
    /// Linear layer.
    Linear,
    /// Batch norm.
    BatchNorm,
    /// Neurons.
    Neurons,
    /// Average pooling over windows, over a whole plane, or over tokens.
    AvgPool,
    /// Max pooling over windows.
    MaxPool,
    /// The products of attention.
    Attention,
    /// A layer defined by a program.
    Own,
}

/// One layer, for one sample at one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Its name, as in the state dictionary.
    pub name: String,
    /// Its kind.
    pub kind: LayerKind,
    /// Shape of its input: `[C, H, W]`, `[F]` or `[N, D]`.
    pub input: Vec<usize>,
    /// Shape of its output.
    pub output: Vec<usize>,
    /// Number of learned values.
    pub parameters: usize,
    /// Multiply-accumulate operations per step, for a dense input.
    pub macs: u64,
    /// Whether its input consists of spikes (or of sums or means of spikes). A synapse then costs one
    /// addition per spike: the number of synaptic operations is `macs` multiplied by the share of non-zero
    /// inputs.
    pub spiking_input: bool,
    /// Whether it is computed once instead of at every step if the network's input is the same at every step.
    pub is_static: bool,
}

/// The layers of a network, in the order of the forward pass.
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

    /// Multiply-accumulate operations for one sample, per step.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(|layer| layer.macs).sum()
    }

    /// Number of neurons.
    pub fn neurons(&self) -> usize {
        let neurons = self.layers.iter().filter(|layer| layer.kind == LayerKind::Neurons);
        neurons.map(|layer| layer.output.iter().product::<usize>()).sum()
    }
}
