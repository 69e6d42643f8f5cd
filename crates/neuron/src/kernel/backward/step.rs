//! The backward pass of one step of a block.

use std::ops::Range;

use super::Pass;
use crate::kernel::affine::AffineRows;
use crate::kernel::passes::{self, Cell, Row, STRIP};
use crate::kernel::{Auxiliary, Kernel};

/// The gradients that a block carries from step to step, one value per neuron.
pub(super) struct Sums<'b> {
    /// Of the membrane.
    pub(super) grad: &'b mut [f32],
    /// Of the auxiliary state, if the model has it.
    pub(super) grad_auxiliary: &'b mut [f32],
    /// Accumulated gradients of the leak and of the threshold, if requested.
    pub(super) leak: &'b mut [f32],
    pub(super) threshold: &'b mut [f32],
}

/// The backward counterpart of [`Step`], for one strip at a time.
pub(super) struct StepBack<'b> {
    kernel: &'b Kernel,
    known: Known<'b>,
    affine: Option<&'b mut AffineRows>,
    pub(super) sums: Sums<'b>,
    learned: bool,
    /// The parameters of the one-loop passes; learned values and late resets need more than those passes
    /// keep.
    cell: Option<Cell>,
    u: [f32; STRIP],
    s: [f32; STRIP],
    slope: [f32; STRIP],
    grad_s: [f32; STRIP],
    grad_threshold: [f32; STRIP],
    before: [f32; STRIP],
    grad_x: [f32; STRIP],
}

impl<'b> StepBack<'b> {
    #[inline(always)]
    pub(super) fn new(
        pass: &'b Pass<'_>,
        known: Known<'b>,
        affine: Option<&'b mut AffineRows>,
        sums: Sums<'b>,
    ) -> Self {
        let empty = [0.0f32; STRIP];
        StepBack {
            kernel: pass.kernel,
            known,
            affine,
            sums,
            learned: pass.learned,
            cell: pass.kernel.cell().filter(|_| !pass.learned),
            u: empty,
            s: empty,
            slope: empty,
            grad_s: empty,
            grad_threshold: empty,
            before: empty,
            grad_x: empty,
        }
    }

    /// Back through step `t` of the neurons `strip`, given the gradient of their spikes and their input `x`.
    /// Returns the gradient of the input.
    #[inline(always)]
    pub(super) fn step(&mut self, t: usize, strip: Range<usize>, arriving: &[f32], x: &[f32]) -> &[f32] {
        let n = strip.len();
        match self.cell {
            Some(cell) => {
                let h = self.known.charged(t, strip.clone());
                let (slope, grad_x) = (&mut self.slope[..n], &mut self.grad_x[..n]);
                let grad = &mut self.sums.grad[strip.clone()];
                passes::derivative_at(self.kernel.surrogate, h, cell.v_threshold, slope);
                passes::fire_charge_backward(
                    cell,
                    self.kernel.attached_reset,
                    h,
                    slope,
                    arriving,
                    grad,
                    grad_x,
                );
            }
            None => {
                self.fire(t, strip.clone(), arriving);
                if self.kernel.late_reset {
                    self.late_reset(t, strip.clone());
                } else {
                    self.reset(t, strip.clone());
                }
                self.charge(t, strip.clone(), x);
            }
        }
        self.reset_before(t, strip.clone());
        self.auxiliary(strip);
        &self.grad_x[..n]
    }

    /// Spikes, slopes and the whole gradient of the spikes.
    #[inline(always)]
    fn fire(&mut self, t: usize, strip: Range<usize>, arriving: &[f32]) {
        let (kernel, n) = (self.kernel, strip.len());
        let (u, s, slope, grad_s) =
            (&mut self.u[..n], &mut self.s[..n], &mut self.slope[..n], &mut self.grad_s[..n]);
        let h = self.known.charged(t, strip.clone());
        let adaptation = match kernel.auxiliary {
            Auxiliary::Adaptation { beta, .. } => Some((beta, self.known.adaptation(t, strip.clone()))),
            Auxiliary::None | Auxiliary::Current { .. } => None,
        };
        passes::distance(h, kernel.v_threshold, adaptation, u);
        passes::fire(u, kernel.strict, s);
        passes::derivative(kernel.surrogate, u, slope);
        grad_s.copy_from_slice(arriving);
        if let Auxiliary::Adaptation { gain, .. } = kernel.auxiliary {
            passes::scale_and_add(1.0, gain, &self.sums.grad_auxiliary[strip], grad_s);
        }
    }

    /// Back through an immediate reset, and the threshold.
    #[inline(always)]
    fn reset(&mut self, t: usize, strip: Range<usize>) {
        let (kernel, n) = (self.kernel, strip.len());
        let h = self.known.charged(t, strip.clone());
        let row =
            Row { h, u: &self.u[..n], s: &self.s[..n], slope: &self.slope[..n], grad_s: &self.grad_s[..n] };
        let (grad, attached) = (&mut self.sums.grad[strip.clone()], kernel.attached_reset);
        let grad_threshold = &mut self.grad_threshold[..n];
        if self.learned || matches!(kernel.auxiliary, Auxiliary::Adaptation { .. }) {
            passes::threshold_backward(kernel.v_reset, attached, row, grad, grad_threshold);
        }
        if self.learned {
            passes::scale_and_add(1.0, 1.0, grad_threshold, &mut self.sums.threshold[strip]);
        }
        passes::fire_backward(kernel.v_reset, attached, row, grad);
    }

    /// Back through the spikes of a late reset: the membrane after the step is the charged one, and its reset
    /// belongs to the next step.
    #[inline(always)]
    fn late_reset(&mut self, t: usize, strip: Range<usize>) {
        let n = strip.len();
        let h = self.known.charged(t, strip.clone());
        let row =
            Row { h, u: &self.u[..n], s: &self.s[..n], slope: &self.slope[..n], grad_s: &self.grad_s[..n] };
        let grad = &mut self.sums.grad[strip.clone()];
        passes::fire_backward(None, false, row, grad);
        if !self.learned {
            return;
        }
        let grad_threshold = &mut self.grad_threshold[..n];
        let sum = &mut self.sums.threshold[strip.clone()];
        passes::threshold_backward(Some(0.0), false, row, grad, grad_threshold);
        passes::scale_and_add(1.0, 1.0, grad_threshold, sum);
        if self.kernel.v_reset.is_none() {
            let (u, s) = (&mut self.u[..n], &mut self.s[..n]);
            self.known.previous_spikes(t, strip, u, s);
            for i in 0..n {
                sum[i] -= s[i] * grad[i];
            }
        }
    }

    /// Back through the charge, and the leak if it is learned.
    #[inline(always)]
    fn charge(&mut self, t: usize, strip: Range<usize>, x: &[f32]) {
        let (charge, n) = (self.kernel.charge, strip.len());
        if self.learned && self.kernel.auxiliary == Auxiliary::None {
            let (u, s, before) = (&mut self.u[..n], &mut self.s[..n], &mut self.before[..n]);
            self.known.membrane_before(t, strip.clone(), u, s, before);
            let x = match &mut self.affine {
                Some(affine) => affine.apply(strip.clone(), x),
                None => x,
            };
            let (grad, sum) = (&self.sums.grad[strip.clone()], &mut self.sums.leak[strip.clone()]);
            passes::leak_backward(charge, grad, before, x, sum);
        }
        passes::charge_backward(charge, &mut self.sums.grad[strip], &mut self.grad_x[..n]);
    }

    /// Back through a hard reset that was delayed to this step: the charge started from the reset membrane if
    /// the neuron fired in the previous step.
    #[inline(always)]
    fn reset_before(&mut self, t: usize, strip: Range<usize>) {
        if self.kernel.late_reset && self.kernel.v_reset.is_some() {
            let n = strip.len();
            let (u, s) = (&mut self.u[..n], &mut self.s[..n]);
            self.known.previous_spikes(t, strip.clone(), u, s);
            passes::reset_hard_late(0.0, s, &mut self.sums.grad[strip]);
        }
    }

    /// Back through the auxiliary state.
    #[inline(always)]
    fn auxiliary(&mut self, strip: Range<usize>) {
        let n = strip.len();
        match self.kernel.auxiliary {
            Auxiliary::None => {}
            Auxiliary::Current { keep } => {
                // i[t] = keep i[t-1] + x[t]: the current's gradient is the input's, and it flows on.
                let (grad_auxiliary, grad_x) = (&mut self.sums.grad_auxiliary[strip], &mut self.grad_x[..n]);
                passes::scale_and_add(1.0, 1.0, grad_auxiliary, grad_x);
                for i in 0..n {
                    grad_auxiliary[i] = grad_x[i] * keep;
                }
            }
            Auxiliary::Adaptation { keep, beta, .. } => {
                let grad_auxiliary = &mut self.sums.grad_auxiliary[strip];
                passes::scale_and_add(keep, beta, &self.grad_threshold[..n], grad_auxiliary);
            }
        }
    }
}

/// A block's recomputed membrane potentials.
#[derive(Clone, Copy)]
pub(super) struct Known<'b> {
    pub(super) kernel: &'b Kernel,
    /// Charged membranes, `[T, lanes]`.
    pub(super) charged: &'b [f32],
    /// The adaptation before each step, `[T, lanes]`, if the model has it.
    pub(super) before: &'b [f32],
    /// The initial membrane potential.
    pub(super) initial: Option<&'b [f32]>,
    pub(super) lanes: usize,
}

impl<'b> Known<'b> {
    /// The charged membranes of step `t`.
    #[inline(always)]
    fn charged(&self, t: usize, strip: Range<usize>) -> &'b [f32] {
        &self.charged[t * self.lanes..][strip]
    }

    /// The adaptation before step `t`.
    #[inline(always)]
    fn adaptation(&self, t: usize, strip: Range<usize>) -> &'b [f32] {
        &self.before[t * self.lanes..][strip]
    }

    /// The membrane potential before step `t`: the initial one, or that of the previous step after its reset.
    /// `u` and `s` are overwritten.
    #[inline(always)]
    fn membrane_before(
        &self,
        t: usize,
        strip: Range<usize>,
        u: &mut [f32],
        s: &mut [f32],
        before: &mut [f32],
    ) {
        match (t, self.initial) {
            (0, Some(initial)) => before.copy_from_slice(&initial[strip.clone()]),
            (0, None) => before.fill(self.kernel.v_rest),
            _ => before.copy_from_slice(self.charged(t - 1, strip.clone())),
        }
        if self.kernel.late_reset {
            if let Some(v_reset) = self.kernel.v_reset {
                self.previous_spikes(t, strip, u, s);
                passes::reset_hard_late(v_reset, s, before);
            }
        } else if t > 0 {
            let h = self.charged(t - 1, strip);
            passes::distance(h, self.kernel.v_threshold, None, u);
            passes::fire(u, self.kernel.strict, s);
            passes::reset(self.kernel.v_reset, h, u, s, before);
        }
    }

    /// The spikes of step `t - 1`, which a late reset applies in step `t`; `u` is overwritten.
    #[inline(always)]
    fn previous_spikes(&self, t: usize, strip: Range<usize>, u: &mut [f32], s: &mut [f32]) {
        match (t, self.initial) {
            (0, Some(initial)) => passes::distance(&initial[strip], self.kernel.v_threshold, None, u),
            (0, None) => u.fill(self.kernel.v_rest - self.kernel.v_threshold),
            _ => passes::distance(self.charged(t - 1, strip), self.kernel.v_threshold, None, u),
        }
        passes::fire(u, self.kernel.strict, s);
    }
}
