//! The serialisable description of a network.

use serde::{Deserialize, Serialize};
use tch::nn;
use tks_neuron::{Model, Neuron, Surrogate};

use crate::architecture::Architecture;
use crate::error::ModelError;
use crate::model::SpikingModel;
use crate::network::Network;
use crate::sequential::LayerConfig;

/// The network and its neurons. In TOML, the table `[network]`.
///
/// ```
/// use tks_models::{Architecture, NetworkConfig};
///
/// let config: NetworkConfig = toml::from_str(
///     r#"
///     architecture = "sew_resnet19"
///     classes = 100
///     neuron = { v_threshold = 1.0 }
///     "#,
/// )?;
/// assert_eq!(config.architecture, Architecture::SewResnet19);
/// config.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// The network's architecture; if it has parameters, a table of that name: `{ spikformer = { depth = 2 }
    /// }`. In `tks`, the name alone selects the default parameters.
    pub architecture: Architecture,
    /// Number of classes, `K`, 1 or above. Training uses the number of classes in its data and refuses a
    /// different one; a network on its own has 10 by default.
    pub classes: usize,
    /// How a SEW block combines its two branches (`sew_resnet*`, and `sew_block` in `layers`).
    pub connect: Connect,
    /// The neurons of every layer. Default: the reference recipe of TKS (LIF, `tau` 2, threshold 0.5, hard
    /// reset without gradient, quadratic gate). Fields left out have the values of [`Neuron::default`].
    pub neuron: Neuron,
    /// Whether each layer's threshold is learned too, starting from the neuron's.
    pub learn_threshold: bool,
    /// Dropout rate before the classifier, 0 to below 1. The same features are dropped at every time step.
    pub dropout: f64,
    /// Number of channels in the first layer of `small`, 1 or above. The later layers have two and four times
    /// as many.
    pub width: usize,
    /// The layers of `sequential`, starting at the input. The classifier, a linear layer, is added
    /// automatically.
    pub layers: Vec<LayerConfig>,
}

/// Default number of classes of a network on its own.
const DEFAULT_CLASSES: usize = 10;

impl Default for NetworkConfig {
    fn default() -> Self {
        NetworkConfig {
            architecture: Architecture::default(),
            classes: DEFAULT_CLASSES,
            connect: Connect::default(),
            neuron: reference_neuron(),
            learn_threshold: false,
            dropout: 0.0,
            width: 32,
            layers: Vec::new(),
        }
    }
}

/// The neuron of the reference recipe of TKS.
fn reference_neuron() -> Neuron {
    Neuron {
        v_threshold: 0.5,
        detach_reset: true,
        strict: true,
        surrogate: Surrogate::QGate { alpha: 2.0 },
        ..Neuron::new(Model::Lif { tau: 2.0, decay_input: true })
    }
}

/// How a SEW block combines the spikes of its residual branch, `A`, with those of its shortcut, `S` (Fang et
/// al., 2021, table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Connect {
    /// `A + S`: integers that may exceed 1.
    #[default]
    Add,
    /// `A * S`.
    And,
    /// `(1 - A) * S`.
    Iand,
}

/// The shape of one sample at one time step: channels, height, width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputShape {
    /// `C`
    pub channels: usize,
    /// `H`
    pub height: usize,
    /// `W`
    pub width: usize,
}

impl InputShape {
    /// The shape of `channels` x `height` x `width`.
    pub fn new(channels: usize, height: usize, width: usize) -> Self {
        InputShape { channels, height, width }
    }
}

/// Sizes above this are typing errors; products of a few such sizes still fit in 63 bits.
const LARGEST: usize = 1 << 16;

pub(crate) fn config_error(field: impl Into<String>, problem: impl Into<String>) -> ModelError {
    ModelError::Config { field: field.into(), problem: problem.into() }
}

/// Checks that a count is from `least` to `most`.
pub(crate) fn in_range(field: &str, value: usize, least: usize, most: usize) -> Result<(), ModelError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(config_error(field, format!("{value} is out of range: {least} to {most}")))
    }
}

/// Checks that a size is valid.
pub(crate) fn check_size(field: &str, value: usize) -> Result<(), ModelError> {
    in_range(field, value, 1, LARGEST)
}

/// Checks that a dropout rate is valid.
pub(crate) fn check_rate(field: &str, value: f64) -> Result<(), ModelError> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(config_error(field, format!("{value} is out of range: 0 or above, below 1")))
    }
}

/// Prefixes an error's field with `above`, the name of the enclosing part of the configuration.
pub(crate) fn below(above: &str, error: ModelError) -> ModelError {
    match error {
        ModelError::Config { field, problem } => config_error(format!("{above}.{field}"), problem),
        other => other,
    }
}

impl NetworkConfig {
    /// Builds the described network for inputs of this shape, with its tensors under `path`: a
    /// [`Network`], or the model built by a registered architecture.
    ///
    /// # Errors
    /// As [`Network::new`](crate::Network::new).
    pub fn build(&self, path: &nn::Path<'_>, input: InputShape) -> Result<Box<dyn SpikingModel>, ModelError> {
        self.check()?;
        let plan = self.architecture.plan();
        match plan.model(path, self, input)? {
            Some(model) => Ok(model),
            None => Ok(Box::new(Network::from_plan(path, self, input, plan)?)),
        }
    }

    /// Checks every field, and the consistency of the fields.
    ///
    /// # Errors
    /// [`ModelError::Config`] or [`ModelError::Neuron`], naming the field.
    pub fn check(&self) -> Result<(), ModelError> {
        check_size("classes", self.classes)?;
        check_size("width", self.width)?;
        check_rate("dropout", self.dropout)?;
        self.neuron.check()?;
        let sequential = self.architecture == Architecture::Sequential;
        if sequential && self.layers.is_empty() {
            return Err(config_error(
                "layers",
                "is empty: `architecture = \"sequential\"` needs a layer or more",
            ));
        }
        if !sequential && !self.layers.is_empty() {
            let problem = "is for `architecture = \"sequential\"` alone: choose that, or leave `layers` out";
            return Err(config_error("layers", problem));
        }
        let architecture = format!("architecture.{}", self.architecture.name());
        self.architecture.plan().check().map_err(|error| below(&architecture, error))?;
        self.layers.iter().enumerate().try_for_each(|(i, layer)| {
            let name = format!("layers[{i}].{}", layer.name());
            layer.plan().check().map_err(|error| below(&name, error))
        })
    }
}
