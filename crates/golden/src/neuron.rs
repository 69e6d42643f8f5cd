//! Golden cases for neurons and surrogates, in this project's terms.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tks_neuron::{Model, Neuron, ResetTime, Surrogate};

use crate::{GoldenCase, GoldenError};

/// The surrogate named in a case of kind `surrogate` or `neuron`, with its parameters.
///
/// # Errors
/// [`GoldenError::Attribute`] if this project has no surrogate of that name.
pub fn surrogate_of(case: &GoldenCase) -> Result<Surrogate, GoldenError> {
    let name =
        case.text("surrogate").ok_or_else(|| case.attribute_error("surrogate", "is missing".into()))?;
    let given = if case.kind == "surrogate" { case.object("params")? } else { BTreeMap::new() };
    let unknown = |error: &dyn std::fmt::Display| {
        case.attribute_error("surrogate", format!("names no surrogate of this project: {name} ({error})"))
    };
    let named = |parameters: Value| -> Result<Surrogate, GoldenError> {
        serde_json::from_value(json!({ &name: parameters })).map_err(|error| unknown(&error))
    };
    // The default surrogate shows which parameters exist, by their names in configurations.
    let mut parameters = serde_json::Map::new();
    for (key, _) in named(json!({}))?.parameters() {
        let value = match given.get(key) {
            Some(value) => value.as_f64(),
            None => case.number(key)?,
        };
        parameters.extend(value.map(|value| (key.to_owned(), value.into())));
    }
    named(parameters.into())
}

/// A golden case of kind `neuron`: a neuron, its input `[T, N]`, and a peer's output.
#[derive(Debug, Clone)]
pub struct NeuronCase {
    /// The case's file, for messages.
    pub file: String,
    /// The neurons that the case's entry allows: one, or several if the index does not state which surrogate
    /// the peer used; exactly one of them must agree.
    pub candidates: Vec<Neuron>,
    /// Time steps, `T`.
    pub time_steps: usize,
    /// Neurons, `N`.
    pub neurons: usize,
    /// `[T, N]`
    pub input: Vec<f32>,
    /// Gradient with respect to the spikes, `[T, N]`.
    pub grad_spikes: Vec<f32>,
    /// The peer's spikes, `[T, N]`.
    pub spikes: Vec<f32>,
    /// The peer's membrane potential after each step, `[T, N]`.
    pub membranes: Vec<f32>,
    /// The peer's gradient with respect to the input, `[T, N]`.
    pub grad_input: Vec<f32>,
    /// The values of the model's learned parameters and the peer's gradients for them, in the order of
    /// [`Model::learned`]; empty if it has none.
    pub parameters: Vec<(f32, f32)>,
    /// The peer's gradient with respect to the threshold, if the case has it.
    pub grad_v_threshold: Option<f32>,
}

impl NeuronCase {
    /// Reads a case.
    ///
    /// # Errors
    /// [`GoldenError`] if a tensor is missing or this project does not have the neuron.
    pub fn read(case: &GoldenCase) -> Result<Self, GoldenError> {
        let flat =
            |name: &str| -> Result<Vec<f32>, GoldenError> { Ok(case.tensor(name)?.into_iter().collect()) };
        let input = case.tensor("x")?;
        let time_steps = input.shape().first().copied().unwrap_or(0);
        let neurons = input.len() / time_steps.max(1);
        let candidates = candidates(case)?;
        let number = |name: &str| -> Result<f32, GoldenError> {
            flat(name)?.first().copied().ok_or_else(|| case.attribute_error(name, "is empty".into()))
        };
        let learned = candidates.first().map(|neuron| neuron.model.learned()).unwrap_or_default();
        let parameters = learned
            .iter()
            .map(|(name, _)| Ok((number(&format!("param.{name}"))?, number(&format!("grad_param.{name}"))?)));
        let parameters = parameters.collect::<Result<_, GoldenError>>()?;
        let threshold = "grad_v_threshold";
        let grad_v_threshold = case.has_tensor(threshold).then(|| number(threshold)).transpose()?;
        Ok(NeuronCase {
            file: case.file.clone(),
            candidates,
            time_steps,
            neurons,
            input: input.into_iter().collect(),
            grad_spikes: flat("grad_s")?,
            spikes: flat("s")?,
            membranes: flat("v")?,
            grad_input: flat("grad_x")?,
            parameters,
            grad_v_threshold,
        })
    }
}

fn candidates(case: &GoldenCase) -> Result<Vec<Neuron>, GoldenError> {
    // Newer cases describe the neuron in this project's terms, as configurations do.
    if case.text("configuration").is_some() {
        let neuron = Value::from_iter(case.object("configuration")?);
        return match serde_json::from_value(neuron) {
            Ok(neuron) => Ok(vec![neuron]),
            Err(error) => Err(case.attribute_error("configuration", format!("is no neuron: {error}"))),
        };
    }
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
        // BrainCog fires above the threshold, but with its sigmoid also at it.
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
