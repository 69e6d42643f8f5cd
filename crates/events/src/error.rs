//! What can go wrong with a recording.

/// An error of this crate: what, where, and what to do.
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
        /// The file, or the name that was given for it.
        path: std::path::PathBuf,
        /// Where the fault lies, in bytes from the start.
        offset: u64,
        /// Number of events before it.
        event: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A recording that a format cannot hold.
    #[error("{format} cannot hold event {event}: {problem}", format = format.title())]
    Write {
        /// The format.
        format: crate::formats::format::Format,
        /// Which event.
        event: usize,
        /// Why not.
        problem: String,
    },
    /// A format's name that cannot be registered.
    #[error(transparent)]
    Register(#[from] tks_registry::RegistryError),
    /// Columns of different lengths.
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
    /// An event outside of the sensor.
    #[error("event {index} lies at x = {x}, y = {y}, outside of a sensor of {width} x {height} pixels")]
    OutsideSensor {
        /// Which event.
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
        /// Which event.
        index: usize,
        /// Its polarity.
        p: u8,
    },
    /// What is asked for needs events in order of time.
    #[error(
        "event {index} at {t} us comes after one at {before} us; sort the stream first (`EventStream::sort`)"
    )]
    Unsorted {
        /// The first event that is earlier than the one before it.
        index: usize,
        /// Its time.
        t: i64,
        /// Time of the event before it.
        before: i64,
    },
    /// An option has a value that makes no sense.
    #[error("{option} = {value}: it has to be {expected}")]
    Option {
        /// The option, as it stands in a configuration.
        option: &'static str,
        /// The value that was given.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// An area that does not lie on the sensor.
    #[error(
        "{option} ({area}) reaches beyond the sensor of {} x {} pixels (width, height): x + width and y + height may be \
         as large as the sensor, and no larger",
        sensor.width, sensor.height
    )]
    BeyondSensor {
        /// The option, as it stands in a configuration.
        option: &'static str,
        /// What it asks for.
        area: String,
        /// The sensor.
        sensor: crate::sensor::SensorSize,
    },
    /// A recording falls into more slices than anybody can hold.
    #[error(
        "the recording lasts {duration_us} us, which makes {slices} slices, more than {limit}; make them \
         longer, or give the number of bins instead"
    )]
    TooManySlices {
        /// How many there would be.
        slices: u128,
        /// The most that are allowed.
        limit: usize,
        /// Length of the recording in us.
        duration_us: i64,
    },
    /// The place for the frames has another shape than the frames.
    #[error("the frames have the shape [T, C, H, W] = {expected:?}; the place given for them has {found:?}")]
    Shape {
        /// The shape that is needed.
        expected: [usize; 4],
        /// The shape of what was given.
        found: [usize; 4],
    },
    /// A number of values that fills no whole frames.
    #[error("step {step} of the frames holds {found} values, but C * H * W is {expected}")]
    StepLength {
        /// Which time step.
        step: usize,
        /// `C * H * W`.
        expected: usize,
        /// Its number of values.
        found: usize,
    },
    /// A class that there is not.
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
    /// A place where a data set should be and is not.
    #[error("{}: {message}", path.display())]
    Layout {
        /// The folder or archive.
        path: std::path::PathBuf,
        /// What is there instead, and what to do.
        message: String,
    },
    /// A line of a data set's table that is not understood.
    #[error("{}:{line}: `{text}`: it should be {expected}", path.display())]
    Table {
        /// The file.
        path: std::path::PathBuf,
        /// Line, from 1.
        line: usize,
        /// What it says.
        text: String,
        /// What it should say.
        expected: &'static str,
    },
}
