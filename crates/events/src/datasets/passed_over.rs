//! The files of a data set that are not samples: counted and named.

use std::collections::BTreeSet;

use tks_data::manifest::Manifest;
use tks_data::{Archive, PassedFiles, Tally};

use super::layout::{self, Layout};
use super::sample::Found;

/// The entries of an archive that are not samples, by kind.
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
            tally.add("file of SpikingJelly's frames", false, || name.to_owned());
        } else if layout.is_recording(name) {
            tally.add("recording in a folder that is not a class or a part of the data set", true, || {
                name.to_owned()
            });
        } else if layout.is_in_class(name, classes) {
            tally.add(
                "file in the folder of a class that is no recording of the data set's format",
                true,
                || name.to_owned(),
            );
        } else {
            tally.add("another file", false, || name.to_owned());
        }
    }
    let (mut names, mut copies) = (BTreeSet::new(), Vec::new());
    for (sample, _) in found {
        if !names.insert(&sample.name) {
            copies.push(archive.entries()[sample.entry].name());
        }
    }
    copies.into_iter().for_each(|name| tally.add("another copy of a recording", false, || name.to_owned()));
    tally.add_skipped(archive.skipped());
    tally.finish()
}
