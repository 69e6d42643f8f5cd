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
    // What took long to compute is shown, whether or not it can be written.
    let written = trained.run.write_json(file, &results);
    for result in &results {
        match verbosity {
            Verbosity::Json => print(&serde_json::to_string(result)?)?,
            _ => print(&format!("{:>4} time steps: {}", result.time_steps, percent(result.accuracy)))?,
        }
    }
    if verbosity == Verbosity::Normal {
        let how = match (data.task.is_static, rebin) {
            (true, _) => "a picture is shown as often as there are steps",
            (false, true) => "whole recordings in as many frames as there are steps",
            (false, false) => {
                "the first frames of a recording; above those of the training, the whole in more frames"
            }
        };
        let kept = written
            .as_ref()
            .map_or_else(|_| String::new(), |()| format!("; also in {}", trained.run.file(file).display()));
        print(&format!("({} samples; {how}{kept})", data.test.len()))?;
    }
    written
}

/// One pass tells all the step counts whose input is its beginning; recordings that are binned anew (`rebin`, or more
/// steps than they have frames) need a pass each.
fn by_steps(
    data: &Data,
    steps: &[usize],
    rebin: bool,
    run: impl Fn(&Loader<Samples>, usize) -> Result<Evaluation>,
) -> Result<Vec<StepResult>> {
    let usual = data.task.time_steps;
    let prefix = |&time_steps: &usize| data.task.is_static || (!rebin && time_steps <= usual);
    let most = steps.iter().copied().filter(prefix).max();
    let shared = most
        .map(|most| run(&data.test_loader()?, if data.task.is_static { most } else { usual }))
        .transpose()?;
    let result = |&time_steps: &usize| {
        let accuracy = match &shared {
            Some(evaluation) if prefix(&time_steps) => evaluation.accuracy_by_steps[time_steps - 1],
            _ => run(&data.rebinned(time_steps)?, time_steps)?.accuracy(),
        };
        Ok(StepResult { time_steps, accuracy })
    };
    steps.iter().map(result).collect()
}

fn bar(verbosity: Verbosity) -> ProgressBar {
    if verbosity != Verbosity::Normal {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("testing {bar:24} {pos}/{len}, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
