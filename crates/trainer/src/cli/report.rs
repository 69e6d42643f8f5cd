//! `tks report`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{ArgAction, Args};
use tks_report::StepAccuracy;

use super::{RunArgs, print};
use crate::evaluation::{Evaluation, evaluate};
use crate::report;
use crate::run_folder::RunFolder;
use crate::trainer::EVALUATION;

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Another run whose accuracy is shown beside it; may be given again. Runs with one loss count as its seeds
    #[arg(long, value_name = "RUN", action = ArgAction::Append)]
    beside: Vec<PathBuf>,
}

pub(super) fn run(args: &ReportArgs) -> Result<()> {
    let trained = args.run.open()?;
    let (network, data) = trained.with_data()?;
    let kept: Option<Evaluation> = trained.run.read_json(EVALUATION)?;
    let evaluation = match kept {
        Some(evaluation) => evaluation,
        None => {
            let loader = data.test_loader()?;
            let execution = &trained.config.execution;
            let evaluation =
                evaluate(&network, &loader, &data.task.classes, data.task.time_steps, execution, |_, _| {
                    Ok(())
                })?;
            trained.run.write_json(EVALUATION, &evaluation)?;
            evaluation
        }
    };
    let beside = args.beside.iter().map(|run| RunFolder::open(run)).collect::<Result<Vec<_>>>()?;
    let page = report::write(&trained.run, &network, &data, &trained.config, &evaluation, &beside)
        .context("the report was not written")?;
    print(&table(&report::step_accuracy([&trained.run].into_iter().chain(&beside))?));
    print(&format!("report: {}", page.display()));
    Ok(())
}

/// A line for each loss: mean accuracy by test time steps, and its deviation where there are several runs.
fn table(losses: &[StepAccuracy]) -> String {
    let most = losses.iter().map(|loss| loss.time_steps.len()).max().unwrap_or(0);
    let head: String = (1..=most).map(|step| format!("{step:>12}")).collect();
    let mut text = format!("{:<16}{head}", "test time steps");
    for loss in losses {
        let cell = |step: usize| match loss.mean_and_deviation(step) {
            Some((mean, Some(deviation))) => format!("{:>5.1} +- {:<3.1}", 100.0 * mean, 100.0 * deviation),
            Some((mean, None)) => format!("{:>11.1}%", 100.0 * mean),
            None => String::new(),
        };
        let cells: String = (0..loss.time_steps.len()).map(|step| format!("{:>12}", cell(step))).collect();
        let name = format!("{} ({} runs)", loss.name, loss.runs.len());
        let name = if loss.runs.len() == 1 { loss.name.clone() } else { name };
        text += &format!("\n{name:<16}{cells}");
    }
    text
}
