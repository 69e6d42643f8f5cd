//! The programs of the fused operations on NVIDIA GPUs: the source of [`tks_neuron::cuda`], compiled at run
//! time and launched on libtorch's current stream. [`crate::multi_step`](crate::multi_step()) and
//! [`crate::spike()`] use it automatically for tensors on a GPU; every model has a kernel.
//!
//! This needs a libtorch with CUDA (`cargo xtask setup --cuda`), opened by [`load`] or by
//! [`crate::runtime::prepare`].

use std::sync::{Arc, Mutex, PoisonError};

use tch::{Device, Kind, Tensor};
use tks_neuron::cuda::{COMPILER_OPTIONS, Program, SpikeArguments, Storage, spike_text};
use tks_neuron::{Neuron, NeuronError, Surrogate};
use tks_torch::TorchError;
use tks_torch::cuda::{Module, capability};
pub use tks_torch::cuda::{is_compiler_present, load};

use crate::error::AutogradError;

/// Compiles a source of [`tks_neuron::cuda`] to PTX for a compute capability (`80`: 8.0). Needs NVRTC, but no
/// GPU.
///
/// # Errors
/// [`TorchError::MissingLibrary`] if NVRTC is missing, [`TorchError::Cuda`] if it reports an error in the
/// source.
pub fn compile(text: &str, capability: i32) -> Result<String, TorchError> {
    tks_torch::cuda::compile(text, capability, &COMPILER_OPTIONS)
}

/// The key of a compiled module.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Key {
    Neuron { neuron: Neuron, storage: Storage, chunk: usize, device: usize },
    Spike { surrogate: Surrogate, strict: bool, storage: Storage, device: usize },
}

static MODULES: Mutex<Vec<(Key, Arc<Module>)>> = Mutex::new(Vec::new());

/// The module for `key`, compiled at its first use.
fn module(
    key: Key,
    device: usize,
    text: impl FnOnce() -> Result<String, NeuronError>,
) -> Result<Arc<Module>, AutogradError> {
    // Only complete entries are pushed, so a panic elsewhere leaves the list consistent.
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, module)) = modules.iter().find(|(known, _)| *known == key) {
        return Ok(module.clone());
    }
    let device = device as i32;
    let module = Arc::new(Module::load(device, &compile(&text()?, capability(device)?)?)?);
    modules.push((key, module.clone()));
    Ok(module)
}

/// The kernels of a neuron for tensors like `input`.
pub(crate) fn neuron_module(
    neuron: Neuron,
    input: &Tensor,
    time_steps: usize,
) -> Result<Arc<Module>, AutogradError> {
    let (device, storage) = place_of("input", input)?;
    let key = Key::Neuron { neuron, storage, chunk: Program::chunk_of(time_steps), device };
    module(key, device, || Ok(Program::new(&neuron, storage, time_steps)?.text))
}

fn place_of(name: &'static str, tensor: &Tensor) -> Result<(usize, Storage), AutogradError> {
    let Device::Cuda(device) = tensor.device() else {
        return Err(AutogradError::Device { device: tensor.device() });
    };
    match tensor.kind() {
        Kind::Float => Ok((device, Storage::F32)),
        Kind::BFloat16 => Ok((device, Storage::Bf16)),
        kind => Err(AutogradError::Kind { tensor: name, kind, expected: "f32 or bf16" }),
    }
}

/// The spikes of a dense `u`.
pub(crate) fn spike(u: &Tensor, surrogate: Surrogate, strict: bool) -> Result<Tensor, AutogradError> {
    run_spike(c"spike_forward", u, None, surrogate, strict)
}

/// The gradient of a dense `u`; `grad_spikes` has the same layout.
pub(crate) fn spike_backward(
    u: &Tensor,
    grad_spikes: &Tensor,
    surrogate: Surrogate,
    strict: bool,
) -> Result<Tensor, AutogradError> {
    run_spike(c"spike_backward", u, Some(grad_spikes), surrogate, strict)
}

fn run_spike(
    kernel: &std::ffi::CStr,
    u: &Tensor,
    grad_spikes: Option<&Tensor>,
    surrogate: Surrogate,
    strict: bool,
) -> Result<Tensor, AutogradError> {
    let (device, storage) = place_of("u", u)?;
    let key = Key::Spike { surrogate, strict, storage, device };
    let module = module(key, device, || Ok(spike_text(surrogate, strict, storage)))?;
    let result = u.f_empty_like()?;
    let count = u.numel();
    let address = |tensor: Option<&Tensor>| module.address(tensor, u.kind(), count);
    let arguments = SpikeArguments {
        count: count as i64,
        u: address(Some(u))?,
        grad_spikes: address(grad_spikes)?,
        result: address(Some(&result))?,
    };
    // SAFETY: this is the parameter of both kernels; each buffer has `count` values.
    unsafe { module.launch(kernel, count, arguments)? };
    Ok(result)
}
