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
use crate::multi_step::{
    LearnedTensors, Output, State, check_learned, checked_state, step_like, steps_and_neurons,
};

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
        let [input, membrane, auxiliary, parameters, v_threshold] = *saved;
        vec![
            Argument::Long(self.neurons as i64),
            Argument::Int(self.time_steps as i32),
            self.rows(input),
            self.row(membrane),
            self.row(auxiliary),
            Argument::Tensor(parameters, Kind::Float, self.neuron.model.learned().len()),
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
    check_learned(neuron, learned)?;
    let initial = checked_state(neuron, input, state)?;
    let has_auxiliary = neuron.model.auxiliary_state().is_some();
    let (plan, spikes, [membrane, auxiliary], saved) = tch::no_grad(|| -> Result<_, AutogradError> {
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
            place(initial.and_then(|(_, auxiliary)| auxiliary))?,
            stacked(learned.parameters, input.device())?,
            number(learned.v_threshold)?,
        ];
        let spikes = input.f_empty_like()?;
        let membrane = step_like(&input)?;
        let auxiliary = has_auxiliary.then(|| step_like(&input)).transpose()?;
        plan.forward(
            &saved.each_ref().map(Option::as_ref),
            &spikes,
            [Some(&membrane), auxiliary.as_ref()],
            None,
        )?;
        Ok((plan, spikes, [Some(membrane), auxiliary], saved))
    })?;
    let Some(membrane) = membrane else {
        return Err(AutogradError::Libtorch("the forward pass gave no membrane".into()));
    };
    let inputs = [
        Some(input),
        initial.map(|(membrane, _)| membrane),
        initial.and_then(|(_, auxiliary)| auxiliary),
        learned.v_threshold,
    ];
    let inputs: Vec<_> = inputs.into_iter().chain(learned.parameters.iter().map(Some)).collect();
    let mut outputs = vec![&spikes, &membrane];
    outputs.extend(auxiliary.as_ref());
    let node = NeuronNode {
        plan,
        has_auxiliary,
        parameter_shapes: learned.parameters.iter().map(Tensor::size).collect(),
        threshold_shape: learned.v_threshold.map(Tensor::size),
    };
    record(c"tks::multi_step_cuda", &inputs, &outputs, &saved.each_ref().map(Option::as_ref), node)?;
    Ok(Output { spikes, state: State { membrane, auxiliary } })
}

/// As [`crate::membranes`], for tensors on a GPU.
pub(crate) fn membranes(
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
) -> Result<Tensor, AutogradError> {
    check_learned(neuron, learned)?;
    let initial = checked_state(neuron, input, state)?;
    tch::no_grad(|| {
        let input = time_first(input)?;
        let plan = Plan::new(neuron, &input)?;
        let like = step_like(&input)?;
        let place = |tensor: Option<&Tensor>| tensor.map(|tensor| laid_out_as(tensor, &like)).transpose();
        let membrane = place(initial.map(|(membrane, _)| membrane))?;
        let auxiliary = place(initial.and_then(|(_, auxiliary)| auxiliary))?;
        let parameters = stacked(learned.parameters, input.device())?;
        let saved =
            [Some(&input), membrane.as_ref(), auxiliary.as_ref(), parameters.as_ref(), learned.v_threshold];
        let trace = input.f_to_kind(Kind::Float)?.f_empty_like()?;
        plan.forward(&saved, &input.f_empty_like()?, [None, None], Some(&trace))?;
        Ok(trace)
    })
}

/// The backward half of a neuron.
struct NeuronNode {
    plan: Plan,
    has_auxiliary: bool,
    /// Shapes of the parameters and the threshold, where they are learned.
    parameter_shapes: Vec<Vec<i64>>,
    threshold_shape: Option<Vec<i64>>,
}

impl Backward for NeuronNode {
    fn backward(
        &self,
        saved: &[Option<Tensor>],
        grads: &[Option<Tensor>],
        needed: &[bool],
    ) -> Result<Vec<Option<Tensor>>, AutogradError> {
        let plan = &self.plan;
        let [Some(input), membrane, auxiliary, parameters, v_threshold] = saved else {
            return Err(AutogradError::Libtorch("the saved input is gone".into()));
        };
        let step = || step_like(input);
        let like = step()?;
        let state_grad = |grad: Option<&Tensor>| grad.map(|grad| laid_out_as(grad, &like)).transpose();
        let grad_membrane = state_grad(grads[1].as_ref())?;
        let grad_auxiliary = state_grad(grads.get(2).and_then(Option::as_ref))?;
        let grad_spikes = match &grads[0] {
            Some(grad) => Some(laid_out_as(&grad.f_to_kind(plan.kind())?, input)?),
            None => None,
        };
        let grad_input = input.f_empty_like()?;
        let grad_initial = needed[1].then(step).transpose()?;
        let grad_initial_auxiliary = (self.has_auxiliary && needed[2]).then(step).transpose()?;
        let grad_threshold = needed[3].then(step).transpose()?;
        let own = self.parameter_shapes.len();
        let grad_parameters = if needed[4..].contains(&true) {
            let size = [own as i64, plan.neurons as i64];
            Some(Tensor::f_empty(size, (Kind::Float, input.device()))?)
        } else {
            None
        };
        let chunk = Program::chunk_of(plan.time_steps);
        let count = Program::checkpoints(chunk, plan.time_steps, plan.neurons);
        let checkpoints = Tensor::f_empty([count as i64], (Kind::Float, input.device()))?;
        let places =
            [Some(input), membrane.as_ref(), auxiliary.as_ref(), parameters.as_ref(), v_threshold.as_ref()];
        let mut arguments = plan.first(&places);
        arguments.push(plan.rows(grad_spikes.as_ref()));
        arguments.push(Argument::Float(0.0));
        arguments.push(plan.row(grad_membrane.as_ref()));
        arguments.push(plan.row(grad_auxiliary.as_ref()));
        arguments.push(plan.rows(Some(&grad_input)));
        arguments.push(plan.row(grad_initial.as_ref()));
        arguments.push(plan.row(grad_initial_auxiliary.as_ref()));
        arguments.push(Argument::Tensor(grad_parameters.as_ref(), Kind::Float, own * plan.neurons));
        arguments.push(plan.row(grad_threshold.as_ref()));
        arguments.push(Argument::Tensor(Some(&checkpoints), Kind::Float, count));
        // SAFETY: the parameters of `neuron_backward`, as its documentation has them; lengths are checked.
        unsafe { plan.module()?.launch("neuron_backward", plan.neurons, &arguments)? };
        let sum = |rows: &Tensor, shape: &[i64]| -> Result<Tensor, AutogradError> {
            Ok(rows.f_sum(Kind::Double)?.f_to_kind(Kind::Float)?.f_reshape(shape)?)
        };
        let grad_threshold = match (grad_threshold, &self.threshold_shape) {
            (Some(rows), Some(shape)) => Some(sum(&rows, shape)?),
            _ => None,
        };
        let mut gradients = vec![Some(grad_input), grad_initial, grad_initial_auxiliary, grad_threshold];
        for (i, shape) in self.parameter_shapes.iter().enumerate() {
            let rows = grad_parameters.as_ref().map(|rows| rows.f_select(0, i as i64)).transpose()?;
            gradients.push(rows.map(|rows| sum(&rows, shape)).transpose()?);
        }
        Ok(gradients)
    }
}

/// The parameters as one tensor on the device, as the kernels read them; `None` where there are none.
fn stacked(parameters: &[Tensor], device: Device) -> Result<Option<Tensor>, AutogradError> {
    if parameters.is_empty() {
        return Ok(None);
    }
    let flat: Vec<Tensor> = parameters
        .iter()
        .map(|tensor| tensor.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(device)?.f_reshape([1]))
        .collect::<Result<_, _>>()?;
    Ok(Some(Tensor::f_cat(&flat, 0)?))
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
