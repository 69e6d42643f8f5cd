//! How each data set lays out its files: from a file's name to its part, class and name of the sample.

use serde::{Deserialize, Serialize};

use crate::columns::Event;
use crate::formats::{Camera, Format};
use crate::stream::SensorSize;

/// Layouts of files, by the names that manifests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Long recordings, with a table of gestures each and two lists of recordings.
    #[serde(rename = "dvs128-gesture")]
    Dvs128Gesture,
    /// `n-cars_train/<class>/*.dat` and `n-cars_test/...`.
    NCars,
    /// `<name>_train.h5`, `<name>_test.h5` and so on: a list of spike times and one of channels a sample.
    Heidelberg,
    /// One HDF5 file with a data set of times and one of channels a sample, for each part.
    #[serde(rename = "n-tidigits")]
    NTidigits,
}

/// What a file's name tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// The official part, if the data set has one.
    pub(super) part: Option<&'static str>,
    pub(super) class: usize,
    /// Name of the sample: the same for every way to store the data set.
    pub(super) name: String,
}

impl Layout {
    /// The layout of this name.
    pub(super) fn named(name: &str) -> Option<Layout> {
        use serde::de::IntoDeserializer;
        let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        Layout::deserialize(name).ok()
    }

    /// The recordings' format, where a file does not tell it: ATIS begins with its first event.
    pub(super) fn format(self) -> Option<Format> {
        matches!(self, Layout::NMnist | Layout::NCaltech101).then_some(Format::Atis)
    }

    /// The camera, where the recordings' files do not name it.
    pub(super) fn camera(self) -> Option<Camera> {
        matches!(self, Layout::DvsCifar10).then_some(Camera::Dvs128)
    }

    /// Where SpikingJelly moves an event of this data set that is stored at `x`, `y` with polarity `p`, if it does.
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

    /// What the name of a file tells, if it is a recording of this layout.
    pub(super) fn locate(self, path: &str, classes: &[String]) -> Option<Located> {
        let mut parts = path.rsplit('/');
        let (file, folder, above) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
        // macOS puts a companion `._name` beside each file.
        let (stem, extension) = file.rsplit_once('.').filter(|_| !file.starts_with("._"))?;
        let fits = match self {
            Layout::DvsCifar10 => matches!(extension, "aedat" | "aedat4"),
            // The annotations lie in folders of the same names.
            Layout::NCaltech101 => extension == "bin" && stem.starts_with("image_"),
            Layout::NMnist => extension == "bin",
            Layout::NCars => extension == "dat",
            Layout::AslDvs => extension == "mat",
            Layout::Dvs128Gesture | Layout::Heidelberg | Layout::NTidigits => false,
        };
        if !fits {
            return None;
        }
        let class = match self {
            // Whatever the folder is called: a zip a letter may hold its files without one.
            Layout::AslDvs => stem.split_once('_')?.0,
            _ => folder,
        };
        let (folder, class) = (class, classes.iter().position(|known| known == class)?);
        let part = match self {
            Layout::NMnist | Layout::NCars => Some(part_of(above)?),
            _ => None,
        };
        let name = match part {
            Some(part) => format!("{part}/{folder}/{stem}"),
            None => format!("{folder}/{stem}"),
        };
        Some(Located { part, class, name })
    }
}

/// `Train`, `n-cars_train` and the like.
fn part_of(folder: &str) -> Option<&'static str> {
    let folder = folder.to_lowercase();
    ["train", "test"].into_iter().find(|part| folder.ends_with(part))
}
