//! Times epochs of the loader with 2 workers, including decoding, augmentation, normalisation and batching.
//! Prints JSON for `benches/peers/images/loader.py`.
//!
//! `cargo run --release -p tks-images --example image_epoch -- cifar10|folder PATH RECIPE [EPOCHS] [u8]`,
//! where RECIPE is a recipe in JSON; with `u8` the batches are not normalised.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tks_data::{LastBatch, Loader, LoaderConfig, SampleSet};
use tks_images::datasets::{OpenOptions, open, open_folder};
use tks_images::recipe::{Level, Recipe};
use tks_images::{ImageSamples, ImageSet};

const BATCH: usize = 128;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, path, recipe, rest @ ..] = arguments.as_slice() else {
        return Err("usage: image_epoch cifar10|folder PATH RECIPE [EPOCHS] [u8]".into());
    };
    let path = Path::new(path);
    let set = Arc::new(match kind.as_str() {
        "cifar10" => open("cifar10", path, "train", &OpenOptions::default())?,
        _ => open_folder(path, None, &OpenOptions::default())?,
    });
    let recipe: Recipe = serde_json::from_str(recipe)?;
    let epochs = rest.first().map_or(Ok(3), |number| number.parse())?;
    match rest.get(1).map(String::as_str) {
        Some("u8") => time::<u8>(set, recipe, epochs, f64::from),
        _ => time::<f32>(set, recipe, epochs, f64::from),
    }
}

fn time<E: Level>(
    set: Arc<ImageSet>,
    recipe: Recipe,
    epochs: u64,
    number: impl Fn(E) -> f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let indices = (0..set.len()).collect();
    let samples = ImageSamples::<E>::new(set, indices, recipe, true)?;
    let config = LoaderConfig { batch_size: BATCH, last_batch: LastBatch::Keep, ..LoaderConfig::default() };
    let loader = Loader::new(Arc::new(samples), config)?;
    let (mut seconds, mut images, mut sum) = (Vec::new(), 0, 0.0);
    for epoch in 0..=epochs {
        (images, sum) = (0, 0.0);
        let begin = Instant::now();
        for batch in loader.epoch(epoch)? {
            let batch = batch?;
            images += batch.valid();
            sum += batch.as_slice().iter().step_by(97).map(|&value| number(value)).sum::<f64>();
        }
        // the first epoch warms the file cache
        if epoch > 0 {
            seconds.push(begin.elapsed().as_secs_f64());
        }
    }
    println!("{{\"images\": {images}, \"sum\": {sum}, \"seconds\": {seconds:?}}}");
    Ok(())
}
