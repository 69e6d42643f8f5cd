//! The fused operations on NVIDIA GPUs: the text of [`tks_neuron::cuda`], compiled at run time and launched on
//! libtorch's current stream. [`crate::multi_step`](crate::multi_step()) and [`crate::spike()`] come here by
//! themselves for tensors on a GPU; every model has a kernel here.
//!
//! Needs a libtorch with CUDA (`cargo xtask setup --cuda`), opened by [`load`] or by
//! [`crate::runtime::prepare`].

use std::sync::{Arc, Mutex, PoisonError};

use tch::{Device, Kind, Tensor};
use tks_neuron::cuda::{COMPILER_OPTIONS, Program, Storage, spike_text};
use tks_neuron::{Neuron, NeuronError, Surrogate};

use crate::custom::{Backward, record};
use crate::error::AutogradError;
use crate::ffi::cuda::{self as ffi, Argument, Module};
use crate::layout::{laid_out_as, time_first};
use crate::multi_step::{LearnedTensors, Output, State, checked_state, step_like, steps_and_neurons};

/// Opens libtorch's CUDA half where it lies beside the CPU half and CUDA's driver is installed. Returns whether
/// libtorch now finds a GPU.
///
/// Before the first question about CUDA (`tch::Cuda::is_available`, say): libtorch remembers the answer.
pub fn load() -> bool {
    ffi::is_driver_present() && ffi::open_libtorch_cuda() && tch::Cuda::is_available()
}

/// Whether NVRTC, CUDA's run-time compiler, is installed.
pub fn is_compiler_present() -> bool {
    ffi::is_compiler_present()
}

/// PTX of a text of [`tks_neuron::cuda`] for a compute capability, `80` for 8.0. Needs NVRTC, but no GPU.
///
/// # Errors
/// [`AutogradError::Cuda`] where NVRTC is missing or finds a mistake.
pub fn compile(text: &str, capability: i32) -> Result<String, AutogradError> {
    ffi::compile(text, capability, &COMPILER_OPTIONS)
}

/// What a compiled module was made of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Key {
    Neuron { neuron: Neuron, storage: Storage, chunk: usize, device: usize },
    Spike { surrogate: Surrogate, strict: bool, storage: Storage, device: usize },
}

static MODULES: Mutex<Vec<(Key, Arc<Module>)>> = Mutex::new(Vec::new());

/// The module of `key`, compiled where this is the first time that it is asked for.
fn module(
    key: Key,
    device: usize,
    text: impl FnOnce() -> Result<String, NeuronError>,
) -> Result<Arc<Module>, AutogradError> {
    // What is pushed is whole: a panic elsewhere leaves nothing to mend.
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, module)) = modules.iter().find(|(known, _)| *known == key) {
        return Ok(module.clone());
    }
    let device = device as i32;
    let module = Arc::new(Module::load(device, &compile(&text()?, ffi::capability(device)?)?)?);
    modules.push((key, module.clone()));
    Ok(module)
}

fn place_of(tensor: &Tensor) -> Result<(usize, Storage), AutogradError> {
    let device = match tensor.device() {
        Device::Cuda(device) => device,
        other => return Err(AutogradError::Unsupported(format!("no kernels for {other:?}"))),
    };
    match tensor.kind() {
        Kind::Float => Ok((device, Storage::F32)),
        Kind::BFloat16 => Ok((device, Storage::Bf16)),
        kind => Err(AutogradError::Unsupported(format!("the input must be f32 or bf16, not {kind:?}"))),
    }
}

/// What both passes of a neuron need.
#[derive(Debug, Clone, Copy)]
struct Plan {
    neuron: Neuron,
    storage: Storage,
    device: usize,
    time_steps: usize,
    neurons: usize,
}

impl Plan {
    fn new(neuron: &Neuron, input: &Tensor) -> Result<Self, AutogradError> {
        let (device, storage) = place_of(input)?;
        let (time_steps, neurons) = steps_and_neurons(input);
        Ok(Plan { neuron: *neuron, storage, device, time_steps, neurons })
    }

    fn module(&self) -> Result<Arc<Module>, AutogradError> {
        let Plan { neuron, storage, device, time_steps, .. } = *self;
        let key = Key::Neuron { neuron, storage, chunk: Program::chunk_of(time_steps), device };
        module(key, device, || Ok(Program::of(&neuron, storage, time_steps)?.text))
    }

    fn kind(&self) -> Kind {
        match self.storage {
            Storage::F32 => Kind::Float,
            Storage::Bf16 => Kind::BFloat16,
        }
    }

    /// A sequence, `[T, N]`.
    fn rows<'a>(&self, tensor: Option<&'a Tensor>) -> Argument<'a> {
        Argument::Tensor(tensor, self.kind(), self.time_steps * self.neurons)
    }

    /// A state, `[N]`.
    fn row<'a>(&self, tensor: Option<&'a Tensor>) -> Argument<'a> {
        Argument::Tensor(tensor, Kind::Float, self.neurons)
    }

    /// The arguments with which both kernels begin.
    fn first<'a>(&self, saved: &[Option<&'a Tensor>; 5]) -> Vec<Argument<'a>> {
        let [input, membrane, second, parameter, v_threshold] = *saved;
        vec![
            Argument::Long(self.neurons as i64),
            Argument::Int(self.time_steps as i32),
            self.rows(input),
            self.row(membrane),
            self.row(second),
            Argument::Tensor(parameter, Kind::Float, 1),
            Argument::Tensor(v_threshold, Kind::Float, 1),
        ]
    }

    fn forward(
        &self,
        saved: &[Option<&Tensor>; 5],
        spikes: &Tensor,
        finals: [Option<&Tensor>; 2],
        membranes: Option<&Tensor>,
    ) -> Result<(), AutogradError> {
        let mut arguments = self.first(saved);
        arguments.push(self.rows(Some(spikes)));
        arguments.extend(finals.map(|tensor| self.row(tensor)));
        arguments.push(Argument::Tensor(membranes, Kind::Float, self.time_steps * self.neurons));
        // SAFETY: the parameters of `neuron_forward`, as its documentation has them; lengths are checked.
        unsafe { self.module()?.launch("neuron_forward", self.neurons, &arguments) }
    }
}

/// As [`crate::multi_step`](crate::multi_step()), for tensors on a GPU.
pub(crate) fn multi_step(
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
) -> Result<Output, AutogradError> {
    let initial = checked_state(neuron, input, state)?;
    let has_second = neuron.model.second_state().is_some();
    let (plan, spikes, [membrane, second], saved) = tch::no_grad(|| -> Result<_, AutogradError> {
        let input = time_first(input)?;
        let plan = Plan::new(neuron, &input)?;
        let like = step_like(&input)?;
        let place = |tensor: Option<&Tensor>| tensor.map(|tensor| laid_out_as(tensor, &like)).transpose();
        let number = |tensor: Option<&Tensor>| {
            tensor
                .map(|tensor| tensor.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(input.device()))
                .transpose()
        };
        let saved = [
            Some(input.shallow_clone()),
            place(initial.map(|(membrane, _)| membrane))?,
            place(initial.and_then(|(_, second)| second))?,
            number(learned.parameter)?,
            number(learned.v_threshold)?,
        ];
        let spikes = input.f_empty_like()?;
        let membrane = step_like(&input)?;
        let second = has_second.then(|| step_like(&input)).transpose()?;
        plan.forward(
            &saved.each_ref().map(Option::as_ref),
            &spikes,
            [Some(&membrane), second.as_ref()],
            None,
        )?;
        Ok((plan, spikes, [Some(membrane), second], saved))
    })?;
    let Some(membrane) = membrane else {
        return Err(AutogradError::Libtorch("the forward pass gave no membrane".into()));
    };
    let inputs = [
        Some(input),
        initial.map(|(membrane, _)| membrane),
        initial.and_then(|(_, second)| second),
        learned.parameter,
        learned.v_threshold,
    ];
    let mut outputs = vec![&spikes, &membrane];
    outputs.extend(second.as_ref());
    let shapes = [learned.parameter.map(Tensor::size), learned.v_threshold.map(Tensor::size)];
    let node = NeuronNode { plan, has_second, shapes };
    record(c"tks::multi_step_cuda", &inputs, &outputs, &saved.each_ref().map(Option::as_ref), node)?;
    Ok(Output { spikes, state: State { membrane, second } })
}

/// As [`crate::membranes`], for tensors on a GPU.
pub(crate) fn membranes(
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
) -> Result<Tensor, AutogradError> {
    let initial = checked_state(neuron, input, state)?;
    tch::no_grad(|| {
        let input = time_first(input)?;
        let plan = Plan::new(neuron, &input)?;
        let like = step_like(&input)?;
        let place = |tensor: Option<&Tensor>| tensor.map(|tensor| laid_out_as(tensor, &like)).transpose();
        let membrane = place(initial.map(|(membrane, _)| membrane))?;
        let second = place(initial.and_then(|(_, second)| second))?;
        let saved =
            [Some(&input), membrane.as_ref(), second.as_ref(), learned.parameter, learned.v_threshold];
        let trace = input.f_to_kind(Kind::Float)?.f_empty_like()?;
        plan.forward(&saved, &input.f_empty_like()?, [None, None], Some(&trace))?;
        Ok(trace)
    })
}

/// The backward half of a neuron.
struct NeuronNode {
    plan: Plan,
    has_second: bool,
    /// Shapes of the parameter and the threshold, where they are learned.
    shapes: [Option<Vec<i64>>; 2],
}

impl Backward for NeuronNode {
    fn backward(
        &self,
        saved: &[Option<Tensor>],
        grads: &[Option<Tensor>],
        needed: &[bool],
    ) -> Result<Vec<Option<Tensor>>, AutogradError> {
        let plan = &self.plan;
        let [Some(input), membrane, second, parameter, v_threshold] = saved else {
            return Err(AutogradError::Libtorch("the saved input is gone".into()));
        };
        let step = || step_like(input);
        let like = step()?;
        let state_grad = |grad: Option<&Tensor>| grad.map(|grad| laid_out_as(grad, &like)).transpose();
        let grad_membrane = state_grad(grads[1].as_ref())?;
        let grad_second = state_grad(grads.get(2).and_then(Option::as_ref))?;
        let grad_spikes = match &grads[0] {
            Some(grad) => Some(laid_out_as(&grad.f_to_kind(plan.kind())?, input)?),
            None => None,
        };
        let grad_input = input.f_empty_like()?;
        let grad_initial = needed[1].then(step).transpose()?;
        let grad_initial_second = (self.has_second && needed[2]).then(step).transpose()?;
        let grad_parameter = needed[3].then(step).transpose()?;
        let grad_threshold = needed[4].then(step).transpose()?;
        let chunk = Program::chunk_of(plan.time_steps);
        let count = Program::checkpoints(chunk, plan.time_steps, plan.neurons);
        let checkpoints = Tensor::f_empty([count as i64], (Kind::Float, input.device()))?;
        let places =
            [Some(input), membrane.as_ref(), second.as_ref(), parameter.as_ref(), v_threshold.as_ref()];
        let mut arguments = plan.first(&places);
        arguments.push(plan.rows(grad_spikes.as_ref()));
        arguments.push(Argument::Float(0.0));
        arguments.push(plan.row(grad_membrane.as_ref()));
        arguments.push(plan.row(grad_second.as_ref()));
        arguments.push(plan.rows(Some(&grad_input)));
        arguments.extend(
            [&grad_initial, &grad_initial_second, &grad_parameter, &grad_threshold]
                .map(|tensor| plan.row(tensor.as_ref())),
        );
        arguments.push(Argument::Tensor(Some(&checkpoints), Kind::Float, count));
        // SAFETY: the parameters of `neuron_backward`, as its documentation has them; lengths are checked.
        unsafe { plan.module()?.launch("neuron_backward", plan.neurons, &arguments)? };
        let [parameter_shape, threshold_shape] = &self.shapes;
        let sum = |rows: Option<Tensor>, shape: &Option<Vec<i64>>| -> Result<Option<Tensor>, AutogradError> {
            let (Some(rows), Some(shape)) = (rows, shape) else { return Ok(None) };
            Ok(Some(rows.f_sum(Kind::Double)?.f_to_kind(Kind::Float)?.f_reshape(shape)?))
        };
        Ok(vec![
            Some(grad_input),
            grad_initial,
            grad_initial_second,
            sum(grad_parameter, parameter_shape)?,
            sum(grad_threshold, threshold_shape)?,
        ])
    }
}

fn spike_module(
    surrogate: Surrogate,
    strict: bool,
    (device, storage): (usize, Storage),
) -> Result<Arc<Module>, AutogradError> {
    let key = Key::Spike { surrogate, strict, storage, device };
    module(key, device, || Ok(spike_text(surrogate, strict, storage)))
}

/// Spikes of a dense `u`.
pub(crate) fn spike(u: &Tensor, surrogate: Surrogate, strict: bool) -> Result<Tensor, AutogradError> {
    let spikes = u.f_empty_like()?;
    let count = u.numel();
    let arguments = [
        Argument::Long(count as i64),
        Argument::Tensor(Some(u), u.kind(), count),
        Argument::Tensor(Some(&spikes), u.kind(), count),
    ];
    // SAFETY: the parameters of `spike_forward`, as its documentation has them; lengths are checked.
    unsafe { spike_module(surrogate, strict, place_of(u)?)?.launch("spike_forward", count, &arguments)? };
    Ok(spikes)
}

/// The gradient of a dense `u`; `grad_spikes` is laid out as it.
pub(crate) fn spike_backward(
    u: &Tensor,
    grad_spikes: &Tensor,
    surrogate: Surrogate,
    strict: bool,
) -> Result<Tensor, AutogradError> {
    let grad_u = u.f_empty_like()?;
    let count = u.numel();
    let arguments = [
        Argument::Long(count as i64),
        Argument::Tensor(Some(u), u.kind(), count),
        Argument::Tensor(Some(grad_spikes), u.kind(), count),
        Argument::Tensor(Some(&grad_u), u.kind(), count),
    ];
    // SAFETY: the parameters of `spike_backward`, as its documentation has them; lengths are checked.
    unsafe { spike_module(surrogate, strict, place_of(u)?)?.launch("spike_backward", count, &arguments)? };
    Ok(grad_u)
}
