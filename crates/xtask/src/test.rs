//! `cargo xtask test`: set-up, then every test of the workspace, including documentation examples.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::{cargo, setup};

/// Options of `cargo xtask test`.
#[derive(Args, Debug)]
pub(crate) struct TestOptions {
    /// Passed on to `cargo test --workspace`, such as a part of the tests' names
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Sets the workspace up and runs its tests.
pub(crate) fn run(workspace: &Path, options: &TestOptions) -> Result<()> {
    let start = Instant::now();
    setup::run(workspace, &setup::SetupOptions::default())?;
    let mut arguments = vec!["test", "--workspace", "--no-fail-fast"];
    arguments.extend(options.arguments.iter().map(String::as_str));
    cargo::run(workspace, &arguments)?;
    println!("all tests passed, in {:.0} s with set-up and build", start.elapsed().as_secs_f64());
    Ok(())
}
