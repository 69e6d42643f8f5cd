//! Every model's step as documented, computed by hand in double precision, compared with the scalar
//! reference.

use tks_neuron::reference::{Learned, State, gradient, run, step};
use tks_neuron::{Model, Neuron, ResetTime};

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The charged membrane and the resulting auxiliary state, by the equations of [`Model`]: `v`, `a`, `x`,
/// rest, learned.
fn charged(model: Model, v: f64, a: f64, x: f64, rest: f64, learned: &[f64]) -> (f64, f64) {
    let leaky = |input: f64, tau: f32, decay_input: bool| {
        let tau = f64::from(tau);
        v - (v - rest) / tau + if decay_input { input / tau } else { input }
    };
    let wide = |value: f32| f64::from(value);
    match model {
        Model::If => (v + x, a),
        Model::Lif { tau, decay_input }
        | Model::Alif { tau, decay_input, .. }
        | Model::LeakyIntegrator { tau, decay_input } => (leaky(x, tau, decay_input), a),
        Model::Plif { decay_input, .. } => {
            let share = sigmoid(learned[0]);
            (v - (v - rest) * share + if decay_input { x * share } else { x }, a)
        }
        Model::CubaLif { tau, tau_synapse, decay_input } => {
            let current = a * (1.0 - 1.0 / wide(tau_synapse)) + x;
            (leaky(current, tau, decay_input), current)
        }
        Model::Klif { tau, decay_input } => ((learned[0] * leaky(x, tau, decay_input)).max(0.0), a),
        Model::Qif { tau, v_c, a0, v_rest } => {
            (v + (x + wide(a0) * (v - wide(v_rest)) * (v - wide(v_c))) / wide(tau), a)
        }
        Model::Eif { tau, delta_t, theta_rh, v_rest } => {
            let upstroke = wide(delta_t) * ((v - wide(theta_rh)) / wide(delta_t)).exp();
            (v + (x - (v - wide(v_rest)) + upstroke) / wide(tau), a)
        }
        Model::Izhikevich { tau, v_c, a0, v_rest, tau_w, a: coupling, .. } => {
            let h = v + (x + wide(a0) * (v - wide(v_rest)) * (v - wide(v_c)) - a) / wide(tau);
            (h, a + (wide(coupling) * (h - wide(v_rest)) - a) / wide(tau_w))
        }
        Model::Clif { tau } => (leaky(x, tau, false), a),
        Model::Glif { .. } => {
            let [alpha, beta, gamma, tau, linear, subreset, conduct]: [f64; 7] =
                std::array::from_fn(|i| sigmoid(learned[i]));
            let kept = (1.0 - alpha * (1.0 - tau)) * v;
            let input = x * (1.0 - beta * (1.0 - conduct));
            let reset = gamma * kept * a + (1.0 - gamma) * subreset * a;
            (kept - (1.0 - alpha) * linear + input - reset, a)
        }
        other => panic!("no equation here for {}", other.name()),
    }
}

/// A complete step with an immediate reset: spike, membrane potential, auxiliary state.
fn by_hand(neuron: &Neuron, learned: &[f64], v: f64, a: f64, x: f64) -> (f64, f64, f64) {
    let rest = f64::from(neuron.v_reset.unwrap_or(0.0));
    let (h, mut a_next) = charged(neuron.model, v, a, x, rest, learned);
    if let Model::LeakyIntegrator { .. } = neuron.model {
        return (0.0, h, a_next);
    }
    let base = f64::from(neuron.v_threshold);
    let threshold =
        if let Model::Alif { beta, .. } = neuron.model { base + f64::from(beta) * a } else { base };
    let fires = if neuron.strict { h > threshold } else { h >= threshold };
    let spike = f64::from(u8::from(fires));
    match neuron.model {
        Model::Alif { tau_adaptation, .. } => {
            let tau = f64::from(tau_adaptation);
            a_next = a * (1.0 - 1.0 / tau) + spike / tau;
        }
        Model::Izhikevich { b, .. } => a_next += f64::from(b) * spike,
        Model::Glif { .. } => a_next = spike,
        Model::Clif { tau } => a_next = a * sigmoid(h / f64::from(tau)) + spike,
        _ => {}
    }
    let after = match (neuron.model, neuron.v_reset) {
        (Model::Glif { .. }, _) => h,
        (Model::Clif { .. }, _) => h - (threshold + sigmoid(a_next)),
        (_, Some(v_reset)) => f64::from(v_reset),
        (_, None) => h - threshold,
    };
    (spike, if fires { after } else { h }, a_next)
}

/// The models, with parameters none of which are 0 or 1 or occur twice.
fn models() -> Vec<Model> {
    let mut models = vec![
        Model::If,
        Model::Qif { tau: 2.5, v_c: 0.7, a0: 0.9, v_rest: -0.15 },
        Model::Eif { tau: 2.5, delta_t: 0.6, theta_rh: 0.7, v_rest: -0.15 },
        Model::Izhikevich { tau: 2.5, v_c: 0.7, a0: 0.9, v_rest: -0.15, tau_w: 3.5, a: 0.4, b: 0.3 },
        Model::Clif { tau: 2.5 },
        Model::Glif { init_tau: 0.3, init_linear_decay: 0.1, init_v_subreset: 0.4, init_conduct: 0.7 },
    ];
    for decay_input in [false, true] {
        models.extend([
            Model::Lif { tau: 2.5, decay_input },
            Model::Plif { init_tau: 2.5, decay_input },
            Model::CubaLif { tau: 2.5, tau_synapse: 3.5, decay_input },
            Model::Alif { tau: 2.5, tau_adaptation: 3.5, beta: 0.6, decay_input },
            Model::Klif { tau: 2.5, decay_input },
            Model::LeakyIntegrator { tau: 2.5, decay_input },
        ]);
    }
    models
}

#[test]
fn a_step_is_what_the_equations_say() {
    let mut spikes = 0;
    let mut steps = 0;
    for model in models() {
        for (v_reset, strict) in [(Some(-0.2), false), (Some(-0.2), true), (None, false)] {
            let v_reset = if model.has_own_reset() { None } else { v_reset };
            let neuron = Neuron { v_reset, strict, v_threshold: 0.8, ..Neuron::new(model) };
            neuron.check().unwrap();
            let mut learned = Learned::<f32>::initial(&neuron);
            // Away from the initial values: gates that are all one half distinguish little.
            learned.parameters.iter_mut().enumerate().for_each(|(i, value)| *value += 0.3 * (i as f32 - 2.0));
            let wide: Vec<f64> = learned.parameters.iter().map(|&value| f64::from(value)).collect();
            for (v, a, x) in
                [(0.1, 0.2, 0.4), (0.6, -0.3, 1.7), (-0.4, 1.0, 2.9), (0.75, 0.0, 0.06), (0.3, 0.5, -1.0)]
            {
                let mut state = State { membrane: v, auxiliary: a };
                let spike = step(&neuron, &learned, x, &mut state);
                let expected = by_hand(&neuron, &wide, v.into(), a.into(), x.into());
                assert_eq!(f64::from(spike), expected.0, "{neuron:?} {v} {a} {x}");
                let off = [f64::from(state.membrane) - expected.1, f64::from(state.auxiliary) - expected.2];
                assert!(off.iter().all(|off| off.abs() < 3e-6), "{neuron:?} {v} {a} {x}: {off:?}");
                spikes += usize::from(spike != 0.0);
                steps += 1;
            }
        }
    }
    assert!(spikes * 5 > steps && spikes * 5 < steps * 4, "{spikes} of {steps}");
}

#[test]
fn a_late_reset_comes_with_the_next_step() {
    for (v_reset, expected) in [
        // Reset before the next charge, or subtracted from the next charged membrane.
        (Some(-0.25), [(1.0, 1.5), (0.0, 0.25), (1.0, 0.75), (0.0, -0.25)]),
        (None, [(1.0, 1.5), (1.0, 1.5), (1.0, 1.5), (1.0, 1.0)]),
    ] {
        let neuron = Neuron {
            v_reset,
            v_threshold: 0.5,
            strict: true,
            detach_reset: true,
            reset_time: ResetTime::NextStep,
            ..Neuron::new(Model::If)
        };
        let learned = Learned::initial(&neuron);
        let state = State { membrane: 0.0, auxiliary: 0.0 };
        let found = run(&neuron, &learned, &[1.5, 0.5, 0.5, 0.0], state);
        let steps: Vec<(f32, f32)> =
            found.spikes.iter().copied().zip(found.membranes.iter().copied()).collect();
        assert_eq!(steps, expected, "{v_reset:?}");
        assert_eq!(found.state.membrane, expected[3].1);
    }
    let rest = State::<f32>::rest(&Neuron { v_reset: Some(-0.3), ..Neuron::default() });
    assert_eq!((rest.membrane, rest.auxiliary), (-0.3, 0.0));
}

#[test]
fn the_gradient_of_a_membrane_is_that_of_differences() {
    for model in models() {
        // Neurons that never fire, so that finite differences give the gradient.
        let neuron = Neuron { v_threshold: 1e6, v_reset: None, ..Neuron::new(model) };
        let learned = Learned::<f32>::initial(&neuron);
        let wide: Vec<f64> = learned.parameters.iter().map(|&value| f64::from(value)).collect();
        let (state, input) = (State { membrane: 0.2, auxiliary: 0.1 }, [0.3, 0.1, -0.05]);
        let grad_final = State { membrane: 1.0, auxiliary: 0.5 };
        let found = gradient(&neuron, &learned, &input, state, &[0.0; 3], grad_final);
        let value = |values: &[f64]| {
            let (mut v, mut a) = (values[0], values[1]);
            for x in &values[2..5] {
                (_, v, a) = by_hand(&neuron, &values[5..], v, a, *x);
            }
            v + 0.5 * a
        };
        let mut at = vec![0.2f32.into(), 0.1f32.into()];
        at.extend(input.map(f64::from));
        at.extend(&wide);
        let slopes: Vec<f64> = (0..at.len())
            .map(|i| {
                let shifted = |by: f64| {
                    let mut at = at.clone();
                    at[i] += by;
                    value(&at)
                };
                (shifted(1e-5) - shifted(-1e-5)) / 2e-5
            })
            .collect();
        let mut told = vec![found.initial.membrane, found.initial.auxiliary];
        told.extend(&found.input);
        told.extend(&found.parameters);
        // The surrogate gives CLIF's and GLIF's auxiliary states a slope that finite differences do not see;
        // at this distance, it is zero.
        for (i, (told, slope)) in told.iter().zip(&slopes).enumerate() {
            assert!(
                (f64::from(*told) - slope).abs() < 2e-4 * (1.0 + slope.abs()),
                "{} {i}: {told} {slope}",
                model.name()
            );
        }
    }
}
