//! `tks report`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{ArgAction, Args};
use tks_report::{Environment, StepAccuracy};

use super::{RunArgs, print, readable};
use crate::display::accuracy_table;
use crate::evaluation::{Evaluation, evaluate};
use crate::report;
use crate::run_folder::{ENVIRONMENT, EVALUATION, RunFolder};

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Another run whose accuracy is shown beside it; can be repeated. Runs that differ only in the seed are
    /// combined
    #[arg(long, value_name = "RUN", action = ArgAction::Append)]
    beside: Vec<PathBuf>,
}

pub(super) fn run(args: &ReportArgs) -> Result<()> {
    let trained = args.run.open()?;
    let (network, data) = trained.with_data()?;
    readable::<Environment>(&trained.run, ENVIRONMENT)?;
    let kept: Option<Evaluation> = readable(&trained.run, EVALUATION)?;
    let evaluation = match kept {
        Some(evaluation) => evaluation,
        None => {
            let loader = data.test_loader()?;
            let execution = &trained.config.execution;
            let evaluation = evaluate(
                network.as_ref(),
                &loader,
                &data.task.classes,
                data.task.time_steps,
                execution,
                |_, _| Ok(()),
            )?;
            if let Err(error) = trained.run.write_json(EVALUATION, &evaluation) {
                // Results that took long to compute are shown even if the report fails.
                print(&accuracy_table(&evaluation.accuracy_by_steps))?;
                return Err(error);
            }
            evaluation
        }
    };
    let place = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut places = vec![place(trained.run.path())];
    let mut beside = Vec::new();
    for path in &args.beside {
        let run = RunFolder::open(path)?;
        // A run given twice would count as two seeds.
        if !places.contains(&place(run.path())) {
            places.push(place(run.path()));
            beside.push(run);
        }
    }
    // The table comes first: it does not depend on the page.
    print(&table(&report::step_accuracy([&trained.run].into_iter().chain(&beside))?))?;
    let page = report::write(&trained.run, network.as_ref(), &data, &trained.config, &evaluation, &beside)
        .context("the report was not written")?;
    print(&format!("report: {}", page.display()))
}

/// One line per loss: mean accuracy by test time steps, and its standard deviation if there are several runs.
fn table(losses: &[StepAccuracy]) -> String {
    let most = losses.iter().map(|loss| loss.time_steps.len()).max().unwrap_or(0);
    let head: String = (1..=most).map(|step| format!("{step:>12}")).collect();
    let names = losses.iter().map(|loss| match loss.runs.len() {
        1 => loss.name.clone(),
        runs => format!("{} ({runs} runs)", loss.name),
    });
    let names: Vec<String> = names.collect();
    let width = names.iter().map(String::len).max().unwrap_or(0).max(16);
    let mut text = format!("{:<width$}{head}", "test time steps");
    for (loss, name) in losses.iter().zip(names) {
        let cell = |step: usize| match loss.mean_and_deviation(step) {
            Some((mean, Some(deviation))) => format!("{:>5.1} +- {:<3.1}", 100.0 * mean, 100.0 * deviation),
            Some((mean, None)) => format!("{:>11.1}%", 100.0 * mean),
            None => String::new(),
        };
        let cells: String = (0..loss.time_steps.len()).map(|step| format!("{:>12}", cell(step))).collect();
        text += &format!("\n{name:<width$}{cells}");
    }
    text
}
