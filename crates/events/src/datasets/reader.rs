//! One recording as its data set gives it: decoded, in order of time, the way up that was asked for.

use std::path::Path;

use tks_data::manifest::Manifest;

use super::layout::{self, Layout};
use super::orientation::Orientation;
use crate::error::EventError;
use crate::formats::text::ColumnOrder;
use crate::formats::{Camera, Format, LeftOut, ReadOptions, read_like};
use crate::sensor::SensorSize;
use crate::stream::EventStream;

/// Reads recordings as a data set's own are read: its sensor, its format where files do not tell theirs, its
/// orientation. An [`EventSet`](super::EventSet) reads by it, and so do files of one's own that a network trained on the
/// set is to classify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingReader {
    layout: Layout,
    sensor: SensorSize,
    orientation: Orientation,
    lenient: bool,
    /// What is given of files that do not tell.
    given: Given,
}

/// What files may not tell of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Given {
    format: Option<Format>,
    camera: Option<Camera>,
    columns: ColumnOrder,
}

impl RecordingReader {
    /// The reader of a data set's recordings; `lenient` leaves faulty events out, as [`ReadOptions::lenient`] does.
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

    /// The reader of a folder's recordings, as `read` says.
    pub(super) fn of_folder(sensor: SensorSize, read: &ReadOptions) -> Self {
        let &ReadOptions { format, camera, columns, lenient, .. } = read;
        let (layout, orientation) = (Layout::Folder, Orientation::default());
        let given = Given { format, camera, columns };
        RecordingReader { layout, sensor, orientation, lenient, given }
    }

    /// Size of the sensor.
    pub fn sensor(&self) -> SensorSize {
        self.sensor
    }

    /// Which way up recordings are given.
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// How a file of this format is read.
    pub(super) fn options(&self, format: Option<Format>) -> ReadOptions {
        ReadOptions {
            sensor: Some(self.sensor),
            format: format.or(self.given.format),
            camera: self.given.camera,
            lenient: self.lenient,
            columns: self.given.columns,
        }
    }

    /// The recording in a file of any known format, in order of time, and what lenient reading left out.
    ///
    /// # Errors
    /// [`EventError::Data`] where the file cannot be read, [`EventError::File`] with the place in it where it is cut,
    /// corrupt or of another sensor.
    pub fn read(&self, path: &Path) -> Result<(EventStream, LeftOut), EventError> {
        let bytes = tks_data::regular_file::read(path)?;
        self.read_bytes(path, &bytes, self.layout.format_of(path), EventStream::default(), None)
    }

    /// A recording that is one of the data set's files, into the memory of `used`; `first` is the recording whose sensor
    /// all have to have, if it is one's.
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

    /// Turns a recording the way up that was asked for.
    pub(super) fn orient(&self, path: &Path, stream: EventStream) -> Result<EventStream, EventError> {
        // Moved once more, a recording of SpikingJelly's is as it was stored.
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
