//! How a program should run libtorch: memory that is used again, and threads that sleep when idle.
//!
//! Two defaults cost more than all arithmetic of a spiking neuron. glibc maps every tensor above 32 MiB anew,
//! and the kernel clears and faults in each of its pages, at every training step. And libgomp's threads spin
//! when they wait, so that on a machine that has other work each parallel region waits for the scheduler.

use std::process::Command;

/// What [`prepare`] sets where the user has not, as environment variables: read by libgomp and by libtorch's
/// allocator before a program could set them itself, hence the new start.
///
/// `THP_MEM_ALLOC_ENABLE` has libtorch put large tensors on huge pages: 512 times fewer faults, and freed
/// memory still goes back to the system. Keeping it instead (glibc's `mmap_max = 0`) was a tenth faster for
/// neurons alone, no faster for a convolution, and took up to twice the memory.
const SETTINGS: [(&str, &str); 2] = [("OMP_WAIT_POLICY", "PASSIVE"), ("THP_MEM_ALLOC_ENABLE", "1")];

/// Marks a process that [`prepare`] has started anew.
const MARK: &str = "TKS_RUNTIME_PREPARED";

/// Call this first in `main`: starts the program anew with the settings that libtorch runs fastest with,
/// where the environment does not have them. A variable that the user has set stays as it is.
///
/// A library's user who cannot start anew calls [`reuse_memory`] instead.
///
/// On other systems than Linux, and where the program cannot be started anew, it leaves the settings. Then it
/// opens libtorch's CUDA half where there is one ([`crate::cuda::load`]).
pub fn prepare() {
    let missing = SETTINGS.iter().filter(|(name, _)| std::env::var_os(name).is_none());
    let missing: Vec<_> = missing.collect();
    if cfg!(target_os = "linux") && !missing.is_empty() && std::env::var_os(MARK).is_none() {
        start_anew(&missing);
    }
    let _available = crate::cuda::load();
}

/// Starts this program in the place of itself. Returns where that failed: then it goes on as it was started.
fn start_anew(missing: &[&(&str, &str)]) {
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

/// Tells glibc to keep freed memory for the next tensor, from inside a running program. Returns whether the C
/// library took it (others than glibc do not).
pub fn reuse_memory() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        crate::ffi::reuse_memory()
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        false
    }
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
