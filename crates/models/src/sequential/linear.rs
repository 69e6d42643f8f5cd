//! Linear layer and neurons.

use serde::{Deserialize, Serialize};
use tks_neuron::Neuron;

use super::{LayerPlan, check_neuron};
use crate::builder::Builder;
use crate::config::check_size;
use crate::error::ModelError;
use crate::layers::SynapticLayer;

/// See [`LayerConfig::Linear`](crate::LayerConfig::Linear).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearConfig {
    /// Number of neurons, 1 or above.
    pub features: usize,
    /// The neurons of this layer; left out: the network's. Fields left out have the values of
    /// [`Neuron::default`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neuron: Option<Neuron>,
}

impl LayerPlan for LinearConfig {
    fn check(&self) -> Result<(), ModelError> {
        check_size("features", self.features)?;
        check_neuron(self.neuron.as_ref())
    }

    fn build(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError> {
        builder.push_flatten();
        let synapse = Some(builder.linear(&format!("{name}.linear"), self.features, true)?);
        let neuron = self.neuron.unwrap_or(builder.config().neuron);
        let neurons = Some(builder.neurons_of(&format!("{name}.node"), neuron)?);
        builder.push(SynapticLayer { synapse, norm: None, neurons });
        Ok(())
    }
}
