//! Observation of a network while it runs.

use tch::Tensor;
use tks_autograd::{BatchNorm, NeuronLayer, State};

use crate::error::ModelError;
use crate::layers::{BatchNormLayer, Neurons};

/// Observes the signals in a network: [`crate::SpikingModel::forward_observed`]. Each method does nothing
/// unless implemented.
pub trait Observer {
    /// Called at the start of a forward pass, which counts its steps from 0.
    fn begin(&mut self) {}

    /// The input of a convolution or linear layer, `[N, ...]` with `N = T * B`, or `N = B` for a static
    /// input.
    ///
    /// # Errors
    /// Errors of the observer, which end the forward pass.
    fn synapse_input(&mut self, _name: &str, _input: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }

    /// The output of a convolution or linear layer, before batch norm; `[T, B, ...]`, or `[1, B, ...]` for a static
    /// input.
    ///
    /// # Errors
    /// As [`Self::synapse_input`].
    fn synapse_output(&mut self, _name: &str, _output: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }

    /// The input of a batch norm, `[T, B, C, ...]`, or `[1, B, C, ...]` for a static input; tokens as `[T, B,
    /// D, N]`.
    ///
    /// # Errors
    /// As [`Self::synapse_input`].
    fn norm_input(&mut self, _norm: &BatchNormLayer, _input: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }

    /// The input of a layer of neurons.
    ///
    /// # Errors
    /// As [`Self::synapse_input`].
    fn before_firing(&mut self, _neurons: &Neurons, _charge: Charge<'_>) -> Result<(), ModelError> {
        Ok(())
    }

    /// The spikes of a layer of neurons, `[T, B, ...]`, and its membrane potentials after the last step, `[B,
    /// ...]`.
    ///
    /// # Errors
    /// As [`Self::synapse_input`].
    fn neurons(
        &mut self,
        _neurons: &Neurons,
        _spikes: &Tensor,
        _membrane: &Tensor,
    ) -> Result<(), ModelError> {
        Ok(())
    }
}

/// The input with which a layer of neurons is about to be charged.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    pub(crate) layer: &'a NeuronLayer,
    pub(crate) norm: Option<&'a BatchNorm<'a>>,
    /// `[T, B, ...]`; tokens with a norm as `[T, B, D, N]`.
    pub(crate) input: &'a Tensor,
    pub(crate) state: Option<&'a State>,
    /// Whether the input's features precede its tokens.
    pub(crate) features_first: bool,
}

impl Charge<'_> {
    /// The membrane potential of the last step before that step's reset, which is compared with the
    /// threshold: `[B, ...]` in `f32`, detached from the graph.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub fn membrane(&self) -> Result<Tensor, ModelError> {
        let membrane = self.layer.charged_membrane(self.norm, self.input, self.state)?;
        if self.features_first { Ok(membrane.f_transpose(1, 2)?) } else { Ok(membrane) }
    }

    /// The threshold, as learned if it is learned; an adaptive one at rest.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub fn v_threshold(&self) -> Result<f64, ModelError> {
        Ok(self.layer.v_threshold()?)
    }
}
