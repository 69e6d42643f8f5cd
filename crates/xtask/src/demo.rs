//! `cargo xtask demo`: set-up, a release build, then a small spiking network that learns digits.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::{cargo, setup};

/// What `cargo xtask demo` can be asked.
#[derive(Args, Debug)]
pub(crate) struct DemoOptions {
    /// Print the result alone
    #[arg(long)]
    quiet: bool,
    /// Passed on to the demo, after `--`: see `cargo xtask demo -- --help`
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Sets the workspace up, builds the demo and runs it. A program of its own, as this one links no libtorch.
pub(crate) fn run(workspace: &Path, options: &DemoOptions) -> Result<()> {
    setup::run(workspace, &setup::SetupOptions::default())?;
    let mut arguments = vec!["run", "--release", "--package", "tks-autograd", "--example", "digits", "--"];
    if options.quiet {
        arguments.insert(1, "--quiet");
        arguments.push("--quiet");
    }
    arguments.extend(options.arguments.iter().map(String::as_str));
    cargo::run(workspace, &arguments)
}
