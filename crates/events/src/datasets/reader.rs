//! Reading of single recordings of a data set: decoded, ordered by time, in the requested orientation.

use std::path::Path;

use tks_data::manifest::Manifest;

use super::layout::{self, Layout};
use super::orientation::Orientation;
use crate::error::EventError;
use crate::formats::text::ColumnOrder;
use crate::formats::{Camera, Format, LeftOut, ReadOptions, read_like};
use crate::sensor::SensorSize;
use crate::stream::EventStream;

/// Reads recordings with the settings of a data set: its sensor, its format if files do not identify theirs,
/// its orientation. It is used by an [`EventSet`](super::EventSet), and for your own files to be classified
/// by a network trained on the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingReader {
    layout: Layout,
    sensor: SensorSize,
    orientation: Orientation,
    lenient: bool,
    /// Settings for files that do not state them.
    given: Given,
}

/// Settings that files may not state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Given {
    format: Option<Format>,
    camera: Option<Camera>,
    columns: ColumnOrder,
}

impl RecordingReader {
    /// The reader for a data set's recordings; `lenient` leaves out faulty events, like
    /// [`ReadOptions::lenient`].
    ///
    /// # Errors
    /// [`EventError::Option`] for a manifest whose layout or sensor size is not one of recordings.
    pub fn new(manifest: &Manifest, orientation: Orientation, lenient: bool) -> Result<Self, EventError> {
        let layout = Layout::named(&manifest.layout).ok_or_else(|| EventError::Option {
            option: "layout",
            value: manifest.layout.clone(),
            expected: "a layout of recordings that this library reads",
        })?;
        let size = manifest.size.fixed().and_then(|size| {
            Some(SensorSize { width: size.width.try_into().ok()?, height: size.height.try_into().ok()? })
        });
        let sensor = size.ok_or_else(|| EventError::Option {
            option: "size",
            value: format!("{:?}", manifest.size),
            expected: "a width and a height of at most 65535 in the manifest of recordings",
        })?;
        let given = Given { camera: layout.camera(), ..Given::default() };
        Ok(RecordingReader { layout, sensor, orientation, lenient, given })
    }

    /// The reader for a folder's recordings, with the options `read`.
    pub fn of_folder(sensor: SensorSize, read: &ReadOptions) -> Self {
        let &ReadOptions { format, camera, columns, lenient, .. } = read;
        let (layout, orientation) = (Layout::Folder, Orientation::default());
        let given = Given { format, camera, columns };
        RecordingReader { layout, sensor, orientation, lenient, given }
    }

    /// Size of the sensor.
    pub fn sensor(&self) -> SensorSize {
        self.sensor
    }

    /// The orientation in which recordings are provided.
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// The options for a file of this format.
    pub(super) fn options(&self, format: Option<Format>) -> ReadOptions {
        ReadOptions {
            sensor: Some(self.sensor),
            format: format.or(self.given.format),
            camera: self.given.camera,
            lenient: self.lenient,
            columns: self.given.columns,
        }
    }

    /// The recording in a file of any known format, ordered by time, and what lenient reading left out.
    ///
    /// # Errors
    /// [`EventError::Data`] if the file cannot be read, [`EventError::File`] with the position at which it is
    /// truncated, corrupt or from another sensor.
    pub fn read(&self, path: &Path) -> Result<(EventStream, LeftOut), EventError> {
        let bytes = tks_data::regular_file::read(path)?;
        self.read_bytes(path, &bytes, self.layout.format_of(path), EventStream::default(), None)
    }

    /// Reads a recording from one of the data set's files into the memory of `used`; `first` is the recording
    /// whose sensor all must have, if it is not given.
    pub(super) fn read_own(
        &self,
        path: &Path,
        bytes: &[u8],
        used: EventStream,
        first: Option<&Path>,
    ) -> Result<(EventStream, LeftOut), EventError> {
        self.read_bytes(path, bytes, self.layout.format().filter(|_| !is_npz(path)), used, first)
    }

    fn read_bytes(
        &self,
        path: &Path,
        bytes: &[u8],
        format: Option<Format>,
        used: EventStream,
        first: Option<&Path>,
    ) -> Result<(EventStream, LeftOut), EventError> {
        let (reading, _) = read_like(path, bytes, &self.options(format), used, first)?;
        let mut stream = reading.stream;
        stream.sort();
        Ok((self.orient(path, stream)?, reading.left_out))
    }

    /// Converts a recording to the requested orientation.
    pub(super) fn orient(&self, path: &Path, stream: EventStream) -> Result<EventStream, EventError> {
        // Converting a recording of SpikingJelly's again restores the stored orientation.
        let is_moved = layout::is_spikingjellys(path);
        let to_move = (self.orientation == Orientation::Spikingjelly) != is_moved;
        match self.layout.spikingjelly().filter(|_| to_move) {
            Some(moved) => stream.events().map(self.sensor, |event| Some(moved(self.sensor, event))),
            None => Ok(stream),
        }
    }
}

fn is_npz(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npz"))
}
