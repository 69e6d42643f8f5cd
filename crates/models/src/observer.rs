//! What can be seen of a network while it runs.

use tch::Tensor;
use tks_autograd::{BatchNorm, NeuronLayer, State};

use crate::error::ModelError;
use crate::layers::{BatchNormLayer, Neurons};

/// Sees what flows through a network: [`crate::SpikingModel::forward_observed`]. Each method does nothing unless it is
/// implemented.
pub trait Observer {
    /// A call begins: its steps count from 0.
    fn begin(&mut self) {}

    /// The input of a convolution or linear layer, `[N, ...]` with `N = T * B`, or `N = B` for a static input.
    ///
    /// # Errors
    /// What the observer finds: the forward pass ends with it.
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

    /// What a batch norm is about to normalise, `[T, B, C, ...]`, or `[1, B, C, ...]` for a static input; tokens as
    /// `[T, B, D, N]`.
    ///
    /// # Errors
    /// As [`Self::synapse_input`].
    fn norm_input(&mut self, _norm: &BatchNormLayer, _input: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }

    /// What a layer of neurons gets.
    ///
    /// # Errors
    /// As [`Self::synapse_input`].
    fn before_firing(&mut self, _neurons: &Neurons, _charge: Charge<'_>) -> Result<(), ModelError> {
        Ok(())
    }

    /// A layer of neurons' spikes, `[T, B, ...]`, and membranes after the last step, `[B, ...]`.
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

/// What a layer of neurons is about to be charged with.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    pub(crate) layer: &'a NeuronLayer,
    pub(crate) norm: Option<&'a BatchNorm<'a>>,
    /// `[T, B, ...]`; tokens with a norm as `[T, B, D, N]`.
    pub(crate) input: &'a Tensor,
    pub(crate) state: Option<&'a State>,
    /// Whether the input's features come before its tokens.
    pub(crate) features_first: bool,
}

impl Charge<'_> {
    /// The membrane of the last step before that step's reset, which the threshold is compared with: `[B, ...]` in
    /// `f32`, cut off from the graph.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn membrane(&self) -> Result<Tensor, ModelError> {
        let membrane = self.layer.charged_membrane(self.norm, self.input, self.state)?;
        if self.features_first { Ok(membrane.f_transpose(1, 2)?) } else { Ok(membrane) }
    }

    /// The threshold: learned where it is; an adaptive one at rest.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn v_threshold(&self) -> Result<f64, ModelError> {
        Ok(self.layer.v_threshold()?)
    }
}
