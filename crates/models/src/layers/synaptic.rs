//! The usual layer of a network.

use tch::Tensor;

use crate::context::ForwardContext;
use crate::description::LayerDescription;
use crate::error::ModelError;
use crate::layers::{BatchNormLayer, Layer, Neurons, StaticPart, Synapse};

/// Synapse, batch norm and neurons, in this order; each is optional.
#[derive(Debug, Default)]
pub struct SynapticLayer {
    /// Convolution or linear layer.
    pub synapse: Option<Synapse>,
    /// Batch norm.
    pub norm: Option<BatchNormLayer>,
    /// Neurons; without them, the layer outputs currents.
    pub neurons: Option<Neurons>,
}

impl SynapticLayer {
    fn apply_synapse(&self, x: &Tensor, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        match &self.synapse {
            Some(synapse) => synapse.apply(x, context),
            None => Ok(x.shallow_clone()),
        }
    }
}

impl Layer for SynapticLayer {
    fn forward(&self, x: &Tensor, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        let current = self.apply_synapse(x, context)?;
        if let Some(norm) = &self.norm {
            norm.look_at(&current, context)?;
        }
        match (&self.neurons, &self.norm) {
            (Some(neurons), norm) => neurons.fire(&current, norm.as_ref(), context),
            (None, Some(norm)) => norm.apply(&current, 1, context),
            (None, None) => Ok(current),
        }
    }

    fn parameters<'a>(&'a self, parameters: &mut Vec<&'a Tensor>) {
        self.synapse.iter().for_each(|synapse| synapse.parameters(parameters));
        self.norm.iter().for_each(|norm| norm.parameters(parameters));
        self.neurons.iter().for_each(|neurons| neurons.parameters(parameters));
    }

    fn share(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(SynapticLayer {
            synapse: self.synapse.as_ref().map(Synapse::share),
            norm: self.norm.as_ref().map(BatchNormLayer::share),
            neurons: self.neurons.as_ref().map(Neurons::share),
        }))
    }

    fn needs_all_steps(&self) -> bool {
        self.norm.is_some()
    }

    fn static_part(&self) -> StaticPart {
        if self.neurons.is_some() { StaticPart::Prefix } else { StaticPart::Whole }
    }

    fn static_prefix(
        &self,
        x: &Tensor,
        time_steps: i64,
        context: &mut ForwardContext<'_>,
    ) -> Result<Tensor, ModelError> {
        let current = self.apply_synapse(&x.f_unsqueeze(0)?, context)?;
        let current = match &self.norm {
            Some(norm) => {
                norm.look_at(&current, context)?;
                norm.apply(&current, time_steps, context)?
            }
            None => current,
        };
        Ok(current.f_squeeze_dim(0)?)
    }

    fn run_suffix(&self, prefix: &Tensor, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        match &self.neurons {
            Some(neurons) => neurons.fire(prefix, None, context),
            None => Ok(prefix.shallow_clone()),
        }
    }

    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        let mut layers = Vec::new();
        layers.extend(self.synapse.as_ref().map(Synapse::describe));
        layers.extend(self.norm.as_ref().map(BatchNormLayer::describe));
        layers.extend(self.neurons.as_ref().map(Neurons::describe).transpose()?);
        Ok(layers)
    }
}
