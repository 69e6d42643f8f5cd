//! The program's command line: arguments, and the library functions that they call.

mod completions;
mod data;
mod evaluate;
mod export;
mod inspect;
mod predict;
mod presets;
mod recording;
mod report;
mod train;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use serde::de::DeserializeOwned;
use tks_events::formats::{EventFormat, Format};
use tks_loss::{Loss, LossConfig};
use tks_models::{Architecture, ArchitecturePlan, LayerConfig, LayerPlan, SpikingModel};

use crate::best::BestNetwork;
use crate::checkpoint::{Checkpoint, CheckpointKind, Header};
use crate::config::{Config, keys};
use crate::data::{Data, DataSource};
use crate::display::Verbosity;
use crate::message::{told, with_own_keys};
use crate::output::{eprint, print, unless_closed};
use crate::presets as preset_files;
use crate::run_folder::RunFolder;
use crate::trainer::{build_network, load_weights};

/// Trains, evaluates and exports spiking neural networks with Temporal Knowledge Sharing.
///
/// A first run, on data that ship with the program: `tks train nmnist-small`. All options are in one TOML
/// file; `tks presets` lists complete ones, and `tks presets NAME` prints one to start from.
#[derive(Debug, Parser)]
#[command(name = "tks", version, disable_help_subcommand = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network from a configuration file or a preset
    Train(train::TrainArgs),
    /// Resume a training that was stopped or killed, with the same result
    Resume(train::ResumeArgs),
    /// Evaluate a trained network at any number of time steps
    Eval(evaluate::EvalArgs),
    /// Classify images or recordings with a trained network
    Predict(predict::PredictArgs),
    /// Show a network's layers, shapes, parameters and operations
    Inspect(inspect::InspectArgs),
    /// List, fetch, check and show data sets
    #[command(subcommand)]
    Data(data::DataCommand),
    /// List the configurations that ship with the program, or print one
    Presets(presets::PresetsArgs),
    /// Write a run's report again: a page with its curves, tables and figures
    Report(report::ReportArgs),
    /// Export a trained network as weights (safetensors) and a description from which to rebuild it
    Export(export::ExportArgs),
    /// Print shell completions
    Completions(completions::CompletionsArgs),
    /// Write man pages into a folder
    Man(completions::ManArgs),
}

impl Command {
    /// Whether it has its own options for reading recordings.
    fn has_reading_options(&self) -> bool {
        matches!(self, Command::Data(data::DataCommand::Info(_) | data::DataCommand::Convert(_)))
    }
}

/// The program `tks`, which your own program can extend.
///
/// Additions are selected by name in a configuration, like the built-in choices, and work with the whole
/// command line: training and resuming, evaluation, reports, exports.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use tks_models::{Builder, ModelError};
/// use tks_trainer::cli::Cli;
///
/// fn two_layers(builder: &mut Builder<'_>) -> Result<(), ModelError> {
///     builder.push_flatten();
///     builder.push_linear("hidden", 128, Some("hidden.neurons"))?;
///     builder.push_classifier("head")
/// }
///
/// fn main() -> ExitCode {
///     let plan: fn(&mut Builder<'_>) -> Result<(), ModelError> = two_layers;
///     Cli::new().architecture("two_layers", plan).run()
/// }
/// ```
#[derive(Debug, Default)]
#[must_use = "`run` runs the program"]
pub struct Cli {
    /// The first addition that failed.
    problem: Option<anyhow::Error>,
}

impl Cli {
    /// The program without additions.
    pub fn new() -> Self {
        Cli::default()
    }

    /// Adds an architecture: `network.architecture = "<name>"`.
    pub fn architecture(self, name: &str, plan: impl ArchitecturePlan + 'static) -> Self {
        self.added(Architecture::register(name, plan))
    }

    /// Adds an architecture with parameters, which are read as `P`: `network.architecture = { <name> = { ... } }`.
    pub fn architecture_with<P: ArchitecturePlan + DeserializeOwned + 'static>(self, name: &str) -> Self {
        self.added(Architecture::register_with::<P>(name))
    }

    /// Adds a layer of `architecture = "sequential"`: `network.layers = ["<name>"]`.
    pub fn layer(self, name: &str, plan: impl LayerPlan + 'static) -> Self {
        self.added(LayerConfig::register(name, plan))
    }

    /// Adds a layer with settings, which are read as `P`: `network.layers = [{ <name> = { ... } }]`.
    pub fn layer_with<P: LayerPlan + DeserializeOwned + 'static>(self, name: &str) -> Self {
        self.added(LayerConfig::register_with::<P>(name))
    }

    /// Adds a loss: `loss = "<name>"`.
    pub fn loss(self, name: &str, loss: impl Loss + 'static) -> Self {
        self.added(LossConfig::register(name, loss))
    }

    /// Adds a loss with settings, which are read as `P`: `loss = { <name> = { ... } }`.
    pub fn loss_with<P: Loss + DeserializeOwned + 'static>(self, name: &str) -> Self {
        self.added(LossConfig::register_with::<P>(name))
    }

    /// Adds a data set: `data.name = "<name>"`.
    pub fn data_set(self, name: &str, source: impl DataSource + 'static) -> Self {
        self.added(crate::data::register(name, source))
    }

    /// Adds a data set with settings, which are read as `P`: `data.name = "<name>"` and `[data.own]`.
    pub fn data_set_with<P: DataSource + DeserializeOwned + 'static>(self, name: &str) -> Self {
        self.added(crate::data::register_with::<P>(name))
    }

    /// Adds a recording format, which is recognised wherever recordings are read.
    pub fn event_format(self, name: &str, format: impl EventFormat + 'static) -> Self {
        self.added(Format::register(name, format).map(drop))
    }

    /// Adds a preset: a configuration for `tks train <name>`, whose first line is a comment that describes
    /// it.
    pub fn preset(self, name: &'static str, text: &'static str) -> Self {
        self.added(preset_files::register(name, text))
    }

    fn added<E: Into<anyhow::Error>>(mut self, result: Result<(), E>) -> Self {
        if let Err(error) = result {
            self.problem.get_or_insert_with(|| error.into());
        }
        self
    }

    /// Runs the program and prints the chain of an error, if any.
    pub fn run(self) -> ExitCode {
        tks_autograd::runtime::prepare();
        let mut has_reading_options = false;
        let result = match (self.problem, Arguments::try_parse()) {
            (Some(problem), _) => Err(problem),
            (None, Ok(arguments)) => {
                has_reading_options = arguments.command.has_reading_options();
                run(arguments)
            }
            (None, Err(said)) => say(&said),
        };
        result.unwrap_or_else(|error| {
            let text = told(&error);
            let text = if has_reading_options { text } else { with_own_keys(&text) };
            // If standard error cannot be written either, only the exit code reports the error.
            let _ = eprint(&format!("error: {text}"));
            ExitCode::FAILURE
        })
    }
}

/// Prints the output of the command line's parser: help, the version, or an error in the arguments.
fn say(said: &clap::Error) -> Result<ExitCode> {
    if let Some(text) = key_flag(said) {
        eprint(&format!("error: {text}"))?;
        return Ok(ExitCode::from(2));
    }
    let printed = said.print().and_then(|()| std::io::stdout().flush());
    unless_closed(printed).context("cannot write the help")?;
    Ok(u8::try_from(said.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// A suggestion for an unknown option with the name of a configuration key: `--epochs 3`.
fn key_flag(error: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    if error.kind() != ErrorKind::UnknownArgument || error.get(ContextKind::SuggestedArg).is_some() {
        return None;
    }
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return None };
    let option = option.split('=').next().unwrap_or(option);
    let name = option.strip_prefix("--")?.replace('-', "_");
    if matches!(name.as_str(), "resume" | "continue") {
        return Some(format!(
            "there is no option `{option}`; `tks resume RUN` goes on with the run in the folder RUN"
        ));
    }
    let key = keys::find(&name).map_or_else(|| keys::by_last_part(&name), |key| Some(key.name()))?;
    let mut given = std::env::args().skip_while(|argument| argument.split('=').next() != Some(option));
    let value = match given.next()?.split_once('=') {
        Some((_, value)) => Some(value.to_string()),
        None => given.next().filter(|next| !next.starts_with("--")),
    };
    let value = value.unwrap_or_else(|| "VALUE".into());
    Some(format!(
        "there is no option `{option}`; `{key}` is a key of the configuration: `--set {key}={value}`"
    ))
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match arguments.command {
        Command::Train(args) => train::train(&args),
        Command::Resume(args) => train::resume(&args),
        Command::Eval(args) => evaluate::run(&args).map(done),
        Command::Predict(args) => predict::run(&args),
        Command::Inspect(args) => inspect::run(&args).map(done),
        Command::Data(command) => data::run(&command),
        Command::Presets(args) => presets::run(&args).map(done),
        Command::Report(args) => report::run(&args).map(done),
        Command::Export(args) => export::run(&args).map(done),
        Command::Completions(args) => completions::completions(&args).map(done),
        Command::Man(args) => completions::man(&args).map(done),
    }
}

/// The amount of output.
#[derive(Debug, Clone, Copy, Args)]
struct OutputArgs {
    /// Print only the result
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
    /// Print JSON, one object per line, for programs
    #[arg(long)]
    json: bool,
}

impl OutputArgs {
    fn verbosity(self) -> Verbosity {
        match self {
            OutputArgs { json: true, .. } => Verbosity::Json,
            OutputArgs { quiet: true, .. } => Verbosity::Quiet,
            OutputArgs { .. } => Verbosity::Normal,
        }
    }
}

/// A configuration with overrides.
#[derive(Debug, Clone, Args)]
struct ConfigArgs {
    /// A configuration file, or the name of a preset (see `tks presets`)
    config: PathBuf,
    /// Change one value, such as `training.epochs=10` or `loss=ce`; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", action = ArgAction::Append)]
    changes: Vec<String>,
}

impl ConfigArgs {
    fn read(&self) -> Result<Config> {
        if self.config.exists() {
            return Config::read(&self.config, &self.changes);
        }
        let name = self.config.to_string_lossy();
        let text =
            preset_files::text(&name).with_context(|| format!("{name} is neither a file nor a preset"))?;
        Config::parse(text, format!("the preset {name}").as_ref(), &self.changes)
    }
}

/// A checkpoint of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckpointName {
    /// The epoch with the best accuracy
    Best,
    /// The newest
    Last,
}

impl CheckpointName {
    fn which(self) -> CheckpointKind {
        match self {
            CheckpointName::Best => CheckpointKind::Best,
            CheckpointName::Last => CheckpointKind::Last,
        }
    }
}

/// A run and a choice of its checkpoints.
#[derive(Debug, Clone, Args)]
struct RunArgs {
    /// The run's folder
    run: PathBuf,
    /// The checkpoint; the newest if there is no best one yet
    #[arg(long, value_enum, default_value_t = CheckpointName::Best)]
    checkpoint: CheckpointName,
    /// Change one value of the run's configuration, such as `data.path=/data/cifar10`; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", action = ArgAction::Append)]
    changes: Vec<String>,
}

/// A trained network with its run.
struct Trained {
    run: RunFolder,
    config: Config,
    checkpoint: Checkpoint,
}

impl RunArgs {
    fn open(&self) -> Result<Trained> {
        let run = RunFolder::open(&self.run)?;
        let config = run.config_with(&self.changes)?;
        let checkpoint = self
            .read(&run)
            .with_context(|| format!("{} has no trained network to use", run.path().display()))?;
        Ok(Trained { run, config, checkpoint })
    }

    fn read(&self, run: &RunFolder) -> Result<Checkpoint> {
        let [last, best] = [CheckpointKind::Last, CheckpointKind::Best].map(|which| run.checkpoint(which));
        if self.checkpoint == CheckpointName::Last {
            return Checkpoint::read(&last);
        }
        let header = match Header::read(&last) {
            Ok(header) => header,
            // The best network is useful even without the newest.
            Err(_) if best.exists() => return Checkpoint::read(&best),
            Err(error) => return Err(error),
        };
        match BestNetwork::find(run, &header) {
            BestNetwork::Kept(checkpoint) => Ok(checkpoint),
            BestNetwork::Last | BestNetwork::Missing(None) => Checkpoint::read(&last),
            BestNetwork::Other(checkpoint, why) => {
                warn(&format!("{why}; that one is used"));
                Ok(checkpoint)
            }
            BestNetwork::Missing(Some(why)) => {
                warn(&format!("{why}; the newest is used"));
                Checkpoint::read(&last)
            }
        }
    }
}

/// A JSON file of a run that can be recreated; `None` if it does not exist or is damaged.
fn readable<T: serde::de::DeserializeOwned>(run: &RunFolder, name: &str) -> Result<Option<T>> {
    let (value, damage) = run.read_or_set_aside(name)?;
    if let Some(damage) = damage {
        warn(&damage);
    }
    Ok(value)
}

/// Prints a warning when a command continues.
fn warn(text: &str) {
    use std::io::Write;
    let _nobody_reads = writeln!(std::io::stderr(), "warning: {text}");
}

impl Trained {
    /// The network with its weights on the configuration's device, and its data with the network's classes.
    fn with_data(&self) -> Result<(Box<dyn SpikingModel>, Data)> {
        let task = self.run.task()?;
        let data = Data::open_for(&self.config, Some(&task))?;
        let network = build_network(&self.config, &data.task, self.config.hardware.prepare()?)?;
        let loaded = load_weights(network.as_ref(), &self.checkpoint);
        if data.task.input != task.input {
            let [trained, given] = [task.input, data.task.input]
                .map(|input| format!("{} x {} x {}", input.channels, input.height, input.width));
            loaded.with_context(|| {
                format!(
                    "the network was trained on input of {trained} (channels x height x width), these data and settings \
                     give {given}"
                )
            })?;
        } else {
            loaded?;
        }
        Ok((network, data))
    }
}

#[cfg(test)]
mod tests {
    use tks_loss::{LossError, LossInput, LossTerms, Progress};
    use tks_models::{Builder, ModelError};

    use super::*;
    use crate::config::Config;
    use crate::data::OpenedData;

    #[derive(Debug, serde::Deserialize)]
    struct Nothing {}

    impl ArchitecturePlan for Nothing {
        fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
            builder.push_flatten();
            builder.push_classifier("head")
        }
    }

    impl LayerPlan for Nothing {
        fn build(&self, _: &mut Builder<'_>, _: &str) -> Result<(), ModelError> {
            Ok(())
        }
    }

    impl Loss for Nothing {
        fn terms(&self, _: &LossInput, _: Progress) -> Result<LossTerms, LossError> {
            LossTerms::sum(&[])
        }
    }

    impl DataSource for Nothing {
        fn open(&self, _: &Config) -> Result<OpenedData> {
            anyhow::bail!("there is nothing")
        }
    }

    #[test]
    fn every_addition_is_found_by_its_name_and_the_first_that_fails_is_the_error() {
        let cli = Cli::new()
            .architecture("nothing", Nothing {})
            .architecture_with::<Nothing>("nothing_with")
            .layer("nothing", Nothing {})
            .layer_with::<Nothing>("nothing_with")
            .loss("nothing", Nothing {})
            .loss_with::<Nothing>("nothing_with")
            .data_set("nothing", Nothing {})
            .data_set_with::<Nothing>("nothing_with");
        assert!(cli.problem.is_none(), "{:?}", cli.problem);
        let names = [Architecture::names(), LayerConfig::names(), LossConfig::names()];
        for names in names {
            assert!(names.ends_with(&["nothing", "nothing_with"]), "{names:?}");
        }
        assert_eq!(crate::data::registered().collect::<Vec<_>>(), ["nothing", "nothing_with"]);
        let cli = cli.preset("nmnist-small", "# x").loss("Nothing", Nothing {});
        let problem = cli.problem.unwrap().to_string();
        assert!(problem.contains("already is a preset called `nmnist-small`"), "{problem}");
    }
}
