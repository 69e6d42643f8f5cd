//! CPU time and memory of this process, from Linux.

use std::fs;

use anyhow::{Context, Result};

/// CPU time of all threads of this process so far, in seconds.
pub fn cpu_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux, and `time` is ours to write.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// One value of `/proc/self/status`, in MiB.
fn status(key: &str) -> Result<f64> {
    let text = fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let line = line.with_context(|| format!("/proc/self/status has no {key}"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().with_context(|| format!("{key}: {line}"))?;
    Ok(kib / 1024.0)
}

/// Resets the peak of the resident memory; returns the current memory, in MiB.
///
/// # Errors
/// If `/proc` does not allow it.
pub fn reset_peak() -> Result<f64> {
    tks_autograd::runtime::release_memory();
    fs::write("/proc/self/clear_refs", "5").context("cannot reset the peak by /proc/self/clear_refs")?;
    status("VmRSS")
}

/// The largest resident memory since [`reset_peak`], in MiB.
///
/// # Errors
/// If `/proc` does not provide it.
pub fn peak() -> Result<f64> {
    status("VmHWM")
}

/// Limits this process's data to this many bytes: allocations beyond it fail instead of filling the machine's
/// memory.
///
/// # Errors
/// Errors from the system.
pub fn limit_data(bytes: u64) -> Result<()> {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: `limit` is a valid rlimit.
    let status = unsafe { libc::setrlimit(libc::RLIMIT_DATA, &limit) };
    anyhow::ensure!(status == 0, "cannot limit the data segment: {}", std::io::Error::last_os_error());
    Ok(())
}
