//! Neurons by plain libtorch operations, one step at a time: slow, for every model, and the yardstick of the
//! fused operations.
//!
//! The surrogate comes in by the detach trick: `step(u) + (u - u.detach()) * derivative(u).detach()` has the
//! value of the step and the gradient of the surrogate.

use tch::{Kind, Tensor};
use tks_neuron::{Model, Neuron, ResetTime, Surrogate};

use crate::error::AutogradError;
use crate::multi_step::{LearnedTensors, Output, State, checked_state};

type Result<T> = std::result::Result<T, AutogradError>;

/// 1 where `u > 0` (`strict`) or `u >= 0`, else 0, with the surrogate's gradient; any shape.
///
/// # Errors
/// What libtorch refuses.
pub fn spike(u: &Tensor, surrogate: &Surrogate, strict: bool) -> Result<Tensor> {
    let fired = if strict { u.f_gt(0.0)? } else { u.f_ge(0.0)? };
    let slope = tch::no_grad(|| derivative(&u.f_detach()?, surrogate))?;
    Ok(fired.f_to_kind(u.kind())? + u.f_sub(&u.f_detach()?)?.f_mul(&slope)?)
}

/// The surrogate's derivative at each `u`; any shape.
///
/// # Errors
/// What libtorch refuses.
pub fn derivative(u: &Tensor, surrogate: &Surrogate) -> Result<Tensor> {
    let of = f64::from;
    let within = |width: f64| -> Result<Tensor> { Ok(u.f_abs()?.f_lt(width)?.f_to_kind(u.kind())?) };
    let sigmoid = |alpha: f64| -> Result<Tensor> {
        let s = (u * alpha).f_sigmoid()?;
        Ok((&s - s.f_square()?) * alpha)
    };
    Ok(match *surrogate {
        Surrogate::Atan { alpha } => {
            let z = u * (std::f64::consts::FRAC_PI_2 * of(alpha));
            (z.f_square()? + 1.0).f_reciprocal()? * (of(alpha) / 2.0)
        }
        Surrogate::Sigmoid { alpha } => sigmoid(of(alpha))?,
        Surrogate::QGate { alpha } | Surrogate::PiecewiseQuadratic { alpha } => {
            (u.f_abs()? * -of(alpha).powi(2) + of(alpha)).f_relu()?
        }
        Surrogate::Gate { alpha } => within(1.0 / of(alpha))?,
        Surrogate::PiecewiseExp { alpha } => (u.f_abs()? * -of(alpha)).f_exp()? * (of(alpha) / 2.0),
        Surrogate::SoftSign { alpha } => {
            (u.f_abs()? * of(alpha) + 1.0).f_square()?.f_reciprocal()? * (of(alpha) / 2.0)
        }
        Surrogate::FastSigmoid { slope } => (u.f_abs()? * of(slope) + 1.0).f_square()?.f_reciprocal()?,
        Surrogate::SuperSpike { alpha } => (u.f_abs()? + 1.0).f_square()?.f_reciprocal()? * of(alpha),
        Surrogate::Erf { alpha } => {
            (-(u * of(alpha)).f_square()?).f_exp()? * (of(alpha) / std::f64::consts::PI.sqrt())
        }
        Surrogate::Rect { alpha } => within(0.5 / of(alpha))? * of(alpha),
        Surrogate::LeakyKRelu { leak, k } => {
            u.f_ge(0.0)?.f_to_kind(u.kind())? * (of(k) - of(leak)) + of(leak)
        }
        Surrogate::PiecewiseLeakyRelu { w, c } => within(of(w))? * (0.5 / of(w) - of(c)) + of(c),
        Surrogate::LogTailedRelu { alpha } => {
            let above = u.f_clamp_min(1.0)?.f_reciprocal()?;
            let positive = u.f_gt(0.0)?;
            above.f_where_self(&positive, &Tensor::f_full_like(u, of(alpha))?)?
        }
        Surrogate::QPseudoSpike { alpha } => {
            (u.f_abs()? * (2.0 / (of(alpha) - 1.0)) + 1.0).f_pow_tensor_scalar(-of(alpha))?
        }
        Surrogate::S2nn { alpha, beta } => {
            let above = (u.f_abs()? + 1.0).f_reciprocal()? * of(beta);
            sigmoid(of(alpha))?.f_where_self(&u.f_lt(0.0)?, &above)?
        }
    })
}

/// As [`crate::multi_step`](crate::multi_step()), for every model, by plain operations on any device.
///
/// # Errors
/// [`AutogradError`] where shapes, kinds or the neuron's parameters do not fit.
pub fn multi_step(
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
) -> Result<Output> {
    neuron.check()?;
    let initial = checked_state(neuron, input, state)?;
    let kind = input.kind();
    let steps = input.f_to_kind(Kind::Float)?.f_unbind(0)?;
    let options = (Kind::Float, input.device());
    let shape = &input.size()[1..];
    let mut current = State {
        membrane: match initial {
            Some((membrane, _)) => membrane.shallow_clone(),
            None => Tensor::f_full(shape, f64::from(neuron.v_rest()), options)?,
        },
        second: match (initial.and_then(|(_, second)| second), neuron.model.second_state()) {
            (Some(second), _) => Some(second.shallow_clone()),
            (None, Some(_)) => Some(Tensor::f_zeros(shape, options)?),
            (None, None) => None,
        },
    };
    let scalar = |tensor: Option<&Tensor>, value: f32| match tensor {
        Some(tensor) => Ok(tensor.f_reshape([])?),
        None => Tensor::f_full([0i64; 0], f64::from(value), options),
    };
    let parameter = scalar(learned.parameter, neuron.model.learned().map_or(0.0, |(_, value)| value))?;
    let v_threshold = scalar(learned.v_threshold, neuron.v_threshold)?;
    let mut spikes = Vec::with_capacity(steps.len());
    for x in &steps {
        let (spike, next) = step(neuron, x, &current, &parameter, &v_threshold)?;
        spikes.push(spike);
        current = next;
    }
    let spikes = match spikes.is_empty() {
        true => input.f_zeros_like()?,
        false => Tensor::f_stack(&spikes, 0)?.f_to_kind(kind)?,
    };
    Ok(Output { spikes, state: current })
}

/// One step; `x` of shape `[B, ...]`. Follows `tks_neuron::reference::step` line by line.
fn step(
    neuron: &Neuron,
    x: &Tensor,
    state: &State,
    parameter: &Tensor,
    v_threshold: &Tensor,
) -> Result<(Tensor, State)> {
    let of = f64::from;
    let rest = of(neuron.v_rest());
    let fire = |u: &Tensor| spike(u, &neuron.surrogate, neuron.strict);
    let mut v = state.membrane.shallow_clone();
    let mut second = state.second.as_ref().map(Tensor::shallow_clone);
    let late = match neuron.reset_time {
        ResetTime::NextStep => Some(fire(&v.f_sub(v_threshold)?)?.f_detach()?),
        ResetTime::SameStep => None,
    };
    if let (Some(fired), Some(v_reset)) = (&late, neuron.v_reset) {
        v = &v * (1.0 - fired) + fired * of(v_reset);
    }
    let leaky = |input: &Tensor, tau: f32, decay_input: bool| match decay_input {
        true => &v + (input - (&v - rest)) / of(tau),
        false => &v - (&v - rest) / of(tau) + input,
    };
    let missing = || AutogradError::Libtorch("the second state is gone".into());
    let mut threshold = v_threshold.shallow_clone();
    let charged = match neuron.model {
        Model::If => &v + x,
        Model::Lif { tau, decay_input } | Model::LeakyIntegrator { tau, decay_input } => {
            leaky(x, tau, decay_input)
        }
        Model::Plif { decay_input, .. } => {
            let leak = parameter.f_sigmoid()?;
            match decay_input {
                true => &v + (x - (&v - rest)) * leak,
                false => &v - (&v - rest) * leak + x,
            }
        }
        Model::CubaLif { tau, tau_synapse, decay_input } => {
            let current = second.take().ok_or_else(missing)?;
            let current = &current - &current / of(tau_synapse) + x;
            let charged = leaky(&current, tau, decay_input);
            second = Some(current);
            charged
        }
        Model::Alif { tau, beta, decay_input, .. } => {
            threshold = &threshold + second.as_ref().ok_or_else(missing)? * of(beta);
            leaky(x, tau, decay_input)
        }
        Model::Klif { tau, decay_input } => (leaky(x, tau, decay_input) * parameter).f_relu()?,
        Model::Qif { tau, v_c, a0, v_rest } => {
            &v + (x + (&v - of(v_rest)) * (&v - of(v_c)) * of(a0)) / of(tau)
        }
        Model::Eif { tau, delta_t, theta_rh, v_rest } => {
            let upstroke = ((&v - of(theta_rh)) / of(delta_t)).f_exp()? * of(delta_t);
            &v + (x - (&v - of(v_rest)) + upstroke) / of(tau)
        }
        Model::Izhikevich { tau, v_c, a0, v_rest, tau_w, a, .. } => {
            let w = second.take().ok_or_else(missing)?;
            let charged = &v + (x + (&v - of(v_rest)) * (&v - of(v_c)) * of(a0) - &w) / of(tau);
            second = Some(&w + ((&charged - of(v_rest)) * of(a) - &w) / of(tau_w));
            charged
        }
    };
    if matches!(neuron.model, Model::LeakyIntegrator { .. }) {
        return Ok((x.f_zeros_like()?, State { membrane: charged, second }));
    }
    let reset = |membrane: &Tensor, spike: &Tensor| match neuron.v_reset {
        Some(v_reset) => membrane * (1.0 - spike) + spike * of(v_reset),
        None => membrane - spike * &threshold,
    };
    if let Some(fired) = late {
        let membrane = if neuron.v_reset.is_none() { reset(&charged, &fired) } else { charged };
        let spike = fire(&membrane.f_sub(&threshold)?)?;
        return Ok((spike, State { membrane, second }));
    }
    let spike = fire(&charged.f_sub(&threshold)?)?;
    let felt = if neuron.detach_reset { spike.f_detach()? } else { spike.shallow_clone() };
    let membrane = reset(&charged, &felt);
    let second = match (neuron.model, second) {
        (Model::Alif { tau_adaptation, .. }, Some(b)) => Some(&b + (&spike - &b) / of(tau_adaptation)),
        (Model::Izhikevich { b, .. }, Some(w)) => Some(w + &spike * of(b)),
        (_, second) => second,
    };
    Ok((spike, State { membrane, second }))
}
