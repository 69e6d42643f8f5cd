//! Ctrl-C: the training saves and ends after its current batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

/// Whether a stop was requested.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicUsize>);

impl StopFlag {
    /// Handles Ctrl-C (SIGINT), SIGTERM and SIGHUP: the first signal requests a stop, the second ends the
    /// process at once. A signal that the parent process had ignored remains ignored, as SIGHUP under `nohup`
    /// and SIGINT in a shell's background.
    ///
    /// # Errors
    /// The system refuses a handler or a thread.
    #[cfg(unix)]
    pub fn on_signals() -> Result<Self> {
        use anyhow::Context;
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

        let stop = StopFlag::default();
        let followed: Vec<i32> =
            [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal)).collect();
        let mut signals = signal_hook::iterator::Signals::new(followed)
            .context("cannot follow Ctrl-C and other signals")?;
        let asked = Arc::clone(&stop.0);
        let follow = move || {
            for _signal in signals.forever() {
                if asked.fetch_add(1, Ordering::SeqCst) > 0 {
                    std::process::exit(130);
                }
                say("stopping after this batch; once more ends at once, back to the last checkpoint");
            }
        };
        std::thread::Builder::new()
            .name("tks-signals".into())
            .spawn(follow)
            .context("cannot start a thread for signals")?;
        Ok(stop)
    }

    /// Without signals, no stop is requested.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn on_signals() -> Result<Self> {
        Ok(StopFlag::default())
    }

    /// Requests a stop.
    pub fn ask(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether a stop was requested.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

/// Whether this process ignores a signal.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut found = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action, the call writes the present one to `found` and changes nothing. All bits
    // zero are a valid `sigaction`, so `found` is valid even if the call fails.
    let found = unsafe {
        let failed = libc::sigaction(signal, std::ptr::null(), found.as_mut_ptr()) != 0;
        (!failed).then(|| found.assume_init())
    };
    found.is_some_and(|action| action.sa_sigaction == libc::SIG_IGN)
}

/// Prints a line on standard error, which may be a closed terminal.
#[cfg(unix)]
fn say(text: &str) {
    use std::io::Write;
    let _nobody_reads = writeln!(std::io::stderr(), "{text}");
}
