//! Decodes event files to columns; timed together with the Python peers by `benches/peers/events/decode.py`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use tks_benches::median;
use tks_benches::process::cpu_time;
use tks_events::EventStream;
use tks_events::formats::{ReadOptions, read_into};

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
    /// Read each recording into the memory of the one before it, instead of into fresh memory.
    #[arg(long)]
    keep: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build_global()?;
    let files = files_of(&arguments.path)?;
    let (mut rates, mut spent, mut sums) = (Vec::new(), 0.0, [0i64; 5]);
    let mut used = EventStream::default();
    while spent < arguments.seconds || rates.len() < 3 {
        let (start, mut events) = (cpu_time(), 0);
        sums = [0; 5];
        let mut outside = 0.0;
        for file in &files {
            let stream = read_into(file, &ReadOptions::default(), std::mem::take(&mut used))?.stream;
            events += stream.len();
            // The time for the sums is not counted.
            let pause = cpu_time();
            let columns = stream.events();
            sums[0] += columns.len() as i64;
            sums[1] += columns.t.iter().sum::<i64>();
            sums[2] += columns.x.iter().map(|&x| i64::from(x)).sum::<i64>();
            sums[3] += columns.y.iter().map(|&y| i64::from(y)).sum::<i64>();
            sums[4] += columns.p.iter().map(|&p| i64::from(p)).sum::<i64>();
            outside += cpu_time() - pause;
            if arguments.keep {
                used = stream;
            }
        }
        let time = cpu_time() - start - outside;
        spent += time;
        rates.push(events as f64 / time / 1e6);
    }
    println!(
        "{}",
        serde_json::json!({
            "peer": "tks", "mevents_per_s": median(&rates), "runs": rates.len(), "sums": sums,
            "copy_gb_per_s": copy_bandwidth(true), "copy_fresh_gb_per_s": copy_bandwidth(false),
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

/// Bytes read and written by a memory copy that exceeds the caches, in GB per second of CPU time: repeatedly
/// into the same memory, or each time into memory obtained from and returned to the system, like a decoder's
/// columns.
fn copy_bandwidth(keep: bool) -> f64 {
    let from = vec![1u8; 256 << 20];
    let mut kept = vec![0u8; if keep { from.len() } else { 0 }];
    let rates: Vec<f64> = (0..5)
        .map(|_| {
            let start = cpu_time();
            let from = std::hint::black_box(&from);
            if keep {
                kept.copy_from_slice(from);
                std::hint::black_box(&mut kept);
            } else {
                drop(std::hint::black_box(fresh_copy(from)));
            }
            2.0 * from.len() as f64 / (cpu_time() - start) / 1e9
        })
        .collect();
    median(&rates)
}

/// A copy into freshly allocated memory, in huge pages if available.
fn fresh_copy(from: &[u8]) -> Vec<u8> {
    let mut to = Vec::<u8>::with_capacity(from.len());
    #[cfg(target_os = "linux")]
    {
        let spare = to.spare_capacity_mut();
        let start = spare.as_mut_ptr();
        let before = start.align_offset(4096);
        // SAFETY: whole pages of our own memory; the advice does not change their contents.
        unsafe {
            libc::madvise(
                start.add(before).cast(),
                (spare.len() - before) / 4096 * 4096,
                libc::MADV_HUGEPAGE,
            );
        }
    }
    to.extend_from_slice(from);
    to
}
