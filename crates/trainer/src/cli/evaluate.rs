//! `tks eval`.

use anyhow::{Result, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tks_data::Loader;

use super::{OutputArgs, RunArgs, print};
use crate::config::FewerSteps;
use crate::data::{Data, Samples};
use crate::display::{Verbosity, percent};
use crate::evaluation::{Evaluation, evaluate};

#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Numbers of time steps, a comma list; left out: 1 up to those of the training
    #[arg(long, value_delimiter = ',', value_name = "STEPS")]
    time_steps: Vec<usize>,
    #[command(flatten)]
    output: OutputArgs,
}

/// One line of the result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct StepResult {
    time_steps: usize,
    accuracy: f64,
}

pub(super) fn run(args: &EvalArgs) -> Result<()> {
    let trained = args.run.open()?;
    let (network, data) = trained.with_data()?;
    let usual = data.task.time_steps;
    let steps = if args.time_steps.is_empty() { (1..=usual).collect() } else { args.time_steps.clone() };
    ensure!(!steps.contains(&0), "`--time-steps` has a 0: a network runs 1 step or more");
    let verbosity = args.output.verbosity();
    let rebin = trained.config.evaluation.fewer_steps == FewerSteps::Rebin;
    let run = |loader: &Loader<Samples>, time_steps| {
        let bar = bar(verbosity);
        let execution = &trained.config.execution;
        evaluate(&network, loader, &data.task.classes, time_steps, execution, |done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
            Ok(())
        })
    };
    let results = by_steps(&data, &steps, rebin, run)?;
    let file = "evaluation-by-steps.json";
    trained.run.write_json(file, &results)?;
    for result in &results {
        match verbosity {
            Verbosity::Json => print(&serde_json::to_string(result)?),
            _ => print(&format!("{:>4} time steps: {}", result.time_steps, percent(result.accuracy))),
        }
    }
    if verbosity == Verbosity::Normal {
        let how = if rebin { "the whole recording in fewer bins" } else { "the first steps alone" };
        print(&format!(
            "({} samples; fewer steps are {how}; also in {})",
            data.test.len(),
            trained.run.file(file).display()
        ));
    }
    Ok(())
}

/// Where one pass over the most steps tells all fewer ones it is the only one; recordings that are binned anew, and
/// more steps than recordings have frames, need a pass each.
fn by_steps(
    data: &Data,
    steps: &[usize],
    rebin: bool,
    run: impl Fn(&Loader<Samples>, usize) -> Result<Evaluation>,
) -> Result<Vec<StepResult>> {
    let most = steps.iter().copied().max().unwrap_or(1);
    let one_pass = match data.task.is_static {
        true => Some(most),
        false if !rebin && most <= data.task.time_steps => Some(data.task.time_steps),
        false => None,
    };
    if let Some(all) = one_pass {
        let evaluation = run(&data.test_loader()?, all)?;
        let of =
            |&time_steps| StepResult { time_steps, accuracy: evaluation.accuracy_by_steps[time_steps - 1] };
        return Ok(steps.iter().map(of).collect());
    }
    let mut results = Vec::new();
    for &time_steps in steps {
        let accuracy = run(&data.rebinned(time_steps)?, time_steps)?.accuracy();
        results.push(StepResult { time_steps, accuracy });
    }
    Ok(results)
}

fn bar(verbosity: Verbosity) -> ProgressBar {
    if verbosity != Verbosity::Normal {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("testing {bar:24} {pos}/{len}, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
