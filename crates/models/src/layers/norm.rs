//! Batch norm over time steps and samples together.

use tch::{Kind, Tensor};
use tks_autograd::BatchNorm;

use crate::context::ForwardContext;
use crate::description::LayerDescription;
use crate::error::ModelError;

/// Momentum and epsilon of batch norm, torch's defaults.
const MOMENTUM: f64 = 0.1;
pub(crate) const EPS: f64 = 1e-5;

/// Batch norm; tensors of shape `[C]`. Created by [`crate::Builder::batch_norm`].
#[derive(Debug)]
pub struct BatchNormLayer {
    pub(crate) name: String,
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
    pub(crate) running_mean: Tensor,
    pub(crate) running_var: Tensor,
    /// Whether it normalises tokens `[N, D]`, over `D`.
    pub(crate) of_tokens: bool,
}

/// The error for a batch norm with a single value per channel in training: a variance needs two.
pub(crate) fn one_value(name: &str, samples: i64) -> ModelError {
    let samples =
        if samples == 1 { "a batch of 1 sample".into() } else { format!("a batch of {samples} samples") };
    ModelError::Execution(format!(
        "the batch norm `{name}` gets 1 value a channel from {samples}, and needs 2 or more when training: use larger \
         batches, or a network that leaves more than one pixel there"
    ))
}

impl BatchNormLayer {
    /// Its name in the state dictionary.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Running mean from training, `[C]`.
    pub fn running_mean(&self) -> &Tensor {
        &self.running_mean
    }

    /// Running unbiased variance from training, `[C]`.
    pub fn running_var(&self) -> &Tensor {
        &self.running_var
    }

    /// Whether it normalises tokens `[N, D]`, over `D`.
    pub fn is_of_tokens(&self) -> bool {
        self.of_tokens
    }

    /// Shows the input of the norm, `[T, B, C, ...]` or tokens `[T, B, N, D]`, to the observer, if any; in
    /// training, checks that it has a variance.
    ///
    /// # Errors
    /// [`ModelError::Execution`] for one value per channel in training.
    pub fn look_at(&self, x: &Tensor, context: &mut ForwardContext<'_>) -> Result<(), ModelError> {
        let x = self.channels_first(x)?;
        let values = x.numel() as i64 / x.size().get(2).copied().unwrap_or(1).max(1);
        if context.is_training() && values < 2 {
            return Err(one_value(&self.name, x.size().get(1).copied().unwrap_or(1)));
        }
        match context.observer() {
            Some(observer) => observer.norm_input(self, &x),
            None => Ok(()),
        }
    }

    /// Tokens `[T, B, N, D]` as `[T, B, D, N]`, without a copy; other input unchanged.
    fn channels_first(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        if self.of_tokens { Ok(x.f_transpose(2, 3)?) } else { Ok(x.shallow_clone()) }
    }

    pub(crate) fn view(&self, context: &ForwardContext<'_>) -> BatchNorm<'_> {
        BatchNorm {
            weight: &self.weight,
            bias: &self.bias,
            running_mean: &self.running_mean,
            running_var: &self.running_var,
            training: context.is_training(),
            momentum: if context.updates_running_statistics() { MOMENTUM } else { 0.0 },
            eps: EPS,
        }
    }

    /// Normalises `x`, `[T, B, C, ...]` or tokens `[T, B, N, D]`; in training, over steps and batch together.
    /// If `copies` is above 1, `x` represents that many steps with the same values: the running variance,
    /// which is unbiased, is that of all of them.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub fn apply(&self, x: &Tensor, copies: i64, context: &ForwardContext<'_>) -> Result<Tensor, ModelError> {
        let y =
            self.apply_channels_first(&self.channels_first(x)?.f_to_kind(Kind::Float)?, copies, context)?;
        self.channels_first(&y)
    }

    fn apply_channels_first(
        &self,
        x: &Tensor,
        copies: i64,
        context: &ForwardContext<'_>,
    ) -> Result<Tensor, ModelError> {
        if !(context.updates_running_statistics() && copies > 1) {
            return Ok(self.view(context).apply(x)?);
        }
        // libtorch keeps the running statistics passed to it and detects changes, hence the copies.
        let before = self.running_var.f_mul_scalar(1.0 - MOMENTUM)?;
        let (mean, variance) = (self.running_mean.f_detach_copy()?, self.running_var.f_detach_copy()?);
        let y = BatchNorm { running_mean: &mean, running_var: &variance, ..self.view(context) }.apply(x)?;
        // With n values per channel, the batch's part is squares / (n - 1); for all copies, it is copies *
        // squares / (copies * n - 1).
        let (count, copies) = ((x.numel() as i64 / x.size()[2]) as f64, copies as f64);
        let batch = variance.f_sub(&before)?.f_mul_scalar(copies * (count - 1.0) / (copies * count - 1.0))?;
        tch::no_grad(|| -> Result<_, ModelError> {
            self.running_mean.shallow_clone().f_copy_(&mean)?;
            self.running_var.shallow_clone().f_copy_(&before.f_add(&batch)?)?;
            Ok(())
        })?;
        Ok(y)
    }

    /// A second handle to the same parameters and statistics.
    #[must_use]
    pub fn share(&self) -> BatchNormLayer {
        BatchNormLayer {
            name: self.name.clone(),
            weight: self.weight.shallow_clone(),
            bias: self.bias.shallow_clone(),
            running_mean: self.running_mean.shallow_clone(),
            running_var: self.running_var.shallow_clone(),
            of_tokens: self.of_tokens,
        }
    }

    /// Appends the tensors that receive gradients.
    pub fn parameters<'a>(&'a self, parameters: &mut Vec<&'a Tensor>) {
        parameters.extend([&self.weight, &self.bias]);
    }

    /// Name, channels and settings.
    pub fn describe(&self) -> LayerDescription {
        LayerDescription::BatchNorm {
            name: self.name.clone(),
            channels: self.weight.numel() as i64,
            eps: EPS,
            momentum: MOMENTUM,
        }
    }
}
