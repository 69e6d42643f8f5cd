//! A network's layers with all that another program needs to rebuild it: what follows what, shapes, tensors by name, and
//! the numbers of its neurons as they were learned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use tks_neuron::{Model, Neuron};

use crate::config::Connect;
use crate::error::ModelError;
use crate::layer::{Block, Join, Layer};
use crate::network::Network;
use crate::unit::{EPS, MOMENTUM, Neurons, Norm, Synapse, Unit};

/// A layer. Tensors have the layer's name and their own in the state dictionary: `conv1.weight`, `bn1.running_var`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LayerDescription {
    /// Convolution of `[C, H, W]`, with zeros around it.
    Convolution {
        /// Its name.
        name: String,
        /// Shape of `weight`: `[O, C, kh, kw]`.
        weight: Vec<i64>,
        /// Whether there is a `bias`, `[O]`.
        bias: bool,
        /// Pixels from one place of the kernel to the next.
        stride: i64,
        /// Zeros on each side.
        padding: i64,
        /// Shape of a sample's input at one step.
        input: Vec<usize>,
        /// Shape of its output.
        output: Vec<usize>,
    },
    /// Linear layer, `weight x + bias`.
    Linear {
        /// Its name.
        name: String,
        /// Shape of `weight`: `[O, F]`.
        weight: Vec<i64>,
        /// Whether there is a `bias`, `[O]`.
        bias: bool,
        /// Shape of a sample's input at one step.
        input: Vec<usize>,
        /// Shape of its output.
        output: Vec<usize>,
    },
    /// Batch norm by `running_mean` and `running_var`, then times `weight`, plus `bias`; each `[C]`.
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
        /// What was learned, by the names in the state dictionary: `w` (`1 / tau = sigmoid(w)`), `k`, `v_threshold`.
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
    /// `[C, H, W]` to `[C * H * W]`.
    Flatten,
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

impl Network {
    /// The layers in the order in which they run, with what was learned by their neurons.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn describe_layers(&self) -> Result<Vec<LayerDescription>, ModelError> {
        let mut layers = Vec::new();
        for layer in &self.layers {
            match layer {
                Layer::Unit(unit) => layers.extend(self.unit(unit)?),
                Layer::Block(block) => layers.push(self.block(block)?),
                Layer::AvgPool { size } => layers.push(LayerDescription::AvgPool { size: *size }),
                &Layer::MaxPool { size, stride, padding } => {
                    layers.push(LayerDescription::MaxPool { size, stride, padding });
                }
                Layer::GlobalAvgPool => layers.push(LayerDescription::GlobalAvgPool),
                Layer::Flatten => layers.push(LayerDescription::Flatten),
                Layer::Dropout { rate } => layers.push(LayerDescription::Dropout { rate: *rate }),
            }
        }
        Ok(layers)
    }

    fn block(&self, block: &Block) -> Result<LayerDescription, ModelError> {
        let units = |units: &mut dyn Iterator<Item = &Unit>| -> Result<Vec<LayerDescription>, ModelError> {
            let mut layers = Vec::new();
            for unit in units {
                layers.extend(self.unit(unit)?);
            }
            Ok(layers)
        };
        let (join, after) = match &block.join {
            Join::Spikes(Connect::Add) => (JoinDescription::Add, Vec::new()),
            Join::Spikes(Connect::And) => (JoinDescription::And, Vec::new()),
            Join::Spikes(Connect::Iand) => (JoinDescription::Iand, Vec::new()),
            Join::Currents(neurons) => (JoinDescription::Add, vec![self.neurons(neurons)?]),
        };
        Ok(LayerDescription::Block {
            main: units(&mut block.main.iter())?,
            shortcut: units(&mut block.shortcut.iter())?,
            join,
            after,
        })
    }

    fn unit(&self, unit: &Unit) -> Result<Vec<LayerDescription>, ModelError> {
        let mut layers = Vec::new();
        if let Some(synapse) = &unit.synapse {
            layers.push(self.synapse(synapse));
        }
        if let Some(Norm { name, weight, .. }) = &unit.norm {
            let channels = weight.numel() as i64;
            layers.push(LayerDescription::BatchNorm {
                name: name.clone(),
                channels,
                eps: EPS,
                momentum: MOMENTUM,
            });
        }
        if let Some(neurons) = &unit.neurons {
            layers.push(self.neurons(neurons)?);
        }
        Ok(layers)
    }

    fn synapse(&self, synapse: &Synapse) -> LayerDescription {
        let name = synapse.name().to_owned();
        let summary = self.summary.layers.iter().find(|layer| layer.name == name);
        let (input, output) =
            summary.map(|layer| (layer.input.clone(), layer.output.clone())).unwrap_or_default();
        match synapse {
            Synapse::Conv(conv) => LayerDescription::Convolution {
                name,
                weight: conv.weight.size(),
                bias: conv.bias.is_some(),
                stride: conv.stride,
                padding: conv.padding,
                input,
                output,
            },
            Synapse::Linear(linear) => {
                LayerDescription::Linear { name, weight: linear.weight.size(), bias: true, input, output }
            }
        }
    }

    fn neurons(&self, neurons: &Neurons) -> Result<LayerDescription, ModelError> {
        let name = self.neuron_names[neurons.id].clone();
        let summary = self.summary.layers.iter().find(|layer| layer.name == name);
        let output = summary.map(|layer| layer.output.clone()).unwrap_or_default();
        let mut neuron = *neurons.layer.neuron();
        let tensors = neurons.layer.learned();
        let value = |tensor: &Tensor| -> Result<f64, ModelError> {
            Ok(tensor.f_to_kind(Kind::Double)?.f_double_value(&[])?)
        };
        let mut learned = BTreeMap::new();
        let mut tau = neuron.model.tau().map(f64::from);
        for (tensor, (own, _)) in tensors.parameters.iter().zip(neuron.model.learned()) {
            let number = value(tensor)?;
            learned.insert(own.to_owned(), number);
            if matches!(neuron.model, Model::Plif { .. }) {
                // 1 / sigmoid(w)
                tau = Some(1.0 + (-number).exp());
            }
        }
        if let Some(tensor) = tensors.v_threshold {
            let number = value(tensor)?;
            neuron.v_threshold = number as f32;
            learned.insert("v_threshold".to_owned(), number);
        }
        Ok(LayerDescription::Neurons { name, neuron, tau, learned, output })
    }
}
