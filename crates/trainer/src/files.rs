//! The files of a run that grow during training: tables, the log, TensorBoard's event file.

use anyhow::Result;
use tks_report::EpochRecord;
use tks_report::EventWriter;

use crate::message::{BatchMessage, Listener, Message};
use crate::run_folder::RunFolder;

/// Writes all messages of a training to its run's folder.
#[derive(Debug)]
pub struct RunFiles {
    run: RunFolder,
    wants_tensorboard: bool,
    tensorboard: Option<EventWriter>,
    /// Number of batches in an epoch: TensorBoard's steps are batches, also for values of an epoch.
    batches: usize,
}

impl RunFiles {
    /// Creates the files for `run`, with TensorBoard's event files if requested.
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
        self.run.append_batch(batch)?;
        let step = (batch.epoch - 1) * self.batches + batch.batch;
        let scalars = [
            ("batch/loss", batch.loss),
            ("batch/cross_entropy", batch.cross_entropy),
            ("batch/learning_rate", batch.lr),
        ];
        self.scalars(step, &scalars.map(|(name, value)| (name.to_string(), value)))
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.run.append_epoch(record)?;
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

impl Listener for RunFiles {
    fn hear(&mut self, message: &Message) -> Result<()> {
        match message {
            Message::Start { batches, resumed, .. } => self.begin(*batches, *resumed)?,
            Message::Batch(batch) => return self.batch(batch),
            Message::Testing { .. } => return Ok(()),
            Message::Epoch(record) => self.epoch(record)?,
            _ => {}
        }
        self.run.append_message(message)
    }
}
