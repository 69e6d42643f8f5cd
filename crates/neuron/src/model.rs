//! Neuron models: the differential equation that a neuron discretises, and its parameters.

use serde::{Deserialize, Serialize};

use crate::range::Range;

/// The neuron model: the differential equation that is discretised to charge the membrane.
///
/// `v` is the membrane potential, `x` the input of the step, `v_rest` the reset potential (0 for a soft
/// reset) unless the model has its own. Time constants are in time steps. In TOML: `model = "if"` or `model =
/// { lif = { tau = 2.0 } }`; parameters left out have SpikingJelly's defaults.
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
    /// Parametric LIF: LIF with `1 / tau = sigmoid(w)`, where `w` is learned. Fang et al., ICCV 2021.
    Plif {
        /// Initial membrane time constant in steps, above 1.
        #[serde(default = "default_tau")]
        init_tau: f32,
        /// Whether the input is multiplied by `sigmoid(w)` too.
        #[serde(default = "yes")]
        decay_input: bool,
    },
    /// LIF with a synaptic current (current-based, CuBa): `i = (1 - 1 / tau_synapse) i + x` replaces the
    /// input.
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
    /// LIF with an adaptive threshold `v_threshold + beta b`: each spike raises `b = (1 - 1 / tau_adaptation)
    /// b + s / tau_adaptation` for the following steps. Bellec et al., NeurIPS 2018.
    Alif {
        /// Membrane time constant in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau: f32,
        /// Time constant of the threshold's adaptation in steps, 1 or above.
        #[serde(default = "default_tau_adaptation")]
        tau_adaptation: f32,
        /// Factor by which `b` raises the threshold, finite.
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
    /// Complementary LIF: LIF without `decay_input` and with a complementary potential `m = m sigmoid(h /
    /// tau) + s`, where `h` is the charged membrane potential. A spike subtracts `v_threshold + sigmoid(m)`
    /// from the membrane potential: the model has its own reset. Huang et al., "CLIF", ICML 2024.
    Clif {
        /// Membrane time constant in steps, 1 or above.
        #[serde(default = "default_tau")]
        tau: f32,
    },
    /// Gated LIF: learned gates blend two kinds of leak (by a share and by an amount), of input (unchanged
    /// and scaled by a conductance) and of reset (to 0 and by an amount), where every rate is a `sigmoid` of
    /// a learned parameter. A spike resets the membrane while it is charged in the next step: the model has
    /// its own reset. The gates start at 1/2; all neurons of a layer share one set of parameters, and all
    /// steps share one conductance. Yao et al., "GLIF", NeurIPS 2022.
    Glif {
        /// Initial share of the membrane potential that the proportional leak keeps in a step; above 0, below
        /// 1.
        #[serde(default = "default_glif_tau")]
        init_tau: f32,
        /// Initial amount that the linear leak subtracts in a step; above 0, below 1.
        #[serde(default = "default_linear_decay")]
        init_linear_decay: f32,
        /// Initial amount that the subtractive reset takes; above 0, below 1.
        #[serde(default = "half")]
        init_v_subreset: f32,
        /// Initial conductance, which scales the input; above 0, below 1.
        #[serde(default = "half")]
        init_conduct: f32,
    },
    /// A LIF neuron that never fires, for reading out a membrane potential.
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

    /// Its name in configurations.
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

    /// The name of the model's auxiliary state, if it has one besides the membrane potential.
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

    /// The model's learned parameters, each with its initial value: PLIF's `w`, KLIF's `k`, GLIF's gates and
    /// rates.
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

    /// The initial membrane time constant in time steps, if the model has one.
    pub fn tau(&self) -> Option<f32> {
        match *self {
            Model::Plif { init_tau, .. } => Some(init_tau),
            _ => self.parameters().into_iter().find(|(name, ..)| *name == "tau").map(|(_, tau, _)| tau),
        }
    }

    /// Whether a spike changes the auxiliary state in the same step, before a reset in the next step would
    /// take place.
    pub(crate) fn adapts(&self) -> bool {
        matches!(self, Model::Alif { .. } | Model::Izhikevich { .. })
    }

    /// Whether the model has its own reset instead of that given by `v_reset`.
    pub fn has_own_reset(&self) -> bool {
        matches!(self, Model::Clif { .. } | Model::Glif { .. })
    }

    /// The parameters, each with its valid range.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, f32, Range)> {
        use Range::{AboveZero, Finite, LearnedTau, Share, Tau};
        match *self {
            Model::If => Vec::new(),
            Model::Lif { tau, .. }
            | Model::Klif { tau, .. }
            | Model::Clif { tau }
            | Model::LeakyIntegrator { tau, .. } => vec![("tau", tau, Tau)],
            Model::Plif { init_tau, .. } => vec![("init_tau", init_tau, LearnedTau)],
            Model::CubaLif { tau, tau_synapse, .. } => {
                vec![("tau", tau, Tau), ("tau_synapse", tau_synapse, Tau)]
            }
            Model::Alif { tau, tau_adaptation, beta, .. } => {
                vec![("tau", tau, Tau), ("tau_adaptation", tau_adaptation, Tau), ("beta", beta, Finite)]
            }
            Model::Glif { init_tau, init_linear_decay, init_v_subreset, init_conduct } => vec![
                ("init_tau", init_tau, Share),
                ("init_linear_decay", init_linear_decay, Share),
                ("init_v_subreset", init_v_subreset, Share),
                ("init_conduct", init_conduct, Share),
            ],
            Model::Qif { tau, v_c, a0, v_rest } => vec![
                ("tau", tau, Tau),
                ("v_c", v_c, Finite),
                ("a0", a0, AboveZero),
                ("v_rest", v_rest, Finite),
            ],
            Model::Eif { tau, delta_t, theta_rh, v_rest } => vec![
                ("tau", tau, Tau),
                ("delta_t", delta_t, AboveZero),
                ("theta_rh", theta_rh, Finite),
                ("v_rest", v_rest, Finite),
            ],
            Model::Izhikevich { tau, v_c, a0, v_rest, tau_w, a, b } => vec![
                ("tau", tau, Tau),
                ("v_c", v_c, Finite),
                ("a0", a0, AboveZero),
                ("v_rest", v_rest, Finite),
                ("tau_w", tau_w, Tau),
                ("a", a, Finite),
                ("b", b, Finite),
            ],
        }
    }
}

/// The parameter value whose `sigmoid` is this share.
fn logit(share: f32) -> f32 {
    -(1.0 / share - 1.0).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Neuron;

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
}
