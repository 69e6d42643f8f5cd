//! Event files to columns, timed beside the Python peers by `benches/peers/events/decode.py`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use tks_benches::median;
use tks_benches::process::cpu_time;
use tks_events::formats::{ReadOptions, read};

/// Decodes a file, or every file of a folder, again and again; prints one JSON line with the events per second of
/// CPU time, and the sums of the columns to be compared.
#[derive(Parser)]
struct Arguments {
    /// The file or folder.
    path: PathBuf,
    /// Seconds of CPU time to measure, at least.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Threads of the decoders.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build_global()?;
    let files = files_of(&arguments.path)?;
    let (mut rates, mut spent, mut sums) = (Vec::new(), 0.0, [0i64; 5]);
    while spent < arguments.seconds || rates.len() < 3 {
        let (start, mut events) = (cpu_time(), 0);
        sums = [0; 5];
        let mut outside = 0.0;
        for file in &files {
            let stream = read(file, &ReadOptions::default())?.stream;
            events += stream.len();
            // Summing is not decoding.
            let pause = cpu_time();
            let columns = stream.events();
            sums[0] += columns.len() as i64;
            sums[1] += columns.t.iter().sum::<i64>();
            sums[2] += columns.x.iter().map(|&x| i64::from(x)).sum::<i64>();
            sums[3] += columns.y.iter().map(|&y| i64::from(y)).sum::<i64>();
            sums[4] += columns.p.iter().map(|&p| i64::from(p)).sum::<i64>();
            outside += cpu_time() - pause;
        }
        let time = cpu_time() - start - outside;
        spent += time;
        rates.push(events as f64 / time / 1e6);
    }
    println!(
        "{}",
        serde_json::json!({
            "peer": "tks", "mevents_per_s": median(&rates), "runs": rates.len(), "sums": sums,
            "copy_gb_per_s": copy_bandwidth(),
        })
    );
    Ok(())
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("{}", path.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// Bytes read and written by a copy of memory that no cache holds, in GB per second of CPU time.
fn copy_bandwidth() -> f64 {
    let from = vec![1u8; 256 << 20];
    let mut to = vec![0u8; from.len()];
    let rates: Vec<f64> = (0..5)
        .map(|_| {
            let start = cpu_time();
            to.copy_from_slice(std::hint::black_box(&from));
            std::hint::black_box(&mut to);
            2.0 * from.len() as f64 / (cpu_time() - start) / 1e9
        })
        .collect();
    median(&rates)
}
