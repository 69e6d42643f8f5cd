//! The files that a training writes, and their order: at any time, the files on disk are consistent, and
//! there is a checkpoint from which training has continued successfully.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use tch::Tensor;
use tks_data::whole_file;

use super::Trainer;
use crate::checkpoint::{CheckpointKind, Draft, Header, Position, check_finite, is_finite};

impl Trainer {
    /// Writes the newest checkpoint, with a second name if it belongs to the best epoch.
    ///
    /// The one before is kept as `previous.safetensors` until a step has been made from the new one: if the
    /// very next batch failed, a resumed run would fail there with any learning rate.
    pub(super) fn save(&mut self, is_best: bool) -> Result<()> {
        let run = self.run.path().display().to_string();
        let tensors = self.finite_tensors()?;
        let written = self.write_last(&tensors, is_best);
        self.last_checkpoint = Instant::now();
        written.with_context(|| {
            format!("the checkpoint was not written; that of before is whole, and `tks resume {run}` goes on from it")
        })
    }

    /// All tensors to be saved.
    ///
    /// # Errors
    /// A non-finite tensor, with the position in the training and how to continue.
    pub(super) fn finite_tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let tensors = self.tensors();
        check_finite(&tensors).map_err(|error| {
            anyhow!(
                "{error:#}\nthe checkpoint was not written after epoch {}, batch {}; {}",
                self.position.epoch + 1,
                self.position.batch,
                self.how_to_go_on()
            )
        })?;
        Ok(tensors)
    }

    fn write_last(&mut self, tensors: &[(String, Tensor)], is_best: bool) -> Result<()> {
        let [last, best, previous] = [CheckpointKind::Last, CheckpointKind::Best, CheckpointKind::Previous]
            .map(|which| self.run.checkpoint(which));
        let keeps = self.went_on && last.exists();
        if keeps {
            whole_file::copy(&last, &previous)?;
        }
        let digest = match self.draft(tensors, is_best).write(&last) {
            Ok(digest) => digest,
            Err(error) => {
                if keeps {
                    // The original error is the one to report; a resumed run removes the file anyway.
                    let _ = whole_file::remove(&previous);
                }
                return Err(error);
            }
        };
        self.went_on = false;
        if let (Some(known), true) = (&mut self.position.best, is_best) {
            known.digest = digest;
            whole_file::copy(&last, &best)?;
        }
        Ok(())
    }

    /// Notes that a step was made: the newest checkpoint can be resumed from if the step left the running
    /// statistics finite. They depend on the weights before the step, not on its learning rate.
    pub(super) fn note_step(&mut self) -> Result<()> {
        if !self.went_on && self.step_start.is_finite()? {
            self.went_on = true;
            whole_file::remove(&self.run.checkpoint(CheckpointKind::Previous))?;
        }
        Ok(())
    }

    /// The remedy after a failed step.
    pub(super) fn how_to_go_on(&self) -> String {
        let run = self.run.path().display();
        match self.fall_back() {
            Ok(true) => format!(
                "the newest checkpoint is one of before it. A smaller `optimizer.lr` or a `training.clip_norm` often \
                 helps: `tks resume {run} --set optimizer.lr=...`, or from the best epoch with `--checkpoint best`"
            ),
            Ok(false) => format!(
                "no step was made from the newest checkpoint, so that no learning rate helps `tks resume {run}`: look at \
                 the data, at `network` and at `loss`, or go on from the best epoch with `--checkpoint best` where there \
                 is one"
            ),
            Err(error) => {
                format!("the checkpoint before the newest could not be put in its place ({error:#})")
            }
        }
    }

    /// After a failed step, makes the newest checkpoint one from which a step was made. `false` if there is
    /// none.
    fn fall_back(&self) -> Result<bool> {
        if self.went_on {
            return Ok(true);
        }
        let [last, previous] =
            [CheckpointKind::Last, CheckpointKind::Previous].map(|which| self.run.checkpoint(which));
        let place = |header: Header| (header.position.epoch, header.position.batch);
        if !previous.exists() || place(Header::read(&previous)?) == place(Header::read(&last)?) {
            return Ok(false);
        }
        whole_file::rename(&previous, &last)?;
        Ok(true)
    }

    /// Writes a checkpoint of the current state to another file.
    pub(super) fn write_aside(&self, path: &Path) -> Result<()> {
        self.draft(&self.tensors(), false).write(path).map(|_| ())
    }

    fn draft<'a>(&'a self, tensors: &'a [(String, Tensor)], is_best: bool) -> Draft<'a> {
        Draft { state: self.state, position: &self.position, basis: &self.basis, tensors, is_best }
    }

    fn tensors(&self) -> Vec<(String, Tensor)> {
        let optimizer = self.optimizer.state();
        let average = self.ema.as_ref().map_or(&[][..], |ema| ema.tensors());
        [("network", self.network.named_tensors()), ("optimizer", &optimizer), ("ema", average)]
            .into_iter()
            .flat_map(|(prefix, tensors)| {
                tensors.iter().map(move |(name, tensor)| (format!("{prefix}.{name}"), tensor.shallow_clone()))
            })
            .collect()
    }
}

/// The state at the start of an optimiser step, to be restored if one of its batches fails: the position and
/// the tensors that a forward pass changes.
#[derive(Debug, Default)]
pub(super) struct StepStart {
    position: Position,
    /// Running statistics and their values at that time.
    statistics: Vec<(Tensor, Tensor)>,
}

impl StepStart {
    /// Allocates memory for the values of a network's running statistics.
    pub(super) fn new(tensors: &[(String, Tensor)]) -> Result<Self> {
        let running = tensors.iter().filter(|(_, tensor)| !tensor.requires_grad());
        let pair =
            |(_, tensor): &(String, Tensor)| Ok((tensor.shallow_clone(), tensor.f_detach()?.f_zeros_like()?));
        Ok(StepStart { statistics: running.map(pair).collect::<Result<_>>()?, ..StepStart::default() })
    }

    /// Whether the current running statistics are finite.
    fn is_finite(&self) -> Result<bool> {
        self.statistics.iter().try_fold(true, |so_far, (live, _)| Ok(so_far && is_finite(live)?))
    }

    /// Stores the current values.
    pub(super) fn take(&mut self, position: &Position) -> Result<()> {
        self.position.clone_from(position);
        tch::no_grad(|| self.statistics.iter_mut().try_for_each(|(live, kept)| Ok(kept.f_copy_(live)?)))
    }

    /// Restores the stored values.
    pub(super) fn restore(&self, position: &mut Position) -> Result<()> {
        position.clone_from(&self.position);
        tch::no_grad(|| {
            self.statistics.iter().try_for_each(|(live, kept)| Ok(live.shallow_clone().f_copy_(kept)?))
        })
    }
}
