//! Measures the loader's own overhead: 50,000 samples of 3,072 bytes, the size of CIFAR-10's, that are only
//! copied.
//!
//! `cargo run --release -p tks-data --example loader_overhead`

use std::sync::Arc;
use std::time::Instant;

use tks_data::{BoxError, Dataset, Loader, LoaderConfig, SampleContext, SampleShape, SampleSlot};

struct Copied(Vec<u8>);

const LENGTH: usize = 3072;

impl Dataset for Copied {
    type Element = u8;

    fn len(&self) -> usize {
        self.0.len() / LENGTH
    }

    fn shape(&self) -> SampleShape {
        SampleShape::image(3, 32, 32)
    }

    fn classes(&self) -> usize {
        10
    }

    fn label(&self, index: usize) -> usize {
        index % 10
    }

    fn load(
        &self,
        index: usize,
        _: &mut SampleContext,
        mut slot: SampleSlot<'_, u8>,
    ) -> Result<(), BoxError> {
        slot.copy_from(&self.0[index * LENGTH..(index + 1) * LENGTH]);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dataset = Arc::new(Copied(vec![7; 50_000 * LENGTH]));
    for workers in [0, 1, 2, 4] {
        let config = LoaderConfig { batch_size: 128, workers, ..LoaderConfig::default() };
        let loader = Loader::new(Arc::clone(&dataset), config)?;
        let mut times: Vec<f64> = (0..9)
            .map(|epoch| {
                let begin = Instant::now();
                let samples: usize = loader.epoch(epoch)?.map(|batch| batch.map_or(0, |b| b.len())).sum();
                Ok(begin.elapsed().as_secs_f64() / samples as f64 * 1e9)
            })
            .collect::<Result<_, tks_data::DataError>>()?;
        times.sort_by(f64::total_cmp);
        println!("{workers} workers: {:.0} ns a sample (median of 9 epochs)", times[4]);
    }
    Ok(())
}
