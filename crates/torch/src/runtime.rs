//! Run-time settings for libtorch: memory that is reused, and threads that sleep when idle.
//!
//! Two defaults cost more than the arithmetic of a cheap layer. First, glibc maps every tensor above 32 MiB
//! again at every training step, and the kernel clears and faults in each of its pages. Second, libgomp's
//! threads spin while they wait, so that on a machine with other work each parallel region waits for the
//! scheduler.
//!
//! To avoid the first, programs on Linux that use this crate allocate with mimalloc 3, libtorch and
//! everything else included: the feature `mimalloc`, on by default, links it in place of the C library's
//! allocator. It keeps freed memory for the next step for about a second before returning it. For a training
//! step of element-wise work, it was measured to be twice as fast as huge pages (`THP_MEM_ALLOC_ENABLE`) and
//! five times as fast as glibc's defaults, with the same memory. A program with its own allocator turns the
//! feature off (`default-features = false`); then [`prepare`] sets huge pages instead.
//!
//! [`prepare`] avoids the second.

use std::process::Command;

/// The environment variables that [`prepare`] sets if the user has not. libgomp and libtorch's allocator read
/// them before a program could set them itself, hence the restart.
const SETTINGS: [(&str, &str); 2] = [("OMP_WAIT_POLICY", "PASSIVE"), ("THP_MEM_ALLOC_ENABLE", "1")];

/// How many of [`SETTINGS`] are needed with mimalloc, which does not need huge pages.
const WITH_MIMALLOC: usize = 1;

/// Marks a process that [`prepare`] has restarted.
const MARK: &str = "TKS_RUNTIME_PREPARED";

/// Call this first in `main`: restarts the program with the settings that make libtorch fastest, if the
/// environment does not have them. A variable that the user has set is not changed.
///
/// On systems other than Linux, and if the program cannot be restarted, the settings are left unchanged.
/// Finally it opens libtorch's CUDA libraries if present ([`crate::cuda::load`]).
pub fn prepare() {
    let wanted = if uses_mimalloc() { &SETTINGS[..WITH_MIMALLOC] } else { &SETTINGS };
    let missing: Vec<_> = wanted.iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
    if cfg!(target_os = "linux") && !missing.is_empty() && std::env::var_os(MARK).is_none() {
        start_again(&missing);
    }
    let _available = crate::cuda::load();
}

/// Replaces this process by a new run of the program. Returns only if that failed, so that the program
/// continues as started.
fn start_again(missing: &[&(&str, &str)]) {
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).env(MARK, "1");
    for (name, value) in missing {
        command.env(name, value);
    }
    start_in_place(command);
}

#[cfg(unix)]
fn start_in_place(mut command: Command) {
    use std::os::unix::process::CommandExt;
    // Returns only if it failed: then the program continues as started.
    let _error = command.exec();
}

#[cfg(not(unix))]
fn start_in_place(_: Command) {}

/// Whether libtorch's tensors are allocated by mimalloc. This is so on Linux with the feature `mimalloc`,
/// unless another allocator takes precedence (for example through `LD_PRELOAD`).
pub fn uses_mimalloc() -> bool {
    #[cfg(all(target_os = "linux", feature = "mimalloc"))]
    {
        crate::ffi::uses_mimalloc()
    }
    #[cfg(not(all(target_os = "linux", feature = "mimalloc")))]
    {
        false
    }
}

/// Keeps freed memory for the next tensor, for a running program that was built without the feature
/// `mimalloc` and cannot restart. Returns whether memory will be kept: mimalloc does so by itself, glibc
/// accepts the setting, other C libraries do not. glibc then needs two to three times the memory.
pub fn reuse_memory() -> bool {
    if uses_mimalloc() {
        return true;
    }
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        crate::ffi::reuse_memory()
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        false
    }
}

/// Returns memory kept for later tensors to the system, with mimalloc and glibc; does nothing otherwise.
pub fn release_memory() {
    crate::ffi::release_memory();
}

/// Sets the number of threads of libtorch and of the kernels' pool (rayon's global pool).
///
/// Returns the number of threads in the kernels' pool, which differs if the pool had been started before.
pub fn set_threads(threads: usize) -> usize {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    // An error means that the pool is already running; its size is what we report.
    let _already = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    rayon::current_num_threads()
}

#[cfg(test)]
mod tests {
    #[test]
    fn tensors_come_from_the_allocator_that_was_chosen() {
        let chosen = cfg!(all(target_os = "linux", feature = "mimalloc"));
        assert_eq!(super::uses_mimalloc(), chosen);
        if cfg!(target_env = "gnu") {
            assert!(super::reuse_memory());
        }
    }
}
