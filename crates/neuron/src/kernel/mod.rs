//! Fused multi-step kernels: all time steps of a block of neurons in one pass, with the membrane potential in
//! registers and first-level cache; forward and back-propagation through time.
//!
//! The forward pass only reads the input and writes the spikes. The backward pass reads the input and the
//! gradient of the spikes and writes the gradient of the input. It recomputes the membrane potential, block
//! by block in cache, so that only the input needs to be saved between the two.
//!
//! ```
//! use tks_neuron::kernel::{Backward, Forward, GradSpikes, Kernel, Spikes};
//! use tks_neuron::Neuron;
//!
//! let (time_steps, neurons) = (3, 2);
//! let kernel = Kernel::new(&Neuron::default())?;
//! let input = [0.5, 3.0, 2.5, 0.0, 0.5, 3.0]; // [T, N]
//! let mut spikes = [0.0; 6];
//! kernel.forward(Forward::new(time_steps, neurons, &input, Spikes::F32(&mut spikes)))?;
//! assert_eq!(spikes, [0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
//!
//! let mut grad_input = [0.0; 6];
//! kernel.backward(Backward::new(time_steps, neurons, &input, GradSpikes::Uniform(1.0), &mut grad_input))?;
//! # Ok::<(), tks_neuron::NeuronError>(())
//! ```

mod affine;
mod backward;
mod forward;
mod grid;
mod passes;
mod pointwise;
mod spikes;
mod stream;

use rayon::prelude::*;

use crate::error::NeuronError;
use crate::model::Model;
use crate::neuron::{Neuron, ResetTime};
pub use affine::{ChannelAffine, ChannelSums};
use passes::{Cell, Charge};
pub use pointwise::{spike, spike_backward};
pub use spikes::{Spikes, unpack, words_per_step};
use tks_kernels::simd;
pub use tks_kernels::simd::{InstructionSet, SIMD_VARIABLE};

/// Minimum and maximum number of neurons in a block, multiples of 64, so that blocks start at whole words of
/// packed spikes. With the maximum, a state takes 32 KiB, which stays in the first-level cache.
const LANES: std::ops::RangeInclusive<usize> = 256..=8192;

/// Number of values of a block's time steps that fit in the second-level cache beside everything else.
const BLOCK_VALUES: usize = 1 << 17;

/// Number of neurons in a block: as many as the caches allow, but with about 16 blocks for the threads. It
/// does not depend on the number of threads: sums are added block by block and so are the same for any
/// number.
fn lanes_of(time_steps: usize, neurons: usize) -> usize {
    let by_cache = BLOCK_VALUES / time_steps.max(1) / 64 * 64;
    let by_threads = (neurons / 16).next_multiple_of(64).max(1024);
    by_cache.min(by_threads).clamp(*LANES.start(), *LANES.end())
}

/// Number of values below which a second thread costs more than it gains.
const VALUES_WORTH_A_THREAD: usize = 1 << 15;

/// A neuron with a fused kernel, with its learned values set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kernel {
    model: &'static str,
    charge: Charge,
    auxiliary: Auxiliary,
    v_threshold: f32,
    v_rest: f32,
    v_reset: Option<f32>,
    attached_reset: bool,
    strict: bool,
    late_reset: bool,
    surrogate: crate::Surrogate,
}

/// The model's auxiliary state.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Auxiliary {
    None,
    /// `i = keep i + x`, in place of the input.
    Current {
        keep: f32,
    },
    /// `b = keep b + gain s`; the threshold is `v_threshold + beta b`.
    Adaptation {
        keep: f32,
        gain: f32,
        beta: f32,
    },
}

/// The arguments of [`Kernel::forward`].
#[derive(Debug)]
pub struct Forward<'a> {
    /// `T`
    pub time_steps: usize,
    /// `N`: all other dimensions together.
    pub neurons: usize,
    /// `[T, N]`
    pub input: &'a [f32],
    /// A scale and a shift for each channel, applied to the input; `None`: the input is unchanged.
    pub affine: Option<ChannelAffine<'a>>,
    /// Membrane potential before the first step, `[N]`; `None`: [`Neuron::v_rest`].
    pub initial_membrane: Option<&'a [f32]>,
    /// Auxiliary state before the first step, `[N]`; `None`: 0.
    pub initial_auxiliary: Option<&'a [f32]>,
    /// Spikes, `[T, N]`.
    pub spikes: Spikes<'a>,
    /// Membrane potential after the last step, `[N]`.
    pub final_membrane: Option<&'a mut [f32]>,
    /// Auxiliary state after the last step, `[N]`.
    pub final_auxiliary: Option<&'a mut [f32]>,
    /// Membrane potential after each step, `[T, N]`, for traces.
    pub membranes: Option<&'a mut [f32]>,
}

impl<'a> Forward<'a> {
    /// A run from rest that keeps only the spikes.
    pub fn new(time_steps: usize, neurons: usize, input: &'a [f32], spikes: Spikes<'a>) -> Self {
        Forward {
            time_steps,
            neurons,
            input,
            affine: None,
            initial_membrane: None,
            initial_auxiliary: None,
            spikes,
            final_membrane: None,
            final_auxiliary: None,
            membranes: None,
        }
    }
}

/// The incoming gradient of the spikes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum GradSpikes<'a> {
    /// `[T, N]`
    Rows(&'a [f32]),
    /// The same for each spike (such as the gradient of a sum).
    Uniform(f32),
}

/// The arguments of [`Kernel::backward`].
#[derive(Debug)]
pub struct Backward<'a> {
    /// `T`
    pub time_steps: usize,
    /// `N`
    pub neurons: usize,
    /// The forward pass's input, `[T, N]`.
    pub input: &'a [f32],
    /// The forward pass's scale and shift. `grad_input` is then the gradient of the scaled and shifted input.
    pub affine: Option<ChannelAffine<'a>>,
    /// Sums that give the gradients of scale, shift and input, `[C]`; only with `affine`.
    pub channel_sums: Option<&'a mut [ChannelSums]>,
    /// The forward pass's initial membrane potential.
    pub initial_membrane: Option<&'a [f32]>,
    /// The forward pass's initial auxiliary state.
    pub initial_auxiliary: Option<&'a [f32]>,
    /// Gradient of the spikes.
    pub grad_spikes: GradSpikes<'a>,
    /// Gradient of the membrane potential after the last step, `[N]`; `None`: 0.
    pub grad_final_membrane: Option<&'a [f32]>,
    /// Gradient of the auxiliary state after the last step, `[N]`; `None`: 0.
    pub grad_final_auxiliary: Option<&'a [f32]>,
    /// Gradient of the input, `[T, N]`.
    pub grad_input: &'a mut [f32],
    /// Gradient of the initial membrane potential, `[N]`.
    pub grad_initial_membrane: Option<&'a mut [f32]>,
    /// Gradient of the initial auxiliary state, `[N]`.
    pub grad_initial_auxiliary: Option<&'a mut [f32]>,
    /// Whether to compute the gradients of PLIF's `w` and of the threshold.
    pub learned: bool,
}

impl<'a> Backward<'a> {
    /// The gradient of a run from rest with respect to its input only.
    pub fn new(
        time_steps: usize,
        neurons: usize,
        input: &'a [f32],
        grad_spikes: GradSpikes<'a>,
        grad_input: &'a mut [f32],
    ) -> Self {
        Backward {
            time_steps,
            neurons,
            input,
            affine: None,
            channel_sums: None,
            initial_membrane: None,
            initial_auxiliary: None,
            grad_spikes,
            grad_final_membrane: None,
            grad_final_auxiliary: None,
            grad_input,
            grad_initial_membrane: None,
            grad_initial_auxiliary: None,
            learned: false,
        }
    }
}

/// Gradients of learned values, summed over neurons and time steps; 0 if not requested.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LearnedGradients {
    /// Of PLIF's `w`.
    pub parameter: f32,
    /// Of the threshold.
    pub v_threshold: f32,
}

impl Kernel {
    /// The kernel of a neuron, with learned values at their initial values.
    ///
    /// # Errors
    /// The errors of [`Neuron::check`]; [`NeuronError::NoKernel`] for a model without a fused kernel (KLIF,
    /// QIF, EIF, Izhikevich, CLIF, GLIF, the leaky integrator); [`NeuronError::Kernel`] for the name of an
    /// unknown instruction set.
    pub fn new(neuron: &Neuron) -> Result<Self, NeuronError> {
        neuron.check()?;
        InstructionSet::in_use()?;
        let v_rest = neuron.v_rest();
        let (charge, auxiliary) = match neuron.model {
            Model::If => (Charge::Integrate, Auxiliary::None),
            Model::Lif { tau, decay_input } => (leak_by(tau, decay_input, v_rest), Auxiliary::None),
            Model::Plif { init_tau, decay_input } => {
                let leak = 1.0 / init_tau;
                (multiply_by(leak, decay_input, v_rest), Auxiliary::None)
            }
            Model::CubaLif { tau, tau_synapse, decay_input } => {
                (leak_by(tau, decay_input, v_rest), Auxiliary::Current { keep: keep(tau_synapse) })
            }
            Model::Alif { tau, tau_adaptation, beta, decay_input } => {
                let adaptation =
                    Auxiliary::Adaptation { keep: keep(tau_adaptation), gain: 1.0 / tau_adaptation, beta };
                (leak_by(tau, decay_input, v_rest), adaptation)
            }
            _ => return Err(NeuronError::NoKernel { model: neuron.model.name() }),
        };
        let kernel = Kernel {
            model: neuron.model.name(),
            charge,
            auxiliary,
            v_threshold: neuron.v_threshold,
            v_rest,
            v_reset: neuron.v_reset,
            attached_reset: !neuron.detach_reset,
            strict: neuron.strict,
            late_reset: neuron.reset_time == ResetTime::NextStep,
            surrogate: neuron.surrogate,
        };
        Ok(match neuron.model.learned()[..] {
            [(_, value)] => kernel.with_parameter(value),
            _ => kernel,
        })
    }

    /// Sets PLIF's `w`; other models have no such parameter and are unchanged.
    #[must_use]
    pub fn with_parameter(mut self, w: f32) -> Self {
        let leak = 1.0 / (1.0 + (-w).exp());
        self.charge = match self.charge {
            Charge::Multiply { rest, .. } => multiply_by(leak, true, rest),
            Charge::Keep { rest, .. } if self.model == "plif" => multiply_by(leak, false, rest),
            other => other,
        };
        self
    }

    /// Sets the threshold.
    #[must_use]
    pub fn with_threshold(mut self, v_threshold: f32) -> Self {
        self.v_threshold = v_threshold;
        self
    }

    /// Runs `T` steps of `N` neurons. NaN in the input makes that neuron's membrane potential NaN, which
    /// never fires.
    ///
    /// The work is done by rayon's current pool; the result does not depend on its size. The final state of
    /// one call may be the initial state of another: running a sequence in chunks gives bit-identical
    /// results.
    ///
    /// # Errors
    /// [`NeuronError::Length`] or [`NeuronError::State`] if a buffer does not match.
    pub fn forward(&self, mut arguments: Forward<'_>) -> Result<(), NeuronError> {
        let (t, n) = (arguments.time_steps, arguments.neurons);
        check_length("input", arguments.input.len(), t * n, "T * N")?;
        arguments.spikes.check(t, n)?;
        check_state("initial_membrane", arguments.initial_membrane, n)?;
        check_state("initial_auxiliary", arguments.initial_auxiliary, n)?;
        check_state("final_membrane", arguments.final_membrane.as_deref(), n)?;
        check_state("final_auxiliary", arguments.final_auxiliary.as_deref(), n)?;
        if let Some(membranes) = arguments.membranes.as_deref() {
            check_length("membranes", membranes.len(), t * n, "T * N")?;
        }
        self.check_auxiliary(arguments.initial_auxiliary.is_some() || arguments.final_auxiliary.is_some())?;
        arguments.affine.map_or(Ok(()), |affine| affine.check(n))?;
        let pass = forward::Pass::new(self, &mut arguments);
        let width = lanes_of(t, n);
        for_each_block(
            [t, n, width],
            || pass.rows(width),
            |rows, start, lanes| simd::dispatch(pass.block(rows, start, lanes)),
        );
        Ok(())
    }

    /// Back-propagates through `T` steps of `N` neurons.
    ///
    /// Sums over neurons are added in the same order for any number of threads.
    ///
    /// # Errors
    /// [`NeuronError::Length`] or [`NeuronError::State`] if a buffer does not match.
    pub fn backward(&self, mut arguments: Backward<'_>) -> Result<LearnedGradients, NeuronError> {
        let (t, n) = (arguments.time_steps, arguments.neurons);
        check_length("input", arguments.input.len(), t * n, "T * N")?;
        check_length("grad_input", arguments.grad_input.len(), t * n, "T * N")?;
        if let GradSpikes::Rows(rows) = arguments.grad_spikes {
            check_length("grad_spikes", rows.len(), t * n, "T * N")?;
        }
        check_state("initial_membrane", arguments.initial_membrane, n)?;
        check_state("initial_auxiliary", arguments.initial_auxiliary, n)?;
        check_state("grad_final_membrane", arguments.grad_final_membrane, n)?;
        check_state("grad_final_auxiliary", arguments.grad_final_auxiliary, n)?;
        check_state("grad_initial_membrane", arguments.grad_initial_membrane.as_deref(), n)?;
        check_state("grad_initial_auxiliary", arguments.grad_initial_auxiliary.as_deref(), n)?;
        self.check_auxiliary(
            arguments.initial_auxiliary.is_some()
                || arguments.grad_final_auxiliary.is_some()
                || arguments.grad_initial_auxiliary.is_some(),
        )?;
        arguments.affine.map_or(Ok(()), |affine| affine.check(n))?;
        let channels = arguments.affine.map_or(0, |affine| affine.scale.len());
        let channel_sums = arguments.channel_sums.take();
        if let Some(sums) = &channel_sums {
            check_length("channel_sums", sums.len(), channels, "C of `affine`")?;
        }
        let pass = backward::Pass::new(self, &mut arguments, channel_sums.is_some());
        let width = lanes_of(t, n);
        let sums = for_each_block(
            [t, n, width],
            || pass.scratch(width),
            |scratch, start, lanes| simd::dispatch(pass.block(scratch, start, lanes)),
        );
        let (mut leak, mut v_threshold) = (0.0, 0.0);
        let by_channel = channel_sums.unwrap_or_default();
        by_channel.fill(ChannelSums::default());
        for block in sums {
            leak += block.leak;
            v_threshold += block.v_threshold;
            for (channel, part) in block.channels {
                by_channel[channel].grad += part.grad;
                by_channel[channel].grad_x += part.grad_x;
            }
        }
        let slope = match self.charge {
            Charge::Multiply { leak, .. } | Charge::Keep { leak, .. } if self.model == "plif" => {
                f64::from(leak) * (1.0 - f64::from(leak))
            }
            _ => 0.0,
        };
        Ok(LearnedGradients { parameter: (leak * slope) as f32, v_threshold: v_threshold as f32 })
    }

    /// The parameters of the one-loop passes, which apply if the threshold is the same for all neurons and
    /// the reset is immediate; other options take a separate pass for each part.
    #[inline(always)]
    fn cell(&self) -> Option<Cell> {
        let plain = !self.late_reset && !matches!(self.auxiliary, Auxiliary::Adaptation { .. });
        let Kernel { charge, v_threshold, v_reset, strict, .. } = *self;
        plain.then_some(Cell { charge, v_threshold, v_reset, strict })
    }

    fn check_auxiliary(&self, given: bool) -> Result<(), NeuronError> {
        if given && self.auxiliary == Auxiliary::None {
            let problem = "has no auxiliary state: leave `initial_auxiliary`, `final_auxiliary` and their gradients out";
            return Err(NeuronError::State { model: self.model, problem });
        }
        Ok(())
    }
}

fn keep(tau: f32) -> f32 {
    (1.0 - 1.0 / f64::from(tau)) as f32
}

fn leak_by(tau: f32, decay_input: bool, rest: f32) -> Charge {
    if decay_input {
        Charge::Divide { tau, rest }
    } else {
        Charge::Keep { keep: keep(tau), leak: 1.0 / tau, rest }
    }
}

fn multiply_by(leak: f32, decay_input: bool, rest: f32) -> Charge {
    if decay_input { Charge::Multiply { leak, rest } } else { Charge::Keep { keep: 1.0 - leak, leak, rest } }
}

fn check_length(
    buffer: &'static str,
    actual: usize,
    expected: usize,
    shape: &'static str,
) -> Result<(), NeuronError> {
    if actual == expected { Ok(()) } else { Err(NeuronError::Length { buffer, actual, expected, shape }) }
}

fn check_state(buffer: &'static str, state: Option<&[f32]>, neurons: usize) -> Result<(), NeuronError> {
    state.map_or(Ok(()), |state| check_length(buffer, state.len(), neurons, "N"))
}

/// Calls `work(scratch, start, lanes)` for each block of `width` neurons, on rayon's threads if that pays
/// off, and returns the results in the order of the blocks.
fn for_each_block<S, R: Send>(
    [time_steps, neurons, width]: [usize; 3],
    scratch: impl Fn() -> S + Sync + Send,
    work: impl Fn(&mut S, usize, usize) -> R + Sync + Send,
) -> Vec<R> {
    let blocks = neurons.div_ceil(width);
    let lanes = |block: usize| width.min(neurons - block * width);
    if blocks < 2 || time_steps * neurons < VALUES_WORTH_A_THREAD || rayon::current_num_threads() == 1 {
        let mut scratch = scratch();
        return (0..blocks).map(|block| work(&mut scratch, block * width, lanes(block))).collect();
    }
    (0..blocks)
        .into_par_iter()
        .with_min_len(4)
        .map_init(scratch, |scratch, block| work(scratch, block * width, lanes(block)))
        .collect()
}
