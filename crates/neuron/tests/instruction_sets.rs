//! Results are bit-identical on every instruction set that kernels are compiled for.
//!
//! A process uses one instruction set throughout, so each is tested in a separate process: this test's
//! program, restarted with the environment variable that limits it.

mod common;

use std::process::Command;

use common::{has_auxiliary, neurons};
use half::bf16;
use tks_golden::noise;
use tks_neuron::kernel::{
    Backward, ChannelAffine, ChannelSums, Forward, GradSpikes, InstructionSet, Kernel, SIMD_VARIABLE, Spikes,
    spike, spike_backward, words_per_step,
};
use tks_neuron::{Neuron, Surrogate};

/// The name of the test that only prints, for the child processes.
const PRINT: &str = "print_what_this_instruction_set_gives";

/// A hash of the bits of values (FNV-1a).
#[derive(Clone, Copy)]
struct Bits(u64);

impl Bits {
    fn new() -> Self {
        Bits(0xCBF2_9CE4_8422_2325)
    }
    fn add(&mut self, bits: u64) {
        self.0 = (self.0 ^ bits).wrapping_mul(0x0000_0100_0000_01B3);
    }
    fn add_all(&mut self, values: &[f32]) {
        values.iter().for_each(|value| self.add(u64::from(value.to_bits())));
    }
}

/// Forward and backward with all optional outputs; `inner`: with a scale and shift by channel.
fn run(neuron: &Neuron, t: usize, n: usize, seed: u64, inner: Option<usize>) -> u64 {
    let kernel = Kernel::new(neuron).unwrap();
    let input: Vec<f32> = noise(seed, t * n).iter().map(|x| 1.6 * x + 0.5).collect();
    let grad_spikes = noise(seed + 1, t * n);
    let (membrane, auxiliary) = (noise(seed + 2, n), noise(seed + 3, n));
    let two = has_auxiliary(neuron);
    let (scale, shift) = ([1.5, 0.75, 1.25], [0.1, 0.3, -0.2]);
    let affine = inner.map(|inner| ChannelAffine { scale: &scale, shift: &shift, inner });

    let (mut spikes, mut membranes) = (vec![0.0; t * n], vec![0.0; t * n]);
    let (mut final_membrane, mut final_auxiliary) = (vec![0.0; n], vec![0.0; n]);
    let forward = Forward {
        affine,
        initial_membrane: Some(&membrane),
        initial_auxiliary: two.then_some(&auxiliary),
        final_membrane: Some(&mut final_membrane),
        final_auxiliary: two.then_some(&mut final_auxiliary),
        membranes: Some(&mut membranes),
        ..Forward::new(t, n, &input, Spikes::F32(&mut spikes))
    };
    kernel.forward(forward).unwrap();
    let rate = spikes.iter().sum::<f32>() / spikes.len() as f32;
    assert!((0.02..0.98).contains(&rate), "a test of silence tests nothing: {rate} by {neuron:?}");

    let mut sums = vec![ChannelSums::default(); scale.len()];
    let (mut grad_input, mut grad_initial) = (vec![0.0; t * n], vec![0.0; n]);
    let mut learned = Vec::new();
    for with_learned in [false, true] {
        let backward = Backward {
            affine,
            channel_sums: inner.map(|_| sums.as_mut_slice()),
            initial_membrane: Some(&membrane),
            initial_auxiliary: two.then_some(&auxiliary),
            grad_initial_membrane: Some(&mut grad_initial),
            learned: with_learned,
            ..Backward::new(t, n, &input, GradSpikes::Rows(&grad_spikes), &mut grad_input)
        };
        let gradients = kernel.backward(backward).unwrap();
        learned.extend([gradients.parameter, gradients.v_threshold]);
        learned.extend(&grad_input);
    }
    let mut bits = Bits::new();
    for values in [&spikes, &membranes, &final_membrane, &final_auxiliary, &grad_initial, &learned] {
        bits.add_all(values);
    }
    sums.iter().for_each(|sum| [sum.grad, sum.grad_x].iter().for_each(|sum| bits.add(sum.to_bits())));
    bits.0
}

#[test]
#[ignore = "prints what the other test compares"]
fn print_what_this_instruction_set_gives() {
    let in_use = InstructionSet::in_use().unwrap_or_else(|error| panic!("{error}"));
    println!("uses {}", in_use.name());
    for (index, neuron) in neurons().iter().enumerate() {
        // More than one block, and a last vector that is not full.
        println!("neuron {index}: {:016x}", run(neuron, 5, 1111, index as u64, None));
    }
    for inner in [1, 37] {
        println!("normalised, {inner}: {:016x}", run(&Neuron::default(), 3, 3 * 37 * 20, 5, Some(inner)));
    }
    // Outputs above 16 MiB are streamed; rows of this length start at every alignment.
    println!("streamed: {:016x}", run(&Neuron::default(), 3, 1_400_003, 7, None));

    let input: Vec<f32> = noise(9, 3 * 1111).iter().map(|x| 3.0 * x).collect();
    let kernel = Kernel::new(&Neuron::default()).unwrap();
    let (mut half, mut bytes) = (vec![bf16::ZERO; 3 * 1111], vec![0u8; 3 * 1111]);
    let mut words = vec![0u64; 3 * words_per_step(1111)];
    kernel.forward(Forward::new(3, 1111, &input, Spikes::Bf16(&mut half))).unwrap();
    kernel.forward(Forward::new(3, 1111, &input, Spikes::U8(&mut bytes))).unwrap();
    kernel.forward(Forward::new(3, 1111, &input, Spikes::Bits(&mut words))).unwrap();
    let mut bits = Bits::new();
    half.iter().for_each(|value| bits.add(u64::from(value.to_bits())));
    bytes.iter().for_each(|&value| bits.add(u64::from(value)));
    words.iter().for_each(|&value| bits.add(value));
    println!("formats: {:016x}", bits.0);

    for &surrogate in Surrogate::all() {
        let (mut spikes, mut grad) = (vec![0.0; input.len()], vec![0.0; input.len()]);
        spike(&input, true, &mut spikes).unwrap();
        spike_backward(surrogate, &input, GradSpikes::Uniform(0.3), &mut grad).unwrap();
        let mut bits = Bits::new();
        bits.add_all(&spikes);
        bits.add_all(&grad);
        println!("{}: {:016x}", surrogate.name(), bits.0);
    }
}

/// The lines printed by that test with the variable set to `value`.
fn outcome(value: &str) -> (bool, Vec<String>) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", PRINT, "--ignored", "--nocapture", "--test-threads=1"])
        .env(SIMD_VARIABLE, value)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let result = |line: &&str| line.contains(": ") || line.contains("uses ");
    let lines = text.lines().filter(result).filter(|line| !line.starts_with("test result"));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = lines.chain(errors.lines()).map(str::to_owned).collect();
    (output.status.success(), lines)
}

#[test]
fn results_are_the_same_to_the_bit_on_every_instruction_set() {
    let outcome_of = |set: InstructionSet| {
        let (succeeded, mut lines) = outcome(set.name());
        assert!(succeeded, "{lines:#?}");
        let uses = lines.iter().position(|line| line.contains("uses ")).expect("a line says what is used");
        assert!(lines.remove(uses).ends_with(set.name()), "the limit was not followed");
        lines
    };
    let baseline = outcome_of(InstructionSet::Baseline);
    assert!(baseline.len() > 140, "{baseline:#?}");
    for set in [InstructionSet::Avx2, InstructionSet::Avx512] {
        if set > InstructionSet::widest() {
            println!("skipped: this processor has no {}", set.name());
            continue;
        }
        for (wide, narrow) in outcome_of(set).iter().zip(&baseline) {
            assert_eq!(wide, narrow, "{} against baseline", set.name());
        }
    }
}

#[test]
fn a_name_that_is_no_instruction_set_is_an_error() {
    let (succeeded, lines) = outcome("avx1024");
    assert!(!succeeded);
    assert!(lines.iter().any(|line| line.contains("must be baseline, avx2 or avx512")), "{lines:#?}");
}
