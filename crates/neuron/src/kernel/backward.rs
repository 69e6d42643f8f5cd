//! Back-propagation through time over one block of neurons.
//!
//! The block's membranes are recomputed from the input into a scratch buffer that stays in cache, then the
//! steps are walked backwards. With `g` the gradient of the membrane after step `t`, one step is: back
//! through reset and fire (`passes::fire_backward`), back through the charge (`passes::charge_backward`),
//! and back through the second state.

use super::affine::{AffineRows, ChannelAffine, ChannelSums};
use super::forward::Step;
use super::grid::Grid;
use super::passes::{self, LANES, Row};
use super::{Backward, GradSpikes, Kernel, Second, stream};
use crate::simd::Work;

/// A backward call's buffers, taken apart so that blocks can write them side by side.
pub(super) struct Pass<'a> {
    kernel: &'a Kernel,
    time_steps: usize,
    neurons: usize,
    input: &'a [f32],
    affine: Option<ChannelAffine<'a>>,
    channel_sums: bool,
    initial_membrane: Option<&'a [f32]>,
    initial_second: Option<&'a [f32]>,
    grad_spikes: GradSpikes<'a>,
    grad_final_membrane: Option<&'a [f32]>,
    grad_final_second: Option<&'a [f32]>,
    grad_input: Grid<'a, f32>,
    grad_initial_membrane: Option<Grid<'a, f32>>,
    grad_initial_second: Option<Grid<'a, f32>>,
    learned: bool,
}

/// A thread's buffers for the recomputed steps of one block, `[T, LANES]` each.
pub(super) struct Scratch {
    charged: Vec<f32>,
    /// The adaptation before each step, where the model has it.
    before: Vec<f32>,
}

impl Scratch {
    pub(super) fn new(kernel: &Kernel, time_steps: usize) -> Self {
        let values = time_steps * LANES;
        let before = match kernel.second {
            Second::Adaptation { .. } => values,
            Second::None | Second::Current { .. } => 0,
        };
        Scratch { charged: vec![0.0; values], before: vec![0.0; before] }
    }
}

impl<'a> Pass<'a> {
    pub(super) fn new(kernel: &'a Kernel, arguments: &'a mut Backward<'_>, channel_sums: bool) -> Self {
        let (t, n) = (arguments.time_steps, arguments.neurons);
        let state = |buffer: &'a mut [f32]| Grid::new(buffer, 1, n);
        Pass {
            kernel,
            time_steps: t,
            neurons: n,
            input: arguments.input,
            affine: arguments.affine,
            channel_sums,
            initial_membrane: arguments.initial_membrane,
            initial_second: arguments.initial_second,
            grad_spikes: arguments.grad_spikes,
            grad_final_membrane: arguments.grad_final_membrane,
            grad_final_second: arguments.grad_final_second,
            grad_input: Grid::new(arguments.grad_input, t, n),
            grad_initial_membrane: arguments.grad_initial_membrane.as_deref_mut().map(state),
            grad_initial_second: arguments.grad_initial_second.as_deref_mut().map(state),
            learned: arguments.learned,
        }
    }

    pub(super) fn block<'p>(&'p self, scratch: &'p mut Scratch, start: usize, lanes: usize) -> Block<'p, 'a> {
        Block { pass: self, scratch, start, lanes }
    }
}

/// What a block adds to the gradients that are sums over neurons.
pub(super) struct BlockSums {
    pub(super) leak: f64,
    pub(super) v_threshold: f64,
    /// By channel, where they were asked for.
    pub(super) channels: Vec<(usize, ChannelSums)>,
}

/// All steps of neurons `start..start + lanes`, backwards.
pub(super) struct Block<'p, 'a> {
    pass: &'p Pass<'a>,
    scratch: &'p mut Scratch,
    start: usize,
    lanes: usize,
}

impl Work for Block<'_, '_> {
    type Output = BlockSums;

    #[inline(always)]
    fn run(self) -> BlockSums {
        let Block { pass, scratch, start, lanes: n } = self;
        let kernel = pass.kernel;
        let columns = start..start + n;
        let initial_membrane = pass.initial_membrane.map(|state| &state[columns.clone()]);
        let initial_second = pass.initial_second.map(|state| &state[columns.clone()]);
        let input = |t: usize| &pass.input[t * pass.neurons + start..][..n];

        let mut step = Step::new(kernel, pass.affine.as_ref(), start, n);
        step.begin(initial_membrane, initial_second);
        for t in 0..pass.time_steps {
            if let Second::Adaptation { .. } = kernel.second {
                scratch.before[t * n..][..n].copy_from_slice(step.second());
            }
            if t + 1 < pass.time_steps {
                stream::prefetch(input(t + 1));
            }
            step.advance_to_charged(input(t), &mut scratch.charged[t * n..][..n]);
        }

        let row = [0.0f32; LANES];
        let (mut grad, mut grad_second) = (row, row);
        let (mut u, mut s, mut slope, mut grad_s, mut grad_threshold) = (row, row, row, row, row);
        let (mut before, mut leak_sum, mut threshold_sum) = (row, row, row);
        let (grad, grad_second) = (&mut grad[..n], &mut grad_second[..n]);
        let (u, s, slope, grad_s) = (&mut u[..n], &mut s[..n], &mut slope[..n], &mut grad_s[..n]);
        let (grad_threshold, before) = (&mut grad_threshold[..n], &mut before[..n]);
        let (leak_sum, threshold_sum) = (&mut leak_sum[..n], &mut threshold_sum[..n]);
        if let Some(state) = pass.grad_final_membrane {
            grad.copy_from_slice(&state[columns.clone()]);
        }
        if let Some(state) = pass.grad_final_second {
            grad_second.copy_from_slice(&state[columns.clone()]);
        }
        let (mut grad_sum, mut grad_x_sum) = (row, row);
        let mut affine = pass.affine.as_ref().map(|affine| AffineRows::new(affine, start, n));
        let attached = kernel.attached_reset;
        let streamed = stream::worthwhile(pass.time_steps * pass.neurons);
        // Learned values and late resets need what the one-loop pass does not keep.
        let cell = kernel.cell().filter(|_| !pass.learned);
        let uniform = match pass.grad_spikes {
            GradSpikes::Uniform(value) => [value; LANES],
            GradSpikes::Rows(_) => row,
        };
        let mut grad_x = row;
        let grad_x = &mut grad_x[..n];
        for t in (0..pass.time_steps).rev() {
            let h = &scratch.charged[t * n..][..n];
            let arriving = match pass.grad_spikes {
                GradSpikes::Rows(rows) => {
                    if t > 0 {
                        stream::prefetch(&rows[(t - 1) * pass.neurons + start..][..n]);
                    }
                    &rows[t * pass.neurons + start..][..n]
                }
                GradSpikes::Uniform(_) => &uniform[..n],
            };
            match cell {
                Some(cell) => {
                    passes::derivative_at(kernel.surrogate, h, cell.v_threshold, slope);
                    passes::fire_charge_backward(cell, attached, h, slope, arriving, grad, grad_x);
                }
                None => {
                    match kernel.second {
                        Second::Adaptation { beta, .. } => {
                            let b = &scratch.before[t * n..][..n];
                            passes::distance(h, kernel.v_threshold, Some((beta, b)), u);
                        }
                        Second::None | Second::Current { .. } => {
                            passes::distance(h, kernel.v_threshold, None, u)
                        }
                    }
                    passes::fire(u, kernel.strict, s);
                    passes::derivative(kernel.surrogate, u, slope);
                    grad_s.copy_from_slice(arriving);
                    if let Second::Adaptation { gain, .. } = kernel.second {
                        passes::scale_and_add(1.0, gain, grad_second, grad_s);
                    }

                    let known = Row { h, u, s, slope, grad_s };
                    if kernel.late_reset {
                        // The membrane after the step is the charged one: its reset belongs to the next step.
                        passes::fire_backward(None, false, known, grad);
                        if pass.learned {
                            passes::threshold_backward(Some(0.0), false, known, grad, grad_threshold);
                            passes::scale_and_add(1.0, 1.0, grad_threshold, threshold_sum);
                        }
                        if pass.learned && kernel.v_reset.is_none() {
                            previous_spikes(kernel, &scratch.charged, initial_membrane, t, n, u, s);
                            for i in 0..n {
                                threshold_sum[i] -= s[i] * grad[i];
                            }
                        }
                    } else {
                        if pass.learned || matches!(kernel.second, Second::Adaptation { .. }) {
                            passes::threshold_backward(kernel.v_reset, attached, known, grad, grad_threshold);
                            passes::scale_and_add(1.0, 1.0, grad_threshold, threshold_sum);
                        }
                        passes::fire_backward(kernel.v_reset, attached, known, grad);
                    }

                    if pass.learned && kernel.second == Second::None {
                        membrane_before(kernel, &scratch.charged, initial_membrane, t, n, u, s, before);
                        let x = match &mut affine {
                            Some(affine) => affine.apply(input(t)),
                            None => input(t),
                        };
                        passes::leak_backward(kernel.charge, grad, before, x, leak_sum);
                    }
                    passes::charge_backward(kernel.charge, grad, grad_x);
                }
            }
            if kernel.late_reset && kernel.v_reset.is_some() {
                // The charge began at the reset membrane where the step before had fired.
                previous_spikes(kernel, &scratch.charged, initial_membrane, t, n, u, s);
                passes::reset_hard_late(0.0, s, grad);
            }
            match kernel.second {
                Second::None => {}
                Second::Current { keep } => {
                    // i[t] = keep i[t-1] + x[t]: the current's gradient is the input's, and it flows on.
                    passes::scale_and_add(1.0, 1.0, grad_second, grad_x);
                    for i in 0..n {
                        grad_second[i] = grad_x[i] * keep;
                    }
                }
                Second::Adaptation { keep, beta, .. } => {
                    passes::scale_and_add(keep, beta, grad_threshold, grad_second);
                }
            }
            // SAFETY: blocks have columns of their own.
            let grad_input = unsafe { pass.grad_input.row(t, columns.clone()) };
            if streamed {
                stream::copy(grad_x, grad_input);
            } else {
                grad_input.copy_from_slice(grad_x);
            }
            if pass.channel_sums {
                passes::add_with_product(grad_x, input(t), &mut grad_sum, &mut grad_x_sum);
            }
        }
        if streamed {
            stream::fence();
        }
        if let Some(grid) = &pass.grad_initial_membrane {
            // SAFETY: as above.
            unsafe { grid.row(0, columns.clone()) }.copy_from_slice(grad);
        }
        if let Some(grid) = &pass.grad_initial_second {
            // SAFETY: as above.
            unsafe { grid.row(0, columns) }.copy_from_slice(grad_second);
        }
        let sum = |row: &[f32]| row.iter().map(|&value| f64::from(value)).sum();
        let mut channels = Vec::new();
        if let (true, Some(affine)) = (pass.channel_sums, &pass.affine) {
            channels = by_channel(affine, start, n, &grad_sum, &grad_x_sum);
        }
        BlockSums { leak: sum(leak_sum), v_threshold: sum(threshold_sum), channels }
    }
}

/// The membrane that step `t` charges: the initial one, or that of the step before, after its reset.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // the rows of one step; a struct would be made for this call alone
fn membrane_before(
    kernel: &Kernel,
    charged: &[f32],
    initial: Option<&[f32]>,
    t: usize,
    n: usize,
    u: &mut [f32],
    s: &mut [f32],
    before: &mut [f32],
) {
    match (t, initial) {
        (0, Some(initial)) => before.copy_from_slice(initial),
        (0, None) => before.fill(kernel.v_rest),
        _ => before.copy_from_slice(&charged[(t - 1) * n..][..n]),
    }
    if kernel.late_reset {
        if let Some(v_reset) = kernel.v_reset {
            previous_spikes(kernel, charged, initial, t, n, u, s);
            passes::reset_hard_late(v_reset, s, before);
        }
    } else if t > 0 {
        let h = &charged[(t - 1) * n..][..n];
        passes::distance(h, kernel.v_threshold, None, u);
        passes::fire(u, kernel.strict, s);
        passes::reset(kernel.v_reset, h, u, s, before);
    }
}

/// The spikes of step `t - 1`, which a late reset applies in step `t`.
#[inline(always)]
fn previous_spikes(
    kernel: &Kernel,
    charged: &[f32],
    initial: Option<&[f32]>,
    t: usize,
    n: usize,
    u: &mut [f32],
    s: &mut [f32],
) {
    match (t, initial) {
        (0, Some(initial)) => passes::distance(initial, kernel.v_threshold, None, u),
        (0, None) => u.fill(kernel.v_rest - kernel.v_threshold),
        _ => passes::distance(&charged[(t - 1) * n..][..n], kernel.v_threshold, None, u),
    }
    passes::fire(u, kernel.strict, s);
}

/// Adds up each neuron's sums by channel, in the order in which the block's neurons come to it.
#[inline(always)]
fn by_channel(
    affine: &ChannelAffine<'_>,
    start: usize,
    n: usize,
    grad: &[f32],
    grad_x: &[f32],
) -> Vec<(usize, ChannelSums)> {
    let channels = affine.scale.len();
    let mut sums: Vec<(usize, ChannelSums)> = Vec::with_capacity(channels.min(n));
    for (index, (channel, lane, run)) in affine.runs(start, n).enumerate() {
        let sum = |row: &[f32]| row[lane..lane + run].iter().map(|&value| f64::from(value)).sum::<f64>();
        let part = ChannelSums { grad: sum(grad), grad_x: sum(grad_x) };
        // Channels come in turn: after one round each has its place.
        match sums.get_mut(index % channels) {
            Some((known, sums)) if *known == channel => {
                sums.grad += part.grad;
                sums.grad_x += part.grad_x;
            }
            _ => sums.push((channel, part)),
        }
    }
    sums
}
