//! A data set of recordings: found, listed, split, and read one by one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use tks_data::manifest::{Manifest, SplitRule};
use tks_data::split::{self, Parts};
use tks_data::{Archive, ArchiveOptions, Catalogue, PassedFiles, SampleSet};

use super::layout::Layout;
use super::orientation::Orientation;
use super::reader::RecordingReader;
use super::sample::{Found, Sample};
#[cfg(feature = "hdf5")]
use super::spikes;
use super::{folder, gesture, layout, passed_over};
use crate::error::EventError;
use crate::formats::{LeftOut, aedat3, read_aedat3_span};
use crate::recipe::Recipe;
use crate::sensor::SensorSize;
use crate::stream::EventStream;

/// Options for opening a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SetOptions {
    /// Whether parts must have the sizes stated in the manifest; if not, a partial download is accepted.
    pub strict: bool,
    /// Orientation in which the recordings are provided.
    pub orientation: Orientation,
    /// Whether faulty events, and everything after a fault that ends a recording, are left out and counted
    /// ([`EventSet::left_out`]); if not, a faulty recording is an error.
    pub lenient: bool,
    /// How archives are opened.
    pub archive: ArchiveOptions,
}

impl Default for SetOptions {
    fn default() -> Self {
        SetOptions {
            strict: true,
            orientation: Orientation::default(),
            lenient: false,
            archive: ArchiveOptions::default(),
        }
    }
}

/// Memory that is reused from one recording to the next.
#[derive(Debug, Default)]
pub struct ReadScratch {
    /// A recording that is no longer needed, for its memory.
    pub used: EventStream,
    bytes: Vec<u8>,
}

/// What lenient reading left out of the recordings read so far. A recording counts once, however often it is
/// read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SetLeftOut {
    /// Number of recordings with missing data.
    pub recordings: usize,
    /// Number of faulty events left out.
    pub events: u64,
    /// Number of recordings whose end could not be read.
    pub cut: usize,
    /// The first of these recordings, in the order of the set, and what was left out of it.
    pub first: Option<(String, LeftOut)>,
}

impl std::fmt::Display for SetLeftOut {
    /// One line, such as `3 of the recordings are faulty: 12 events left out, 1 recording cut; the first, ...`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = |count: u64, one: &str, more: &str| match count {
            1 => format!("1 {one}"),
            _ => format!("{count} {more}"),
        };
        write!(
            f,
            "{}: {} left out, {} cut",
            counted(self.recordings as u64, "recording is faulty", "recordings are faulty"),
            counted(self.events, "event", "events"),
            counted(self.cut as u64, "recording", "recordings"),
        )?;
        match &self.first {
            Some((name, left_out)) => write!(f, "; the first, {name}: {left_out}"),
            None => Ok(()),
        }
    }
}

/// A data set of recordings, in the natural order of their names.
#[derive(Debug)]
pub struct EventSet {
    manifest: Manifest,
    class_names: Vec<String>,
    archive: Archive,
    #[cfg(feature = "hdf5")]
    spikes: Vec<spikes::SpikeFile>,
    samples: Vec<Sample>,
    official: Parts,
    /// Indexes of times in files that contain many recordings, created when first read.
    indexes: BTreeMap<usize, OnceLock<aedat3::Index>>,
    reader: RecordingReader,
    options: SetOptions,
    /// The recording whose sensor all must have, if it is not given.
    pub(super) same_sensor_as: Option<PathBuf>,
    /// Files that are not samples.
    passed_over: Vec<PassedFiles>,
    /// What lenient reading left out of each recording.
    left_out: Mutex<BTreeMap<usize, LeftOut>>,
}

impl EventSet {
    /// Opens the data set of `manifest` at `path`: the downloaded archive, a folder that contains the
    /// archives, or one into which they are unpacked.
    ///
    /// # Errors
    /// [`EventError::Layout`] if no recording of the data set is found; [`EventError::Data`] if a file cannot
    /// be read; [`EventError::Table`] for an invalid line of a table.
    pub fn open(manifest: Manifest, path: &Path, options: SetOptions) -> Result<Self, EventError> {
        let reader = RecordingReader::new(&manifest, options.orientation, options.lenient)?;
        let layout = reader.layout();
        let mut archive = Archive::open_with(path, &options.archive)?;
        if matches!(layout, Layout::Heidelberg | Layout::NTidigits) {
            return EventSet::open_spikes(manifest, archive, reader, options);
        }
        if layout == Layout::Folder {
            let listing = folder::list(&archive, manifest.classes.names(), &reader.options(None))?;
            let folder::Listing { classes, found, passed_over } = listing;
            if classes.len() != manifest.classes.count() {
                return Err(EventError::Layout {
                    path: archive.path().to_path_buf(),
                    message: format!(
                        "there are {} folders of classes, but the manifest states {} classes: name them (`classes`)",
                        classes.len(),
                        manifest.classes.count()
                    ),
                });
            }
            return Ok(EventSet::of_samples(manifest, archive, reader, found, passed_over, options));
        }
        let mut found = list(layout, &archive, &manifest)?;
        // Archives beside unpacked files are not searched: they would contain the same recordings.
        for _ in 0..MAX_NESTING {
            if !found.is_empty() {
                break;
            }
            archive = archive.expanded(&options.archive)?;
            found = list(layout, &archive, &manifest)?;
        }
        if found.is_empty() {
            if let Some(frames) = archive.entries().iter().find(|entry| layout::is_frames(entry.name())) {
                return Err(EventError::Layout {
                    path: path.to_path_buf(),
                    message: format!(
                        "there are only frames that SpikingJelly made of recordings (`{}`), which are not read: name a \
                         folder that has its `events_np`, or the data set as downloaded; `slicing` makes frames of it",
                        frames.name()
                    ),
                });
            }
            let names: Vec<&str> = archive.entries().iter().take(3).map(|entry| entry.name()).collect();
            return Err(EventError::Layout {
                path: path.to_path_buf(),
                message: format!(
                    "none of its {} files ({}, ...) is a recording of {}; is it another data set, or is the \
                     path too deep? From {}",
                    archive.len(),
                    names.join(", "),
                    manifest.title,
                    manifest.page
                ),
            });
        }
        let passed_over = passed_over::count(&archive, layout, &manifest, &found);
        Ok(EventSet::of_samples(manifest, archive, reader, found, passed_over, options))
    }

    #[cfg(not(feature = "hdf5"))]
    fn open_spikes(
        manifest: Manifest,
        archive: Archive,
        _: RecordingReader,
        _: SetOptions,
    ) -> Result<Self, EventError> {
        Err(EventError::Layout {
            path: archive.path().to_path_buf(),
            message: format!(
                "{} is in HDF5; build tks-events with the feature `hdf5` to read it",
                manifest.title
            ),
        })
    }

    #[cfg(feature = "hdf5")]
    fn open_spikes(
        manifest: Manifest,
        mut archive: Archive,
        reader: RecordingReader,
        options: SetOptions,
    ) -> Result<Self, EventError> {
        if !spikes::is_there(&archive) {
            archive = archive.expanded(&options.archive)?;
        }
        let (files, found) = spikes::samples(reader.layout(), &archive, &manifest, &options.archive)?;
        let passed_over = passed_over::count(&archive, reader.layout(), &manifest, &found);
        let mut set = EventSet::of_samples(manifest, archive, reader, found, passed_over, options);
        set.spikes = files;
        Ok(set)
    }

    pub(super) fn of_samples(
        manifest: Manifest,
        archive: Archive,
        reader: RecordingReader,
        mut found: Vec<Found>,
        passed_over: Vec<PassedFiles>,
        options: SetOptions,
    ) -> Self {
        found.sort_by(|(a, _), (b, _)| split::natural(&a.name, &b.name));
        // Of two releases or copies of the same recordings side by side, one counts.
        found.dedup_by(|(later, _), (kept, _)| later.name == kept.name);
        let mut official = Parts::new();
        for (index, (_, part)) in found.iter().enumerate() {
            if let Some(part) = part {
                official.entry(part.clone()).or_default().push(index);
            }
        }
        let samples: Vec<Sample> = found.into_iter().map(|(sample, _)| sample).collect();
        let cut = samples.iter().filter(|sample| sample.span.is_some());
        let indexes = cut.map(|sample| (sample.entry, OnceLock::new())).collect();
        EventSet {
            class_names: manifest.classes.names_or_numbers(),
            manifest,
            archive,
            #[cfg(feature = "hdf5")]
            spikes: Vec::new(),
            samples,
            official,
            indexes,
            reader,
            options,
            same_sensor_as: None,
            passed_over,
            left_out: Mutex::default(),
        }
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Size of the sensor.
    pub fn sensor(&self) -> SensorSize {
        self.reader.sensor()
    }

    /// Name of a recording: the same in whatever form the data set is stored, and the one used in split
    /// files.
    pub fn name(&self, index: usize) -> &str {
        &self.samples[index].name
    }

    /// The parts of a split of the manifest; `None` selects the first split. Stored splits are taken from
    /// `catalogue`.
    ///
    /// # Errors
    /// [`EventError::Data`] for an unknown split, one that overlaps, or one with sizes that differ from the
    /// manifest.
    pub fn parts(&self, split: Option<&str>, catalogue: &Catalogue) -> Result<Parts, EventError> {
        let scheme = self.manifest.split(split)?;
        let strict = self.options.strict;
        if scheme.rule == SplitRule::Official {
            let mut parts: BTreeMap<_, _> = self.official.clone();
            for part in scheme.parts.keys() {
                parts.entry(part.clone()).or_default();
            }
            if strict {
                split::check_sizes(scheme, &parts)?;
            }
            return Ok(parts);
        }
        let names: Vec<&str> = self.samples.iter().map(|sample| sample.name.as_str()).collect();
        let labels: Vec<usize> = self.samples.iter().map(|sample| sample.class).collect();
        Ok(catalogue.parts(scheme, &names, &labels, strict)?)
    }

    /// The settings that determine how recordings become frames, for a cache's key.
    pub(super) fn setting(&self, recipe: &Recipe) -> serde_json::Value {
        let mut setting = serde_json::json!({
            "recipe": recipe, "orientation": self.options.orientation, "lenient": self.options.lenient
        });
        if self.reader.layout() == Layout::Folder {
            // For other sets, this is determined by the manifest and its version.
            setting["read"] = serde_json::json!(self.reader.options(None));
        }
        setting
    }

    /// The identity of these files, for a cache's key: names, sizes and modification time.
    pub(super) fn source(&self) -> String {
        let size = |sample: &Sample| self.archive.entries()[sample.entry].size();
        let total: u64 = self.samples.iter().map(size).sum();
        let hash = fingerprint(self.samples.iter().map(|sample| (sample.name.as_str(), size(sample))));
        let changed = std::fs::metadata(self.archive.path()).and_then(|metadata| metadata.modified()).ok();
        let changed = changed.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        format!("{} recordings, {total} bytes, {hash:016x}, {changed:?}", self.samples.len())
    }

    /// What lenient reading left out so far; empty without [`SetOptions::lenient`].
    pub fn left_out(&self) -> SetLeftOut {
        let all = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        SetLeftOut {
            recordings: all.len(),
            events: all.values().filter_map(|one| one.bad_events.as_ref()).map(|bad| bad.count).sum(),
            cut: all.values().filter(|one| one.lost.is_some()).count(),
            first: all.iter().next().map(|(&index, one)| (self.name(index).to_owned(), one.clone())),
        }
    }

    /// Reads a recording, ordered by time.
    ///
    /// # Errors
    /// [`EventError::File`] with the file and the position at which it is truncated, corrupt or from another
    /// sensor.
    pub fn read(&self, index: usize) -> Result<EventStream, EventError> {
        self.read_with(index, &mut ReadScratch::default())
    }

    /// [`EventSet::read`] with memory that is reused from one recording to the next.
    ///
    /// # Errors
    /// As [`EventSet::read`].
    pub fn read_with(&self, index: usize, scratch: &mut ReadScratch) -> Result<EventStream, EventError> {
        let sample = &self.samples[index];
        #[cfg(feature = "hdf5")]
        if let Some(file) = self.spikes.iter().find(|file| file.entry == sample.entry) {
            return file.read(sample, self.sensor());
        }
        let path = self.archive.entry_path(sample.entry);
        let used = std::mem::take(&mut scratch.used);
        let (stream, left_out) = match sample.span.zip(self.indexes.get(&sample.entry)) {
            Some((span, slot)) => {
                let index = match slot.get() {
                    Some(index) => index,
                    None => {
                        let whole = self.archive.bytes_in(sample.entry, &mut scratch.bytes)?;
                        slot.get_or_init(|| aedat3::Index::of(whole))
                    }
                };
                let range = index.range(span);
                let range = range.start as u64..range.end as u64;
                let bytes = self.archive.range_in(sample.entry, range, &mut scratch.bytes)?;
                let options = self.reader.options(None);
                let (stream, left_out) = read_aedat3_span(&path, bytes, index, span, &options, used)?;
                (self.reader.orient(&path, stream)?, left_out)
            }
            None => {
                let bytes = self.archive.bytes_in(sample.entry, &mut scratch.bytes)?;
                self.reader.read_own(&path, bytes, used, self.same_sensor_as.as_deref())?
            }
        };
        if left_out.is_faulty() {
            let mut all = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(index, left_out);
        }
        Ok(stream)
    }

    /// The reader of its recordings, to read others in the same way.
    pub fn reader(&self) -> RecordingReader {
        self.reader
    }
}

impl SampleSet for EventSet {
    fn set_name(&self) -> &str {
        &self.manifest.name
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn len(&self) -> usize {
        self.samples.len()
    }

    fn label(&self, index: usize) -> usize {
        self.samples[index].class
    }

    fn sample_name(&self, index: usize) -> String {
        self.name(index).to_owned()
    }

    /// The size of the file that contains it.
    fn sample_size(&self, index: usize) -> Option<u64> {
        Some(self.archive.entries().get(self.samples[index].entry)?.size())
    }

    fn passed_over(&self) -> &[PassedFiles] {
        &self.passed_over
    }
}

/// A mirror of ASL-DVS is a zip of the publisher's zip, which contains one zip per letter, within the
/// downloaded folder.
const MAX_NESTING: usize = 3;

fn list(layout: Layout, archive: &Archive, manifest: &Manifest) -> Result<Vec<Found>, EventError> {
    let classes = manifest.classes.names().unwrap_or_default();
    if layout == Layout::Dvs128Gesture && archive.find_ending("trials_to_train.txt").is_ok() {
        return gesture::samples(archive, classes.len());
    }
    let located = |(entry, file): (usize, &tks_data::archive::Entry)| {
        let layout::Located { part, class, name } = layout.locate(file.name(), classes)?;
        Some((Sample { name, class, entry, span: None, row: 0 }, part.map(str::to_owned)))
    };
    Ok(archive.entries().iter().enumerate().filter_map(located).collect())
}

/// A number that depends on all names, sizes and their order: 64-bit FNV-1a (Fowler, Noll and Vo).
fn fingerprint<'a>(files: impl IntoIterator<Item = (&'a str, u64)>) -> u64 {
    // 0xff, which does not occur in names, separates a name from the size after it
    let bytes = |(name, size): (&'a str, u64)| name.bytes().chain([0xff]).chain(size.to_le_bytes());
    files
        .into_iter()
        .flat_map(bytes)
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn files_of_other_names_sizes_or_order_have_another_fingerprint() {
        let mut seen = HashSet::from([fingerprint([]), fingerprint([("a", 1), ("b", 2)])]);
        assert!(seen.insert(fingerprint([("b", 2), ("a", 1)])), "another order");
        assert!(seen.insert(fingerprint([("a", 2), ("b", 1)])), "sizes exchanged");
        for byte in 0..128u8 {
            let name = format!("train/{}.bin", char::from(byte));
            assert!(seen.insert(fingerprint([(name.as_str(), 100)])), "{name:?}");
        }
        for size in (0..64).map(|bit| 1 << bit) {
            assert!(seen.insert(fingerprint([("train/0.bin", size), ("train/1.bin", 7)])), "{size}");
        }
    }
}
