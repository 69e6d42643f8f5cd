//! The neurons that the kernels are tested with.

use tks_neuron::{Model, Neuron, ResetTime, Surrogate};

fn models() -> Vec<Model> {
    let mut models = vec![Model::If];
    for decay_input in [true, false] {
        models.extend([
            Model::Lif { tau: 1.7, decay_input },
            Model::Plif { init_tau: 2.5, decay_input },
            Model::CubaLif { tau: 1.6, tau_synapse: 3.0, decay_input },
            Model::Alif { tau: 1.8, tau_adaptation: 4.0, beta: 0.7, decay_input },
        ]);
    }
    models
}

/// Every model with every option, with one surrogate each in turn.
pub(crate) fn neurons() -> Vec<Neuron> {
    let mut neurons = Vec::new();
    let mut surrogates = Surrogate::all().into_iter().cycle();
    for model in models() {
        for v_reset in [Some(0.0), Some(-0.3), None] {
            for strict in [false, true] {
                for (detach_reset, reset_time) in
                    [(false, ResetTime::SameStep), (true, ResetTime::SameStep), (true, ResetTime::NextStep)]
                {
                    let surrogate = surrogates.next().expect("a cycle does not end");
                    let neuron = Neuron {
                        model,
                        v_threshold: 0.6,
                        v_reset,
                        detach_reset,
                        strict,
                        reset_time,
                        surrogate,
                    };
                    if neuron.check().is_ok() {
                        neurons.push(neuron);
                    }
                }
            }
        }
    }
    assert!(neurons.len() > 120);
    neurons
}

/// Whether the model has a state beside the membrane.
pub(crate) fn has_second(neuron: &Neuron) -> bool {
    neuron.model.second_state().is_some()
}
