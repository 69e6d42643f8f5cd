//! One forward pass of a network over a chunk of steps: what its layers share beside the signal.

use tch::Tensor;
use tks_autograd::State;

use crate::error::ModelError;
use crate::execution::Execution;
use crate::observer::Observer;

/// What the layers of a forward pass share.
pub struct ForwardContext<'a> {
    train: bool,
    /// Whether training changes the running statistics: not where a layer is computed again for its gradients.
    update_running: bool,
    execution: Execution,
    /// The neurons' states by their layer's index, where the sequence goes on in another chunk.
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
    /// A pass over whole sequences, from rest, which nobody observes.
    pub fn new(train: bool, execution: Execution) -> Self {
        ForwardContext { train, update_running: true, execution, states: None, observer: None }
    }

    /// The pass of a layer that is computed again, or that is only looked at: running statistics stay as they are.
    #[must_use]
    pub fn without_updates(self) -> Self {
        ForwardContext { update_running: false, ..self }
    }

    /// The same pass, observed.
    #[must_use]
    pub fn observed(self, observer: &'a mut dyn Observer) -> Self {
        ForwardContext { observer: Some(observer), ..self }
    }

    /// Whether the network is trained: batch norm by the statistics of the batch, dropout on.
    pub fn is_training(&self) -> bool {
        self.train
    }

    /// Whether a layer that keeps statistics over training updates them in this pass.
    pub fn updates_running_statistics(&self) -> bool {
        self.train && self.update_running
    }

    /// How the network runs.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// Whoever observes the pass.
    pub fn observer(&mut self) -> Option<&mut (dyn Observer + 'a)> {
        self.observer.as_deref_mut()
    }
}

/// `[T, B, ...]` as `[T * B, ...]`.
///
/// # Errors
/// What libtorch refuses.
pub fn merge_steps(x: &Tensor) -> Result<Tensor, ModelError> {
    Ok(x.f_flatten(0, 1)?)
}

/// `[T * B, ...]` as `[T, B, ...]`.
///
/// # Errors
/// What libtorch refuses.
pub fn split_steps(x: &Tensor, time_steps: i64) -> Result<Tensor, ModelError> {
    let size = x.size();
    let batch = size.first().copied().unwrap_or(0) / time_steps.max(1);
    let shape: Vec<i64> = [time_steps, batch].into_iter().chain(size.into_iter().skip(1)).collect();
    Ok(x.f_view(shape.as_slice())?)
}
