//! A neuron: its model, when it fires, how it is reset, and its surrogate.

use std::fmt;

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::NeuronError;
use crate::model::Model;
use crate::range::Range;
use crate::surrogate::Surrogate;

/// When a spike resets the membrane potential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResetTime {
    /// In the time step of the spike, after it (SpikingJelly, BrainCog).
    #[default]
    SameStep,
    /// In the next time step (snnTorch): a hard reset before the membrane is charged, a soft reset on the
    /// charged membrane. The membrane potential after a step is then the one that fired.
    NextStep,
}

/// A neuron: its model, firing condition, reset and surrogate gradient.
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
    /// The model that determines how the membrane is charged.
    pub model: Model,
    /// Firing threshold of the membrane potential, above 0.
    pub v_threshold: f32,
    /// Membrane potential after a spike (hard reset), below `v_threshold`. `"none"` in TOML for a soft reset,
    /// which subtracts the threshold from the membrane potential.
    #[serde(serialize_with = "write_reset", deserialize_with = "read_reset")]
    pub v_reset: Option<f32>,
    /// Whether the reset is excluded from the gradient.
    pub detach_reset: bool,
    /// Whether the neuron fires if `v > v_threshold` (BrainCog, snnTorch) instead of `v >= v_threshold`
    /// (SpikingJelly).
    pub strict: bool,
    /// When a spike resets the membrane potential.
    pub reset_time: ResetTime,
    /// Surrogate gradient: the replacement for the derivative of the spike.
    pub surrogate: Surrogate,
}

impl Default for Neuron {
    /// LIF with `tau = 2`, threshold 1, hard reset to 0 with gradient, `v >= v_threshold`, arc tangent
    /// surrogate.
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
    /// A neuron with this model and default options.
    pub fn new(model: Model) -> Self {
        Neuron { model, ..Neuron::default() }
    }

    /// The potential to which LIF-like models leak: `v_reset`, or 0 for a soft reset.
    pub fn v_rest(&self) -> f32 {
        self.v_reset.unwrap_or(0.0)
    }

    /// Checks every parameter and the consistency of the options.
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

/// Implemented by hand so that the error states the valid values, unlike with an untagged enum.
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
