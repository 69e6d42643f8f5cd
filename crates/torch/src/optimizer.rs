//! libtorch's fused optimiser steps: one pass over parameters, gradients and moments, on the CPU and on a
//! GPU. tch offers them only within an optimiser whose state cannot be saved.

use tch::Tensor;

use crate::error::TorchError;
use crate::ffi;

/// Settings of [`adamw`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Learning rate.
    pub lr: f64,
    /// Decay rates of the first and second moment.
    pub betas: [f64; 2],
    /// Decoupled weight decay: `lr * weight_decay` times each parameter is subtracted from it.
    pub weight_decay: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
}

/// Settings of [`sgd`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// Learning rate.
    pub lr: f64,
    /// Momentum; 0 needs no state.
    pub momentum: f64,
    /// Weight decay, added to the gradient.
    pub weight_decay: f64,
    /// Nesterov's momentum.
    pub nesterov: bool,
}

/// One step of AdamW (Loshchilov and Hutter, ICLR 2019), in place. All lists have the same length; each
/// parameter, its gradient and its two moments have the same shape. Each of `steps` holds one `f32`, the
/// number of steps made, which is incremented.
///
/// # Errors
/// Lists of different lengths, tensors of different shapes, errors from libtorch.
pub fn adamw(
    parameters: &[Tensor],
    gradients: &[Tensor],
    first: &[Tensor],
    second: &[Tensor],
    steps: &[Tensor],
    settings: &AdamW,
) -> Result<(), TorchError> {
    let gradients = alike(parameters, gradients, "gradients")?;
    require_alike(parameters, first, "first moments")?;
    require_alike(parameters, second, "second moments")?;
    let counters = steps.iter().filter(|step| step.numel() == 1).count();
    if steps.len() != parameters.len() || counters != steps.len() {
        let (name, expected) = ("steps of one number", parameters.len());
        return Err(TorchError::Count { name, actual: counters, expected });
    }
    // The kernel reads the number of this step and leaves counting to its caller.
    for step in steps {
        let _counted = step.shallow_clone().f_add_scalar_(1.0)?;
    }
    ffi::fused_adamw(parameters, &gradients, first, second, steps, settings)
}

/// One step of SGD, in place. `momenta` is empty without momentum; otherwise it has the parameters' shapes
/// and is overwritten at the first step.
///
/// # Errors
/// As [`adamw`].
pub fn sgd(
    parameters: &[Tensor],
    gradients: &[Tensor],
    momenta: &[Tensor],
    settings: &Sgd,
    is_first: bool,
) -> Result<(), TorchError> {
    let gradients = alike(parameters, gradients, "gradients")?;
    if settings.momentum != 0.0 {
        require_alike(parameters, momenta, "momenta")?;
    }
    ffi::fused_sgd(parameters, &gradients, momenta, settings, is_first)
}

/// The kernels walk through memory, so a tensor whose layout differs from its parameter's is copied to that
/// layout.
fn alike(parameters: &[Tensor], gradients: &[Tensor], name: &'static str) -> Result<Vec<Tensor>, TorchError> {
    require_shapes(parameters, gradients, name)?;
    let pairs = parameters.iter().zip(gradients);
    pairs
        .map(|(parameter, gradient)| {
            if gradient.stride() == parameter.stride() {
                return Ok(gradient.shallow_clone());
            }
            let mut copy = parameter.f_empty_like()?;
            copy.f_copy_(gradient)?;
            Ok(copy)
        })
        .collect()
}

fn require_alike(parameters: &[Tensor], state: &[Tensor], name: &'static str) -> Result<(), TorchError> {
    require_shapes(parameters, state, name)?;
    match parameters.iter().zip(state).find(|(parameter, state)| parameter.stride() != state.stride()) {
        None => Ok(()),
        Some(_) => Err(TorchError::Strides { name }),
    }
}

fn require_shapes(parameters: &[Tensor], others: &[Tensor], name: &'static str) -> Result<(), TorchError> {
    if others.len() != parameters.len() {
        return Err(TorchError::Count { name, actual: others.len(), expected: parameters.len() });
    }
    match parameters.iter().zip(others).find(|(parameter, other)| parameter.size() != other.size()) {
        None => Ok(()),
        Some((parameter, other)) => Err(TorchError::Shape {
            tensor: name,
            actual: other.size(),
            expected: format!("{:?}, its parameter's", parameter.size()),
        }),
    }
}
