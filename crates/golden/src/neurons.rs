//! The neurons that every implementation is tested with.

use tks_neuron::{Model, Neuron, ResetTime, Surrogate};

/// Every model: with its default parameters, and with others if the defaults leave out a part of its
/// equation.
fn models() -> Vec<Model> {
    let (tau, decay_input) = (1.7, false);
    let mut models = Model::all().to_vec();
    models.extend([
        Model::Lif { tau, decay_input },
        Model::Plif { init_tau: 2.5, decay_input },
        Model::CubaLif { tau: 1.6, tau_synapse: 3.0, decay_input },
        Model::Alif { tau: 1.8, tau_adaptation: 4.0, beta: 0.7, decay_input },
        Model::Klif { tau, decay_input },
        Model::Qif { tau, v_c: 0.5, a0: 0.7, v_rest: 0.1 },
        Model::Eif { tau, delta_t: 0.8, theta_rh: 0.7, v_rest: -0.1 },
        Model::Izhikevich { tau, v_c: 0.8, a0: 1.0, v_rest: -0.1, tau_w: 3.0, a: 0.3, b: 0.2 },
        Model::LeakyIntegrator { tau, decay_input },
    ]);
    models
}

/// Every model with every option that it can have, with each surrogate in turn.
pub fn test_neurons() -> Vec<Neuron> {
    let mut neurons = Vec::new();
    let mut surrogates = Surrogate::all().iter().copied().cycle();
    for model in models() {
        for v_reset in [Some(0.0), Some(-0.3), None] {
            for strict in [false, true] {
                for (detach_reset, reset_time) in
                    [(false, ResetTime::SameStep), (true, ResetTime::SameStep), (true, ResetTime::NextStep)]
                {
                    let surrogate = surrogates.next().unwrap_or_default();
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
    neurons
}
