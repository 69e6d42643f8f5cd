//! The backward kernels' faster path compared with the one that is tested against the reference, and the sums
//! over channels compared with sequential sums.

mod common;

use common::{has_auxiliary, neurons};
use tks_golden::noise;
use tks_neuron::kernel::{Backward, ChannelAffine, ChannelSums, Forward, GradSpikes, Kernel, Spikes};
use tks_neuron::{Model, Neuron};

/// The other requested gradients determine which loops run; `kernels.rs` compares those of `learned` with the
/// reference.
#[test]
fn a_gradient_does_not_depend_on_what_else_is_asked_for() {
    // More neurons than a strip of a block.
    let (t, n) = (5, 300);
    for (index, neuron) in neurons().iter().enumerate() {
        let seed = 10 * index as u64;
        let input: Vec<f32> = noise(seed, t * n).iter().map(|x| 1.6 * x + 0.5).collect();
        let (grad_spikes, membrane) = (noise(seed + 1, t * n), noise(seed + 2, n));
        let (grad_membrane, grad_auxiliary) = (noise(seed + 3, n), noise(seed + 4, n));
        let two = has_auxiliary(neuron);
        let kernel = Kernel::new(neuron).unwrap();
        let run = |learned: bool| {
            let (mut grad_input, mut grad_initial) = (vec![7.0; t * n], vec![7.0; n]);
            let mut grad_initial_auxiliary = vec![7.0; n];
            let backward = Backward {
                initial_membrane: Some(&membrane),
                grad_final_membrane: Some(&grad_membrane),
                grad_final_auxiliary: two.then_some(&grad_auxiliary),
                grad_initial_membrane: Some(&mut grad_initial),
                grad_initial_auxiliary: two.then_some(&mut grad_initial_auxiliary),
                learned,
                ..Backward::new(t, n, &input, GradSpikes::Rows(&grad_spikes), &mut grad_input)
            };
            let gradients = kernel.backward(backward).unwrap();
            (grad_input, grad_initial, grad_initial_auxiliary, gradients)
        };
        let (with, without) = (run(true), run(false));
        assert_eq!((with.0, with.1, with.2), (without.0, without.1, without.2), "{neuron:?}");
        assert_eq!((without.3.parameter, without.3.v_threshold), (0.0, 0.0), "not asked for");
    }
}

#[test]
fn a_channels_sums_are_those_of_its_neurons_and_steps() {
    // Several blocks, with channels that start anywhere in them.
    let (t, n) = (3, 2400);
    let input = noise(1, t * n);
    let grad_spikes = noise(2, t * n);
    let kernel = Kernel::new(&Neuron::new(Model::Plif { init_tau: 2.0, decay_input: true })).unwrap();
    for (channels, inner) in [(1, 1), (3, 8), (3, 800), (5, 1), (48, 50), (100, 24), (1200, 2), (2400, 1)] {
        let (scale, shift) = (noise(3, channels), noise(4, channels));
        for learned in [false, true] {
            let mut grad_input = vec![0.0; t * n];
            let mut sums = vec![ChannelSums { grad: 5.0, grad_x: 5.0 }; channels];
            let backward = Backward {
                affine: Some(ChannelAffine { scale: &scale, shift: &shift, inner }),
                channel_sums: Some(&mut sums),
                learned,
                ..Backward::new(t, n, &input, GradSpikes::Rows(&grad_spikes), &mut grad_input)
            };
            kernel.backward(backward).unwrap();
            let mut expected = vec![ChannelSums::default(); channels];
            for (index, (&grad, &x)) in grad_input.iter().zip(&input).enumerate() {
                let sum = &mut expected[index % n / inner % channels];
                sum.grad += f64::from(grad);
                sum.grad_x += f64::from(grad) * f64::from(x);
            }
            assert!(expected.iter().any(|sum| sum.grad.abs() > 0.01));
            for (channel, (found, expected)) in sums.iter().zip(&expected).enumerate() {
                let off = [found.grad - expected.grad, found.grad_x - expected.grad_x];
                let place = format!(
                    "{channels} channels, {inner} in a row, channel {channel}: {found:?} {expected:?}"
                );
                assert!(off.iter().all(|off| off.abs() < 1e-4), "{place}");
            }
        }
    }
}

#[test]
fn a_state_that_is_left_out_is_the_one_at_rest() {
    let (t, n) = (4, 70);
    for (index, neuron) in neurons().iter().enumerate() {
        let input: Vec<f32> = noise(index as u64, t * n).iter().map(|x| 1.6 * x + 0.5).collect();
        let grad_spikes = noise(index as u64 + 1000, t * n);
        let kernel = Kernel::new(neuron).unwrap();
        let (rest, zeros) = (vec![neuron.v_rest(); n], vec![0.0; n]);
        let run = |given: bool| {
            let (mut spikes, mut grad_input) = (vec![0.0; t * n], vec![0.0; t * n]);
            let (initial_membrane, initial_auxiliary) =
                (given.then_some(&rest[..]), (given && has_auxiliary(neuron)).then_some(&zeros[..]));
            let forward = Forward {
                initial_membrane,
                initial_auxiliary,
                ..Forward::new(t, n, &input, Spikes::F32(&mut spikes))
            };
            kernel.forward(forward).unwrap();
            let backward = Backward {
                initial_membrane,
                initial_auxiliary,
                grad_final_membrane: given.then_some(&zeros),
                learned: true,
                ..Backward::new(t, n, &input, GradSpikes::Rows(&grad_spikes), &mut grad_input)
            };
            let learned = kernel.backward(backward).unwrap();
            (spikes, grad_input, learned)
        };
        assert_eq!(run(true), run(false), "{neuron:?}");
    }
}

#[test]
fn a_scale_and_a_shift_are_those_of_the_input() {
    let (t, n) = (3, 600);
    let input = noise(1, t * n);
    let (scale, shift) = (noise(2, 3), noise(3, 3));
    for (index, neuron) in neurons().iter().enumerate() {
        let kernel = Kernel::new(neuron).unwrap();
        let inner = [1, 4, 200][index % 3];
        let place = |at: usize| at % n / inner % 3;
        let scaled: Vec<f32> =
            input.iter().enumerate().map(|(at, x)| x * scale[place(at)] + shift[place(at)]).collect();
        let run = |input: &[f32], affine: Option<ChannelAffine<'_>>| {
            let (mut spikes, mut membranes, mut grad) =
                (vec![0.0; t * n], vec![0.0; t * n], vec![0.0; t * n]);
            let forward = Forward {
                affine,
                membranes: Some(&mut membranes),
                ..Forward::new(t, n, input, Spikes::F32(&mut spikes))
            };
            kernel.forward(forward).unwrap();
            let backward =
                Backward { affine, ..Backward::new(t, n, input, GradSpikes::Uniform(1.0), &mut grad) };
            kernel.backward(backward).unwrap();
            (spikes, membranes, grad)
        };
        let affine = ChannelAffine { scale: &scale, shift: &shift, inner };
        assert_eq!(run(&input, Some(affine)), run(&scaled, None), "{neuron:?}");
    }
}
