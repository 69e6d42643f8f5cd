//! The scalar reference: one neuron, one step, for every model. It is slow and obviously correct; the fused
//! kernels, and everything built on them, are tested against it.

use crate::model::Model;
use crate::neuron::{Neuron, ResetTime};
use crate::scalar::{Dual, Real};

/// The learned values of a neuron.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned<R> {
    /// The model's learned parameters, in the order of [`Model::learned`].
    pub parameters: Vec<R>,
    /// The threshold.
    pub v_threshold: R,
}

impl<R: Real> Learned<R> {
    /// The initial values for training.
    pub fn initial(neuron: &Neuron) -> Self {
        Learned {
            parameters: neuron.model.learned().into_iter().map(|(_, value)| R::of(value)).collect(),
            v_threshold: R::of(neuron.v_threshold),
        }
    }

    /// All parameters, `N` of them.
    fn parameters<const N: usize>(&self) -> [R; N] {
        self.parameters.first_chunk().copied().expect("as many parameters as Model::learned names")
    }
}

/// The state that a neuron carries from step to step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State<R> {
    /// The membrane potential.
    pub membrane: R,
    /// The auxiliary state ([`Model::auxiliary_state`]), if the model has one.
    pub auxiliary: R,
}

impl<R: Real> State<R> {
    /// The state at rest: the membrane potential at [`Neuron::v_rest`], the auxiliary state at 0.
    pub fn rest(neuron: &Neuron) -> Self {
        State { membrane: R::of(neuron.v_rest()), auxiliary: R::of(0.0) }
    }
}

/// One step of one neuron: charge, fire, adapt, reset. Returns the spike (0 or 1).
///
/// Each model defines its charge (`charge`) and may define its own threshold, adaptation and reset
/// (`threshold`, `adapt`, `reset`).
///
/// # Panics
/// If `learned` has fewer parameters than [`Model::learned`].
pub fn step<R: Real>(neuron: &Neuron, learned: &Learned<R>, x: R, state: &mut State<R>) -> R {
    let mut v = state.membrane;
    let never_fires = matches!(neuron.model, Model::LeakyIntegrator { .. });
    let late = (neuron.reset_time == ResetTime::NextStep && !never_fires)
        .then(|| (v - learned.v_threshold).spike(&neuron.surrogate, neuron.strict).detach());
    if let (Some(fired), Some(v_reset)) = (late, neuron.v_reset) {
        v = v.replace(fired, R::of(v_reset));
    }
    let threshold = threshold(neuron, learned, state.auxiliary);
    let charged = charge(neuron, learned, v, x, &mut state.auxiliary);
    if never_fires {
        state.membrane = charged;
        return R::of(0.0);
    }
    if let Some(fired) = late {
        let soft = neuron.v_reset.is_none();
        state.membrane = if soft { charged.replace(fired, charged - threshold) } else { charged };
        return (state.membrane - threshold).spike(&neuron.surrogate, neuron.strict);
    }
    let spike = (charged - threshold).spike(&neuron.surrogate, neuron.strict);
    let resetting = if neuron.detach_reset { spike.detach() } else { spike };
    adapt(neuron, charged, spike, resetting, &mut state.auxiliary);
    state.membrane = reset(neuron, charged, resetting, threshold, state.auxiliary);
    spike
}

/// The membrane potential `v` after the step's input `x`; also updates the auxiliary state if the model does
/// so before firing.
fn charge<R: Real>(neuron: &Neuron, learned: &Learned<R>, v: R, x: R, auxiliary: &mut R) -> R {
    let of = R::of;
    let rest = of(neuron.v_rest());
    let leaky = |input: R, tau: f32, decay_input: bool| {
        if decay_input { v + (input - (v - rest)) / of(tau) } else { v - (v - rest) / of(tau) + input }
    };
    match neuron.model {
        Model::If => v + x,
        Model::Lif { tau, decay_input }
        | Model::Alif { tau, decay_input, .. }
        | Model::LeakyIntegrator { tau, decay_input } => leaky(x, tau, decay_input),
        Model::Plif { decay_input, .. } => {
            let leak = learned.parameters::<1>()[0].sigmoid();
            if decay_input { v + (x - (v - rest)) * leak } else { v - (v - rest) * leak + x }
        }
        Model::CubaLif { tau, tau_synapse, decay_input } => {
            *auxiliary = *auxiliary - *auxiliary / of(tau_synapse) + x;
            leaky(*auxiliary, tau, decay_input)
        }
        Model::Klif { tau, decay_input } => {
            let [k] = learned.parameters();
            (k * leaky(x, tau, decay_input)).relu()
        }
        Model::Qif { tau, v_c, a0, v_rest } => v + (x + of(a0) * (v - of(v_rest)) * (v - of(v_c))) / of(tau),
        Model::Eif { tau, delta_t, theta_rh, v_rest } => {
            let upstroke = of(delta_t) * ((v - of(theta_rh)) / of(delta_t)).exp();
            v + (x - (v - of(v_rest)) + upstroke) / of(tau)
        }
        Model::Izhikevich { tau, v_c, a0, v_rest, tau_w, a, .. } => {
            let recovery = *auxiliary;
            let charged = v + (x + of(a0) * (v - of(v_rest)) * (v - of(v_c)) - recovery) / of(tau);
            *auxiliary = recovery + (of(a) * (charged - of(v_rest)) - recovery) / of(tau_w);
            charged
        }
        Model::Clif { tau } => leaky(x, tau, false),
        Model::Glif { .. } => {
            let [alpha, beta, gamma, tau, linear_decay, v_subreset, conduct] =
                learned.parameters().map(R::sigmoid);
            let one = of(1.0);
            let kept = (one - alpha * (one - tau)) * v;
            let taken = x * (one - beta * (one - conduct));
            let last_spike = *auxiliary;
            kept - (one - alpha) * linear_decay + taken
                - gamma * kept * last_spike
                - (one - gamma) * v_subreset * last_spike
        }
    }
}

/// The threshold that the charged membrane potential is compared with; `auxiliary` is the state before the
/// step.
fn threshold<R: Real>(neuron: &Neuron, learned: &Learned<R>, auxiliary: R) -> R {
    match neuron.model {
        Model::Alif { beta, .. } => learned.v_threshold + R::of(beta) * auxiliary,
        _ => learned.v_threshold,
    }
}

/// The update of the auxiliary state after a spike or its absence; `resetting` is the spike as used by
/// resets.
fn adapt<R: Real>(neuron: &Neuron, charged: R, spike: R, resetting: R, auxiliary: &mut R) {
    match neuron.model {
        Model::Alif { tau_adaptation, .. } => {
            *auxiliary = *auxiliary + (spike - *auxiliary) / R::of(tau_adaptation);
        }
        Model::Izhikevich { b, .. } => *auxiliary = *auxiliary + R::of(b) * spike,
        Model::Glif { .. } => *auxiliary = resetting,
        Model::Clif { tau } => *auxiliary = *auxiliary * (charged / R::of(tau)).sigmoid() + spike,
        _ => {}
    }
}

/// The membrane potential after the step: reset as given by `v_reset`, or by the model's own reset if
/// [`Model::has_own_reset`]. `auxiliary` is the state after the step.
fn reset<R: Real>(neuron: &Neuron, charged: R, spike: R, threshold: R, auxiliary: R) -> R {
    match (neuron.model, neuron.v_reset) {
        (Model::Clif { .. }, _) => charged.replace(spike, charged - (threshold + auxiliary.sigmoid())),
        (Model::Glif { .. }, _) => charged,
        (_, Some(v_reset)) => charged.replace(spike, R::of(v_reset)),
        (_, None) => charged.replace(spike, charged - threshold),
    }
}

/// The result of [`run`], over `[T]` time steps of one neuron.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Spikes, 0 or 1.
    pub spikes: Vec<f32>,
    /// Membrane potential after each step.
    pub membranes: Vec<f32>,
    /// The state after the last step.
    pub state: State<f32>,
}

/// Runs one neuron over `input` (`[T]`) from `state`.
pub fn run(neuron: &Neuron, learned: &Learned<f32>, input: &[f32], mut state: State<f32>) -> Run {
    let mut run = Run { spikes: Vec::new(), membranes: Vec::new(), state };
    for &x in input {
        run.spikes.push(step(neuron, learned, x, &mut state));
        run.membranes.push(state.membrane);
    }
    run.state = state;
    run
}

/// Gradients of one neuron's run, see [`gradient`].
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient {
    /// With respect to the input of each step, `[T]`.
    pub input: Vec<f32>,
    /// With respect to the initial state.
    pub initial: State<f32>,
    /// With respect to the model's learned parameters, in the order of [`Model::learned`].
    pub parameters: Vec<f32>,
    /// With respect to the threshold.
    pub v_threshold: f32,
}

/// The surrogate gradient of `sum_t grad_spikes[t] s[t] + grad_final . final_state`, by forward-mode
/// differentiation in each variable in turn: one run of `T` steps per variable, without back-propagation.
pub fn gradient(
    neuron: &Neuron,
    learned: &Learned<f32>,
    input: &[f32],
    state: State<f32>,
    grad_spikes: &[f32],
    grad_final: State<f32>,
) -> Gradient {
    let along = |index: usize| {
        let mut place = 0;
        let mut variable = |value: f32| {
            place += 1;
            if place - 1 == index { Dual::variable(value) } else { Dual::of(value) }
        };
        let mut state = State { membrane: variable(state.membrane), auxiliary: variable(state.auxiliary) };
        let v_threshold = variable(learned.v_threshold);
        let parameters = learned.parameters.iter().map(|&value| variable(value)).collect();
        let learned = Learned { parameters, v_threshold };
        let mut slope = 0.0f64;
        for (&x, &grad) in input.iter().zip(grad_spikes) {
            let spike = step(neuron, &learned, variable(x), &mut state);
            slope += f64::from(spike.slope) * f64::from(grad);
        }
        slope += f64::from(state.membrane.slope) * f64::from(grad_final.membrane);
        slope += f64::from(state.auxiliary.slope) * f64::from(grad_final.auxiliary);
        slope as f32
    };
    let own = learned.parameters.len();
    Gradient {
        initial: State { membrane: along(0), auxiliary: along(1) },
        v_threshold: along(2),
        parameters: (0..own).map(|index| along(3 + index)).collect(),
        input: (0..input.len()).map(|t| along(3 + own + t)).collect(),
    }
}
