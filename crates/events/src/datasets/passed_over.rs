//! The files of a data set that are no samples: counted and named.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tks_data::Archive;
use tks_data::archive::SkipReason;
use tks_data::manifest::Manifest;

use super::layout::{self, Layout};
use super::sample::Found;

/// Files of one kind that are no samples of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedFiles {
    /// What they are, in the singular: "a link to nothing".
    pub what: String,
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub first: String,
    /// Whether samples may be lost by it: files of the system and tables are none.
    pub is_lost: bool,
}

impl std::fmt::Display for PassedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.count {
            1 => write!(f, "{} (`{}`)", self.what, self.first),
            count => write!(f, "{count} x {} (the first is `{}`)", self.what, self.first),
        }
    }
}

/// Counts files by what they are.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<&'static str, PassedFiles>);

impl Tally {
    /// Counts one more.
    pub(super) fn add(&mut self, what: &'static str, name: &str, is_lost: bool) {
        let kind = self.0.entry(what).or_insert_with(|| PassedFiles {
            what: what.to_owned(),
            count: 0,
            first: name.to_owned(),
            is_lost,
        });
        kind.count += 1;
    }

    /// What was counted, and what the archive itself passes over.
    pub(super) fn finish(mut self, archive: &Archive) -> Vec<PassedFiles> {
        for skipped in archive.skipped() {
            let is_lost = matches!(skipped.reason, SkipReason::DanglingLink | SkipReason::Link);
            self.add(skipped.reason.text(), &skipped.name, is_lost);
        }
        self.0.into_values().collect()
    }
}

/// What of an archive is no sample, by kind.
pub(super) fn count(
    archive: &Archive,
    layout: Layout,
    manifest: &Manifest,
    found: &[Found],
) -> Vec<PassedFiles> {
    let classes = manifest.classes.names().unwrap_or_default();
    let mut tally = Tally::default();
    let used: BTreeSet<usize> = found.iter().map(|(sample, _)| sample.entry).collect();
    for (_, entry) in archive.entries().iter().enumerate().filter(|(index, _)| !used.contains(index)) {
        let name = entry.name();
        if layout::is_frames(name) {
            tally.add("a file of SpikingJelly's frames", name, false);
        } else if layout.is_recording(name) {
            tally.add("a recording in a folder that is not a class or a part of the data set", name, true);
        } else if layout.is_in_class(name, classes) {
            tally.add(
                "a file in the folder of a class that is no recording of the data set's format",
                name,
                true,
            );
        } else {
            tally.add("another file", name, false);
        }
    }
    let (mut names, mut copies) = (BTreeSet::new(), Vec::new());
    for (sample, _) in found {
        if !names.insert(&sample.name) {
            copies.push(archive.entries()[sample.entry].name());
        }
    }
    copies.into_iter().for_each(|name| tally.add("another copy of a recording", name, false));
    tally.finish(archive)
}
