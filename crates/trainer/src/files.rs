//! The run's files that grow while it trains: tables, the log, TensorBoard's event file.

use anyhow::Result;
use tks_report::EpochRecord;
use tks_report::EventWriter;

use crate::message::{BatchMessage, Listener, Message};
use crate::run_folder::RunFolder;

/// Writes all that a training says into its run's folder.
pub struct RunFiles {
    run: RunFolder,
    wants_tensorboard: bool,
    tensorboard: Option<EventWriter>,
    /// Batches in an epoch: TensorBoard's steps are batches, for epochs too.
    batches: usize,
}

impl RunFiles {
    /// For `run`; with TensorBoard's event files if asked.
    pub fn new(run: RunFolder, wants_tensorboard: bool) -> Self {
        RunFiles { run, wants_tensorboard, tensorboard: None, batches: 1 }
    }

    fn begin(&mut self, batches: usize, resumed: Option<(usize, usize)>) -> Result<()> {
        self.batches = batches;
        if self.wants_tensorboard {
            let folder = self.run.file("tensorboard");
            self.tensorboard = Some(match resumed {
                Some((epoch, batch)) => EventWriter::resume(&folder, (epoch * batches + batch + 1) as i64)?,
                None => EventWriter::create(&folder)?,
            });
        }
        Ok(())
    }

    fn batch(&mut self, batch: &BatchMessage) -> Result<()> {
        let header = "epoch,batch,loss,accuracy,right_steps,lr,gradient_norm";
        let BatchMessage { epoch, batch: number, loss, accuracy, right_steps, lr, gradient_norm, .. } = batch;
        let norm = optional(*gradient_norm);
        let line = format!("{epoch},{number},{loss},{accuracy},{right_steps},{lr},{norm}");
        self.run.append("batches.csv", Some(header), &line)?;
        let step = (epoch - 1) * self.batches + number;
        self.scalars(step, &[("batch/loss".into(), *loss), ("batch/learning_rate".into(), *lr)])
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.run.append("epochs.jsonl", None, &serde_json::to_string(record)?)?;
        let list = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
        let parts: Vec<_> = record.loss_parts.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let columns = [
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
        ];
        let header = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
        let line = columns.map(|(_, value)| value).join(",");
        self.run.append("epochs.csv", Some(&header), &line)?;
        self.scalars(record.epoch * self.batches, &record.scalars())?;
        match &mut self.tensorboard {
            Some(writer) => Ok(writer.flush()?),
            None => Ok(()),
        }
    }

    fn scalars(&mut self, step: usize, scalars: &[(String, f64)]) -> Result<()> {
        match &mut self.tensorboard {
            Some(writer) => Ok(writer.scalars(step as i64, scalars)?),
            None => Ok(()),
        }
    }
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

impl Listener for RunFiles {
    fn hear(&mut self, message: &Message) -> Result<()> {
        match message {
            Message::Start { batches, resumed, .. } => self.begin(*batches, *resumed)?,
            Message::Batch(batch) => return self.batch(batch),
            Message::Testing { .. } => return Ok(()),
            Message::Epoch(record) => self.epoch(record)?,
            _ => {}
        }
        self.run.append("log.jsonl", None, &serde_json::to_string(message)?)
    }
}
