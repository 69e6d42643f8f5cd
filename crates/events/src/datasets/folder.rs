//! Any folder of recordings, with one subfolder per class in the folders of the parts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tks_data::manifest::{Classes, Kind, Manifest, SampleSize, Size, SplitRule, SplitScheme, Stated};
use tks_data::{Archive, ArchiveOptions, PassedFiles, Tally, split};

use super::layout;
use super::reader::RecordingReader;
use super::sample::{Found, Sample};
use super::set::{EventSet, SetOptions};
use crate::error::EventError;
use crate::formats::{self, Camera, Format, ReadOptions};
use crate::sensor::SensorSize;
use crate::stream::EventStream;

/// Options for opening a folder of recordings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FolderOptions {
    /// How its recordings are read: the size of the sensor if they do not state it, and whether reading is
    /// lenient ([`SetOptions::lenient`]).
    pub read: ReadOptions,
    /// How archives are opened.
    pub archive: ArchiveOptions,
}

impl EventSet {
    /// Opens the recordings in a folder (or archive) `path` that contains a folder for each part, in it one
    /// for each class, and in that, at any depth, recordings of any format: `<part>/<class>/<recording>`.
    ///
    /// The parts (`train`, `test`, `val`) are the folders of that level that contain recordings, with their
    /// names unchanged, and [`EventSet::parts`] returns them. The classes are the names of the folders below,
    /// of all parts together, compared byte by byte;
    /// [`SampleSet::missing_classes`](tks_data::SampleSet::missing_classes) lists those without recordings in
    /// a part. A recording is a file that has the extension of a format ([`Format::endings`]) or is
    /// recognised by its content; the other files are in
    /// [`SampleSet::passed_over`](tks_data::SampleSet::passed_over).
    ///
    /// Frames need a single sensor size: `read.sensor`, or that of `read.camera`, else the one stated in the
    /// first recording.
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use tks_data::Catalogue;
    /// use tks_events::SensorSize;
    /// use tks_events::datasets::{EventSet, FolderOptions};
    ///
    /// let mut options = FolderOptions::default();
    /// options.read.sensor = Some(SensorSize { width: 128, height: 128 });
    /// // gestures/train/wave/0001.npz, gestures/test/wave/0001.npz, ...
    /// let set = EventSet::open_folder(Path::new("gestures"), options)?;
    /// let train = &set.parts(None, &Catalogue::BuiltIn)?["train"];
    /// println!("{} recordings to train on, of {:?}", train.len(), set.manifest().classes.names());
    /// # Ok::<(), tks_events::EventError>(())
    /// ```
    ///
    /// # Errors
    /// [`EventError::Layout`] if there is no recording in the folder of a class, or if the size of the sensor
    /// is unknown; [`EventError::Data`] if a file cannot be read; [`EventError::File`] for the first
    /// recording, if it has to be read and cannot be. [`EventSet::read`] returns [`EventError::File`] for a
    /// recording that states a different sensor size from the first one.
    pub fn open_folder(path: &Path, options: FolderOptions) -> Result<EventSet, EventError> {
        let archive = Archive::open_with(path, &options.archive)?;
        let listing = list(&archive, None, &options.read)?;
        let given = options.read.sensor.or(options.read.camera.map(Camera::sensor));
        let (sensor, first) = match given {
            Some(sensor) => (sensor, None),
            None => {
                let (sample, _) = listing.first();
                (
                    stated_sensor(&archive, sample.entry, &options.read)?,
                    Some(archive.entry_path(sample.entry)),
                )
            }
        };
        let Listing { classes, found, passed_over } = listing;
        let manifest = manifest(path, sensor, classes, &found);
        let reader = RecordingReader::of_folder(sensor, &options.read);
        let options =
            SetOptions { lenient: options.read.lenient, archive: options.archive, ..SetOptions::default() };
        let mut set = EventSet::of_samples(manifest, archive, reader, found, passed_over, options);
        set.same_sensor_as = first;
        Ok(set)
    }
}

/// The contents of a folder, with at least one recording.
pub(super) struct Listing {
    pub(super) classes: Vec<String>,
    pub(super) found: Vec<Found>,
    pub(super) passed_over: Vec<PassedFiles>,
}

impl Listing {
    /// The first recording in the order of the set.
    fn first(&self) -> &Found {
        let first = self.found.iter().min_by(|(a, _), (b, _)| split::natural(&a.name, &b.name));
        first.unwrap_or(&self.found[0])
    }
}

/// Lists the recordings in folders of `classes`, or of all classes found.
pub(super) fn list(
    archive: &Archive,
    classes: Option<&[String]>,
    read: &ReadOptions,
) -> Result<Listing, EventError> {
    let (mut passed_over, mut placed) = (Tally::default(), Vec::new());
    let is_listed = |class: &str| classes.is_none_or(|known| known.iter().any(|name| name == class));
    let mut outside = None;
    for (entry, file) in archive.entries().iter().enumerate() {
        let name = file.name();
        if name.split('/').any(is_hidden) {
            passed_over.add("hidden file", false, || name.to_owned());
        } else if layout::is_frames(name) {
            passed_over.add("file of SpikingJelly's frames", false, || name.to_owned());
        } else {
            match (kind_of(archive, entry, read)?, place(name)) {
                (FileKind::Recording, Some((part, class))) if is_listed(class) => {
                    placed.push((entry, part, class));
                }
                (FileKind::Recording, _) => {
                    passed_over
                        .add("recording in a folder that is not a class or a part", true, || name.to_owned());
                    outside.get_or_insert(name);
                }
                (FileKind::Text, _) => {
                    passed_over.add("text that is no recording", false, || name.to_owned())
                }
                (FileKind::Other, place) => {
                    passed_over.add(
                        "file that is no recording of a format that is known",
                        place.is_some(),
                        || name.to_owned(),
                    );
                }
            }
        }
    }
    passed_over.add_skipped(archive.skipped());
    let passed_over = passed_over.finish();
    if placed.is_empty() {
        return Err(nothing(archive, outside, &passed_over));
    }
    let names = match classes {
        Some(classes) => classes.to_vec(),
        None => class_names(archive, &placed),
    };
    let number: BTreeMap<&str, usize> = names.iter().zip(0..).map(|(name, i)| (name.as_str(), i)).collect();
    let found = placed.iter().map(|&(entry, part, class)| {
        let name = archive.entries()[entry].name().to_owned();
        (Sample { name, class: number[class], entry, span: None, row: 0 }, Some(part.to_owned()))
    });
    Ok(Listing { found: found.collect(), classes: names, passed_over })
}

/// The part and the class of a file in `<part>/<class>/`.
fn place(name: &str) -> Option<(&str, &str)> {
    let mut names = name.split('/');
    let (part, class) = (names.next()?, names.next()?);
    names.next().map(|_| (part, class))
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// The folders of the classes, of all parts that contain a recording, including those without recordings.
fn class_names(archive: &Archive, placed: &[(usize, &str, &str)]) -> Vec<String> {
    let parts: BTreeSet<&str> = placed.iter().map(|(_, part, _)| *part).collect();
    let files = archive.entries().iter().filter_map(|file| place(file.name()));
    let empty = archive.empty_folders().filter_map(|folder| {
        let (part, below) = folder.split_once('/')?;
        Some((part, below.split('/').next()?))
    });
    let is_class = |(part, class): &(&str, &str)| parts.contains(part) && !is_hidden(class);
    let classes: BTreeSet<&str> = files.chain(empty).filter(is_class).map(|(_, class)| class).collect();
    classes.into_iter().map(str::to_owned).collect()
}

/// The kind of a file for a reader of recordings.
enum FileKind {
    Recording,
    Text,
    Other,
}

/// Number of bytes of a file used to determine whether it is a recording.
const HEAD: usize = 1 << 14;

/// Determined by the extension or, if no format has it, by the content.
fn kind_of(archive: &Archive, entry: usize, read: &ReadOptions) -> Result<FileKind, EventError> {
    let name = archive.entries()[entry].name();
    if Format::of_ending(Path::new(name)) {
        return Ok(FileKind::Recording);
    }
    let head = archive.head(entry, HEAD)?;
    Ok(if formats::is_surely_a_recording(&head, read) {
        FileKind::Recording
    } else if is_text(&head) {
        FileKind::Text
    } else {
        FileKind::Other
    })
}

/// Whether bytes are text, whose last character may be truncated.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    text.chars().all(|letter| !letter.is_control() || letter.is_ascii_whitespace())
}

/// The error for a folder without a recording in the folder of a class.
fn nothing(archive: &Archive, outside: Option<&str>, passed_over: &[PassedFiles]) -> EventError {
    let message = match outside {
        Some(recording) => format!(
            "no recording lies in a folder of its class in a folder of its part, `<part>/<class>/<recording>`, but \
             `{recording}` does not: put the folders of the classes into a folder `train` and a folder `test`"
        ),
        None => {
            let told: Vec<String> = passed_over.iter().take(3).map(ToString::to_string).collect();
            let told = if told.is_empty() { "it holds no file".into() } else { told.join(", ") };
            format!(
                "there is no recording ({told}): put those of each class into a folder of its name in a folder of \
                 their part, `<part>/<class>/<recording>`"
            )
        }
    };
    EventError::Layout { path: archive.path().to_path_buf(), message }
}

/// The sensor size stated in a recording.
fn stated_sensor(archive: &Archive, entry: usize, read: &ReadOptions) -> Result<SensorSize, EventError> {
    let path = archive.entry_path(entry);
    let mut memory = Vec::new();
    let bytes = archive.bytes_in(entry, &mut memory)?;
    let (_, stated) = formats::read_like(&path, bytes, read, EventStream::default(), None)?;
    stated.ok_or_else(|| EventError::Layout {
        path,
        message: "the recording does not state the size of its sensor, which frames need: give it (`sensor`; in a \
                  configuration `data.events.sensor = { width = ..., height = ... }`; `tks data check folder --sensor \
                  WxH`)"
            .into(),
    })
}

/// A manifest, like a publisher's, for a folder.
fn manifest(path: &Path, sensor: SensorSize, classes: Vec<String>, found: &[Found]) -> Manifest {
    let mut sizes = BTreeMap::<String, u64>::new();
    for part in found.iter().filter_map(|(_, part)| part.as_ref()) {
        *sizes.entry(part.clone()).or_default() += 1;
    }
    let unknown = || "unknown".to_owned();
    Manifest {
        version: 1,
        name: "folder".into(),
        title: format!("the recordings in {}", path.display()),
        kind: Kind::Events,
        layout: "folder".into(),
        size: SampleSize::Fixed(Size { width: sensor.width.into(), height: sensor.height.into() }),
        channels: 2,
        classes: Classes::Names(classes),
        splits: vec![SplitScheme {
            name: "folders".into(),
            rule: SplitRule::Official,
            parts: sizes.into_iter().map(|(part, size)| (part, Stated::Value(size))).collect(),
            note: None,
        }],
        files: Vec::new(),
        page: unknown(),
        licence: unknown(),
        citation: unknown(),
        note: None,
        mean: None,
        std: None,
    }
}
