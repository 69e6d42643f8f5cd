//! Tensors for tests, and the peers' neurons on a device.
#![allow(dead_code)] // each test binary uses a part of it

use std::cell::Cell;

use tch::{Device, Kind, Tensor};
use tks_autograd::{AutogradError, LearnedTensors, Output, State};
use tks_golden::{NeuronCase, cases_of_kind};
use tks_neuron::{Neuron, NeuronError};

/// An implementation of neurons over a sequence.
pub(crate) type Operation =
    fn(&Neuron, &Tensor, Option<&State>, LearnedTensors<'_>) -> Result<Output, AutogradError>;

/// Largest difference relative to the largest expected magnitude; infinite if a value is not finite.
pub(crate) fn error(actual: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(actual.size(), expected.size());
    if expected.numel() == 0 {
        return 0.0;
    }
    let worst = (actual - expected).abs().max().double_value(&[]);
    let scale = expected.abs().max().double_value(&[]).max(f64::MIN_POSITIVE);
    if worst.is_finite() { worst / scale } else { f64::INFINITY }
}

/// Checks every golden neuron with an operation on a device: identical spikes, everything else to 1e-5.
pub(crate) fn golden_neurons(name: &str, operation: Operation, device: Device) {
    let cases = cases_of_kind("neuron").unwrap();
    assert!(!cases.is_empty());
    let mut failures = Vec::new();
    for case in cases {
        let case = NeuronCase::read(&case).unwrap();
        let shape = [case.time_steps as i64, case.neurons as i64];
        let tensor = |values: &[f32]| Tensor::from_slice(values).reshape(shape);
        let mut verdicts = Vec::new();
        for neuron in &case.candidates {
            let x = tensor(&case.input).to_device(device).set_requires_grad(true);
            let leaf = |value: f32| Tensor::from(value).to_device(device).set_requires_grad(true);
            let parameters: Vec<Tensor> = case.parameters.iter().map(|(value, _)| leaf(*value)).collect();
            let v_threshold = case.grad_v_threshold.map(|_| leaf(neuron.v_threshold));
            let learned = LearnedTensors { parameters: &parameters, v_threshold: v_threshold.as_ref() };
            let output = match operation(neuron, &x, None, learned) {
                Err(AutogradError::Neuron(NeuronError::NoKernel { .. })) => continue,
                output => output.unwrap(),
            };
            let grad_spikes = tensor(&case.grad_spikes).to_device(device);
            (&output.spikes * grad_spikes).sum(Kind::Float).backward();
            let here = |tensor: &Tensor| tensor.detach().to_device(Device::Cpu);
            let flips =
                here(&output.spikes).ne_tensor(&tensor(&case.spikes)).sum(Kind::Int64).int64_value(&[]);
            let mut worst = error(&here(&x.grad()), &tensor(&case.grad_input));
            let expected = case.parameters.iter().map(|(_, grad)| *grad).chain(case.grad_v_threshold);
            for (leaf, grad) in parameters.iter().chain(&v_threshold).zip(expected) {
                worst = worst.max(error(&here(&leaf.grad()), &Tensor::from(grad)));
            }
            let last = tensor(&case.membranes).select(0, -1);
            worst = worst.max(error(&here(&output.state.membrane), &last));
            verdicts.push((flips, worst));
        }
        if !verdicts.is_empty() && !verdicts.iter().any(|&(flips, worst)| flips == 0 && worst <= 1e-5) {
            failures.push(format!("{} {name}: {verdicts:?}", case.file));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A separate tensor generator: libtorch's is shared by tests that run in parallel.
pub(crate) struct Noise(Cell<u64>);

impl Noise {
    /// The same seed gives the same tensors.
    pub(crate) fn new(seed: u64) -> Self {
        Noise(Cell::new(seed << 32))
    }

    /// Uniform on [-sqrt(3), sqrt(3)), with variance 1.
    pub(crate) fn tensor(&self, shape: &[i64]) -> Tensor {
        self.0.set(self.0.get() + 1);
        let length = shape.iter().product::<i64>() as usize;
        Tensor::from_slice(&tks_golden::noise(self.0.get(), length)).reshape(shape) * 3f64.sqrt()
    }
}
