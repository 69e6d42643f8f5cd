//! Errors in a configuration: the key, its valid values, and where it was written.

use std::fmt;
use std::path::Path;

use tks_data::toml_file::{Fault, Item, Place, Problem};

use super::keys::{self, Key};

/// An invalid value, with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, such as `training.epochs`.
    key: String,
    /// A key somewhere below `key`, if the check knows no more than that.
    below: Option<String>,
    /// The rest of the sentence that begins with the key.
    problem: String,
}

impl ConfigError {
    /// `problem` is the rest of the sentence that begins with the key, such as "is 0: it should be 1 or
    /// more".
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        ConfigError { key: key.into(), below: None, problem: problem.into() }
    }

    /// The same for `name`, which is somewhere below `key`.
    pub fn below(key: impl Into<String>, name: impl Into<String>, problem: impl Into<String>) -> Self {
        ConfigError { key: key.into(), below: Some(name.into()), problem: problem.into() }
    }

    /// The error with its full key in the configuration `whole`.
    fn resolved(&self, whole: &Item) -> ConfigError {
        let Some(name) = &self.below else { return self.clone() };
        let place = whole.nearest(&self.key);
        let key = match path_to(place, name) {
            Some(path) => format!("{}.{path}", self.key),
            None => self.key.clone(),
        };
        ConfigError { key, below: None, problem: self.problem.clone() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = self.below.as_ref().map_or_else(String::new, |name| format!(".{name}"));
        write!(f, "`{}{below}` {}", self.key, self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// The path to the first key that is called `name` or ends in `.name` (`conv.kernel`).
fn path_to(item: &Item, name: &str) -> Option<String> {
    if item.nearest(name) != item {
        return Some(name.to_string());
    }
    item.entries()?.iter().find_map(|entry| Some(format!("{}.{}", entry.key, path_to(&entry.item, name)?)))
}

/// The texts that make up a configuration: a file or preset, and the overrides of a command line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) origin: &'a Path,
    pub(super) changes: &'a [String],
}

impl Sources<'_> {
    /// The number of the file among the texts; override `k` has number `k + 2`.
    pub(super) const FILE: usize = 1;
    /// The number of the defaults, which nobody wrote.
    pub(super) const DEFAULTS: usize = 0;

    fn name(&self, place: Place) -> String {
        match place.source.checked_sub(2).and_then(|change| self.changes.get(change)) {
            Some(change) => format!("`--set {}`", shortened(change)),
            None if place.source == Sources::FILE => {
                format!("{}:{}:{}", self.origin.display(), place.line, place.column)
            }
            None => self.origin.display().to_string(),
        }
    }

    /// The message for a fault in the texts, with the key's purpose and what was probably meant.
    pub(super) fn explain(&self, fault: &Fault, whole: &Item) -> anyhow::Error {
        let key = fault.key();
        let said = match fault.problem() {
            Problem::UnknownKey { known } => {
                unknown_key(key, known, whole).unwrap_or_else(|| fault.to_string())
            }
            Problem::Missing { field } => missing(key, field),
            Problem::Wrong { value, expected } => {
                format!("`{key}` is {value}: it should be {}", with_purpose(key, expected))
            }
            Problem::NeedsValue { expected } => {
                let example = keys::find(key).filter(|_| !key.contains('[')).map(Key::example);
                let example =
                    example.map_or(String::new(), |value| format!(", for example `--set {key}={value}`"));
                format!("`{key}` needs a value: {}{example}", with_purpose(key, expected))
            }
            _ => fault.to_string(),
        };
        self.said(fault.place(), key, &said)
    }

    /// The message for an invalid value, with where it was written.
    pub(super) fn locate(&self, error: anyhow::Error, whole: &Item) -> anyhow::Error {
        let Some(error) = error.downcast_ref::<ConfigError>() else {
            return error.context(format!("in {}", self.origin.display()));
        };
        let error = error.resolved(whole);
        self.said(whole.nearest(&error.key).newest(), &error.key, &error.to_string())
    }

    /// A sentence about `key`, with where it was written. An override contains its key and value in its own
    /// text.
    fn said(&self, place: Place, key: &str, sentence: &str) -> anyhow::Error {
        let change = place.source.checked_sub(2).and_then(|change| self.changes.get(change));
        let is_its_key =
            change.and_then(|text| text.split_once('=')).is_some_and(|(own, _)| own.trim() == key);
        let rest = match sentence.find(": it should be ") {
            Some(at) if is_its_key && sentence.starts_with(&format!("`{key}` is ")) => &sentence[at + 2..],
            _ => sentence,
        };
        anyhow::anyhow!("{}: {rest}", self.name(place))
    }
}

/// The valid values of a key, with its range and purpose: `a whole number, 1 or more (passes over ...)`.
fn with_purpose(key: &str, expected: &str) -> String {
    let about = keys::find(key).map_or("", Key::about);
    let is_range = |range: &str| {
        range.starts_with(|letter: char| letter.is_ascii_digit())
            || ["above ", "up to ", "at least "].iter().any(|start| range.starts_with(start))
    };
    let (expected, about) = match (about.rsplit_once(", "), expected.split(", ").next()) {
        (Some((about, range)), Some(kind @ ("a whole number" | "a number"))) if is_range(range) => {
            (format!("{kind}, {range}"), about)
        }
        _ => (expected.to_string(), about),
    };
    if about.is_empty() { expected } else { format!("{expected} ({about})") }
}

/// An override, shortened for a message.
pub(super) fn shortened(change: &str) -> String {
    match change.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &change[..end]),
        None => change.to_string(),
    }
}

/// A key that is unknown here but valid elsewhere: `epochs` for `training.epochs`.
fn unknown_key(key: &str, known: &[String], whole: &Item) -> Option<String> {
    let (section, own) = key.rsplit_once('.').unwrap_or(("", key));
    if let Some(now) = keys::renamed(key) {
        return Some(format!("unknown key `{key}`; did you mean `{now}`?"));
    }
    // A typing error in a key that is valid here takes precedence.
    if tks_data::nearest::nearest(own, known.iter().map(String::as_str)).is_some() {
        return None;
    }
    let found = keys::elsewhere(section, own, whole)?;
    Some(format!("unknown key `{key}`; did you mean `{found}`?"))
}

/// The message for a missing key without a default: its name, purpose, and how to set it.
fn missing(section: &str, field: &str) -> String {
    let whole = if section.is_empty() { field.to_string() } else { format!("{section}.{field}") };
    let Some(key) = keys::find(&whole) else { return format!("`{whole}` has to be given") };
    let about = if key.about().is_empty() { String::new() } else { format!(", {}", key.about()) };
    let example = key.example();
    let given =
        if whole.contains('[') { format!("{field} = {example}") } else { format!("--set {whole}={example}") };
    format!("`{whole}` has to be given ({}{about}), for example `{given}`", key.kind())
}
