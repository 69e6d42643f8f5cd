//! Spikes of silicon and artificial cochleas in HDF5: SHD, SSC and N-TIDIGITS18.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdf5_reader::error::Error;
use hdf5_reader::storage::{DynStorage, RangeRequestStorage};
use hdf5_reader::{Dataset, Datatype, Hdf5File};
use tks_data::manifest::Manifest;
use tks_data::{Archive, ArchiveOptions, ByteSource};

use super::layout::Layout;
use super::sample::{Found, Sample};
use crate::error::EventError;
use crate::formats::hdf5::{explain, open_options};
use crate::number::NumberType;
use crate::sensor::SensorSize;
use crate::stream::EventStream;

/// A file of spikes, open for reading.
pub(super) struct SpikeFile {
    /// The index of its archive entry.
    pub(super) entry: usize,
    path: PathBuf,
    content: Content,
}

enum Content {
    /// One row per sample: times and channels.
    Rows(Box<[Rows; 2]>),
    /// One data set per sample, by its name.
    Named(Hdf5File),
}

/// A data set whose elements are lists of numbers.
struct Rows {
    dataset: Dataset,
    references: Vec<u8>,
    number: NumberType,
}

impl std::fmt::Debug for SpikeFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SpikeFile({})", self.path.display())
    }
}

/// The storage of a file that is read as HDF5 requests it.
fn storage(source: ByteSource) -> DynStorage {
    let length = source.len();
    Arc::new(RangeRequestStorage::new(length, move |offset, count| {
        // Before memory is allocated, since the count may come from a damaged file.
        let part = source.slice(offset, count as u64).ok_or(Error::OffsetOutOfBounds(offset))?;
        let mut bytes = vec![0; count];
        part.read_at(0, &mut bytes).map_err(|e| Error::Io(std::io::Error::other(e)))?;
        Ok(bytes)
    }))
}

fn is_hdf5(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, end)| ["h5", "hdf5"].iter().any(|known| end.eq_ignore_ascii_case(known)))
}

/// Whether there are HDF5 files, without opening nested archives.
pub(super) fn is_there(archive: &Archive) -> bool {
    archive.entries().iter().any(|entry| is_hdf5(entry.name()))
}

/// The samples of all HDF5 files of a data set, and the files.
pub(super) fn samples(
    layout: Layout,
    archive: &Archive,
    manifest: &Manifest,
    options: &ArchiveOptions,
) -> Result<(Vec<SpikeFile>, Vec<Found>), EventError> {
    let classes = manifest.classes.count();
    let (mut files, mut found) = (Vec::new(), Vec::new());
    for (entry, held) in archive.entries().iter().enumerate().filter(|(_, held)| is_hdf5(held.name())) {
        let path = archive.entry_path(entry);
        let broken = |e: hdf5_reader::error::Error| malformed(&path, explain(&e));
        let source = archive.source(entry, options)?;
        let options = open_options(usize::try_from(source.len()).unwrap_or(usize::MAX));
        let file = Hdf5File::from_storage_with_options(storage(source), options).map_err(broken)?;
        let content = if layout == Layout::Heidelberg {
            let stem = held.name().rsplit_once('.').map_or(held.name(), |(stem, _)| stem).to_lowercase();
            let Some(part) = ["train", "valid", "test"].into_iter().find(|part| stem.ends_with(part)) else {
                continue;
            };
            let (times, units) = (rows(&file, "spikes/times", &path)?, rows(&file, "spikes/units", &path)?);
            let labels = file.dataset("labels").map_err(broken)?;
            let labels = all_numbers(&labels, &path)?;
            if labels.len() != times.len() || labels.len() != units.len() {
                let lengths = [labels.len(), times.len(), units.len()];
                return Err(malformed(
                    &path,
                    format!("labels, times and units differ in number: {lengths:?}"),
                ));
            }
            for (row, label) in labels.into_iter().enumerate() {
                let class = whole_below(label, classes).ok_or_else(|| {
                    malformed(&path, format!("sample {row} has label {label}, of {classes} classes"))
                })?;
                let name = format!("{part}/{row:05}");
                found.push((Sample { name, class, entry, span: None, row }, Some(part.to_owned())));
            }
            Content::Rows(Box::new([times, units]))
        } else {
            for part in ["train", "test"] {
                let labels = file.dataset(&format!("{part}_labels")).map_err(broken)?;
                for (row, id) in labels.read_strings().map_err(broken)?.into_iter().enumerate() {
                    // Recordings of several digits have no class: their names end in more than one letter.
                    let said = id.rsplit('-').next().unwrap_or_default();
                    let names = manifest.classes.names().unwrap_or_default();
                    if let Some(class) = names.iter().position(|name| name == said) {
                        found.push((
                            Sample { name: format!("{part}/{id}"), class, entry, span: None, row },
                            Some(part.to_owned()),
                        ));
                    }
                }
            }
            Content::Named(file)
        };
        files.push(SpikeFile { entry, path, content });
    }
    if found.is_empty() {
        return Err(EventError::Layout {
            path: archive.path().to_path_buf(),
            message: format!("no HDF5 file of {} is there; get it from {}", manifest.title, manifest.page),
        });
    }
    Ok((files, found))
}

impl SpikeFile {
    /// A sample's spikes, ordered by time: `x` is the channel, `y` 0 and `p` 1. Times in seconds are rounded
    /// down to us.
    pub(super) fn read(&self, sample: &Sample, sensor: SensorSize) -> Result<EventStream, EventError> {
        let (times, units) = match &self.content {
            Content::Rows(columns) => {
                let [times, units] = &**columns;
                (times.row(sample.row, &self.path)?, units.row(sample.row, &self.path)?)
            }
            Content::Named(file) => {
                let (part, id) = sample.name.split_once('/').unwrap_or_default();
                let read = |what: &str| -> Result<Vec<f64>, EventError> {
                    let broken = |e: hdf5_reader::error::Error| malformed(&self.path, explain(&e));
                    let dataset = file.dataset(&format!("{part}_{what}/{id}")).map_err(broken)?;
                    all_numbers(&dataset, &self.path)
                };
                (read("timestamps")?, read("addresses")?)
            }
        };
        if let Some(time) = times.iter().find(|time| !(0.0..1e9).contains(*time)) {
            return Err(malformed(&self.path, format!("sample `{}` has a spike at {time} s", sample.name)));
        }
        let width = usize::from(sensor.width);
        if let Some(unit) = units.iter().find(|&&unit| whole_below(unit, width).is_none()) {
            return Err(malformed(
                &self.path,
                format!("sample `{}` has a spike in channel {unit} of {}", sample.name, sensor.width),
            ));
        }
        let count = times.len();
        let mut stream = EventStream::new(
            sensor,
            times.into_iter().map(|seconds| (seconds * 1e6) as i64).collect(),
            units.into_iter().map(|unit| unit as u16).collect(),
            vec![0; count],
            vec![1; count],
        )
        .map_err(|e| malformed(&self.path, e.to_string()))?;
        stream.sort();
        Ok(stream)
    }
}

fn rows(file: &Hdf5File, name: &str, path: &Path) -> Result<Rows, EventError> {
    let broken = |e: hdf5_reader::error::Error| malformed(path, explain(&e));
    let dataset = file.dataset(name).map_err(broken)?;
    let Datatype::VarLen { base, .. } = dataset.dtype() else {
        return Err(malformed(path, format!("`{name}` does not hold lists of numbers")));
    };
    let number = number_type(base, path)?;
    let references = dataset.read_raw_bytes().map_err(broken)?;
    Ok(Rows { references, number, dataset })
}

impl Rows {
    fn len(&self) -> usize {
        self.references.len() / self.dataset.vlen_reference_size()
    }

    fn row(&self, row: usize, path: &Path) -> Result<Vec<f64>, EventError> {
        let size = self.dataset.vlen_reference_size();
        let reference = &self.references[row * size..(row + 1) * size];
        // An empty list has no position in the file.
        if reference[..4] == [0; 4] {
            return Ok(Vec::new());
        }
        let bytes = self
            .dataset
            .resolve_vlen_reference_bytes(reference, self.number.size())
            .map_err(|e| malformed(path, explain(&e)))?;
        Ok(numbers(&bytes, self.number))
    }
}

/// An integer in `0..limit`.
fn whole_below(number: f64, limit: usize) -> Option<usize> {
    (number.fract() == 0.0 && (0.0..limit as f64).contains(&number)).then_some(number as usize)
}

fn number_type(kind: &Datatype, path: &Path) -> Result<NumberType, EventError> {
    NumberType::of_hdf5(kind)
        .ok_or_else(|| malformed(path, format!("numbers are expected where there are {kind:?}")))
}

/// All numbers of a data set.
fn all_numbers(dataset: &Dataset, path: &Path) -> Result<Vec<f64>, EventError> {
    let kind = number_type(dataset.dtype(), path)?;
    let bytes = dataset.read_raw_bytes().map_err(|e| malformed(path, explain(&e)))?;
    Ok(numbers(&bytes, kind))
}

fn numbers(bytes: &[u8], kind: NumberType) -> Vec<f64> {
    bytes.chunks_exact(kind.size()).filter_map(|number| kind.real(number)).collect()
}

fn malformed(path: &Path, message: String) -> EventError {
    EventError::Layout { path: path.to_path_buf(), message }
}

#[cfg(test)]
mod tests {
    #[test]
    fn classes_and_channels_are_whole_numbers_in_their_range() {
        for (number, class) in [(0.0, Some(0)), (-0.0, Some(0)), (19.0, Some(19))] {
            assert_eq!(super::whole_below(number, 20), class);
        }
        for number in [20.0, -1.0, 0.5, f64::NAN, f64::INFINITY] {
            assert_eq!(super::whole_below(number, 20), None, "{number}");
        }
    }
}
