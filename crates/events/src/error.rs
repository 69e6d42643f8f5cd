//! Errors of this crate.

/// An error of this crate, with its place and remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// A fault in a recording's file.
    #[error(
        "{path}: byte {offset}, after {event} {}: {problem}",
        if *event == 1 { "event" } else { "events" },
        path = path.display()
    )]
    File {
        /// The file, or the name given for it.
        path: std::path::PathBuf,
        /// The position of the fault, in bytes from the start of the file.
        offset: u64,
        /// Number of events before it.
        event: usize,
        /// What is wrong and how to fix it.
        problem: String,
    },
    /// A recording that a format cannot represent.
    #[error("{format} cannot hold event {event}: {problem}", format = format.title())]
    Write {
        /// The format.
        format: crate::formats::format::Format,
        /// The index of the event.
        event: usize,
        /// The reason.
        problem: String,
    },
    /// An invalid name for a format.
    #[error(transparent)]
    Register(#[from] tks_registry::RegistryError),
    /// Columns with different lengths.
    #[error(
        "an event stream's columns differ in length: t has {t} events, x {x}, y {y}, p {p}; each event needs \
         all four"
    )]
    Columns {
        /// Length of the time column.
        t: usize,
        /// Length of the x column.
        x: usize,
        /// Length of the y column.
        y: usize,
        /// Length of the polarity column.
        p: usize,
    },
    /// An event outside the sensor.
    #[error("event {index} lies at x = {x}, y = {y}, outside of a sensor of {width} x {height} pixels")]
    OutsideSensor {
        /// The index of the event.
        index: usize,
        /// Its column.
        x: u16,
        /// Its row.
        y: u16,
        /// Width of the sensor.
        width: u16,
        /// Height of the sensor.
        height: u16,
    },
    /// A polarity that is neither 0 nor 1.
    #[error("event {index} has polarity {p}; it is 1 (brighter) or 0 (darker)")]
    Polarity {
        /// The index of the event.
        index: usize,
        /// Its polarity.
        p: u8,
    },
    /// The operation needs events ordered by time.
    #[error(
        "event {index} at {t} us comes after one at {before} us; sort the stream first (`EventStream::sort`)"
    )]
    Unsorted {
        /// The first event that is earlier than the one before it.
        index: usize,
        /// Its time.
        t: i64,
        /// Time of the previous event.
        before: i64,
    },
    /// An option has an invalid value.
    #[error("{option} = {value}: it has to be {expected}")]
    Option {
        /// The option, as named in a configuration.
        option: &'static str,
        /// The given value.
        value: String,
        /// The valid values.
        expected: &'static str,
    },
    /// An area that is not on the sensor.
    #[error(
        "{option} ({area}) reaches beyond the sensor of {} x {} pixels (width, height): x + width and y + height may be \
         as large as the sensor, and no larger",
        sensor.width, sensor.height
    )]
    BeyondSensor {
        /// The option, as named in a configuration.
        option: &'static str,
        /// The area.
        area: String,
        /// The sensor.
        sensor: crate::sensor::SensorSize,
    },
    /// A recording would be divided into too many slices.
    #[error(
        "the recording lasts {duration_us} us, which makes {slices} slices, more than {limit}; make them \
         longer, or give the number of bins instead"
    )]
    TooManySlices {
        /// The number of slices.
        slices: u128,
        /// The maximum number.
        limit: usize,
        /// Duration of the recording in us.
        duration_us: i64,
    },
    /// The output memory has a different shape from the frames.
    #[error("the frames have the shape [T, C, H, W] = {expected:?}; the place given for them has {found:?}")]
    Shape {
        /// The expected shape.
        expected: [usize; 4],
        /// The given shape.
        found: [usize; 4],
    },
    /// A number of values that does not match the size of a frame.
    #[error("step {step} of the frames holds {found} values, but C * H * W is {expected}")]
    StepLength {
        /// The index of the time step.
        step: usize,
        /// `C * H * W`.
        expected: usize,
        /// Its number of values.
        found: usize,
    },
    /// A class that does not exist.
    #[error("label {label} is outside of 0..{classes}")]
    Label {
        /// The label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A file, split or manifest of a data set.
    #[error(transparent)]
    Data(#[from] tks_data::DataError),
    /// A path where a data set was expected but not found.
    #[error("{}: {message}", path.display())]
    Layout {
        /// The folder or archive.
        path: std::path::PathBuf,
        /// What was found instead, and the remedy.
        message: String,
    },
    /// An invalid line in a data set's table.
    #[error("{}:{line}: `{text}`: it should be {expected}", path.display())]
    Table {
        /// The file.
        path: std::path::PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The line.
        text: String,
        /// The expected form.
        expected: &'static str,
    },
}
