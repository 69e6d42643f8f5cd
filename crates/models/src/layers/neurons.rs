//! A layer of neurons and its position in the network.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};
use tks_autograd::NeuronLayer;
use tks_neuron::{Model, Neuron};

use crate::context::ForwardContext;
use crate::description::LayerDescription;
use crate::error::ModelError;
use crate::layers::BatchNormLayer;
use crate::observer::Charge;
use crate::signal::Shape;

/// A layer of neurons and its position in the network. Created by [`crate::Builder::neurons`].
#[derive(Debug)]
pub struct Neurons {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) layer: NeuronLayer,
}

impl Neurons {
    /// Its name in the state dictionary.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its index among the network's layers of neurons, in the order in which they were built.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The neurons' configuration.
    pub fn neuron(&self) -> &Neuron {
        self.layer.neuron()
    }

    /// The spikes for `x`, `[T, B, ...]`, which is normalised first if there is a norm.
    ///
    /// # Errors
    /// Mismatched shapes, kinds or devices.
    pub fn fire(
        &self,
        x: &Tensor,
        norm: Option<&BatchNormLayer>,
        context: &mut ForwardContext<'_>,
    ) -> Result<Tensor, ModelError> {
        let features_first = norm.is_some_and(BatchNormLayer::is_of_tokens);
        let x = if features_first { x.f_transpose(2, 3)? } else { x.shallow_clone() };
        let state = context.states.as_mut().and_then(|states| states[self.index].take());
        let backend = context.execution().neurons;
        let norm = norm.map(|norm| norm.view(context));
        if let Some(observer) = context.observer() {
            let charge = Charge {
                layer: &self.layer,
                norm: norm.as_ref(),
                input: &x,
                state: state.as_ref(),
                features_first,
            };
            observer.before_firing(self, charge)?;
        }
        let output = self.layer.forward_by(backend, norm.as_ref(), &x, state.as_ref())?;
        let spikes = if features_first { output.spikes.f_transpose(2, 3)? } else { output.spikes };
        if let Some(observer) = context.observer() {
            let membrane = &output.state.membrane;
            let membrane =
                if features_first { membrane.f_transpose(1, 2)? } else { membrane.shallow_clone() };
            observer.neurons(self, &spikes, &membrane)?;
        }
        if let Some(states) = context.states.as_mut() {
            states[self.index] = Some(output.state);
        }
        Ok(spikes)
    }

    /// A second handle to the same neurons.
    #[must_use]
    pub fn share(&self) -> Neurons {
        Neurons { index: self.index, name: self.name.clone(), shape: self.shape, layer: self.layer.share() }
    }

    /// Appends the tensors that receive gradients.
    pub fn parameters<'a>(&'a self, parameters: &mut Vec<&'a Tensor>) {
        let learned = self.layer.learned();
        parameters.extend(learned.parameters);
        parameters.extend(learned.v_threshold);
    }

    /// The neurons with their learned parameters.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub fn describe(&self) -> Result<LayerDescription, ModelError> {
        let mut neuron = *self.layer.neuron();
        let tensors = self.layer.learned();
        let value = |tensor: &Tensor| -> Result<f64, ModelError> {
            Ok(tensor.f_to_kind(Kind::Double)?.f_double_value(&[])?)
        };
        let mut learned = BTreeMap::new();
        let mut tau = neuron.model.tau().map(f64::from);
        for (tensor, (own, _)) in tensors.parameters.iter().zip(neuron.model.learned()) {
            let number = value(tensor)?;
            learned.insert(own.to_owned(), number);
            if matches!(neuron.model, Model::Plif { .. }) {
                // 1 / sigmoid(w)
                tau = Some(1.0 + (-number).exp());
            }
        }
        if let Some(tensor) = tensors.v_threshold {
            let number = value(tensor)?;
            neuron.v_threshold = number as f32;
            learned.insert("v_threshold".to_owned(), number);
        }
        Ok(LayerDescription::Neurons {
            name: self.name.clone(),
            neuron,
            tau,
            learned,
            output: self.shape.sizes(),
        })
    }
}
