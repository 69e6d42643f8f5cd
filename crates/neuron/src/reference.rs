//! The scalar reference: one neuron, one step, for every model. Slow and obviously right; the fused
//! kernels, and everything built on them, are tested against it.

use crate::model::{Model, Neuron, ResetTime};
use crate::scalar::{Dual, Real};

/// What training may change about a neuron.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learned<R> {
    /// PLIF's `w` or KLIF's `k`; not looked at by other models.
    pub parameter: R,
    /// The threshold.
    pub v_threshold: R,
}

impl<R: Real> Learned<R> {
    /// The values from which training starts.
    pub fn initial(neuron: &Neuron) -> Self {
        Learned {
            parameter: R::of(neuron.model.learned().map_or(0.0, |(_, value)| value)),
            v_threshold: R::of(neuron.v_threshold),
        }
    }
}

/// What a neuron remembers from step to step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State<R> {
    /// The membrane.
    pub membrane: R,
    /// Synaptic current, adaptation or recovery, where the model has it.
    pub second: R,
}

impl<R: Real> State<R> {
    /// At rest: the membrane at [`Neuron::v_rest`], the second state at 0.
    pub fn rest(neuron: &Neuron) -> Self {
        State { membrane: R::of(neuron.v_rest()), second: R::of(0.0) }
    }
}

/// One step of one neuron: charge, fire, reset. Returns the spike (0 or 1).
pub fn step<R: Real>(neuron: &Neuron, learned: &Learned<R>, x: R, state: &mut State<R>) -> R {
    let of = R::of;
    let second = state.second;
    let mut v = state.membrane;
    let late = (neuron.reset_time == ResetTime::NextStep)
        .then(|| (v - learned.v_threshold).spike(&neuron.surrogate, neuron.strict).detach());
    if let (Some(fired), Some(v_reset)) = (late, neuron.v_reset) {
        v = v.replace(fired, of(v_reset));
    }
    let rest = of(neuron.v_rest());
    let leaky = |input: R, tau: f32, decay_input: bool| match decay_input {
        true => v + (input - (v - rest)) / of(tau),
        false => v - (v - rest) / of(tau) + input,
    };
    let mut threshold = learned.v_threshold;
    let charged = match neuron.model {
        Model::If => v + x,
        Model::Lif { tau, decay_input } | Model::LeakyIntegrator { tau, decay_input } => {
            leaky(x, tau, decay_input)
        }
        Model::Plif { decay_input, .. } => {
            let leak = learned.parameter.sigmoid();
            match decay_input {
                true => v + (x - (v - rest)) * leak,
                false => v - (v - rest) * leak + x,
            }
        }
        Model::CubaLif { tau, tau_synapse, decay_input } => {
            state.second = second - second / of(tau_synapse) + x;
            leaky(state.second, tau, decay_input)
        }
        Model::Alif { tau, beta, decay_input, .. } => {
            threshold = threshold + of(beta) * second;
            leaky(x, tau, decay_input)
        }
        Model::Klif { tau, decay_input } => (learned.parameter * leaky(x, tau, decay_input)).relu(),
        Model::Qif { tau, v_c, a0, v_rest } => v + (x + of(a0) * (v - of(v_rest)) * (v - of(v_c))) / of(tau),
        Model::Eif { tau, delta_t, theta_rh, v_rest } => {
            let upstroke = of(delta_t) * ((v - of(theta_rh)) / of(delta_t)).exp();
            v + (x - (v - of(v_rest)) + upstroke) / of(tau)
        }
        Model::Izhikevich { tau, v_c, a0, v_rest, tau_w, a, .. } => {
            let charged = v + (x + of(a0) * (v - of(v_rest)) * (v - of(v_c)) - second) / of(tau);
            state.second = second + (of(a) * (charged - of(v_rest)) - second) / of(tau_w);
            charged
        }
    };
    if matches!(neuron.model, Model::LeakyIntegrator { .. }) {
        state.membrane = charged;
        return of(0.0);
    }
    let reset = |membrane: R, spike: R| match neuron.v_reset {
        Some(v_reset) => membrane.replace(spike, of(v_reset)),
        None => membrane.replace(spike, membrane - threshold),
    };
    if let Some(fired) = late {
        state.membrane = if neuron.v_reset.is_none() { reset(charged, fired) } else { charged };
        return (state.membrane - threshold).spike(&neuron.surrogate, neuron.strict);
    }
    let spike = (charged - threshold).spike(&neuron.surrogate, neuron.strict);
    state.membrane = reset(charged, if neuron.detach_reset { spike.detach() } else { spike });
    match neuron.model {
        Model::Alif { tau_adaptation, .. } => {
            state.second = second + (spike - second) / of(tau_adaptation);
        }
        Model::Izhikevich { b, .. } => state.second = state.second + of(b) * spike,
        _ => {}
    }
    spike
}

/// What [`run`] returns, over `[T]` steps of one neuron.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Spikes, 0 or 1.
    pub spikes: Vec<f32>,
    /// Membrane after each step.
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
    /// With respect to PLIF's `w` or KLIF's `k`.
    pub parameter: f32,
    /// With respect to the threshold.
    pub v_threshold: f32,
}

/// The surrogate gradient of `sum_t grad_spikes[t] s[t] + grad_final . final_state`, by forward-mode
/// differentiation in each variable in turn: `T + 4` runs of `T` steps, no back-propagation.
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
        let mut state = State { membrane: variable(state.membrane), second: variable(state.second) };
        let learned =
            Learned { parameter: variable(learned.parameter), v_threshold: variable(learned.v_threshold) };
        let mut slope = 0.0f64;
        for (&x, &grad) in input.iter().zip(grad_spikes) {
            let spike = step(neuron, &learned, variable(x), &mut state);
            slope += f64::from(spike.slope) * f64::from(grad);
        }
        slope += f64::from(state.membrane.slope) * f64::from(grad_final.membrane);
        slope += f64::from(state.second.slope) * f64::from(grad_final.second);
        slope as f32
    };
    Gradient {
        initial: State { membrane: along(0), second: along(1) },
        parameter: along(2),
        v_threshold: along(3),
        input: (0..input.len()).map(|t| along(4 + t)).collect(),
    }
}
