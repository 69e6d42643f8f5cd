//! `tks train`, `tks resume`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgAction, Args};

use super::{CheckpointName, ConfigArgs, OutputArgs};
use crate::display::Display;
use crate::files::RunFiles;
use crate::message::Listener;
use crate::run_folder::RunFolder;
use crate::stop::StopFlag;
use crate::trainer::{Outcome, Trainer};

/// The exit code of a training that was asked to stop: 128 plus the number of SIGINT, as in shells.
const STOPPED: u8 = 130;

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The folder for this run; left out: a new one in `output.folder` with the configuration's name
    #[arg(long, value_name = "FOLDER")]
    run: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The run's folder
    run: PathBuf,
    /// Change one value of the run's configuration, such as `training.epochs=20`; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", action = ArgAction::Append)]
    changes: Vec<String>,
    /// The checkpoint from which to resume; `best` discards the training after that epoch
    #[arg(long, value_enum, default_value_t = CheckpointName::Last)]
    checkpoint: CheckpointName,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn train(args: &TrainArgs) -> Result<ExitCode> {
    let config = args.config.read()?;
    let run = match &args.run {
        Some(path) => RunFolder::create_at(path, &config)?,
        None => RunFolder::create(&config)?,
    };
    let listeners = listeners(args.output, &run, config.output.tensorboard);
    match Trainer::start(config, run.clone(), listeners) {
        Ok(trainer) => fit(trainer),
        Err(error) => {
            run.discard();
            Err(error)
        }
    }
}

pub(super) fn resume(args: &ResumeArgs) -> Result<ExitCode> {
    let run = RunFolder::open(&args.run)?;
    let listeners = listeners(args.output, &run, run.config()?.output.tensorboard);
    fit(Trainer::resume_from(run, args.checkpoint.which(), &args.changes, listeners)?)
}

fn listeners(output: OutputArgs, run: &RunFolder, tensorboard: bool) -> Vec<Box<dyn Listener>> {
    let files = RunFiles::new(run.clone(), tensorboard);
    vec![Box::new(files), Box::new(Display::new(output.verbosity()))]
}

fn fit(trainer: Trainer) -> Result<ExitCode> {
    match trainer.fit(&StopFlag::on_signals()?)? {
        Outcome::Finished(_) => Ok(ExitCode::SUCCESS),
        Outcome::Stopped => Ok(ExitCode::from(STOPPED)),
    }
}
