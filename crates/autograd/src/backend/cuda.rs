//! The kernels of `tks_neuron::cuda` over tensors on a GPU.

use tch::{Device, Kind, Tensor};
use tks_neuron::Neuron;
use tks_neuron::cuda::{BackwardArguments, ForwardArguments, Program};
use tks_torch::cuda::Module;
use tks_torch::memory::laid_out_as;

use super::{InputGradients, NeuronBackend, OutputGradients, Start, Wanted, step_like};
use crate::cuda::neuron_module;
use crate::error::AutogradError;
use crate::multi_step::{LearnedTensors, Output, State};

/// A neuron on a GPU; learned values stay there.
pub(crate) struct CudaBackend {
    neuron: Neuron,
}

impl CudaBackend {
    pub(crate) fn new(neuron: &Neuron) -> Result<Self, AutogradError> {
        neuron.check()?;
        Ok(CudaBackend { neuron: *neuron })
    }

    /// Runs the forward kernel.
    fn launch_forward(
        &self,
        start: &Start,
        spikes: &Tensor,
        finals: [Option<&Tensor>; 2],
        membranes: Option<&Tensor>,
    ) -> Result<(), AutogradError> {
        let (time_steps, neurons) = start.steps_and_neurons();
        let module = neuron_module(self.neuron, &start.input, time_steps)?;
        let buffers = Buffers { module: &module, start, own: self.neuron.model.learned().len() };
        let [final_membrane, final_auxiliary] = finals;
        let arguments = ForwardArguments {
            neurons: neurons as i64,
            time_steps: time_steps as i32,
            input: buffers.rows(Some(&start.input))?,
            initial_membrane: buffers.row(start.membrane.as_ref())?,
            initial_auxiliary: buffers.row(start.auxiliary.as_ref())?,
            parameters: buffers.parameters()?,
            v_threshold: buffers.numbers(start.v_threshold.as_ref(), 1)?,
            spikes: buffers.rows(Some(spikes))?,
            final_membrane: buffers.row(final_membrane)?,
            final_auxiliary: buffers.row(final_auxiliary)?,
            membranes: buffers.numbers(membranes, time_steps * neurons)?,
        };
        // SAFETY: this is the kernel's parameter, and each buffer has the documented length.
        unsafe { module.launch(c"neuron_forward", neurons, arguments)? };
        Ok(())
    }
}

/// Addresses of buffers, checked against the kernels' documentation.
struct Buffers<'a> {
    module: &'a Module,
    start: &'a Start,
    /// Learned parameters of the model.
    own: usize,
}

impl Buffers<'_> {
    /// A sequence, `[T, N]`, in the input's kind.
    fn rows(&self, tensor: Option<&Tensor>) -> Result<u64, AutogradError> {
        let (time_steps, neurons) = self.start.steps_and_neurons();
        Ok(self.module.address(tensor, self.start.input.kind(), time_steps * neurons)?)
    }

    /// A state, `[N]`.
    fn row(&self, tensor: Option<&Tensor>) -> Result<u64, AutogradError> {
        self.numbers(tensor, self.start.steps_and_neurons().1)
    }

    fn numbers(&self, tensor: Option<&Tensor>, count: usize) -> Result<u64, AutogradError> {
        Ok(self.module.address(tensor, Kind::Float, count)?)
    }

    fn parameters(&self) -> Result<u64, AutogradError> {
        self.numbers(self.start.parameters.as_ref(), self.own)
    }
}

impl NeuronBackend for CudaBackend {
    fn place_learned(
        &self,
        learned: LearnedTensors<'_>,
        device: Device,
    ) -> Result<[Option<Tensor>; 2], AutogradError> {
        let place =
            |tensor: &Tensor| tensor.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(device)?.f_reshape([1]);
        let parameters: Vec<Tensor> = learned.parameters.iter().map(place).collect::<Result<_, _>>()?;
        let parameters = if parameters.is_empty() { None } else { Some(Tensor::f_cat(&parameters, 0)?) };
        Ok([parameters, learned.v_threshold.map(place).transpose()?])
    }

    fn forward(&self, start: &Start) -> Result<Output, AutogradError> {
        let spikes = start.input.f_empty_like()?;
        let membrane = step_like(&start.input)?;
        let auxiliary = self.neuron.model.auxiliary_state().map(|_| step_like(&start.input)).transpose()?;
        self.launch_forward(start, &spikes, [Some(&membrane), auxiliary.as_ref()], None)?;
        Ok(Output { spikes, state: State { membrane, auxiliary } })
    }

    fn membranes(&self, start: &Start) -> Result<Tensor, AutogradError> {
        let trace = start.input.f_to_kind(Kind::Float)?.f_empty_like()?;
        self.launch_forward(start, &start.input.f_empty_like()?, [None, None], Some(&trace))?;
        Ok(trace)
    }

    fn backward(
        &self,
        start: &Start,
        grads: &OutputGradients<'_>,
        wanted: &Wanted,
    ) -> Result<InputGradients, AutogradError> {
        let (time_steps, neurons) = start.steps_and_neurons();
        let input = &start.input;
        let module = neuron_module(self.neuron, input, time_steps)?;
        let buffers = Buffers { module: &module, start, own: self.neuron.model.learned().len() };
        let rows = grads.spikes.map(|grad| laid_out_as(&grad.f_to_kind(input.kind())?, input));
        let grad_spikes = rows.transpose()?;
        let step = |wanted: bool| wanted.then(|| step_like(input)).transpose();
        let empty = |size: &[i64]| Tensor::f_empty(size, (Kind::Float, input.device()));
        let grad_input = input.f_empty_like()?;
        let membrane = step(wanted.membrane)?;
        let auxiliary = step(wanted.auxiliary && self.neuron.model.auxiliary_state().is_some())?;
        let v_threshold = step(wanted.v_threshold)?;
        let parameters =
            wanted.parameters.then(|| empty(&[buffers.own as i64, neurons as i64])).transpose()?;
        let scratch = Program::checkpoints(Program::chunk_of(time_steps), time_steps, neurons);
        let checkpoints = empty(&[scratch as i64])?;
        let arguments = BackwardArguments {
            neurons: neurons as i64,
            time_steps: time_steps as i32,
            uniform_grad: 0.0,
            input: buffers.rows(Some(input))?,
            initial_membrane: buffers.row(start.membrane.as_ref())?,
            initial_auxiliary: buffers.row(start.auxiliary.as_ref())?,
            parameters: buffers.parameters()?,
            v_threshold: buffers.numbers(start.v_threshold.as_ref(), 1)?,
            grad_spikes: buffers.rows(grad_spikes.as_ref())?,
            grad_final_membrane: buffers.row(grads.membrane.as_ref())?,
            grad_final_auxiliary: buffers.row(grads.auxiliary.as_ref())?,
            grad_input: buffers.rows(Some(&grad_input))?,
            grad_initial_membrane: buffers.row(membrane.as_ref())?,
            grad_initial_auxiliary: buffers.row(auxiliary.as_ref())?,
            grad_parameters: buffers.numbers(parameters.as_ref(), buffers.own * neurons)?,
            grad_v_threshold: buffers.row(v_threshold.as_ref())?,
            checkpoints: buffers.numbers(Some(&checkpoints), scratch)?,
        };
        // SAFETY: this is the kernel's parameter, and each buffer has the documented length.
        unsafe { module.launch(c"neuron_backward", neurons, arguments)? };
        let v_threshold = v_threshold.map(|rows| rows.f_sum(Kind::Double)?.f_to_kind(Kind::Float));
        let parameters =
            parameters.map(|rows| rows.f_sum_dim_intlist(1i64, false, Kind::Double)?.f_to_kind(Kind::Float));
        Ok(InputGradients {
            input: Some(grad_input),
            membrane,
            auxiliary,
            v_threshold: v_threshold.transpose()?,
            parameters: parameters.transpose()?,
            normalization: [None, None],
        })
    }
}
