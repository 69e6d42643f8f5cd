//! Neurons and their options at their bounds, and the properties of each model.

use serde::Deserialize;
use serde::de::value::MapDeserializer;
use tks_neuron::cuda::{Program, Storage, spike_text};
use tks_neuron::{Model, Neuron, NeuronError, ResetTime, Surrogate};

fn toml(text: &str) -> Neuron {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Each model with one parameter set; its range, a value that is only just valid and one that is only just
/// invalid.
#[test]
fn parameters_are_taken_up_to_their_bounds() {
    const TIME: &str = "finite and 1 or above (a time constant in steps)";
    const POSITIVE: &str = "finite and above 0";
    const SHARE: &str = "above 0 and below 1, since it is a sigmoid's value";
    type Case = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);
    let cases: [Case; 27] = [
        ("lif", "tau", TIME, &["1.0", "1e30"], &["0.99", "inf", "nan", "-2.0"]),
        ("klif", "tau", TIME, &["1.0"], &["0.99"]),
        ("clif", "tau", TIME, &["1.0"], &["0.99"]),
        ("leaky_integrator", "tau", TIME, &["1.0"], &["0.99"]),
        (
            "plif",
            "init_tau",
            "finite and above 1, since 1 / tau = sigmoid(w) is below 1",
            &["1.01"],
            &["1.0", "inf", "nan"],
        ),
        ("cuba_lif", "tau", TIME, &["1.0"], &["0.99"]),
        ("cuba_lif", "tau_synapse", TIME, &["1.0"], &["0.99"]),
        ("alif", "tau", TIME, &["1.0"], &["0.99"]),
        ("alif", "tau_adaptation", TIME, &["1.0"], &["0.99"]),
        ("alif", "beta", "finite", &["-3.0", "0.0"], &["inf", "nan"]),
        ("qif", "tau", TIME, &["1.0"], &["0.99"]),
        ("qif", "v_c", "finite", &["-3.0"], &["inf"]),
        ("qif", "a0", POSITIVE, &["0.01"], &["0.0", "-1.0", "inf"]),
        ("qif", "v_rest", "finite", &["-3.0"], &["nan"]),
        ("eif", "tau", TIME, &["1.0"], &["0.99"]),
        ("eif", "delta_t", POSITIVE, &["0.01"], &["0.0"]),
        ("eif", "theta_rh", "finite", &["-3.0"], &["nan"]),
        ("eif", "v_rest", "finite", &["-3.0"], &["nan"]),
        ("izhikevich", "tau", TIME, &["1.0"], &["0.99"]),
        ("izhikevich", "a0", POSITIVE, &["0.01"], &["0.0"]),
        ("izhikevich", "tau_w", TIME, &["1.0"], &["0.99"]),
        ("izhikevich", "a", "finite", &["-3.0"], &["nan"]),
        ("izhikevich", "b", "finite", &["-3.0"], &["nan"]),
        ("glif", "init_tau", SHARE, &["0.01", "0.99"], &["0.0", "1.0", "nan"]),
        ("glif", "init_linear_decay", SHARE, &["0.01"], &["0.0"]),
        ("glif", "init_v_subreset", SHARE, &["0.01"], &["1.0"]),
        ("glif", "init_conduct", SHARE, &["0.99"], &["-0.5", "1.5"]),
    ];
    for (model, name, range, right, wrong) in cases {
        let neuron = |value: &str| toml(&format!("model = {{ {model} = {{ {name} = {value} }} }}"));
        for value in right {
            assert_eq!(neuron(value).check(), Ok(()), "{model}: {name} = {value}");
        }
        for value in wrong {
            let error = neuron(value).check().unwrap_err();
            let NeuronError::OutOfRange { parameter, value: found, range: said } = error else {
                panic!("{error}")
            };
            assert_eq!((parameter, said), (name, range), "{model}");
            let expected = f64::from(value.parse::<f32>().unwrap());
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{model}: {name} = {found}");
        }
    }
}

#[test]
fn options_that_exclude_each_other_are_named() {
    let base = Neuron::default();
    let own = |model| Neuron { model, ..base };
    let (clif, alif) = (Model::Clif { tau: 2.0 }, Model::all()[4]);
    let next = Neuron { reset_time: ResetTime::NextStep, detach_reset: true, ..base };
    let cases = [
        (Neuron { v_reset: Some(0.99), ..base }, ""),
        (Neuron { v_reset: Some(1.0), ..base }, "`v_reset` is not below `v_threshold`"),
        (Neuron { v_reset: Some(2.0), ..base }, "`v_reset` is not below `v_threshold`"),
        (Neuron { v_reset: None, ..base }, ""),
        (
            Neuron { v_reset: Some(f32::NEG_INFINITY), ..base },
            "`v_reset` = -inf is out of range: it must be finite",
        ),
        (own(clif), ""),
        (Neuron { v_reset: None, ..own(clif) }, ""),
        (Neuron { v_reset: Some(-0.5), ..own(clif) }, "this model has a reset of its own"),
        (Neuron { v_reset: Some(-0.5), ..own(Model::all()[10]) }, "this model has a reset of its own"),
        (next, ""),
        (Neuron { detach_reset: false, ..next }, "a reset at the next step carries no gradient"),
        (Neuron { model: clif, ..next }, "this model adapts or is reset in the step of the spike"),
        (Neuron { model: alif, ..next }, "this model adapts or is reset in the step of the spike"),
        (Neuron { model: Model::all()[8], ..next }, "this model adapts or is reset in the step of the spike"),
        (Neuron { surrogate: Surrogate::Atan { alpha: 0.0 }, ..base }, "`"),
    ];
    for (neuron, said) in cases {
        let found = neuron.check().map_err(|error| error.to_string());
        match said {
            "" => assert_eq!(found, Ok(()), "{neuron:?}"),
            said => {
                assert!(found.as_ref().is_err_and(|error| error.starts_with(said)), "{neuron:?}: {found:?}")
            }
        }
    }
}

#[test]
fn a_reset_is_a_number_or_none() {
    for (text, v_reset) in [("0.25", Some(0.25)), ("-1", Some(-1.0)), ("0", Some(0.0)), ("\"none\"", None)] {
        let neuron = toml(&format!("v_reset = {text}"));
        assert_eq!(neuron.v_reset, v_reset);
        assert_eq!(neuron.v_rest(), v_reset.unwrap_or(0.0));
    }
    // Formats other than TOML have unsigned numbers.
    let unsigned = MapDeserializer::<_, serde::de::value::Error>::new([("v_reset", 3u64)].into_iter());
    assert_eq!(Neuron::deserialize(unsigned).unwrap().v_reset, Some(3.0));
    for text in ["\"None\"", "true", "[]"] {
        let error = toml::from_str::<Neuron>(&format!("v_reset = {text}")).unwrap_err().to_string();
        assert!(error.contains("a number (hard reset) or \"none\" (soft reset)"), "{error}");
    }
    assert!(
        toml::to_string(&Neuron { v_reset: None, ..Neuron::default() })
            .unwrap()
            .contains("v_reset = \"none\"")
    );
}

#[test]
fn a_model_says_what_it_has() {
    let names = [
        "if",
        "lif",
        "plif",
        "cuba_lif",
        "alif",
        "klif",
        "qif",
        "eif",
        "izhikevich",
        "clif",
        "glif",
        "leaky_integrator",
    ];
    assert_eq!(Model::all().iter().map(Model::name).collect::<Vec<_>>(), names);
    for (index, model) in Model::all().iter().enumerate() {
        let auxiliary = match index {
            3 => Some("synaptic_current"),
            4 => Some("adaptation"),
            8 => Some("recovery"),
            9 => Some("complementary_potential"),
            10 => Some("last_spike"),
            _ => None,
        };
        assert_eq!(model.auxiliary_state(), auxiliary, "{}", model.name());
        assert_eq!(model.has_own_reset(), index == 9 || index == 10, "{}", model.name());
        let tau = if index == 0 || index == 10 { None } else { Some(2.0) };
        assert_eq!(model.tau(), tau, "{}", model.name());
        let learned: Vec<&str> = model.learned().iter().map(|(name, _)| *name).collect();
        let expected: &[&str] = match index {
            2 => &["w"],
            5 => &["k"],
            10 => &["alpha", "beta", "gamma", "tau", "linear_decay", "v_subreset", "conduct"],
            _ => &[],
        };
        assert_eq!(learned, expected);
    }
    // The sigmoid of a learned parameter starts at the configured value.
    let sigmoid = |w: f32| 1.0 / (1.0 + (-f64::from(w)).exp());
    let [(_, w)] = Model::Plif { init_tau: 5.0, decay_input: true }.learned()[..] else { panic!("one") };
    assert!((sigmoid(w) - 0.2).abs() < 1e-6, "{w}");
    assert_eq!(Model::Plif { init_tau: 5.0, decay_input: true }.tau(), Some(5.0));
    let [(_, k)] = Model::Klif { tau: 2.0, decay_input: true }.learned()[..] else { panic!("one") };
    assert_eq!(k, 1.0);
    let glif =
        Model::Glif { init_tau: 0.25, init_linear_decay: 0.1, init_v_subreset: 0.5, init_conduct: 0.9 };
    for ((name, value), share) in glif.learned().iter().zip([0.5, 0.5, 0.5, 0.25, 0.1, 0.5, 0.9]) {
        assert!((sigmoid(*value) - share).abs() < 1e-6, "{name}");
    }
    let neuron = Neuron::new(glif);
    assert_eq!(neuron, Neuron { model: glif, ..Neuron::default() });
}

#[test]
fn a_programs_text_holds_its_options() {
    assert_eq!([0, 1, 2, 16, 17, 1000].map(Program::chunk_of), [1, 1, 2, 16, 16, 16]);
    let checkpoints =
        [(4, 4, 10, 0), (4, 5, 10, 20), (4, 8, 10, 20), (4, 9, 10, 40), (1, 3, 5, 20), (4, 0, 10, 0)];
    for (chunk, time_steps, neurons, expected) in checkpoints {
        assert_eq!(
            Program::checkpoints(chunk, time_steps, neurons),
            expected,
            "{chunk} {time_steps} {neurons}"
        );
    }
    let neuron = Neuron { v_threshold: 0.75, v_reset: Some(-0.5), ..Neuron::new(Model::all()[2]) };
    let program = Program::new(&neuron, Storage::F32, 7).unwrap();
    assert_eq!(program.chunk, 7);
    for part in [
        "#define V_THRESHOLD (7.5e-1f)",
        "#define V_REST (-5e-1f)",
        "#define CHUNK 7",
        "#define PARAMETERS 1\n",
        "    to[0] = from ? from[0] : -0e0f;",
        "    const float w = parameters[0];",
        "    grad_parameters_[0] += grad_w;",
    ] {
        assert!(program.text.contains(part), "{part}: {}", program.text);
    }
    let none = Program::new(&Neuron::new(Model::If), Storage::F32, 100).unwrap();
    assert!(none.text.contains("#define PARAMETERS 0\n") && none.text.contains("#define CHUNK 16"));
    let half = Program::new(&neuron, Storage::Bf16, 7).unwrap();
    assert!(half.text != program.text && half.text.contains("#define CHUNK 7"));
    assert!(Program::new(&Neuron { v_threshold: 0.0, ..neuron }, Storage::F32, 7).is_err());
    let spike = |strict| spike_text(Surrogate::default(), strict, Storage::F32);
    assert!(spike(true).contains("#define FIRES(u) ((u) > 0.0f)"));
    assert!(spike(false).contains("#define FIRES(u) ((u) >= 0.0f)"));
    assert!(spike_text(Surrogate::default(), true, Storage::Bf16) != spike(true));
}

#[test]
fn a_surrogates_parameters_are_taken_up_to_their_bounds() {
    const ABOVE: &str = "finite and above 0";
    const FROM: &str = "finite and 0 or above";
    let cases = [
        ("atan", "alpha", ABOVE),
        ("sigmoid", "alpha", ABOVE),
        ("qgate", "alpha", ABOVE),
        ("fast_sigmoid", "slope", ABOVE),
        ("leaky_k_relu", "leak", FROM),
        ("leaky_k_relu", "k", ABOVE),
        ("piecewise_leaky_relu", "w", ABOVE),
        ("piecewise_leaky_relu", "c", FROM),
        ("log_tailed_relu", "alpha", FROM),
        ("q_pseudo_spike", "alpha", "finite and above 1"),
        ("s2nn", "alpha", ABOVE),
        ("s2nn", "beta", ABOVE),
    ];
    for (name, parameter, range) in cases {
        let check = |value: &str| {
            let text = format!("surrogate = {{ {name} = {{ {parameter} = {value} }} }}");
            let neuron = toml::from_str::<Neuron>(&text);
            neuron
                .unwrap_or_else(|error| panic!("{text}: {error}"))
                .check()
                .map_err(|error| error.to_string())
        };
        let (just, least) = match range {
            FROM => ("-0.001", "0.0"),
            ABOVE => ("0.0", "0.001"),
            _ => ("1.0", "1.001"),
        };
        assert_eq!(check(least), Ok(()), "{name} {parameter}");
        for value in [just, "inf", "nan"] {
            let error = check(value).unwrap_err();
            assert!(
                error.starts_with(&format!("`{parameter}` = ")) && error.ends_with(range),
                "{name}: {error}"
            );
        }
    }
}
