//! The common interface of data sets before their samples become arrays: [`SampleSet`], and the files that
//! are skipped.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::archive::{SkipReason, Skipped};

/// The samples of a data set, or of a part of one: each with its class, its name and its stored size.
///
/// [`crate::Dataset`] makes arrays of them.
pub trait SampleSet {
    /// The data set's name.
    fn set_name(&self) -> &str;

    /// The names of the classes, in the order of the labels.
    fn class_names(&self) -> &[String];

    /// The number of samples.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of a sample, below the number of classes.
    ///
    /// # Panics
    /// If there is no sample `index`; this applies to the methods below too.
    fn label(&self, index: usize) -> usize;

    /// The name of a sample, as messages have it.
    fn sample_name(&self, index: usize) -> String;

    /// The bytes that are stored of a sample, or of the file that holds it, if they are known.
    fn sample_size(&self, index: usize) -> Option<u64>;

    /// The files beside the samples, counted by what they are.
    fn passed_over(&self) -> &[PassedFiles];

    /// The number of samples of each class.
    fn per_class(&self) -> Vec<usize> {
        let mut counts = vec![0; self.class_names().len()];
        (0..self.len()).for_each(|index| counts[self.label(index)] += 1);
        counts
    }

    /// The classes of which the samples `part` have none, by their numbers.
    fn missing_classes(&self, part: &[usize]) -> Vec<usize> {
        let mut is_there = vec![false; self.class_names().len()];
        part.iter().for_each(|&index| is_there[self.label(index)] = true);
        (0..is_there.len()).filter(|&class| !is_there[class]).collect()
    }
}

/// Files of one kind that are skipped, because they are not samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedFiles {
    /// What they are, in the singular: "link to nothing".
    pub what: String,
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub first: String,
    /// Whether samples may be lost by it: not so for hidden files, and for texts and tables beside the samples.
    pub is_lost: bool,
}

impl fmt::Display for PassedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, count, first, .. } = self;
        match count {
            1 => write!(f, "1 {what} (`{first}`)"),
            _ => write!(f, "{count} x {what} (the first is `{first}`)"),
        }
    }
}

/// Counts skipped files by what they are.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<String, PassedFiles>);

impl Tally {
    /// Counts one more; `name` is asked for the first of a kind alone.
    pub fn add(&mut self, what: &str, is_lost: bool, name: impl FnOnce() -> String) {
        match self.0.get_mut(what) {
            Some(known) => {
                known.count += 1;
                known.is_lost |= is_lost;
            }
            None => {
                let what = what.to_owned();
                self.0.insert(what.clone(), PassedFiles { what, count: 1, first: name(), is_lost });
            }
        }
    }

    /// Counts what an archive skips by itself.
    pub fn add_skipped<'a>(&mut self, skipped: impl IntoIterator<Item = &'a Skipped>) {
        for Skipped { reason, name } in skipped {
            let is_lost = !matches!(reason, SkipReason::System | SkipReason::Replaced);
            self.add(reason.text(), is_lost, || name.to_string());
        }
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: Self) {
        for (what, more) in other.0 {
            match self.0.get_mut(&what) {
                Some(known) => {
                    known.count += more.count;
                    known.is_lost |= more.is_lost;
                }
                None => {
                    self.0.insert(what, more);
                }
            }
        }
    }

    /// All of it in a line; empty if nothing was counted.
    pub fn line(&self) -> String {
        self.0.values().map(PassedFiles::to_string).collect::<Vec<_>>().join(", ")
    }

    /// The counted files.
    pub fn finish(self) -> Vec<PassedFiles> {
        self.0.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Three(Vec<String>, Vec<PassedFiles>);

    impl SampleSet for Three {
        fn set_name(&self) -> &str {
            "three"
        }

        fn class_names(&self) -> &[String] {
            &self.0
        }

        fn len(&self) -> usize {
            3
        }

        fn label(&self, index: usize) -> usize {
            [2, 0, 2][index]
        }

        fn sample_name(&self, index: usize) -> String {
            index.to_string()
        }

        fn sample_size(&self, _: usize) -> Option<u64> {
            None
        }

        fn passed_over(&self) -> &[PassedFiles] {
            &self.1
        }
    }

    #[test]
    fn classes_are_counted_and_those_without_a_sample_are_found() {
        let set = Three(["a", "b", "c"].map(String::from).to_vec(), Vec::new());
        assert_eq!(set.per_class(), [1, 0, 2]);
        assert_eq!(set.missing_classes(&[0, 2]), [0, 1]);
        assert_eq!(set.missing_classes(&[]), [0, 1, 2]);
        assert!(!set.is_empty());
    }

    #[test]
    fn files_are_counted_by_kind_and_the_first_is_named() {
        let mut tally = Tally::default();
        tally.add("hidden file", false, || "b".into());
        tally.add("hidden file", false, || unreachable!("only the first is named"));
        let mut other = Tally::default();
        other.add("hidden file", false, || "a".into());
        other.add_skipped(&[Skipped { name: "gone".into(), reason: SkipReason::DanglingLink }]);
        tally.merge(other);
        assert_eq!(tally.line(), "3 x hidden file (the first is `b`), 1 link to nothing (`gone`)");
        let lost: Vec<bool> = tally.finish().iter().map(|files| files.is_lost).collect();
        assert_eq!(lost, [false, true]);

        let mut later = Tally::default();
        later.add("other file", false, || "LICENSE".into());
        later.add("other file", true, String::new);
        let mut merged = Tally::default();
        merged.add("other file", false, || "README".into());
        merged.merge(later);
        assert!(merged.finish()[0].is_lost, "one that may be lost is enough");
    }
}
