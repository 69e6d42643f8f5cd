//! Networks compared with SpikingJelly's and BrainCog's, with weights from a formula: written by
//! `benches/peers/training/networks.py`.

mod common;

use std::collections::BTreeMap;

use serde::Deserialize;
use tch::{Device, Kind, Tensor, nn};
use tks_models::{
    Architecture, Connect, Execution, FiringRates, Input, InputShape, Network, NetworkConfig, SpikingModel,
};
use tks_neuron::{Model, Neuron, Surrogate};

use common::{fill_by_formula, relative_norm_error};

#[derive(Deserialize)]
struct Document {
    time_steps: usize,
    batch: i64,
    classes: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    architecture: Architecture,
    connect: Connect,
    size: usize,
    peer: String,
    /// Left out: LIF as in the peers' classes.
    neuron: Option<Neuron>,
    /// The weights of batch norm; left out: the initial ones.
    norm_weight: Option<f64>,
    parameters: BTreeMap<String, Vec<i64>>,
    /// `[T, B, K]`
    logits: Vec<f32>,
    loss: f64,
    gradient_norms: BTreeMap<String, f64>,
    firing_rates: BTreeMap<String, f64>,
}

fn document() -> Document {
    serde_json::from_str(include_str!("peers/networks.json")).unwrap()
}

/// LIF with `tau` 2 and threshold 1, as in the peers' classes; BrainCog fires above the threshold.
fn neuron(peer: &str) -> Neuron {
    Neuron {
        detach_reset: true,
        strict: peer == "braincog",
        surrogate: Surrogate::Atan { alpha: 2.0 },
        ..Neuron::new(Model::Lif { tau: 2.0, decay_input: true })
    }
}

fn image(batch: i64, size: i64) -> Tensor {
    let values: Vec<f32> = (0..batch * 3 * size * size)
        .map(|i| (0.5 + 0.5 * (i as f64 * 0.739_085_133_215_160_7).sin()) as f32)
        .collect();
    Tensor::from_slice(&values).reshape([batch, 3, size, size])
}

fn build(case: &Case, classes: usize) -> (nn::VarStore, Network) {
    let config = NetworkConfig {
        architecture: case.architecture.clone(),
        connect: case.connect,
        classes,
        neuron: case.neuron.unwrap_or_else(|| neuron(&case.peer)),
        ..NetworkConfig::default()
    };
    let store = nn::VarStore::new(Device::Cpu);
    let network = Network::new(&store.root(), &config, InputShape::new(3, case.size, case.size)).unwrap();
    (store, network)
}

#[test]
fn parameters_have_the_peers_names_and_shapes() {
    let document = document();
    assert!(document.cases.len() >= 12);
    for case in &document.cases {
        let (store, network) = build(case, document.classes);
        let variables = store.variables().into_iter().filter(|(_, tensor)| tensor.requires_grad());
        let found: BTreeMap<_, _> = variables.map(|(name, tensor)| (name, tensor.size())).collect();
        assert_eq!(found, case.parameters, "{:?}", case.architecture);
        let names: Vec<_> = case.firing_rates.keys().cloned().collect();
        let mut found = network.neuron_names().to_vec();
        found.sort();
        assert_eq!(found, names, "{:?}", case.architecture);
    }
}

#[test]
fn networks_compute_what_the_peers_do() {
    let document = document();
    for case in &document.cases {
        let what = format!("{:?} {:?}", case.architecture, case.connect);
        let (store, network) = build(case, document.classes);
        fill_by_formula(&network);
        if let Some(value) = case.norm_weight {
            let norms = network.named_tensors().iter().filter(|(name, tensor)| {
                tensor.requires_grad() && tensor.dim() == 1 && name.ends_with(".weight")
            });
            norms.for_each(|(_, tensor)| tch::no_grad(|| drop(tensor.shallow_clone().fill_(value))));
        }
        let x = image(document.batch, case.size as i64);
        let mut rates = FiringRates::default();
        let input = Input::Static(&x, document.time_steps);
        let logits = network.forward_observed(input, true, &Execution::default(), &mut rates).unwrap();
        let rates = rates.layers();
        let expected = Tensor::from_slice(&case.logits).reshape(logits.size());
        let logits_error = (&logits - expected).abs().max().double_value(&[]);
        let labels = Tensor::arange(document.batch, (Kind::Int64, Device::Cpu));
        let loss = logits.mean_dim(0, false, Kind::Float).cross_entropy_for_logits(&labels);
        loss.backward();
        let loss_error = (loss.double_value(&[]) - case.loss).abs();
        let rate_error = rates
            .iter()
            .map(|layer| (layer.mean() - case.firing_rates[&layer.name]).abs())
            .fold(0.0, f64::max);
        let variables = store.variables();
        let norm_error = case
            .gradient_norms
            .iter()
            .filter(|(_, expected)| **expected > 1e-6)
            .map(|(name, &expected)| {
                relative_norm_error(variables[name].grad().norm().double_value(&[]), expected)
            })
            .fold(0.0, f64::max);
        println!(
            "{what}: logits {logits_error:.1e}, loss {loss_error:.1e}, rates {rate_error:.1e}, \
             gradient norms {norm_error:.1e}"
        );
        assert!(logits_error <= 1e-3, "{what}: logits off by {logits_error}");
        assert!(loss_error <= 1e-3, "{what}: loss off by {loss_error}");
        assert!(rate_error <= 1e-4, "{what}: firing rates off by {rate_error}");
        assert!(norm_error <= 1e-2, "{what}: gradient norms off by {norm_error}");
    }
}
