//! Mapping of classes by name: the class order of a trained network may differ from that of the data it is
//! used on.

use std::fmt;
use std::sync::Arc;

use anyhow::{Result, ensure};
use tks_data::{BoxError, Dataset, SampleContext, SampleShape, SampleSlot};
use tks_images::datasets::class_difference;

use crate::data::Samples;

/// Lists of more names than this are only counted.
const LISTED: usize = 5;

/// The index in `known` of each class of `found`: the same classes, possibly in another order.
///
/// # Errors
/// Names the classes that only one of them has.
pub(crate) fn join(known: &[String], found: &[String]) -> Result<Vec<usize>> {
    ensure!(
        same(known, found),
        "the run was trained on the classes {}, but the data have {}: {}. Give the data that it was trained for, or a \
         new training for these",
        list(known),
        list(found),
        class_difference(("run", known), ("data", found)).unwrap_or_else(|| "a class occurs twice".into())
    );
    let place = |class: &String| known.iter().position(|known| known == class).unwrap_or_default();
    // The same order is recognised even if two classes have the same name.
    Ok(if known == found { (0..known.len()).collect() } else { found.iter().map(place).collect() })
}

fn same(one: &[String], other: &[String]) -> bool {
    let sorted = |classes: &[String]| {
        let mut classes = classes.to_vec();
        classes.sort();
        classes
    };
    one == other || sorted(one) == sorted(other)
}

/// A list of names, shortened to the first few if there are many.
fn list(classes: &[String]) -> String {
    let named: Vec<String> = classes.iter().take(LISTED).map(|class| format!("`{class}`")).collect();
    match classes.len().saturating_sub(LISTED) {
        0 if classes.is_empty() => "none".into(),
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Samples with labels converted to another numbering of the same classes.
pub(crate) struct Relabeled {
    samples: Arc<Samples>,
    labels: Vec<usize>,
}

impl fmt::Debug for Relabeled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relabeled").field("labels", &self.labels).finish_non_exhaustive()
    }
}

impl Relabeled {
    /// `samples` unchanged if `labels` has no effect; otherwise, label `k` becomes `labels[k]`.
    pub(crate) fn wrap(samples: Arc<Samples>, labels: &[usize]) -> Arc<Samples> {
        if labels.iter().enumerate().all(|(from, &to)| from == to) {
            return samples;
        }
        Arc::new(Relabeled { samples, labels: labels.to_vec() })
    }
}

impl Dataset for Relabeled {
    type Element = f32;

    fn len(&self) -> usize {
        self.samples.len()
    }

    fn shape(&self) -> SampleShape {
        self.samples.shape()
    }

    fn classes(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> usize {
        let label = self.samples.label(index);
        // An invalid label remains invalid: the loader names its sample.
        self.labels.get(label).copied().unwrap_or(label)
    }

    fn sample_name(&self, index: usize) -> String {
        self.samples.sample_name(index)
    }

    fn load(
        &self,
        index: usize,
        context: &mut SampleContext,
        slot: SampleSlot<'_, f32>,
    ) -> Result<(), BoxError> {
        self.samples.load(index, context, slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn classes_in_another_order_are_joined_by_name() {
        assert_eq!(join(&names("cat dog emu"), &names("emu cat dog")).unwrap(), [2, 0, 1]);
        assert_eq!(join(&names("a a b"), &names("a a b")).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn other_classes_are_named() {
        let error = |known: &str, found: &str| join(&names(known), &names(found)).unwrap_err().to_string();
        let said = error("cat dog emu", "dog emu zebra");
        assert!(
            said.contains(
                "trained on the classes `cat`, `dog`, `emu`, but the data have `dog`, `emu`, `zebra`"
            )
        );
        assert!(said.contains("`data` lacks the class `cat`, which `run` has"), "{said}");
        assert!(said.contains("`run` lacks the class `zebra`, which `data` has"), "{said}");
        let said = error("cat dog emu", "dog emu");
        assert!(said.contains("`data` lacks the class `cat`") && !said.contains("`run` lacks"), "{said}");
        let said = error("a b c d e f g", "a");
        assert!(said.contains("`a`, `b`, `c`, `d`, `e` and 2 more"), "{said}");
    }
}
