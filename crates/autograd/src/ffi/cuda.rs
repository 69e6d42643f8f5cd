//! The boundary to CUDA: its driver, its compiler, and libtorch's streams and device memory. Libraries are opened
//! when they are first needed, so that the same program runs where there are none.

use std::ffi::{CString, c_void};
use std::ptr;

use cudarc::driver::{result, sys};
use cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use tch::{Device, Kind, Tensor};

use crate::error::AutogradError;

/// Threads in a block: of no great weight for kernels that wait for memory.
const BLOCK: usize = 256;

fn error(what: &str, error: &dyn std::fmt::Display) -> AutogradError {
    AutogradError::Cuda(format!("{what}: {error}"))
}

/// Whether CUDA's driver is installed.
pub(crate) fn is_driver_present() -> bool {
    // SAFETY: opens the library or does not.
    unsafe { sys::is_culib_present() }
}

/// Whether the run-time compiler is installed.
pub(crate) fn is_compiler_present() -> bool {
    // SAFETY: opens the library or does not.
    unsafe { cudarc::nvrtc::sys::is_culib_present() }
}

/// PTX of a CUDA text for a compute capability (`80`: 8.0).
pub(crate) fn compile(text: &str, capability: i32, options: &[&str]) -> Result<String, AutogradError> {
    if !is_compiler_present() {
        return Err(AutogradError::Cuda(
            "NVRTC (libnvrtc.so.13) is not installed: run `cargo xtask setup --nvrtc`, or put the folder of \
             CUDA 13's libraries on LD_LIBRARY_PATH"
                .into(),
        ));
    }
    open_builtins();
    let mut all = vec![format!("--gpu-architecture=compute_{capability}")];
    all.extend(options.iter().map(|option| (*option).to_owned()));
    let options = CompileOptions { options: all, ..CompileOptions::default() };
    let ptx = compile_ptx_with_opts(text, options).map_err(|failure| match failure {
        CompileError::CompileError { log, .. } => {
            error("NVRTC could not compile a kernel", &log.to_string_lossy())
        }
        other => error("NVRTC could not compile a kernel", &other),
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
pub(crate) fn open_libtorch_cuda() -> bool {
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
pub(crate) fn capability(device: i32) -> Result<i32, AutogradError> {
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
) -> Result<T, AutogradError> {
    if !is_driver_present() {
        return Err(AutogradError::Cuda("CUDA's driver (libcuda.so.1) is not installed".into()));
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
            let restored = before.map_or(Ok(()), |before| result::ctx::set_current(before));
            result::primary_ctx::release(handle)?;
            restored.and(outcome)
        }
    };
    run().map_err(|failure| error("CUDA's driver", &failure))
}

/// A compiled program on a device. Never unloaded: there are as many as a network has kinds of neurons.
#[derive(Debug)]
pub(crate) struct Module {
    module: sys::CUmodule,
    device: i32,
}

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Module {}
// SAFETY: as above; the driver synchronises its calls.
unsafe impl Sync for Module {}

/// An argument of a kernel.
#[derive(Debug)]
pub(crate) enum Argument<'a> {
    Long(i64),
    Int(i32),
    Float(f32),
    /// `None` passes a null pointer. The tensor's kind and number of values.
    Tensor(Option<&'a Tensor>, Kind, usize),
}

impl Module {
    /// Puts PTX on a device.
    pub(crate) fn load(device: i32, ptx: &str) -> Result<Self, AutogradError> {
        let text = CString::new(ptx).map_err(|failure| error("NVRTC's PTX", &failure))?;
        // SAFETY: a NUL-terminated PTX text.
        let module = with_context(device, || unsafe { result::module::load_data(text.as_ptr().cast()) })?;
        Ok(Module { module, device })
    }

    /// Runs a kernel with one thread for each of `count` items on libtorch's current stream.
    ///
    /// Tensors are checked: dense, of their kind, of their number of values, on this device.
    ///
    /// # Safety
    /// The arguments are of the number, order and types of the kernel's parameters, and so long that the kernel
    /// stays within them.
    pub(crate) unsafe fn launch(
        &self,
        kernel: &str,
        count: usize,
        arguments: &[Argument<'_>],
    ) -> Result<(), AutogradError> {
        if count == 0 {
            return Ok(());
        }
        let name = CString::new(kernel).map_err(|failure| error(kernel, &failure))?;
        let blocks = u32::try_from(count.div_ceil(BLOCK))
            .map_err(|_| AutogradError::Cuda(format!("{count} neurons are too many for one launch")))?;
        // Eight bytes hold each kind of argument; the driver reads as many as the parameter has.
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(match *argument {
                Argument::Long(value) => value.to_ne_bytes(),
                Argument::Int(value) => first_four(value.to_ne_bytes()),
                Argument::Float(value) => first_four(value.to_ne_bytes()),
                Argument::Tensor(None, ..) => [0; 8],
                Argument::Tensor(Some(tensor), kind, length) => {
                    (self.address(tensor, kind, length)? as u64).to_ne_bytes()
                }
            });
        }
        let mut pointers: Vec<*mut c_void> =
            values.iter_mut().map(|value| value.as_mut_ptr().cast()).collect();
        let stream = current_stream(self.device)?;
        with_context(self.device, || {
            // SAFETY: the module is alive; the parameters are the caller's promise.
            unsafe {
                let function = result::module::get_function(self.module, name)?;
                let (grid, block) = ((blocks, 1, 1), (BLOCK as u32, 1, 1));
                result::launch_kernel(function, grid, block, 0, stream, &mut pointers)
            }
        })
    }

    fn address(&self, tensor: &Tensor, kind: Kind, length: usize) -> Result<usize, AutogradError> {
        let fits = tensor.device() == Device::Cuda(self.device as usize)
            && tensor.kind() == kind
            && tensor.numel() == length
            && crate::layout::is_dense(tensor);
        if fits {
            Ok(tensor.data_ptr() as usize)
        } else {
            Err(AutogradError::Unsupported(format!(
                "needs a dense {kind:?} tensor of {length} values on CUDA device {}, not {:?} of {} on {:?} with \
                 strides {:?}",
                self.device,
                tensor.kind(),
                tensor.numel(),
                tensor.device(),
                tensor.stride()
            )))
        }
    }
}

fn first_four(bytes: [u8; 4]) -> [u8; 8] {
    let [a, b, c, d] = bytes;
    [a, b, c, d, 0, 0, 0, 0]
}

fn current_stream(device: i32) -> Result<sys::CUstream, AutogradError> {
    let mut stream: *mut c_void = ptr::null_mut();
    // SAFETY: `stream` is there to be written to; the shim returns null or a text.
    unsafe { super::outcome_of(super::tks_current_cuda_stream(device as i8, &mut stream))? };
    Ok(stream.cast())
}
