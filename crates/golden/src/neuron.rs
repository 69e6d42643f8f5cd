//! Golden cases about neurons and surrogates, in this project's terms.

use std::collections::BTreeMap;

use serde_json::Value;
use tks_neuron::{Model, Neuron, ResetTime, Surrogate};

use crate::{GoldenCase, GoldenError};

/// The surrogate that a case of kind `surrogate` or `neuron` names, with its parameters.
///
/// # Errors
/// [`GoldenError::Attribute`] where this project has no surrogate of the name.
pub fn surrogate_of(case: &GoldenCase) -> Result<Surrogate, GoldenError> {
    let name =
        case.text("surrogate").ok_or_else(|| case.attribute_error("surrogate", "is missing".into()))?;
    let parameters = if case.kind == "surrogate" { case.object("params")? } else { BTreeMap::new() };
    let number = |key: &str, default: f32| -> Result<f32, GoldenError> {
        let value = match parameters.get(key) {
            Some(value) => value.as_f64(),
            None => case.number(key)?,
        };
        Ok(value.map_or(default, |value| value as f32))
    };
    Ok(match name.as_str() {
        "atan" => Surrogate::Atan { alpha: number("alpha", 2.0)? },
        "sigmoid" => Surrogate::Sigmoid { alpha: number("alpha", 4.0)? },
        "qgate" => Surrogate::QGate { alpha: number("alpha", 2.0)? },
        "gate" => Surrogate::Gate { alpha: number("alpha", 2.0)? },
        "piecewise_quadratic" => Surrogate::PiecewiseQuadratic { alpha: number("alpha", 1.0)? },
        "piecewise_exp" => Surrogate::PiecewiseExp { alpha: number("alpha", 1.0)? },
        "soft_sign" => Surrogate::SoftSign { alpha: number("alpha", 2.0)? },
        "fast_sigmoid" => Surrogate::FastSigmoid { slope: number("slope", 25.0)? },
        "super_spike" => Surrogate::SuperSpike { alpha: number("alpha", 1.0)? },
        "erf" => Surrogate::Erf { alpha: number("alpha", 2.0)? },
        "rect" => Surrogate::Rect { alpha: number("alpha", 1.0)? },
        "leaky_k_relu" => Surrogate::LeakyKRelu { leak: number("leak", 0.0)?, k: number("k", 1.0)? },
        "piecewise_leaky_relu" => {
            Surrogate::PiecewiseLeakyRelu { w: number("w", 1.0)?, c: number("c", 0.01)? }
        }
        "log_tailed_relu" => Surrogate::LogTailedRelu { alpha: number("alpha", 0.0)? },
        "q_pseudo_spike" => Surrogate::QPseudoSpike { alpha: number("alpha", 2.0)? },
        "s2nn" => Surrogate::S2nn { alpha: number("alpha", 4.0)?, beta: number("beta", 1.0)? },
        _ => return Err(case.attribute_error("surrogate", format!("names an unknown surrogate: {name}"))),
    })
}

/// A golden case of kind `neuron`: a neuron, its input `[T, N]`, and what a peer made of them.
#[derive(Debug, Clone)]
pub struct NeuronCase {
    /// The case's file, for messages.
    pub file: String,
    /// The neurons that the case's words allow: one, or several where the index does not say which
    /// surrogate the peer used; exactly one of them has to agree.
    pub candidates: Vec<Neuron>,
    /// Steps, `T`.
    pub time_steps: usize,
    /// Neurons, `N`.
    pub neurons: usize,
    /// `[T, N]`
    pub input: Vec<f32>,
    /// Gradient that arrives at the spikes, `[T, N]`.
    pub grad_spikes: Vec<f32>,
    /// The peer's spikes, `[T, N]`.
    pub spikes: Vec<f32>,
    /// The peer's membrane after each step, `[T, N]`.
    pub membranes: Vec<f32>,
    /// The peer's gradient of the input, `[T, N]`.
    pub grad_input: Vec<f32>,
    /// The learned parameter (PLIF's `w`, KLIF's `k`) and the peer's gradient of it.
    pub parameter: Option<(f32, f32)>,
}

impl NeuronCase {
    /// Reads a case.
    ///
    /// # Errors
    /// [`GoldenError`] where a tensor is missing or the neuron is not one that this project has.
    pub fn read(case: &GoldenCase) -> Result<Self, GoldenError> {
        let flat =
            |name: &str| -> Result<Vec<f32>, GoldenError> { Ok(case.tensor(name)?.into_iter().collect()) };
        let input = case.tensor("x")?;
        let time_steps = input.shape().first().copied().unwrap_or(0);
        let neurons = input.len() / time_steps.max(1);
        let parameter = case.tensor_names().into_iter().find(|name| name.starts_with("param."));
        let parameter = match parameter {
            Some(name) => Some((flat(&name)?[0], flat(&format!("grad_{name}"))?[0])),
            None => None,
        };
        Ok(NeuronCase {
            file: case.file.clone(),
            candidates: candidates(case)?,
            time_steps,
            neurons,
            input: input.into_iter().collect(),
            grad_spikes: flat("grad_s")?,
            spikes: flat("s")?,
            membranes: flat("v")?,
            grad_input: flat("grad_x")?,
            parameter,
        })
    }
}

fn candidates(case: &GoldenCase) -> Result<Vec<Neuron>, GoldenError> {
    let attributes =
        if case.text("attributes").is_some() { case.object("attributes")? } else { BTreeMap::new() };
    let number = |keys: &[&str], default: f32| -> Result<f32, GoldenError> {
        for key in keys {
            if let Some(value) = attributes.get(*key).and_then(Value::as_f64) {
                return Ok(value as f32);
            }
            if let Some(value) = case.number(key)? {
                return Ok(value as f32);
            }
        }
        Ok(default)
    };
    let name = case.text("neuron").ok_or_else(|| case.attribute_error("neuron", "is missing".into()))?;
    let decay_input = case.flag("decay_input")?.unwrap_or(true);
    let tau = number(&["tau", "init_tau"], 2.0)?;
    if name == "leaky" {
        return leaky_of_snntorch(case);
    }
    let model = match name.as_str() {
        "if" => Model::If,
        "lif" => Model::Lif { tau, decay_input },
        "plif" => Model::Plif { init_tau: tau, decay_input },
        "klif" => Model::Klif { tau, decay_input },
        "qif" => Model::Qif {
            tau,
            v_c: number(&["v_c"], 0.8)?,
            a0: number(&["a0"], 1.0)?,
            v_rest: number(&["v_rest"], 0.0)?,
        },
        "eif" => Model::Eif {
            tau,
            delta_t: number(&["delta_T", "delta_t"], 1.0)?,
            theta_rh: number(&["theta_rh"], 0.8)?,
            v_rest: number(&["v_rest"], 0.0)?,
        },
        "izhikevich" => Model::Izhikevich {
            tau,
            v_c: number(&["v_c"], 0.8)?,
            a0: number(&["a0"], 1.0)?,
            v_rest: number(&["v_rest"], -0.1)?,
            tau_w: number(&["tau_w"], 2.0)?,
            a: number(&["a"], 0.0)?,
            b: number(&["b"], 0.0)?,
        },
        _ => return Err(case.attribute_error("neuron", format!("names an unknown neuron: {name}"))),
    };
    let surrogate = surrogate_of(case)?;
    let hard = match (attributes.get("v_reset"), case.text("v_reset")) {
        (Some(Value::Null), _) => None,
        (Some(value), _) => value.as_f64(),
        (None, Some(_)) => case.number("v_reset")?,
        (None, None) => None,
    };
    Ok(vec![Neuron {
        model,
        v_threshold: number(&["v_th", "v_threshold"], 1.0)?,
        v_reset: hard.map(|value| value as f32),
        detach_reset: case.flag("detach_reset")?.unwrap_or(false),
        // BrainCog fires above the threshold, but at it too with its sigmoid.
        strict: case.peer.starts_with("braincog") && !matches!(surrogate, Surrogate::Sigmoid { .. }),
        reset_time: ResetTime::SameStep,
        surrogate,
    }])
}

/// snnTorch's `Leaky`: `beta` for `1 - 1 / tau`, the input as it is, a reset at the next step.
fn leaky_of_snntorch(case: &GoldenCase) -> Result<Vec<Neuron>, GoldenError> {
    let beta = case.number("beta")?.ok_or_else(|| case.attribute_error("beta", "is missing".into()))?;
    let v_reset = match case.text("reset").as_deref() {
        Some("subtract") => None,
        Some("zero") => Some(0.0),
        other => {
            return Err(case.attribute_error("reset", format!("is neither subtract nor zero: {other:?}")));
        }
    };
    let surrogates = match case.text("surrogate") {
        Some(_) => vec![surrogate_of(case)?],
        None => vec![Surrogate::FastSigmoid { slope: 25.0 }, Surrogate::Atan { alpha: 2.0 }],
    };
    let v_threshold = case.number("v_th")?.unwrap_or(1.0) as f32;
    Ok(surrogates
        .into_iter()
        .map(|surrogate| Neuron {
            model: Model::Lif { tau: (1.0 / (1.0 - beta)) as f32, decay_input: false },
            v_threshold,
            v_reset,
            detach_reset: true,
            strict: true,
            reset_time: ResetTime::NextStep,
            surrogate,
        })
        .collect())
}
