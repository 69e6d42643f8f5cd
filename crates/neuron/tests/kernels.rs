//! The fused kernels compared with the scalar reference and its forward-mode gradient; invariants; bad input.

mod common;

use common::{has_auxiliary, neurons};
use half::bf16;
use proptest::prelude::*;
use tks_golden::{noise, relative_error};
use tks_neuron::kernel::{
    Backward, ChannelAffine, ChannelSums, Forward, GradSpikes, Kernel, Spikes, unpack, words_per_step,
};
use tks_neuron::reference::{Learned, State, gradient, run};
use tks_neuron::{Model, Neuron, NeuronError};

#[test]
fn kernels_equal_the_reference_in_value_and_gradient() {
    let (t, n) = (7, 37);
    for (index, neuron) in neurons().iter().enumerate() {
        let seed = index as u64;
        let input: Vec<f32> = noise(seed, t * n).iter().map(|x| 1.6 * x + 0.5).collect();
        let (membrane, auxiliary) = (noise(seed + 1000, n), noise(seed + 2000, n));
        let (grad_spikes, grad_membrane) = (noise(seed + 3000, t * n), noise(seed + 4000, n));
        let grad_auxiliary = noise(seed + 5000, n);
        let two = has_auxiliary(neuron);

        let kernel = Kernel::new(neuron).unwrap();
        let (mut spikes, mut membranes) = (vec![0.0; t * n], vec![0.0; t * n]);
        let (mut final_membrane, mut final_auxiliary) = (vec![0.0; n], vec![0.0; n]);
        kernel
            .forward(Forward {
                initial_membrane: Some(&membrane),
                initial_auxiliary: two.then_some(&auxiliary),
                final_membrane: Some(&mut final_membrane),
                final_auxiliary: two.then_some(&mut final_auxiliary),
                membranes: Some(&mut membranes),
                ..Forward::new(t, n, &input, Spikes::F32(&mut spikes))
            })
            .unwrap();
        let mut grad_input = vec![0.0; t * n];
        let (mut grad_initial, mut grad_initial_auxiliary) = (vec![0.0; n], vec![0.0; n]);
        let learned = kernel
            .backward(Backward {
                initial_membrane: Some(&membrane),
                initial_auxiliary: two.then_some(&auxiliary),
                grad_final_membrane: Some(&grad_membrane),
                grad_final_auxiliary: two.then_some(&grad_auxiliary),
                grad_initial_membrane: Some(&mut grad_initial),
                grad_initial_auxiliary: two.then_some(&mut grad_initial_auxiliary),
                learned: true,
                ..Backward::new(t, n, &input, GradSpikes::Rows(&grad_spikes), &mut grad_input)
            })
            .unwrap();

        let mut expected_input = vec![0.0; t * n];
        let (mut expected_initial, mut expected_auxiliary) = (vec![0.0; n], vec![0.0; n]);
        let (mut parameter, mut v_threshold) = (0.0f32, 0.0f32);
        let mut scale = 0.0f32;
        for i in 0..n {
            let column = |rows: &[f32]| -> Vec<f32> { (0..t).map(|t| rows[t * n + i]).collect() };
            let state = State { membrane: membrane[i], auxiliary: if two { auxiliary[i] } else { 0.0 } };
            let values = Learned::initial(neuron);
            let forward = run(neuron, &values, &column(&input), state);
            assert_eq!(column(&spikes), forward.spikes, "{neuron:?}, neuron {i}");
            let error = relative_error(&column(&membranes), &forward.membranes);
            assert!(error < 1e-5, "{neuron:?}, neuron {i}: membrane off by {error:.1e}");
            assert_eq!(final_membrane[i], membranes[(t - 1) * n + i]);
            if two {
                assert!((final_auxiliary[i] - forward.state.auxiliary).abs() < 1e-5, "{neuron:?}");
            }
            let grad_final =
                State { membrane: grad_membrane[i], auxiliary: if two { grad_auxiliary[i] } else { 0.0 } };
            let grads = gradient(neuron, &values, &column(&input), state, &column(&grad_spikes), grad_final);
            for t in 0..t {
                expected_input[t * n + i] = grads.input[t];
            }
            expected_initial[i] = grads.initial.membrane;
            expected_auxiliary[i] = grads.initial.auxiliary;
            parameter += grads.parameters.iter().sum::<f32>();
            v_threshold += grads.v_threshold;
            scale += grads.v_threshold.abs() + grads.parameters.iter().map(|grad| grad.abs()).sum::<f32>();
        }
        for (name, actual, expected) in
            [("input", &grad_input, &expected_input), ("initial membrane", &grad_initial, &expected_initial)]
        {
            let error = relative_error(actual, expected);
            assert!(error < 2e-5, "{neuron:?}: gradient of the {name} off by {error:.1e}");
        }
        if two {
            let error = relative_error(&grad_initial_auxiliary, &expected_auxiliary);
            assert!(error < 2e-5, "{neuron:?}: gradient of the auxiliary state off by {error:.1e}");
        }
        if matches!(neuron.model, Model::Plif { .. }) {
            assert!((learned.parameter - parameter).abs() <= 2e-5 * scale, "{neuron:?}");
        } else {
            assert_eq!(learned.parameter, 0.0, "{neuron:?} has no learned parameter here");
        }
        assert!(
            (learned.v_threshold - v_threshold).abs() <= 2e-5 * scale,
            "{neuron:?}: gradient of the threshold {} instead of {v_threshold}",
            learned.v_threshold
        );
    }
}

#[test]
fn every_output_format_holds_the_same_spikes() {
    let (t, n) = (3, 1111);
    let input: Vec<f32> = noise(5, t * n).iter().map(|x| 3.0 * x).collect();
    let kernel = Kernel::new(&Neuron::default()).unwrap();
    let mut expected = vec![0.0; t * n];
    kernel.forward(Forward::new(t, n, &input, Spikes::F32(&mut expected))).unwrap();
    let rate = expected.iter().sum::<f32>() / expected.len() as f32;
    assert!((0.1..0.9).contains(&rate), "a test of silence tests nothing: {rate}");

    let mut half = vec![bf16::ZERO; t * n];
    kernel.forward(Forward::new(t, n, &input, Spikes::Bf16(&mut half))).unwrap();
    assert!(half.iter().zip(&expected).all(|(a, &b)| a.to_f32() == b));
    let mut bytes = vec![7u8; t * n];
    kernel.forward(Forward::new(t, n, &input, Spikes::U8(&mut bytes))).unwrap();
    assert!(bytes.iter().zip(&expected).all(|(&a, &b)| f32::from(a) == b));
    let words = words_per_step(n);
    let mut bits = vec![u64::MAX; t * words];
    kernel.forward(Forward::new(t, n, &input, Spikes::Bits(&mut bits))).unwrap();
    for step in 0..t {
        let mut unpacked = vec![0.0; n];
        unpack(&bits[step * words..][..words], &mut unpacked).unwrap();
        assert_eq!(unpacked, expected[step * n..][..n]);
    }
    assert_eq!(bits[words - 1] >> (n % 64), 0, "unused bits are 0");
    assert!(unpack(&bits, &mut [0.0; 64]).is_err());
}

#[test]
fn a_uniform_gradient_is_that_value_everywhere() {
    let (t, n) = (4, 200);
    let input = noise(8, t * n);
    let kernel = Kernel::new(&Neuron::default()).unwrap();
    let (mut uniform, mut rows) = (vec![0.0; t * n], vec![1.0; t * n]);
    kernel.backward(Backward::new(t, n, &input, GradSpikes::Uniform(0.25), &mut uniform)).unwrap();
    let quarter = vec![0.25; t * n];
    kernel.backward(Backward::new(t, n, &input, GradSpikes::Rows(&quarter), &mut rows)).unwrap();
    assert_eq!(uniform, rows);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let (t, n) = (5, 20_000);
    let input = noise(11, t * n);
    let neuron = Neuron::new(Model::Plif { init_tau: 2.0, decay_input: true });
    let kernel = Kernel::new(&neuron).unwrap();
    let outcome = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut spikes, mut grad_input) = (vec![0.0; t * n], vec![0.0; t * n]);
            kernel.forward(Forward::new(t, n, &input, Spikes::F32(&mut spikes))).unwrap();
            let mut arguments = Backward::new(t, n, &input, GradSpikes::Rows(&spikes), &mut grad_input);
            arguments.learned = true;
            let learned = kernel.backward(arguments).unwrap();
            (spikes, grad_input, learned)
        })
    };
    assert_eq!(outcome(1), outcome(2));
    assert_eq!(outcome(1), outcome(5));
}

#[test]
fn not_a_number_stays_with_its_neuron_and_infinity_fires() {
    let input = [0.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0, 3.0, 3.0, 3.0];
    let kernel = Kernel::new(&Neuron::default()).unwrap();
    let (mut spikes, mut membrane) = ([9.0; 8], [9.0; 4]);
    let mut forward = Forward::new(2, 4, &input, Spikes::F32(&mut spikes));
    forward.final_membrane = Some(&mut membrane);
    kernel.forward(forward).unwrap();
    assert_eq!(spikes, [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    assert!(membrane[1].is_nan());
    assert_eq!((membrane[0], membrane[2]), (0.0, 0.0));
}

#[test]
fn empty_shapes_do_nothing() {
    let kernel = Kernel::new(&Neuron::default()).unwrap();
    kernel.forward(Forward::new(4, 0, &[], Spikes::F32(&mut []))).unwrap();
    let (mut membrane, initial) = ([0.0; 2], [0.25, 0.5]);
    let mut forward = Forward::new(0, 2, &[], Spikes::F32(&mut []));
    forward.initial_membrane = Some(&initial);
    forward.final_membrane = Some(&mut membrane);
    kernel.forward(forward).unwrap();
    assert_eq!(membrane, initial);
    kernel.backward(Backward::new(0, 2, &[], GradSpikes::Uniform(1.0), &mut [])).unwrap();
}

#[test]
fn buffers_that_do_not_fit_are_named() {
    let kernel = Kernel::new(&Neuron::default()).unwrap();
    let mut spikes = [0.0; 6];
    let error = kernel.forward(Forward::new(2, 3, &[0.0; 5], Spikes::F32(&mut spikes))).unwrap_err();
    assert!(error.to_string().contains("`input` holds 5 values where 6 are needed"), "{error}");
    let error = kernel.forward(Forward::new(2, 3, &[0.0; 6], Spikes::F32(&mut spikes[..4]))).unwrap_err();
    assert!(matches!(error, NeuronError::Length { buffer: "spikes", .. }));
    let mut forward = Forward::new(2, 3, &[0.0; 6], Spikes::F32(&mut spikes));
    forward.initial_auxiliary = Some(&[0.0; 3]);
    assert!(matches!(kernel.forward(forward), Err(NeuronError::State { model: "lif", .. })));
    let qif = Neuron::new(Model::Qif { tau: 2.0, v_c: 0.8, a0: 1.0, v_rest: 0.0 });
    assert_eq!(Kernel::new(&qif), Err(NeuronError::NoKernel { model: "qif" }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Running a sequence in chunks gives bit-identical results for every neuron.
    #[test]
    fn chunks_change_nothing(
        which in 0..neurons().len(),
        cuts in prop::collection::vec(0usize..=12, 0..4),
        seed in any::<u64>(),
    ) {
        let (t, n) = (12, 70);
        let neuron = neurons()[which];
        let kernel = Kernel::new(&neuron).unwrap();
        let two = has_auxiliary(&neuron);
        let input: Vec<f32> = noise(seed, t * n).iter().map(|x| 2.0 * x + 0.3).collect();
        let (mut whole, mut pieces) = (vec![0.0; t * n], vec![0.0; t * n]);
        let mut end = (vec![0.0; n], vec![0.0; n]);
        kernel.forward(Forward {
            final_membrane: Some(&mut end.0),
            final_auxiliary: two.then_some(&mut end.1),
            ..Forward::new(t, n, &input, Spikes::F32(&mut whole))
        }).unwrap();

        let mut cuts = cuts;
        cuts.extend([0, t]);
        cuts.sort_unstable();
        let (mut membrane, mut auxiliary) = (vec![neuron.v_rest(); n], vec![0.0; n]);
        for pair in cuts.windows(2) {
            let (from, to) = (pair[0] * n, pair[1] * n);
            let (before, before_auxiliary) = (membrane.clone(), auxiliary.clone());
            kernel.forward(Forward {
                initial_membrane: Some(&before),
                initial_auxiliary: two.then_some(&before_auxiliary),
                final_membrane: Some(&mut membrane),
                final_auxiliary: two.then_some(&mut auxiliary),
                ..Forward::new(pair[1] - pair[0], n, &input[from..to], Spikes::F32(&mut pieces[from..to]))
            }).unwrap();
        }
        prop_assert_eq!(&whole, &pieces);
        prop_assert!(end.0 == membrane && end.1 == auxiliary);
    }
}

/// Some columns of `[T, N]` rows.
fn columns(rows: &[f32], n: usize, range: std::ops::Range<usize>) -> Vec<f32> {
    rows.chunks(n).flat_map(|row| row[range.clone()].to_vec()).collect()
}

/// A kernel processes its neurons in blocks and strips: the results must not depend on these.
#[test]
fn many_neurons_give_what_few_of_them_give() {
    let (t, n) = (4, 3001);
    let (scale, shift) = ([1.5, 0.75], [0.1, -0.2]);
    for (index, neuron) in neurons().iter().enumerate() {
        let seed = 100 * index as u64;
        let input: Vec<f32> = noise(seed, t * n).iter().map(|x| 1.6 * x + 0.5).collect();
        let (grad_spikes, membrane) = (noise(seed + 1, t * n), noise(seed + 2, n));
        let (auxiliary, grad_membrane) = (noise(seed + 3, n), noise(seed + 4, n));
        let two = has_auxiliary(neuron);
        let kernel = Kernel::new(neuron).unwrap();
        // Two channels, with one or three adjacent neurons of each; pieces hold whole periods, blocks need
        // not.
        let inner = 1 + 2 * (index % 2);
        let affine = (index % 3 == 0).then_some(ChannelAffine { scale: &scale, shift: &shift, inner });
        let run = |range: std::ops::Range<usize>| {
            let n_part = range.len();
            let (x, grads) = (columns(&input, n, range.clone()), columns(&grad_spikes, n, range.clone()));
            let (mut spikes, mut membranes) = (vec![0.0; t * n_part], vec![0.0; t * n_part]);
            let (mut last, mut last_auxiliary) = (vec![0.0; n_part], vec![0.0; n_part]);
            let forward = Forward {
                affine,
                initial_membrane: Some(&membrane[range.clone()]),
                initial_auxiliary: two.then_some(&auxiliary[range.clone()]),
                final_membrane: Some(&mut last),
                final_auxiliary: two.then_some(&mut last_auxiliary),
                membranes: Some(&mut membranes),
                ..Forward::new(t, n_part, &x, Spikes::F32(&mut spikes))
            };
            kernel.forward(forward).unwrap();
            let (mut grad_input, mut grad_initial) = (vec![0.0; t * n_part], vec![0.0; n_part]);
            let mut grad_auxiliary = vec![0.0; n_part];
            let mut sums = [ChannelSums::default(); 2];
            let backward = Backward {
                affine,
                channel_sums: affine.map(|_| sums.as_mut_slice()),
                initial_membrane: Some(&membrane[range.clone()]),
                initial_auxiliary: two.then_some(&auxiliary[range.clone()]),
                grad_final_membrane: Some(&grad_membrane[range.clone()]),
                grad_initial_membrane: Some(&mut grad_initial),
                grad_initial_auxiliary: two.then_some(&mut grad_auxiliary),
                learned: index % 2 == 0,
                ..Backward::new(t, n_part, &x, GradSpikes::Rows(&grads), &mut grad_input)
            };
            let learned = kernel.backward(backward).unwrap();
            let sums = [
                f64::from(learned.parameter),
                f64::from(learned.v_threshold),
                sums[0].grad,
                sums[1].grad,
                sums[0].grad_x,
                sums[1].grad_x,
            ];
            ([spikes, membranes, grad_input], [last, last_auxiliary, grad_initial, grad_auxiliary], sums)
        };
        let n = n - usize::from(affine.is_some());
        let whole = run(0..n);
        let mut total = [0.0; 6];
        for from in (0..n).step_by(48) {
            let range = from..(from + 48).min(n);
            let part = run(range.clone());
            for (whole, part) in whole.0.iter().zip(&part.0) {
                assert_eq!(columns(whole, n, range.clone()), *part, "{neuron:?}, {range:?}");
            }
            for (whole, part) in whole.1.iter().zip(&part.1) {
                assert_eq!(whole[range.clone()], *part, "{neuron:?}, {range:?}");
            }
            total.iter_mut().zip(part.2).for_each(|(total, part)| *total += part);
        }
        for (whole, total) in whole.2.iter().zip(total) {
            assert!((whole - total).abs() <= 1e-4 * (1.0 + total.abs()), "{neuron:?}: {whole} {total}");
        }
    }
}
