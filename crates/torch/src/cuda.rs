//! CUDA kernels from text: compiled at run time and launched on libtorch's current stream, over its tensors.
//!
//! Libraries are opened when they are first needed, so that the same program runs where there are none. Needs a libtorch
//! with CUDA, opened by [`load`] or by [`crate::runtime::prepare`].

use std::ffi::{CStr, CString, c_void};
use std::ptr;

use cudarc::driver::{result, sys};
use cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use tch::{Device, Kind, Tensor};

use crate::error::TorchError;
use crate::ffi::{outcome_of, tks_current_cuda_stream};
use crate::memory::is_dense;

/// Threads in a block: of no great weight for kernels that wait for memory.
const BLOCK: usize = 256;

/// Opens libtorch's CUDA half where it lies beside the CPU half and CUDA's driver is installed. Returns whether
/// libtorch now finds a GPU.
///
/// Before the first question about CUDA (`tch::Cuda::is_available`, say): libtorch remembers the answer.
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

/// PTX of a CUDA text for a compute capability (`80`: 8.0). Needs NVRTC, but no GPU.
///
/// # Errors
/// [`TorchError::MissingLibrary`] where NVRTC is missing, [`TorchError::Cuda`] where it finds a mistake.
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

/// Opens the library of NVRTC's built-in functions, which it looks for on the system's path alone: opened by this
/// program, whose run path knows more, it is found. Where that fails the compiler's own message says so.
fn open_builtins() {
    static OPENED: std::sync::Once = std::sync::Once::new();
    OPENED.call_once(|| {
        let (mut major, mut minor) = (0, 0);
        // SAFETY: two numbers to be written to.
        let status = unsafe { cudarc::nvrtc::sys::nvrtcVersion(&mut major, &mut minor) };
        if status.result().is_ok() {
            let name = format!("libnvrtc-builtins.so.{major}.{minor}");
            // SAFETY: a library of data, without initialisers.
            if let Ok(library) = unsafe { libloading::Library::new(name) } {
                std::mem::forget(library);
            }
        }
    });
}

/// Opens libtorch's CUDA half, which registers itself. Returns whether it is there.
fn open_libtorch_cuda() -> bool {
    #[cfg(unix)]
    {
        use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
        // SAFETY: its initialisers are made to run when it is opened; libtorch_cpu, which they need, is loaded.
        match unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) } {
            Ok(library) => {
                // What has registered itself must stay.
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
/// Where CUDA's driver is missing or refuses.
pub fn capability(device: i32) -> Result<i32, TorchError> {
    with_context(device, || {
        use sys::CUdevice_attribute::{
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
        };
        let handle = result::device::get(device)?;
        // SAFETY: a handle that the driver just gave.
        unsafe {
            Ok(10 * result::device::get_attribute(handle, MAJOR)?
                + result::device::get_attribute(handle, MINOR)?)
        }
    })
}

/// Runs `work` with the device's primary context, which is libtorch's, current on this thread.
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
        // SAFETY: a handle that the driver just gave; the context is retained while it is current, and the
        // one before is put back.
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

/// A compiled program on a device. Never unloaded: there are as many as a network has kinds of neurons.
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
    /// Puts PTX on a device.
    ///
    /// # Errors
    /// Where CUDA's driver is missing or refuses.
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
    /// Where CUDA's driver refuses, and [`TorchError::TooManyThreads`].
    ///
    /// # Safety
    /// `A` is laid out as the kernel's parameter (`repr(C)`), and the addresses are of buffers that the kernel stays
    /// within and that live until it has run: tensors do, whose memory libtorch gives out again in the order of its
    /// stream alone.
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
            // SAFETY: the module is alive; the driver copies the parameter before it returns; what it means to the
            // kernel is the caller's promise.
            unsafe {
                let function = result::module::get_function(self.module, kernel.to_owned())?;
                let (grid, block) = ((blocks, 1, 1), (BLOCK as u32, 1, 1));
                result::launch_kernel(function, grid, block, 0, stream, &mut parameters)
            }
        })
    }

    /// Where a tensor begins in this device's memory; 0 for none.
    ///
    /// # Errors
    /// [`TorchError::Layout`] where it is not a dense tensor of `kind` and `length` values there.
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
    // SAFETY: `stream` is there to be written to; the shim returns null or a text.
    unsafe { outcome_of(tks_current_cuda_stream(device as i8, &mut stream))? };
    Ok(stream.cast())
}
