//! The configuration: everything that a user can choose, as one TOML file.

mod data;
mod optimizer;
mod overrides;
mod training;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tks_loss::LossConfig;
use tks_models::{Execution, NetworkConfig};

pub use data::{BadEvents, DataConfig, EventConfig, ImageConfig, PartConfig};
pub use optimizer::{OptimizerConfig, OptimizerName, ScheduleConfig, ScheduleName, SchedulePace};
pub use training::{EvaluationConfig, FewerSteps, HardwareConfig, OutputConfig, TrainingConfig};

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
/// assert!(format!("{error:#}").contains("did you mean `epochs`?"));
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The run's name: its folder is called by it.
    pub name: String,
    /// Fixes initial weights, order, augmentation and dropout.
    pub seed: u64,
    /// Time steps `T`, 1 or more. Left out: 4 for pictures; for recordings as many as `data.events.recipe` makes.
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
        }
    }
}

/// Time steps of a static picture where none are given.
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
    /// An unknown key with the nearest known one, a value of another type or out of its range.
    pub fn parse(text: &str, origin: &Path, overrides: &[String]) -> Result<Self> {
        let mut config: Config = tks_data::toml_file::parse(text, origin)?;
        if !overrides.is_empty() {
            // With defaults written out, so that a part of a table can be changed that the file does not have.
            let mut table = toml::Table::try_from(&config)?;
            for change in overrides {
                overrides::apply(&mut table, change)?;
                // Each by itself, so that an error is about this change.
                config =
                    tks_data::toml_file::parse(&toml::to_string(&table)?, Path::new("the configuration"))
                        .map_err(|error| overrides::explain(change, &error))?;
            }
        }
        config.check().with_context(|| format!("in {}", origin.display()))?;
        Ok(config)
    }

    /// Nothing, if every value is in its range and they agree.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn check(&self) -> Result<()> {
        ensure!(
            !self.name.is_empty() && !self.name.contains(['/', '\\']) && !self.name.starts_with('.'),
            "`name` is \"{}\": it should be the name of a folder",
            self.name
        );
        ensure!(self.time_steps != Some(0), "`time_steps` is 0: it should be 1 or more");
        self.data.check()?;
        self.network.check().context("`network`")?;
        self.loss.check().context("`loss`")?;
        self.optimizer.check()?;
        self.schedule.check()?;
        self.training.check()?;
        self.evaluation.check()
    }

    /// The configuration as TOML.
    ///
    /// # Errors
    /// What TOML cannot express, which no configuration that was read holds.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string(self)?)
    }
}
