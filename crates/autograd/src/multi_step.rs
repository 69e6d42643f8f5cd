//! Neurons over a whole sequence as one differentiable operation, with the fused kernels.

use tch::{Kind, Tensor};
use tks_neuron::{Neuron, NeuronError};

use crate::backend::{self, Start};
use crate::error::AutogradError;

/// The state that neurons carry between time steps, and hence between chunks of a sequence. Each tensor has
/// shape `[B, ...]`.
#[derive(Debug)]
pub struct State {
    /// The membrane potential.
    pub membrane: Tensor,
    /// The auxiliary state ([`Model::auxiliary_state`](tks_neuron::Model::auxiliary_state)), if the model has
    /// one.
    pub auxiliary: Option<Tensor>,
}

impl State {
    /// The same values detached from the graph, for truncated back-propagation through time.
    #[must_use]
    pub fn detach(&self) -> State {
        State { membrane: self.membrane.detach(), auxiliary: self.auxiliary.as_ref().map(Tensor::detach) }
    }
}

/// Learned values that replace the configuration's; tensors of one element.
#[derive(Debug, Clone, Copy, Default)]
pub struct LearnedTensors<'a> {
    /// The model's learned parameters, in the order of [`Model::learned`](tks_neuron::Model::learned), or
    /// none for their initial values.
    pub parameters: &'a [Tensor],
    /// The threshold.
    pub v_threshold: Option<&'a Tensor>,
}

/// The result of a sequence: spikes of shape `[T, B, ...]`, and the state after the last step.
#[derive(Debug)]
pub struct Output {
    /// 0.0 or 1.0, in the kind and memory layout of the input, `[T, B, ...]`.
    pub spikes: Tensor,
    /// The state after step `T`.
    pub state: State,
}

/// Runs `neuron` over `input` (`[T, B, ...]`, `f32` or `bf16`; computed in `f32`) with its fused kernel, on
/// the CPU or on a GPU: one forward and one backward pass, with only the input kept between them.
///
/// It starts from `state`, or from rest. Gradients flow from the spikes and the final state to the input, the
/// initial state and the learned values. Any memory layout with time outermost is used without a copy
/// (including channels-last).
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
/// [`AutogradError`] for a model without a kernel for the CPU (use [`crate::plain::multi_step`]), or if
/// shapes, kinds or devices do not match.
pub fn multi_step(
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
) -> Result<Output, AutogradError> {
    let backend = backend::of(neuron, input.device(), learned)?;
    backend::run(backend, neuron, input, state, learned, None)
}

/// The membrane potential after each step, `[T, B, ...]` in `f32`, detached from the graph, for traces.
///
/// This runs the neurons again, so that training costs nothing extra if no trace is requested.
///
/// # Errors
/// As [`multi_step()`].
pub fn membranes(
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
) -> Result<Tensor, AutogradError> {
    let backend = backend::of(neuron, input.device(), learned)?;
    let initial = checked_state(neuron, input, state)?;
    tch::no_grad(|| backend.membranes(&Start::new(&*backend, input, initial, learned)?))
}

/// Checks the number and sizes of the learned values.
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

/// The tensors of the initial state, with the shape of one step of the input.
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
        return Err(AutogradError::Kind { tensor: "input", kind: input.kind(), expected: "f32 or bf16" });
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
