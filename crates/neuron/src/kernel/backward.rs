//! Back-propagation through time over one block of neurons.
//!
//! The block's membranes are recomputed from the input into a scratch buffer that stays in cache, then the
//! steps are walked backwards. With `g` the gradient of the membrane after step `t`, one step is: back
//! through reset and fire (`passes::fire_backward`), back through the charge (`passes::charge_backward`),
//! and back through the auxiliary state.

use super::affine::{AffineRows, ChannelAffine, ChannelSums};
use super::forward::{StateRows, Step, strips};
use super::grid::Grid;
use super::passes::{self, Row, STRIP};
use super::stream::Stores;
use super::{Auxiliary, Backward, GradSpikes, Kernel, stream};
use tks_kernels::simd::Work;

/// A backward call's buffers, taken apart so that blocks can write them side by side.
pub(super) struct Pass<'a> {
    kernel: &'a Kernel,
    time_steps: usize,
    neurons: usize,
    input: &'a [f32],
    affine: Option<ChannelAffine<'a>>,
    channel_sums: bool,
    initial_membrane: Option<&'a [f32]>,
    initial_auxiliary: Option<&'a [f32]>,
    grad_spikes: GradSpikes<'a>,
    grad_final_membrane: Option<&'a [f32]>,
    grad_final_auxiliary: Option<&'a [f32]>,
    grad_input: Grid<'a, f32>,
    grad_initial_membrane: Option<Grid<'a, f32>>,
    grad_initial_auxiliary: Option<Grid<'a, f32>>,
    learned: bool,
}

/// A thread's rows for one block.
pub(super) struct Scratch {
    state: StateRows,
    /// The recomputed steps, `[T, lanes]`.
    charged: Vec<f32>,
    /// The adaptation before each step, `[T, lanes]`, where the model has it.
    before: Vec<f32>,
    /// Gradient of the membrane.
    grad: Vec<f32>,
    /// Gradient of the auxiliary state, where the model has it.
    grad_auxiliary: Vec<f32>,
    /// Each neuron's part of the gradients of what is learned, where they were asked for.
    leak_sum: Vec<f32>,
    threshold_sum: Vec<f32>,
    /// Each neuron's part of its channel's sums, where they were asked for.
    channel_sum: Vec<f32>,
    channel_x_sum: Vec<f32>,
}

/// The first `n` values, as zeros; none of no buffer.
#[inline(always)]
fn zeroed(buffer: &mut [f32], n: usize) -> &mut [f32] {
    let n = n.min(buffer.len());
    buffer[..n].fill(0.0);
    &mut buffer[..n]
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
            initial_auxiliary: arguments.initial_auxiliary,
            grad_spikes: arguments.grad_spikes,
            grad_final_membrane: arguments.grad_final_membrane,
            grad_final_auxiliary: arguments.grad_final_auxiliary,
            grad_input: Grid::new(arguments.grad_input, t, n),
            grad_initial_membrane: arguments.grad_initial_membrane.as_deref_mut().map(state),
            grad_initial_auxiliary: arguments.grad_initial_auxiliary.as_deref_mut().map(state),
            learned: arguments.learned,
        }
    }

    /// What a thread needs for blocks of so many neurons.
    pub(super) fn scratch(&self, lanes: usize) -> Scratch {
        let rows = |wanted: bool, values: usize| vec![0.0; if wanted { values } else { 0 }];
        let adapts = matches!(self.kernel.auxiliary, Auxiliary::Adaptation { .. });
        Scratch {
            state: StateRows::new(self.kernel, self.affine.as_ref(), lanes),
            charged: rows(true, self.time_steps * lanes),
            before: rows(adapts, self.time_steps * lanes),
            grad: rows(true, lanes),
            grad_auxiliary: rows(self.kernel.auxiliary != Auxiliary::None, lanes),
            leak_sum: rows(self.learned, lanes),
            threshold_sum: rows(self.learned, lanes),
            channel_sum: rows(self.channel_sums, lanes),
            channel_x_sum: rows(self.channel_sums, lanes),
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

impl<'a> Work for Block<'_, 'a> {
    type Output = BlockSums;

    #[inline(always)]
    fn run(self) -> BlockSums {
        let Block { pass, scratch, start, lanes: n } = self;
        let kernel = pass.kernel;
        let columns = start..start + n;
        let initial_membrane = pass.initial_membrane.map(|state| &state[columns.clone()]);
        let initial_auxiliary = pass.initial_auxiliary.map(|state| &state[columns.clone()]);
        let row_of = |rows: &'a [f32], t: usize| &rows[t * pass.neurons + start..][..n];
        let input = |t: usize| row_of(pass.input, t);
        let grad_spikes = match pass.grad_spikes {
            GradSpikes::Rows(rows) => Some(rows),
            GradSpikes::Uniform(_) => None,
        };

        let mut step = Step::new(kernel, pass.affine.as_ref(), &mut scratch.state, start, n);
        step.begin(initial_membrane, initial_auxiliary);
        for t in 0..pass.time_steps {
            if let Auxiliary::Adaptation { .. } = kernel.auxiliary {
                scratch.before[t * n..][..n].copy_from_slice(step.auxiliary());
            }
            // After the last step's input comes the last step's gradient.
            let next = if t + 1 < pass.time_steps {
                Some(input(t + 1))
            } else {
                grad_spikes.map(|rows| row_of(rows, t))
            };
            let (x, charged) = (input(t), &mut scratch.charged[t * n..][..n]);
            for strip in strips(n) {
                if let Some(next) = next {
                    stream::prefetch(&next[strip.clone()]);
                }
                step.advance_to_charged(strip.clone(), &x[strip.clone()], &mut charged[strip]);
            }
        }

        let grad_row = zeroed(&mut scratch.grad, n);
        let grad_auxiliary_row = zeroed(&mut scratch.grad_auxiliary, n);
        let (leak_sum, threshold_sum) =
            (zeroed(&mut scratch.leak_sum, n), zeroed(&mut scratch.threshold_sum, n));
        let channel_sum = zeroed(&mut scratch.channel_sum, n);
        let channel_x_sum = zeroed(&mut scratch.channel_x_sum, n);
        if let Some(state) = pass.grad_final_membrane {
            grad_row.copy_from_slice(&state[columns.clone()]);
        }
        if let Some(state) = pass.grad_final_auxiliary {
            grad_auxiliary_row.copy_from_slice(&state[columns.clone()]);
        }
        let mut affine: Option<&mut AffineRows> = step.into_affine();
        let empty = [0.0f32; STRIP];
        let (mut u, mut s, mut slope, mut grad_s) = (empty, empty, empty, empty);
        let (mut grad_threshold, mut before, mut grad_x) = (empty, empty, empty);
        let uniform = match pass.grad_spikes {
            GradSpikes::Uniform(value) => [value; STRIP],
            GradSpikes::Rows(_) => empty,
        };
        let attached = kernel.attached_reset;
        let stores = Stores::of(pass.time_steps * pass.neurons);
        let reads_input = pass.channel_sums || (pass.learned && kernel.auxiliary == Auxiliary::None);
        // Learned values and late resets need what the one-loop pass does not keep.
        let cell = kernel.cell().filter(|_| !pass.learned);
        for t in (0..pass.time_steps).rev() {
            for strip in strips(n) {
                let n = strip.len();
                // After the first step comes the next block's input.
                match t {
                    0 => {
                        let next = start + columns.len() + strip.start;
                        if let Some(values) = pass.input.get(next..next + n) {
                            stream::prefetch(values);
                        }
                    }
                    _ => {
                        if let Some(rows) = grad_spikes {
                            stream::prefetch(&row_of(rows, t - 1)[strip.clone()]);
                        }
                        if reads_input {
                            stream::prefetch(&input(t - 1)[strip.clone()]);
                        }
                    }
                }
                let known = Known {
                    kernel,
                    charged: &scratch.charged,
                    initial: initial_membrane.map(|state| &state[strip.clone()]),
                    lanes: columns.len(),
                    at: strip.start,
                };
                let h = known.charged(t, n);
                let arriving = match grad_spikes {
                    Some(rows) => &row_of(rows, t)[strip.clone()],
                    None => &uniform[..n],
                };
                let grad = &mut grad_row[strip.clone()];
                let (u, s, slope, grad_s) = (&mut u[..n], &mut s[..n], &mut slope[..n], &mut grad_s[..n]);
                let (grad_threshold, grad_x) = (&mut grad_threshold[..n], &mut grad_x[..n]);
                match cell {
                    Some(cell) => {
                        passes::derivative_at(kernel.surrogate, h, cell.v_threshold, slope);
                        passes::fire_charge_backward(cell, attached, h, slope, arriving, grad, grad_x);
                    }
                    None => {
                        match kernel.auxiliary {
                            Auxiliary::Adaptation { beta, .. } => {
                                let b = &scratch.before[t * columns.len()..][strip.clone()];
                                passes::distance(h, kernel.v_threshold, Some((beta, b)), u);
                            }
                            Auxiliary::None | Auxiliary::Current { .. } => {
                                passes::distance(h, kernel.v_threshold, None, u)
                            }
                        }
                        passes::fire(u, kernel.strict, s);
                        passes::derivative(kernel.surrogate, u, slope);
                        grad_s.copy_from_slice(arriving);
                        if let Auxiliary::Adaptation { gain, .. } = kernel.auxiliary {
                            passes::scale_and_add(1.0, gain, &grad_auxiliary_row[strip.clone()], grad_s);
                        }

                        let row = Row { h, u, s, slope, grad_s };
                        if kernel.late_reset {
                            // The membrane after the step is the charged one: its reset belongs to the next.
                            passes::fire_backward(None, false, row, grad);
                            if pass.learned {
                                let sum = &mut threshold_sum[strip.clone()];
                                passes::threshold_backward(Some(0.0), false, row, grad, grad_threshold);
                                passes::scale_and_add(1.0, 1.0, grad_threshold, sum);
                                if kernel.v_reset.is_none() {
                                    known.previous_spikes(t, u, s);
                                    for i in 0..n {
                                        sum[i] -= s[i] * grad[i];
                                    }
                                }
                            }
                        } else {
                            if pass.learned || matches!(kernel.auxiliary, Auxiliary::Adaptation { .. }) {
                                passes::threshold_backward(
                                    kernel.v_reset,
                                    attached,
                                    row,
                                    grad,
                                    grad_threshold,
                                );
                            }
                            if pass.learned {
                                let sum = &mut threshold_sum[strip.clone()];
                                passes::scale_and_add(1.0, 1.0, grad_threshold, sum);
                            }
                            passes::fire_backward(kernel.v_reset, attached, row, grad);
                        }

                        if pass.learned && kernel.auxiliary == Auxiliary::None {
                            let before = &mut before[..n];
                            known.membrane_before(t, u, s, before);
                            let x = &input(t)[strip.clone()];
                            let x = match &mut affine {
                                Some(affine) => affine.apply(strip.clone(), x),
                                None => x,
                            };
                            let sum = &mut leak_sum[strip.clone()];
                            passes::leak_backward(kernel.charge, grad, before, x, sum);
                        }
                        passes::charge_backward(kernel.charge, grad, grad_x);
                    }
                }
                if kernel.late_reset && kernel.v_reset.is_some() {
                    // The charge began at the reset membrane where the step before had fired.
                    known.previous_spikes(t, u, s);
                    passes::reset_hard_late(0.0, s, grad);
                }
                match kernel.auxiliary {
                    Auxiliary::None => {}
                    Auxiliary::Current { keep } => {
                        // i[t] = keep i[t-1] + x[t]: the current's gradient is the input's, and it flows on.
                        let grad_auxiliary = &mut grad_auxiliary_row[strip.clone()];
                        passes::scale_and_add(1.0, 1.0, grad_auxiliary, grad_x);
                        for i in 0..n {
                            grad_auxiliary[i] = grad_x[i] * keep;
                        }
                    }
                    Auxiliary::Adaptation { keep, beta, .. } => {
                        let grad_auxiliary = &mut grad_auxiliary_row[strip.clone()];
                        passes::scale_and_add(keep, beta, grad_threshold, grad_auxiliary);
                    }
                }
                let place = start + strip.start..start + strip.end;
                // SAFETY: blocks have columns of their own.
                stores.write(grad_x, unsafe { pass.grad_input.row(t, place) });
                if pass.channel_sums {
                    let (sum, x_sum) = (&mut channel_sum[strip.clone()], &mut channel_x_sum[strip.clone()]);
                    passes::add_with_product(grad_x, &input(t)[strip], sum, x_sum);
                }
            }
        }
        stream::fence();
        if let Some(grid) = &pass.grad_initial_membrane {
            // SAFETY: as above.
            unsafe { grid.row(0, columns.clone()) }.copy_from_slice(grad_row);
        }
        if let Some(grid) = &pass.grad_initial_auxiliary {
            // SAFETY: as above.
            unsafe { grid.row(0, columns) }.copy_from_slice(grad_auxiliary_row);
        }
        let sum = |row: &[f32]| row.iter().map(|&value| f64::from(value)).sum();
        let mut channels = Vec::new();
        if let (true, Some(affine)) = (pass.channel_sums, &pass.affine) {
            channels = by_channel(affine, start, n, channel_sum, channel_x_sum);
        }
        BlockSums { leak: sum(leak_sum), v_threshold: sum(threshold_sum), channels }
    }
}

/// What is known of a strip's membranes.
#[derive(Clone, Copy)]
struct Known<'b> {
    kernel: &'b Kernel,
    /// Charged membranes of the block, `[T, lanes]`.
    charged: &'b [f32],
    /// The strip's initial membrane.
    initial: Option<&'b [f32]>,
    /// Neurons of the block.
    lanes: usize,
    /// The strip's first neuron in the block.
    at: usize,
}

impl<'b> Known<'b> {
    /// The charged membranes of step `t`.
    #[inline(always)]
    fn charged(&self, t: usize, n: usize) -> &'b [f32] {
        &self.charged[t * self.lanes + self.at..][..n]
    }

    /// The membrane that step `t` charges: the initial one, or that of the step before, after its reset. `u`
    /// and `s` are overwritten.
    #[inline(always)]
    fn membrane_before(&self, t: usize, u: &mut [f32], s: &mut [f32], before: &mut [f32]) {
        let n = before.len();
        match (t, self.initial) {
            (0, Some(initial)) => before.copy_from_slice(initial),
            (0, None) => before.fill(self.kernel.v_rest),
            _ => before.copy_from_slice(self.charged(t - 1, n)),
        }
        if self.kernel.late_reset {
            if let Some(v_reset) = self.kernel.v_reset {
                self.previous_spikes(t, u, s);
                passes::reset_hard_late(v_reset, s, before);
            }
        } else if t > 0 {
            let h = self.charged(t - 1, n);
            passes::distance(h, self.kernel.v_threshold, None, u);
            passes::fire(u, self.kernel.strict, s);
            passes::reset(self.kernel.v_reset, h, u, s, before);
        }
    }

    /// The spikes of step `t - 1`, which a late reset applies in step `t`; `u` is overwritten.
    #[inline(always)]
    fn previous_spikes(&self, t: usize, u: &mut [f32], s: &mut [f32]) {
        match (t, self.initial) {
            (0, Some(initial)) => passes::distance(initial, self.kernel.v_threshold, None, u),
            (0, None) => u.fill(self.kernel.v_rest - self.kernel.v_threshold),
            _ => passes::distance(self.charged(t - 1, u.len()), self.kernel.v_threshold, None, u),
        }
        passes::fire(u, self.kernel.strict, s);
    }
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
