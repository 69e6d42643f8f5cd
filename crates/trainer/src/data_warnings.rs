//! Warnings about unusual data that can still be trained on.

use std::collections::BTreeMap;

use anyhow::Result;
use tch::Kind;
use tks_data::SampleSet;
use tks_data::archive::SkipReason;
use tks_events::datasets::EventSet;
use tks_images::ImageSet;
use tks_images::datasets::shared_images;

use crate::data::TensorBatch;

/// Maximum number of classes named in one warning.
const NAMED: usize = 5;

/// Share of recordings without events in a batch that causes a warning.
const EMPTY_SHARE: f64 = 0.1;

/// For recordings: classes without recordings in a part, and files that are not recordings. `used` are the
/// parts for training and testing.
pub(crate) fn of_recordings(
    set: &EventSet,
    parts: &BTreeMap<String, Vec<usize>>,
    used: [&String; 2],
) -> Vec<String> {
    let names = set.class_names();
    let mut warnings = Vec::new();
    let used = if used[0] == used[1] { &used[..1] } else { &used[..] };
    for part in used {
        let missing = parts.get(*part).map(|members| set.missing_classes(members)).unwrap_or_default();
        if let Some(named) = named(missing.iter().map(|&class| names[class].as_str())) {
            warnings.push(format!("`{part}` has no recording of {named}"));
        }
    }
    let told =
        set.passed_over().iter().filter(|files| files.is_lost || files.what == SkipReason::System.text());
    warnings.extend(told.map(|files| format!("passed over: {files}")));
    warnings
}

/// `the class `a``, or the number of classes and the first of them; `None` if there are none.
fn named<'a>(classes: impl ExactSizeIterator<Item = &'a str>) -> Option<String> {
    let count = classes.len();
    let first: Vec<String> = classes.take(NAMED).map(|class| format!("`{class}`")).collect();
    let first = first.join(", ");
    match count {
        0 => None,
        1 => Some(format!("the class {first}")),
        _ if count > NAMED => Some(format!("{count} classes: {first}, ...")),
        _ => Some(format!("{count} classes: {first}")),
    }
}

/// For images: lost samples, a single class, and test images that are also training images.
pub(crate) fn of_images(train: &ImageSet, test: &ImageSet, is_published: bool) -> Vec<String> {
    let is_one = train.part() == test.part();
    let sets = [train, test].into_iter().take(if is_one { 1 } else { 2 });
    let lost = sets.flat_map(|set| set.passed_over().iter().map(move |files| (set.part(), files)));
    let mut warnings: Vec<String> = lost
        .filter(|(_, files)| files.is_lost)
        .map(|(part, files)| format!("passed over in `{part}`: {files}"))
        .collect();
    if let [only] = train.class_names() {
        warnings.push(format!(
            "`{only}` is the only class: whatever the network answers is right; give each class a folder of its name"
        ));
    }
    if !is_one && !is_published {
        // An unreadable image stops the training when it is loaded, with its own name.
        if let Ok(Some(shared)) = shared_images(train, test) {
            let [of_test, of_train] = &shared.first;
            warnings.push(format!(
                "{} of the {} images of `{}` that were looked at are in `{}` too (the first is {}, as {}): the accuracy \
                 is one on images that were trained on; `tks data check` lists them",
                shared.count,
                shared.looked_at,
                test.part(),
                train.part(),
                of_test.display(),
                of_train.display()
            ));
        }
    }
    warnings
}

/// For the first batch: recordings of which the recipe leaves no events.
///
/// # Errors
/// Errors from libtorch.
pub(crate) fn of_first_batch(batch: &TensorBatch) -> Result<Option<String>> {
    if batch.inputs.dim() != 5 {
        return Ok(None);
    }
    let largest = batch.inputs.f_abs()?.f_amax([0, 2, 3, 4], false)?;
    let empty = largest.f_eq(0.0)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
    Ok((empty as f64 >= EMPTY_SHARE * batch.len as f64 && empty > 0).then(|| {
        format!(
            "{empty} of the {} recordings of the first batch hold no event: look at the filters, crops and slicing of \
             `data.events.recipe` (`tks data show` draws what the network sees)",
            batch.len
        )
    }))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Tensor};

    use super::*;

    #[test]
    fn recordings_without_an_event_are_counted() {
        let inputs = Tensor::zeros([3, 4, 2, 2, 2], (Kind::Float, Device::Cpu));
        let _ = inputs.get(2).get(1).fill_(1.0);
        let labels = Tensor::zeros([4], (Kind::Int64, Device::Cpu));
        let batch = |inputs: &Tensor| TensorBatch {
            inputs: inputs.shallow_clone(),
            labels: labels.shallow_clone(),
            soft: None,
            len: 4,
        };
        let told = of_first_batch(&batch(&inputs)).unwrap().unwrap();
        assert!(told.starts_with("3 of the 4 recordings"), "{told}");
        assert_eq!(of_first_batch(&batch(&inputs.ones_like())).unwrap(), None);
        assert_eq!(of_first_batch(&batch(&inputs.get(0))).unwrap(), None, "images have no events");
    }
}
