//! `tks eval`.

use std::ops::RangeInclusive;

use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tks_data::Loader;

use super::{OutputArgs, RunArgs, print};
use crate::config::{FewerSteps, MAX_STEPS};
use crate::data::{Data, Samples};
use crate::display::{Verbosity, percent};
use crate::evaluation::{Evaluation, evaluate};

#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Numbers of time steps, such as `4`, `1,2,4` or `1-5`; left out: 1 up to the number in training
    #[arg(long, value_delimiter = ',', value_name = "STEPS", value_parser = step_range)]
    time_steps: Vec<RangeInclusive<usize>>,
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
    let steps: Vec<usize> = if args.time_steps.is_empty() {
        (1..=usual).collect()
    } else {
        args.time_steps.iter().cloned().flatten().collect()
    };
    let verbosity = args.output.verbosity();
    let rebin = trained.config.evaluation.fewer_steps == FewerSteps::Rebin;
    let run = |loader: &Loader<Samples>, time_steps| {
        let bar = bar(verbosity);
        let execution = &trained.config.execution;
        evaluate(network.as_ref(), loader, &data.task.classes, time_steps, execution, |done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
            Ok(())
        })
    };
    let results = by_steps(&data, &steps, rebin, run)?;
    let file = "evaluation-by-steps.json";
    // Results that took long to compute are shown even if they cannot be written.
    let written = trained.run.write_json(file, &results);
    for result in &results {
        match verbosity {
            Verbosity::Json => print(&serde_json::to_string(result)?)?,
            _ => {
                let plural = if result.time_steps == 1 { ": " } else { "s:" };
                print(&format!("{:>4} time step{plural} {}", result.time_steps, percent(result.accuracy)))?;
            }
        }
    }
    if verbosity == Verbosity::Normal {
        let how = match (data.task.is_static, rebin) {
            (true, _) => "an image is shown as often as there are steps",
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

/// `4`, or `1-5` (also `1..5`), both ends included.
pub(super) fn step_range(text: &str) -> Result<RangeInclusive<usize>, String> {
    let (first, last) = text.split_once("..").or_else(|| text.split_once('-')).unwrap_or((text, text));
    let end = |text: &str| {
        let steps = text.trim_start_matches('=').trim().parse::<usize>().ok();
        steps.filter(|steps| (1..=MAX_STEPS).contains(steps))
    };
    match (end(first), end(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err(format!(
            "it should be a number of time steps from 1 to {MAX_STEPS}, a list such as 1,2,4 or a range such as 1-5"
        )),
    }
}

/// One pass covers all numbers of steps whose input is a prefix of the full input; recordings that are binned
/// again (`rebin`, or more steps than they have frames) need one pass each.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_steps_are_numbers_and_ranges() {
        for (text, expected) in
            [("4", 4..=4), ("1-5", 1..=5), ("1..5", 1..=5), ("1..=5", 1..=5), ("2 - 3", 2..=3)]
        {
            assert_eq!(step_range(text), Ok(expected), "{text}");
        }
        for text in ["0", "0-3", "5-1", "one", "", "-3", "1-", "1000000000", "1.5"] {
            let said = step_range(text).unwrap_err();
            assert!(said.contains("1-5"), "{text}: {said}");
        }
    }
}
