//! Which neuron, and with what options: one vocabulary for every model.

use std::fmt;

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::NeuronError;
use crate::surrogate::Surrogate;

/// How the membrane is charged, i.e. which differential equation the neuron discretises.
///
/// `v` is the membrane, `x` the input of the step, `v_rest` the reset potential (0 for a soft reset)
/// unless the model names its own. Time constants are in steps. In TOML: `model = "if"` or
/// `model = { lif = { tau = 2.0 } }`; parameters that are left out have SpikingJelly's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Model {
    /// Integrate and fire: `v + x`. Lapicque, 1907.
    If,
    /// Leaky integrate and fire: `v + (x - (v - v_rest)) / tau` with `decay_input`, else
    /// `v - (v - v_rest) / tau + x`.
    Lif {
        /// Membrane time constant in steps, 1 or above (snnTorch's `beta` is `1 - 1 / tau`).
        #[serde(default = "default_tau")]
        tau: f32,
        /// Whether the input is divided by `tau` too.
        #[serde(default = "yes")]
        decay_input: bool,
    },
    /// Parametric LIF: LIF with `1 / tau = sigmoid(w)`, `w` learned. Fang et al., ICCV 2021.
    Plif {
        /// Time constant in steps from which `w` starts, above 1.
        #[serde(default = "default_tau")]
        init_tau: f32,
        /// Whether the input is multiplied by `sigmoid(w)` too.
        #[serde(default = "yes")]
        decay_input: bool,
    },
    /// LIF with a synaptic current (current-based, CuBa): `i = (1 - 1 / tau_synapse) i + x` takes the
    /// place of the input.
    CubaLif {
        /// Membrane time constant in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau: f32,
        /// Synaptic time constant in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau_synapse: f32,
        /// Whether the current is divided by `tau`.
        #[serde(default = "yes")]
        decay_input: bool,
    },
    /// LIF with an adaptive threshold `v_threshold + beta b`, where each spike raises
    /// `b = (1 - 1 / tau_adaptation) b + s / tau_adaptation` for the steps after it. Bellec et al.,
    /// NeurIPS 2018.
    Alif {
        /// Membrane time constant in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau: f32,
        /// Time constant of the threshold in steps, 1 or above.
        #[serde(default = "default_tau_adaptation")]
        tau_adaptation: f32,
        /// How much `b` raises the threshold, finite.
        #[serde(default = "default_beta")]
        beta: f32,
        /// Whether the input is divided by `tau`.
        #[serde(default = "yes")]
        decay_input: bool,
    },
    /// LIF whose charged membrane is scaled by a learned `k` and rectified: `relu(k v)`. Jiang and Zhang,
    /// "KLIF", arXiv 2302.09238.
    Klif {
        /// Membrane time constant in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau: f32,
        /// Whether the input is divided by `tau`.
        #[serde(default = "yes")]
        decay_input: bool,
    },
    /// Quadratic integrate and fire: `v + (x + a0 (v - v_rest) (v - v_c)) / tau`. Latham et al., Journal
    /// of Neurophysiology 83(2), 2000.
    Qif {
        /// Membrane time constant in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau: f32,
        /// Critical potential.
        #[serde(default = "default_v_c")]
        v_c: f32,
        /// Curvature, above 0.
        #[serde(default = "one")]
        a0: f32,
        /// Resting potential.
        #[serde(default)]
        v_rest: f32,
    },
    /// Exponential integrate and fire:
    /// `v + (x - (v - v_rest) + delta_t exp((v - theta_rh) / delta_t)) / tau`. Fourcaud-Trocme et al.,
    /// Journal of Neuroscience 23(37), 2003.
    Eif {
        /// Membrane time constant in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau: f32,
        /// Sharpness of the spike's upstroke, above 0.
        #[serde(default = "one")]
        delta_t: f32,
        /// Rheobase threshold.
        #[serde(default = "default_v_c")]
        theta_rh: f32,
        /// Resting potential.
        #[serde(default)]
        v_rest: f32,
    },
    /// Izhikevich's neuron: a quadratic membrane with a recovery variable,
    /// `v + (x + a0 (v - v_rest) (v - v_c) - w) / tau`, then `w + (a (v - v_rest) - w) / tau_w`, and
    /// `w + b` after a spike. Izhikevich, IEEE Transactions on Neural Networks 14(6), 2003.
    Izhikevich {
        /// Membrane time constant in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau: f32,
        /// Critical potential.
        #[serde(default = "default_v_c")]
        v_c: f32,
        /// Curvature, above 0.
        #[serde(default = "one")]
        a0: f32,
        /// Resting potential.
        #[serde(default = "default_izhikevich_rest")]
        v_rest: f32,
        /// Time constant of the recovery variable in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau_w: f32,
        /// Coupling of the membrane to the recovery variable.
        #[serde(default)]
        a: f32,
        /// Jump of the recovery variable at a spike.
        #[serde(default)]
        b: f32,
    },
    /// Complementary LIF: LIF without `decay_input` beside a complementary potential
    /// `m = m sigmoid(h / tau) + s`, `h` the charged membrane. A spike takes `v_threshold + sigmoid(m)` off the membrane:
    /// its reset is its own. Huang et al., "CLIF", ICML 2024.
    Clif {
        /// Membrane time constant in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau: f32,
    },
    /// Gated LIF: learned gates blend two ways to leak (by a share and by an amount), to take the input (as it is and
    /// by a conductance) and to be reset (to 0 and by an amount), with every rate a `sigmoid` of a learned parameter. A
    /// spike resets the membrane as it is charged in the next step: its reset is its own. The gates start at 1/2; one set
    /// of parameters for all neurons of a layer and one conductance for all steps. Yao et al., "GLIF", NeurIPS 2022.
    Glif {
        /// Share of the membrane that the leak by a share keeps in a step; above 0, below 1.
        #[serde(default = "default_glif_tau")]
        init_tau: f32,
        /// Amount that the leak by an amount takes in a step; above 0, below 1.
        #[serde(default = "default_linear_decay")]
        init_linear_decay: f32,
        /// Amount that the reset by an amount takes; above 0, below 1.
        #[serde(default = "half")]
        init_v_subreset: f32,
        /// Conductance, the share of the input that is taken by it; above 0, below 1.
        #[serde(default = "half")]
        init_conduct: f32,
    },
    /// A LIF that never fires: the read-out of a membrane.
    LeakyIntegrator {
        /// Membrane time constant in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau: f32,
        /// Whether the input is divided by `tau`.
        #[serde(default = "yes")]
        decay_input: bool,
    },
}

fn default_tau() -> f32 {
    2.0
}
fn default_tau_adaptation() -> f32 {
    20.0
}
fn default_beta() -> f32 {
    1.8
}
fn default_v_c() -> f32 {
    0.8
}
fn default_izhikevich_rest() -> f32 {
    -0.1
}
fn default_glif_tau() -> f32 {
    0.25
}
fn default_linear_decay() -> f32 {
    0.0625
}
fn half() -> f32 {
    0.5
}
fn one() -> f32 {
    1.0
}
fn yes() -> bool {
    true
}

impl Model {
    /// Every model with its default parameters, in the order of the documentation.
    pub const fn all() -> &'static [Model] {
        const TAU: f32 = 2.0;
        &[
            Model::If,
            Model::Lif { tau: TAU, decay_input: true },
            Model::Plif { init_tau: TAU, decay_input: true },
            Model::CubaLif { tau: TAU, tau_synapse: TAU, decay_input: true },
            Model::Alif { tau: TAU, tau_adaptation: 20.0, beta: 1.8, decay_input: true },
            Model::Klif { tau: TAU, decay_input: true },
            Model::Qif { tau: TAU, v_c: 0.8, a0: 1.0, v_rest: 0.0 },
            Model::Eif { tau: TAU, delta_t: 1.0, theta_rh: 0.8, v_rest: 0.0 },
            Model::Izhikevich { tau: TAU, v_c: 0.8, a0: 1.0, v_rest: -0.1, tau_w: TAU, a: 0.0, b: 0.0 },
            Model::Clif { tau: TAU },
            Model::Glif {
                init_tau: 0.25,
                init_linear_decay: 0.0625,
                init_v_subreset: 0.5,
                init_conduct: 0.5,
            },
            Model::LeakyIntegrator { tau: TAU, decay_input: true },
        ]
    }

    /// The name by which configurations call it.
    pub fn name(&self) -> &'static str {
        match self {
            Model::If => "if",
            Model::Lif { .. } => "lif",
            Model::Plif { .. } => "plif",
            Model::CubaLif { .. } => "cuba_lif",
            Model::Alif { .. } => "alif",
            Model::Klif { .. } => "klif",
            Model::Qif { .. } => "qif",
            Model::Eif { .. } => "eif",
            Model::Izhikevich { .. } => "izhikevich",
            Model::Clif { .. } => "clif",
            Model::Glif { .. } => "glif",
            Model::LeakyIntegrator { .. } => "leaky_integrator",
        }
    }

    /// What the model remembers beside the membrane, by its name, where it does.
    pub fn auxiliary_state(&self) -> Option<&'static str> {
        match self {
            Model::CubaLif { .. } => Some("synaptic_current"),
            Model::Alif { .. } => Some("adaptation"),
            Model::Izhikevich { .. } => Some("recovery"),
            Model::Clif { .. } => Some("complementary_potential"),
            Model::Glif { .. } => Some("last_spike"),
            _ => None,
        }
    }

    /// The learned parameters that the model has of its own, each with its initial value: PLIF's `w`, KLIF's `k`,
    /// GLIF's gates and rates.
    pub fn learned(&self) -> Vec<(&'static str, f32)> {
        match *self {
            Model::Plif { init_tau, .. } => vec![("w", -(init_tau - 1.0).ln())],
            Model::Klif { .. } => vec![("k", 1.0)],
            Model::Glif { init_tau, init_linear_decay, init_v_subreset, init_conduct } => vec![
                ("alpha", 0.0),
                ("beta", 0.0),
                ("gamma", 0.0),
                ("tau", logit(init_tau)),
                ("linear_decay", logit(init_linear_decay)),
                ("v_subreset", logit(init_v_subreset)),
                ("conduct", logit(init_conduct)),
            ],
            _ => Vec::new(),
        }
    }

    /// The membrane's time constant in steps before any learning, where the model has one.
    pub fn tau(&self) -> Option<f32> {
        match *self {
            Model::Plif { init_tau, .. } => Some(init_tau),
            _ => self.parameters().into_iter().find(|(name, ..)| *name == "tau").map(|(_, tau, _)| tau),
        }
    }

    /// Whether a spike changes the auxiliary state in its own step, which a reset in the next step would come after.
    fn adapts(&self) -> bool {
        matches!(self, Model::Alif { .. } | Model::Izhikevich { .. })
    }

    /// Whether the model resets the membrane by a rule of its own and not as `v_reset` says.
    pub fn has_own_reset(&self) -> bool {
        matches!(self, Model::Clif { .. } | Model::Glif { .. })
    }

    /// The parameters, each with what it may be.
    fn parameters(&self) -> Vec<(&'static str, f32, Range)> {
        use Range::{AboveOne, AboveZero, AtLeastOne, Finite, Share};
        match *self {
            Model::If => Vec::new(),
            Model::Lif { tau, .. }
            | Model::Klif { tau, .. }
            | Model::Clif { tau }
            | Model::LeakyIntegrator { tau, .. } => vec![("tau", tau, AtLeastOne)],
            Model::Plif { init_tau, .. } => vec![("init_tau", init_tau, AboveOne)],
            Model::CubaLif { tau, tau_synapse, .. } => {
                vec![("tau", tau, AtLeastOne), ("tau_synapse", tau_synapse, AtLeastOne)]
            }
            Model::Alif { tau, tau_adaptation, beta, .. } => vec![
                ("tau", tau, AtLeastOne),
                ("tau_adaptation", tau_adaptation, AtLeastOne),
                ("beta", beta, Finite),
            ],
            Model::Glif { init_tau, init_linear_decay, init_v_subreset, init_conduct } => vec![
                ("init_tau", init_tau, Share),
                ("init_linear_decay", init_linear_decay, Share),
                ("init_v_subreset", init_v_subreset, Share),
                ("init_conduct", init_conduct, Share),
            ],
            Model::Qif { tau, v_c, a0, v_rest } => vec![
                ("tau", tau, AtLeastOne),
                ("v_c", v_c, Finite),
                ("a0", a0, AboveZero),
                ("v_rest", v_rest, Finite),
            ],
            Model::Eif { tau, delta_t, theta_rh, v_rest } => vec![
                ("tau", tau, AtLeastOne),
                ("delta_t", delta_t, AboveZero),
                ("theta_rh", theta_rh, Finite),
                ("v_rest", v_rest, Finite),
            ],
            Model::Izhikevich { tau, v_c, a0, v_rest, tau_w, a, b } => vec![
                ("tau", tau, AtLeastOne),
                ("v_c", v_c, Finite),
                ("a0", a0, AboveZero),
                ("v_rest", v_rest, Finite),
                ("tau_w", tau_w, AtLeastOne),
                ("a", a, Finite),
                ("b", b, Finite),
            ],
        }
    }
}

/// The parameter whose `sigmoid` is this share.
fn logit(share: f32) -> f32 {
    -(1.0 / share - 1.0).ln()
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Finite,
    AboveZero,
    /// A time constant in steps.
    AtLeastOne,
    /// PLIF's time constant.
    AboveOne,
    /// GLIF's rates.
    Share,
}

impl Range {
    fn check(self, parameter: &'static str, value: f32) -> Result<(), NeuronError> {
        let (fine, range) = match self {
            Range::Finite => (true, "finite"),
            Range::AboveZero => (value > 0.0, "finite and above 0"),
            Range::AtLeastOne => (value >= 1.0, "finite and 1 or above (a time constant in steps)"),
            Range::Share => {
                (value > 0.0 && value < 1.0, "above 0 and below 1, since it is a sigmoid's value")
            }
            Range::AboveOne => (value > 1.0, "finite and above 1, since 1 / tau = sigmoid(w) is below 1"),
        };
        if fine && value.is_finite() {
            return Ok(());
        }
        Err(NeuronError::OutOfRange { parameter, value: f64::from(value), range })
    }
}

/// When a spike resets the membrane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetTime {
    /// In the step of the spike, after it (SpikingJelly, BrainCog).
    #[default]
    SameStep,
    /// In the next step (snnTorch): a hard reset before the membrane is charged, a soft one on the charged
    /// membrane. The membrane after a step is then the one that fired.
    NextStep,
}

/// A neuron: its model, when it fires, how it is reset, and its surrogate.
///
/// ```
/// use tks_neuron::{Model, Neuron, Surrogate};
///
/// // The reference recipe of TKS, as it stands in a configuration file.
/// let neuron: Neuron = toml::from_str(
///     r#"
///     model = { lif = { tau = 2.0 } }
///     v_threshold = 0.5
///     strict = true
///     surrogate = { qgate = { alpha = 2.0 } }
///     "#,
/// )?;
/// assert_eq!(neuron.surrogate, Surrogate::QGate { alpha: 2.0 });
/// assert_eq!(neuron.v_reset, Some(0.0));
/// neuron.check().unwrap();
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Neuron {
    /// How the membrane is charged.
    pub model: Model,
    /// Membrane at which the neuron fires, above 0.
    pub v_threshold: f32,
    /// Hard reset: the membrane after a spike, below `v_threshold`. `"none"` in TOML for a soft reset, which takes
    /// the threshold away from the membrane.
    #[serde(serialize_with = "write_reset", deserialize_with = "read_reset")]
    pub v_reset: Option<f32>,
    /// Whether no gradient flows through the reset.
    pub detach_reset: bool,
    /// Fires where `v > v_threshold` (BrainCog, snnTorch) and not where `v >= v_threshold` (SpikingJelly).
    pub strict: bool,
    /// When a spike resets the membrane.
    pub reset_time: ResetTime,
    /// Stand-in for the derivative of the spike.
    pub surrogate: Surrogate,
}

impl Default for Neuron {
    /// LIF with `tau = 2`, threshold 1, hard reset to 0 with its gradient, `v >= v_threshold`, arc tangent.
    fn default() -> Self {
        Neuron {
            model: Model::Lif { tau: 2.0, decay_input: true },
            v_threshold: 1.0,
            v_reset: Some(0.0),
            detach_reset: false,
            strict: false,
            reset_time: ResetTime::SameStep,
            surrogate: Surrogate::default(),
        }
    }
}

impl Neuron {
    /// A neuron of this model with the other options at their defaults.
    pub fn new(model: Model) -> Self {
        Neuron { model, ..Neuron::default() }
    }

    /// The potential to which LIF-like models leak: `v_reset`, or 0 for a soft reset.
    pub fn v_rest(&self) -> f32 {
        self.v_reset.unwrap_or(0.0)
    }

    /// Checks every parameter and the options against each other.
    ///
    /// # Errors
    /// [`NeuronError::OutOfRange`] or [`NeuronError::Incompatible`], naming the parameter.
    pub fn check(&self) -> Result<(), NeuronError> {
        Range::AboveZero.check("v_threshold", self.v_threshold)?;
        Range::Finite.check("v_reset", self.v_rest())?;
        if self.v_reset.is_some_and(|reset| reset >= self.v_threshold) {
            return Err(NeuronError::Incompatible {
                what: "`v_reset` is not below `v_threshold`: the neuron would fire at every step",
                remedy: "set `v_reset` below `v_threshold`",
            });
        }
        self.surrogate.check()?;
        for (parameter, value, range) in self.model.parameters() {
            range.check(parameter, value)?;
        }
        if self.model.has_own_reset() && self.v_reset.is_some_and(|reset| reset != 0.0) {
            return Err(NeuronError::Incompatible {
                what: "this model has a reset of its own, to which `v_reset` says nothing",
                remedy: "leave `v_reset` out",
            });
        }
        if self.reset_time == ResetTime::NextStep {
            if !self.detach_reset {
                return Err(NeuronError::Incompatible {
                    what: "a reset at the next step carries no gradient",
                    remedy: "set `detach_reset = true` with `reset_time = \"next_step\"`",
                });
            }
            if self.model.adapts() || self.model.has_own_reset() {
                return Err(NeuronError::Incompatible {
                    what: "this model adapts or is reset in the step of the spike",
                    remedy: "set `reset_time = \"same_step\"`",
                });
            }
        }
        Ok(())
    }
}

fn write_reset<S: Serializer>(v_reset: &Option<f32>, serializer: S) -> Result<S::Ok, S::Error> {
    match v_reset {
        Some(value) => serializer.serialize_f32(*value),
        None => serializer.serialize_str("none"),
    }
}

/// By hand, so that the error says what is allowed, which an untagged enum would not do.
fn read_reset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f32>, D::Error> {
    struct NumberOrNone;

    impl Visitor<'_> for NumberOrNone {
        type Value = Option<f32>;

        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            formatter.write_str("a number (hard reset) or \"none\" (soft reset)")
        }

        fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
            Ok(Some(value as f32))
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
            Ok(Some(value as f32))
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
            Ok(Some(value as f32))
        }

        fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
            if word == "none" { Ok(None) } else { Err(E::invalid_value(Unexpected::Str(word), &self)) }
        }
    }

    deserializer.deserialize_any(NumberOrNone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_survive_a_round_trip() {
        for &model in Model::all() {
            for v_reset in [None, Some(-0.25)] {
                let neuron = Neuron { model, v_reset, ..Neuron::default() };
                let text = toml::to_string(&neuron).unwrap();
                assert_eq!(toml::from_str::<Neuron>(&text).unwrap(), neuron, "{text}");
            }
        }
    }

    #[test]
    fn each_parameter_that_is_left_out_has_the_default_that_all_says() {
        for model in Model::all() {
            let name = model.name();
            let text = match model {
                Model::If => format!("model = \"{name}\""),
                _ => format!("model = {{ {name} = {{}} }}"),
            };
            let neuron: Neuron = toml::from_str(&text).unwrap();
            assert_eq!(neuron.model, *model);
            neuron.check().unwrap();
        }
    }

    #[test]
    fn typing_errors_are_refused() {
        assert!(toml::from_str::<Neuron>("v_treshold = 1.0").is_err());
        assert!(toml::from_str::<Neuron>("model = { lif = { taw = 2.0 } }").is_err());
        let error = toml::from_str::<Neuron>("v_reset = \"soft\"").unwrap_err().to_string();
        assert!(error.contains("\"none\""), "{error}");
    }

    #[test]
    fn out_of_range_parameters_are_refused() {
        let lif = |tau| Neuron::new(Model::Lif { tau, decay_input: true });
        assert!(lif(0.5).check().unwrap_err().to_string().contains("`tau` = 0.5"));
        assert!(lif(f32::NAN).check().is_err());
        assert!(lif(1.0).check().is_ok());
        assert!(Neuron::new(Model::Plif { init_tau: 1.0, decay_input: true }).check().is_err());
        for v_threshold in [f32::INFINITY, f32::NAN, 0.0, -1.0] {
            let error = Neuron { v_threshold, ..Neuron::default() }.check().unwrap_err().to_string();
            assert!(error.contains("`v_threshold`") && error.contains("above 0"), "{error}");
        }
        assert!(Neuron { v_reset: Some(1.0), ..Neuron::default() }.check().is_err());
        assert!(Neuron { reset_time: ResetTime::NextStep, ..Neuron::default() }.check().is_err());
    }
}
