//! DVS128 Gesture: recordings of several gestures each, divided by their tables.

use tks_data::{Archive, DataError};

use super::sample::{Found, Sample};
use crate::error::EventError;
use crate::formats::aedat3;

/// The gestures in the recordings listed by `trials_to_train.txt` and `trials_to_test.txt`.
pub(super) fn samples(archive: &Archive, classes: usize) -> Result<Vec<Found>, EventError> {
    let mut samples = Vec::new();
    for part in ["train", "test"] {
        let list = text(archive, archive.find_ending(&format!("trials_to_{part}.txt"))?)?;
        for file in list.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let entry = archive.find_ending(file)?;
            let trial = file.strip_suffix(".aedat").unwrap_or(file);
            let table = archive.find_ending(&format!("{trial}_labels.csv"))?;
            let path = archive.entry_path(table);
            let spans = aedat3::labels(&path, &text(archive, table)?, classes as u32)?;
            for (number, span) in (1..).zip(spans) {
                let name = format!("{part}/{trial}/{number:02}");
                // The table counts classes from 1.
                let class = (span.class as usize).checked_sub(1).ok_or_else(|| EventError::Layout {
                    path: path.clone(),
                    message: format!("gesture {number} has class 0; they are 1 to {classes}"),
                })?;
                let span = Some((span.start_us, span.end_us));
                samples.push((Sample { name, class, entry, span, row: 0 }, Some(part.to_owned())));
            }
        }
    }
    Ok(samples)
}

fn text(archive: &Archive, entry: usize) -> Result<String, DataError> {
    let bytes = archive.bytes(entry)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
