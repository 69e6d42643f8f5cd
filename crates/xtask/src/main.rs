//! Set-up and maintenance of the workspace, run as `cargo xtask <command>`. Does not need libtorch itself,
//! since it installs it.

mod cache;
mod cargo;
mod compiler;
mod demo;
mod libtorch;
mod mutants;
mod pip;
mod python;
mod reference;
mod setup;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Set-up and maintenance of the workspace.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install libtorch, so that plain cargo commands work afterwards
    Setup(setup::SetupOptions),
    /// Set up, then run every test, including documentation examples
    Test(test::TestOptions),
    /// Generate the configuration's reference page from the types
    Reference(reference::ReferenceOptions),
    /// Change the sources of a package in many places, one at a time, and check whether its tests notice
    Mutants(mutants::MutantsOptions),
    /// Set up, build, and train a small spiking network on the shipped digits (seconds after the build)
    Demo(demo::DemoOptions),
}

fn main() -> ExitCode {
    match run(&Cli::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: &Chore) -> Result<()> {
    let workspace = workspace_root();
    match chore {
        Chore::Setup(options) => setup::run(&workspace, options),
        Chore::Test(options) => test::run(&workspace, options),
        Chore::Reference(options) => reference::run(&workspace, options),
        Chore::Mutants(options) => mutants::run(&workspace, options),
        Chore::Demo(options) => demo::run(&workspace, options),
    }
}

/// The folder of the workspace, from cargo's environment variables.
fn workspace_root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let parent = package.parent().and_then(Path::parent);
    parent.map_or_else(|| package.clone(), Path::to_path_buf)
}
