//! Loops over one strip of a block: one time step of up to [`STRIP`] neurons, in the first-level cache.
//!
//! Each is a plain loop over slices of equal length, with all choices made outside, so that the compiler
//! vectorises it for the instruction set of its caller (see `simd`).

use crate::surrogate::{Surrogate, with_derivative};

/// Number of neurons that the loops below process at a time. A step prefetches the same strip of the next
/// step's rows before it processes its own. This spreads the requests evenly over the work and reaches the
/// memory bandwidth, unlike prefetching a whole row at once. A multiple of 64, so that strips start at whole
/// words of packed spikes.
pub(super) const STRIP: usize = 256;

/// How the charged membrane potential follows from a step's input and the membrane potential.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Charge {
    /// `v + x`
    Integrate,
    /// `v + (x - (v - rest)) / tau`; divided rather than multiplied by `1 / tau`, as in the peers.
    Divide { tau: f32, rest: f32 },
    /// `v + (x - (v - rest)) * leak`
    Multiply { leak: f32, rest: f32 },
    /// `v * keep + leak * rest + x` with `keep = 1 - leak`
    Keep { keep: f32, leak: f32, rest: f32 },
}

/// Binds slices to one length, which frees the loops below from bounds checks.
macro_rules! same_length {
    ($n:ident = $first:ident $(, $rest:ident)*) => {
        let $n = $first.len();
        $(let $rest = &$rest[..$n];)*
    };
}

#[inline(always)]
pub(super) fn charge(charge: Charge, v: &[f32], x: &[f32], h: &mut [f32]) {
    same_length!(n = h, v, x);
    match charge {
        Charge::Integrate => {
            for i in 0..n {
                h[i] = v[i] + x[i];
            }
        }
        Charge::Divide { tau, rest } => {
            for i in 0..n {
                h[i] = v[i] + (x[i] - (v[i] - rest)) / tau;
            }
        }
        Charge::Multiply { leak, rest } => {
            for i in 0..n {
                h[i] = v[i] + (x[i] - (v[i] - rest)) * leak;
            }
        }
        Charge::Keep { keep, leak, rest } => {
            let bias = leak * rest;
            for i in 0..n {
                h[i] = v[i] * keep + bias + x[i];
            }
        }
    }
}

/// `i = keep * i + x`
#[inline(always)]
pub(super) fn decay_and_add(keep: f32, x: &[f32], current: &mut [f32]) {
    same_length!(n = current, x);
    for i in 0..n {
        current[i] = current[i] * keep + x[i];
    }
}

/// The distance from the threshold, `u = h - (v_threshold + beta * adaptation)`.
#[inline(always)]
pub(super) fn distance(h: &[f32], v_threshold: f32, adaptation: Option<(f32, &[f32])>, u: &mut [f32]) {
    same_length!(n = u, h);
    match adaptation {
        None => {
            for i in 0..n {
                u[i] = h[i] - v_threshold;
            }
        }
        Some((beta, b)) => {
            let b = &b[..n];
            for i in 0..n {
                u[i] = h[i] - (v_threshold + beta * b[i]);
            }
        }
    }
}

/// 1 if the neuron fires, else 0. NaN does not fire.
#[inline(always)]
pub(super) fn fire(u: &[f32], strict: bool, s: &mut [f32]) {
    same_length!(n = s, u);
    if strict {
        for i in 0..n {
            s[i] = if u[i] > 0.0 { 1.0 } else { 0.0 };
        }
    } else {
        for i in 0..n {
            s[i] = if u[i] >= 0.0 { 1.0 } else { 0.0 };
        }
    }
}

/// The membrane potential after a spike: `v_reset`, or the charged potential minus the threshold.
///
/// Selected rather than multiplied: an infinite potential fires and is reset, where `h * (1 - s)` would be
/// NaN.
#[inline(always)]
pub(super) fn reset(v_reset: Option<f32>, h: &[f32], u: &[f32], s: &[f32], v: &mut [f32]) {
    same_length!(n = v, h, u, s);
    match v_reset {
        Some(v_reset) => {
            for i in 0..n {
                v[i] = if s[i] != 0.0 { v_reset } else { h[i] };
            }
        }
        None => {
            for i in 0..n {
                // h - u is the threshold of this neuron and step.
                v[i] = if s[i] != 0.0 { u[i] } else { h[i] };
            }
        }
    }
}

/// [`charge`], [`distance`], [`fire`] and [`reset`] in one loop, for a threshold that is the same for all
/// neurons: the same operations in the same order, storing only the membrane potential and the requested
/// values.
#[inline(always)]
pub(super) fn charge_fire_reset(cell: Cell, x: &[f32], v: &mut [f32], mut out: impl Output) {
    let Cell { charge, v_threshold, v_reset, strict } = cell;
    same_length!(n = v, x);
    out.bind(n);
    macro_rules! run {
        ($charge:expr, $fires:expr, $reset:expr) => {{
            for i in 0..n {
                let h: f32 = $charge(v[i], x[i]);
                let u = h - v_threshold;
                let fires: bool = $fires(u);
                v[i] = if fires { $reset(u) } else { h };
                out.put(i, h, fires);
            }
        }};
    }
    macro_rules! with_charge {
        ($charge:expr) => {
            match (v_reset, strict) {
                (Some(v_reset), false) => run!($charge, |u: f32| u >= 0.0, |_: f32| v_reset),
                (Some(v_reset), true) => run!($charge, |u: f32| u > 0.0, |_: f32| v_reset),
                (None, false) => run!($charge, |u: f32| u >= 0.0, |u: f32| u),
                (None, true) => run!($charge, |u: f32| u > 0.0, |u: f32| u),
            }
        };
    }
    match charge {
        Charge::Integrate => with_charge!(|v: f32, x: f32| v + x),
        Charge::Divide { tau, rest } => with_charge!(|v: f32, x: f32| v + (x - (v - rest)) / tau),
        Charge::Multiply { leak, rest } => with_charge!(|v: f32, x: f32| v + (x - (v - rest)) * leak),
        Charge::Keep { keep, leak, rest } => {
            let bias = leak * rest;
            with_charge!(|v: f32, x: f32| v * keep + bias + x)
        }
    }
}

/// The parameters of a step of [`charge_fire_reset`].
#[derive(Clone, Copy)]
pub(super) struct Cell {
    pub(super) charge: Charge,
    pub(super) v_threshold: f32,
    pub(super) v_reset: Option<f32>,
    pub(super) strict: bool,
}

/// The values that [`charge_fire_reset`] keeps for each neuron.
pub(super) trait Output {
    /// Fixes the length to `n`.
    fn bind(&mut self, n: usize);
    /// Keeps its values for neuron `i`.
    fn put(&mut self, i: usize, charged: f32, fires: bool);
}

/// Keeps the spikes.
pub(super) struct SpikesOut<'a>(pub(super) &'a mut [f32]);

/// Keeps the charged membrane potential.
pub(super) struct ChargedOut<'a>(pub(super) &'a mut [f32]);

impl Output for SpikesOut<'_> {
    #[inline(always)]
    fn bind(&mut self, n: usize) {
        self.0 = &mut std::mem::take(&mut self.0)[..n];
    }
    #[inline(always)]
    fn put(&mut self, i: usize, _: f32, fires: bool) {
        self.0[i] = if fires { 1.0 } else { 0.0 };
    }
}

impl Output for ChargedOut<'_> {
    #[inline(always)]
    fn bind(&mut self, n: usize) {
        self.0 = &mut std::mem::take(&mut self.0)[..n];
    }
    #[inline(always)]
    fn put(&mut self, i: usize, charged: f32, _: bool) {
        self.0[i] = charged;
    }
}

/// A hard reset delayed to the next step: resets the membrane potential of neurons that fired, before the
/// charge.
#[inline(always)]
pub(super) fn reset_hard_late(v_reset: f32, fired: &[f32], v: &mut [f32]) {
    same_length!(n = v, fired);
    for i in 0..n {
        v[i] = if fired[i] != 0.0 { v_reset } else { v[i] };
    }
}

/// A soft reset delayed to the next step: resets the charged membrane potential of neurons that fired.
#[inline(always)]
pub(super) fn reset_soft_late(v_threshold: f32, fired: &[f32], h: &mut [f32]) {
    same_length!(n = h, fired);
    for i in 0..n {
        h[i] = if fired[i] != 0.0 { h[i] - v_threshold } else { h[i] };
    }
}

/// The surrogate's derivative over a row.
#[inline(always)]
pub(super) fn derivative(surrogate: Surrogate, u: &[f32], slope: &mut [f32]) {
    same_length!(n = slope, u);
    with_derivative!(surrogate, f32, f => for i in 0..n {
        slope[i] = f(u[i]);
    });
}

/// [`distance`] from a common threshold and [`derivative`] combined: the slope at the charged membrane
/// potential `h`.
#[inline(always)]
pub(super) fn derivative_at(surrogate: Surrogate, h: &[f32], v_threshold: f32, slope: &mut [f32]) {
    same_length!(n = slope, h);
    with_derivative!(surrogate, f32, f => for i in 0..n {
        slope[i] = f(h[i] - v_threshold);
    });
}

/// [`fire_backward`] and [`charge_backward`] in one loop, for a threshold that is the same for all neurons:
/// the same operations in the same order.
#[inline(always)]
pub(super) fn fire_charge_backward(
    cell: Cell,
    attached: bool,
    h: &[f32],
    slope: &[f32],
    grad_s: &[f32],
    grad: &mut [f32],
    grad_x: &mut [f32],
) {
    let Cell { charge, v_threshold, v_reset, strict } = cell;
    same_length!(n = grad, h, slope, grad_s);
    let grad_x = &mut grad_x[..n];
    macro_rules! run {
        ($fire:expr, $charge:expr) => {
            for i in 0..n {
                let u = h[i] - v_threshold;
                let through_reset = $fire(h[i], u, slope[i], grad_s[i], grad[i]);
                (grad_x[i], grad[i]) = $charge(through_reset);
            }
        };
    }
    macro_rules! with_charge {
        ($fire:expr) => {
            match charge {
                Charge::Integrate => run!($fire, |g: f32| (g, g)),
                Charge::Divide { tau, .. } => run!($fire, |g: f32| (g / tau, g - g / tau)),
                Charge::Multiply { leak, .. } => run!($fire, |g: f32| (g * leak, g - g * leak)),
                Charge::Keep { keep, .. } => run!($fire, |g: f32| (g, g * keep)),
            }
        };
    }
    macro_rules! with_fires {
        ($fires:expr) => {
            match (v_reset, attached) {
                (Some(_), false) => with_charge!(|_: f32, u: f32, slope: f32, grad_s: f32, g: f32| {
                    grad_s * slope + if $fires(u) { 0.0 } else { g }
                }),
                (Some(v_reset), true) => {
                    with_charge!(|h: f32, u: f32, slope: f32, grad_s: f32, g: f32| {
                        (grad_s + g * (v_reset - h)) * slope + if $fires(u) { 0.0 } else { g }
                    })
                }
                (None, false) => {
                    with_charge!(|_: f32, _: f32, slope: f32, grad_s: f32, g: f32| g + grad_s * slope)
                }
                (None, true) => with_charge!(|h: f32, u: f32, slope: f32, grad_s: f32, g: f32| {
                    g + (grad_s - g * (h - u)) * slope
                }),
            }
        };
    }
    if strict { with_fires!(|u: f32| u > 0.0) } else { with_fires!(|u: f32| u >= 0.0) }
}

/// The backward pass's values of one step, for a row of neurons.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    /// Charged membrane potential.
    pub(super) h: &'a [f32],
    /// Distance from the threshold.
    pub(super) u: &'a [f32],
    /// Spikes.
    pub(super) s: &'a [f32],
    /// Surrogate derivative at `u`.
    pub(super) slope: &'a [f32],
    /// Gradient of the spikes.
    pub(super) grad_s: &'a [f32],
}

/// Back through reset and fire: turns `grad`, the gradient of the membrane potential after the step, into
/// that of the charged potential.
#[inline(always)]
pub(super) fn fire_backward(v_reset: Option<f32>, attached: bool, row: Row<'_>, grad: &mut [f32]) {
    let Row { h, u, s, slope, grad_s } = row;
    same_length!(n = grad, h, u, s, slope, grad_s);
    match (v_reset, attached) {
        (Some(_), false) => {
            for i in 0..n {
                grad[i] = grad_s[i] * slope[i] + if s[i] != 0.0 { 0.0 } else { grad[i] };
            }
        }
        (Some(v_reset), true) => {
            for i in 0..n {
                let through_spike = grad_s[i] + grad[i] * (v_reset - h[i]);
                grad[i] = through_spike * slope[i] + if s[i] != 0.0 { 0.0 } else { grad[i] };
            }
        }
        (None, false) => {
            for i in 0..n {
                grad[i] += grad_s[i] * slope[i];
            }
        }
        (None, true) => {
            for i in 0..n {
                grad[i] += (grad_s[i] - grad[i] * (h[i] - u[i])) * slope[i];
            }
        }
    }
}

/// The gradient of each neuron's threshold in one step; `grad` is that of the membrane potential after the
/// step.
#[inline(always)]
pub(super) fn threshold_backward(
    v_reset: Option<f32>,
    attached: bool,
    row: Row<'_>,
    grad: &[f32],
    grad_threshold: &mut [f32],
) {
    let Row { h, u, s, slope, grad_s } = row;
    same_length!(n = grad_threshold, h, u, s, slope, grad_s, grad);
    let attached = if attached { 1.0 } else { 0.0 };
    match v_reset {
        Some(v_reset) => {
            for i in 0..n {
                let through_spike = grad_s[i] + attached * grad[i] * (v_reset - h[i]);
                grad_threshold[i] = -through_spike * slope[i];
            }
        }
        None => {
            for i in 0..n {
                let through_spike = grad_s[i] - attached * grad[i] * (h[i] - u[i]);
                grad_threshold[i] = -through_spike * slope[i] - s[i] * grad[i];
            }
        }
    }
}

/// Back through the charge: `grad` is the gradient of the charged membrane potential on entry and that of the
/// potential before the step on return; `grad_x` is the gradient of the input.
#[inline(always)]
pub(super) fn charge_backward(charge: Charge, grad: &mut [f32], grad_x: &mut [f32]) {
    let n = grad.len();
    let grad_x = &mut grad_x[..n];
    match charge {
        Charge::Integrate => grad_x.copy_from_slice(grad),
        Charge::Divide { tau, .. } => {
            for i in 0..n {
                let part = grad[i] / tau;
                grad_x[i] = part;
                grad[i] -= part;
            }
        }
        Charge::Multiply { leak, .. } => {
            for i in 0..n {
                let part = grad[i] * leak;
                grad_x[i] = part;
                grad[i] -= part;
            }
        }
        Charge::Keep { keep, .. } => {
            grad_x.copy_from_slice(grad);
            for value in grad.iter_mut() {
                *value *= keep;
            }
        }
    }
}

/// Adds each neuron's gradient of the leak (PLIF's `sigmoid(w)`) in one step to `sum`; `grad` is that of the
/// charged membrane potential, `v` the potential before the step.
#[inline(always)]
pub(super) fn leak_backward(charge: Charge, grad: &[f32], v: &[f32], x: &[f32], sum: &mut [f32]) {
    same_length!(n = sum, grad, v, x);
    match charge {
        Charge::Multiply { rest, .. } => {
            for i in 0..n {
                sum[i] += grad[i] * (x[i] - (v[i] - rest));
            }
        }
        Charge::Keep { rest, .. } => {
            for i in 0..n {
                sum[i] -= grad[i] * (v[i] - rest);
            }
        }
        Charge::Integrate | Charge::Divide { .. } => {}
    }
}

/// `a = a * keep + b * gain`
#[inline(always)]
pub(super) fn scale_and_add(keep: f32, gain: f32, b: &[f32], a: &mut [f32]) {
    same_length!(n = a, b);
    for i in 0..n {
        a[i] = a[i] * keep + b[i] * gain;
    }
}

/// Adds a step's gradient to `sum` and its product with `x` to `product`.
#[inline(always)]
pub(super) fn add_with_product(grad: &[f32], x: &[f32], sum: &mut [f32], product: &mut [f32]) {
    let n = grad.len();
    let (x, sum, product) = (&x[..n], &mut sum[..n], &mut product[..n]);
    for i in 0..n {
        sum[i] += grad[i];
        product[i] += grad[i] * x[i];
    }
}
