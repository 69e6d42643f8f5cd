//! The fused kernels' buffers: each one too long and too short, and the resulting message.

use half::bf16;
use tks_neuron::kernel::{
    Backward, ChannelAffine, ChannelSums, Forward, GradSpikes, Kernel, Spikes, spike, spike_backward, unpack,
    words_per_step,
};
use tks_neuron::{Model, Neuron, NeuronError, Surrogate};

fn alif() -> Kernel {
    Kernel::new(&Neuron::new(Model::all()[4])).unwrap()
}

/// The contents of a length error.
fn told<T: std::fmt::Debug>(result: Result<T, NeuronError>) -> (&'static str, usize, usize) {
    match result {
        Err(NeuronError::Length { buffer, actual, expected, .. }) => (buffer, actual, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_buffer_of_the_forward_pass_has_its_length() {
    let kernel = alif();
    let input = [0.0; 6];
    let state = [0.0; 3];
    type Change = for<'a> fn(&mut Forward<'a>, &'a [f32], &'a mut [f32]);
    let changes: [(&str, usize, Change); 5] = [
        ("initial_membrane", 3, |forward, from, _| forward.initial_membrane = Some(from)),
        ("initial_auxiliary", 3, |forward, from, _| forward.initial_auxiliary = Some(from)),
        ("final_membrane", 3, |forward, _, to| forward.final_membrane = Some(to)),
        ("final_auxiliary", 3, |forward, _, to| forward.final_auxiliary = Some(to)),
        ("membranes", 6, |forward, _, to| forward.membranes = Some(to)),
    ];
    for (name, expected, change) in changes {
        for length in [expected - 1, expected, expected + 1] {
            let (from, mut to, mut spikes) = (vec![0.0; length], vec![0.0; length], [0.0; 6]);
            let mut forward = Forward::new(2, 3, &input, Spikes::F32(&mut spikes));
            change(&mut forward, &from, &mut to);
            let found = kernel.forward(forward);
            if length == expected {
                found.unwrap();
            } else {
                assert_eq!(told(found), (name, length, expected));
            }
        }
    }
    for length in [5, 7] {
        let (input, mut spikes) = (vec![0.0; length], [0.0; 6]);
        assert_eq!(
            told(kernel.forward(Forward::new(2, 3, &input, Spikes::F32(&mut spikes)))),
            ("input", length, 6)
        );
    }
    let run = |spikes: Spikes<'_>| kernel.forward(Forward::new(2, 3, &input, spikes));
    for length in [5, 7] {
        assert_eq!(told(run(Spikes::F32(&mut vec![0.0; length]))), ("spikes", length, 6));
        assert_eq!(told(run(Spikes::Bf16(&mut vec![bf16::ZERO; length]))), ("spikes", length, 6));
        assert_eq!(told(run(Spikes::U8(&mut vec![0; length]))), ("spikes", length, 6));
    }
    for length in [1, 3] {
        assert_eq!(told(run(Spikes::Bits(&mut vec![0; length]))), ("spikes", length, 2));
    }
    run(Spikes::Bits(&mut [0; 2])).unwrap();
    // A model without a second state accepts none of its buffers, at either end.
    let lif = Kernel::new(&Neuron::default()).unwrap();
    for end in [false, true] {
        let (mut spikes, mut to) = ([0.0; 6], [0.0; 3]);
        let mut forward = Forward::new(2, 3, &input, Spikes::F32(&mut spikes));
        if end {
            forward.final_auxiliary = Some(&mut to);
        } else {
            forward.initial_auxiliary = Some(&state);
        }
        let error = lif.forward(forward).unwrap_err();
        assert!(error.to_string().starts_with("the model `lif` has no auxiliary state"), "{error}");
    }
}

#[test]
fn every_buffer_of_the_backward_pass_has_its_length() {
    let kernel = alif();
    let input = [0.0; 6];
    type Change = for<'a> fn(&mut Backward<'a>, &'a [f32], &'a mut [f32]);
    let changes: [(&str, usize, Change); 7] = [
        ("grad_spikes", 6, |backward, from, _| backward.grad_spikes = GradSpikes::Rows(from)),
        ("initial_membrane", 3, |backward, from, _| backward.initial_membrane = Some(from)),
        ("initial_auxiliary", 3, |backward, from, _| backward.initial_auxiliary = Some(from)),
        ("grad_final_membrane", 3, |backward, from, _| backward.grad_final_membrane = Some(from)),
        ("grad_final_auxiliary", 3, |backward, from, _| backward.grad_final_auxiliary = Some(from)),
        ("grad_initial_membrane", 3, |backward, _, to| backward.grad_initial_membrane = Some(to)),
        ("grad_initial_auxiliary", 3, |backward, _, to| backward.grad_initial_auxiliary = Some(to)),
    ];
    let lif = Kernel::new(&Neuron::default()).unwrap();
    for (name, expected, change) in changes {
        for length in [expected - 1, expected, expected + 1] {
            let (from, mut to, mut grad_input) = (vec![0.0; length], vec![0.0; length], [0.0; 6]);
            let mut backward = Backward::new(2, 3, &input, GradSpikes::Uniform(1.0), &mut grad_input);
            change(&mut backward, &from, &mut to);
            let found = kernel.backward(backward);
            if length == expected {
                found.unwrap();
            } else {
                assert_eq!(told(found), (name, length, expected));
            }
        }
        let (from, mut to, mut grad_input) = (vec![0.0; expected], vec![0.0; expected], [0.0; 6]);
        let mut backward = Backward::new(2, 3, &input, GradSpikes::Uniform(1.0), &mut grad_input);
        change(&mut backward, &from, &mut to);
        let refused = lif.backward(backward);
        assert_eq!(
            matches!(refused, Err(NeuronError::State { model: "lif", .. })),
            name.ends_with("auxiliary")
        );
    }
    let mut grad_input = [0.0; 7];
    let found = kernel.backward(Backward::new(2, 3, &input, GradSpikes::Uniform(1.0), &mut grad_input));
    assert_eq!(told(found), ("grad_input", 7, 6));
    let found =
        kernel.backward(Backward::new(2, 3, &[0.0; 5], GradSpikes::Uniform(1.0), &mut grad_input[..6]));
    assert_eq!(told(found), ("input", 5, 6));
}

#[test]
fn scales_and_shifts_fit_the_neurons() {
    let kernel = alif();
    let input = [0.0; 12];
    let forward = |scale: &[f32], shift: &[f32], inner: usize| {
        let mut spikes = [0.0; 12];
        let mut forward = Forward::new(1, 12, &input, Spikes::F32(&mut spikes));
        forward.affine = Some(ChannelAffine { scale, shift, inner });
        kernel.forward(forward)
    };
    for (channels, inner) in [(1, 1), (2, 3), (3, 4), (12, 1), (1, 12), (2, 6)] {
        forward(&vec![1.0; channels], &vec![0.0; channels], inner).unwrap();
    }
    assert_eq!(told(forward(&[1.0; 2], &[0.0; 3], 2)), ("shift", 3, 2));
    for (channels, inner) in [(0, 1), (2, 0), (5, 1), (2, 4), (24, 1)] {
        let found = forward(&vec![1.0; channels], &vec![0.0; channels], inner);
        assert_eq!(told(found), ("input", 12, channels * inner));
    }
    let backward = |sums: usize, with_affine: bool| {
        let (mut grad_input, mut sums) = ([0.0; 12], vec![ChannelSums { grad: 9.0, grad_x: 9.0 }; sums]);
        let mut backward = Backward::new(1, 12, &input, GradSpikes::Uniform(0.0), &mut grad_input);
        backward.affine =
            with_affine.then_some(ChannelAffine { scale: &[1.0; 2], shift: &[0.0; 2], inner: 3 });
        backward.channel_sums = Some(&mut sums);
        kernel.backward(backward).map(|_| sums)
    };
    assert_eq!(backward(2, true).unwrap(), [ChannelSums::default(); 2], "not added to what was there");
    assert_eq!(told(backward(3, true)), ("channel_sums", 3, 2));
    assert_eq!(told(backward(2, false)), ("channel_sums", 2, 0));
}

#[test]
fn packed_spikes_are_unpacked_bit_by_bit() {
    assert_eq!([0, 1, 64, 65, 128, 129].map(words_per_step), [0, 1, 1, 2, 2, 3]);
    let words = [0x8000_0000_0000_0005, 0b110];
    let mut spikes = [7.0; 67];
    unpack(&words, &mut spikes).unwrap();
    let fired: Vec<usize> = (0..67).filter(|&i| spikes[i] == 1.0).collect();
    assert_eq!(fired, [0, 2, 63, 65, 66]);
    assert!(spikes.iter().all(|&spike| spike == 0.0 || spike == 1.0));
    assert_eq!(told(unpack(&words, &mut [0.0; 64])), ("words", 2, 1));
    assert_eq!(told(unpack(&words, &mut [0.0; 129])), ("words", 2, 3));
    assert_eq!(told(spike(&[0.0; 3], true, &mut [0.0; 4])), ("spikes", 4, 3));
    let surrogate = Surrogate::default();
    let uniform = GradSpikes::Uniform(1.0);
    assert_eq!(told(spike_backward(surrogate, &[0.0; 3], uniform, &mut [0.0; 4])), ("grad_u", 4, 3));
    let rows = [0.0; 2];
    let found = spike_backward(surrogate, &[0.0; 3], GradSpikes::Rows(&rows), &mut [0.0; 3]);
    assert_eq!(told(found), ("grad_spikes", 2, 3));
}

#[test]
fn learned_values_take_the_place_of_those_from_the_start() {
    // One neuron and one step: the input is multiplied by the leak's share with `decay_input`, else by 1.
    let membrane = |kernel: Kernel, input: f32, before: f32| {
        let (mut spikes, mut after) = ([0.0], [0.0]);
        let input = [input];
        let before = [before];
        let mut forward = Forward::new(1, 1, &input, Spikes::F32(&mut spikes));
        forward.initial_membrane = Some(&before);
        forward.final_membrane = Some(&mut after);
        kernel.forward(forward).unwrap();
        (spikes[0], after[0])
    };
    let share = 1.0 / (1.0 + 1.0f32.exp());
    for decay_input in [true, false] {
        let plif = Kernel::new(&Neuron::new(Model::Plif { init_tau: 4.0, decay_input })).unwrap();
        let taken =
            |leak: f32| if decay_input { 0.5 - 0.5 * leak + 0.4 * leak } else { 0.5 - 0.5 * leak + 0.4 };
        let (_, start) = membrane(plif, 0.4, 0.5);
        assert!((start - taken(0.25)).abs() < 1e-6, "{start}");
        let (_, learned) = membrane(plif.with_parameter(-1.0), 0.4, 0.5);
        assert!((learned - taken(share)).abs() < 1e-6, "{learned}");
        let lif = Kernel::new(&Neuron::new(Model::Lif { tau: 4.0, decay_input })).unwrap();
        assert_eq!(lif.with_parameter(-1.0), lif);
    }
    let kernel = Kernel::new(&Neuron::new(Model::If)).unwrap();
    assert_eq!(membrane(kernel, 0.7, 0.0), (0.0, 0.7));
    assert_eq!(membrane(kernel.with_threshold(0.7), 0.7, 0.0), (1.0, 0.0));
    for (model, name) in
        Model::all()[5..].iter().zip(["klif", "qif", "eif", "izhikevich", "clif", "glif", "leaky_integrator"])
    {
        assert_eq!(Kernel::new(&Neuron::new(*model)), Err(NeuronError::NoKernel { model: name }));
    }
}
