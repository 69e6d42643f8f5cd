//! The plain spike as a differentiable operation, for your own neurons.

use tch::{Device, Kind, Tensor};
use tks_neuron::Surrogate;
use tks_neuron::kernel::{self, GradSpikes};
use tks_torch::BoxError;
use tks_torch::custom::{Backward, Gradients, Tensors, record};
use tks_torch::memory::{Fresh, is_dense, laid_out_as};

use crate::cuda;
use crate::error::AutogradError;
use crate::values::values;

/// 1 if `u > 0` (`strict`) or `u >= 0`, else 0, in the kind of `u` (`f32` or `bf16`) and any shape; its
/// derivative is the surrogate's. Equal to [`crate::plain::spike`], but in one pass over memory.
///
/// ```
/// use tch::{Kind, Tensor};
/// use tks_autograd::spike;
/// use tks_neuron::Surrogate;
///
/// let u = Tensor::from_slice(&[-0.5f32, 0.0, 2.0]).set_requires_grad(true);
/// let s = spike(&u, &Surrogate::Gate { alpha: 1.0 }, false)?;
/// assert_eq!(Vec::<f32>::try_from(&s.detach()).unwrap(), [0.0, 1.0, 1.0]);
/// s.sum(Kind::Float).backward();
/// assert_eq!(Vec::<f32>::try_from(u.grad()).unwrap(), [1.0, 1.0, 0.0]);
/// # Ok::<(), tks_autograd::AutogradError>(())
/// ```
///
/// # Errors
/// [`AutogradError`] for an unsupported kind or device, or a surrogate out of range.
pub fn spike(u: &Tensor, surrogate: &Surrogate, strict: bool) -> Result<Tensor, AutogradError> {
    surrogate.check()?;
    if !matches!(u.kind(), Kind::Float | Kind::BFloat16) {
        return Err(AutogradError::Kind { tensor: "u", kind: u.kind(), expected: "f32 or bf16" });
    }
    let (spikes, saved) = tch::no_grad(|| -> Result<_, AutogradError> {
        let dense = if is_dense(u) { u.f_detach()? } else { u.f_contiguous()?.f_detach()? };
        let spikes = if dense.device() == Device::Cpu {
            let single = dense.f_to_kind(Kind::Float)?;
            let mut spikes = Fresh::like(&single)?;
            kernel::spike(values(&single)?, strict, spikes.values_mut()?)?;
            spikes.into_tensor().f_to_kind(u.kind())?
        } else {
            cuda::spike(&dense, *surrogate, strict)?
        };
        Ok((spikes, dense))
    })?;
    record(c"tks::spike", &[Some(u)], &[&spikes], &[Some(&saved)], Node { surrogate: *surrogate, strict })?;
    Ok(spikes)
}

struct Node {
    surrogate: Surrogate,
    strict: bool,
}

impl Backward for Node {
    fn backward(&self, saved: &Tensors, grads: &Tensors, _: &[bool]) -> Result<Gradients, BoxError> {
        let ([Some(u)], [Some(grad)]) = (saved, grads) else { return Ok(vec![None]) };
        if u.device() != Device::Cpu {
            let grad = laid_out_as(&grad.f_to_kind(u.kind())?, u)?;
            return Ok(vec![Some(cuda::spike_backward(u, &grad, self.surrogate, self.strict)?)]);
        }
        let single = u.f_to_kind(Kind::Float)?;
        let grad = laid_out_as(&grad.f_to_kind(Kind::Float)?, &single)?;
        let mut grad_u = Fresh::like(&single)?;
        let rows = GradSpikes::Rows(values(&grad)?);
        kernel::spike_backward(self.surrogate, values(&single)?, rows, grad_u.values_mut()?)?;
        Ok(vec![Some(grad_u.into_tensor().f_to_kind(u.kind())?)])
    }
}
