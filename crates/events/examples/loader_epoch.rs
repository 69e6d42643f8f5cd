//! Measures epochs of the loader: recordings are read from their files, decoded, divided into 10 equal time
//! bins, and put into batches of 32 by 2 workers. Prints JSON for `benches/peers/events/loader.py`.
//!
//! `cargo run --release -p tks-events --example loader_epoch -- FOLDER [EPOCHS]`, where FOLDER has N-MNIST's
//! layout; left out: the shipped archive.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tks_data::{Catalogue, LastBatch, Loader, LoaderConfig, SampleSet};
use tks_events::datasets::{EventFrames, EventSet, SetOptions};
use tks_events::recipe::Recipe;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
    let path = arguments.next().map_or_else(|| datasets.join("nmnist-1000"), PathBuf::from);
    let epochs: u64 = arguments.next().map_or(Ok(10), |number| number.parse())?;

    let manifest = Catalogue::BuiltIn.manifest("nmnist-1000")?;
    let options = SetOptions { strict: false, ..SetOptions::default() };
    let set = Arc::new(EventSet::open(manifest, &path, options)?);
    let indices: Vec<usize> = (0..set.len()).collect();
    // Ten equal time bins, counts of both polarities, 34 x 34 pixels as recorded.
    let recipe = Recipe { resize: None, ..Recipe::default() };
    let frames = EventFrames::<f32>::new(set, indices, recipe, false)?;
    let config = LoaderConfig { last_batch: LastBatch::Keep, ..LoaderConfig::default() };
    let loader = Loader::new(Arc::new(frames), config)?;

    let mut seconds = Vec::new();
    let (mut samples, mut events) = (0, 0.0);
    for epoch in 0..=epochs {
        (samples, events) = (0, 0.0);
        let begin = Instant::now();
        for batch in loader.epoch(epoch)? {
            let batch = batch?;
            samples += batch.valid();
            // Exact: a batch contains fewer than 2^24 events.
            events += f64::from(batch.inputs().sum());
        }
        // The first epoch brings the files into the cache.
        if epoch > 0 {
            seconds.push(begin.elapsed().as_secs_f64());
        }
    }
    println!("{{\"samples\": {samples}, \"events\": {events}, \"seconds\": {seconds:?}}}");
    Ok(())
}
