//! Ctrl-C: the training ends after its batch, saved.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};

/// Whether somebody asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Follows Ctrl-C (SIGINT) and SIGTERM: the first asks to stop, the second ends the process at once.
    ///
    /// # Errors
    /// There are handlers already.
    pub fn on_signals() -> Result<Self> {
        let stop = Stop::default();
        let asked = Arc::clone(&stop.0);
        ctrlc::set_handler(move || {
            if asked.fetch_add(1, Ordering::SeqCst) > 0 {
                std::process::exit(130);
            }
            eprintln!("stopping after this batch; once more ends at once, back to the last checkpoint");
        })
        .context("cannot follow Ctrl-C")?;
        Ok(stop)
    }

    /// Asks to stop.
    pub fn ask(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}
