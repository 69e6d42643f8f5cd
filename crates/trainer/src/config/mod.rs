//! The configuration: everything that a user can choose, as one TOML file.

mod check;
mod data;
mod error;
pub mod keys;
mod optimizer;
mod overrides;
mod training;

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tks_data::toml_file::{Fault, Item};
use tks_loss::LossConfig;
use tks_models::{Execution, NetworkConfig};

pub use check::{MAX_STEPS, at_least_one};
pub use data::{BadEvents, DataConfig, EventConfig, ImageConfig, PartConfig};
pub use error::ConfigError;
pub use optimizer::{OptimizerConfig, OptimizerName, ScheduleConfig, ScheduleName, SchedulePace};
pub use training::{EvaluationConfig, FewerSteps, HardwareConfig, OutputConfig, TrainingConfig};

use error::Sources;

/// A training, whole: data, network, loss, optimiser, and what it runs on.
///
/// ```
/// use tks_trainer::config::Config;
///
/// let text = "name = 'mine'\n[training]\nepochs = 3\n";
/// let config = Config::parse(text, "mine.toml".as_ref(), &["optimizer.lr=0.01".to_string()])?;
/// assert_eq!((config.training.epochs, config.optimizer.lr), (3, 0.01));
///
/// let error = Config::parse("[training]\nepoch = 3\n", "mine.toml".as_ref(), &[]).unwrap_err();
/// assert_eq!(error.to_string(), "mine.toml:2:1: unknown key `training.epoch`; did you mean `epochs`?");
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The run's name: its folder is called by it.
    pub name: String,
    /// Fixes initial weights, order, augmentation and dropout.
    pub seed: u64,
    /// Time steps `T`, 1 or more. Left out: 4 for images; for recordings as many as `data.events.recipe` makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_steps: Option<usize>,
    /// The data.
    pub data: DataConfig,
    /// The network. Its input and its classes are those of the data.
    pub network: NetworkConfig,
    /// What is minimised.
    pub loss: LossConfig,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// The learning rate over time.
    pub schedule: ScheduleConfig,
    /// How long, in which batches.
    pub training: TrainingConfig,
    /// How it is evaluated.
    pub evaluation: EvaluationConfig,
    /// How the network is run: the results are the same.
    pub execution: Execution,
    /// What it runs on.
    pub hardware: HardwareConfig,
    /// Where results go.
    pub output: OutputConfig,
    /// Whether `network.classes` was given, even if as its default.
    #[serde(skip)]
    pub gives_classes: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            name: "run".into(),
            seed: 1,
            time_steps: None,
            data: DataConfig::default(),
            network: NetworkConfig::default(),
            loss: LossConfig::default(),
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
            training: TrainingConfig::default(),
            evaluation: EvaluationConfig::default(),
            execution: Execution::default(),
            hardware: HardwareConfig::default(),
            output: OutputConfig::default(),
            gives_classes: false,
        }
    }
}

/// Time steps of a static image where none are given.
pub const STATIC_TIME_STEPS: usize = 4;

impl Config {
    /// The configuration in the file at `path`, changed by `overrides` of the form `section.key=value`.
    ///
    /// # Errors
    /// A file that cannot be read, and as [`Config::parse`].
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let text = tks_data::regular_file::read_to_string(path)?;
        Config::parse(&text, path, overrides)
    }

    /// The configuration that `text` holds; `origin` is what errors call it.
    ///
    /// # Errors
    /// An unknown key with the nearest known one, a value of another kind or out of its range: each with its key, and the
    /// line or the change that has it.
    pub fn parse(text: &str, origin: &Path, overrides: &[String]) -> Result<Self> {
        Config::parse_from(text, Sources { origin, changes: overrides }, Sources::FILE)
    }

    /// The configuration that a run keeps, `text` in the file `origin`: one that was written when defaults stood for
    /// the data's number of classes gives none.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub(crate) fn parse_of_run(text: &str, origin: &Path, overrides: &[String]) -> Result<Self> {
        Config::parse_from(text, Sources { origin, changes: overrides }, Sources::FILE + 1)
    }

    /// `first_given`: the first of the texts whose number of classes is one that somebody gave.
    fn parse_from(text: &str, sources: Sources<'_>, first_given: usize) -> Result<Self> {
        let overrides = sources.changes;
        let nothing = Item::parse("", Sources::DEFAULTS)?;
        let mut whole =
            Item::parse(text, Sources::FILE).map_err(|fault| sources.explain(&fault, &nothing))?;
        let read = |whole: &Item| -> Result<Config> {
            let mut config: Config = whole.read().map_err(|fault: Fault| sources.explain(&fault, whole))?;
            let classes = whole.get("network").and_then(|network| network.get("classes"));
            config.gives_classes = classes.is_some_and(|classes| classes.place.source >= first_given);
            Ok(config)
        };
        let mut config = read(&whole)?;
        // With defaults written out, so that a part of a table can be changed that the file does not have.
        let mut complete = Item::parse(&config.to_toml()?, Sources::DEFAULTS)?;
        overrides::take_places(&mut complete, &whole);
        if !overrides.is_empty() {
            whole = complete.clone();
            for (change, text) in overrides.iter().enumerate() {
                overrides::apply(&mut whole, text, change + 2)?;
            }
            config = read(&whole)?;
            complete = whole;
        }
        config.check().map_err(|error| sources.locate(error, &complete))?;
        Ok(config)
    }

    /// The number of classes that was given; not given, it is that of the data.
    pub fn given_classes(&self) -> Option<usize> {
        let classes = self.network.classes;
        (self.gives_classes || classes != NetworkConfig::default().classes).then_some(classes)
    }

    /// The configuration as TOML, with `network.classes` only where it was given.
    ///
    /// # Errors
    /// What TOML cannot express, which no configuration that was read holds.
    pub fn to_toml(&self) -> Result<String> {
        let text = toml::to_string(self)?;
        if self.given_classes().is_some() {
            return Ok(text);
        }
        let mut in_network = false;
        let is_kept = |line: &&str| {
            if line.starts_with('[') {
                in_network = line.trim_end() == "[network]";
            }
            !in_network || !line.starts_with("classes = ")
        };
        Ok(text.split_inclusive('\n').filter(is_kept).collect())
    }
}
