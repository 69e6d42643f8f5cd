//! Files skipped by a reader, counted and named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Skipped files of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Their description, in the singular: "AVIF image, which is not read".
    pub what: String,
    /// Their number.
    pub count: u64,
    /// The name of the first.
    pub first: String,
    /// Whether samples are lost: hidden files and text files beside images are not samples.
    pub is_lost: bool,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, count, first, .. } = self;
        match count {
            1 => write!(formatter, "1 {what} (`{first}`)"),
            _ => write!(formatter, "{count} x {what} (the first is `{first}`)"),
        }
    }
}

/// Counts skipped files.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, LeftOut>);

impl Tally {
    pub(super) fn add(&mut self, what: &str, is_lost: bool, name: impl FnOnce() -> String) {
        match self.0.get_mut(what) {
            Some(known) => known.count += 1,
            None => {
                let what = what.to_owned();
                self.0.insert(what.clone(), LeftOut { what, count: 1, first: name(), is_lost });
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (what, more) in other.0 {
            match self.0.get_mut(&what) {
                Some(known) => known.count += more.count,
                None => {
                    self.0.insert(what, more);
                }
            }
        }
    }

    /// All of them in one line; empty if nothing was skipped.
    pub(super) fn tell(&self) -> String {
        self.0.values().map(LeftOut::to_string).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn finish(self) -> Vec<LeftOut> {
        self.0.into_values().collect()
    }
}
