//! Neurons over a whole sequence as one differentiable operation, by the fused kernels.

use tch::{Kind, Tensor};
use tks_neuron::kernel::{
    Backward as BackwardArguments, ChannelAffine, ChannelSums, Forward, GradSpikes, Kernel, Spikes,
};
use tks_neuron::normalize;
use tks_neuron::{Neuron, NeuronError};

use crate::cuda;
use crate::custom::{Backward, record};
use crate::error::AutogradError;
use crate::ffi::{half_values_mut, values, values_mut};
use crate::layout::{laid_out_as, time_first};

/// What neurons remember between steps, and so between the chunks of a sequence. Each of shape `[B, ...]`.
#[derive(Debug)]
pub struct State {
    /// The membrane.
    pub membrane: Tensor,
    /// Synaptic current, adaptation or recovery, where the model has it.
    pub auxiliary: Option<Tensor>,
}

impl State {
    /// The same values cut off from the graph: for truncated back-propagation through time.
    #[must_use]
    pub fn detach(&self) -> State {
        State { membrane: self.membrane.detach(), auxiliary: self.auxiliary.as_ref().map(Tensor::detach) }
    }
}

/// Learned values that take the place of the configuration's; tensors of one element.
#[derive(Debug, Clone, Copy, Default)]
pub struct LearnedTensors<'a> {
    /// The parameters that the model has of its own, in the order of [`Model::learned`](tks_neuron::Model::learned), or
    /// none for their initial values.
    pub parameters: &'a [Tensor],
    /// The threshold.
    pub v_threshold: Option<&'a Tensor>,
}

/// What a sequence gives: spikes of shape `[T, B, ...]`, and the state after the last step.
#[derive(Debug)]
pub struct Output {
    /// 0.0 or 1.0, in the kind and memory layout of the input, `[T, B, ...]`.
    pub spikes: Tensor,
    /// The state after step `T`.
    pub state: State,
}

/// Runs `neuron` over `input` (`[T, B, ...]`, `f32` or `bf16`; computed in `f32`) by its fused kernel, on the CPU
/// or on a GPU: one pass forward, one back, nothing kept between them but the input.
///
/// Starts from `state`, or from rest. Gradients flow to the input, the initial state and the learned values,
/// from the spikes and the final state. Any memory layout is taken as it is where time is outermost
/// (channels-last included).
///
/// ```
/// use tch::{Device, Kind, Tensor};
/// use tks_autograd::{LearnedTensors, multi_step};
/// use tks_neuron::Neuron;
///
/// let x = Tensor::randn([4, 2, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
/// let output = multi_step(&Neuron::default(), &x, None, LearnedTensors::default())?;
/// assert_eq!(output.spikes.size(), [4, 2, 3]);
/// output.spikes.sum(Kind::Float).backward();
/// assert_eq!(x.grad().size(), [4, 2, 3]);
/// # Ok::<(), tks_autograd::AutogradError>(())
/// ```
///
/// # Errors
/// [`AutogradError`] for a model without a kernel for the CPU (use [`crate::plain::multi_step`]), or shapes, kinds and
/// devices that do not fit.
pub fn multi_step(
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
) -> Result<Output, AutogradError> {
    if input.device().is_cuda() {
        return cuda::multi_step(neuron, input, state, learned);
    }
    run(neuron, input, state, learned, None)
}

/// A normalisation that the kernel applies to its input, see [`mod@crate::batch_norm`].
pub(crate) struct Normalization<'a> {
    pub(crate) weight: &'a Tensor,
    pub(crate) bias: &'a Tensor,
    pub(crate) by_channel: ByChannel,
}

/// What is known of a normalisation's channels, each `[C]`.
#[derive(Clone)]
pub(crate) struct ByChannel {
    pub(crate) scale: Vec<f32>,
    pub(crate) shift: Vec<f32>,
    pub(crate) mean: Vec<f64>,
    /// `1 / sqrt(variance + eps)`
    pub(crate) inverse_deviation: Vec<f64>,
    /// Neurons of one channel that lie side by side in memory.
    pub(crate) inner: usize,
    /// Values of each channel from which its mean and variance were taken; `None`: from elsewhere.
    pub(crate) count: Option<f64>,
}

impl ByChannel {
    fn affine(&self) -> ChannelAffine<'_> {
        ChannelAffine { scale: &self.scale, shift: &self.shift, inner: self.inner }
    }
}

/// As [`multi_step()`], over the normalised input where there is a normalisation; `input` then is
/// `[T, N]` in memory with its channels as `by_channel.inner` says.
pub(crate) fn run(
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
    normalization: Option<Normalization<'_>>,
) -> Result<Output, AutogradError> {
    let kernel = kernel_of(neuron, learned)?;
    let affine = normalization.as_ref().map(|normalization| normalization.by_channel.affine());
    let has_auxiliary = neuron.model.auxiliary_state().is_some();
    let initial = checked_state(neuron, input, state)?;
    let (mut outputs, saved) = tch::no_grad(|| -> Result<_, AutogradError> {
        let input = time_first(input)?;
        let saved_state = initial.map(|(membrane, auxiliary)| -> Result<_, AutogradError> {
            let like = step_like(&input)?;
            let auxiliary = auxiliary.map(|auxiliary| laid_out_as(auxiliary, &like)).transpose()?;
            Ok((laid_out_as(membrane, &like)?, auxiliary))
        });
        let (membrane, auxiliary) = match saved_state.transpose()? {
            Some((membrane, auxiliary)) => (Some(membrane), auxiliary),
            None => (None, None),
        };
        let outputs =
            forward(&kernel, &input, affine, [membrane.as_ref(), auxiliary.as_ref()], has_auxiliary)?;
        Ok((outputs, [Some(input), membrane, auxiliary]))
    })?;
    let auxiliary = has_auxiliary.then(|| outputs.pop()).flatten();
    let mut differentiable: Vec<&Tensor> = outputs.iter().collect();
    differentiable.extend(auxiliary.as_ref());
    let inputs = [
        Some(input),
        initial.map(|(membrane, _)| membrane),
        initial.and_then(|(_, auxiliary)| auxiliary),
        learned.v_threshold,
        normalization.as_ref().map(|normalization| normalization.weight),
        normalization.as_ref().map(|normalization| normalization.bias),
    ];
    let inputs: Vec<_> = inputs.into_iter().chain(learned.parameters.iter().map(Some)).collect();
    let node = Node {
        kernel,
        by_channel: normalization.as_ref().map(|normalization| normalization.by_channel.clone()),
        has_auxiliary,
        parameter_shapes: learned.parameters.iter().map(Tensor::size).collect(),
        threshold_shape: learned.v_threshold.map(Tensor::size),
    };
    record(c"tks::multi_step", &inputs, &differentiable, &saved.each_ref().map(Option::as_ref), node)?;
    let mut outputs = outputs.into_iter();
    match (outputs.next(), outputs.next()) {
        (Some(spikes), Some(membrane)) => Ok(Output { spikes, state: State { membrane, auxiliary } }),
        _ => Err(AutogradError::Libtorch("the forward pass gave no output".into())),
    }
}

/// The membrane after each step, `[T, B, ...]` in `f32`, cut off from the graph: a trace to look at.
///
/// Runs the neurons once more for it, so that training pays nothing while no trace is asked for.
///
/// # Errors
/// As [`multi_step()`].
pub fn membranes(
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
) -> Result<Tensor, AutogradError> {
    if input.device().is_cuda() {
        return cuda::membranes(neuron, input, state, learned);
    }
    let kernel = kernel_of(neuron, learned)?;
    let initial = checked_state(neuron, input, state)?;
    tch::no_grad(|| {
        let input = time_first(input)?.f_to_kind(Kind::Float)?;
        let (t, n) = steps_and_neurons(&input);
        let mut trace = input.f_empty_like()?;
        let mut spikes = vec![0u8; t * n];
        let [membrane, auxiliary] = match initial {
            Some((membrane, auxiliary)) => {
                let like = step_like(&input)?;
                let auxiliary = auxiliary.map(|auxiliary| laid_out_as(auxiliary, &like)).transpose()?;
                [Some(laid_out_as(membrane, &like)?), auxiliary]
            }
            None => [None, None],
        };
        let mut arguments = Forward::new(t, n, values(&input)?, Spikes::U8(&mut spikes));
        arguments.initial_membrane = membrane.as_ref().map(values).transpose()?;
        arguments.initial_auxiliary = auxiliary.as_ref().map(values).transpose()?;
        arguments.membranes = Some(values_mut(&mut trace)?);
        kernel.forward(arguments)?;
        Ok(trace)
    })
}

/// An unset `f32` tensor of the shape and layout of one step of `input`.
pub(crate) fn step_like(input: &Tensor) -> Result<Tensor, AutogradError> {
    Ok(Tensor::f_empty_strided(&input.size()[1..], &input.stride()[1..], (Kind::Float, input.device()))?)
}

fn kernel_of(neuron: &Neuron, learned: LearnedTensors<'_>) -> Result<Kernel, AutogradError> {
    check_learned(neuron, learned)?;
    let mut kernel = Kernel::new(neuron)?;
    let number = |tensor: &Tensor| -> Result<f32, AutogradError> {
        Ok(f64::try_from(tensor.f_detach()?.f_reshape([])?)? as f32)
    };
    if let [parameter] = learned.parameters {
        kernel = kernel.with_parameter(number(parameter)?);
    }
    if let Some(v_threshold) = learned.v_threshold {
        kernel = kernel.with_threshold(number(v_threshold)?);
    }
    Ok(kernel)
}

/// Checks the number and the sizes of what is learned.
pub(crate) fn check_learned(neuron: &Neuron, learned: LearnedTensors<'_>) -> Result<(), AutogradError> {
    let names = neuron.model.learned();
    if !learned.parameters.is_empty() && learned.parameters.len() != names.len() {
        let problem = if names.is_empty() {
            "has no learned parameter of its own"
        } else {
            "has another number of learned parameters"
        };
        return Err(NeuronError::State { model: neuron.model.name(), problem }.into());
    }
    let own = names.iter().map(|(name, _)| *name).zip(learned.parameters);
    for (name, tensor) in own.chain(learned.v_threshold.map(|tensor| ("v_threshold", tensor))) {
        if tensor.numel() != 1 {
            let expected = "one element".into();
            return Err(AutogradError::Shape { tensor: name, actual: tensor.size(), expected });
        }
    }
    Ok(())
}

/// The initial state's tensors, of the shape of one step of the input.
pub(crate) fn checked_state<'a>(
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&'a State>,
) -> Result<Option<(&'a Tensor, Option<&'a Tensor>)>, AutogradError> {
    let size = input.size();
    if size.len() < 2 {
        let expected = "[T, B, ...]".into();
        return Err(AutogradError::Shape { tensor: "input", actual: size, expected });
    }
    if !matches!(input.kind(), Kind::Float | Kind::BFloat16) {
        return Err(AutogradError::Unsupported(format!(
            "the input must be f32 or bf16, not {:?}",
            input.kind()
        )));
    }
    let Some(state) = state else { return Ok(None) };
    let fits = |name, tensor: &Tensor| {
        if tensor.size() == size[1..] && tensor.kind() == Kind::Float {
            Ok(())
        } else {
            let expected = format!("{:?} in f32 (that of one step)", &size[1..]);
            Err(AutogradError::Shape { tensor: name, actual: tensor.size(), expected })
        }
    };
    fits("membrane", &state.membrane)?;
    if let Some(auxiliary) = &state.auxiliary {
        fits("auxiliary", auxiliary)?;
        if neuron.model.auxiliary_state().is_none() {
            let problem = "has no auxiliary state";
            return Err(NeuronError::State { model: neuron.model.name(), problem }.into());
        }
    }
    Ok(Some((&state.membrane, state.auxiliary.as_ref())))
}

/// `T` and `N` of a time-first tensor.
pub(crate) fn steps_and_neurons(tensor: &Tensor) -> (usize, usize) {
    let size = tensor.size();
    (size[0] as usize, size[1..].iter().product::<i64>() as usize)
}

/// Spikes, final membrane, and the final auxiliary state where the model has one.
fn forward(
    kernel: &Kernel,
    original: &Tensor,
    affine: Option<ChannelAffine<'_>>,
    [membrane, auxiliary]: [Option<&Tensor>; 2],
    has_auxiliary: bool,
) -> Result<Vec<Tensor>, AutogradError> {
    let (t, n) = steps_and_neurons(original);
    let input = original.f_to_kind(Kind::Float)?;
    let mut spikes = original.f_empty_like()?;
    let step = || step_like(&input);
    let mut final_membrane = step()?;
    let mut final_auxiliary = has_auxiliary.then(step).transpose()?;
    let buffer = match spikes.kind() {
        Kind::BFloat16 => Spikes::Bf16(half_values_mut(&mut spikes)?),
        _ => Spikes::F32(values_mut(&mut spikes)?),
    };
    let mut arguments = Forward::new(t, n, values(&input)?, buffer);
    arguments.affine = affine;
    arguments.initial_membrane = membrane.map(values).transpose()?;
    arguments.initial_auxiliary = auxiliary.map(values).transpose()?;
    arguments.final_membrane = Some(values_mut(&mut final_membrane)?);
    arguments.final_auxiliary = final_auxiliary.as_mut().map(values_mut).transpose()?;
    kernel.forward(arguments)?;
    Ok([spikes, final_membrane].into_iter().chain(final_auxiliary).collect())
}

impl ByChannel {
    /// From the sums over each channel: what turns the gradient of the normalised input into that of the
    /// input (see [`normalize::combine`]), and the gradients of weight and bias.
    fn backward(&self, sums: &[ChannelSums]) -> (Vec<[f32; 3]>, [Vec<f32>; 2]) {
        let (mut coefficients, mut weight, mut bias) = (Vec::new(), Vec::new(), Vec::new());
        for (c, sum) in sums.iter().enumerate() {
            let (mean, inverse) = (self.mean[c], self.inverse_deviation[c]);
            let scale = f64::from(self.scale[c]);
            // Sum of the gradient times the normalised input.
            let along = inverse * (sum.grad_x - mean * sum.grad);
            weight.push(along as f32);
            bias.push(sum.grad as f32);
            coefficients.push(match self.count {
                None => [self.scale[c], 0.0, 0.0],
                Some(count) => {
                    let slope = -scale * inverse * along / count;
                    let offset = -scale * sum.grad / count - slope * mean;
                    [self.scale[c], slope as f32, offset as f32]
                }
            });
        }
        (coefficients, [weight, bias])
    }
}

/// The backward half: recomputes the membranes from the saved input.
struct Node {
    kernel: Kernel,
    by_channel: Option<ByChannel>,
    has_auxiliary: bool,
    parameter_shapes: Vec<Vec<i64>>,
    threshold_shape: Option<Vec<i64>>,
}

impl Backward for Node {
    fn backward(
        &self,
        saved: &[Option<Tensor>],
        grads: &[Option<Tensor>],
        needed: &[bool],
    ) -> Result<Vec<Option<Tensor>>, AutogradError> {
        let [Some(original), membrane, auxiliary] = saved else {
            return Err(AutogradError::Libtorch("the saved input is gone".into()));
        };
        let (t, n) = steps_and_neurons(original);
        let input = original.f_to_kind(Kind::Float)?;
        let step = || step_like(&input);
        let like = step()?;
        let state_grad = |grad: Option<&Tensor>| grad.map(|grad| laid_out_as(grad, &like)).transpose();
        let grad_membrane = state_grad(grads[1].as_ref())?;
        let grad_auxiliary = state_grad(grads.get(2).and_then(Option::as_ref))?;
        let rows;
        let grad_spikes = match &grads[0] {
            None => GradSpikes::Uniform(0.0),
            // A sum's gradient is one number, expanded: no need to write it out.
            Some(grad) if grad.stride().iter().all(|&stride| stride == 0) && grad.numel() > 0 => {
                GradSpikes::Uniform(f64::try_from(grad.f_flatten(0, -1)?.f_select(0, 0)?)? as f32)
            }
            Some(grad) => {
                rows = laid_out_as(&grad.f_to_kind(Kind::Float)?, &input)?;
                GradSpikes::Rows(values(&rows)?)
            }
        };
        let mut grad_input = input.f_empty_like()?;
        let mut grad_initial = needed[1].then(step).transpose()?;
        let mut grad_initial_auxiliary = (self.has_auxiliary && needed[2]).then(step).transpose()?;
        let mut sums = vec![ChannelSums::default(); self.by_channel.as_ref().map_or(0, |by| by.scale.len())];
        let learned = self.kernel.backward(BackwardArguments {
            affine: self.by_channel.as_ref().map(ByChannel::affine),
            channel_sums: self.by_channel.is_some().then_some(&mut sums),
            initial_membrane: membrane.as_ref().map(values).transpose()?,
            initial_auxiliary: auxiliary.as_ref().map(values).transpose()?,
            grad_final_membrane: grad_membrane.as_ref().map(values).transpose()?,
            grad_final_auxiliary: grad_auxiliary.as_ref().map(values).transpose()?,
            grad_initial_membrane: grad_initial.as_mut().map(values_mut).transpose()?,
            grad_initial_auxiliary: grad_initial_auxiliary.as_mut().map(values_mut).transpose()?,
            learned: needed[3] || needed[6..].contains(&true),
            ..BackwardArguments::new(t, n, values(&input)?, grad_spikes, values_mut(&mut grad_input)?)
        })?;
        let mut normalization_grads = [None, None];
        if let Some(by_channel) = &self.by_channel {
            let (coefficients, grads) = by_channel.backward(&sums);
            normalize::combine(
                values(&input)?,
                values_mut(&mut grad_input)?,
                &coefficients,
                by_channel.inner,
            )?;
            normalization_grads = grads.map(|grad| Some(Tensor::from_slice(&grad)));
        }
        let [grad_weight, grad_bias] = normalization_grads;
        let scalar = |shape: &Vec<i64>, value: f32| -> Result<Option<Tensor>, AutogradError> {
            Ok(Some(Tensor::f_full(shape, f64::from(value), (Kind::Float, input.device()))?))
        };
        let grad_threshold = self.threshold_shape.as_ref();
        let grad_threshold = grad_threshold.map(|shape| scalar(shape, learned.v_threshold)).transpose()?;
        let mut gradients = vec![
            Some(grad_input.f_to_kind(original.kind())?),
            grad_initial,
            grad_initial_auxiliary,
            grad_threshold.flatten(),
            grad_weight,
            grad_bias,
        ];
        for shape in &self.parameter_shapes {
            gradients.push(scalar(shape, learned.parameter)?);
        }
        Ok(gradients)
    }
}
