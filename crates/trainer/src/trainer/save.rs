//! What a training writes of itself, and in which order: at every moment what is on disk fits together, and there is a
//! checkpoint that a training has gone on from.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use tch::Tensor;
use tks_data::whole_file;

use super::Trainer;
use crate::checkpoint::{Draft, Header, Which, check_finite};

impl Trainer {
    /// Writes the newest checkpoint, and gives it a second name if it is the best epoch's.
    ///
    /// The one before is kept as `previous.safetensors` until a step was made from the new one: should its very next batch
    /// fail, a resumed run would fail there whatever its learning rate.
    pub(super) fn save(&mut self, is_best: bool) -> Result<()> {
        let tensors = self.tensors();
        let run = self.run.path().display().to_string();
        check_finite(&tensors).with_context(|| {
            format!(
                "the checkpoint was not written after epoch {}, batch {}; that of before is whole, and `tks resume {run} \
                 --set optimizer.lr=...` goes on from it with a smaller learning rate",
                self.position.epoch + 1,
                self.position.batch
            )
        })?;
        let written = self.write_last(&tensors, is_best);
        self.last_checkpoint = Instant::now();
        written.with_context(|| {
            format!("the checkpoint was not written; that of before is whole, and `tks resume {run}` goes on from it")
        })
    }

    fn write_last(&mut self, tensors: &[(String, Tensor)], is_best: bool) -> Result<()> {
        let [last, best, previous] =
            [Which::Last, Which::Best, Which::Previous].map(|which| self.run.checkpoint(which));
        let keeps = self.went_on && last.exists();
        if keeps {
            whole_file::copy(&last, &previous)?;
        }
        let digest = match self.draft(tensors, is_best).write(&last) {
            Ok(digest) => digest,
            Err(error) => {
                if keeps {
                    // The error is what the user has to hear of; a run that goes on removes the file anyway.
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

    /// Notes that a step was made: the newest checkpoint is one to go on from.
    pub(super) fn note_step(&mut self) -> Result<()> {
        if !self.went_on {
            self.went_on = true;
            whole_file::remove(&self.run.checkpoint(Which::Previous))?;
        }
        Ok(())
    }

    /// After a batch that failed: has the newest checkpoint be one that a step was made from. `false` where there is none.
    pub(super) fn fall_back(&self) -> Result<bool> {
        if self.went_on {
            return Ok(true);
        }
        let [last, previous] = [Which::Last, Which::Previous].map(|which| self.run.checkpoint(which));
        let place = |header: Header| (header.position.epoch, header.position.batch);
        if !previous.exists() || place(Header::read(&previous)?) == place(Header::read(&last)?) {
            return Ok(false);
        }
        whole_file::rename(&previous, &last)?;
        Ok(true)
    }

    /// Writes a checkpoint of this moment somewhere else.
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

/// The state at the beginning of a step of the optimiser, to go back to if one of its batches fails: what a forward pass
/// changes, and the position.
#[derive(Debug, Default)]
pub(super) struct StepStart {
    position: crate::checkpoint::Position,
    /// Running statistics, and their values then.
    statistics: Vec<(Tensor, Tensor)>,
}

impl StepStart {
    /// Makes room for the values of a network's running statistics.
    pub(super) fn new(tensors: &[(String, Tensor)]) -> Result<Self> {
        let running = tensors.iter().filter(|(_, tensor)| !tensor.requires_grad());
        let pair =
            |(_, tensor): &(String, Tensor)| Ok((tensor.shallow_clone(), tensor.f_detach()?.f_zeros_like()?));
        Ok(StepStart { statistics: running.map(pair).collect::<Result<_>>()?, ..StepStart::default() })
    }

    /// Takes the values of this moment.
    pub(super) fn take(&mut self, position: &crate::checkpoint::Position) -> Result<()> {
        self.position.clone_from(position);
        tch::no_grad(|| self.statistics.iter_mut().try_for_each(|(live, kept)| Ok(kept.f_copy_(live)?)))
    }

    /// Puts them back.
    pub(super) fn restore(&self, position: &mut crate::checkpoint::Position) -> Result<()> {
        position.clone_from(&self.position);
        tch::no_grad(|| {
            self.statistics.iter().try_for_each(|(live, kept)| Ok(live.shallow_clone().f_copy_(kept)?))
        })
    }
}
