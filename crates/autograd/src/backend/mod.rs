//! The backends of a neuron's fused operation, one per kind of device, and the autograd node above them.

mod cpu;
mod cuda;

use tch::{Device, Kind, Tensor};
use tks_neuron::Neuron;
use tks_torch::BoxError;
use tks_torch::custom::{Backward, Gradients, Tensors, record};
use tks_torch::memory::{laid_out_as, time_first};

use crate::error::AutogradError;
use crate::multi_step::{LearnedTensors, Output, State, check_learned, checked_state};
pub(crate) use cpu::{ByChannel, CpuBackend};

/// A neuron's fused kernels on one kind of device, for both passes.
pub(crate) trait NeuronBackend: Send {
    /// The learned parameters, `[P]`, and the threshold in the form that the kernels read and the backward
    /// pass needs again; `None` if the backend already holds them.
    fn place_learned(
        &self,
        learned: LearnedTensors<'_>,
        device: Device,
    ) -> Result<[Option<Tensor>; 2], AutogradError>;

    /// Spikes and the final state.
    fn forward(&self, start: &Start) -> Result<Output, AutogradError>;

    /// The membrane potential after each step, `[T, B, ...]` in `f32`.
    fn membranes(&self, start: &Start) -> Result<Tensor, AutogradError>;

    /// Back-propagation through time from the gradients of the results of [`Self::forward`].
    fn backward(
        &self,
        start: &Start,
        grads: &OutputGradients<'_>,
        wanted: &Wanted,
    ) -> Result<InputGradients, AutogradError>;
}

/// The inputs of a run, laid out as the kernels need them.
pub(crate) struct Start {
    /// `[T, N]` in memory.
    pub(crate) input: Tensor,
    /// `[N]`, laid out like one step of the input; `None`: at rest.
    pub(crate) membrane: Option<Tensor>,
    /// `[N]`, laid out like one step of the input; `None`: 0.
    pub(crate) auxiliary: Option<Tensor>,
    /// See [`NeuronBackend::place_learned`].
    pub(crate) parameters: Option<Tensor>,
    /// See [`NeuronBackend::place_learned`].
    pub(crate) v_threshold: Option<Tensor>,
}

/// The incoming gradients; `None`: zero.
pub(crate) struct OutputGradients<'a> {
    /// `[T, B, ...]`, in any layout.
    pub(crate) spikes: Option<&'a Tensor>,
    /// Laid out like one step of the input.
    pub(crate) membrane: Option<Tensor>,
    /// Laid out like one step of the input.
    pub(crate) auxiliary: Option<Tensor>,
}

/// Which gradients are requested besides the input's.
pub(crate) struct Wanted {
    pub(crate) membrane: bool,
    pub(crate) auxiliary: bool,
    pub(crate) v_threshold: bool,
    pub(crate) parameters: bool,
}

/// The outgoing gradients.
#[derive(Default)]
pub(crate) struct InputGradients {
    /// In the kind of the input.
    pub(crate) input: Option<Tensor>,
    pub(crate) membrane: Option<Tensor>,
    pub(crate) auxiliary: Option<Tensor>,
    /// One value.
    pub(crate) v_threshold: Option<Tensor>,
    /// `[P]`
    pub(crate) parameters: Option<Tensor>,
    /// Of a normalisation's weight and bias.
    pub(crate) normalization: [Option<Tensor>; 2],
}

impl Start {
    /// From a checked state.
    pub(crate) fn new(
        backend: &dyn NeuronBackend,
        input: &Tensor,
        initial: Option<(&Tensor, Option<&Tensor>)>,
        learned: LearnedTensors<'_>,
    ) -> Result<Start, AutogradError> {
        let input = time_first(input)?.f_detach()?;
        let like = step_like(&input)?;
        let place = |tensor: Option<&Tensor>| tensor.map(|tensor| laid_out_as(tensor, &like)).transpose();
        let [parameters, v_threshold] = backend.place_learned(learned, input.device())?;
        Ok(Start {
            membrane: place(initial.map(|(membrane, _)| membrane))?,
            auxiliary: place(initial.and_then(|(_, auxiliary)| auxiliary))?,
            parameters,
            v_threshold,
            input,
        })
    }

    /// `T` and `N`.
    pub(crate) fn steps_and_neurons(&self) -> (usize, usize) {
        let size = self.input.size();
        (size[0] as usize, size[1..].iter().product::<i64>() as usize)
    }
}

/// An uninitialised `f32` tensor with the shape and layout of one step of `input`.
pub(crate) fn step_like(input: &Tensor) -> Result<Tensor, AutogradError> {
    Ok(Tensor::f_empty_strided(&input.size()[1..], &input.stride()[1..], (Kind::Float, input.device()))?)
}

/// The fused kernels of a neuron on a device.
///
/// # Errors
/// If there are none for it, or the learned values do not match.
pub(crate) fn of(
    neuron: &Neuron,
    device: Device,
    learned: LearnedTensors<'_>,
) -> Result<Box<dyn NeuronBackend>, AutogradError> {
    Ok(match device {
        Device::Cuda(_) => {
            check_learned(neuron, learned)?;
            Box::new(cuda::CudaBackend::new(neuron)?)
        }
        _ => Box::new(CpuBackend::new(neuron, learned, None)?),
    })
}

/// The whole operation: the forward pass, recorded so that gradients flow to the input, the initial state,
/// the learned values, and the weight and bias of the normalisation that the backend applies to the input.
pub(crate) fn run(
    backend: Box<dyn NeuronBackend>,
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
    normalization: Option<[&Tensor; 2]>,
) -> Result<Output, AutogradError> {
    let initial = checked_state(neuron, input, state)?;
    let (start, output) = tch::no_grad(|| -> Result<_, AutogradError> {
        let start = Start::new(&*backend, input, initial, learned)?;
        let output = backend.forward(&start)?;
        Ok((start, output))
    })?;
    let mut inputs = vec![
        Some(input),
        initial.map(|(membrane, _)| membrane),
        initial.and_then(|(_, auxiliary)| auxiliary),
        learned.v_threshold,
        normalization.map(|[weight, _]| weight),
        normalization.map(|[_, bias]| bias),
    ];
    inputs.extend(learned.parameters.iter().map(Some));
    let mut outputs = vec![&output.spikes, &output.state.membrane];
    outputs.extend(&output.state.auxiliary);
    let Start { input, membrane, auxiliary, parameters, v_threshold } = &start;
    let saved =
        [Some(input), membrane.as_ref(), auxiliary.as_ref(), parameters.as_ref(), v_threshold.as_ref()];
    let node = Node {
        backend,
        parameter_shapes: learned.parameters.iter().map(Tensor::size).collect(),
        threshold_shape: learned.v_threshold.map(Tensor::size),
    };
    record(c"tks::multi_step", &inputs, &outputs, &saved, node)?;
    Ok(output)
}

/// The backward half.
struct Node {
    backend: Box<dyn NeuronBackend>,
    /// Of the learned values.
    parameter_shapes: Vec<Vec<i64>>,
    threshold_shape: Option<Vec<i64>>,
}

impl Backward for Node {
    fn backward(&self, saved: &Tensors, grads: &Tensors, needed: &[bool]) -> Result<Gradients, BoxError> {
        let [Some(input), membrane, auxiliary, parameters, v_threshold] = saved else {
            return Err(AutogradError::Invariant("the saved input is gone").into());
        };
        let copy = |tensor: &Option<Tensor>| tensor.as_ref().map(Tensor::shallow_clone);
        let start = Start {
            input: input.shallow_clone(),
            membrane: copy(membrane),
            auxiliary: copy(auxiliary),
            parameters: copy(parameters),
            v_threshold: copy(v_threshold),
        };
        let like = step_like(input)?;
        let place = |grad: Option<&Tensor>| grad.map(|grad| laid_out_as(grad, &like)).transpose();
        let arriving = OutputGradients {
            spikes: grads[0].as_ref(),
            membrane: place(grads[1].as_ref())?,
            auxiliary: place(grads.get(2).and_then(Option::as_ref))?,
        };
        let wanted = Wanted {
            membrane: needed[1],
            auxiliary: needed[2],
            v_threshold: needed[3],
            parameters: needed[6..].contains(&true),
        };
        let found = self.backend.backward(&start, &arriving, &wanted)?;
        let shaped =
            |tensor: Option<Tensor>, shape: &Vec<i64>| tensor.map(|t| t.f_reshape(shape)).transpose();
        let v_threshold = match &self.threshold_shape {
            Some(shape) => shaped(found.v_threshold, shape)?,
            None => None,
        };
        let [weight, bias] = found.normalization;
        let mut gradients = vec![found.input, found.membrane, found.auxiliary, v_threshold, weight, bias];
        for (i, shape) in self.parameter_shapes.iter().enumerate() {
            let own = found.parameters.as_ref().map(|all| all.f_select(0, i as i64)).transpose()?;
            gradients.push(shaped(own, shape)?);
        }
        Ok(gradients)
    }
}
