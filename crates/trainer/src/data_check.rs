//! Check of a data set before a long training.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Result, ensure};
use rayon::prelude::*;
use serde::Serialize;
use tks_data::manifest::Kind;
use tks_data::{Manifest, PassedFiles, SampleSet};
use tks_events::SensorSize;
use tks_events::datasets::{EventSet, FolderOptions, SetOptions};
use tks_events::formats::ReadOptions;
use tks_images::datasets::{CheckOptions, CheckReport as ImageReport, ProblemKind};

use crate::datasets;
use crate::message::with_own_keys;

/// Maximum length of any list.
const LISTED: usize = 20;

/// The results of a check.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CheckReport {
    /// For images.
    Images(ImageReport),
    /// For recordings.
    Events(EventReport),
}

/// The results of a check of recordings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct EventReport {
    /// The data set.
    pub dataset: String,
    /// Number of recordings found.
    pub recordings: usize,
    /// Total number of events that could be read.
    pub events: u64,
    /// Number of recordings of each class, in the order of the classes.
    pub classes: Vec<(String, usize)>,
    /// Number of recordings in each part of the default split.
    pub parts: BTreeMap<String, usize>,
    /// Why the split does not match the manifest, if so.
    pub split_problem: Option<String>,
    /// Recordings that cannot be read, with the reason.
    pub unreadable: Vec<(String, String)>,
    /// Recordings without events.
    pub empty: Vec<String>,
    /// Classes without recordings in a part: the part and the class.
    pub missing_classes: Vec<(String, String)>,
    /// Files that are not recordings.
    pub passed_over: Vec<PassedFiles>,
}

/// Checks a data set by decoding every image or reading every recording.
///
/// # Errors
/// No data of this data set are present.
pub(crate) fn check(
    manifest: Option<&Manifest>,
    path: &Path,
    sensor: Option<SensorSize>,
) -> Result<CheckReport> {
    match manifest {
        Some(manifest) if manifest.kind == Kind::Events => {
            Ok(CheckReport::Events(check_events(manifest, path)?))
        }
        Some(manifest) => Ok(CheckReport::Images(tks_images::datasets::check(
            &manifest.name,
            path,
            &CheckOptions::default(),
        )?)),
        None => check_folder(path, sensor),
    }
}

/// Checks a folder of images, or else of recordings.
fn check_folder(path: &Path, sensor: Option<SensorSize>) -> Result<CheckReport> {
    let images = tks_images::datasets::check_folder(path, &[], &CheckOptions::default());
    if images.as_ref().is_ok_and(|report| report.parts.iter().any(|part| part.images > 0)) {
        ensure!(
            sensor.is_none(),
            "`--sensor` is for recordings, but {} holds images: leave it out",
            path.display()
        );
        return Ok(CheckReport::Images(images?));
    }
    let open = |sensor| {
        let read = ReadOptions { sensor, ..ReadOptions::default() };
        EventSet::open_folder(path, FolderOptions { read, ..FolderOptions::default() })
    };
    match open(sensor) {
        Ok(set) => Ok(CheckReport::Events(walk(&set, None)?)),
        // With any size at hand it opens: there are recordings, so the error is about them.
        Err(error) if open(Some(SensorSize { width: 1, height: 1 })).is_ok() => Err(error.into()),
        Err(_) => Ok(CheckReport::Images(images?)),
    }
}

fn check_events(manifest: &Manifest, path: &Path) -> Result<EventReport> {
    let options = SetOptions { strict: false, ..SetOptions::default() };
    let set = EventSet::open(manifest.clone(), path, options)?;
    let strict = EventSet::open(manifest.clone(), path, SetOptions::default())?;
    let split_problem = strict.parts(None, &datasets::catalogue()).err();
    walk(&set, split_problem.map(|error| error.to_string()))
}

/// Reads every recording.
fn walk(set: &EventSet, split_problem: Option<String>) -> Result<EventReport> {
    let parts = set.parts(None, &datasets::catalogue())?;
    let names = set.class_names().to_vec();
    let missing = parts.iter().flat_map(|(part, members)| {
        let name = |class: usize| (part.clone(), names[class].clone());
        set.missing_classes(members).into_iter().map(name)
    });
    let missing_classes = missing.collect();
    let read = (0..set.len()).into_par_iter().map(|index| match set.read(index) {
        Ok(stream) => Ok(stream.len() as u64),
        Err(error) => Err((set.name(index).to_string(), with_own_keys(&error.to_string()))),
    });
    let read: Vec<_> = read.collect();
    let empty = read.iter().enumerate().filter(|(_, events)| **events == Ok(0));
    Ok(EventReport {
        dataset: set.manifest().name.clone(),
        recordings: set.len(),
        events: read.iter().flatten().sum(),
        missing_classes,
        passed_over: set.passed_over().to_vec(),
        classes: names.into_iter().zip(set.per_class()).collect(),
        parts: parts.iter().map(|(name, members)| (name.clone(), members.len())).collect(),
        split_problem,
        empty: empty.map(|(index, _)| set.name(index).to_string()).collect(),
        unreadable: read.into_iter().filter_map(Result::err).collect(),
    })
}

impl CheckReport {
    /// Whether nothing was found that prevents the data set from being used as intended by its publisher.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            CheckReport::Images(report) => report.is_sound(),
            CheckReport::Events(report) => {
                report.unreadable.is_empty()
                    && report.empty.is_empty()
                    && report.split_problem.is_none()
                    && report.missing_classes.is_empty()
                    && !report.passed_over.iter().any(|files| files.is_lost)
            }
        }
    }

    /// As JSON.
    ///
    /// # Errors
    /// None currently.
    pub(crate) fn json(&self) -> Result<String> {
        Ok(match self {
            CheckReport::Images(report) => serde_json::to_string_pretty(report)?,
            CheckReport::Events(report) => serde_json::to_string_pretty(report)?,
        })
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckReport::Images(report) => write_images(report, formatter)?,
            CheckReport::Events(report) => write_events(report, formatter)?,
        }
        write!(formatter, "{}", if self.is_sound() { "sound" } else { "not sound" })
    }
}

fn write_classes<'a>(
    formatter: &mut fmt::Formatter<'_>,
    classes: impl ExactSizeIterator<Item = (&'a str, u64)>,
) -> fmt::Result {
    let all = classes.len();
    for (class, count) in classes.take(LISTED) {
        writeln!(formatter, "  {count:>7}  {class}")?;
    }
    if all > LISTED {
        writeln!(formatter, "           ... {all} classes in all")?;
    }
    Ok(())
}

fn write_images(report: &ImageReport, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(formatter, "{} in {}", report.dataset, report.root.display())?;
    for part in &report.parts {
        let expected = part.expected.map_or("not stated".to_string(), |count| count.to_string());
        let noun = if part.images == 1 { "image" } else { "images" };
        writeln!(formatter, "{}: {} {noun} (expected: {expected})", part.part, part.images)?;
        if let Some(failure) = &part.failure {
            writeln!(formatter, "  {failure}")?;
        }
        write_classes(formatter, part.classes.iter().map(|class| (class.class.as_str(), class.images)))?;
        for left_out in &part.left_out {
            writeln!(formatter, "  passed over: {left_out}")?;
        }
        let told = part.problems.iter().filter(|problem| problem.kind != ProblemKind::LeftOut);
        for problem in told.take(LISTED) {
            if problem.message.starts_with(&problem.entry) {
                writeln!(formatter, "  {}: {}", problem.kind, problem.message)?
            } else {
                writeln!(formatter, "  {}: {}: {}", problem.kind, problem.entry, problem.message)?
            }
        }
        let listed =
            |kind: &ProblemKind| part.problems.iter().filter(|problem| problem.kind == *kind).count() as u64;
        for (kind, count) in
            part.counts.iter().filter(|(kind, count)| **count > listed(kind).min(LISTED as u64))
        {
            writeln!(formatter, "  ... {count} x {kind} in all")?;
        }
    }
    for note in &report.notes {
        writeln!(formatter, "{note}")?;
    }
    Ok(())
}

fn write_events(report: &EventReport, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(formatter, "{}: {} recordings, {} events", report.dataset, report.recordings, report.events)?;
    write_classes(formatter, report.classes.iter().map(|(class, count)| (class.as_str(), *count as u64)))?;
    for (part, count) in &report.parts {
        writeln!(formatter, "{part}: {count} recordings")?;
    }
    if let Some(problem) = &report.split_problem {
        writeln!(formatter, "split: {problem}")?;
    }
    for (part, class) in report.missing_classes.iter().take(LISTED) {
        writeln!(formatter, "missing class: `{part}` has no recording of `{class}`")?;
    }
    if report.missing_classes.len() > LISTED {
        writeln!(formatter, "... {} missing classes in all", report.missing_classes.len())?;
    }
    for files in &report.passed_over {
        writeln!(formatter, "passed over: {files}")?;
    }
    for (name, reason) in report.unreadable.iter().take(LISTED) {
        if reason.contains(name.as_str()) {
            writeln!(formatter, "unreadable: {reason}")?
        } else {
            writeln!(formatter, "unreadable: {name}: {reason}")?
        }
    }
    if report.unreadable.len() > LISTED {
        writeln!(formatter, "... {} unreadable in all", report.unreadable.len())?;
    }
    for name in report.empty.iter().take(LISTED) {
        writeln!(formatter, "without an event: {name}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_is_sound() {
        for name in ["nmnist-1000", "digits"] {
            let manifest = datasets::manifest(name).unwrap();
            let path = datasets::default_path(&manifest).unwrap();
            let checked = check(Some(&manifest), &path, None).unwrap();
            assert!(checked.is_sound(), "{checked}");
        }
    }
}
