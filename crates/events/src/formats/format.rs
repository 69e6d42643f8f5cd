//! The formats of recordings.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tks_registry::{Chosen, Entry, OpenEnum, Registry, open_enum};

use super::event_format::EventFormat;
use super::{aedat2, aedat3, aedat4, atis, dat, es, evt2, evt3, hdf5, matlab, numpy, text};
use crate::error::EventError;

/// A file format. A program can add its own: [`Format::register`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[non_exhaustive]
pub enum Format {
    /// AEDAT 1.0, see [`aedat2`](super::aedat2).
    Aedat1,
    /// AEDAT 2.0, see [`aedat2`](super::aedat2).
    Aedat2,
    /// AEDAT 3.x, see [`aedat3`](super::aedat3).
    Aedat3,
    /// AEDAT 4, see [`aedat4`](super::aedat4).
    Aedat4,
    /// ATIS `.bin`, see [`atis`](super::atis).
    Atis,
    /// Prophesee DAT, see [`dat`](super::dat).
    Dat,
    /// Prophesee RAW with EVT 2.0 words, see [`evt2`](super::evt2).
    Evt2,
    /// Prophesee RAW with EVT 2.1 words, see [`evt2`](super::evt2).
    Evt21,
    /// Prophesee RAW with EVT 3.0 words, see [`evt3`](super::evt3).
    Evt3,
    /// Event Stream, see [`es`](super::es).
    Es,
    /// HDF5, see [`hdf5`](super::hdf5).
    Hdf5,
    /// MATLAB, see [`matlab`](super::matlab).
    Matlab,
    /// NumPy's archive, see [`numpy`](super::numpy).
    Npz,
    /// One NumPy array, see [`numpy`](super::numpy).
    Npy,
    /// Lines of numbers, see [`text`](super::text).
    Text,
    /// One that a program registered.
    #[serde(skip)]
    Own(OwnFormat),
}

/// A format that a program registered. Each has its own name.
#[derive(Clone, Copy)]
pub struct OwnFormat(&'static Chosen<dyn EventFormat>);

impl PartialEq for OwnFormat {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl Eq for OwnFormat {}

impl Hash for OwnFormat {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name().hash(state);
    }
}

impl fmt::Debug for OwnFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

static REGISTRY: LazyLock<Registry<dyn EventFormat>> =
    LazyLock::new(|| Registry::new("format", open_enum::variants::<Format>()));

/// What was registered. Leaked, as the names are: a program adds few, and a format can be copied then.
static OWN: Mutex<Vec<&'static Chosen<dyn EventFormat>>> = Mutex::new(Vec::new());

impl OpenEnum for Format {
    type Plan = dyn EventFormat;

    fn registry() -> &'static Registry<Self::Plan> {
        &REGISTRY
    }

    fn read_built_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not the trait's, which leads here: what `remote` made.
        Format::deserialize(deserializer)
    }

    fn write_built_in<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Format::serialize(self, serializer)
    }

    fn from_chosen(chosen: Chosen<dyn EventFormat>) -> Self {
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = own.iter().copied().find(|known| known.name() == chosen.name());
        Format::Own(OwnFormat(known.unwrap_or_else(|| {
            let chosen: &'static _ = Box::leak(Box::new(chosen));
            own.push(chosen);
            chosen
        })))
    }

    fn chosen(&self) -> Option<&Chosen<dyn EventFormat>> {
        match self {
            Format::Own(OwnFormat(own)) => Some(own),
            _ => None,
        }
    }
}

tks_registry::serde_of_open_enum!(Format, open_enum::deserialize);

impl Format {
    /// Every format that ships.
    pub const ALL: [Format; 15] = [
        Format::Aedat1,
        Format::Aedat2,
        Format::Aedat3,
        Format::Aedat4,
        Format::Atis,
        Format::Dat,
        Format::Evt2,
        Format::Evt21,
        Format::Evt3,
        Format::Es,
        Format::Hdf5,
        Format::Matlab,
        Format::Npz,
        Format::Npy,
        Format::Text,
    ];

    /// Adds a format to those that this process reads: by its content, by the ending of a file's name in a folder of
    /// recordings, and by `name` where a format is named. Files that a format that ships claims stay that format's,
    /// unless this one is named.
    ///
    /// ```
    /// use tks_events::formats::{Decoded, EventFormat, Format, ReadOptions, read};
    ///
    /// /// `DOTS`, then 8 bytes an event: a time of 32 bits in us, `x`, `y` and polarity of 8 bits, and a byte of 0.
    /// struct Dots;
    ///
    /// impl EventFormat for Dots {
    ///     fn title(&self) -> &str {
    ///         "dots"
    ///     }
    ///
    ///     fn claims(&self, bytes: &[u8]) -> bool {
    ///         bytes.starts_with(b"DOTS")
    ///     }
    ///
    ///     fn endings(&self) -> &[&str] {
    ///         &["dots"]
    ///     }
    ///
    ///     fn decode(&self, bytes: &[u8], _: &ReadOptions, mut decoded: Decoded) -> Decoded {
    ///         let (records, rest) = bytes.get(4..).unwrap_or_default().as_chunks::<8>();
    ///         for (i, &[a, b, c, d, x, y, p, _]) in records.iter().enumerate() {
    ///             let (place, t) = (4 + 8 * i, i64::from(u32::from_le_bytes([a, b, c, d])));
    ///             match p {
    ///                 0 | 1 => decoded.push_at(place, t, x.into(), y.into(), p == 1),
    ///                 _ => decoded.leave_out(place, || format!("the polarity is {p}, neither 0 nor 1")),
    ///             }
    ///         }
    ///         if !rest.is_empty() {
    ///             decoded.stop(bytes.len() - rest.len(), "the last event is cut");
    ///         }
    ///         decoded
    ///     }
    /// }
    ///
    /// let dots = Format::register("dots", Dots)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("two.dots");
    /// std::fs::write(&path, b"DOTS\x05\0\0\0\x02\x03\x01\0\x09\0\0\0\x04\x01\0\0").unwrap();
    /// let reading = read(&path, &ReadOptions::default())?;
    /// assert_eq!(reading.format, dots);
    /// assert_eq!((reading.stream.events().t, reading.stream.events().x), (&[5, 9][..], &[2, 4][..]));
    ///
    /// // In a configuration: `format = "dots"`.
    /// let options: ReadOptions = toml::from_str("format = 'dots'").unwrap();
    /// assert_eq!(options.format, Some(dots));
    /// # Ok::<(), tks_events::EventError>(())
    /// ```
    ///
    /// # Errors
    /// [`EventError::Register`] for a name that is taken, or that is not a snake_case word.
    pub fn register(name: &str, format: impl EventFormat + 'static) -> Result<Format, EventError> {
        REGISTRY.add(Entry::word(name, Arc::new(format)))?;
        open_enum::by_name(name).map_err(|error: serde::de::value::Error| EventError::Option {
            option: "format",
            value: error.to_string(),
            expected: "a name that was registered",
        })
    }

    /// Its name in a configuration.
    pub fn name(self) -> String {
        open_enum::name(&self)
    }

    /// Every name that a format may have in a configuration: of those that ship, then of those that were registered.
    pub fn names() -> &'static [&'static str] {
        REGISTRY.names()
    }

    /// Those that were registered, in that order.
    pub(super) fn registered() -> Vec<Format> {
        let own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        own.iter().map(|&own| Format::Own(OwnFormat(own))).collect()
    }

    /// The name in the field.
    pub fn title(self) -> &'static str {
        self.implementation().title()
    }

    /// How the names of files of this format end, in small letters.
    pub fn endings(self) -> &'static [&'static str] {
        self.implementation().endings()
    }

    /// What knows its files.
    pub(super) fn implementation(self) -> &'static dyn EventFormat {
        match self {
            Format::Aedat1 => &aedat2::Aedat1,
            Format::Aedat2 => &aedat2::Aedat2,
            Format::Aedat3 => &aedat3::Aedat3,
            Format::Aedat4 => &aedat4::Aedat4,
            Format::Atis => &atis::Atis,
            Format::Dat => &dat::Dat,
            Format::Evt2 => &evt2::Evt2,
            Format::Evt21 => &evt2::Evt21,
            Format::Evt3 => &evt3::Evt3,
            Format::Es => &es::Es,
            Format::Hdf5 => &hdf5::Hdf5,
            Format::Matlab => &matlab::Matlab,
            Format::Npz => &numpy::Npz,
            Format::Npy => &numpy::Npy,
            Format::Text => &text::Text,
            Format::Own(OwnFormat(own)) => own.plan(),
        }
    }

    /// Whether the name of a file ends as those of some format do.
    pub(crate) fn of_ending(path: &Path) -> bool {
        path.extension().is_some_and(|ending| {
            let own = Format::registered();
            let mut endings = Format::ALL.iter().chain(&own).flat_map(|format| format.endings());
            endings.any(|known| ending.eq_ignore_ascii_case(known))
        })
    }
}
