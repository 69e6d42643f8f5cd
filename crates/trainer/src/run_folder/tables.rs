//! The files of a run that grow line by line. When a run is resumed, records after its checkpoint are
//! dropped, and damaged files are set aside.

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::{Context, Result};
use tks_data::whole_file;
use tks_report::EpochRecord;

use super::RunFolder;
use crate::message::{BatchMessage, Message};

/// A table of a run: a file name, and the columns named in its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    name: &'static str,
    columns: Vec<&'static str>,
}

/// A row: cells with the names of their columns.
type Row<const N: usize> = [(&'static str, String); N];

/// One line per batch. New columns are added at the end: readers of old tables may use positions, and tables
/// of older versions are extended by [`widened`].
fn batch_row(batch: &BatchMessage) -> Row<8> {
    [
        ("epoch", batch.epoch.to_string()),
        ("batch", batch.batch.to_string()),
        ("loss", batch.loss.to_string()),
        ("accuracy", batch.accuracy.to_string()),
        ("right_steps", batch.right_steps.to_string()),
        ("lr", batch.lr.to_string()),
        ("gradient_norm", optional(batch.gradient_norm)),
        ("cross_entropy", batch.cross_entropy.to_string()),
    ]
}

/// One line per epoch; new columns are added at the end.
fn epoch_row(record: &EpochRecord) -> Row<20> {
    let list = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    let parts: Vec<_> = record.loss_parts.iter().map(|(name, value)| format!("{name}={value}")).collect();
    [
        ("epoch", record.epoch.to_string()),
        ("learning_rate", optional(record.learning_rate)),
        ("train_loss", optional(record.train_loss)),
        ("train_accuracy", optional(record.train_accuracy)),
        ("test_loss", optional(record.test_loss)),
        ("test_accuracy", optional(record.test_accuracy)),
        ("label_weight", optional(record.label_weight)),
        ("right_steps", optional(record.right_steps)),
        ("none_right", optional(record.none_right)),
        ("teacher_entropy", optional(record.teacher_entropy)),
        ("firing_rate", optional(record.firing_rate)),
        ("gradient_norm", optional(record.gradient_norm)),
        ("samples_per_second", optional(record.samples_per_second)),
        ("seconds", optional(record.seconds)),
        ("peak_memory_mib", optional(record.peak_memory_mib)),
        ("loss_parts", parts.join(" ")),
        ("right_per_step", list(&record.right_per_step)),
        ("accuracy_by_steps", list(&record.accuracy_by_steps)),
        ("train_cross_entropy", optional(record.train_cross_entropy)),
        ("test_cross_entropy", optional(record.test_loss)),
    ]
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The names of all these files.
pub(super) const NAMES: [&str; 4] = [BATCHES, EPOCHS, RECORDS, LOG];

/// The tables.
const BATCHES: &str = "batches.csv";
const EPOCHS: &str = "epochs.csv";

fn batches() -> Table {
    Table::new(BATCHES, &batch_row(&BatchMessage::default()))
}

fn epochs() -> Table {
    Table::new(EPOCHS, &epoch_row(&EpochRecord::default()))
}

/// The epochs as JSON, and all messages.
const RECORDS: &str = "epochs.jsonl";
const LOG: &str = "log.jsonl";

/// A table begun by an older version of this program, extended by the columns added since, with empty cells.
/// `None` for any other table.
fn widened(table: &[u8], header: &str) -> Option<Vec<u8>> {
    let end = table.iter().position(|&byte| byte == b'\n')?;
    let (old, rows) = table.split_at(end);
    let missing = header.as_bytes().strip_prefix(old).filter(|missing| missing.first() == Some(&b','))?;
    let empty = vec![b','; missing.iter().filter(|&&byte| byte == b',').count()];
    let mut table = header.as_bytes().to_vec();
    for (at, line) in rows.split_inclusive(|&byte| byte == b'\n').enumerate() {
        match line.strip_suffix(b"\n") {
            // The end of the header's line is the first piece.
            Some(row) if at > 0 => table.extend([row, &empty, b"\n"].concat()),
            _ => table.extend(line),
        }
    }
    Some(table)
}

/// What is done with a line when a run is resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// It is kept.
    Keep,
    /// It is dropped, and recorded again.
    Drop,
    /// It is damaged.
    Damaged,
}

impl Table {
    fn new<const N: usize>(name: &'static str, row: &Row<N>) -> Self {
        Table { name, columns: row.iter().map(|(column, _)| *column).collect() }
    }

    fn header(&self) -> String {
        self.columns.join(",")
    }

    /// The first numbers of a row; `None` if the row is incomplete.
    fn numbers<const N: usize>(&self, row: &str) -> Option<[usize; N]> {
        let fields: Vec<&str> = row.split(',').collect();
        if fields.len() != self.columns.len() {
            return None;
        }
        let numbers: Vec<usize> = fields.iter().take(N).map_while(|field| field.parse().ok()).collect();
        numbers.try_into().ok()
    }
}

fn keep_up_to(within: bool) -> Line {
    if within { Line::Keep } else { Line::Drop }
}

impl RunFolder {
    /// The epochs so far. Incomplete lines are skipped; [`RunFolder::rewind`] sets them aside.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn epochs(&self) -> Result<Vec<EpochRecord>> {
        let bytes = self.bytes_of(RECORDS)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Drops the records at or after this position (from 0), which a run resumed there records again. Damaged
    /// lines are dropped, and a copy of the file is set aside with a warning.
    ///
    /// # Errors
    /// A failed write.
    pub fn rewind(&self, epoch: usize, batch: usize) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        let mut repair = |name: &str, header: Option<String>, judge: &dyn Fn(&str) -> Line| -> Result<()> {
            warnings.extend(self.repair(name, header, judge)?);
            Ok(())
        };
        let (batches, epochs) = (batches(), epochs());
        // Positions in the files count from 1.
        repair(batches.name, Some(batches.header()), &|line| match batches.numbers::<2>(line) {
            Some([of, number]) => keep_up_to((of, number) <= (epoch + 1, batch)),
            None => Line::Damaged,
        })?;
        repair(epochs.name, Some(epochs.header()), &|line| match epochs.numbers::<1>(line) {
            Some([number]) => keep_up_to(number <= epoch),
            None => Line::Damaged,
        })?;
        repair(RECORDS, None, &|line| match serde_json::from_str::<EpochRecord>(line) {
            Ok(record) => keep_up_to(record.epoch <= epoch),
            Err(_) => Line::Damaged,
        })?;
        repair(LOG, None, &|line| match serde_json::from_str::<serde_json::Value>(line) {
            Ok(_) => Line::Keep,
            Err(_) => Line::Damaged,
        })?;
        let known: std::collections::BTreeSet<usize> =
            self.epochs()?.into_iter().map(|record| record.epoch).collect();
        let missing: Vec<String> =
            (1..=epoch).filter(|number| !known.contains(number)).map(|number| number.to_string()).collect();
        if !missing.is_empty() {
            warnings.push(format!(
                "{} has no records of epoch {}: curves have a gap there",
                self.file(RECORDS).display(),
                missing.join(", ")
            ));
        }
        Ok(warnings)
    }

    /// Removes the lines of a file that are not to be kept; returns a warning if some were damaged.
    fn repair(
        &self,
        name: &str,
        header: Option<String>,
        judge: &dyn Fn(&str) -> Line,
    ) -> Result<Option<String>> {
        let Some(bytes) = self.bytes_of(name)? else { return Ok(None) };
        let wide = header.as_ref().and_then(|header| widened(&bytes, header));
        let mut lines: Vec<&[u8]> = wide.as_ref().unwrap_or(&bytes).split(|&byte| byte == b'\n').collect();
        // Text after the last line end is an incomplete row.
        lines.pop();
        let mut kept = String::new();
        let mut damaged = 0;
        let mut rows = lines.as_slice();
        if let (Some(header), Some((first, rest))) = (&header, lines.split_first()) {
            if *first == header.as_bytes() {
                rows = rest;
            }
            kept = format!("{header}\n");
        }
        for row in rows {
            let row = std::str::from_utf8(row).ok();
            match row.map_or(Line::Damaged, judge) {
                Line::Keep => kept.extend([row.unwrap_or_default(), "\n"]),
                Line::Drop => {}
                Line::Damaged => damaged += 1,
            }
        }
        if kept.as_bytes() == bytes {
            return Ok(None);
        }
        let warning = match damaged {
            0 => None,
            1 => Some(self.set_aside(name, &format!("{} has a damaged line", self.file(name).display()))?),
            _ => {
                let why = format!("{} has {damaged} damaged lines", self.file(name).display());
                Some(self.set_aside(name, &why)?)
            }
        };
        whole_file::write(&self.file(name), kept.as_bytes())?;
        Ok(warning)
    }

    /// A file's bytes; `None` if it does not exist.
    fn bytes_of(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.file(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Records a batch in `batches.csv`.
    ///
    /// # Errors
    /// A full disk or a failed write.
    pub fn append_batch(&self, batch: &BatchMessage) -> Result<()> {
        self.append_row(&batches(), batch_row(batch))
    }

    /// Records an epoch in `epochs.jsonl` and `epochs.csv`.
    ///
    /// # Errors
    /// A full disk or a failed write.
    pub fn append_epoch(&self, record: &EpochRecord) -> Result<()> {
        self.append(RECORDS, None, &serde_json::to_string(record)?)?;
        self.append_row(&epochs(), epoch_row(record))
    }

    /// Adds a message, as JSON, to `log.jsonl`.
    ///
    /// # Errors
    /// A full disk or a failed write.
    pub fn append_message(&self, message: &Message) -> Result<()> {
        self.append(LOG, None, &serde_json::to_string(message)?)
    }

    fn append_row<const N: usize>(&self, table: &Table, row: Row<N>) -> Result<()> {
        self.append(table.name, Some(&table.header()), &row.map(|(_, cell)| cell).join(","))
    }

    /// Adds a line to a file, after `header` if the file is new. If the disk is full, the incomplete line is
    /// removed.
    ///
    /// # Errors
    /// A full disk or a failed write.
    fn append(&self, name: &str, header: Option<&str>, line: &str) -> Result<()> {
        let path = self.file(name);
        let context = || format!("cannot write {}", path.display());
        let mut file = OpenOptions::new().create(true).append(true).open(&path).with_context(context)?;
        let length = file.metadata().with_context(context)?.len();
        let mut text = String::new();
        if let (0, Some(header)) = (length, header) {
            text = format!("{header}\n");
        }
        text += line;
        text.push('\n');
        // One write per line, so that readers never see an incomplete one.
        file.write_all(text.as_bytes())
            .inspect_err(|_| {
                // An incomplete line that cannot be removed is dropped when the run is resumed.
                let _ = file.set_len(length);
            })
            .with_context(context)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::config;
    use super::*;
    use crate::metrics::EpochMeters;

    fn recorded() -> (tempfile::TempDir, RunFolder) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&config(folder.path())).unwrap();
        for epoch in 1..=3 {
            for batch in 1..=2 {
                run.append_batch(&BatchMessage { epoch, batch, loss: 0.5, ..BatchMessage::default() })
                    .unwrap();
            }
            run.append_epoch(&EpochMeters::default().record(epoch, 0.1)).unwrap();
            run.append_message(&Message::Warning { text: format!("epoch {epoch}, half") }).unwrap();
        }
        (folder, run)
    }

    fn text(run: &RunFolder, name: &str) -> String {
        std::fs::read_to_string(run.file(name)).unwrap()
    }

    /// The first field of each row of a table, after its header.
    fn rows(run: &RunFolder, table: &Table) -> Vec<String> {
        let text = text(run, table.name);
        let (header, rows) = text.split_once('\n').unwrap();
        assert_eq!(header, table.header());
        let count = if table.name == batches().name { 2 } else { 1 };
        rows.lines().map(|row| row.split(',').take(count).collect::<Vec<_>>().join(".")).collect()
    }

    #[test]
    fn a_run_that_goes_on_forgets_what_it_will_record_again() {
        let (_folder, run) = recorded();
        // The second epoch's first batch was the last one before the checkpoint.
        assert!(run.rewind(1, 1).unwrap().is_empty());
        assert_eq!(rows(&run, &batches()), ["1.1", "1.2", "2.1"]);
        assert_eq!(rows(&run, &epochs()), ["1"]);
        assert_eq!(run.epochs().unwrap().len(), 1);
        assert_eq!(text(&run, LOG).lines().count(), 3, "what was said was said");
        assert!(run.rewind(1, 1).unwrap().is_empty());
    }

    #[test]
    fn half_a_row_is_no_row() {
        let (_folder, run) = recorded();
        for name in [batches().name, epochs().name, RECORDS, LOG] {
            let whole = text(&run, name);
            // Each file has about 100 to 700 bytes; one cut in each part of a line is enough.
            for cut in (0..whole.len()).step_by(13).chain([whole.len() - 1]) {
                std::fs::write(run.file(name), &whole[..cut]).unwrap();
                run.rewind(3, 0).unwrap();
                let left = text(&run, name);
                let lines = whole[..cut].rfind('\n').map_or("", |end| &whole[..=end]);
                assert_eq!(left, lines, "{name} cut at {cut}");
            }
            std::fs::write(run.file(name), whole).unwrap();
        }
        assert!(
            !std::fs::read_dir(run.path())
                .unwrap()
                .any(|entry| { entry.unwrap().file_name().to_string_lossy().contains("damaged") })
        );
    }

    #[test]
    fn a_damaged_line_is_dropped_and_the_file_set_aside() {
        for (name, damage) in [
            (batches().name, &b"2,1,0.5\n"[..]),
            (batches().name, b"2,x,0.5,1,1,0.1,\n"),
            (epochs().name, b"\xff\xfe\n"),
            (RECORDS, b"{\"epoch\":2\n"),
            (LOG, &[0, 0, 0, b'\n']),
        ] {
            let (_folder, run) = recorded();
            let whole = std::fs::read(run.file(name)).unwrap();
            std::fs::write(run.file(name), [&whole[..], damage].concat()).unwrap();
            let warnings = run.rewind(3, 0).unwrap();
            assert_eq!(warnings.len(), 1, "{name}: {warnings:?}");
            assert!(
                warnings[0].contains("a damaged line") && warnings[0].contains(&format!("{name}.damaged"))
            );
            assert_eq!(std::fs::read(run.file(name)).unwrap(), whole);
            assert_eq!(
                std::fs::read(run.file(&format!("{name}.damaged"))).unwrap(),
                [&whole[..], damage].concat()
            );
        }
    }

    #[test]
    fn zeros_at_the_end_are_dropped() {
        let (_folder, run) = recorded();
        let whole = text(&run, batches().name);
        run.append(batches().name, None, &"\0".repeat(200)).unwrap();
        run.rewind(3, 0).unwrap();
        assert_eq!(text(&run, batches().name), whole);
    }

    #[test]
    fn a_table_without_its_first_line_gets_it_again() {
        let (_folder, run) = recorded();
        let whole = text(&run, epochs().name);
        std::fs::write(run.file(epochs().name), whole.split_once('\n').unwrap().1).unwrap();
        assert!(run.rewind(3, 0).unwrap().is_empty());
        assert_eq!(text(&run, epochs().name), whole);
    }

    #[test]
    fn a_table_of_an_older_version_gets_the_columns_that_came_since() {
        let (_folder, run) = recorded();
        for (table, more) in [(epochs(), 2), (batches(), 1)] {
            let whole = text(&run, table.name);
            let without = |line: &str| {
                let cells: Vec<&str> = line.split(',').collect();
                cells[..cells.len() - more].join(",") + "\n"
            };
            let old: String = whole.lines().map(without).collect();
            std::fs::write(run.file(table.name), format!("{old}3,half a row")).unwrap();
            assert!(run.rewind(3, 0).unwrap().is_empty(), "nothing is damaged");
            let empty = ",".repeat(more);
            let rows = old.lines().skip(1).map(|row| format!("{row}{empty}\n"));
            assert_eq!(text(&run, table.name), format!("{}\n{}", table.header(), rows.collect::<String>()));
        }
        assert_eq!(widened(b"epoch,other\n", "epoch,loss,more"), None);
        assert_eq!(widened(b"epoch,loss\n", "epoch,loss"), None);
    }

    #[test]
    fn both_cross_entropies_stand_behind_the_columns_of_before() {
        let record =
            EpochRecord { train_cross_entropy: Some(0.5), test_loss: Some(0.75), ..EpochRecord::default() };
        let row = epoch_row(&record);
        assert_eq!(row[18], ("train_cross_entropy", "0.5".into()));
        assert_eq!(row[19], ("test_cross_entropy", "0.75".into()));
        assert_eq!(row[4], ("test_loss", "0.75".into()));
    }

    #[test]
    fn records_that_are_missing_are_named() {
        let (_folder, run) = recorded();
        let whole = text(&run, RECORDS);
        let without: Vec<&str> =
            whole.lines().enumerate().filter(|(at, _)| *at != 1).map(|(_, line)| line).collect();
        std::fs::write(run.file(RECORDS), without.join("\n") + "\n").unwrap();
        let warnings = run.rewind(3, 0).unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains("no records of epoch 2:"), "{warnings:?}");
        std::fs::remove_file(run.file(RECORDS)).unwrap();
        let warnings = run.rewind(3, 0).unwrap();
        assert!(warnings[0].contains("epoch 1, 2, 3"), "{warnings:?}");
    }

    #[test]
    fn a_report_reads_what_is_whole() {
        let (_folder, run) = recorded();
        run.append(RECORDS, None, "\0\0").unwrap();
        assert_eq!(run.epochs().unwrap().len(), 3);
    }
}
