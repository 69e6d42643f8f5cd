//! The fused and the plain operation, compared with the peers' values and with each other.

mod common;

use common::{Noise, Operation, error, golden_neurons};
use tch::{Device, Kind, Tensor};
use tks_autograd::{LearnedTensors, State, multi_step, plain};
use tks_golden::{noise, relative_error, test_neurons};
use tks_neuron::kernel::Kernel;
use tks_neuron::reference::{self, Learned};
use tks_neuron::{Neuron, Surrogate};

#[test]
fn golden_neurons_by_autograd() {
    for (name, operation) in [("fused", multi_step as Operation), ("plain", plain::multi_step)] {
        golden_neurons(name, operation, Device::Cpu);
    }
}

/// Every gradient of one run (input, membrane potential, auxiliary state, parameter, threshold), and the
/// outputs.
fn everything(operation: Operation, neuron: &Neuron, layout: fn(&Tensor) -> Tensor) -> Vec<Tensor> {
    let noise = Noise::new(7);
    let random = |shape: &[i64]| noise.tensor(shape);
    let shape = [5, 2, 3, 4, 4];
    let x = layout(&(random(&shape) * 1.5 + 0.5)).detach().set_requires_grad(true);
    let membrane = random(&shape[1..]).set_requires_grad(true);
    let two = neuron.model.auxiliary_state().is_some();
    let auxiliary = two.then(|| random(&shape[1..]).set_requires_grad(true));
    let state = State {
        membrane: membrane.shallow_clone(),
        auxiliary: auxiliary.as_ref().map(Tensor::shallow_clone),
    };
    let learned = neuron.model.learned().into_iter();
    let parameters: Vec<Tensor> =
        learned.map(|(_, value)| Tensor::from_slice(&[value]).set_requires_grad(true)).collect();
    let v_threshold = Tensor::from(neuron.v_threshold).set_requires_grad(true);
    let learned = LearnedTensors { parameters: &parameters, v_threshold: Some(&v_threshold) };
    let output = operation(neuron, &x, Some(&state), learned).unwrap();
    let mut loss = (&output.spikes * random(&shape)).sum(Kind::Float);
    loss += (&output.state.membrane * random(&shape[1..])).sum(Kind::Float);
    if let Some(auxiliary) = &output.state.auxiliary {
        loss += (auxiliary * random(&shape[1..])).sum(Kind::Float);
    }
    loss.backward();
    let mut found = vec![output.spikes.detach(), output.state.membrane.detach(), x.grad(), membrane.grad()];
    found.push(v_threshold.grad());
    found.extend(output.state.auxiliary.map(|auxiliary| auxiliary.detach()));
    found.extend(auxiliary.map(|auxiliary| auxiliary.grad()));
    found.extend(parameters.iter().map(Tensor::grad));
    found
}

#[test]
fn fused_equals_plain_in_value_and_every_gradient() {
    fn contiguous(x: &Tensor) -> Tensor {
        x.contiguous()
    }
    fn channels_last(x: &Tensor) -> Tensor {
        x.permute([0, 1, 3, 4, 2]).contiguous().permute([0, 1, 4, 2, 3])
    }
    fn batch_first(x: &Tensor) -> Tensor {
        x.transpose(0, 1).contiguous().transpose(0, 1)
    }
    for neuron in test_neurons() {
        if Kernel::new(&neuron).is_err() {
            continue;
        }
        let expected = everything(plain::multi_step, &neuron, contiguous);
        for layout in [contiguous, channels_last, batch_first] {
            let actual = everything(multi_step, &neuron, layout);
            assert_eq!(actual.len(), expected.len());
            assert_eq!(actual[0], expected[0], "spikes of {neuron:?}");
            for (i, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
                let error = error(actual, expected);
                // A sum over all neurons and steps, of both signs, loses a digit to cancellation.
                let tolerance = if expected.numel() == 1 { 1e-4 } else { 1e-5 };
                assert!(error <= tolerance, "{neuron:?}: output {i} is off by {error:.1e}");
            }
        }
    }
}

/// Every model with every option: spikes, state and each gradient of the plain operations equal those of the
/// scalar reference, which uses forward-mode differentiation.
#[test]
fn plain_equals_the_reference_in_value_and_every_gradient() {
    let (t, n) = (7, 11);
    for (index, neuron) in test_neurons().iter().enumerate() {
        let draw = |part: u64, count: usize| noise(100 * index as u64 + part, count);
        let tensor = |values: &[f32], size: &[i64]| Tensor::from_slice(values).reshape(size);
        let leaf = |values: &[f32], size: &[i64]| tensor(values, size).set_requires_grad(true);
        let (rows, row) = ([t as i64, n as i64], [n as i64]);
        let input: Vec<f32> = draw(0, t * n).iter().map(|x| 0.9 * x + 0.4).collect();
        let has_auxiliary = neuron.model.auxiliary_state().is_some();
        let [membrane, mut auxiliary, grad_membrane, mut grad_auxiliary] =
            [1, 2, 3, 4].map(|part| draw(part, n));
        if !has_auxiliary {
            auxiliary.fill(0.0);
            grad_auxiliary.fill(0.0);
        }
        let grad_spikes = draw(5, t * n);
        let mut learned = Learned::<f32>::initial(neuron);
        learned.parameters.iter_mut().for_each(|value| *value += 0.1);

        let x = leaf(&input, &rows);
        let state = State {
            membrane: leaf(&membrane, &row),
            auxiliary: has_auxiliary.then(|| leaf(&auxiliary, &row)),
        };
        let parameters: Vec<Tensor> = learned.parameters.iter().map(|&value| leaf(&[value], &[])).collect();
        let v_threshold = leaf(&[learned.v_threshold], &[]);
        let tensors = LearnedTensors { parameters: &parameters, v_threshold: Some(&v_threshold) };
        let output = plain::multi_step(neuron, &x, Some(&state), tensors).unwrap();
        let mut loss = (&output.spikes * tensor(&grad_spikes, &rows)).sum(Kind::Float)
            + (&output.state.membrane * tensor(&grad_membrane, &row)).sum(Kind::Float);
        if let Some(last) = &output.state.auxiliary {
            loss += (last * tensor(&grad_auxiliary, &row)).sum(Kind::Float);
        }
        loss.backward();
        let values = |tensor: &Tensor| Vec::<f32>::try_from(tensor.detach().reshape([-1])).unwrap();
        let grad = |tensor: &Tensor| match tensor.grad() {
            grad if grad.defined() => values(&grad),
            _ => vec![0.0; tensor.numel()],
        };

        let column = |rows: &[f32], i: usize| -> Vec<f32> { (0..t).map(|t| rows[t * n + i]).collect() };
        let (mut expected, mut sums) = (Vec::new(), vec![0.0; 1 + parameters.len()]);
        let (mut actual, mut scale) = (Vec::new(), 0.0f32);
        for i in 0..n {
            let start = reference::State { membrane: membrane[i], auxiliary: auxiliary[i] };
            let run = reference::run(neuron, &learned, &column(&input, i), start);
            assert_eq!(column(&values(&output.spikes), i), run.spikes, "{neuron:?}");
            let end = reference::State { membrane: grad_membrane[i], auxiliary: grad_auxiliary[i] };
            let gradient = reference::gradient(
                neuron,
                &learned,
                &column(&input, i),
                start,
                &column(&grad_spikes, i),
                end,
            );
            expected.extend([run.state.membrane, gradient.initial.membrane]);
            actual.extend([values(&output.state.membrane)[i], grad(&state.membrane)[i]]);
            if let (Some(first), Some(last)) = (&state.auxiliary, &output.state.auxiliary) {
                expected.extend([run.state.auxiliary, gradient.initial.auxiliary]);
                actual.extend([values(last)[i], grad(first)[i]]);
            }
            expected.extend(gradient.input);
            actual.extend(column(&grad(&x), i));
            for (sum, part) in sums.iter_mut().zip([gradient.v_threshold].iter().chain(&gradient.parameters))
            {
                *sum += part;
                scale += part.abs();
            }
        }
        let error = relative_error(&actual, &expected);
        assert!(error < 2e-5, "{neuron:?}: off by {error:.1e}");
        for (sum, tensor) in sums.iter().zip([&v_threshold].into_iter().chain(&parameters)) {
            assert!(
                (grad(tensor)[0] - sum).abs() <= 2e-5 * scale,
                "{neuron:?}: {:?} and {sum}",
                grad(tensor)
            );
        }
    }
}

#[test]
fn surrogates_of_the_plain_path_equal_the_core() {
    let u = Tensor::linspace(-2.5, 2.5, 1001, (Kind::Float, Device::Cpu)) + 0.0013;
    let values = Vec::<f32>::try_from(&u).unwrap();
    for &surrogate in Surrogate::all() {
        let expected: Vec<f32> = values.iter().map(|&u| surrogate.derivative(u)).collect();
        let actual = plain::derivative(&u, &surrogate).unwrap();
        let error = error(&actual, &Tensor::from_slice(&expected));
        assert!(error < 1e-5, "{}: {error:.1e}", surrogate.name());
        let u = u.copy().set_requires_grad(true);
        plain::spike(&u, &surrogate, false).unwrap().sum(Kind::Float).backward();
        assert!(((u.grad() - Tensor::from_slice(&expected)).abs().max().double_value(&[])) < 1e-5);
    }
}

#[test]
fn half_precision_input_is_computed_in_single() {
    let x = (Noise::new(8).tensor(&[4, 3, 8]) + 0.5).to_kind(Kind::BFloat16);
    let half = x.detach().set_requires_grad(true);
    let single = x.to_kind(Kind::Float).set_requires_grad(true);
    let neuron = Neuron::default();
    let output = multi_step(&neuron, &half, None, LearnedTensors::default()).unwrap();
    let expected = multi_step(&neuron, &single, None, LearnedTensors::default()).unwrap();
    assert_eq!(output.spikes.kind(), Kind::BFloat16);
    assert_eq!(output.spikes.to_kind(Kind::Float), expected.spikes);
    output.spikes.sum(Kind::BFloat16).backward();
    expected.spikes.sum(Kind::Float).backward();
    assert!(error(&half.grad().to_kind(Kind::Float), &single.grad()) < 0.01);
}

#[test]
fn a_graph_is_walked_once_and_not_twice_differentiated() {
    let x = Noise::new(9).tensor(&[3, 4]).set_requires_grad(true);
    let y = multi_step(&Neuron::default(), &x, None, LearnedTensors::default()).unwrap().spikes;
    let loss = y.sum(Kind::Float);
    let refused = Tensor::f_run_backward(&[&loss], &[&x], true, true).unwrap_err().to_string();
    assert!(refused.contains("second derivative"), "{refused}");
    loss.backward();
    assert!(loss.f_backward().is_err());
    let silent =
        tch::no_grad(|| multi_step(&Neuron::default(), &x, None, LearnedTensors::default()).unwrap());
    assert!(!silent.spikes.requires_grad());
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let neuron = Neuron::default();
    let none = LearnedTensors::default();
    let x = Tensor::zeros([3, 2, 4], (Kind::Float, Device::Cpu));
    let state = State { membrane: Tensor::zeros([2, 5], (Kind::Float, Device::Cpu)), auxiliary: None };
    let problem = multi_step(&neuron, &x, Some(&state), none).unwrap_err().to_string();
    assert!(problem.contains("`membrane` has the shape [2, 5]") && problem.contains("[2, 4]"), "{problem}");
    let problem = multi_step(&neuron, &x.to_kind(Kind::Int64), None, none).unwrap_err().to_string();
    assert!(problem.contains("f32 or bf16"), "{problem}");
    assert!(multi_step(&neuron, &Tensor::from(1.0f32), None, none).is_err());
    let w = Tensor::zeros([2], (Kind::Float, Device::Cpu));
    let learned = LearnedTensors { parameters: &[w], v_threshold: None };
    assert!(multi_step(&neuron, &x, None, learned).is_err());
    let empty = multi_step(&neuron, &Tensor::zeros([0, 2], (Kind::Float, Device::Cpu)), None, none);
    assert_eq!(empty.unwrap().spikes.size(), [0, 2]);
}

#[test]
fn a_cleared_gradient_is_gone_and_comes_back() {
    let x = Noise::new(10).tensor(&[3, 4]).set_requires_grad(true);
    let step = || x.square().sum(Kind::Float).backward();
    step();
    let first = x.grad().copy();
    tks_autograd::clear_grad(&x).unwrap();
    assert!(!x.grad().defined());
    step();
    assert_eq!(x.grad(), first);
}
