//! `cargo xtask demo`: set-up, a release build, then training with TKS and plain cross entropy on shipped
//! data.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{cargo, setup};

/// Options of `cargo xtask demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoOptions {
    /// Print only the results
    #[arg(long)]
    quiet: bool,
    /// Passed on to each training, such as `--set training.epochs=5`
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// The presets to train: recordings of events, and images.
const PRESETS: [&str; 2] = ["nmnist-small", "digits-small"];

/// The losses to train with: the report is for the first.
const LOSSES: [&str; 2] = ["tks", "ce"];

/// Sets the workspace up, builds `tks` and trains with it.
pub(crate) fn run(workspace: &Path, options: &DemoOptions) -> Result<()> {
    setup::run(workspace, &setup::SetupOptions::default())?;
    cargo::run(workspace, &["build", "--release", "--package", "tks-trainer"])?;
    let start = Instant::now();
    let folder = demo_folder(workspace)?;
    let tks = Tks { program: workspace.join("target/release/tks"), workspace, quiet: options.quiet };
    for preset in PRESETS {
        for loss in LOSSES {
            println!("\n== {preset}, trained with {loss}");
            let run = run_folder(&folder, preset, loss);
            let mut arguments = vec!["train".into(), preset.into(), "--run".into(), run];
            arguments.extend(["--set".into(), format!("loss={loss}")]);
            arguments.extend(options.arguments.iter().cloned());
            tks.run(&arguments)?;
        }
    }
    println!("\n== accuracy by test time steps");
    for preset in PRESETS {
        println!("\n{preset}");
        let [first, others @ ..] = LOSSES;
        let mut arguments = vec!["report".into(), run_folder(&folder, preset, first)];
        for loss in others {
            arguments.extend(["--beside".into(), run_folder(&folder, preset, loss)]);
        }
        tks.run(&arguments)?;
    }
    println!("\ndemo: {:.0} s of training and reports after the build", start.elapsed().as_secs_f64());
    Ok(())
}

/// An empty folder for the demo's runs, without the files of an earlier demo.
fn demo_folder(workspace: &Path) -> Result<PathBuf> {
    let folder = workspace.join("runs/demo");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    Ok(folder)
}

fn run_folder(folder: &Path, preset: &str, loss: &str) -> String {
    folder.join(format!("{preset}-{loss}")).display().to_string()
}

/// The program that was just built. It is a separate program, since this one does not link libtorch.
struct Tks<'a> {
    program: PathBuf,
    workspace: &'a Path,
    quiet: bool,
}

impl Tks<'_> {
    fn run(&self, arguments: &[String]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.current_dir(self.workspace).args(arguments);
        if self.quiet && arguments.first().is_some_and(|first| first == "train") {
            command.arg("--quiet");
        }
        let shown = format!("tks {}", arguments.join(" "));
        let status = command.status().with_context(|| format!("cannot run `{shown}`"))?;
        if !status.success() {
            bail!("`{shown}` failed");
        }
        Ok(())
    }
}
