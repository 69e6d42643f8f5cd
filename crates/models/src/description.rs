//! A description of a network's layers from which another program can rebuild it: connections, shapes,
//! tensors by name, and the learned parameters of its neurons.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tks_neuron::Neuron;

/// A layer. The full name of a tensor is the layer's name followed by the tensor's name in the state
/// dictionary: `conv1.weight`, `bn1.running_var`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LayerDescription {
    /// Convolution of `[C, H, W]` with zero padding.
    Convolution {
        /// Its name.
        name: String,
        /// Shape of `weight`: `[O, C / groups, kh, kw]`.
        weight: Vec<i64>,
        /// Whether there is a `bias`, `[O]`.
        bias: bool,
        /// Stride in pixels.
        stride: i64,
        /// Zero padding on each side.
        padding: i64,
        /// Distance in pixels between adjacent taps of the kernel.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        dilation: i64,
        /// Number of channel groups that are convolved separately.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        groups: i64,
        /// Shape of a sample's input at one step.
        input: Vec<usize>,
        /// Shape of its output.
        output: Vec<usize>,
    },
    /// Linear layer, `weight x + bias`, of a vector `[F]` or of each token of `[N, D]`.
    Linear {
        /// Its name.
        name: String,
        /// Shape of `weight`: `[O, F]`, or `[O, D, 1]` for tokens.
        weight: Vec<i64>,
        /// Whether there is a `bias`, `[O]`.
        bias: bool,
        /// Shape of a sample's input at one step.
        input: Vec<usize>,
        /// Shape of its output.
        output: Vec<usize>,
    },
    /// Batch norm with `running_mean` and `running_var`, then multiplied by `weight`, plus `bias`; each
    /// `[C]`. For tokens `[N, D]`, over `D`.
    BatchNorm {
        /// Its name.
        name: String,
        /// Number of channels, `C`.
        channels: i64,
        /// Constant added to the variance.
        eps: f64,
        /// Weight of a batch in the running statistics, in training.
        momentum: f64,
    },
    /// Neurons, at rest before each sample's first step.
    Neurons {
        /// Their name.
        name: String,
        /// Their configuration, with the learned threshold if it is learned.
        neuron: Neuron,
        /// The membrane time constant in steps, as learned if it is learned; `None` for neurons without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tau: Option<f64>,
        /// The learned parameters under their names in the state dictionary: `w` (`1 / tau = sigmoid(w)`),
        /// `k`, GLIF's gates and rates, `v_threshold`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        learned: BTreeMap<String, f64>,
        /// Shape of their output at one step.
        output: Vec<usize>,
    },
    /// Average pooling over non-overlapping square windows.
    AvgPool {
        /// Side of the window in pixels.
        size: i64,
    },
    /// Max pooling over square windows.
    MaxPool {
        /// Side of the window in pixels.
        size: i64,
        /// Stride in pixels.
        stride: i64,
        /// Padding on each side in pixels, smaller than any value.
        padding: i64,
    },
    /// Global average pooling: `[C, H, W]` to `[C]`.
    GlobalAvgPool,
    /// `[C, H, W]` or `[N, D]` to a vector.
    Flatten,
    /// One token per pixel, in row-major order: `[C, H, W]` to `[H * W, C]`.
    ToTokens,
    /// Mean over tokens: `[N, D]` to `[D]`.
    MeanOfTokens,
    /// Spiking attention, `scale q k^T v` for each head, without a softmax: tokens `[N, 3 D]`, containing
    /// queries, keys and values in this order, each of them head by head, to `[N, D]`.
    Attention {
        /// Number of heads.
        heads: i64,
        /// Scaling factor of the product.
        scale: f64,
    },
    /// Dropout, in training only.
    Dropout {
        /// Share of the features that are dropped.
        rate: f64,
    },
    /// Two branches with the same input.
    Block {
        /// The residual branch.
        main: Vec<LayerDescription>,
        /// The shortcut; empty: the input itself.
        shortcut: Vec<LayerDescription>,
        /// How they are joined.
        join: JoinDescription,
        /// The layers after the join.
        after: Vec<LayerDescription>,
    },
    /// A layer defined by a program, without further description.
    Own {
        /// The name of its type.
        type_name: String,
    },
}

fn one() -> i64 {
    1
}

fn is_one(value: &i64) -> bool {
    *value == 1
}

/// How a block joins its branches, `main` and `shortcut`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JoinDescription {
    /// `main + shortcut`
    Add,
    /// `main * shortcut`
    And,
    /// `(1 - main) * shortcut`
    Iand,
}
