//! Activation checkpointing: of a layer, only the input is kept, with spikes as bits, and the layer is
//! recomputed in the backward pass. Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv
//! 1604.06174.

use tch::{Kind, Tensor};
use tks_autograd::custom::{Backward, Gradients, Tensors, record};
use tks_autograd::{AutogradError, SavedTensor};
use tks_torch::BoxError;

use crate::context::ForwardContext;
use crate::error::ModelError;
use crate::execution::Execution;
use crate::layers::Layer;

/// Like `layer.forward(x, context)`. If the network uses checkpointing and the layer can be recomputed, only
/// `x` is kept for the backward pass.
pub(crate) fn forward(
    layer: &dyn Layer,
    x: &Tensor,
    context: &mut ForwardContext<'_>,
) -> Result<Tensor, ModelError> {
    let applies = context.execution().checkpoint_blocks && context.states.is_none();
    let Some(copy) = applies.then(|| layer.share()).flatten() else { return layer.forward(x, context) };
    let y = tch::no_grad(|| layer.forward(x, context))?;
    let kept = SavedTensor::new(x)?;
    let saved = kept.to_save(x);
    let node = Node {
        layer: copy,
        train: context.is_training(),
        execution: *context.execution(),
        kept,
        kind: x.kind(),
    };
    let mut inputs = vec![x];
    layer.parameters(&mut inputs);
    let inputs: Vec<_> = inputs.into_iter().map(Some).collect();
    record(c"tks::checkpoint", &inputs, &[&y], &[saved], node).map_err(AutogradError::from)?;
    Ok(y)
}

struct Node {
    layer: Box<dyn Layer>,
    train: bool,
    execution: Execution,
    /// The input.
    kept: SavedTensor,
    /// The kind of the input.
    kind: Kind,
}

/// Passes a gradient to the tensor for which it was recorded: through tch, libtorch's call can only start
/// from a scalar.
struct Start;

impl Backward for Start {
    fn backward(&self, saved: &Tensors, _: &Tensors, _: &[bool]) -> Result<Gradients, BoxError> {
        Ok(saved.iter().map(|grad| grad.as_ref().map(Tensor::shallow_clone)).collect())
    }
}

impl Backward for Node {
    fn backward(&self, saved: &Tensors, grads: &Tensors, needed: &[bool]) -> Result<Gradients, BoxError> {
        let none = || needed.iter().map(|_| None).collect();
        let ([x], [Some(grad)]) = (saved, grads) else { return Ok(none()) };
        let x = self.kept.restore(x.as_ref(), self.kind)?.f_set_requires_grad(needed[0])?;
        let mut inputs = vec![&x];
        self.layer.parameters(&mut inputs);
        let wanted: Vec<_> =
            inputs.iter().zip(needed).filter(|(_, needed)| **needed).map(|(input, _)| *input).collect();
        if wanted.is_empty() {
            return Ok(none());
        }
        let gradients = tch::with_grad(|| -> Result<_, ModelError> {
            let mut context = ForwardContext::new(self.train, self.execution).without_updates();
            let y = self.layer.forward(&x, &mut context)?;
            let start = Tensor::f_zeros([1], (Kind::Float, y.device()))?;
            record(c"tks::checkpoint_start", &[Some(&y)], &[&start], &[Some(grad)], Start)
                .map_err(AutogradError::from)?;
            Ok(Tensor::f_run_backward(&[start], &wanted, false, false)?)
        });
        let mut gradients = gradients?.into_iter();
        Ok(needed.iter().map(|&needed| if needed { gradients.next() } else { None }).collect())
    }
}
