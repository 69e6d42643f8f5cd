//! Layers: parameters by name, learning, recording, traces, single steps.

mod common;

use std::collections::BTreeSet;

use common::Noise;
use tch::nn::OptimizerConfig;
use tch::{Device, Kind, Tensor, nn};
use tks_autograd::layer::Backend;
use tks_autograd::{BatchNorm, LayerOptions, NeuronLayer, State, membranes};
use tks_neuron::{Model, Neuron, ResetTime};

fn layer(store: &nn::VarStore, model: Model, backend: Backend) -> NeuronLayer {
    let options = LayerOptions { learn_threshold: true, backend };
    NeuronLayer::new(&store.root(), Neuron::new(model), options).unwrap()
}

#[test]
fn every_model_runs_as_a_layer_and_learns_its_parameters() {
    for model in [
        Model::Plif { init_tau: 3.0, decay_input: true },
        Model::Klif { tau: 2.0, decay_input: true },
        Model::Izhikevich { tau: 2.0, v_c: 0.8, a0: 1.0, v_rest: -0.1, tau_w: 2.0, a: 0.1, b: 0.2 },
    ] {
        let store = nn::VarStore::new(Device::Cpu);
        let layer = layer(&store, model, Backend::Auto);
        let names: BTreeSet<String> = store.variables().into_keys().collect();
        let own = model.learned().into_iter().map(|(name, _)| name.to_owned());
        assert_eq!(names, own.into_iter().chain(["v_threshold".to_owned()]).collect());
        let mut optimizer = nn::Sgd::default().build(&store, 0.5).unwrap();
        let x = Noise::new(1).tensor(&[6, 4, 8]) + 0.8;
        let before: Vec<f64> =
            store.trainable_variables().iter().map(|tensor| tensor.double_value(&[])).collect();
        let loss = layer.forward(&x, None).unwrap().spikes.mean(Kind::Float);
        optimizer.backward_step(&loss);
        let after: Vec<f64> =
            store.trainable_variables().iter().map(|tensor| tensor.double_value(&[])).collect();
        assert!(before.iter().zip(&after).all(|(before, after)| before != after), "{model:?}: {before:?}");
    }
}

#[test]
fn single_steps_equal_the_sequence() {
    let store = nn::VarStore::new(Device::Cpu);
    let layer =
        layer(&store, Model::CubaLif { tau: 2.0, tau_synapse: 2.0, decay_input: true }, Backend::Fused);
    let x = Noise::new(2).tensor(&[5, 3, 7]) + 0.6;
    let whole = layer.forward(&x, None).unwrap();
    let (mut state, mut spikes) = (None, Vec::new());
    for t in 0..5 {
        let output = layer.forward(&x.narrow(0, t, 1), state.as_ref()).unwrap();
        spikes.push(output.spikes);
        state = Some(output.state);
    }
    assert_eq!(Tensor::cat(&spikes, 0), whole.spikes);
    assert_eq!(state.unwrap().membrane, whole.state.membrane);
}

#[test]
fn recorded_rates_and_traces_are_those_of_the_run() {
    let store = nn::VarStore::new(Device::Cpu);
    let layer = layer(&store, Model::Lif { tau: 2.0, decay_input: true }, Backend::Auto);
    assert!(layer.take_firing_rates().is_empty());
    layer.start_recording();
    let x = Noise::new(3).tensor(&[4, 2, 9]) * 2.0;
    let output = layer.forward(&x, None).unwrap();
    let other = layer.forward(&(&x * -1.0), None).unwrap();
    let rates = layer.take_firing_rates();
    for (t, rate) in rates.iter().enumerate() {
        let of = |spikes: &Tensor| spikes.select(0, t as i64).mean(Kind::Double).double_value(&[]);
        assert!((rate - 0.5 * (of(&output.spikes) + of(&other.spikes))).abs() < 1e-9);
    }
    assert_eq!(rates.len(), 4);
    let trace = membranes(layer.neuron(), &x, None, layer.learned()).unwrap();
    assert_eq!(trace.select(0, -1), output.state.membrane);
    assert!(!trace.requires_grad());
}

/// The potential that is compared with the threshold: above it exactly if the neuron fires, and equal to the
/// membrane potential after the step if it does not (hard reset).
#[test]
fn a_membrane_before_its_reset_is_at_the_threshold_where_the_neuron_fires() {
    let lif = Model::Lif { tau: 2.0, decay_input: true };
    let alif = Model::Alif { tau: 2.0, tau_adaptation: 5.0, beta: 0.5, decay_input: true };
    let x = Noise::new(5).tensor(&[6, 2, 9]) * 2.0 + 0.4;
    for (model, v_reset, reset_time) in [
        (lif, Some(0.0), ResetTime::SameStep),
        (lif, None, ResetTime::SameStep),
        (lif, None, ResetTime::NextStep),
        (Model::CubaLif { tau: 2.0, tau_synapse: 2.0, decay_input: true }, Some(-0.25), ResetTime::SameStep),
        (alif, Some(0.0), ResetTime::SameStep),
    ] {
        let store = nn::VarStore::new(Device::Cpu);
        let neuron =
            Neuron { v_reset, reset_time, detach_reset: true, v_threshold: 0.75, ..Neuron::new(model) };
        let layer = NeuronLayer::new(&store.root(), neuron, LayerOptions::default()).unwrap();
        assert_eq!(layer.v_threshold().unwrap(), 0.75);
        let (mut state, mut fired) = (None, 0.0);
        for t in 0..6 {
            let before = layer.charged_membrane(None, &x.narrow(0, t, 1), state.as_ref()).unwrap();
            // The same in one call over the steps so far.
            let whole = layer.charged_membrane(None, &x.narrow(0, 0, t + 1), None).unwrap();
            assert!((&before - whole).abs().max().double_value(&[]) < 1e-5, "{model:?}");
            let adaptation = match (model, &state) {
                (Model::Alif { beta, .. }, Some(State { auxiliary: Some(b), .. })) => b * f64::from(beta),
                _ => before.zeros_like(),
            };
            let output = layer.forward(&x.narrow(0, t, 1), state.as_ref()).unwrap();
            let spikes = output.spikes.select(0, 0);
            let above = (&before - adaptation).ge(0.75).to_kind(Kind::Float);
            assert_eq!(above, spikes, "{model:?}, step {t}");
            let after = &output.state.membrane;
            let silent: Tensor = (&before - after) * (1.0 - &spikes);
            assert!(silent.abs().max().double_value(&[]) < 1e-5, "{model:?}, step {t}");
            fired += spikes.sum(Kind::Double).double_value(&[]);
            state = Some(output.state);
        }
        assert!(fired > 5.0, "{model:?} fires");
    }
    let store = nn::VarStore::new(Device::Cpu);
    let layer = layer(&store, lif, Backend::Auto);
    let _ = tch::no_grad(|| store.variables()["v_threshold"].shallow_clone().fill_(0.5));
    assert_eq!(layer.v_threshold().unwrap(), 0.5, "the learned one");
    let none = Tensor::zeros([0, 2, 3], (Kind::Float, Device::Cpu));
    assert!(layer.charged_membrane(None, &none, None).unwrap_err().to_string().contains("with a step"));
}

#[test]
fn normalized_layers_are_the_same_fused_and_plain() {
    let run = |backend| {
        let store = nn::VarStore::new(Device::Cpu);
        let layer = layer(&store, Model::Lif { tau: 2.0, decay_input: true }, backend);
        let noise = Noise::new(4);
        let (weight, bias) = (noise.tensor(&[3]) * 0.2 + 1.0, noise.tensor(&[3]) * 0.2 + 0.5);
        let options = (Kind::Float, Device::Cpu);
        let (running_mean, running_var) = (Tensor::zeros([3], options), Tensor::ones([3], options));
        let norm = BatchNorm {
            weight: &weight,
            bias: &bias,
            running_mean: &running_mean,
            running_var: &running_var,
            training: true,
            momentum: 0.1,
            eps: 1e-5,
        };
        let output = layer.forward_normalized(&norm, &noise.tensor(&[4, 2, 3, 5, 5]), None).unwrap();
        (output.spikes, running_mean)
    };
    let (fused, plain) = (run(Backend::Fused), run(Backend::Plain));
    assert_eq!(fused.0, plain.0);
    assert!((fused.1 - plain.1).abs().max().double_value(&[]) < 1e-6);
}
