//! Batch norm and neuron as one operation, as used after every convolution of a spiking network.
//!
//! One pass over the convolution's output computes the statistics, and one normalises and runs the neurons;
//! only that output is kept, and the backward pass recomputes the rest. Batch norm is over time steps and
//! batch together, as in layer-by-layer training (Zheng et al., "Going Deeper With Directly-Trained Larger
//! Spiking Neural Networks", AAAI 2021).

use tch::{Kind, Tensor};
use tks_kernels::batch_norm;
use tks_neuron::Neuron;
use tks_torch::memory::is_time_first;

use crate::backend::{ByChannel, CpuBackend, run};
use crate::error::AutogradError;
use crate::multi_step::{LearnedTensors, Output, State, multi_step};
use crate::values::values;

/// A batch norm's tensors and settings; tensors of shape `[C]`, `f32`.
#[derive(Debug, Clone, Copy)]
pub struct BatchNorm<'a> {
    /// Learned scale.
    pub weight: &'a Tensor,
    /// Learned shift.
    pub bias: &'a Tensor,
    /// Running mean, updated in place in training.
    pub running_mean: &'a Tensor,
    /// Running unbiased variance, updated in place in training.
    pub running_var: &'a Tensor,
    /// Whether to normalise by the batch statistics and update the running ones; otherwise the running ones
    /// are used.
    pub training: bool,
    /// Weight of the batch in the running statistics, usually 0.1.
    pub momentum: f64,
    /// Added to the variance, usually 1e-5.
    pub eps: f64,
}

impl BatchNorm<'_> {
    /// libtorch's own batch norm of `input`, `[T, B, C, ...]`, over time steps and batch together.
    ///
    /// # Errors
    /// Errors from libtorch, and in training a batch with one value per channel, for which libtorch would set
    /// the running variance to NaN.
    pub fn apply(&self, input: &Tensor) -> Result<Tensor, AutogradError> {
        if self.training {
            require_two_values(input)?;
        }
        let normalized = input.f_flatten(0, 1)?.f_batch_norm(
            Some(self.weight),
            Some(self.bias),
            Some(self.running_mean),
            Some(self.running_var),
            self.training,
            self.momentum,
            self.eps,
            false,
        )?;
        Ok(normalized.f_reshape(input.size())?)
    }
}

/// `multi_step(neuron, batch_norm(input))` as one operation, `input` of shape `[T, B, C, ...]`.
///
/// Equal to libtorch's batch norm followed by [`crate::multi_step`](crate::multi_step()) up to rounding,
/// including the running statistics, in contiguous and in channels-last layout. On a GPU, it is these two
/// operations.
///
/// # Errors
/// [`AutogradError`] if shapes, kinds or devices do not match, and in training for a batch with one value per
/// channel.
pub fn batch_norm_multi_step(
    norm: &BatchNorm<'_>,
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
) -> Result<Output, AutogradError> {
    let size = input.size();
    if size.len() < 3 {
        let expected = "[T, B, C, ...]".into();
        return Err(AutogradError::Shape { tensor: "input", actual: size, expected });
    }
    let channels = size[2] as usize;
    for (name, tensor) in [
        ("weight", norm.weight),
        ("bias", norm.bias),
        ("running_mean", norm.running_mean),
        ("running_var", norm.running_var),
    ] {
        if tensor.size() != [channels as i64] {
            let expected = format!("[{channels}], the input's channels");
            return Err(AutogradError::Shape { tensor: name, actual: tensor.size(), expected });
        }
    }
    if input.device().is_cuda() {
        // Two operations on a GPU: libtorch's batch norm uses cuDNN.
        return multi_step(neuron, &norm.apply(input)?, state, learned);
    }
    let inner: i64 = size[3..].iter().product();
    // Channels innermost, or planes in order; other layouts are made contiguous.
    let stride = input.stride();
    let channels_last = is_time_first(input) && stride[2] == 1 && inner > 1;
    let input = if channels_last { input.shallow_clone() } else { input.f_contiguous()? };
    let by_channel =
        tch::no_grad(|| statistics(norm, &input, channels, if channels_last { 1 } else { inner }))?;
    let backend = Box::new(CpuBackend::new(neuron, learned, Some(by_channel))?);
    run(backend, neuron, &input, state, learned, Some([norm.weight, norm.bias]))
}

/// The unbiased variance of a batch `[T, B, C, ...]` needs at least two values per channel.
fn require_two_values(input: &Tensor) -> Result<(), AutogradError> {
    let size = input.size();
    let channels = size.get(2).copied().unwrap_or(1).max(1);
    let count = input.numel() as i64 / channels;
    if count < 2 {
        return Err(AutogradError::TooFewValues { count, size });
    }
    Ok(())
}

fn vector(tensor: &Tensor) -> Result<Vec<f64>, AutogradError> {
    Ok(Vec::<f64>::try_from(tensor.f_to_kind(Kind::Double)?)?)
}

/// Scale and shift of each channel; updates the running statistics in training.
fn statistics(
    norm: &BatchNorm<'_>,
    input: &Tensor,
    channels: usize,
    inner: i64,
) -> Result<ByChannel, AutogradError> {
    let inner = inner as usize;
    let (mean, variance, count) = if norm.training {
        require_two_values(input)?;
        let single = input.f_to_kind(Kind::Float)?;
        let moments = batch_norm::moments(values(&single)?, channels, inner)?;
        let count = moments.first().map_or(0.0, |moments| moments.count);
        let blend = |running: &Tensor, batch: Vec<f64>| -> Result<(), AutogradError> {
            let batch = Tensor::from_slice(&batch).f_to_kind(running.kind())?;
            let _updated = running.shallow_clone().f_lerp_(&batch, norm.momentum)?;
            Ok(())
        };
        blend(norm.running_mean, moments.iter().map(|moments| moments.mean).collect())?;
        blend(norm.running_var, moments.iter().map(|moments| moments.squares / (count - 1.0)).collect())?;
        let mean: Vec<f64> = moments.iter().map(|moments| moments.mean).collect();
        (mean, moments.iter().map(|moments| moments.variance()).collect(), Some(count))
    } else {
        (vector(norm.running_mean)?, vector(norm.running_var)?, None)
    };
    let inverse_deviation: Vec<f64> =
        variance.iter().map(|variance: &f64| (variance + norm.eps).sqrt().recip()).collect();
    let (weight, bias) = (vector(norm.weight)?, vector(norm.bias)?);
    let scale: Vec<f64> =
        weight.iter().zip(&inverse_deviation).map(|(weight, inverse)| weight * inverse).collect();
    let shift = (0..channels).map(|c| (bias[c] - mean[c] * scale[c]) as f32).collect();
    let scale = scale.into_iter().map(|scale| scale as f32).collect();
    Ok(ByChannel { scale, shift, mean, inverse_deviation, inner, count })
}
