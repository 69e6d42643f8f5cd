//! Faults in a document, described in terms of TOML rather than Rust.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::path::{Path, Place};
use crate::nearest::nearest;

/// A fault in a document, with its key and position.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault(Box<Inner>);

#[derive(Debug, Clone, PartialEq)]
struct Inner {
    at: Option<(String, Place)>,
    problem: Problem,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// The text is not TOML.
    Syntax(String),
    /// The key does not exist.
    UnknownKey {
        /// The keys that its table may have.
        known: Vec<String>,
    },
    /// The choice does not exist.
    UnknownName {
        /// The given choice.
        name: String,
        /// The valid choices.
        known: Vec<String>,
    },
    /// A key without a default is missing.
    Missing {
        /// The key.
        field: String,
    },
    /// A choice that needs a value was given without one.
    NeedsValue {
        /// The expected value.
        expected: String,
    },
    /// A value of the wrong kind or out of range.
    Wrong {
        /// The value.
        value: String,
        /// What was expected.
        expected: String,
    },
    /// Anything else.
    Other(String),
}

impl Fault {
    pub(super) fn new(problem: Problem) -> Self {
        Fault(Box::new(Inner { at: None, problem }))
    }

    pub(super) fn wrong(value: String, expected: impl Into<String>) -> Self {
        Fault::new(Problem::Wrong { value, expected: expected.into() })
    }

    /// The fault with key and position added, if it has none yet.
    pub(super) fn at(mut self, path: Path<'_>, place: Place) -> Self {
        self.0.at.get_or_insert_with(|| (path.to_string(), place));
        self
    }

    /// The same, for a fault in the value.
    pub(super) fn of_value(mut self, path: Path<'_>, place: Place, shown: impl FnOnce() -> String) -> Self {
        if let (None, Problem::Wrong { value, .. }) = (&self.0.at, &mut self.0.problem)
            && value.is_empty()
        {
            *value = shown();
        }
        self.at(path, place)
    }

    /// The whole key, such as `training.epochs`; empty for a fault of the document as a whole.
    pub fn key(&self) -> &str {
        self.0.at.as_ref().map_or("", |(key, _)| key)
    }

    /// Its position in the source.
    pub fn place(&self) -> Place {
        self.0.at.as_ref().map_or(Place { source: 0, line: 1, column: 1 }, |(_, place)| *place)
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }
}

/// The suggested name, as the end of a sentence.
fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|near| format!("; did you mean `{near}`?"))
}

fn listed(known: &[String], quote: char) -> String {
    let quoted: Vec<String> = known.iter().map(|name| format!("{quote}{name}{quote}")).collect();
    quoted.join(", ")
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key();
        let subject = if key.is_empty() { "this".to_string() } else { format!("`{key}`") };
        match self.problem() {
            Problem::Syntax(message) => write!(f, "{message}"),
            Problem::UnknownKey { known } => {
                let own = key.rsplit('.').next().unwrap_or(key);
                let hint =
                    meant(own, known.iter().map(String::as_str)).unwrap_or_else(|| match known.len() {
                        0 => "; nothing can be set here".to_string(),
                        _ => format!("; known here: {}", listed(known, '`')),
                    });
                write!(f, "unknown key {subject}{hint}")
            }
            Problem::UnknownName { name, known } => {
                let hint = meant(name, known.iter().map(String::as_str)).unwrap_or_default();
                write!(f, "{subject} is \"{name}\": it should be one of {}{hint}", listed(known, '"'))
            }
            Problem::Missing { field } if key.is_empty() => write!(f, "`{field}` is missing"),
            Problem::Missing { field } => write!(f, "`{field}` is missing in {subject}"),
            Problem::NeedsValue { expected } => write!(f, "{subject} needs a value: {expected}"),
            Problem::Wrong { value, expected } => write!(f, "{subject} is {value}: it should be {expected}"),
            Problem::Other(message) if key.is_empty() => write!(f, "{message}"),
            Problem::Other(message) => write!(f, "{subject}: {message}"),
        }
    }
}

impl std::error::Error for Fault {}

/// Translates the expectations of serde's own types to terms of TOML. The reader itself states what a number,
/// a text or a table should be; this is for values read through serde's own buffers.
fn in_toml(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let words: &[(&[&str], &str)] = &[
        (&["usize", "u8", "u16", "u32", "u64", "u128"], "a whole number, 0 or more"),
        (&["isize", "i8", "i16", "i32", "i64", "i128"], "a whole number"),
        (&["f32", "f64"], "a number"),
        (&["a boolean"], "true or false"),
        (&["a string", "a character", "path string", "string or map", "identifier"], "text in quotes"),
        (&["a sequence"], "a list"),
        (&["a map", "unit", "unit variant"], "a table"),
    ];
    if let Some((_, said)) = words.iter().find(|(from, _)| from.contains(&text.as_str())) {
        return (*said).to_string();
    }
    let starts = |start: &str| text.starts_with(start);
    match () {
        () if starts("struct variant") || starts("struct ") || starts("internally tagged") => {
            "a table".into()
        }
        () if starts("tuple") || starts("a tuple of size") || starts("an array of length") => "a list".into(),
        () if starts("enum ") || starts("variant") => {
            "one of its names in quotes, or a table of that name".into()
        }
        () => text,
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault::new(Problem::Other(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Fault::wrong(String::new(), in_toml(expected))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Fault::wrong(String::new(), in_toml(expected))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Fault::wrong(String::new(), in_toml(expected))
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        let known = known.iter().map(|name| (*name).to_string()).collect();
        Fault::new(Problem::UnknownName { name: name.to_string(), known })
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Fault::new(Problem::UnknownKey { known: known.iter().map(|name| (*name).to_string()).collect() })
    }

    fn missing_field(field: &'static str) -> Self {
        Fault::new(Problem::Missing { field: field.to_string() })
    }

    fn duplicate_field(field: &'static str) -> Self {
        Fault::new(Problem::Other(format!("`{field}` is given twice")))
    }
}
