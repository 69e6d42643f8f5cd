//! Splits into training and test samples: lists of names, and the rules that make them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::manifest::{SplitScheme, Stated};
use crate::rng::{sample_rng, shuffle};
use crate::toml_file;

/// A split as a list of sample names: the same samples on every machine, for any order of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredSplit {
    /// Name of the data set's manifest.
    pub dataset: String,
    /// How the split was made.
    pub about: String,
    /// The part that unlisted samples belong to; without it, each sample must be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
    /// The parts (`train`, `test`, ...) with the names of their samples.
    pub parts: BTreeMap<String, Vec<String>>,
}

/// The parts of a split: indices of samples, in the data set's order.
pub type Parts = BTreeMap<String, Vec<usize>>;

impl StoredSplit {
    /// Reads and validates the split in a TOML file.
    ///
    /// # Errors
    /// [`DataError::Io`], [`DataError::Toml`] and [`DataError::SplitOverlap`].
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let split: StoredSplit = toml_file::read(path)?;
        split.check()?;
        Ok(split)
    }

    /// Parses and validates the split in `text`; `origin` is its name in error messages.
    ///
    /// # Errors
    /// [`DataError::Toml`] and [`DataError::SplitOverlap`].
    pub fn parse(text: &str, origin: &Path) -> Result<Self, DataError> {
        let split: StoredSplit = toml_file::parse(text, origin)?;
        split.check()?;
        Ok(split)
    }

    /// The split as TOML, one sample per line.
    pub fn to_toml(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_string()).to_string();
        let mut text = format!("dataset = {}\nabout = {}\n", quoted(&self.dataset), quoted(&self.about));
        if let Some(rest) = &self.rest {
            text += &format!("rest = {}\n", quoted(rest));
        }
        text += "\n[parts]\n";
        for (part, names) in &self.parts {
            text += &format!("{} = [\n", quoted(part));
            names.iter().for_each(|name| text += &format!("    {},\n", quoted(name)));
            text += "]\n";
        }
        text
    }

    /// A split of the samples `names` into `test`, the given indices, and `train`, the rest, which is not
    /// listed.
    pub fn of_test_part<S: AsRef<str>>(dataset: &str, about: &str, names: &[S], test: &[usize]) -> Self {
        let mut listed: Vec<String> = test.iter().map(|&i| names[i].as_ref().to_string()).collect();
        listed.sort_by(|a, b| natural(a, b));
        StoredSplit {
            dataset: dataset.to_string(),
            about: about.to_string(),
            rest: Some("train".to_string()),
            parts: BTreeMap::from([("test".to_string(), listed)]),
        }
    }

    /// Checks that no sample is listed twice.
    ///
    /// # Errors
    /// [`DataError::SplitOverlap`] with the first sample that is.
    pub fn check(&self) -> Result<(), DataError> {
        self.listed().map(|_| ())
    }

    fn listed(&self) -> Result<HashMap<&str, &str>, DataError> {
        let mut listed = HashMap::new();
        for (part, names) in &self.parts {
            for name in names {
                if let Some(first) = listed.insert(name.as_str(), part.as_str()) {
                    return Err(DataError::SplitOverlap {
                        dataset: self.dataset.clone(),
                        sample: name.clone(),
                        first: first.to_string(),
                        second: part.clone(),
                    });
                }
            }
        }
        Ok(listed)
    }

    /// Assigns the samples `names` to their parts. With `strict`, every sample listed in the split must be
    /// present.
    ///
    /// # Errors
    /// [`DataError::SplitOverlap`]; [`DataError::SplitSample`] for a sample that belongs to no part, or is
    /// listed but missing.
    pub fn assign<S: AsRef<str>>(&self, names: &[S], strict: bool) -> Result<Parts, DataError> {
        let mut listed = self.listed()?;
        let mut parts: Parts = self.parts.keys().map(|part| (part.clone(), Vec::new())).collect();
        if let Some(rest) = &self.rest {
            parts.entry(rest.clone()).or_default();
        }
        let wrong = |sample: &str, message: String| DataError::SplitSample {
            dataset: self.dataset.clone(),
            sample: sample.to_string(),
            message,
        };
        for (index, name) in names.iter().enumerate() {
            let part = listed
                .remove(name.as_ref())
                .or(self.rest.as_deref())
                .ok_or_else(|| wrong(name.as_ref(), "it belongs to no part of the split".to_string()))?;
            if let Some(indices) = parts.get_mut(part) {
                indices.push(index);
            }
        }
        if strict && let Some((name, part)) = listed.iter().min() {
            return Err(wrong(
                name,
                format!(
                    "`{part}` lists it, but it is not among the data set's files, nor are {} others; is the \
                     download complete?",
                    listed.len() - 1
                ),
            ));
        }
        Ok(parts)
    }
}

/// Checks that the parts have the sizes stated in the manifest.
///
/// # Errors
/// [`DataError::SplitSize`] for the first that does not.
pub fn check_sizes(scheme: &SplitScheme, parts: &Parts) -> Result<(), DataError> {
    for (part, stated) in &scheme.parts {
        let found = parts.get(part).map_or(0, Vec::len) as u64;
        if let Stated::Value(stated) = *stated
            && stated != found
        {
            return Err(DataError::SplitSize {
                split: scheme.name.clone(),
                part: part.clone(),
                stated,
                found,
            });
        }
    }
    Ok(())
}

/// `train`: the first `fraction` of each class in the given order, rounded to whole samples (halves to even,
/// as in Python); `test`: the rest. With 0.9, this is the recipe of the TKS reference code for DVS-CIFAR10
/// and N-Caltech101.
pub fn first_of_class(labels: &[usize], fraction: f64) -> Parts {
    split_each_class(labels, fraction, |_, _| {})
}

/// `train`: `fraction` of each class, drawn by `seed`; `test`: the rest.
pub fn balanced(labels: &[usize], fraction: f64, seed: u64) -> Parts {
    split_each_class(labels, fraction, |class, members| {
        shuffle(members, &mut sample_rng(seed, 0, class as u64));
    })
}

fn split_each_class(labels: &[usize], fraction: f64, arrange: impl Fn(usize, &mut Vec<usize>)) -> Parts {
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, &label) in labels.iter().enumerate() {
        classes.entry(label).or_default().push(index);
    }
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (class, mut members) in classes {
        arrange(class, &mut members);
        let count = (fraction * members.len() as f64).round_ties_even() as usize;
        let count = count.min(members.len());
        test.extend_from_slice(&members[count..]);
        train.extend_from_slice(&members[..count]);
    }
    train.sort_unstable();
    test.sort_unstable();
    BTreeMap::from([("train".to_string(), train), ("test".to_string(), test)])
}

/// Natural order: numbers in names are compared as numbers, so `image_2` comes before `image_10`.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(&l), Some(&r)) = (left.first(), right.first()) {
        if l.is_ascii_digit() && r.is_ascii_digit() {
            let (left_number, left_rest) = number(left);
            let (right_number, right_rest) = number(right);
            let order =
                left_number.len().cmp(&right_number.len()).then_with(|| left_number.cmp(right_number));
            if order.is_ne() {
                return order;
            }
            (left, right) = (left_rest, right_rest);
        } else if l != r {
            return l.cmp(&r);
        } else {
            (left, right) = (&left[1..], &right[1..]);
        }
    }
    // `07` and `7` are the same number, but not the same name.
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The digits at the beginning, without leading zeros, and the rest.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let zeros = text[..end].iter().take_while(|&&b| b == b'0').count();
    (&text[zeros..end], &text[end..])
}
