//! `tks predict`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{OutputArgs, RunArgs, print};
use crate::display::percent;
use crate::predict::{Prediction, Reader, predict};
use crate::trainer::{build_network, load_weights};

#[derive(Debug, Args)]
pub(super) struct PredictArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Pictures (JPEG, PNG), or recordings in any format that is known
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Time steps; left out: as many as in training
    #[arg(long, value_name = "STEPS")]
    time_steps: Option<usize>,
    /// Classes to tell
    #[arg(long, default_value_t = 3)]
    top: usize,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &PredictArgs) -> Result<()> {
    let trained = args.run.open()?;
    let task = trained.run.task()?;
    let network = build_network(&trained.config, &task, trained.config.hardware.prepare()?)?;
    load_weights(&network, &trained.checkpoint)?;
    let reader = Reader::new(&trained.config, &task)?;
    for file in &args.files {
        let prediction = predict(&network, &reader, file, args.time_steps, args.top)?;
        match (args.output.json, args.output.quiet) {
            (true, _) => print(&serde_json::to_string(&prediction)?),
            (_, true) => print(prediction.classes.first().map_or("", |(class, _)| class)),
            _ => print(&line(&prediction)),
        }
    }
    Ok(())
}

/// The classes with their probabilities, and how soon the first was the answer.
fn line(prediction: &Prediction) -> String {
    let classes: Vec<String> =
        prediction.classes.iter().map(|(class, share)| format!("{class} {}", percent(*share))).collect();
    let last = prediction.by_steps.last();
    let since =
        prediction.by_steps.iter().rposition(|class| Some(class) != last).map_or(1, |other| other + 2);
    format!(
        "{}: {} (since step {since} of {})",
        prediction.file.display(),
        classes.join(", "),
        prediction.by_steps.len()
    )
}
