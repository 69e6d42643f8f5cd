//! How a program should run libtorch: memory that is used again, and threads that sleep when idle.
//!
//! Two defaults cost more than the arithmetic of a cheap layer. glibc maps every tensor above 32 MiB again at
//! every training step, and the kernel clears and faults in each of its pages. And libgomp's threads spin
//! when they wait, so that on a machine that has other work each parallel region waits for the scheduler.
//!
//! Against the first, programs on Linux that use this crate allocate by mimalloc 3, libtorch and all else
//! included: its feature `mimalloc`, on by default, links it in the place of the C library's allocator. It
//! keeps what is freed for the next step for about a second, and gives it back then. Measured, it is twice as fast as huge pages (`THP_MEM_ALLOC_ENABLE`) and five times
//! as fast as glibc's defaults for a training step of element-wise work, in the same memory. A program that brings an allocator of its
//! own turns the feature off (`default-features = false`); then [`prepare`] sets huge pages instead.
//!
//! Against the second, [`prepare`].

use std::process::Command;

/// What [`prepare`] sets where the user has not, as environment variables: read by libgomp and by libtorch's
/// allocator before a program could set them itself, hence the restart.
const SETTINGS: [(&str, &str); 2] = [("OMP_WAIT_POLICY", "PASSIVE"), ("THP_MEM_ALLOC_ENABLE", "1")];

/// How many of [`SETTINGS`] are wanted with mimalloc, which needs no huge pages.
const WITH_MIMALLOC: usize = 1;

/// Marks a process that [`prepare`] has started again.
const MARK: &str = "TKS_RUNTIME_PREPARED";

/// Call this first in `main`: starts the program again with the settings that libtorch runs fastest with,
/// where the environment does not have them. A variable that the user has set stays as it is.
///
/// On other systems than Linux, and where the program cannot be started again, it leaves the settings. Then it
/// opens libtorch's CUDA half where there is one ([`crate::cuda::load`]).
pub fn prepare() {
    let wanted = if uses_mimalloc() { &SETTINGS[..WITH_MIMALLOC] } else { &SETTINGS };
    let missing: Vec<_> = wanted.iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
    if cfg!(target_os = "linux") && !missing.is_empty() && std::env::var_os(MARK).is_none() {
        start_again(&missing);
    }
    let _available = crate::cuda::load();
}

/// Starts this program in the place of itself. Returns where that failed: then it goes on as it was started.
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
    // Returns only where it failed: then the program goes on as it was started.
    let _error = command.exec();
}

#[cfg(not(unix))]
fn start_in_place(_: Command) {}

/// Whether libtorch's tensors come from mimalloc: so it is on Linux with the feature `mimalloc`, unless
/// another allocator was put before it (by `LD_PRELOAD`, say).
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

/// Has freed memory kept for the next tensor, from inside a running program, for one that was built without
/// the feature `mimalloc` and cannot start again. Returns whether it will be: mimalloc does so by itself, glibc
/// takes the setting, other C libraries do not. glibc then needs two to three times the memory.
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

/// Gives memory that is kept for later tensors back to the system, by mimalloc and by glibc; nothing elsewhere.
pub fn release_memory() {
    crate::ffi::release_memory();
}

/// Sets the number of threads of libtorch and of the kernels' pool (rayon's global one).
///
/// Returns the number that the kernels' pool has: another, where it had been started before.
pub fn set_threads(threads: usize) -> usize {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    // An error means that the pool runs already; its size is what we report.
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
