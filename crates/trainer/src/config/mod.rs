//! The configuration: every user option, in one TOML file.

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

/// The complete configuration of a training run: data, network, loss, optimiser and hardware.
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
    /// The run's name, which is also the name of its folder.
    pub name: String,
    /// Random seed for initial weights, sample order, augmentation and dropout.
    pub seed: u64,
    /// Number of time steps, `T`, 1 or more. Left out: 4 for images; for recordings, the number of steps that
    /// `data.events.recipe` produces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_steps: Option<usize>,
    /// The data.
    pub data: DataConfig,
    /// The network. Its input shape and number of classes are taken from the data.
    pub network: NetworkConfig,
    /// The loss to minimise.
    pub loss: LossConfig,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// The learning rate schedule.
    pub schedule: ScheduleConfig,
    /// Training length and batches.
    pub training: TrainingConfig,
    /// How the network is evaluated.
    pub evaluation: EvaluationConfig,
    /// How the network is executed; this does not affect the results.
    pub execution: Execution,
    /// The hardware to run on.
    pub hardware: HardwareConfig,
    /// Where results are written.
    pub output: OutputConfig,
    /// Whether `network.classes` was given, even if with the default value.
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

/// Default number of time steps for a static image.
pub const STATIC_TIME_STEPS: usize = 4;

impl Config {
    /// Reads the configuration in the file at `path` and applies `overrides` of the form `section.key=value`.
    ///
    /// # Errors
    /// A file that cannot be read, and the errors of [`Config::parse`].
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let text = tks_data::regular_file::read_to_string(path)?;
        Config::parse(&text, path, overrides)
    }

    /// Parses a configuration from `text`; `origin` is its name in error messages.
    ///
    /// # Errors
    /// An unknown key, with the nearest known one; a value of the wrong type or out of range. Each error
    /// names the key and the line or override it is in.
    pub fn parse(text: &str, origin: &Path, overrides: &[String]) -> Result<Self> {
        Config::parse_from(text, Sources { origin, changes: overrides }, Sources::FILE)
    }

    /// Parses the configuration kept by a run, `text` in the file `origin`. One written when defaults stood
    /// for the data's number of classes counts as giving no number of classes.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub(crate) fn parse_of_run(text: &str, origin: &Path, overrides: &[String]) -> Result<Self> {
        Config::parse_from(text, Sources { origin, changes: overrides }, Sources::FILE + 1)
    }

    /// `first_given`: the index of the first text whose number of classes was given by a user.
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
        // With defaults written out, so that an override can change part of a table that is not in the file.
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

    /// The number of classes if given; otherwise it is that of the data.
    pub fn given_classes(&self) -> Option<usize> {
        let classes = self.network.classes;
        (self.gives_classes || classes != NetworkConfig::default().classes).then_some(classes)
    }

    /// The configuration as TOML, with `network.classes` only if it was given.
    ///
    /// # Errors
    /// Values that TOML cannot express; a configuration that was read has none.
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
