//! Back-propagation through time over one block of neurons.
//!
//! The block's membrane potentials are recomputed from the input into a scratch buffer that stays in cache;
//! then the time steps are processed in reverse. With `g` the gradient of the membrane potential after step
//! `t`, one step is: back through reset and fire (`passes::fire_backward`), back through the charge
//! (`passes::charge_backward`), and back through the auxiliary state.

use std::ops::Range;

use crate::kernel::affine::{AffineRows, ChannelAffine, ChannelSums};
use crate::kernel::forward::{StateRows, Step, strips};
use crate::kernel::grid::Grid;
use crate::kernel::passes::{self, STRIP};
use crate::kernel::stream::Stores;
use crate::kernel::{Auxiliary, Backward, GradSpikes, Kernel, stream};
use tks_kernels::simd::Work;

mod step;

use step::{Known, StepBack, Sums};

/// A backward call's buffers, divided so that blocks can write to them in parallel.
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

/// A thread's buffers for one block.
pub(super) struct Scratch {
    state: StateRows,
    /// The recomputed steps, `[T, lanes]`.
    charged: Vec<f32>,
    /// The adaptation before each step, `[T, lanes]`, if the model has it.
    before: Vec<f32>,
    /// Gradient of the membrane.
    grad: Vec<f32>,
    /// Gradient of the auxiliary state, if the model has it.
    grad_auxiliary: Vec<f32>,
    /// Each neuron's contribution to the gradients of learned values, if requested.
    leak_sum: Vec<f32>,
    threshold_sum: Vec<f32>,
    /// Each neuron's contribution to its channel's sums, if requested.
    channel_sum: Vec<f32>,
    channel_x_sum: Vec<f32>,
}

/// The first `n` values, set to zero; `None` if there is no buffer.
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

    /// A thread's buffers for blocks of this many neurons.
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

/// A block's contribution to the gradients that are sums over neurons.
pub(super) struct BlockSums {
    pub(super) leak: f64,
    pub(super) v_threshold: f64,
    /// By channel, if requested.
    pub(super) channels: Vec<(usize, ChannelSums)>,
}

/// All time steps of neurons `start..start + lanes`, in reverse.
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
        let Block { pass, scratch, start, lanes } = self;
        let Scratch {
            state,
            charged,
            before,
            grad,
            grad_auxiliary,
            leak_sum,
            threshold_sum,
            channel_sum,
            channel_x_sum,
        } = scratch;
        let rows = Rows { pass, start, lanes };
        let affine = rows.recompute(state, charged, before);
        let known =
            Known { kernel: pass.kernel, charged, before, initial: rows.of(pass.initial_membrane), lanes };
        let sums = Sums {
            grad: zeroed(grad, lanes),
            grad_auxiliary: zeroed(grad_auxiliary, lanes),
            leak: zeroed(leak_sum, lanes),
            threshold: zeroed(threshold_sum, lanes),
        };
        let (channel_sum, channel_x_sum) = (zeroed(channel_sum, lanes), zeroed(channel_x_sum, lanes));
        if let Some(state) = rows.of(pass.grad_final_membrane) {
            sums.grad.copy_from_slice(state);
        }
        if let Some(state) = rows.of(pass.grad_final_auxiliary) {
            sums.grad_auxiliary.copy_from_slice(state);
        }
        let mut back = StepBack::new(pass, known, affine, sums);
        let uniform = match pass.grad_spikes {
            GradSpikes::Uniform(value) => [value; STRIP],
            GradSpikes::Rows(_) => [0.0; STRIP],
        };
        let stores = Stores::of(pass.time_steps * pass.neurons);
        for t in (0..pass.time_steps).rev() {
            for strip in strips(lanes) {
                rows.prefetch_before(t, strip.clone());
                let (arriving, x) = (rows.arriving(t, strip.clone(), &uniform), rows.input(t, strip.clone()));
                let grad_x = back.step(t, strip.clone(), arriving, x);
                let place = start + strip.start..start + strip.end;
                // SAFETY: blocks have disjoint columns.
                stores.write(grad_x, unsafe { pass.grad_input.row(t, place) });
                if pass.channel_sums {
                    let (sum, x_sum) = (&mut channel_sum[strip.clone()], &mut channel_x_sum[strip]);
                    passes::add_with_product(grad_x, x, sum, x_sum);
                }
            }
        }
        stream::fence();
        let Sums { grad, grad_auxiliary, leak, threshold } = back.sums;
        for (grid, row) in
            [(&pass.grad_initial_membrane, grad), (&pass.grad_initial_auxiliary, grad_auxiliary)]
        {
            if let Some(grid) = grid {
                // SAFETY: as above.
                unsafe { grid.row(0, start..start + lanes) }.copy_from_slice(row);
            }
        }
        let sum = |row: &[f32]| row.iter().map(|&value| f64::from(value)).sum();
        let channels = match (pass.channel_sums, &pass.affine) {
            (true, Some(affine)) => by_channel(affine, start, lanes, channel_sum, channel_x_sum),
            _ => Vec::new(),
        };
        BlockSums { leak: sum(leak), v_threshold: sum(threshold), channels }
    }
}

/// A block's view of the call's buffers.
#[derive(Clone, Copy)]
struct Rows<'p, 'a> {
    pass: &'p Pass<'a>,
    start: usize,
    lanes: usize,
}

impl<'p, 'a> Rows<'p, 'a> {
    /// The block's part of a state.
    #[inline(always)]
    fn of(&self, state: Option<&'a [f32]>) -> Option<&'a [f32]> {
        state.map(|state| &state[self.start..][..self.lanes])
    }

    /// A strip of one time step of a sequence.
    #[inline(always)]
    fn at(&self, rows: &'a [f32], t: usize, strip: Range<usize>) -> &'a [f32] {
        &rows[t * self.pass.neurons + self.start..][..self.lanes][strip]
    }

    #[inline(always)]
    fn input(&self, t: usize, strip: Range<usize>) -> &'a [f32] {
        self.at(self.pass.input, t, strip)
    }

    /// The incoming gradient of a step's spikes.
    #[inline(always)]
    fn arriving<'r>(&self, t: usize, strip: Range<usize>, uniform: &'r [f32; STRIP]) -> &'r [f32]
    where
        'a: 'r,
    {
        match self.pass.grad_spikes {
            GradSpikes::Rows(rows) => self.at(rows, t, strip),
            GradSpikes::Uniform(_) => &uniform[..strip.len()],
        }
    }

    /// Runs all steps forward again, for the charged membranes and, if the model adapts, the adaptation
    /// before each step. Returns the scale and shift of the input.
    #[inline(always)]
    fn recompute(
        &self,
        state: &'p mut StateRows,
        charged: &mut [f32],
        before: &mut [f32],
    ) -> Option<&'p mut AffineRows> {
        let (pass, n) = (self.pass, self.lanes);
        let mut step = Step::new(pass.kernel, pass.affine.as_ref(), state, self.start, n);
        step.begin(self.of(pass.initial_membrane), self.of(pass.initial_auxiliary));
        for t in 0..pass.time_steps {
            if let Auxiliary::Adaptation { .. } = pass.kernel.auxiliary {
                before[t * n..][..n].copy_from_slice(step.auxiliary());
            }
            let charged = &mut charged[t * n..][..n];
            for strip in strips(n) {
                // After the last step's input, prefetch the last step's gradient.
                if t + 1 < pass.time_steps {
                    stream::prefetch(self.input(t + 1, strip.clone()));
                } else if let GradSpikes::Rows(rows) = pass.grad_spikes {
                    stream::prefetch(self.at(rows, t, strip.clone()));
                }
                let x = self.input(t, strip.clone());
                step.advance_to_charged(strip.clone(), x, &mut charged[strip]);
            }
        }
        step.into_affine()
    }

    /// Prefetches the data for the same strip of the previous step; after the first step, the next block's
    /// input.
    #[inline(always)]
    fn prefetch_before(&self, t: usize, strip: Range<usize>) {
        let pass = self.pass;
        if t == 0 {
            let next = self.start + self.lanes + strip.start;
            if let Some(values) = pass.input.get(next..next + strip.len()) {
                stream::prefetch(values);
            }
            return;
        }
        if let GradSpikes::Rows(rows) = pass.grad_spikes {
            stream::prefetch(self.at(rows, t - 1, strip.clone()));
        }
        if pass.channel_sums || (pass.learned && pass.kernel.auxiliary == Auxiliary::None) {
            stream::prefetch(self.input(t - 1, strip));
        }
    }
}

/// Adds up the neurons' sums by channel, in the order of the block's neurons.
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
        // Channels recur cyclically: after one round, each has its entry.
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
