//! Batch norm and neuron as one operation, compared with libtorch's batch norm followed by the neuron.

mod common;

use common::Noise;
use tch::{Device, Kind, Tensor};
use tks_autograd::{BatchNorm, LearnedTensors, batch_norm_multi_step, multi_step};
use tks_neuron::{Model, Neuron, ResetTime, Surrogate};

const SHAPE: [i64; 5] = [4, 3, 6, 5, 7];

struct Outcome {
    spikes: Tensor,
    others: Vec<(&'static str, Tensor)>,
}

fn outcome(neuron: &Neuron, channels_last: bool, training: bool, fused: bool) -> Outcome {
    let noise = Noise::new(3);
    let random = |shape: &[i64]| noise.tensor(shape);
    // Channels with different means and scales, some with a mean that is large compared with the deviation.
    let spread = Tensor::from_slice(&[0.0f32, 1.0, -3.0, 10.0, 0.5, -0.2]).reshape([6, 1, 1]);
    let mut x = random(&SHAPE) * (spread.abs() + 0.3) + spread * 3.0;
    if channels_last {
        x = x.permute([0, 1, 3, 4, 2]).contiguous().permute([0, 1, 4, 2, 3]);
    }
    let x = x.detach().set_requires_grad(true);
    let weight = (random(&[6]) * 0.3 + 1.0).set_requires_grad(true);
    let bias = (random(&[6]) * 0.3 + 0.4).set_requires_grad(true);
    let (running_mean, running_var) = (random(&[6]), random(&[6]).abs() + 0.5);
    let own = neuron.model.learned().into_iter();
    let parameters: Vec<Tensor> =
        own.map(|(_, value)| Tensor::from_slice(&[value]).set_requires_grad(true)).collect();
    let learned = LearnedTensors { parameters: &parameters, v_threshold: None };
    let output = if fused {
        let norm = BatchNorm {
            weight: &weight,
            bias: &bias,
            running_mean: &running_mean,
            running_var: &running_var,
            training,
            momentum: 0.1,
            eps: 1e-5,
        };
        batch_norm_multi_step(&norm, neuron, &x, None, learned).unwrap()
    } else {
        let y = x.flatten(0, 1).batch_norm(
            Some(&weight),
            Some(&bias),
            Some(&running_mean),
            Some(&running_var),
            training,
            0.1,
            1e-5,
            false,
        );
        multi_step(neuron, &y.reshape(SHAPE), None, learned).unwrap()
    };
    (&output.spikes * random(&SHAPE)).sum(Kind::Float).backward();
    let mut others = vec![
        ("membrane", output.state.membrane.detach()),
        ("gradient of the input", x.grad()),
        ("gradient of the weight", weight.grad()),
        ("gradient of the bias", bias.grad()),
        ("running mean", running_mean),
        ("running variance", running_var),
    ];
    others.extend(parameters.iter().map(|parameter| ("gradient of a parameter", parameter.grad())));
    Outcome { spikes: output.spikes.detach(), others }
}

#[test]
fn one_operation_equals_batch_norm_and_then_the_neuron() {
    let lif = Model::Lif { tau: 2.0, decay_input: true };
    for neuron in [
        Neuron::new(lif),
        Neuron { v_reset: None, surrogate: Surrogate::QGate { alpha: 2.0 }, ..Neuron::new(lif) },
        Neuron { detach_reset: true, reset_time: ResetTime::NextStep, ..Neuron::new(lif) },
        Neuron::new(Model::Plif { init_tau: 2.0, decay_input: true }),
        Neuron::new(Model::Plif { init_tau: 2.0, decay_input: false }),
        Neuron::new(Model::CubaLif { tau: 2.0, tau_synapse: 2.0, decay_input: true }),
        Neuron::new(Model::Alif { tau: 2.0, tau_adaptation: 5.0, beta: 0.5, decay_input: true }),
    ] {
        for channels_last in [false, true] {
            for training in [false, true] {
                let expected = outcome(&neuron, channels_last, training, false);
                let actual = outcome(&neuron, channels_last, training, true);
                let rate = actual.spikes.mean(Kind::Float).double_value(&[]);
                assert!(rate > 0.05, "silent neurons test nothing: {rate}");
                let flips = actual.spikes.ne_tensor(&expected.spikes).sum(Kind::Int64).int64_value(&[]);
                assert_eq!(flips, 0, "spikes that differ, channels last {channels_last}: {neuron:?}");
                for ((name, actual), (_, expected)) in actual.others.iter().zip(&expected.others) {
                    let worst = (actual - expected).abs().max().double_value(&[]);
                    let scale = expected.abs().max().double_value(&[]);
                    assert!(worst <= 1e-5 * scale, "{name} is off by {:.1e}: {neuron:?}", worst / scale);
                }
            }
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let noise = Noise::new(4);
    let random = |shape: &[i64]| noise.tensor(shape);
    let (five, six) = (Tensor::ones([5], (Kind::Float, Device::Cpu)), random(&[6]));
    let norm = BatchNorm {
        weight: &five,
        bias: &six,
        running_mean: &six,
        running_var: &six,
        training: true,
        momentum: 0.1,
        eps: 1e-5,
    };
    let run = |norm: &BatchNorm<'_>, shape: &[i64]| {
        batch_norm_multi_step(norm, &Neuron::default(), &random(shape), None, LearnedTensors::default())
            .unwrap_err()
            .to_string()
    };
    let error = run(&norm, &SHAPE);
    assert!(error.contains("`weight` has the shape [5]"), "{error}");
    let norm = BatchNorm { weight: &six, ..norm };
    assert!(run(&norm, &[1, 1, 6]).contains("2 or more values"));
    assert!(run(&norm, &[3, 6]).contains("[T, B, C, ...]"));
}
