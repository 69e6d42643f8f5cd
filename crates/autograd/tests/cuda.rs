//! The GPU kernels: compiled if NVRTC is installed, run if there is a GPU.

mod common;

use common::{Noise, error, golden_neurons};
use tch::{Device, Kind, Tensor};
use tks_autograd::{LearnedTensors, State, cuda, membranes, multi_step, plain, spike};
use tks_neuron::cuda::{Program, Storage, spike_text};
use tks_neuron::{Model, Neuron, ResetTime, Surrogate};
use tks_torch::TorchError;

/// Whether NVRTC is installed; prints a message if not.
fn has_compiler(test: &str) -> bool {
    let there = cuda::is_compiler_present();
    if !there {
        eprintln!("{test}: skipped, NVRTC is not installed (`cargo xtask setup --nvrtc`)");
    }
    there
}

/// The GPU, if there is one; prints a message if not.
fn gpu(test: &str) -> Option<Device> {
    if cuda::load() {
        return Some(Device::Cuda(0));
    }
    eprintln!("{test}: skipped, libtorch finds no GPU");
    None
}

#[test]
fn every_kernel_compiles_for_sm_80_and_sm_90() {
    if !has_compiler("every_kernel_compiles_for_sm_80_and_sm_90") {
        return;
    }
    for capability in [80, 90] {
        let has = |ptx: String, kernels: [&str; 2]| {
            assert!(ptx.contains(&format!(".target sm_{capability}")), "{ptx}");
            for kernel in kernels {
                assert!(ptx.contains(&format!(".entry {kernel}(")), "{kernel} is not in {ptx}");
            }
        };
        for (i, model) in Model::all().iter().copied().enumerate() {
            let storage = if i % 2 == 0 { Storage::F32 } else { Storage::Bf16 };
            let late = Neuron { reset_time: ResetTime::NextStep, detach_reset: true, ..Neuron::new(model) };
            let neuron = if i % 3 == 0 && late.check().is_ok() { late } else { Neuron::new(model) };
            let program = Program::new(&neuron, storage, 16).unwrap();
            let ptx = cuda::compile(&program.text, capability).unwrap();
            has(ptx, ["neuron_forward", "neuron_backward"]);
        }
        for &surrogate in Surrogate::all() {
            let text = spike_text(surrogate, true, Storage::F32);
            has(cuda::compile(&text, capability).unwrap(), ["spike_forward", "spike_backward"]);
        }
    }
}

#[test]
fn a_mistake_in_a_text_is_told() {
    if !has_compiler("a_mistake_in_a_text_is_told") {
        return;
    }
    let problem = cuda::compile("extern \"C\" __global__ void f() { nonsense; }", 90).unwrap_err();
    assert!(
        matches!(&problem, TorchError::Cuda { .. }) && problem.to_string().contains("nonsense"),
        "{problem}"
    );
}

#[test]
fn golden_neurons_on_the_gpu() {
    if let Some(device) = gpu("golden_neurons_on_the_gpu") {
        golden_neurons("on the GPU", multi_step, device);
    }
}

#[test]
fn every_model_on_the_gpu_equals_plain_operations() {
    let Some(device) = gpu("every_model_on_the_gpu_equals_plain_operations") else { return };
    for (i, model) in Model::all().iter().copied().enumerate() {
        let neuron = Neuron { v_reset: (i % 2 == 0).then_some(0.0), ..Neuron::new(model) };
        let shape = [37, 3, 50];
        let run = |operation: common::Operation, device: Device| {
            let noise = Noise::new(i as u64);
            let x = (noise.tensor(&shape) + 0.3).to_device(device).set_requires_grad(true);
            let membrane = noise.tensor(&shape[1..]).to_device(device).set_requires_grad(true);
            let state = State { membrane: membrane.shallow_clone(), auxiliary: None };
            let own = neuron.model.learned().into_iter();
            let parameters: Vec<Tensor> =
                own.map(|(_, value)| Tensor::from(value).to_device(device).set_requires_grad(true)).collect();
            let learned = LearnedTensors { parameters: &parameters, v_threshold: None };
            let output = operation(&neuron, &x, Some(&state), learned).unwrap();
            let weight = noise.tensor(&shape).to_device(device);
            ((&output.spikes * weight).sum(Kind::Float) + output.state.membrane.sum(Kind::Float)).backward();
            let mut all = vec![output.spikes.detach(), x.grad(), membrane.grad()];
            all.extend(parameters.iter().map(Tensor::grad));
            all.into_iter().map(|tensor| tensor.to_device(Device::Cpu)).collect::<Vec<_>>()
        };
        let expected = run(plain::multi_step, Device::Cpu);
        let actual = run(multi_step, device);
        assert_eq!(actual[0], expected[0], "{neuron:?}");
        for (actual, expected) in actual.iter().zip(&expected) {
            assert!(error(actual, expected) < 1e-4, "{neuron:?}: {:e}", error(actual, expected));
        }
        let x = Noise::new(5).tensor(&shape).to_device(device);
        let trace = membranes(&neuron, &x, None, LearnedTensors::default()).unwrap();
        let last = multi_step(&neuron, &x, None, LearnedTensors::default()).unwrap().state.membrane;
        assert_eq!(trace.select(0, -1), last);
    }
}

#[test]
fn spikes_on_the_gpu_equal_those_here() {
    let Some(device) = gpu("spikes_on_the_gpu_equal_those_here") else { return };
    for &surrogate in Surrogate::all() {
        let run = |device: Device| {
            let u = Noise::new(3).tensor(&[1000]).to_device(device).set_requires_grad(true);
            let s = spike(&u, &surrogate, false).unwrap();
            s.sum(Kind::Float).backward();
            (s.detach().to_device(Device::Cpu), u.grad().to_device(Device::Cpu))
        };
        let (here, there) = (run(Device::Cpu), run(device));
        assert_eq!(here.0, there.0);
        assert!(error(&there.1, &here.1) < 1e-5, "{}", surrogate.name());
    }
}
