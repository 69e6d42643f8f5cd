//! From event files to frames; timed together with the Python peers by `benches/peers/events/frames.py`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use tks_benches::process::cpu_time;
use tks_events::formats::{self, ReadOptions};
use tks_events::frames::{Count, FramesMut};
use tks_events::represent::Representation;
use tks_events::slicing::Slicing;
use tks_events::{EventStream, SensorSize};

/// Decodes recordings and turns each into ten frames; prints one JSON line with the events per second of CPU
/// time.
#[derive(Parser)]
struct Arguments {
    /// Folder of the recordings, from `frames.py make`.
    #[arg(long)]
    dir: PathBuf,
    /// Which of its folders, or `memory`.
    #[arg(long)]
    workload: String,
    /// Where the frames go.
    #[arg(long)]
    way: Way,
    /// How long to measure, at least.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Way {
    /// `f32`, into a place that is used again, as a batch of the loader's is.
    Tks,
    /// `u8`, likewise.
    TksU8,
    /// `f32`, into a new array each time.
    TksNewArray,
}

const BINS: usize = 10;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.way {
        Way::TksU8 => measure::<u8>(&arguments),
        Way::Tks | Way::TksNewArray => measure::<f32>(&arguments),
    }
}

fn measure<E: Count>(arguments: &Arguments) -> Result<()> {
    let side = if arguments.workload == "nmnist" { 34 } else { 128 };
    let sensor = SensorSize { width: side, height: side };
    let options = ReadOptions { sensor: Some(sensor), ..ReadOptions::default() };
    let (files, in_memory) = if arguments.workload == "memory" {
        (Vec::new(), Some(synthetic(5_000_000, sensor)?))
    } else {
        (files_of(&arguments.dir.join(&arguments.workload))?, None)
    };
    let shape = Representation::default().shape(BINS, sensor);
    let mut out = vec![E::ZERO; shape.iter().product()];
    let (mut counted, mut events) = (0.0, 0);
    let mut each = |out: &mut Vec<E>, check: bool| -> Result<()> {
        let mut one = |stream: &EventStream| -> Result<()> {
            let sum = if arguments.way == Way::TksNewArray {
                let frames =
                    Representation::default().to_array(&stream.events(), &Slicing::time_bins(BINS))?;
                if check {
                    frames.iter().map(|&v| f64::from(v)).sum()
                } else {
                    f64::from(frames[[0, 0, 0, 0]])
                }
            } else {
                let slices = Slicing::time_bins(BINS).slices(&stream.events())?;
                let mut frames = FramesMut::contiguous(out, shape)?;
                Representation::default().write(&stream.events(), &slices, &mut frames)?;
                if check { out.iter().map(|v| f64::from(v.to_f32())).sum() } else { 0.0 }
            };
            if check {
                counted += sum;
                events += stream.len();
            }
            std::hint::black_box(sum);
            Ok(())
        };
        match &in_memory {
            Some(stream) => one(stream),
            None => files.iter().try_for_each(|path| one(&formats::read(path, &options)?.stream)),
        }
    };
    each(&mut out, true)?;
    let (mut times, begin) = (Vec::new(), Instant::now());
    while times.len() < 2 || begin.elapsed().as_secs_f64() < arguments.seconds {
        let start = cpu_time();
        each(&mut out, false)?;
        times.push(cpu_time() - start);
    }
    times.sort_by(f64::total_cmp);
    let way = arguments.way.to_possible_value().context("a way without a name")?;
    let rate = events as f64 / times[times.len() / 2] / 1e6;
    println!(
        "{}",
        serde_json::json!({
            "peer": way.get_name(),
            "workload": arguments.workload,
            "events": events,
            "counted": counted as u64,
            "mev_per_cpu_s": (rate * 100.0).round() / 100.0,
        })
    );
    Ok(())
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = std::fs::read_dir(folder).with_context(|| format!("no recordings in {}", folder.display()))?;
    let mut files = list.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    if files.is_empty() {
        bail!("no recordings in {}", folder.display());
    }
    Ok(files)
}

/// Random events, sorted by time.
fn synthetic(events: usize, sensor: SensorSize) -> Result<EventStream> {
    let mut state = 88_172_645_463_325_252u64;
    let mut column = |below: u16| -> Vec<u16> {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 16) % u64::from(below)) as u16
        };
        (0..events).map(|_| next()).collect()
    };
    let (x, y, p) = (column(sensor.width), column(sensor.height), column(2));
    let t = (0..events).map(|i| (i * 2 / 5) as i64).collect();
    Ok(EventStream::new(sensor, t, x, y, p.into_iter().map(|p| p as u8).collect())?)
}
