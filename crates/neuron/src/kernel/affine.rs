//! A scale and a shift for each channel, applied to the input as it is read: batch norm's second half, fused
//! into the neuron.

use std::ops::Range;

use super::passes::STRIP;
use crate::error::NeuronError;

/// Replaces the input `x` by `scale[c] * x + shift[c]`, where neuron `n` of a time step belongs to channel `c
/// = (n / inner) % C`.
#[derive(Debug, Clone, Copy)]
pub struct ChannelAffine<'a> {
    /// `[C]`
    pub scale: &'a [f32],
    /// `[C]`
    pub shift: &'a [f32],
    /// Number of adjacent neurons of one channel: `H * W` for `[B, C, H, W]`, 1 for channels-last.
    pub inner: usize,
}

impl ChannelAffine<'_> {
    pub(super) fn check(&self, neurons: usize) -> Result<(), NeuronError> {
        let channels = self.scale.len();
        if self.shift.len() != channels {
            let (actual, expected) = (self.shift.len(), channels);
            return Err(NeuronError::Length { buffer: "shift", actual, expected, shape: "C" });
        }
        let period = channels * self.inner;
        if period == 0 || !neurons.is_multiple_of(period) {
            let shape = "N, a multiple of C * inner";
            return Err(NeuronError::Length { buffer: "input", actual: neurons, expected: period, shape });
        }
        Ok(())
    }

    /// The channels of the neurons from `start` on, each with the number of consecutive neurons in it.
    #[inline(always)]
    pub(super) fn runs(&self, start: usize, lanes: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let (channels, inner) = (self.scale.len(), self.inner);
        let mut lane = 0;
        std::iter::from_fn(move || {
            (lane < lanes).then(|| {
                let neuron = start + lane;
                let run = (inner - neuron % inner).min(lanes - lane);
                let found = (neuron / inner % channels, lane, run);
                lane += run;
                found
            })
        })
    }
}

/// A block's scale and shift, expanded to its neurons, and the resulting strip of the input.
pub(super) struct AffineRows {
    scale: Vec<f32>,
    shift: Vec<f32>,
    x: [f32; STRIP],
}

impl AffineRows {
    pub(super) fn new(lanes: usize) -> Self {
        AffineRows { scale: vec![0.0; lanes], shift: vec![0.0; lanes], x: [0.0; STRIP] }
    }

    /// Sets the scales and shifts for the neurons from `start` on.
    #[inline(always)]
    pub(super) fn begin(&mut self, affine: &ChannelAffine<'_>, start: usize, lanes: usize) {
        for (channel, lane, run) in affine.runs(start, lanes) {
            self.scale[lane..lane + run].fill(affine.scale[channel]);
            self.shift[lane..lane + run].fill(affine.shift[channel]);
        }
    }

    /// `scale * x + shift` for the block's neurons `strip`.
    #[inline(always)]
    pub(super) fn apply(&mut self, strip: Range<usize>, x: &[f32]) -> &[f32] {
        let n = x.len();
        let (scale, shift, out) = (&self.scale[strip.clone()], &self.shift[strip], &mut self.x[..n]);
        let (scale, shift) = (&scale[..n], &shift[..n]);
        for i in 0..n {
            out[i] = x[i] * scale[i] + shift[i];
        }
        out
    }
}

/// The sums, over all neurons and time steps of a channel, that give the gradients of scale and shift.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ChannelSums {
    /// Sum of the gradient of the affine's output.
    pub grad: f64,
    /// Sum of that gradient times `x`.
    pub grad_x: f64,
}
