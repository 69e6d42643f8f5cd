//! A network's layers with all that another program needs to rebuild it: what follows what, shapes, tensors by name, and
//! the numbers of its neurons as they were learned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tks_neuron::Neuron;

/// A layer. Tensors have the layer's name and their own in the state dictionary: `conv1.weight`, `bn1.running_var`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LayerDescription {
    /// Convolution of `[C, H, W]`, with zeros around it.
    Convolution {
        /// Its name.
        name: String,
        /// Shape of `weight`: `[O, C / groups, kh, kw]`.
        weight: Vec<i64>,
        /// Whether there is a `bias`, `[O]`.
        bias: bool,
        /// Pixels from one place of the kernel to the next.
        stride: i64,
        /// Zeros on each side.
        padding: i64,
        /// Pixels from one tap of the kernel to the next.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        dilation: i64,
        /// Groups of channels, each convolved by itself.
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
        /// Shape of `weight`: `[O, F]`, or `[O, D, 1]` of tokens.
        weight: Vec<i64>,
        /// Whether there is a `bias`, `[O]`.
        bias: bool,
        /// Shape of a sample's input at one step.
        input: Vec<usize>,
        /// Shape of its output.
        output: Vec<usize>,
    },
    /// Batch norm by `running_mean` and `running_var`, then times `weight`, plus `bias`; each `[C]`. Of tokens
    /// `[N, D]` over `D`.
    BatchNorm {
        /// Its name.
        name: String,
        /// Channels `C`.
        channels: i64,
        /// Added to the variance.
        eps: f64,
        /// Share of a batch in the running statistics, in training.
        momentum: f64,
    },
    /// Neurons, from rest at each sample's first step.
    Neurons {
        /// Their name.
        name: String,
        /// Their configuration, with the threshold as it was learned where it is learned.
        neuron: Neuron,
        /// The membrane's time constant in steps, as it was learned where it is learned; none for neurons without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tau: Option<f64>,
        /// What was learned, by the names in the state dictionary: `w` (`1 / tau = sigmoid(w)`), `k`, GLIF's
        /// gates and rates, `v_threshold`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        learned: BTreeMap<String, f64>,
        /// Shape of their output at one step.
        output: Vec<usize>,
    },
    /// Mean over squares that do not overlap.
    AvgPool {
        /// Side of a square in pixels.
        size: i64,
    },
    /// Maximum over squares.
    MaxPool {
        /// Side of a square in pixels.
        size: i64,
        /// Pixels from one square to the next.
        stride: i64,
        /// Pixels on each side that count as smaller than all.
        padding: i64,
    },
    /// Mean over each channel's plane: `[C, H, W]` to `[C]`.
    GlobalAvgPool,
    /// `[C, H, W]` or `[N, D]` to a vector.
    Flatten,
    /// A token for each pixel, row by row: `[C, H, W]` to `[H * W, C]`.
    ToTokens,
    /// Mean over tokens: `[N, D]` to `[D]`.
    MeanOfTokens,
    /// Spiking attention, `scale q k^T v` of each head without a softmax: tokens `[N, 3 D]`, the queries, keys and values
    /// side by side and each of them head after head, to `[N, D]`.
    Attention {
        /// Number of heads.
        heads: i64,
        /// Factor of the product.
        scale: f64,
    },
    /// Dropout, in training only.
    Dropout {
        /// Share of the features that are dropped.
        rate: f64,
    },
    /// Two branches from one input.
    Block {
        /// The residual branch.
        main: Vec<LayerDescription>,
        /// The shortcut; empty: the input itself.
        shortcut: Vec<LayerDescription>,
        /// How they are joined.
        join: JoinDescription,
        /// What follows the join.
        after: Vec<LayerDescription>,
    },
    /// A layer that a program defined, which says no more of itself.
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
pub enum JoinDescription {
    /// `main + shortcut`
    Add,
    /// `main * shortcut`
    And,
    /// `(1 - main) * shortcut`
    Iand,
}
