//! `tks predict`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;

use super::evaluate::step_range;
use super::{OutputArgs, RunArgs, print};
use crate::config::{MAX_STEPS, at_least_one};
use crate::display::percent;
use crate::message::{told, with_own_keys};
use crate::output::eprint;
use crate::predict::{PredictOptions, Prediction, Reader, predict};
use crate::trainer::{build_network, load_weights};

#[derive(Debug, Args)]
pub(super) struct PredictArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Images (JPEG, PNG, WebP, BMP, GIF), recordings in any supported format, or folders of them
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Number of time steps; left out: as in training
    #[arg(long, value_name = "STEPS", value_parser = steps)]
    time_steps: Option<usize>,
    /// Number of classes to show
    #[arg(long, default_value_t = 3)]
    top: usize,
    /// Bounding box of the object in the images in pixels, for a network trained on images cropped to their
    /// bounding boxes
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

/// A single number of time steps, unlike for `tks eval`.
fn steps(text: &str) -> Result<usize, String> {
    let range = step_range(text).ok().filter(|range| range.start() == range.end());
    range.map(|range| *range.start()).ok_or_else(|| {
        format!(
            "it should be one number of time steps from 1 to {MAX_STEPS}, such as 4; `tks eval` takes several"
        )
    })
}

pub(super) fn run(args: &PredictArgs) -> Result<ExitCode> {
    at_least_one("--top", args.top, usize::MAX)?;
    let files = files_of(&args.files)?;
    let trained = args.run.open()?;
    let task = trained.run.task()?;
    let network = build_network(&trained.config, &task, trained.config.hardware.prepare()?)?;
    load_weights(network.as_ref(), &trained.checkpoint)?;
    let reader = Reader::new(&trained.config, &task)?;
    let options =
        PredictOptions { time_steps: args.time_steps, top: args.top, bounding_box: args.bounding_box };
    let mut code = ExitCode::SUCCESS;
    for file in &files {
        let prediction = match predict(network.as_ref(), &reader, file, &options) {
            Ok(prediction) => prediction,
            // A file that cannot be read does not prevent the others from being classified.
            Err(error) => {
                eprint(&format!("error: {}", with_own_keys(&told(&error))))?;
                code = ExitCode::FAILURE;
                continue;
            }
        };
        match (args.output.json, args.output.quiet) {
            (true, _) => print(&serde_json::to_string(&prediction)?)?,
            (_, true) => print(prediction.classes.first().map_or("", |(class, _)| class))?,
            _ => print(&line(&prediction))?,
        }
    }
    Ok(code)
}

/// The selected files: for a folder, the files directly in it, by name, without hidden ones.
fn files_of(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let cannot = || format!("cannot list {}", path.display());
        let mut within = Vec::new();
        for entry in std::fs::read_dir(path).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            if entry.path().is_file() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
                within.push(entry.path());
            }
        }
        ensure!(
            !within.is_empty(),
            "{} is a folder without files: give files, or a folder that they lie in directly",
            path.display()
        );
        within.sort();
        files.append(&mut within);
    }
    Ok(files)
}

/// The classes with their probabilities, and the number of steps after which the first was predicted.
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
