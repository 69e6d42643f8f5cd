//! The description of a data set, as a TOML file: `datasets/<name>.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::DataError;
use crate::nearest::nearest;
use crate::toml_file;

/// The description of a data set: where it comes from, how it is laid out, how it is split.
///
/// Information that its publisher does not state is written as `"unknown"`, never made up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Increased whenever a change to this manifest changes the loaded data; caches are keyed by it.
    pub version: u32,
    /// Its identifier, used on the command line and as the manifest's file name.
    pub name: String,
    /// Its display name.
    pub title: String,
    /// Static images or event recordings.
    pub kind: Kind,
    /// Name of the layout of its files, which selects the reader.
    pub layout: String,
    /// Size of the sensor or of an image in pixels; `"varies"` if every sample has its own.
    pub size: SampleSize,
    /// Channels of an image (1 grey, 3 colour), or polarities of an event.
    pub channels: usize,
    /// The classes: their names in the order of their indices, or only their number.
    pub classes: Classes,
    /// Ways to split it; the first is the default.
    pub splits: Vec<SplitScheme>,
    /// The files to download.
    pub files: Vec<SourceFile>,
    /// The publisher's page.
    pub page: String,
    /// The licence, or `"unknown"`.
    pub licence: String,
    /// The work to cite.
    pub citation: String,
    /// What a user should know before using it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Mean of each channel of the training images, pixels scaled to 0..1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f32>>,
    /// Standard deviation of each channel of the training images, pixels scaled to 0..1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f32>>,
}

/// The kind of sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Recordings of an event camera or a silicon cochlea.
    Events,
    /// Static images.
    Images,
}

/// Width and height of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "it should be a table with `width` and `height`, or \"varies\"")]
pub enum SampleSize {
    /// All samples have this size.
    Fixed(Size),
    /// `"varies"`: every sample has its own.
    Varies(PerSample),
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Number of pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// The word `"varies"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PerSample {
    /// Every sample has its own size.
    Varies,
}

impl SampleSize {
    /// The common size of all samples, if there is one.
    pub fn fixed(self) -> Option<Size> {
        match self {
            SampleSize::Fixed(size) => Some(size),
            SampleSize::Varies(_) => None,
        }
    }
}

/// The classes of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "it should be a whole number, or a list of names in quotes")]
pub enum Classes {
    /// Their number; the names are in the data set's own files.
    Count(usize),
    /// Their names, in the order of their indices.
    Names(Vec<String>),
}

impl Classes {
    /// Their number.
    pub fn count(&self) -> usize {
        match self {
            Classes::Count(count) => *count,
            Classes::Names(names) => names.len(),
        }
    }

    /// Their names, if the manifest has them.
    pub fn names(&self) -> Option<&[String]> {
        match self {
            Classes::Count(_) => None,
            Classes::Names(names) => Some(names),
        }
    }

    /// Their names, or their numbers if the manifest has none.
    pub fn names_or_numbers(&self) -> Vec<String> {
        match self {
            Classes::Count(count) => (0..*count).map(|class| class.to_string()).collect(),
            Classes::Names(names) => names.clone(),
        }
    }
}

/// One way to split a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitScheme {
    /// Its name: `official` for the publisher's.
    pub name: String,
    /// Its origin.
    pub rule: SplitRule,
    /// Its parts (`train`, `test`, ...) with the number of samples in each.
    pub parts: BTreeMap<String, Stated<u64>>,
    /// What a user should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The origin of a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SplitRule {
    /// `"official"`: defined by the publisher's files.
    Official,
    /// `{ stored = "splits/x.toml" }`: a list of names, at a path relative to the manifest.
    Stored(PathBuf),
    /// `{ first-of-class = 0.9 }`: this fraction of each class, in the natural order of file names, is
    /// `train`, the rest `test`.
    FirstOfClass(f64),
}

/// A file to download.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    /// Its name in the data set's folder and below a mirror's address.
    pub name: String,
    /// Its official address; `"manual"` if the publisher offers it only through a browser.
    pub url: Address,
    /// Its size in bytes, or `"unknown"`.
    pub size: Stated<u64>,
    /// Maximum size in bytes if its size is unknown; no more are downloaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// The publisher's checksums, `"md5:..."` or `"sha256:..."`; an empty list if there are none.
    pub checksums: Vec<Checksum>,
    /// The source of size and checksums, if it is not the publisher's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether the data set is usable without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// The source of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// An `http://` or `https://` address.
    Http(String),
    /// `"manual"`: to be downloaded manually from the manifest's `page`.
    Manual,
    /// `"shipped"`: it is in the repository, beside its manifest or in a folder there.
    Shipped,
}

/// A value, or `"unknown"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated<T> {
    /// The value.
    Value(T),
    /// `"unknown"`.
    Unknown,
}

impl<T> Stated<T> {
    /// The value, if it is known.
    pub fn known(self) -> Option<T> {
        match self {
            Stated::Value(value) => Some(value),
            Stated::Unknown => None,
        }
    }
}

/// A file's checksum: `md5:<32 hex digits>` or `sha256:<64 hex digits>`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksum {
    /// MD5: detects accidental damage, not tampering.
    Md5([u8; 16]),
    /// SHA-256.
    Sha256([u8; 32]),
}

impl Manifest {
    /// Reads and validates the manifest at `path`.
    ///
    /// # Errors
    /// [`DataError::Io`], [`DataError::Toml`] and [`DataError::Manifest`].
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let manifest: Manifest = toml_file::read(path)?;
        manifest.check(path)?;
        Ok(manifest)
    }

    /// Parses and validates the manifest in `text`; `origin` is its name in error messages.
    ///
    /// # Errors
    /// [`DataError::Toml`] and [`DataError::Manifest`].
    pub fn parse(text: &str, origin: &Path) -> Result<Self, DataError> {
        let manifest: Manifest = toml_file::parse(text, origin)?;
        manifest.check(origin)?;
        Ok(manifest)
    }

    /// The split scheme with this name; the first one for `None`.
    ///
    /// # Errors
    /// [`DataError::UnknownName`] with the nearest name.
    pub fn split(&self, name: Option<&str>) -> Result<&SplitScheme, DataError> {
        let found = match name {
            None => self.splits.first(),
            Some(name) => self.splits.iter().find(|split| split.name == name),
        };
        found.ok_or_else(|| {
            let known: Vec<String> = self.splits.iter().map(|split| split.name.clone()).collect();
            let name = name.unwrap_or_default().to_string();
            DataError::UnknownName {
                what: "split",
                nearest: nearest(&name, known.iter().map(String::as_str)).map(str::to_string),
                name,
                known,
            }
        })
    }

    /// Checks that the manifest is consistent. [`Manifest::read`] and [`Manifest::parse`] do this too.
    ///
    /// # Errors
    /// [`DataError::Manifest`] for the first field that is not.
    pub fn check(&self, path: &Path) -> Result<(), DataError> {
        let wrong = |field: &str, message: String| {
            Err(DataError::Manifest { path: path.to_path_buf(), field: field.to_string(), message })
        };
        if self.name.is_empty()
            || !self.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
        {
            return wrong(
                "name",
                format!("`{}` should be of small letters, digits, `-`, `_` and `.`", self.name),
            );
        }
        if path.extension().is_some_and(|e| e == "toml")
            && path.file_stem().is_some_and(|stem| stem != self.name.as_str())
        {
            return wrong("name", format!("it is `{}`, which is not the manifest's file name", self.name));
        }
        if self.classes.count() == 0 {
            return wrong("classes", "there should be at least one".into());
        }
        if let Some(names) = self.classes.names()
            && let Some(twice) = first_repeated(names.iter().map(String::as_str))
        {
            return wrong("classes", format!("`{twice}` stands there twice"));
        }
        if self.splits.is_empty() {
            return wrong("splits", "there should be at least one".into());
        }
        if let Some(twice) = first_repeated(self.splits.iter().map(|s| s.name.as_str())) {
            return wrong("splits", format!("`{twice}` stands there twice"));
        }
        for split in &self.splits {
            if split.parts.is_empty() {
                return wrong("splits", format!("`{}` has no parts", split.name));
            }
            if let SplitRule::FirstOfClass(fraction) = split.rule
                && !(0.0..=1.0).contains(&fraction)
            {
                return wrong("splits", format!("first-of-class = {fraction} should lie within 0 and 1"));
            }
        }
        if let Some(twice) = first_repeated(self.files.iter().map(|f| f.name.as_str())) {
            return wrong("files", format!("`{twice}` stands there twice"));
        }
        for file in &self.files {
            if file.name.is_empty()
                || file.name.split(['/', '\\']).any(|part| part.is_empty() || part == "..")
            {
                return wrong("files", format!("`{}` is no path within the data set's folder", file.name));
            }
        }
        for (field, values) in [("mean", &self.mean), ("std", &self.std)] {
            if let Some(values) = values
                && (values.len() != self.channels || values.iter().any(|v| !v.is_finite()))
            {
                return wrong(
                    field,
                    format!("there should be a finite number for each of {} channels", self.channels),
                );
            }
        }
        if self.std.as_ref().is_some_and(|std| std.iter().any(|&v| v <= 0.0)) {
            return wrong("std", "every value should be above 0".into());
        }
        Ok(())
    }
}

fn first_repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::HashSet::new();
    let mut names = names;
    names.find(|name| !seen.insert(*name))
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes): (_, &[u8]) = match self {
            Checksum::Md5(bytes) => ("md5", bytes),
            Checksum::Sha256(bytes) => ("sha256", bytes),
        };
        write!(f, "{name}:")?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Checksum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        fn digits<const N: usize>(hex: &str) -> Option<[u8; N]> {
            let mut bytes = [0; N];
            if hex.len() != 2 * N || !hex.is_ascii() {
                return None;
            }
            for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
                *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
            }
            Some(bytes)
        }
        let parsed = match text.split_once(':') {
            Some(("md5", hex)) => digits(hex).map(Checksum::Md5),
            Some(("sha256", hex)) => digits(hex).map(Checksum::Sha256),
            _ => None,
        };
        parsed.ok_or_else(|| {
            format!("`{text}` is neither `md5:` with 32 hexadecimal digits nor `sha256:` with 64")
        })
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Address::Http(url) => url,
            Address::Manual => "manual",
            Address::Shipped => "shipped",
        })
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "manual" => Ok(Address::Manual),
            "shipped" => Ok(Address::Shipped),
            _ if text.starts_with("https://") || text.starts_with("http://") => Ok(Address::Http(text)),
            _ => Err(serde::de::Error::custom(format!(
                "`{text}` is neither an http(s) address nor `manual` nor `shipped`"
            ))),
        }
    }
}

impl Serialize for Stated<u64> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Stated::Value(value) => serializer.serialize_u64(*value),
            Stated::Unknown => serializer.serialize_str("unknown"),
        }
    }
}

impl<'de> Deserialize<'de> for Stated<u64> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Stated<u64>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or \"unknown\"")
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
                u64::try_from(value).map(Stated::Value).map_err(|_| E::custom("it should not be negative"))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Stated::Value(value))
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Self::Value, E> {
                match value {
                    "unknown" => Ok(Stated::Unknown),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(value), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
