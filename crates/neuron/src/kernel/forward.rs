//! The forward pass over one block of neurons.

use super::affine::{AffineRows, ChannelAffine};
use super::grid::Grid;
use super::passes::{self, LANES};
use super::spikes::SpikeGrid;
use super::{Forward, Kernel, Second, stream};
use crate::simd::Work;

/// A forward call's buffers, taken apart so that blocks can write them side by side.
pub(super) struct Pass<'a> {
    kernel: &'a Kernel,
    time_steps: usize,
    neurons: usize,
    input: &'a [f32],
    affine: Option<ChannelAffine<'a>>,
    initial_membrane: Option<&'a [f32]>,
    initial_second: Option<&'a [f32]>,
    spikes: SpikeGrid<'a>,
    final_membrane: Option<Grid<'a, f32>>,
    final_second: Option<Grid<'a, f32>>,
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
            initial_second: arguments.initial_second,
            spikes: arguments.spikes.grid(t, n),
            final_membrane: arguments.final_membrane.as_deref_mut().map(|buffer| Grid::new(buffer, 1, n)),
            final_second: arguments.final_second.as_deref_mut().map(|buffer| Grid::new(buffer, 1, n)),
            membranes: arguments.membranes.as_deref_mut().map(|buffer| Grid::new(buffer, t, n)),
        }
    }

    pub(super) fn block<'p>(&'p self, start: usize, lanes: usize) -> Block<'p, 'a> {
        Block { pass: self, start, lanes }
    }
}

/// All steps of neurons `start..start + lanes`; each block has columns of its own.
pub(super) struct Block<'p, 'a> {
    pass: &'p Pass<'a>,
    start: usize,
    lanes: usize,
}

impl Work for Block<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Block { pass, start, lanes } = self;
        let columns = start..start + lanes;
        let mut step = Step::new(pass.kernel, pass.affine.as_ref(), start, lanes);
        step.begin(
            pass.initial_membrane.map(|state| &state[columns.clone()]),
            pass.initial_second.map(|state| &state[columns.clone()]),
        );
        let streamed = stream::worthwhile(pass.time_steps * pass.neurons);
        let input = |t: usize| &pass.input[t * pass.neurons + start..][..lanes];
        for t in 0..pass.time_steps {
            if t + 1 < pass.time_steps {
                stream::prefetch(input(t + 1));
            }
            step.advance_to_spikes(input(t));
            // SAFETY: blocks have columns of their own, here and below.
            unsafe { pass.spikes.write(t, start, step.spikes(), streamed) };
            if let Some(grid) = &pass.membranes {
                // SAFETY: as above.
                unsafe { grid.row(t, columns.clone()) }.copy_from_slice(step.membrane());
            }
        }
        if streamed {
            stream::fence();
        }
        if let Some(grid) = &pass.final_membrane {
            // SAFETY: as above.
            unsafe { grid.row(0, columns.clone()) }.copy_from_slice(step.membrane());
        }
        if let Some(grid) = &pass.final_second {
            // SAFETY: as above.
            unsafe { grid.row(0, columns) }.copy_from_slice(step.second());
        }
    }
}

/// The state of one block of neurons, and how a step changes it; the backward pass recomputes with it.
pub(super) struct Step<'k> {
    kernel: &'k Kernel,
    affine: Option<AffineRows>,
    lanes: usize,
    /// Membrane after the last step.
    v: [f32; LANES],
    /// Synaptic current or adaptation after the last step.
    second: [f32; LANES],
    /// Charged membrane of the last step.
    h: [f32; LANES],
    /// Distance to the threshold in the last step.
    u: [f32; LANES],
    /// Spikes of the last step.
    s: [f32; LANES],
}

impl<'k> Step<'k> {
    #[inline(always)]
    pub(super) fn new(
        kernel: &'k Kernel,
        affine: Option<&ChannelAffine<'_>>,
        start: usize,
        lanes: usize,
    ) -> Self {
        let row = [0.0; LANES];
        let affine = affine.map(|affine| AffineRows::new(affine, start, lanes));
        Step { kernel, affine, lanes, v: row, second: row, h: row, u: row, s: row }
    }

    /// Sets the state before the first step.
    #[inline(always)]
    pub(super) fn begin(&mut self, membrane: Option<&[f32]>, second: Option<&[f32]>) {
        match membrane {
            Some(membrane) => self.v[..self.lanes].copy_from_slice(membrane),
            None => self.v[..self.lanes].fill(self.kernel.v_rest),
        }
        match second {
            Some(second) => self.second[..self.lanes].copy_from_slice(second),
            None => self.second[..self.lanes].fill(0.0),
        }
    }

    /// One step with the input `x`, `[lanes]`, for the membrane and the spikes.
    #[inline(always)]
    pub(super) fn advance_to_spikes(&mut self, x: &[f32]) {
        match self.kernel.cell() {
            Some(cell) => {
                let n = self.lanes;
                let Step { kernel, affine, v, second, s, .. } = self;
                let x = charging_input(kernel, affine, x, &mut second[..n]);
                passes::charge_fire_reset(cell, x, &mut v[..n], passes::SpikesOut(s));
            }
            None => self.advance(x),
        }
    }

    /// One step with the input `x`, `[lanes]`, for the membrane and `charged`, the membrane before its reset.
    #[inline(always)]
    pub(super) fn advance_to_charged(&mut self, x: &[f32], charged: &mut [f32]) {
        match self.kernel.cell() {
            Some(cell) => {
                let n = self.lanes;
                let Step { kernel, affine, v, second, .. } = self;
                let x = charging_input(kernel, affine, x, &mut second[..n]);
                passes::charge_fire_reset(cell, x, &mut v[..n], passes::ChargedOut(charged));
            }
            None => {
                self.advance(x);
                charged.copy_from_slice(&self.h[..self.lanes]);
            }
        }
    }

    /// One step, pass by pass, for every option.
    #[inline(always)]
    fn advance(&mut self, x: &[f32]) {
        let kernel = self.kernel;
        let n = self.lanes;
        let x = match &mut self.affine {
            Some(affine) => affine.apply(x),
            None => x,
        };
        let (v, second) = (&mut self.v[..n], &mut self.second[..n]);
        let (h, u, s) = (&mut self.h[..n], &mut self.u[..n], &mut self.s[..n]);
        if kernel.late_reset {
            passes::distance(v, kernel.v_threshold, None, u);
            passes::fire(u, kernel.strict, s);
            if let Some(v_reset) = kernel.v_reset {
                passes::reset_hard_late(v_reset, s, v);
            }
        }
        match kernel.second {
            Second::Current { keep } => {
                passes::decay_and_add(keep, x, second);
                passes::charge(kernel.charge, v, second, h);
            }
            Second::None | Second::Adaptation { .. } => passes::charge(kernel.charge, v, x, h),
        }
        if kernel.late_reset && kernel.v_reset.is_none() {
            passes::reset_soft_late(kernel.v_threshold, s, h);
        }
        match kernel.second {
            Second::Adaptation { beta, .. } => {
                passes::distance(h, kernel.v_threshold, Some((beta, second)), u);
            }
            Second::None | Second::Current { .. } => passes::distance(h, kernel.v_threshold, None, u),
        }
        passes::fire(u, kernel.strict, s);
        if kernel.late_reset {
            v.copy_from_slice(h);
        } else {
            passes::reset(kernel.v_reset, h, u, s, v);
        }
        if let Second::Adaptation { keep, gain, .. } = kernel.second {
            passes::scale_and_add(keep, gain, s, second);
        }
    }

    #[inline(always)]
    pub(super) fn membrane(&self) -> &[f32] {
        &self.v[..self.lanes]
    }

    #[inline(always)]
    pub(super) fn second(&self) -> &[f32] {
        &self.second[..self.lanes]
    }

    #[inline(always)]
    pub(super) fn spikes(&self) -> &[f32] {
        &self.s[..self.lanes]
    }
}

/// The row that charges the membrane: the input, scaled and shifted where that is asked for, or the current.
#[inline(always)]
fn charging_input<'r>(
    kernel: &Kernel,
    affine: &'r mut Option<AffineRows>,
    x: &'r [f32],
    second: &'r mut [f32],
) -> &'r [f32] {
    let x = match affine {
        Some(affine) => affine.apply(x),
        None => x,
    };
    match kernel.second {
        Second::Current { keep } => {
            passes::decay_and_add(keep, x, second);
            second
        }
        Second::None | Second::Adaptation { .. } => x,
    }
}
