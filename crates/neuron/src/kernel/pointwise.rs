//! The plain spike, value by value, for your own neurons without a multi-step kernel.

use rayon::prelude::*;

use super::{GradSpikes, check_length, passes};
use crate::error::NeuronError;
use crate::surrogate::Surrogate;
use tks_kernels::simd;

/// Number of values that a thread processes at a time.
const CHUNK: usize = 1 << 15;

/// 1 if `u > 0` (`strict`) or `u >= 0`, else 0; NaN gives 0.
///
/// # Errors
/// [`NeuronError::Length`] if `spikes` does not have the length of `u`.
pub fn spike(u: &[f32], strict: bool, spikes: &mut [f32]) -> Result<(), NeuronError> {
    check_length("spikes", spikes.len(), u.len(), "that of `u`")?;
    spikes.par_chunks_mut(CHUNK).zip(u.par_chunks(CHUNK)).for_each(|(spikes, u)| {
        simd::dispatch(Fire { u, strict, spikes });
    });
    Ok(())
}

/// The gradient of [`spike()`] by its surrogate: `grad_spikes * derivative(u)`.
///
/// # Errors
/// [`NeuronError::Length`] if a buffer does not have the length of `u`.
pub fn spike_backward(
    surrogate: Surrogate,
    u: &[f32],
    grad_spikes: GradSpikes<'_>,
    grad_u: &mut [f32],
) -> Result<(), NeuronError> {
    check_length("grad_u", grad_u.len(), u.len(), "that of `u`")?;
    if let GradSpikes::Rows(rows) = grad_spikes {
        check_length("grad_spikes", rows.len(), u.len(), "that of `u`")?;
    }
    grad_u.par_chunks_mut(CHUNK).zip(u.par_chunks(CHUNK)).enumerate().for_each(|(i, (grad_u, u))| {
        let grad_spikes = match grad_spikes {
            GradSpikes::Rows(rows) => GradSpikes::Rows(&rows[i * CHUNK..][..u.len()]),
            uniform => uniform,
        };
        simd::dispatch(Derive { surrogate, u, grad_spikes, grad_u });
    });
    Ok(())
}

struct Fire<'a> {
    u: &'a [f32],
    strict: bool,
    spikes: &'a mut [f32],
}

impl simd::Work for Fire<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        passes::fire(self.u, self.strict, self.spikes);
    }
}

struct Derive<'a> {
    surrogate: Surrogate,
    u: &'a [f32],
    grad_spikes: GradSpikes<'a>,
    grad_u: &'a mut [f32],
}

impl simd::Work for Derive<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        passes::derivative(self.surrogate, self.u, self.grad_u);
        match self.grad_spikes {
            GradSpikes::Rows(rows) => {
                for (grad_u, grad) in self.grad_u.iter_mut().zip(rows) {
                    *grad_u *= grad;
                }
            }
            GradSpikes::Uniform(grad) => {
                for grad_u in self.grad_u {
                    *grad_u *= grad;
                }
            }
        }
    }
}
