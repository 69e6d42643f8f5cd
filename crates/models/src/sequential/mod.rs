//! The layers of `sequential`, each in a file of its own: what it is configured by, how that is checked, what it builds.
//! Names as BrainCog's VGG-SNN: `feature.0.conv`, `feature.0.bn`, `feature.0.node`, and `fc.1`, the classifier.

mod avg_pool;
mod batch_norm;
mod conv;
mod dropout;
mod flatten;
mod global_avg_pool;
mod linear;
mod max_pool;
mod sew_block;

use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tks_neuron::{Neuron, NeuronError};
use tks_registry::{Chosen, Entry, OpenEnum, Registry, open_enum};

use crate::builder::Builder;
use crate::config::config_error;
use crate::error::ModelError;

pub use avg_pool::AvgPoolConfig;
pub use conv::ConvConfig;
pub use dropout::DropoutConfig;
pub use linear::LinearConfig;
pub use max_pool::MaxPoolConfig;
pub use sew_block::SewBlockConfig;

/// What a layer of `sequential` is: its settings, how they are checked and what they build.
///
/// ```
/// use serde::Deserialize;
/// use tch::{Device, nn};
/// use tks_models::{Builder, InputShape, LayerConfig, LayerPlan, ModelError, Network, NetworkConfig};
///
/// /// Two linear layers, one after the other.
/// #[derive(Debug, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Pair {
///     features: usize,
/// }
///
/// impl LayerPlan for Pair {
///     fn build(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError> {
///         builder.push_flatten();
///         for part in ["first", "second"] {
///             let neurons = format!("{name}.{part}.neurons");
///             builder.push_linear(&format!("{name}.{part}"), self.features, Some(&neurons))?;
///         }
///         Ok(())
///     }
/// }
///
/// LayerConfig::register_with::<Pair>("pair")?;
/// let config: NetworkConfig = toml::from_str(
///     r#"
///     architecture = "sequential"
///     layers = [{ avg_pool = { size = 2 } }, { pair = { features = 16 } }]
///     "#,
/// )?;
/// let store = nn::VarStore::new(Device::Cpu);
/// let network = Network::new(&store.root(), &config, InputShape::new(1, 8, 8))?;
/// assert_eq!(network.neuron_names(), ["feature.1.first.neurons", "feature.1.second.neurons"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait LayerPlan: Debug + Send + Sync {
    /// Checks the settings by themselves.
    ///
    /// # Errors
    /// [`ModelError::Config`] with the setting as its field.
    fn check(&self) -> Result<(), ModelError> {
        Ok(())
    }

    /// Builds the layer, or several, by names that begin with `name`.
    ///
    /// # Errors
    /// A layer that does not fit what it gets.
    fn build(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError>;
}

/// One layer of a sequential network. In TOML `{ conv = { channels = 64 } }`, or the name alone where the layer has
/// nothing to choose: `"flatten"`. A program can add its own: [`LayerConfig::register`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[non_exhaustive]
pub enum LayerConfig {
    /// Convolution, batch norm, neurons.
    Conv(ConvConfig),
    /// A SEW basic block: two 3x3 convolutions with batch norm and neurons beside a shortcut.
    SewBlock(SewBlockConfig),
    /// Batch norm by itself; gives currents.
    BatchNorm,
    /// Mean over squares.
    AvgPool(AvgPoolConfig),
    /// Maximum over squares: a spike where there is any.
    MaxPool(MaxPoolConfig),
    /// Mean over each channel's plane; gives a vector.
    GlobalAvgPool,
    /// A vector of all features.
    Flatten,
    /// Linear layer and neurons; flattens what comes in.
    Linear(LinearConfig),
    /// Drops features in training, the same ones at every step.
    Dropout(DropoutConfig),
    /// What a program registered.
    #[serde(skip)]
    Own(OwnLayer),
}

/// A layer that a program registered, with its settings.
pub type OwnLayer = Chosen<dyn LayerPlan>;

static REGISTRY: LazyLock<Registry<dyn LayerPlan>> =
    LazyLock::new(|| Registry::new("layer", open_enum::variants::<LayerConfig>()));

impl OpenEnum for LayerConfig {
    type Plan = dyn LayerPlan;

    fn registry() -> &'static Registry<Self::Plan> {
        &REGISTRY
    }

    fn read_built_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not the trait's, which leads here: what `remote` made.
        LayerConfig::deserialize(deserializer)
    }

    fn write_built_in<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LayerConfig::serialize(self, serializer)
    }

    fn from_chosen(chosen: OwnLayer) -> Self {
        LayerConfig::Own(chosen)
    }

    fn chosen(&self) -> Option<&OwnLayer> {
        match self {
            LayerConfig::Own(own) => Some(own),
            _ => None,
        }
    }
}

tks_registry::serde_of_open_enum!(LayerConfig, open_enum::deserialize);

impl LayerConfig {
    /// The names of all: of what ships, then of what was registered.
    pub fn names() -> &'static [&'static str] {
        REGISTRY.names()
    }

    /// Adds a layer without settings, for every configuration that this process reads from then on.
    ///
    /// # Errors
    /// [`ModelError::Config`] for a name that is taken, or that is not a snake_case word.
    pub fn register(name: &str, plan: impl LayerPlan + 'static) -> Result<(), ModelError> {
        Ok(REGISTRY.add(Entry::word(name, Arc::new(plan)))?)
    }

    /// Adds a layer whose name is followed by a table of settings, which is read as `P`: see [`LayerPlan`].
    ///
    /// # Errors
    /// As [`Self::register`].
    pub fn register_with<P: LayerPlan + DeserializeOwned + 'static>(name: &str) -> Result<(), ModelError> {
        Ok(REGISTRY.add(Entry::table(name, |plan: P| -> Arc<dyn LayerPlan> { Arc::new(plan) }))?)
    }

    /// Its name in a configuration.
    pub fn name(&self) -> String {
        open_enum::name(self)
    }

    /// What stands behind the name.
    pub fn plan(&self) -> &dyn LayerPlan {
        match self {
            LayerConfig::Conv(conv) => conv,
            LayerConfig::SewBlock(block) => block,
            LayerConfig::BatchNorm => &batch_norm::BatchNorm,
            LayerConfig::AvgPool(pool) => pool,
            LayerConfig::MaxPool(pool) => pool,
            LayerConfig::GlobalAvgPool => &global_avg_pool::GlobalAvgPool,
            LayerConfig::Flatten => &flatten::Flatten,
            LayerConfig::Linear(linear) => linear,
            LayerConfig::Dropout(dropout) => dropout,
            LayerConfig::Own(own) => own.plan(),
        }
    }
}

/// Builds the layers one after the other, and the classifier.
pub(crate) fn build(builder: &mut Builder<'_>, layers: &[LayerConfig]) -> Result<(), ModelError> {
    for (i, layer) in layers.iter().enumerate() {
        layer.plan().build(builder, &format!("feature.{i}"))?;
    }
    builder.push_flatten();
    builder.push_classifier("fc.1")
}

/// Checks a layer's own neurons.
fn check_neuron(neuron: Option<&Neuron>) -> Result<(), ModelError> {
    neuron.map_or(Ok(()), Neuron::check).map_err(|error| match error {
        NeuronError::OutOfRange { parameter, value, range } => {
            config_error(format!("neuron.{parameter}"), format!("{value} is out of range: {range}"))
        }
        other => config_error("neuron", other.to_string()),
    })
}

fn one() -> usize {
    1
}
