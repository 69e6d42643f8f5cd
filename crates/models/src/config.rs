//! What network: its serialisable description.

use serde::{Deserialize, Serialize};
use tks_neuron::{Model, Neuron, Surrogate};

use crate::error::ModelError;

/// Which network, and with which neurons. In TOML, the table `[network]`.
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
    /// The network's plan.
    pub architecture: Architecture,
    /// Number of classes, `K`, 1 or above.
    pub classes: usize,
    /// How a SEW block joins its two branches (`sew_resnet*`, and `sew_block` in `layers`).
    pub connect: Connect,
    /// The neurons of every layer. Default: the reference recipe of TKS (LIF, `tau` 2, threshold 0.5, hard reset
    /// without gradient, quadratic gate). Fields that are left out are those of [`Neuron::default`].
    pub neuron: Neuron,
    /// Learn each layer's threshold too, starting from the neuron's.
    pub learn_threshold: bool,
    /// Share of the features that training drops before the classifier, in `[0, 1)`; the same ones at every step.
    pub dropout: f64,
    /// Channels of the first layer of `small`, 1 or above; its later layers have two and four times as many.
    pub width: usize,
    /// The layers of `sequential`, from the input on. The classifier, a linear layer, follows by itself.
    pub layers: Vec<LayerConfig>,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        NetworkConfig {
            architecture: Architecture::default(),
            classes: 10,
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

/// The plans of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// 64C3-128C3-AP2-256C3-256C3-AP2-512C3-512C3-AP2-512C3-512C3-AP2-FC, for event frames. Names as BrainCog's.
    #[default]
    VggSnn,
    /// SEW-ResNet-18 for large images. Fang et al., "Deep Residual Learning in Spiking Neural Networks",
    /// NeurIPS 2021. Names as SpikingJelly's.
    SewResnet18,
    /// SEW-ResNet-19 for small images, the network of the TKS paper. Names as BrainCog's.
    SewResnet19,
    /// SEW-ResNet-20 for small images. Names as BrainCog's.
    SewResnet20,
    /// SEW-ResNet-34. Names as SpikingJelly's.
    SewResnet34,
    /// SEW-ResNet-50, of bottleneck blocks. Names as SpikingJelly's.
    SewResnet50,
    /// ResNet-19 with threshold-dependent batch norm. Zheng et al., "Going Deeper With Directly-Trained Larger Spiking
    /// Neural Networks", AAAI 2021. Names as BrainCog's.
    TdbnResnet19,
    /// ResNet-18 with neurons in the place of rectifiers. Names as SpikingJelly's.
    SpikingResnet18,
    /// ResNet-34 with neurons in the place of rectifiers. Names as SpikingJelly's.
    SpikingResnet34,
    /// Three convolutions with a pool after each and a classifier, of `width`: trains in minutes.
    Small,
    /// The layers of `layers`.
    Sequential,
}

impl Architecture {
    /// Every architecture.
    pub const ALL: [Architecture; 11] = [
        Architecture::VggSnn,
        Architecture::SewResnet18,
        Architecture::SewResnet19,
        Architecture::SewResnet20,
        Architecture::SewResnet34,
        Architecture::SewResnet50,
        Architecture::TdbnResnet19,
        Architecture::SpikingResnet18,
        Architecture::SpikingResnet34,
        Architecture::Small,
        Architecture::Sequential,
    ];
}

/// How a SEW block joins the spikes of its residual branch, `A`, with those of its shortcut, `S` (Fang et al., 2021,
/// table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connect {
    /// `A + S`: whole numbers that may pass 1.
    #[default]
    Add,
    /// `A * S`.
    And,
    /// `(1 - A) * S`.
    Iand,
}

/// One layer of a sequential network. In TOML `{ conv = { channels = 64 } }`, or the name alone where the layer has
/// nothing to choose: `"flatten"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LayerConfig {
    /// Convolution, batch norm, neurons.
    Conv(ConvConfig),
    /// A SEW basic block: two 3x3 convolutions with batch norm and neurons beside a shortcut.
    SewBlock(SewBlockConfig),
    /// Mean over squares.
    AvgPool(PoolConfig),
    /// Maximum over squares: a spike where there is any.
    MaxPool(PoolConfig),
    /// Mean over each channel's plane; gives a vector.
    GlobalAvgPool,
    /// A vector of all features.
    Flatten,
    /// Linear layer and neurons; flattens what comes in.
    Linear(LinearConfig),
    /// Drops features in training, the same ones at every step.
    Dropout(DropoutConfig),
}

/// See [`LayerConfig::Conv`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvConfig {
    /// Output channels, 1 or above.
    pub channels: usize,
    /// Height and width of the kernel, 1 or above.
    #[serde(default = "three")]
    pub kernel: usize,
    /// Step down and across, 1 or above.
    #[serde(default = "one")]
    pub stride: usize,
    /// Zeros on each side, less than the kernel; left out: `(kernel - 1) / 2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<usize>,
    /// Batch norm between convolution and neurons; without it the convolution has a bias.
    #[serde(default = "yes")]
    pub batch_norm: bool,
}

impl ConvConfig {
    /// A 3x3 convolution with batch norm that keeps height and width.
    pub fn new(channels: usize) -> Self {
        ConvConfig { channels, kernel: 3, stride: 1, padding: None, batch_norm: true }
    }

    pub(crate) fn padding(&self) -> usize {
        self.padding.unwrap_or(self.kernel.saturating_sub(1) / 2)
    }
}

/// See [`LayerConfig::SewBlock`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SewBlockConfig {
    /// Output channels, 1 or above.
    pub channels: usize,
    /// Step of the first convolution and of the shortcut, 1 or above.
    #[serde(default = "one")]
    pub stride: usize,
}

/// See [`LayerConfig::AvgPool`] and [`LayerConfig::MaxPool`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolConfig {
    /// Height and width of the square, and the step between squares; 1 or above.
    #[serde(default = "two")]
    pub size: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        PoolConfig { size: 2 }
    }
}

/// See [`LayerConfig::Linear`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearConfig {
    /// Number of neurons, 1 or above.
    pub features: usize,
}

/// See [`LayerConfig::Dropout`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropoutConfig {
    /// Share of features that is dropped, in `[0, 1)`.
    #[serde(default = "half")]
    pub rate: f64,
}

fn one() -> usize {
    1
}
fn two() -> usize {
    2
}
fn three() -> usize {
    3
}
fn half() -> f64 {
    0.5
}
fn yes() -> bool {
    true
}

/// The shape of one sample at one step: channels, height, width.
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
    /// Channels, height, width.
    pub fn new(channels: usize, height: usize, width: usize) -> Self {
        InputShape { channels, height, width }
    }
}

/// Sizes above this are typing errors: products of a few of them still fit 63 bits.
const LARGEST: usize = 1 << 16;

pub(crate) fn config_error(field: impl Into<String>, problem: impl Into<String>) -> ModelError {
    ModelError::Config { field: field.into(), problem: problem.into() }
}

fn size(field: &str, value: usize) -> Result<(), ModelError> {
    if (1..=LARGEST).contains(&value) {
        Ok(())
    } else {
        Err(config_error(field, format!("{value} is out of range: 1 to {LARGEST}")))
    }
}

fn rate(field: &str, value: f64) -> Result<(), ModelError> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(config_error(field, format!("{value} is out of range: 0 or above, below 1")))
    }
}

impl NetworkConfig {
    /// Checks every field, and the fields against each other.
    ///
    /// # Errors
    /// [`ModelError::Config`] or [`ModelError::Neuron`], naming the field.
    pub fn check(&self) -> Result<(), ModelError> {
        size("classes", self.classes)?;
        size("width", self.width)?;
        rate("dropout", self.dropout)?;
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
        self.layers.iter().enumerate().try_for_each(|(i, layer)| layer.check(i))
    }
}

impl LayerConfig {
    fn check(&self, index: usize) -> Result<(), ModelError> {
        let field = |name: &str| format!("layers[{index}].{name}");
        match self {
            LayerConfig::Conv(conv) => {
                size(&field("conv.channels"), conv.channels)?;
                size(&field("conv.kernel"), conv.kernel)?;
                size(&field("conv.stride"), conv.stride)?;
                if conv.padding() >= conv.kernel {
                    let problem = format!("{} is not less than the kernel, {}", conv.padding(), conv.kernel);
                    return Err(config_error(field("conv.padding"), problem));
                }
            }
            LayerConfig::SewBlock(block) => {
                size(&field("sew_block.channels"), block.channels)?;
                size(&field("sew_block.stride"), block.stride)?;
            }
            LayerConfig::AvgPool(pool) => size(&field("avg_pool.size"), pool.size)?,
            LayerConfig::MaxPool(pool) => size(&field("max_pool.size"), pool.size)?,
            LayerConfig::Linear(linear) => size(&field("linear.features"), linear.features)?,
            LayerConfig::Dropout(dropout) => rate(&field("dropout.rate"), dropout.rate)?,
            LayerConfig::GlobalAvgPool | LayerConfig::Flatten => {}
        }
        Ok(())
    }
}
