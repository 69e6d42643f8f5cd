//! The file layouts of the data sets: from a file name to the part, class and name of the sample.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::columns::Event;
use crate::formats::{Camera, Format};
use crate::sensor::SensorSize;

/// File layouts, with the names used in manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layout {
    /// `<class>/cifar10_<class>_<number>.aedat`.
    DvsCifar10,
    /// `<class>/image_<number>.bin`.
    #[serde(rename = "n-caltech101")]
    NCaltech101,
    /// `Train/<digit>/<number>.bin` and `Test/...`.
    NMnist,
    /// `<letter>/<letter>_<number>.mat`.
    AslDvs,
    /// Long recordings, each with a table of gestures, and two lists of recordings.
    #[serde(rename = "dvs128-gesture")]
    Dvs128Gesture,
    /// `n-cars_train/<class>/*.dat` and `n-cars_test/...`.
    NCars,
    /// `<name>_train.h5`, `<name>_test.h5` and so on: a list of spike times and one of channels per sample.
    Heidelberg,
    /// `<part>/<class>/<recording>`, of any format: [`EventSet::open_folder`](super::EventSet::open_folder).
    Folder,
    /// One HDF5 file per part, with a data set of times and one of channels per sample.
    #[serde(rename = "n-tidigits")]
    NTidigits,
}

/// The information in a file name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// The official part, if the data set has one.
    pub(super) part: Option<&'static str>,
    pub(super) class: usize,
    /// Name of the sample: the same for every form in which the data set is stored.
    pub(super) name: String,
}

impl Layout {
    /// The layout with this name.
    pub(super) fn named(name: &str) -> Option<Layout> {
        use serde::de::IntoDeserializer;
        let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        Layout::deserialize(name).ok()
    }

    /// The recordings' format, if a file does not identify it: an ATIS file begins with its first event.
    pub(super) fn format(self) -> Option<Format> {
        matches!(self, Layout::NMnist | Layout::NCaltech101).then_some(Format::Atis)
    }

    /// The camera, if the recordings' files do not name it.
    pub(super) fn camera(self) -> Option<Camera> {
        matches!(self, Layout::DvsCifar10).then_some(Camera::Dvs128)
    }

    /// The format of a file that may or may not belong to the data set: the data set's if it has that
    /// extension, else detected from its content.
    pub(super) fn format_of(self, path: &Path) -> Option<Format> {
        self.format().filter(|_| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("bin")))
    }

    /// The position to which SpikingJelly moves an event of this data set that is stored at `x`, `y` with
    /// polarity `p`, if it does.
    pub(super) fn spikingjelly(self) -> Option<fn(SensorSize, Event) -> Event> {
        match self {
            Layout::DvsCifar10 => Some(|sensor, event| Event {
                x: sensor.width - 1 - event.y,
                y: sensor.height - 1 - event.x,
                p: 1 - event.p,
                ..event
            }),
            Layout::AslDvs => Some(|sensor, event| Event {
                x: sensor.width - 1 - event.x,
                y: sensor.height - 1 - event.y,
                ..event
            }),
            _ => None,
        }
    }

    /// Whether a file with this name may be a recording of this layout, or of SpikingJelly's version of it
    /// (`.npz`).
    pub(super) fn is_recording(self, path: &str) -> bool {
        let Some((file, Some((stem, ending)))) =
            path.rsplit('/').next().map(|file| (file, file.rsplit_once('.')))
        else {
            return false;
        };
        let endings: &[&str] = match self {
            Layout::DvsCifar10 => &["aedat", "aedat4", "npz"],
            // The annotations are in folders with the same names.
            Layout::NCaltech101 if !file.starts_with("image_") => return false,
            Layout::NMnist | Layout::NCaltech101 => &["bin", "npz"],
            Layout::NCars => &["dat", "npz"],
            Layout::AslDvs => &["mat", "npz"],
            Layout::Dvs128Gesture => &["npz"],
            // In a folder, the content counts too; files of spikes contain many samples.
            Layout::Folder | Layout::Heidelberg | Layout::NTidigits => return false,
        };
        !stem.is_empty() && endings.iter().any(|known| ending.eq_ignore_ascii_case(known))
    }

    /// Whether a file is in the folder of a class, which should contain only recordings.
    pub(super) fn is_in_class(self, path: &str, classes: &[String]) -> bool {
        let has_folders = matches!(self, Layout::DvsCifar10 | Layout::NMnist | Layout::NCars);
        let folder = path.rsplit('/').nth(1);
        has_folders && folder.is_some_and(|folder| class_of(folder, classes).is_some())
    }

    /// The information in the name of a file, if it is a recording of this layout.
    pub(super) fn locate(self, path: &str, classes: &[String]) -> Option<Located> {
        if !self.is_recording(path) || is_frames(path) {
            return None;
        }
        let mut parts = path.rsplit('/');
        let (file, folder, above) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
        let (stem, _) = file.rsplit_once('.')?;
        let class = match self {
            // Whatever the folder's name: zips of single letters may have no folder.
            Layout::AslDvs => stem.split_once('_')?.0,
            _ => folder,
        };
        let class = match self {
            // SpikingJelly numbers its folders.
            Layout::Dvs128Gesture => class.parse().ok().filter(|&class: &usize| class < classes.len())?,
            _ => class_of(class, classes)?,
        };
        let part = match self {
            Layout::NMnist | Layout::NCars | Layout::Dvs128Gesture => Some(part_of(above)?),
            _ => None,
        };
        let folder = classes.get(class)?;
        let name = match part {
            Some(part) => format!("{part}/{folder}/{stem}"),
            None => format!("{folder}/{stem}"),
        };
        Some(Located { part, class, name })
    }
}

/// The class with this name, else the only one that differs from it only in case.
fn class_of(name: &str, classes: &[String]) -> Option<usize> {
    let exact = classes.iter().position(|known| known == name);
    exact.or_else(|| {
        let mut alike = (0..classes.len()).filter(|&class| classes[class].eq_ignore_ascii_case(name));
        alike.next().filter(|_| alike.next().is_none())
    })
}

/// Whether this is a file of frames generated by SpikingJelly from recordings.
pub(super) fn is_frames(path: &str) -> bool {
    path.split('/').any(|folder| folder.starts_with("frames_number_") || folder.starts_with("duration_"))
}

/// Whether a recording was converted by SpikingJelly: it then has SpikingJelly's orientation.
pub(super) fn is_spikingjellys(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "events_np")
}

/// `Train`, `n-cars_train` and similar.
fn part_of(folder: &str) -> Option<&'static str> {
    let folder = folder.to_lowercase();
    ["train", "test"].into_iter().find(|part| folder.ends_with(part))
}
