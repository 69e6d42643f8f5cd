//! The network of a run's best epoch: which file contains it, even if the process was killed.
//!
//! `last.safetensors` is written first and identifies the best epoch's tensors by their digest;
//! `best.safetensors` then becomes a second name of that file. If the process is killed in between,
//! `best.safetensors` is outdated, but the best epoch's tensors are in `last.safetensors`.

use anyhow::Result;
use tks_data::whole_file;

use crate::checkpoint::{Best, Checkpoint, CheckpointKind, Header};
use crate::display::percent;
use crate::run_folder::RunFolder;

/// The location of a run's best network.
#[derive(Debug)]
pub(crate) enum BestNetwork {
    /// In `best.safetensors`.
    Kept(Checkpoint),
    /// In `last.safetensors`: the run was killed before the file got its second name.
    Last,
    /// In no file: `best.safetensors` contains another epoch's. With an explanation for the user.
    Other(Checkpoint, String),
    /// In no file. With an explanation for the user; `None` if no epoch was evaluated yet.
    Missing(Option<String>),
}

impl BestNetwork {
    /// Finds the best network of a run whose newest checkpoint is `last`.
    pub(crate) fn find(run: &RunFolder, last: &Header) -> Self {
        let path = run.checkpoint(CheckpointKind::Best);
        let wanted = last.position.best.as_ref();
        if wanted.is_some_and(|best| best.digest == last.digest) && !is_of(&path, &last.digest) {
            return BestNetwork::Last;
        }
        let lost = |what: &str| {
            let best = wanted?;
            Some(format!(
                "the network of the best epoch ({}, {}) is lost: {what}",
                best.epoch + 1,
                percent(best.accuracy)
            ))
        };
        if !path.exists() {
            return BestNetwork::Missing(lost(&format!("{} is not there", path.display())));
        }
        match Checkpoint::read(&path) {
            Ok(found) if wanted.is_some_and(|best| best.digest == found.digest) => BestNetwork::Kept(found),
            Ok(found) => match own_best(&found) {
                Some(own) => {
                    let what = format!(
                        "{} is of epoch {}, {}",
                        path.display(),
                        own.epoch + 1,
                        percent(own.accuracy)
                    );
                    let why =
                        lost(&what).unwrap_or_else(|| format!("{what}, later than the newest checkpoint"));
                    BestNetwork::Other(found, why)
                }
                None => BestNetwork::Missing(lost(&format!("{} is of no best epoch", path.display()))),
            },
            Err(error) => BestNetwork::Missing(Some(
                lost(&format!("{error:#}")).unwrap_or_else(|| format!("{error:#}")),
            )),
        }
    }

    /// Makes `best.safetensors` contain the best available network, and `best` identify it; returns a warning
    /// if it is not the run's best. The caller must hold the run's lock.
    ///
    /// # Errors
    /// A failed write.
    pub(crate) fn recover(self, run: &RunFolder, best: &mut Option<Best>) -> Result<Option<String>> {
        let path = run.checkpoint(CheckpointKind::Best);
        match self {
            BestNetwork::Kept(_) => Ok(None),
            BestNetwork::Last => {
                whole_file::copy(&run.checkpoint(CheckpointKind::Last), &path)?;
                Ok(None)
            }
            BestNetwork::Other(found, why) => {
                *best = found.position.best;
                Ok(Some(format!("{why}; it counts as the best from now on")))
            }
            BestNetwork::Missing(why) => {
                *best = None;
                let aside = if path.exists() { Some(whole_file::set_aside(&path)?) } else { None };
                let aside = aside
                    .map_or_else(String::new, |aside| format!("; it is set aside as {}", aside.display()));
                Ok(why.map(|why| format!("{why}{aside}; the best epoch from now on takes its place")))
            }
        }
    }
}

/// The best epoch of a checkpoint that belongs to that epoch itself.
fn own_best(found: &Checkpoint) -> Option<&Best> {
    found.position.best.as_ref().filter(|best| best.digest == found.digest)
}

/// Whether the checkpoint at `path` contains the tensors with this digest.
fn is_of(path: &std::path::Path, digest: &str) -> bool {
    path.exists() && Checkpoint::read(path).is_ok_and(|found| found.digest == digest)
}
