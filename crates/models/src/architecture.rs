//! The names of networks.

use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tks_registry::{Chosen, Entry, OpenEnum, Registry, open_enum};

use crate::architectures::{self, ArchitecturePlan, MsResnetConfig, SpikformerConfig};
use crate::config::config_error;
use crate::error::ModelError;

/// The plans of networks. A program can add its own: [`Architecture::register`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[non_exhaustive]
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
    /// MS-ResNet-18, whose shortcuts carry membrane potentials; of other sizes by its parameters. Hu et al., "Advancing
    /// Spiking Neural Networks Toward Deep Residual Learning", IEEE TNNLS 2024. Names as SpikingJelly's.
    MsResnet18(MsResnetConfig),
    /// Spikformer-4-384, a transformer; of other sizes by its parameters. Zhou et al., "Spikformer: When Spiking Neural
    /// Network Meets Transformer", ICLR 2023. Names as SpikingJelly's.
    Spikformer(SpikformerConfig),
    /// Three convolutions with a pool after each and a classifier, of `width`: trains in minutes.
    Small,
    /// The layers of `layers`.
    Sequential,
    /// What a program registered.
    #[serde(skip)]
    Own(OwnArchitecture),
}

/// An architecture that a program registered, with its parameters.
pub type OwnArchitecture = Chosen<dyn ArchitecturePlan>;

static REGISTRY: LazyLock<Registry<dyn ArchitecturePlan>> =
    LazyLock::new(|| Registry::new("architecture", open_enum::variants::<Architecture>()));

impl OpenEnum for Architecture {
    type Plan = dyn ArchitecturePlan;

    fn registry() -> &'static Registry<Self::Plan> {
        &REGISTRY
    }

    fn read_built_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not the trait's, which leads here: what `remote` made.
        Architecture::deserialize(deserializer)
    }

    fn write_built_in<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Architecture::serialize(self, serializer)
    }

    fn from_chosen(chosen: OwnArchitecture) -> Self {
        Architecture::Own(chosen)
    }

    fn chosen(&self) -> Option<&OwnArchitecture> {
        match self {
            Architecture::Own(own) => Some(own),
            _ => None,
        }
    }
}

tks_registry::serde_of_open_enum!(Architecture, open_enum::deserialize_name_or_table);

impl Architecture {
    /// The names of all: of what ships, then of what was registered.
    pub fn names() -> &'static [&'static str] {
        REGISTRY.names()
    }

    /// What ships, with default parameters.
    pub fn all() -> Vec<Architecture> {
        REGISTRY.built_in().iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// Adds an architecture without parameters, for every configuration that this process reads from then on.
    ///
    /// ```
    /// use tks_models::{Architecture, Builder, ModelError, NetworkConfig};
    ///
    /// fn build(builder: &mut Builder<'_>) -> Result<(), ModelError> {
    ///     builder.push_flatten();
    ///     builder.push_classifier("head")
    /// }
    ///
    /// let plan: fn(&mut Builder<'_>) -> Result<(), ModelError> = build;
    /// Architecture::register("linear_classifier", plan)?;
    /// let config: NetworkConfig = toml::from_str("architecture = 'linear_classifier'")?;
    /// config.check()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ModelError::Config`] for a name that is taken, or that is not a snake_case word.
    pub fn register(name: &str, plan: impl ArchitecturePlan + 'static) -> Result<(), ModelError> {
        Ok(REGISTRY.add(Entry::word(name, Arc::new(plan)))?)
    }

    /// Adds an architecture whose name is followed by a table of parameters, which is read as `P`: see
    /// [`ArchitecturePlan`].
    ///
    /// # Errors
    /// As [`Self::register`].
    pub fn register_with<P>(name: &str) -> Result<(), ModelError>
    where
        P: ArchitecturePlan + DeserializeOwned + 'static,
    {
        Ok(REGISTRY.add(Entry::table(name, |plan: P| -> Arc<dyn ArchitecturePlan> { Arc::new(plan) }))?)
    }

    /// Its name in a configuration.
    pub fn name(&self) -> String {
        open_enum::name(self)
    }

    /// What stands behind the name.
    pub fn plan(&self) -> &dyn ArchitecturePlan {
        architectures::plan(self)
    }
}

impl FromStr for Architecture {
    type Err = ModelError;

    /// The architecture of a name, with default parameters.
    fn from_str(name: &str) -> Result<Self, ModelError> {
        open_enum::by_name(name).map_err(|error| config_error("architecture", error.to_string()))
    }
}
