//! Opens a data set by name and loads one epoch of it as frames.
//!
//! `cargo run --release -p tks-events --example load_dataset` uses the shipped recordings; `... --example
//! load_dataset -- dvs-cifar10 /data/dvs-cifar10 first-90` uses any other, as downloaded or unpacked.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use tks_data::{Catalogue, LastBatch, Loader, LoaderConfig, SampleSet};
use tks_events::datasets::{EventFrames, EventSet, SetOptions};
use tks_events::recipe::Recipe;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "nmnist-1000".into());
    let manifest = Catalogue::BuiltIn.manifest(&name)?;
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
    let path = arguments.next().map_or_else(|| shipped.join(&name), PathBuf::from);
    let split = arguments.next();

    let set = Arc::new(EventSet::open(manifest, &path, SetOptions::default())?);
    let sensor = set.sensor();
    println!(
        "{}: {} recordings of {} x {} pixels",
        set.manifest().title,
        set.len(),
        sensor.width,
        sensor.height
    );
    println!("licence {}; {}", set.manifest().licence, set.manifest().citation);
    for (part, indices) in set.parts(split.as_deref(), &Catalogue::BuiltIn)? {
        let frames =
            EventFrames::<f32>::new(Arc::clone(&set), indices, Recipe::reference(), part == "train")?;
        let config = LoaderConfig { last_batch: LastBatch::Keep, ..LoaderConfig::default() };
        let loader = Loader::new(Arc::new(frames), config)?;
        let begin = Instant::now();
        let (mut samples, mut sum) = (0, 0.0);
        for batch in loader.epoch(0)? {
            let batch = batch?;
            samples += batch.valid();
            sum += f64::from(batch.inputs().sum());
        }
        let seconds = begin.elapsed().as_secs_f64();
        println!("{part}: {samples} samples, {:.1} ms, mean sum {:.1}", seconds * 1e3, sum / samples as f64);
    }
    Ok(())
}
