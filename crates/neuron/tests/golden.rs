//! The peers' values: every surrogate and neuron case of the golden index.

use tks_golden::{NeuronCase, cases_of_kind, relative_error, surrogate_of};
use tks_neuron::kernel::{Backward, Forward, GradSpikes, Kernel, Spikes};
use tks_neuron::reference::{Learned, State, gradient, run};
use tks_neuron::{Neuron, NeuronError, Surrogate};

/// Largest error allowed, relative to the largest magnitude of the tensor.
const TOLERANCE: f64 = 1e-5;

/// The results of an implementation for a case.
struct Outcome {
    spikes: Vec<f32>,
    membranes: Vec<f32>,
    grad_input: Vec<f32>,
    grad_parameters: Vec<f32>,
    grad_v_threshold: f32,
}

fn by_reference(case: &NeuronCase, neuron: &Neuron) -> Outcome {
    let (t, n) = (case.time_steps, case.neurons);
    let mut learned = Learned::initial(neuron);
    learned.parameters = case.parameters.iter().map(|(value, _)| *value).collect();
    let mut outcome = Outcome {
        spikes: vec![0.0; t * n],
        membranes: vec![0.0; t * n],
        grad_input: vec![0.0; t * n],
        grad_parameters: vec![0.0; case.parameters.len()],
        grad_v_threshold: 0.0,
    };
    for i in 0..n {
        let column = |rows: &[f32]| -> Vec<f32> { (0..t).map(|t| rows[t * n + i]).collect() };
        let rest = State::rest(neuron);
        let forward = run(neuron, &learned, &column(&case.input), rest);
        let grad_final = State { membrane: 0.0, auxiliary: 0.0 };
        let backward =
            gradient(neuron, &learned, &column(&case.input), rest, &column(&case.grad_spikes), grad_final);
        for t in 0..t {
            outcome.spikes[t * n + i] = forward.spikes[t];
            outcome.membranes[t * n + i] = forward.membranes[t];
            outcome.grad_input[t * n + i] = backward.input[t];
        }
        outcome.grad_parameters.iter_mut().zip(backward.parameters).for_each(|(sum, part)| *sum += part);
        outcome.grad_v_threshold += backward.v_threshold;
    }
    outcome
}

fn by_kernel(case: &NeuronCase, neuron: &Neuron) -> Option<Outcome> {
    let (t, n) = (case.time_steps, case.neurons);
    let kernel = match Kernel::new(neuron) {
        Err(NeuronError::NoKernel { .. }) => return None,
        kernel => kernel.expect("golden neurons are valid"),
    };
    let kernel = match case.parameters[..] {
        [(value, _)] => kernel.with_parameter(value),
        _ => kernel,
    };
    let (mut spikes, mut membranes, mut grad_input) = (vec![0.0; t * n], vec![0.0; t * n], vec![0.0; t * n]);
    let mut forward = Forward::new(t, n, &case.input, Spikes::F32(&mut spikes));
    forward.membranes = Some(&mut membranes);
    kernel.forward(forward).unwrap();
    let grad_spikes = GradSpikes::Rows(&case.grad_spikes);
    let mut backward = Backward::new(t, n, &case.input, grad_spikes, &mut grad_input);
    backward.learned = true;
    let learned = kernel.backward(backward).unwrap();
    let grad_parameters = vec![learned.parameter; case.parameters.len()];
    Some(Outcome { spikes, membranes, grad_input, grad_parameters, grad_v_threshold: learned.v_threshold })
}

/// The differences, in words; empty if everything agrees.
fn disagreements(case: &NeuronCase, outcome: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    let flips = outcome.spikes.iter().zip(&case.spikes).filter(|(a, b)| a != b).count();
    if flips > 0 {
        found.push(format!("{flips} spikes differ"));
    }
    let mut check = |name: &str, actual: &[f32], expected: &[f32]| {
        let error = relative_error(actual, expected);
        if error > TOLERANCE {
            found.push(format!("{name} is off by {error:.2e}"));
        }
    };
    check("membrane", &outcome.membranes, &case.membranes);
    check("gradient of the input", &outcome.grad_input, &case.grad_input);
    for (&actual, (_, expected)) in outcome.grad_parameters.iter().zip(&case.parameters) {
        check("gradient of a parameter", &[actual], &[*expected]);
    }
    if let Some(expected) = case.grad_v_threshold {
        check("gradient of the threshold", &[outcome.grad_v_threshold], &[expected]);
    }
    found
}

#[test]
fn golden_surrogates() {
    let cases = cases_of_kind("surrogate").unwrap();
    assert!(!cases.is_empty(), "the index lists no surrogate");
    for case in cases {
        let surrogate = surrogate_of(&case).unwrap();
        let u = case.tensor("u").unwrap();
        let actual: Vec<f32> = u.iter().map(|&u| surrogate.derivative(u)).collect();
        let error = relative_error(&actual, &case.tensor("grad").unwrap());
        assert!(error <= TOLERANCE, "{}: {error:.2e}", case.file);
    }
}

/// Surrogates without a golden case of kind `surrogate`, and the reason.
const WITHOUT_A_CASE: [(&str, &str); 3] = [
    ("fast_sigmoid", "snnTorch's; its values are in the gradients of the neuron case `leaky_snt_subtract`"),
    ("straight_through", "1 everywhere: a peer's values would add nothing"),
    ("spike_rate_escape", "only snnTorch has it, and no case has been computed with its surrogates alone"),
];

#[test]
fn every_surrogate_has_golden_values_or_a_reason_to_have_none() {
    let cases: Vec<Surrogate> =
        cases_of_kind("surrogate").unwrap().iter().map(|case| surrogate_of(case).unwrap()).collect();
    for surrogate in Surrogate::all() {
        let name = surrogate.name();
        let has_case = cases.iter().any(|case| case.name() == name);
        let has_reason = WITHOUT_A_CASE.iter().any(|(without, _)| *without == name);
        assert!(has_case || has_reason, "`{name}`: no peer's values, and no reason in WITHOUT_A_CASE");
        assert!(!(has_case && has_reason), "`{name}` has a case: take it out of WITHOUT_A_CASE");
    }
    for (without, _) in WITHOUT_A_CASE {
        assert!(Surrogate::all().iter().any(|surrogate| surrogate.name() == without), "no `{without}`");
    }
}

#[test]
fn golden_neurons() {
    let cases = cases_of_kind("neuron").unwrap();
    assert!(!cases.is_empty(), "the index lists no neuron");
    let mut failures = Vec::new();
    for case in cases {
        let case = NeuronCase::read(&case).unwrap();
        type Implementation = fn(&NeuronCase, &Neuron) -> Option<Outcome>;
        let implementations: [(&str, Implementation); 2] =
            [("reference", |case, neuron| Some(by_reference(case, neuron))), ("kernel", by_kernel)];
        for (name, implementation) in implementations {
            let verdicts: Vec<_> = case
                .candidates
                .iter()
                .filter_map(|neuron| implementation(&case, neuron))
                .map(|outcome| disagreements(&case, &outcome))
                .collect();
            if !verdicts.is_empty() && !verdicts.iter().any(Vec::is_empty) {
                failures.push(format!("{} by {name}: {verdicts:?}", case.file));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
