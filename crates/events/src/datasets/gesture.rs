//! DVS128 Gesture: recordings of many gestures, cut by their tables.

use tks_data::{Archive, DataError};

use super::set::Sample;
use crate::error::EventError;

/// The gestures of the recordings that `trials_to_train.txt` and `trials_to_test.txt` list.
pub(super) fn samples(archive: &Archive, classes: usize) -> Result<Vec<(Sample, &'static str)>, EventError> {
    let mut samples = Vec::new();
    for part in ["train", "test"] {
        let list = text(archive, archive.find_ending(&format!("trials_to_{part}.txt"))?)?;
        for file in list.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let entry = archive.find_ending(file)?;
            let trial = file.strip_suffix(".aedat").unwrap_or(file);
            let table = archive.find_ending(&format!("{trial}_labels.csv"))?;
            let rows = text(archive, table)?;
            // The first line names the columns.
            for (number, row) in rows.lines().enumerate().skip(1).filter(|(_, row)| !row.trim().is_empty()) {
                let (class, span) = gesture(row, classes).ok_or_else(|| EventError::Table {
                    path: archive.entry_path(table),
                    line: number + 1,
                    text: row.trim().to_string(),
                    expected: "class (from 1), start and end in us, with commas between",
                })?;
                let name = format!("{part}/{trial}/{number:02}");
                samples.push((Sample { name, class, entry, span: Some(span), row: 0 }, part));
            }
        }
    }
    Ok(samples)
}

/// `8,50000,150000`: class 7, from 50 ms to before 150 ms.
fn gesture(row: &str, classes: usize) -> Option<(usize, (i64, i64))> {
    let mut columns = row.split(',').map(|column| column.trim().parse::<i64>());
    let (class, start, end) = (columns.next()?.ok()?, columns.next()?.ok()?, columns.next()?.ok()?);
    let class = usize::try_from(class).ok()?.checked_sub(1).filter(|&class| class < classes)?;
    (start <= end).then_some((class, (start, end)))
}

fn text(archive: &Archive, entry: usize) -> Result<String, DataError> {
    let bytes = archive.bytes(entry)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
