//! The state of a run between its first checkpoint and its end, which is stored in the checkpoint.
//!
//! ```text
//! created -> training -> finishing -> finished
//!               ^            |           |
//!               +------------+-----------+   more epochs, or more patience
//! ```
//!
//! A run without a checkpoint is in the state created. In the state finishing, all epochs are completed, but
//! the last evaluation and the report are not; if the process is killed, `tks resume` completes them.

use serde::{Deserialize, Serialize};

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RunState {
    /// It has a configuration but no checkpoint yet.
    Created,
    /// Epochs remain.
    Training,
    /// No epochs remain; the evaluation of the best network and the report do.
    Finishing {
        /// Whether epochs were skipped because there was no progress.
        early: bool,
    },
    /// Nothing remains.
    Finished {
        /// Whether epochs were skipped because there was no progress.
        early: bool,
    },
}

/// How long a run should train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Total number of epochs.
    pub epochs: usize,
    /// Number of epochs without a better accuracy after which it ends early.
    pub patience: Option<usize>,
    /// Number of warm-up epochs, for which patience does not count.
    pub warmup: usize,
}

/// The progress of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Number of completed epochs.
    pub epochs: usize,
    /// Whether the next epoch has begun.
    pub within_epoch: bool,
    /// The best epoch, from 0.
    pub best: Option<usize>,
}

impl RunState {
    /// The state at the end of an epoch.
    pub fn after_epoch(progress: Progress, plan: Plan) -> Self {
        if progress.epochs >= plan.epochs {
            return RunState::Finishing { early: false };
        }
        let since_best =
            progress.best.map_or(0, |best| progress.epochs.saturating_sub((best + 1).max(plan.warmup)));
        match plan.patience {
            Some(patience) if since_best >= patience => RunState::Finishing { early: true },
            _ => RunState::Training,
        }
    }

    /// The state of a run that is resumed with `plan`, which may differ from before.
    #[must_use]
    pub fn resumed(self, progress: Progress, plan: Plan) -> Self {
        if self == RunState::Created {
            return self;
        }
        // Patience counts whole epochs: it has no effect within an epoch, or before the first one.
        let patience = plan.patience.filter(|_| !progress.within_epoch && progress.epochs > 0);
        match (self, RunState::after_epoch(progress, Plan { patience, ..plan })) {
            (RunState::Finished { .. }, RunState::Finishing { early }) => RunState::Finished { early },
            (_, due) => due,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use RunState::{Created, Finished, Finishing, Training};

    fn progress(epochs: usize, best: usize) -> Progress {
        Progress { epochs, within_epoch: false, best: Some(best) }
    }

    fn plan(epochs: usize, patience: impl Into<Option<usize>>) -> Plan {
        Plan { epochs, patience: patience.into(), warmup: 0 }
    }

    #[test]
    fn it_trains_until_its_epochs_are_done() {
        for done in 0..5 {
            let expected = if done < 3 { Training } else { Finishing { early: false } };
            assert_eq!(RunState::after_epoch(progress(done, 0), plan(3, None)), expected, "{done}");
        }
    }

    #[test]
    fn it_ends_early_after_so_many_epochs_without_progress() {
        // The best epoch is the first; the second is the first without progress.
        let states = [1, 2, 3].map(|done| RunState::after_epoch(progress(done, 0), plan(9, 2)));
        assert_eq!(states, [Training, Training, Finishing { early: true }]);
        assert_eq!(RunState::after_epoch(progress(3, 1), plan(9, 2)), Training);
        assert_eq!(RunState::after_epoch(progress(4, 1), plan(9, 2)), Finishing { early: true });
        // Without an evaluation, there is nothing to wait for.
        let unknown = Progress { best: None, ..progress(8, 0) };
        assert_eq!(RunState::after_epoch(unknown, plan(9, 2)), Training);
    }

    #[test]
    fn nothing_is_waited_for_in_the_warm_up() {
        let warming = Plan { warmup: 3, ..plan(9, 2) };
        let states = [1, 2, 3, 4, 5].map(|done| RunState::after_epoch(progress(done, 0), warming));
        assert_eq!(states, [Training, Training, Training, Training, Finishing { early: true }]);
        assert_eq!(RunState::after_epoch(progress(5, 4), warming), Training);
    }

    #[test]
    fn the_last_epoch_is_no_early_end() {
        assert_eq!(RunState::after_epoch(progress(3, 0), plan(3, 2)), Finishing { early: false });
    }

    #[test]
    fn what_was_killed_goes_on_where_it_was() {
        let same = plan(3, 2);
        assert_eq!(Created.resumed(progress(0, 0), same), Created);
        assert_eq!(Training.resumed(progress(1, 0), same), Training);
        assert_eq!(Finishing { early: false }.resumed(progress(3, 2), same), Finishing { early: false });
        assert_eq!(Finished { early: false }.resumed(progress(3, 2), same), Finished { early: false });
        let early = plan(9, 2);
        assert_eq!(Finishing { early: true }.resumed(progress(3, 0), early), Finishing { early: true });
        assert_eq!(Finished { early: true }.resumed(progress(3, 0), early), Finished { early: true });
    }

    #[test]
    fn more_epochs_or_more_patience_train_on() {
        for ended in [Finishing { early: false }, Finished { early: false }] {
            assert_eq!(ended.resumed(progress(3, 2), plan(4, None)), Training);
        }
        for ended in [Finishing { early: true }, Finished { early: true }] {
            assert_eq!(ended.resumed(progress(3, 0), plan(9, 3)), Training);
            assert_eq!(ended.resumed(progress(3, 0), plan(9, None)), Training);
            // More epochs alone do not change the lack of progress.
            assert_ne!(ended.resumed(progress(3, 0), plan(99, 2)), Training);
        }
    }

    #[test]
    fn fewer_epochs_or_less_patience_end_it() {
        assert_eq!(Training.resumed(progress(3, 2), plan(2, None)), Finishing { early: false });
        assert_eq!(Training.resumed(progress(3, 0), plan(9, 1)), Finishing { early: true });
        let within = Progress { within_epoch: true, ..progress(3, 0) };
        assert_eq!(
            Training.resumed(within, plan(9, 1)),
            Training,
            "an epoch that has begun is trained to its end"
        );
        assert_eq!(Training.resumed(within, plan(3, None)), Finishing { early: false });
        let untrained = Progress { epochs: 0, within_epoch: false, best: None };
        assert_eq!(Training.resumed(untrained, plan(9, 1)), Training);
    }

    #[test]
    fn a_state_is_written_and_read() {
        for state in [Created, Training, Finishing { early: true }, Finished { early: false }] {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<RunState>(&text).unwrap(), state, "{text}");
        }
    }
}
