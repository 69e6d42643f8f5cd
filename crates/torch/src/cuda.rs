//! CUDA kernels from source text, compiled at run time and launched on libtorch's current stream, over its
//! tensors.
//!
//! Libraries are opened when first needed, so that the same program runs without them. Kernels need a
//! libtorch with CUDA, opened by [`load`] or by [`crate::runtime::prepare`].

use std::ffi::{CStr, CString, c_void};
use std::ptr;

use cudarc::driver::{result, sys};
use cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use tch::{Device, Kind, Tensor};

use crate::error::TorchError;
use crate::ffi::{outcome_of, tks_current_cuda_stream};
use crate::memory::is_dense;

/// Threads in a block; of little importance for memory-bound kernels.
const BLOCK: usize = 256;

/// Opens libtorch's CUDA libraries if they are present beside the CPU ones and CUDA's driver is installed.
/// Returns whether libtorch now finds a GPU.
///
/// Call it before any query about CUDA (such as `tch::Cuda::is_available`): libtorch remembers the answer.
pub fn load() -> bool {
    is_driver_present() && open_libtorch_cuda() && tch::Cuda::is_available()
}

fn error(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TorchError {
    TorchError::Cuda { what, source: source.into() }
}

/// Whether CUDA's driver is installed.
fn is_driver_present() -> bool {
    // SAFETY: opens the library or does not.
    unsafe { sys::is_culib_present() }
}

/// Whether NVRTC, CUDA's run-time compiler, is installed.
pub fn is_compiler_present() -> bool {
    // SAFETY: opens the library or does not.
    unsafe { cudarc::nvrtc::sys::is_culib_present() }
}

/// Compiles CUDA source to PTX for a compute capability (`80`: 8.0). Needs NVRTC, but no GPU.
///
/// # Errors
/// [`TorchError::MissingLibrary`] if NVRTC is missing, [`TorchError::Cuda`] if it reports an error in the
/// source.
pub fn compile(text: &str, capability: i32, options: &[&str]) -> Result<String, TorchError> {
    if !is_compiler_present() {
        return Err(TorchError::MissingLibrary {
            library: "NVRTC (libnvrtc.so.13)",
            remedy: "run `cargo xtask setup --nvrtc` in the workspace, or put the folder of CUDA 13's libraries on \
                     LD_LIBRARY_PATH",
        });
    }
    open_builtins();
    let mut all = vec![format!("--gpu-architecture=compute_{capability}")];
    all.extend(options.iter().map(|option| (*option).to_owned()));
    let options = CompileOptions { options: all, ..CompileOptions::default() };
    let what = "NVRTC could not compile a kernel";
    let ptx = compile_ptx_with_opts(text, options).map_err(|failure| match failure {
        CompileError::CompileError { log, .. } => error(what, log.to_string_lossy().into_owned()),
        other => error(what, other.to_string()),
    })?;
    Ok(ptx.to_src())
}

/// Opens the library of NVRTC's built-in functions. NVRTC itself searches only the system's library path,
/// whereas this program's run path covers more. If opening fails, the compiler's own message says so.
fn open_builtins() {
    static OPENED: std::sync::Once = std::sync::Once::new();
    OPENED.call_once(|| {
        let (mut major, mut minor) = (0, 0);
        // SAFETY: the pointers are to two valid integers.
        let status = unsafe { cudarc::nvrtc::sys::nvrtcVersion(&mut major, &mut minor) };
        if status.result().is_ok() {
            let name = format!("libnvrtc-builtins.so.{major}.{minor}");
            // SAFETY: the library holds only data, without initialisers.
            if let Ok(library) = unsafe { libloading::Library::new(name) } {
                std::mem::forget(library);
            }
        }
    });
}

/// Opens libtorch's CUDA libraries, which register themselves. Returns whether they exist.
fn open_libtorch_cuda() -> bool {
    #[cfg(unix)]
    {
        use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
        // SAFETY: its initialisers are made to run when it is opened; libtorch_cpu, which they need, is loaded.
        match unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) } {
            Ok(library) => {
                // A library that has registered itself must stay loaded.
                std::mem::forget(library);
                true
            }
            Err(_) => false,
        }
    }
    #[cfg(not(unix))]
    false
}

/// Compute capability of a device, such as 90 for 9.0.
///
/// # Errors
/// If CUDA's driver is missing or reports an error.
pub fn capability(device: i32) -> Result<i32, TorchError> {
    with_context(device, || {
        use sys::CUdevice_attribute::{
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
        };
        let handle = result::device::get(device)?;
        // SAFETY: the handle was just returned by the driver.
        unsafe {
            Ok(10 * result::device::get_attribute(handle, MAJOR)?
                + result::device::get_attribute(handle, MINOR)?)
        }
    })
}

/// Runs `work` with the device's primary context, the one libtorch uses, current on this thread.
fn with_context<T>(
    device: i32,
    work: impl FnOnce() -> Result<T, result::DriverError>,
) -> Result<T, TorchError> {
    if !is_driver_present() {
        return Err(TorchError::MissingLibrary {
            library: "CUDA's driver (libcuda.so.1)",
            remedy: "it comes with the GPU's driver",
        });
    }
    let run = || {
        result::init()?;
        let before = result::ctx::get_current()?;
        let handle = result::device::get(device)?;
        // SAFETY: the handle was just returned by the driver; the context is retained while it is current,
        // and the previous one is restored.
        unsafe {
            let context = result::primary_ctx::retain(handle)?;
            let outcome = result::ctx::set_current(context).and_then(|()| work());
            let restored = result::ctx::set_current(before.unwrap_or(ptr::null_mut()));
            result::primary_ctx::release(handle)?;
            restored.and(outcome)
        }
    };
    run().map_err(|failure| error("CUDA's driver", failure.to_string()))
}

/// A compiled program on a device. It is never unloaded, as a network has only a few kinds of neurons.
#[derive(Debug)]
pub struct Module {
    module: sys::CUmodule,
    device: i32,
}

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Module {}
// SAFETY: as above; the driver synchronises its calls.
unsafe impl Sync for Module {}

impl Module {
    /// Loads PTX onto a device.
    ///
    /// # Errors
    /// If CUDA's driver is missing or reports an error.
    pub fn load(device: i32, ptx: &str) -> Result<Self, TorchError> {
        let text = CString::new(ptx).map_err(|failure| error("NVRTC's PTX", failure))?;
        // SAFETY: a NUL-terminated PTX text.
        let module = with_context(device, || unsafe { result::module::load_data(text.as_ptr().cast()) })?;
        Ok(Module { module, device })
    }

    /// Runs a kernel with one thread for each of `count` items on libtorch's current stream. Its one parameter is
    /// `arguments`, by value; addresses in it come from [`Self::address`].
    ///
    /// # Errors
    /// [`TorchError::TooManyThreads`], or an error from CUDA's driver.
    ///
    /// # Safety
    /// `A` is laid out like the kernel's parameter (`repr(C)`). The kernel stays within the buffers at the
    /// given addresses, and they live until it has run; tensors do, since libtorch reuses their memory only
    /// in stream order.
    pub unsafe fn launch<A: Copy>(
        &self,
        kernel: &CStr,
        count: usize,
        mut arguments: A,
    ) -> Result<(), TorchError> {
        if count == 0 {
            return Ok(());
        }
        let blocks =
            u32::try_from(count.div_ceil(BLOCK)).map_err(|_| TorchError::TooManyThreads { count })?;
        let mut parameters = [ptr::from_mut(&mut arguments).cast::<c_void>()];
        let stream = current_stream(self.device)?;
        with_context(self.device, || {
            // SAFETY: the module is alive; the driver copies the parameter before it returns; its meaning to
            // the kernel is the caller's promise.
            unsafe {
                let function = result::module::get_function(self.module, kernel.to_owned())?;
                let (grid, block) = ((blocks, 1, 1), (BLOCK as u32, 1, 1));
                result::launch_kernel(function, grid, block, 0, stream, &mut parameters)
            }
        })
    }

    /// The address of a tensor in this device's memory; 0 for none.
    ///
    /// # Errors
    /// [`TorchError::Layout`] if it is not a dense tensor of this `kind`, with `length` values, on this
    /// device.
    pub fn address(&self, tensor: Option<&Tensor>, kind: Kind, length: usize) -> Result<u64, TorchError> {
        let Some(tensor) = tensor else { return Ok(0) };
        let device = Device::Cuda(self.device as usize);
        if tensor.device() == device && tensor.kind() == kind && tensor.numel() == length && is_dense(tensor)
        {
            return Ok(tensor.data_ptr() as u64);
        }
        Err(TorchError::layout(tensor, kind, Some(length), device))
    }
}

fn current_stream(device: i32) -> Result<sys::CUstream, TorchError> {
    let mut stream: *mut c_void = ptr::null_mut();
    // SAFETY: `stream` is valid for writes; the shim returns null or a text.
    unsafe { outcome_of(tks_current_cuda_stream(device as i8, &mut stream))? };
    Ok(stream.cast())
}
