//! The neurons that the kernels are tested with.

use tks_neuron::Neuron;
use tks_neuron::kernel::Kernel;

/// Every model with a fused kernel, with every option.
pub(crate) fn neurons() -> Vec<Neuron> {
    let mut neurons = tks_golden::test_neurons();
    neurons.retain(|neuron| Kernel::new(neuron).is_ok());
    assert!(neurons.len() > 120);
    neurons
}

/// Whether the model has a state besides the membrane potential.
pub(crate) fn has_auxiliary(neuron: &Neuron) -> bool {
    neuron.model.auxiliary_state().is_some()
}
