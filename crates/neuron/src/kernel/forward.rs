//! The forward pass over one block of neurons.

use std::ops::Range;

use super::affine::{AffineRows, ChannelAffine};
use super::grid::Grid;
use super::passes::{self, STRIP};
use super::spikes::SpikeGrid;
use super::stream::Stores;
use super::{Auxiliary, Forward, Kernel, stream};
use tks_kernels::simd::Work;

/// A forward call's buffers, divided so that blocks can write to them in parallel.
pub(super) struct Pass<'a> {
    kernel: &'a Kernel,
    time_steps: usize,
    neurons: usize,
    input: &'a [f32],
    affine: Option<ChannelAffine<'a>>,
    initial_membrane: Option<&'a [f32]>,
    initial_auxiliary: Option<&'a [f32]>,
    spikes: SpikeGrid<'a>,
    final_membrane: Option<Grid<'a, f32>>,
    final_auxiliary: Option<Grid<'a, f32>>,
    membranes: Option<Grid<'a, f32>>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(kernel: &'a Kernel, arguments: &'a mut Forward<'_>) -> Self {
        let (t, n) = (arguments.time_steps, arguments.neurons);
        Pass {
            kernel,
            time_steps: t,
            neurons: n,
            input: arguments.input,
            affine: arguments.affine,
            initial_membrane: arguments.initial_membrane,
            initial_auxiliary: arguments.initial_auxiliary,
            spikes: arguments.spikes.grid(t, n),
            final_membrane: arguments.final_membrane.as_deref_mut().map(|buffer| Grid::new(buffer, 1, n)),
            final_auxiliary: arguments.final_auxiliary.as_deref_mut().map(|buffer| Grid::new(buffer, 1, n)),
            membranes: arguments.membranes.as_deref_mut().map(|buffer| Grid::new(buffer, t, n)),
        }
    }

    /// A thread's buffers for blocks of this many neurons.
    pub(super) fn rows(&self, lanes: usize) -> StateRows {
        StateRows::new(self.kernel, self.affine.as_ref(), lanes)
    }

    pub(super) fn block<'p>(&'p self, rows: &'p mut StateRows, start: usize, lanes: usize) -> Block<'p, 'a> {
        Block { pass: self, rows, start, lanes }
    }
}

/// All time steps of neurons `start..start + lanes`; blocks have disjoint columns.
pub(super) struct Block<'p, 'a> {
    pass: &'p Pass<'a>,
    rows: &'p mut StateRows,
    start: usize,
    lanes: usize,
}

impl Work for Block<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Block { pass, rows, start, lanes } = self;
        let columns = start..start + lanes;
        let mut step = Step::new(pass.kernel, pass.affine.as_ref(), rows, start, lanes);
        step.begin(
            pass.initial_membrane.map(|state| &state[columns.clone()]),
            pass.initial_auxiliary.map(|state| &state[columns.clone()]),
        );
        let stores = Stores::of(pass.time_steps * pass.neurons);
        for t in 0..pass.time_steps {
            let row = &pass.input[t * pass.neurons..][..pass.neurons];
            // After the last step, the next block's first step follows.
            let next = if t + 1 < pass.time_steps {
                pass.input[(t + 1) * pass.neurons..].get(columns.clone())
            } else {
                pass.input.get(start + lanes..start + 2 * lanes)
            };
            for strip in strips(lanes) {
                if let Some(next) = next {
                    stream::prefetch(&next[strip.clone()]);
                }
                let at = start + strip.start;
                step.advance_to_spikes(strip.clone(), &row[at..][..strip.len()]);
                // SAFETY: blocks have disjoint columns, here and below.
                unsafe { pass.spikes.write(t, at, &step.s[..strip.len()], stores) };
            }
            if let Some(grid) = &pass.membranes {
                // SAFETY: as above.
                unsafe { grid.row(t, columns.clone()) }.copy_from_slice(step.membrane());
            }
        }
        stream::fence();
        if let Some(grid) = &pass.final_membrane {
            // SAFETY: as above.
            unsafe { grid.row(0, columns.clone()) }.copy_from_slice(step.membrane());
        }
        if let Some(grid) = &pass.final_auxiliary {
            // SAFETY: as above.
            unsafe { grid.row(0, columns) }.copy_from_slice(step.auxiliary());
        }
    }
}

/// A block's neurons, strip by strip.
#[inline(always)]
pub(super) fn strips(lanes: usize) -> impl Iterator<Item = Range<usize>> {
    (0..lanes).step_by(STRIP).map(move |from| from..(from + STRIP).min(lanes))
}

/// A thread's buffers for the state of a block.
pub(super) struct StateRows {
    /// Membrane potential after the last step.
    v: Vec<f32>,
    /// Synaptic current or adaptation after the last step, if the model has it.
    auxiliary: Vec<f32>,
    affine: Option<AffineRows>,
}

impl StateRows {
    pub(super) fn new(kernel: &Kernel, affine: Option<&ChannelAffine<'_>>, lanes: usize) -> Self {
        let auxiliary = if kernel.auxiliary == Auxiliary::None { 0 } else { lanes };
        StateRows {
            v: vec![0.0; lanes],
            auxiliary: vec![0.0; auxiliary],
            affine: affine.map(|_| AffineRows::new(lanes)),
        }
    }
}

/// The state of one block of neurons and its update by a step; the backward pass uses it to recompute.
pub(super) struct Step<'k> {
    kernel: &'k Kernel,
    affine: Option<&'k mut AffineRows>,
    v: &'k mut [f32],
    auxiliary: &'k mut [f32],
    /// Charged membrane potential of the last strip.
    h: [f32; STRIP],
    /// Distance from the threshold of the last strip.
    u: [f32; STRIP],
    /// Spikes of the last strip.
    s: [f32; STRIP],
}

impl<'k> Step<'k> {
    #[inline(always)]
    pub(super) fn new(
        kernel: &'k Kernel,
        affine: Option<&ChannelAffine<'_>>,
        rows: &'k mut StateRows,
        start: usize,
        lanes: usize,
    ) -> Self {
        let strip = [0.0; STRIP];
        let StateRows { v, auxiliary, affine: affine_rows } = rows;
        if let (Some(rows), Some(affine)) = (&mut *affine_rows, affine) {
            rows.begin(affine, start, lanes);
        }
        let auxiliaries = auxiliary.len().min(lanes);
        Step {
            kernel,
            affine: affine_rows.as_mut(),
            v: &mut v[..lanes],
            auxiliary: &mut auxiliary[..auxiliaries],
            h: strip,
            u: strip,
            s: strip,
        }
    }

    /// Sets the state before the first step.
    #[inline(always)]
    pub(super) fn begin(&mut self, membrane: Option<&[f32]>, auxiliary: Option<&[f32]>) {
        match membrane {
            Some(membrane) => self.v.copy_from_slice(membrane),
            None => self.v.fill(self.kernel.v_rest),
        }
        match auxiliary {
            Some(auxiliary) => self.auxiliary.copy_from_slice(auxiliary),
            None => self.auxiliary.fill(0.0),
        }
    }

    /// One step of the block's neurons `strip` with their input `x`, giving the membrane potential and the
    /// spikes.
    #[inline(always)]
    pub(super) fn advance_to_spikes(&mut self, strip: Range<usize>, x: &[f32]) {
        match self.kernel.cell() {
            Some(cell) => {
                let Step { kernel, affine, v, auxiliary, s, .. } = self;
                let x = charging_input(kernel, affine, strip.clone(), x, auxiliary);
                passes::charge_fire_reset(cell, x, &mut v[strip], passes::SpikesOut(s));
            }
            None => self.advance(strip, x),
        }
    }

    /// One step of the block's neurons `strip` with their input `x`, giving the membrane potential and
    /// `charged`, the potential before the reset.
    #[inline(always)]
    pub(super) fn advance_to_charged(&mut self, strip: Range<usize>, x: &[f32], charged: &mut [f32]) {
        match self.kernel.cell() {
            Some(cell) => {
                let Step { kernel, affine, v, auxiliary, .. } = self;
                let x = charging_input(kernel, affine, strip.clone(), x, auxiliary);
                passes::charge_fire_reset(cell, x, &mut v[strip], passes::ChargedOut(charged));
            }
            None => {
                let n = strip.len();
                self.advance(strip, x);
                charged.copy_from_slice(&self.h[..n]);
            }
        }
    }

    /// One step, pass by pass, for every option.
    #[inline(always)]
    fn advance(&mut self, strip: Range<usize>, x: &[f32]) {
        let kernel = self.kernel;
        let n = strip.len();
        let x = match &mut self.affine {
            Some(affine) => affine.apply(strip.clone(), x),
            None => x,
        };
        let auxiliary = match kernel.auxiliary {
            Auxiliary::None => &mut [],
            Auxiliary::Current { .. } | Auxiliary::Adaptation { .. } => &mut self.auxiliary[strip.clone()],
        };
        let v = &mut self.v[strip];
        let (h, u, s) = (&mut self.h[..n], &mut self.u[..n], &mut self.s[..n]);
        if kernel.late_reset {
            passes::distance(v, kernel.v_threshold, None, u);
            passes::fire(u, kernel.strict, s);
            if let Some(v_reset) = kernel.v_reset {
                passes::reset_hard_late(v_reset, s, v);
            }
        }
        match kernel.auxiliary {
            Auxiliary::Current { keep } => {
                passes::decay_and_add(keep, x, auxiliary);
                passes::charge(kernel.charge, v, auxiliary, h);
            }
            Auxiliary::None | Auxiliary::Adaptation { .. } => passes::charge(kernel.charge, v, x, h),
        }
        if kernel.late_reset && kernel.v_reset.is_none() {
            passes::reset_soft_late(kernel.v_threshold, s, h);
        }
        match kernel.auxiliary {
            Auxiliary::Adaptation { beta, .. } => {
                passes::distance(h, kernel.v_threshold, Some((beta, auxiliary)), u);
            }
            Auxiliary::None | Auxiliary::Current { .. } => passes::distance(h, kernel.v_threshold, None, u),
        }
        passes::fire(u, kernel.strict, s);
        if kernel.late_reset {
            v.copy_from_slice(h);
        } else {
            passes::reset(kernel.v_reset, h, u, s, v);
        }
        if let Auxiliary::Adaptation { keep, gain, .. } = kernel.auxiliary {
            passes::scale_and_add(keep, gain, s, auxiliary);
        }
    }

    #[inline(always)]
    pub(super) fn membrane(&self) -> &[f32] {
        self.v
    }

    /// The scale and shift of the input.
    #[inline(always)]
    pub(super) fn into_affine(self) -> Option<&'k mut AffineRows> {
        self.affine
    }

    #[inline(always)]
    pub(super) fn auxiliary(&self) -> &[f32] {
        self.auxiliary
    }
}

/// The strip that charges the membrane: the input, scaled and shifted if requested, or the synaptic current.
#[inline(always)]
fn charging_input<'r>(
    kernel: &Kernel,
    affine: &'r mut Option<&mut AffineRows>,
    strip: Range<usize>,
    x: &'r [f32],
    auxiliary: &'r mut [f32],
) -> &'r [f32] {
    let x = match affine {
        Some(affine) => affine.apply(strip.clone(), x),
        None => x,
    };
    match kernel.auxiliary {
        Auxiliary::Current { keep } => {
            let auxiliary = &mut auxiliary[strip];
            passes::decay_and_add(keep, x, auxiliary);
            auxiliary
        }
        Auxiliary::None | Auxiliary::Adaptation { .. } => x,
    }
}
