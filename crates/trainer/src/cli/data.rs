//! `tks data`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use tks_data::Manifest;
use tks_data::fetch::{FetchOptions, FetchOutcome, FileState, fetch, verify};
use tks_data::manifest::{Kind, Stated};
use tks_events::SensorSize;

use super::recording::{self, ConvertArgs, InfoArgs};
use super::{ConfigArgs, print};
use crate::config::at_least_one;
use crate::data::{Data, FOLDER, registered};
use crate::data_check::{self, CheckReport};
use crate::datasets;
use crate::display::counted;
use crate::sheet::ContactSheet;

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// List the known data sets
    List(ListArgs),
    /// Download a data set's files to a folder, resuming interrupted downloads and verifying checksums
    Fetch(FetchArgs),
    /// Check a whole data set for missing, unreadable or mislabelled samples before a long training
    Check(CheckArgs),
    /// Show the contents of recordings: format, sensor, events, order, skipped and lost data
    Info(InfoArgs),
    /// Convert a recording to another format
    Convert(ConvertArgs),
    /// Draw samples as a network sees them, including augmentation, to a PNG file
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct FetchArgs {
    /// The data set's name
    name: String,
    /// The folder
    folder: PathBuf,
    /// A folder or http address with the files, used instead of the official one
    #[arg(long)]
    mirror: Option<String>,
    /// Also download optional files
    #[arg(long)]
    optional: bool,
    /// Maximum size in bytes of a file whose size is not stated in the manifest
    #[arg(long, value_name = "BYTES", default_value_t = FetchOptions::default().max_bytes)]
    max_bytes: u64,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The data set's name, or `folder` for any folder of images or recordings with one subfolder per class
    name: String,
    /// The folder or archive; left out: the copy that ships with the program
    path: Option<PathBuf>,
    /// The sensor's size, such as 346x260, for a folder of recordings that do not state it
    #[arg(long, value_name = "WxH", value_parser = recording::sensor)]
    sensor: Option<SensorSize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The PNG file
    #[arg(long, default_value = "samples.png", value_name = "FILE")]
    out: PathBuf,
    /// Number of samples to show
    #[arg(long, default_value_t = 16)]
    count: usize,
    /// Show samples of the test part, which are not augmented
    #[arg(long)]
    test: bool,
}

pub(super) fn run(command: &DataCommand) -> Result<ExitCode> {
    match command {
        DataCommand::List(args) => list(args)?,
        DataCommand::Fetch(args) => return fetch_files(args),
        DataCommand::Check(args) => return check(args),
        DataCommand::Info(args) => return recording::info(args),
        DataCommand::Convert(args) => return recording::convert(args),
        DataCommand::Show(args) => show(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(args: &ListArgs) -> Result<()> {
    let manifests = datasets::manifests()?;
    if args.json {
        print(&serde_json::to_string_pretty(&manifests)?)?;
        return Ok(());
    }
    let width = manifests.iter().map(|manifest| manifest.name.len()).max().unwrap_or(0);
    for manifest in &manifests {
        let kind = match manifest.kind {
            Kind::Events => "events",
            Kind::Images => "images",
        };
        let parts = manifest.splits.first().map_or_else(String::new, |split| {
            let part = |(name, count): (&String, &Stated<u64>)| {
                format!("{name} {}", count.known().map_or("?".into(), |count| count.to_string()))
            };
            split.parts.iter().map(part).collect::<Vec<_>>().join(", ")
        });
        let ships = if datasets::is_shipped(manifest) { "; ships" } else { "" };
        print(&format!(
            "{:width$}  {kind:8}  {:>4} classes  {} ({parts}{ships})",
            manifest.name,
            manifest.classes.count(),
            manifest.title
        ))?;
    }
    for name in registered() {
        print(&format!("{name:width$}  of this program"))?;
    }
    Ok(())
}

/// The manifest of a data set; one of this program has none.
fn manifest(name: &str) -> Result<Manifest> {
    anyhow::ensure!(
        !registered().any(|own| own == name),
        "`{name}` is a data set of this program, without a manifest: `tks data show` draws its samples"
    );
    datasets::manifest(name)
}

fn fetch_files(args: &FetchArgs) -> Result<ExitCode> {
    let manifest = manifest(&args.name)?;
    if datasets::is_shipped(&manifest) {
        print(&format!(
            "{} ships with the program: {}",
            manifest.name,
            datasets::default_path(&manifest)?.display()
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = FetchOptions {
        mirror: args.mirror.clone(),
        optional: args.optional,
        max_bytes: args.max_bytes,
        ..FetchOptions::default()
    };
    let style = ProgressStyle::with_template("{msg} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}");
    let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let fetched = fetch(&manifest, &args.folder, &options, &mut |progress| {
        bar.set_length(progress.total.unwrap_or(progress.done));
        bar.set_position(progress.done);
        bar.set_message(format!("{} {:?}", progress.file, progress.stage).to_lowercase());
    })?;
    bar.finish_and_clear();
    for file in &fetched {
        let how = match file.how {
            FetchOutcome::AlreadyThere => "was there",
            _ => "fetched",
        };
        print(&format!("{}: {how}", file.path.display()))?;
    }
    let mut bad = false;
    for (file, state) in verify(&manifest, &args.folder)? {
        bad |= !matches!(state, FileState::Good | FileState::Unchecked);
        print(&format!("{file}: {state}"))?;
    }
    print(&format!("licence: {}; please cite: {}", manifest.licence, manifest.citation))?;
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn check(args: &CheckArgs) -> Result<ExitCode> {
    let manifest = match args.name.as_str() {
        FOLDER => None,
        name => Some(manifest(name)?),
    };
    anyhow::ensure!(
        args.sensor.is_none() || manifest.is_none(),
        "`--sensor` is for `tks data check folder`: the sensor of `{}` is known, leave it out",
        args.name
    );
    let path = match (&args.path, &manifest) {
        (Some(path), _) => path.clone(),
        (None, Some(manifest)) => datasets::default_path(manifest)?,
        (None, None) => anyhow::bail!("give the folder: `tks data check folder FOLDER`"),
    };
    let checked = data_check::check(manifest.as_ref(), &path, args.sensor)?;
    if args.json {
        print(&checked.json()?)?
    } else {
        print(&checked.to_string())?
    }
    Ok(if CheckReport::is_sound(&checked) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Maximum number of samples in an image.
const MAX_SHOWN: usize = 1000;

fn show(args: &ShowArgs) -> Result<()> {
    at_least_one("--count", args.count, MAX_SHOWN)?;
    let config = args.config.read()?;
    let data = Data::open(&config)?;
    let samples = if args.test { &data.test } else { data.train.dataset() };
    let sheet = ContactSheet::of_samples(samples, args.count, config.seed)?;
    sheet.write(&args.out).with_context(|| format!("cannot draw {}", args.out.display()))?;
    print(&format!(
        "{}: {} of {}",
        args.out.display(),
        counted(args.count.min(samples.len()), "sample"),
        data.task.data
    ))?;
    Ok(())
}
