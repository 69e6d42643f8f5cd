//! The formats of recordings.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
}

impl Format {
    /// Every format.
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

    /// The name in the field.
    pub fn title(self) -> &'static str {
        match self {
            Format::Aedat1 => "AEDAT 1.0",
            Format::Aedat2 => "AEDAT 2.0",
            Format::Aedat3 => "AEDAT 3.1",
            Format::Aedat4 => "AEDAT 4",
            Format::Atis => "ATIS .bin",
            Format::Dat => "Prophesee DAT",
            Format::Evt2 => "Prophesee RAW EVT 2.0",
            Format::Evt21 => "Prophesee RAW EVT 2.1",
            Format::Evt3 => "Prophesee RAW EVT 3.0",
            Format::Es => "Event Stream .es",
            Format::Hdf5 => "HDF5",
            Format::Matlab => "MATLAB .mat",
            Format::Npz => "NumPy .npz",
            Format::Npy => "NumPy .npy",
            Format::Text => "text",
        }
    }

    /// How the names of files of this format end, in small letters. None of a text: many texts are no recordings.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Format::Aedat1 | Format::Aedat2 | Format::Aedat3 => &["aedat"],
            Format::Aedat4 => &["aedat4"],
            Format::Atis => &["bin"],
            Format::Dat => &["dat"],
            Format::Evt2 | Format::Evt21 | Format::Evt3 => &["raw"],
            Format::Es => &["es"],
            Format::Hdf5 => &["h5", "hdf5"],
            Format::Matlab => &["mat"],
            Format::Npz => &["npz"],
            Format::Npy => &["npy"],
            Format::Text => &[],
        }
    }

    /// Whether the name of a file ends as those of some format do.
    pub(crate) fn of_ending(path: &Path) -> bool {
        path.extension().is_some_and(|ending| {
            Format::ALL
                .iter()
                .flat_map(|format| format.endings())
                .any(|known| ending.eq_ignore_ascii_case(known))
        })
    }
}
