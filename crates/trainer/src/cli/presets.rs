//! `tks presets`.

use anyhow::Result;
use clap::Args;

use super::print;
use crate::presets;

#[derive(Debug, Args)]
pub(super) struct PresetsArgs {
    /// Print this preset, to be saved and edited: `tks presets NAME > mine.toml`
    name: Option<String>,
}

pub(super) fn run(args: &PresetsArgs) -> Result<()> {
    match &args.name {
        Some(name) => print(presets::text(name)?.trim_end())?,
        None => {
            let width = presets::names().into_iter().map(str::len).max().unwrap_or(0);
            for (name, about) in presets::all() {
                print(&format!("{name:width$}  {about}"))?;
            }
            print(
                "\n`tks train NAME` trains one, `tks presets NAME` prints it; `--set data.path=...` says where data lie",
            )?;
        }
    }
    Ok(())
}
