//! The fused kernels of `tks-neuron` over tensors on the CPU.

use tch::{Device, Kind, Tensor};
use tks_kernels::batch_norm;
use tks_neuron::Neuron;
use tks_neuron::kernel::{Backward, ChannelAffine, ChannelSums, Forward, GradSpikes, Kernel, Spikes};
use tks_torch::memory::{Fresh, laid_out_as};

use super::{InputGradients, NeuronBackend, OutputGradients, Start, Wanted};
use crate::error::AutogradError;
use crate::multi_step::{LearnedTensors, Output, State, check_learned};
use crate::values::values;

/// A neuron's kernel, with its learned values and the normalisation applied to its input.
pub(crate) struct CpuBackend {
    kernel: Kernel,
    has_auxiliary: bool,
    by_channel: Option<ByChannel>,
}

impl CpuBackend {
    pub(crate) fn new(
        neuron: &Neuron,
        learned: LearnedTensors<'_>,
        by_channel: Option<ByChannel>,
    ) -> Result<Self, AutogradError> {
        check_learned(neuron, learned)?;
        let mut kernel = Kernel::new(neuron)?;
        let number = |tensor: &Tensor| -> Result<f32, AutogradError> {
            Ok(f64::try_from(tensor.f_detach()?.f_reshape([])?)? as f32)
        };
        if let [parameter] = learned.parameters {
            kernel = kernel.with_parameter(number(parameter)?);
        }
        if let Some(v_threshold) = learned.v_threshold {
            kernel = kernel.with_threshold(number(v_threshold)?);
        }
        Ok(CpuBackend { kernel, has_auxiliary: neuron.model.auxiliary_state().is_some(), by_channel })
    }
}

/// The shape and layout of one time step, uninitialised.
fn fresh_step(input: &Tensor) -> Result<Fresh, AutogradError> {
    Ok(Fresh::strided(&input.size()[1..], &input.stride()[1..], (Kind::Float, Device::Cpu))?)
}

fn values_of(tensor: &Option<Tensor>) -> Result<Option<&[f32]>, AutogradError> {
    tensor.as_ref().map(values).transpose()
}

fn values_of_fresh(tensor: &mut Option<Fresh>) -> Result<Option<&mut [f32]>, AutogradError> {
    Ok(tensor.as_mut().map(Fresh::values_mut).transpose()?)
}

impl NeuronBackend for CpuBackend {
    /// The kernel already has them.
    fn place_learned(&self, _: LearnedTensors<'_>, _: Device) -> Result<[Option<Tensor>; 2], AutogradError> {
        Ok([None, None])
    }

    fn forward(&self, start: &Start) -> Result<Output, AutogradError> {
        let (t, n) = start.steps_and_neurons();
        let input = start.input.f_to_kind(Kind::Float)?;
        let mut spikes = Fresh::like(&start.input)?;
        let mut membrane = fresh_step(&input)?;
        let mut auxiliary = self.has_auxiliary.then(|| fresh_step(&input)).transpose()?;
        let buffer = match spikes.kind() {
            Kind::BFloat16 => Spikes::Bf16(spikes.values_mut()?),
            _ => Spikes::F32(spikes.values_mut()?),
        };
        self.kernel.forward(Forward {
            affine: self.by_channel.as_ref().map(ByChannel::affine),
            initial_membrane: values_of(&start.membrane)?,
            initial_auxiliary: values_of(&start.auxiliary)?,
            final_membrane: Some(membrane.values_mut()?),
            final_auxiliary: values_of_fresh(&mut auxiliary)?,
            ..Forward::new(t, n, values(&input)?, buffer)
        })?;
        let membrane = membrane.into_tensor();
        let state = State { membrane, auxiliary: auxiliary.map(Fresh::into_tensor) };
        Ok(Output { spikes: spikes.into_tensor(), state })
    }

    fn membranes(&self, start: &Start) -> Result<Tensor, AutogradError> {
        let (t, n) = start.steps_and_neurons();
        let input = start.input.f_to_kind(Kind::Float)?;
        let mut trace = Fresh::like(&input)?;
        let mut spikes = vec![0u8; t * n];
        self.kernel.forward(Forward {
            affine: self.by_channel.as_ref().map(ByChannel::affine),
            initial_membrane: values_of(&start.membrane)?,
            initial_auxiliary: values_of(&start.auxiliary)?,
            membranes: Some(trace.values_mut()?),
            ..Forward::new(t, n, values(&input)?, Spikes::U8(&mut spikes))
        })?;
        Ok(trace.into_tensor())
    }

    /// Recomputes the membrane potentials from the input.
    fn backward(
        &self,
        start: &Start,
        grads: &OutputGradients<'_>,
        wanted: &Wanted,
    ) -> Result<InputGradients, AutogradError> {
        let (t, n) = start.steps_and_neurons();
        let input = start.input.f_to_kind(Kind::Float)?;
        let rows;
        let grad_spikes = match grads.spikes {
            None => GradSpikes::Uniform(0.0),
            // The gradient of a sum is one expanded number: no need to write it out.
            Some(grad) if grad.stride().iter().all(|&stride| stride == 0) && grad.numel() > 0 => {
                GradSpikes::Uniform(f64::try_from(grad.f_flatten(0, -1)?.f_select(0, 0)?)? as f32)
            }
            Some(grad) => {
                rows = laid_out_as(&grad.f_to_kind(Kind::Float)?, &input)?;
                GradSpikes::Rows(values(&rows)?)
            }
        };
        let mut grad_input = Fresh::like(&input)?;
        let mut membrane = wanted.membrane.then(|| fresh_step(&input)).transpose()?;
        let with_auxiliary = self.has_auxiliary && wanted.auxiliary;
        let mut auxiliary = with_auxiliary.then(|| fresh_step(&input)).transpose()?;
        let mut sums = vec![ChannelSums::default(); self.by_channel.as_ref().map_or(0, |by| by.scale.len())];
        let learned = self.kernel.backward(Backward {
            affine: self.by_channel.as_ref().map(ByChannel::affine),
            channel_sums: self.by_channel.is_some().then_some(&mut sums),
            initial_membrane: values_of(&start.membrane)?,
            initial_auxiliary: values_of(&start.auxiliary)?,
            grad_final_membrane: values_of(&grads.membrane)?,
            grad_final_auxiliary: values_of(&grads.auxiliary)?,
            grad_initial_membrane: values_of_fresh(&mut membrane)?,
            grad_initial_auxiliary: values_of_fresh(&mut auxiliary)?,
            learned: wanted.v_threshold || wanted.parameters,
            ..Backward::new(t, n, values(&input)?, grad_spikes, grad_input.values_mut()?)
        })?;
        let mut normalization = [None, None];
        if let Some(by_channel) = &self.by_channel {
            let (coefficients, of_both) = by_channel.backward(&sums);
            batch_norm::combine(values(&input)?, grad_input.values_mut()?, &coefficients, by_channel.inner)?;
            normalization = of_both.map(|grad| Some(Tensor::from_slice(&grad)));
        }
        let number = |wanted: bool, value: f32| wanted.then(|| Tensor::from_slice(&[value]));
        Ok(InputGradients {
            input: Some(grad_input.into_tensor().f_to_kind(start.input.kind())?),
            membrane: membrane.map(Fresh::into_tensor),
            auxiliary: auxiliary.map(Fresh::into_tensor),
            v_threshold: number(wanted.v_threshold, learned.v_threshold),
            parameters: number(wanted.parameters, learned.parameter),
            normalization,
        })
    }
}

/// A normalisation's values per channel, each `[C]`.
#[derive(Clone)]
pub(crate) struct ByChannel {
    pub(crate) scale: Vec<f32>,
    pub(crate) shift: Vec<f32>,
    pub(crate) mean: Vec<f64>,
    /// `1 / sqrt(variance + eps)`
    pub(crate) inverse_deviation: Vec<f64>,
    /// Number of neurons of one channel that are adjacent in memory.
    pub(crate) inner: usize,
    /// Number of values of each channel that its mean and variance were computed from; `None` if they are not
    /// from this batch.
    pub(crate) count: Option<f64>,
}

impl ByChannel {
    fn affine(&self) -> ChannelAffine<'_> {
        ChannelAffine { scale: &self.scale, shift: &self.shift, inner: self.inner }
    }

    /// From the sums over each channel, computes the coefficients that turn the gradient of the normalised
    /// input into that of the input (see [`batch_norm::combine`]), and the gradients of weight and bias.
    fn backward(&self, sums: &[ChannelSums]) -> (Vec<[f32; 3]>, [Vec<f32>; 2]) {
        let (mut coefficients, mut weight, mut bias) = (Vec::new(), Vec::new(), Vec::new());
        for (c, sum) in sums.iter().enumerate() {
            let (mean, inverse) = (self.mean[c], self.inverse_deviation[c]);
            let scale = f64::from(self.scale[c]);
            // The sum of the gradient times the normalised input.
            let along = inverse * (sum.grad_x - mean * sum.grad);
            weight.push(along as f32);
            bias.push(sum.grad as f32);
            coefficients.push(match self.count {
                None => [self.scale[c], 0.0, 0.0],
                Some(count) => {
                    let slope = -scale * inverse * along / count;
                    let offset = -scale * sum.grad / count - slope * mean;
                    [self.scale[c], slope as f32, offset as f32]
                }
            });
        }
        (coefficients, [weight, bias])
    }
}
