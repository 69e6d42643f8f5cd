//! `tks inspect`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{ArgAction, Args};

use super::{ConfigArgs, print, readable, warn};
use crate::checkpoint::{Checkpoint, CheckpointKind};
use crate::evaluation::Evaluation;
use crate::inspect;
use crate::run_folder::{EVALUATION, RunFolder};

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// A configuration file, the name of a preset, or a run's folder
    what: PathBuf,
    /// Change one value, such as `network.width=64`; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", action = ArgAction::Append)]
    changes: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &InspectArgs) -> Result<()> {
    let inspected = if args.what.is_dir() {
        let run = RunFolder::open(&args.what)?;
        for which in [CheckpointKind::Last, CheckpointKind::Best] {
            let path = run.checkpoint(which);
            if path.exists()
                && let Err(error) = Checkpoint::read(&path)
            {
                warn(&format!("{error:#}"));
            }
        }
        readable::<Evaluation>(&run, EVALUATION)?;
        inspect::of_run(&run)?
    } else {
        let config = ConfigArgs { config: args.what.clone(), changes: args.changes.clone() };
        inspect::of_config(&config.read()?)?
    };
    if args.json {
        print(&serde_json::to_string_pretty(&inspected)?)?
    } else {
        print(&inspected.to_string())?
    }
    Ok(())
}
