//! Says what is in recordings of any format, and converts them.
//!
//! `cargo run --release -p tks-events --example convert -- RECORDING... [--to npz --output FOLDER] [--lenient]`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tks_events::EventError;
use tks_events::formats::{Format, ReadOptions, read, write};

const USAGE: &str = "usage: convert RECORDING... [--to atis|evt2|evt3|npz|text --output FOLDER] [--lenient]

Prints what each recording holds, whatever its format. With --to, writes it to FOLDER in that format.

  --to FORMAT       atis (.bin), evt2 or evt3 (.raw), npz or text (.csv)
  --output FOLDER   where converted recordings go
  --lenient         keep what is good before a fault, and say what was lost";

struct Arguments {
    recordings: Vec<PathBuf>,
    to: Option<(Format, &'static str)>,
    output: Option<PathBuf>,
    lenient: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut found = Arguments { recordings: Vec::new(), to: None, output: None, lenient: false };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--to" => {
                found.to = Some(match value()?.as_str() {
                    "atis" => (Format::Atis, "bin"),
                    "evt2" => (Format::Evt2, "raw"),
                    "evt3" => (Format::Evt3, "raw"),
                    "npz" => (Format::Npz, "npz"),
                    "text" => (Format::Text, "csv"),
                    other => {
                        return Err(format!("`{other}` cannot be written: atis, evt2, evt3, npz or text"));
                    }
                });
            }
            "--output" => found.output = Some(value()?.into()),
            "--lenient" => found.lenient = true,
            "--help" | "-h" => return Err(USAGE.into()),
            flag if flag.starts_with("--") => return Err(format!("unknown option {flag}\n{USAGE}")),
            path => found.recordings.push(path.into()),
        }
    }
    if found.recordings.is_empty() || found.to.is_some() != found.output.is_some() {
        return Err(USAGE.into());
    }
    Ok(found)
}

fn one(path: &Path, arguments: &Arguments) -> Result<(), EventError> {
    let options = ReadOptions { lenient: arguments.lenient, ..ReadOptions::default() };
    let reading = read(path, &options)?;
    let (stream, events) = (&reading.stream, reading.stream.events());
    let brighter: u64 = events.p.iter().map(|&p| u64::from(p)).sum();
    println!(
        "{}: {}, {} events in {:.3} s on {} x {} pixels, {:.1}% brighter{}",
        path.display(),
        reading.format.title(),
        stream.len(),
        stream.duration_us() as f64 / 1e6,
        stream.sensor().width,
        stream.sensor().height,
        100.0 * brighter as f64 / stream.len().max(1) as f64,
        if events.require_sorted().is_ok() { "" } else { ", not in order of time" },
    );
    if !reading.left_out.is_empty() {
        println!("  {}", reading.left_out);
    }
    if let (Some((format, extension)), Some(folder)) = (arguments.to, &arguments.output) {
        let name = path.file_stem().map(Path::new).unwrap_or(path);
        let target = folder.join(name).with_extension(extension);
        write(&target, events, format)?;
        println!("  written to {}", target.display());
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let mut code = ExitCode::SUCCESS;
    for path in &arguments.recordings {
        if let Err(error) = one(path, &arguments) {
            eprintln!("{error}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
