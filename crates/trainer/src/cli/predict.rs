//! `tks predict`.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args;

use super::{OutputArgs, RunArgs, print};
use crate::display::percent;
use crate::predict::{PredictOptions, Prediction, Reader, predict};
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
    /// Where the thing lies in the images, in pixels, for a network that was trained on images cut to their bounding boxes
    #[arg(long, value_name = "LEFT,TOP,WIDTH,HEIGHT", value_parser = bounding_box)]
    bounding_box: Option<[f32; 4]>,
    #[command(flatten)]
    output: OutputArgs,
}

fn bounding_box(text: &str) -> Result<[f32; 4]> {
    let wrong =
        || anyhow!("four numbers are wanted, such as 10,20,64,48: left, top, width and height in pixels");
    let numbers: Result<Vec<f32>, _> = text.split(',').map(|number| number.trim().parse::<f32>()).collect();
    let numbers = numbers.map_err(|_| wrong())?;
    let is_box = |&[_, _, width, height]: &[f32; 4]| width > 0.0 && height > 0.0;
    let is_finite = numbers.iter().all(|number| number.is_finite());
    <[f32; 4]>::try_from(numbers).ok().filter(is_box).filter(|_| is_finite).ok_or_else(wrong)
}

pub(super) fn run(args: &PredictArgs) -> Result<()> {
    let trained = args.run.open()?;
    let task = trained.run.task()?;
    let network = build_network(&trained.config, &task, trained.config.hardware.prepare()?)?;
    load_weights(&network, &trained.checkpoint)?;
    let reader = Reader::new(&trained.config, &task)?;
    let options =
        PredictOptions { time_steps: args.time_steps, top: args.top, bounding_box: args.bounding_box };
    for file in &args.files {
        let prediction = predict(&network, &reader, file, &options)?;
        match (args.output.json, args.output.quiet) {
            (true, _) => print(&serde_json::to_string(&prediction)?)?,
            (_, true) => print(prediction.classes.first().map_or("", |(class, _)| class))?,
            _ => print(&line(&prediction))?,
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
