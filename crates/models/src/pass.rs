//! One pass of a network over a chunk of steps: what is handed from layer to layer beside the signal.

use tch::Tensor;
use tks_autograd::{BatchNorm, NeuronLayer, State};

use crate::error::ModelError;
use crate::execution::Execution;
use crate::unit::Norm;

/// What a layer of neurons is about to be charged with.
#[derive(Clone, Copy)]
pub(crate) struct Charge<'a> {
    pub(crate) layer: &'a NeuronLayer,
    pub(crate) norm: Option<&'a BatchNorm<'a>>,
    /// `[T, B, ...]`
    pub(crate) input: &'a Tensor,
    pub(crate) state: Option<&'a State>,
}

/// Sees what flows through a network, to record it.
pub(crate) trait Watch {
    /// The input of a convolution or linear layer, `[N, ...]` with `N = T * B`, or `N = B` for a static input.
    fn synapse_input(&mut self, _name: &str, _input: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }

    /// The output of a convolution or linear layer, before batch norm; `[T, B, ...]`, or `[1, B, ...]` for a static
    /// input.
    fn synapse_output(&mut self, _name: &str, _output: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }

    /// What a layer of neurons gets.
    fn before_firing(&mut self, _id: usize, _charge: Charge<'_>) -> Result<(), ModelError> {
        Ok(())
    }

    /// What a batch norm is about to normalise, `[T, B, C, ...]`, or `[1, B, C, ...]` for a static input.
    fn norm_input(&mut self, _norm: &Norm, _input: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }

    /// A layer of neurons' spikes, `[T, B, ...]`, and membranes after the last step, `[B, ...]`.
    fn neurons(&mut self, _id: usize, _spikes: &Tensor, _membrane: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }
}

/// What the layers of a pass share.
pub(crate) struct Pass<'a> {
    pub(crate) train: bool,
    /// Whether training changes the running statistics: not where a block is computed anew.
    pub(crate) update_running: bool,
    pub(crate) execution: Execution,
    /// The neurons' states by their layer's id, where the sequence goes on in another chunk.
    pub(crate) states: Option<Vec<Option<State>>>,
    pub(crate) watch: Option<&'a mut dyn Watch>,
}

impl Pass<'_> {
    pub(crate) fn new(train: bool, execution: Execution) -> Self {
        Pass { train, update_running: true, execution, states: None, watch: None }
    }

    /// The pass of a block that is computed anew for its gradients.
    pub(crate) fn anew(train: bool, execution: Execution) -> Self {
        Pass { update_running: false, ..Pass::new(train, execution) }
    }
}

/// `[T, B, ...]` as `[T * B, ...]`.
pub(crate) fn merge_steps(x: &Tensor) -> Result<Tensor, ModelError> {
    Ok(x.f_flatten(0, 1)?)
}

/// `[T * B, ...]` as `[T, B, ...]`.
pub(crate) fn split_steps(x: &Tensor, time_steps: i64) -> Result<Tensor, ModelError> {
    let size = x.size();
    let batch = size.first().copied().unwrap_or(0) / time_steps.max(1);
    let shape: Vec<i64> = [time_steps, batch].into_iter().chain(size.into_iter().skip(1)).collect();
    Ok(x.f_view(shape.as_slice())?)
}
