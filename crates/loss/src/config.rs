//! What a user can choose.

use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tks_registry::{Chosen, Entry, OpenEnum, Registry, open_enum};

use crate::error::LossError;
use crate::losses::{CeConfig, Loss, MseRateConfig, TetConfig, TksConfig};

/// The loss, with its settings. A program can add its own: [`LossConfig::register_with`].
///
/// In TOML a name alone takes the defaults, a table of that name sets some of them:
/// `loss = "ce"`, `[loss.tks]` with `tau = 2.0` below it, or `loss = { tet = { lambda = 0.05 } }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[non_exhaustive]
pub enum LossConfig {
    /// Temporal Knowledge Sharing: the steps that are right teach the others. Dong, Zhao and Zeng,
    /// arXiv 2304.06540.
    Tks(TksConfig),
    /// Cross entropy of the logits' mean over the steps ("SDT", standard direct training).
    Ce(CeConfig),
    /// Temporal Efficient Training: cross entropy of each step. Deng et al., ICLR 2022.
    Tet(TetConfig),
    /// Mean square error between the mean over the steps and the one-hot label; for a last layer that spikes,
    /// the mean is its firing rate.
    MseRate(MseRateConfig),
    /// What a program registered.
    #[serde(skip)]
    Own(OwnLoss),
}

/// A loss that a program registered, with its settings.
pub type OwnLoss = Chosen<dyn Loss>;

static REGISTRY: LazyLock<Registry<dyn Loss>> =
    LazyLock::new(|| Registry::new("loss", open_enum::variants::<LossConfig>()));

impl OpenEnum for LossConfig {
    type Plan = dyn Loss;

    fn registry() -> &'static Registry<Self::Plan> {
        &REGISTRY
    }

    fn read_built_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not the trait's, which leads here: what `remote` made.
        LossConfig::deserialize(deserializer)
    }

    fn write_built_in<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LossConfig::serialize(self, serializer)
    }

    fn from_chosen(chosen: OwnLoss) -> Self {
        LossConfig::Own(chosen)
    }

    fn chosen(&self) -> Option<&OwnLoss> {
        match self {
            LossConfig::Own(own) => Some(own),
            _ => None,
        }
    }
}

tks_registry::serde_of_open_enum!(LossConfig, open_enum::deserialize_name_or_table);

impl LossConfig {
    /// The names of all: of what ships, then of what was registered.
    pub fn names() -> &'static [&'static str] {
        REGISTRY.names()
    }

    /// What ships, with default settings.
    pub fn all() -> Vec<LossConfig> {
        REGISTRY.built_in().iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// Adds a loss without settings, for every configuration that this process reads from then on.
    ///
    /// # Errors
    /// [`LossError::Register`] for a name that is taken, or that is not a snake_case word.
    pub fn register(name: &str, loss: impl Loss + 'static) -> Result<(), LossError> {
        Ok(REGISTRY.add(Entry::word(name, Arc::new(loss)))?)
    }

    /// Adds a loss whose name may be followed by a table of settings, which is read as `P`: see [`Loss`].
    ///
    /// # Errors
    /// As [`Self::register`].
    pub fn register_with<P: Loss + DeserializeOwned + 'static>(name: &str) -> Result<(), LossError> {
        Ok(REGISTRY.add(Entry::table(name, |loss: P| -> Arc<dyn Loss> { Arc::new(loss) }))?)
    }

    /// The name, as in a configuration.
    pub fn name(&self) -> String {
        open_enum::name(self)
    }

    /// What stands behind the name.
    pub fn loss(&self) -> &dyn Loss {
        match self {
            LossConfig::Tks(tks) => tks,
            LossConfig::Ce(ce) => ce,
            LossConfig::Tet(tet) => tet,
            LossConfig::MseRate(rate) => rate,
            LossConfig::Own(own) => own.plan(),
        }
    }

    /// Whether each setting is in its range.
    ///
    /// # Errors
    /// [`LossError::Config`] with the first one that is not.
    pub fn check(&self) -> Result<(), LossError> {
        self.loss().check()
    }
}

impl Default for LossConfig {
    fn default() -> Self {
        LossConfig::Tks(TksConfig::default())
    }
}

impl FromStr for LossConfig {
    type Err = LossError;

    /// The loss of a name, with default settings.
    fn from_str(name: &str) -> Result<Self, LossError> {
        open_enum::by_name(name).map_err(|error| LossError::Name(error.to_string()))
    }
}

/// How far the training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// How many epochs there are in all.
    pub epochs: usize,
}
