//! One forward pass of a network over a chunk of steps: the data shared by its layers besides the signal.

use tch::Tensor;
use tks_autograd::State;

use crate::error::ModelError;
use crate::execution::Execution;
use crate::observer::Observer;

/// The data shared by the layers in a forward pass.
pub struct ForwardContext<'a> {
    train: bool,
    /// Whether training updates the running statistics: not when a layer is recomputed for its gradients.
    update_running: bool,
    execution: Execution,
    /// The neurons' states by the index of their layer, if the sequence continues in another chunk.
    pub(crate) states: Option<Vec<Option<State>>>,
    observer: Option<&'a mut dyn Observer>,
}

impl std::fmt::Debug for ForwardContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForwardContext")
            .field("train", &self.train)
            .field("update_running", &self.update_running)
            .field("execution", &self.execution)
            .field("is_observed", &self.observer.is_some())
            .finish_non_exhaustive()
    }
}

impl<'a> ForwardContext<'a> {
    /// A pass over whole sequences, from rest, without an observer.
    pub fn new(train: bool, execution: Execution) -> Self {
        ForwardContext { train, update_running: true, execution, states: None, observer: None }
    }

    /// The pass of a layer that is recomputed, or only observed: running statistics are unchanged.
    #[must_use]
    pub fn without_updates(self) -> Self {
        ForwardContext { update_running: false, ..self }
    }

    /// The same pass with an observer.
    #[must_use]
    pub fn observed(self, observer: &'a mut dyn Observer) -> Self {
        ForwardContext { observer: Some(observer), ..self }
    }

    /// Whether the pass is for training: batch norm uses the statistics of the batch, and dropout is on.
    pub fn is_training(&self) -> bool {
        self.train
    }

    /// Whether a layer that keeps running statistics should update them in this pass.
    pub fn updates_running_statistics(&self) -> bool {
        self.train && self.update_running
    }

    /// The execution options.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// The observer of the pass, if any.
    pub fn observer(&mut self) -> Option<&mut (dyn Observer + 'a)> {
        self.observer.as_deref_mut()
    }
}

/// `[T, B, ...]` as `[T * B, ...]`.
///
/// # Errors
/// Errors from libtorch.
pub fn merge_steps(x: &Tensor) -> Result<Tensor, ModelError> {
    Ok(x.f_flatten(0, 1)?)
}

/// `[T * B, ...]` as `[T, B, ...]`.
///
/// # Errors
/// Errors from libtorch.
pub fn split_steps(x: &Tensor, time_steps: i64) -> Result<Tensor, ModelError> {
    let size = x.size();
    let batch = size.first().copied().unwrap_or(0) / time_steps.max(1);
    let shape: Vec<i64> = [time_steps, batch].into_iter().chain(size.into_iter().skip(1)).collect();
    Ok(x.f_view(shape.as_slice())?)
}
