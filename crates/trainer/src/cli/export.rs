//! `tks export`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{RunArgs, print};
use crate::export;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    run: RunArgs,
    /// The folder to write to; left out: `export` in the run's folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &ExportArgs) -> Result<()> {
    let trained = args.run.open()?;
    let folder = args.out.clone().unwrap_or_else(|| trained.run.file("export"));
    let task = trained.run.task()?;
    export::write(&folder, &trained.config, &task, &trained.checkpoint)?;
    print(&format!(
        "{} holds {} (weights) and {} (the network's description)",
        folder.display(),
        export::WEIGHTS,
        export::DESCRIPTION
    ))?;
    Ok(())
}
