//! `tks data info` and `tks data convert`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tks_events::formats::{Camera, Format, LeftOut, ReadOptions, Reading, read, write};
use tks_events::{Events, SensorSize};

use crate::message::told;
use crate::output::{eprint, print};

/// Options for reading recordings.
#[derive(Debug, Clone, Args)]
struct ReadArgs {
    /// Drop and count faulty events instead of failing at the first
    #[arg(long)]
    lenient: bool,
    /// The sensor's size, such as 346x260, if a recording does not state it or is wrong
    #[arg(long, value_name = "WxH", value_parser = sensor)]
    sensor: Option<SensorSize>,
    /// The camera, such as dvs128 or davis346, if an AEDAT 1.0 or 2.0 file does not state it
    #[arg(long, value_name = "NAME")]
    camera: Option<Camera>,
    /// The columns of a text, such as `x,y,t,p`; `_` is a column to skip
    #[arg(long, value_name = "NAMES")]
    columns: Option<String>,
    /// The format, if the content does not determine it
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<Format>,
}

impl ReadArgs {
    fn options(&self) -> Result<ReadOptions> {
        let mut options = ReadOptions {
            format: self.format,
            sensor: self.sensor,
            camera: self.camera,
            lenient: self.lenient,
            ..ReadOptions::default()
        };
        if let Some(columns) = &self.columns {
            options.columns = columns.parse()?;
        }
        Ok(options)
    }
}

fn format(text: &str) -> Result<Format, String> {
    serde_json::from_value(text.into()).map_err(|_| {
        let names: Vec<String> =
            Format::ALL.iter().filter_map(|format| serde_json::to_string(format).ok()).collect();
        format!("not a format that is read: one of {}", names.join(", ").replace('"', ""))
    })
}

pub(super) fn sensor(text: &str) -> Result<SensorSize, String> {
    let sides = text.split_once(['x', 'X']).and_then(|(width, height)| {
        Some(SensorSize { width: width.trim().parse().ok()?, height: height.trim().parse().ok()? })
    });
    match sides {
        Some(size) if size.width > 0 && size.height > 0 => Ok(size),
        _ => Err("give width and height in pixels, such as 346x260; each from 1 to 65535".into()),
    }
}

#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    /// The recordings
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
    /// Print JSON, one object per file
    #[arg(long)]
    json: bool,
}

/// Information on a recording. As JSON, its fields are an interface for scripts.
#[derive(Debug, Serialize)]
struct Info<'a> {
    file: &'a Path,
    format: Format,
    /// Width and height in pixels.
    sensor: [u16; 2],
    events: usize,
    /// The first and the last event in the order of the file: time in us, column, row, polarity.
    first: Option<(i64, u16, u16, u8)>,
    last: Option<(i64, u16, u16, u8)>,
    duration_us: i64,
    /// Share of ON (brighter) events, 0 to 1.
    brighter: f64,
    /// Whether the events are ordered by time.
    in_order: bool,
    /// SHA-256 of the lines `t x y p\n`, for comparison with any decoder.
    sha256: String,
    /// Number of faulty events that were dropped.
    left_out: u64,
    /// Details on them, on other skipped data, and on data lost at the end.
    #[serde(flatten)]
    details: &'a LeftOut,
}

impl<'a> Info<'a> {
    fn new(file: &'a Path, reading: &'a Reading) -> Info<'a> {
        let (stream, events) = (&reading.stream, reading.stream.events());
        let event = |i: usize| (events.t[i], events.x[i], events.y[i], events.p[i]);
        let brighter: usize = events.p.iter().map(|&p| usize::from(p)).sum();
        Info {
            file,
            format: reading.format,
            sensor: [stream.sensor().width, stream.sensor().height],
            events: stream.len(),
            first: (!stream.is_empty()).then(|| event(0)),
            last: stream.len().checked_sub(1).map(event),
            duration_us: stream.duration_us(),
            brighter: brighter as f64 / stream.len().max(1) as f64,
            in_order: events.require_sorted().is_ok(),
            sha256: sha256(events),
            left_out: reading.left_out.bad_events.as_ref().map_or(0, |bad| bad.count),
            details: &reading.left_out,
        }
    }

    fn line(&self) -> String {
        let mut text = format!(
            "{}: {}, {} events in {:.6} s on {} x {} pixels, {:.1}% brighter{}",
            self.file.display(),
            self.format.title(),
            self.events,
            self.duration_us as f64 / 1e6,
            self.sensor[0],
            self.sensor[1],
            100.0 * self.brighter,
            if self.in_order { ", in order of time" } else { ", not in order of time" },
        );
        if let (Some(first), Some(last)) = (self.first, self.last) {
            for (name, (t, x, y, p)) in [("first", first), ("last", last)] {
                let _ = write!(text, "\n  {name} event: t = {t} us, x = {x}, y = {y}, p = {p}");
            }
        }
        if !self.details.is_empty() {
            let _ = write!(text, "\n  {}", self.details);
        }
        text
    }
}

/// The SHA-256 of the events as lines `t x y p\n`, in the order of the file.
fn sha256(events: Events<'_>) -> String {
    let (mut digest, mut lines) = (Sha256::new(), String::new());
    for i in 0..events.len() {
        let _ = writeln!(lines, "{} {} {} {}", events.t[i], events.x[i], events.y[i], events.p[i]);
        // Hashed in pieces, so that the lines of a long recording are never all in memory.
        if lines.len() >= 1 << 16 {
            digest.update(&lines);
            lines.clear();
        }
    }
    digest.update(&lines);
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn info(args: &InfoArgs) -> Result<ExitCode> {
    let options = args.read.options()?;
    let mut code = ExitCode::SUCCESS;
    for file in &args.files {
        // A file that cannot be read does not prevent the others from being shown.
        match read(file, &options) {
            Ok(reading) => {
                let info = Info::new(file, &reading);
                print(&if args.json { serde_json::to_string(&info)? } else { info.line() })?;
            }
            Err(error) => {
                eprint(&format!("error: {}", told(&error.into())))?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// A format that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Written {
    /// ATIS `.bin`, as in N-MNIST
    Atis,
    /// Prophesee RAW, EVT 2.0
    Evt2,
    /// Prophesee RAW, EVT 3.0
    Evt3,
    /// NumPy archive of the arrays t, x, y and p
    Npz,
    /// Lines `t x y p` after a line of column names
    Text,
}

impl Written {
    /// The format for a file extension.
    fn by_name(path: &Path) -> Result<Written> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        Ok(match ending.as_str() {
            "bin" => Written::Atis,
            "raw" => Written::Evt3,
            "npz" => Written::Npz,
            "csv" | "txt" => Written::Text,
            _ => anyhow::bail!(
                "{}: the ending tells no format that can be written (.bin: ATIS, .raw: EVT 3.0, .npz, .csv, .txt); \
                 name it by --to",
                path.display()
            ),
        })
    }

    fn format(self) -> Format {
        match self {
            Written::Atis => Format::Atis,
            Written::Evt2 => Format::Evt2,
            Written::Evt3 => Format::Evt3,
            Written::Npz => Format::Npz,
            Written::Text => Format::Text,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ConvertArgs {
    /// The recording, in any supported format
    input: PathBuf,
    /// The file to write; its extension selects the format: .bin (ATIS), .raw (EVT 3.0), .npz, .csv or .txt
    output: PathBuf,
    /// The format to write, regardless of the extension
    #[arg(long, value_enum)]
    to: Option<Written>,
    /// Overwrite an existing file
    #[arg(long)]
    overwrite: bool,
    /// Sort the events by time
    #[arg(long)]
    sort: bool,
    #[command(flatten)]
    read: ReadArgs,
    /// Print only errors
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn convert(args: &ConvertArgs) -> Result<ExitCode> {
    let target = match args.to {
        Some(format) => format,
        None => Written::by_name(&args.output)?,
    };
    if args.output.exists() && !args.overwrite {
        anyhow::bail!("{} is there already; --overwrite replaces it", args.output.display());
    }
    let mut reading = read(&args.input, &args.read.options()?)?;
    if args.sort {
        reading.stream.sort();
    }
    let written = write(&args.output, reading.stream.events(), target.format());
    written.map_err(|error| {
        let text = told(&error.into());
        let text = text.replace("sort the recording", "sort the recording (`--sort`)");
        anyhow::anyhow!("cannot write {}: {text}", args.output.display())
    })?;
    if !args.quiet {
        let info = Info::new(&args.input, &reading);
        print(&format!(
            "{}\nwritten to {} as {}",
            info.line(),
            args.output.display(),
            target.format().title()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
