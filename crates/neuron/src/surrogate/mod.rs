//! Surrogate gradients: replacements for the derivative of the spike's step function.
//!
//! A neuron's spike is the Heaviside step of `u = v - v_threshold`, whose derivative is zero almost
//! everywhere. In the backward pass it is replaced by the derivative of a smooth (or piecewise linear)
//! *primitive*. Survey: Neftci, Mostafa, Zenke, "Surrogate Gradient Learning in Spiking Neural Networks",
//! IEEE Signal Processing Magazine 36(6), 2019.
//!
//! `kinds.rs` defines each surrogate: a variant, a line in a list and a module of equations. The code that
//! covers all surrogates is generated from the list.

use crate::error::NeuronError;

/// Generates from the list of surrogates what covers all of them. The list starts with `$`, which a macro that
/// generates a macro cannot write itself.
macro_rules! surrogates {
    ($d:tt $($kind:ident = $name:ident { $($parameter:ident: $default:literal in $range:ident),* };)*) => {
        impl Surrogate {
            /// Every surrogate with its default parameters, in the order of the documentation.
            pub const fn all() -> &'static [Surrogate] {
                &[$(Surrogate::$kind { $($parameter: $default),* }),*]
            }

            /// Its name in configurations.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Surrogate::$kind { .. } => stringify!($name),)*
                }
            }

            /// The parameters, each with its valid range.
            pub(super) fn ranges(&self) -> Vec<(&'static str, f32, $crate::range::Range)> {
                match *self {
                    $(Surrogate::$kind { $($parameter),* } => {
                        vec![$((stringify!($parameter), $parameter, $crate::range::Range::$range)),*]
                    })*
                }
            }

            /// The primitive: the smooth step whose derivative is [`Surrogate::derivative_f64`].
            ///
            /// It is defined up to a constant; symmetric ones are 1/2 at 0, the others have the constant of their
            /// papers (or of the peers).
            pub fn primitive(&self, u: f64) -> f64 {
                match *self {
                    $(Surrogate::$kind { $($parameter),* } => $name::primitive(u $(, f64::from($parameter))*),)*
                }
            }
        }

        /// Runs `$body` with `$f` bound to the derivative of `$surrogate`, a closure `$float -> $float`.
        ///
        /// The choice is made once, outside `$body`: a loop in it is compiled separately for each surrogate and
        /// vectorised.
        macro_rules! with_derivative {
            ($d surrogate:expr, $d float:ty, $d f:ident => $d body:expr) => {{
                use $crate::surrogate::{Surrogate, kinds};
                #[inline(always)]
                fn of(value: f32) -> $d float {
                    <$d float as $crate::scalar::Float>::of(f64::from(value))
                }
                match $d surrogate {
                    $(Surrogate::$kind { $($parameter),* } => {
                        let $d f = |u: $d float| kinds::$name::derivative(u $(, of($parameter))*);
                        $d body
                    })*
                }
            }};
        }
        pub(crate) use with_derivative;
    };
}

pub(crate) mod kinds;

pub use kinds::Surrogate;
pub(crate) use kinds::with_derivative;

impl Default for Surrogate {
    /// The arc tangent with `alpha = 2`.
    fn default() -> Self {
        Surrogate::Atan { alpha: 2.0 }
    }
}

impl Surrogate {
    /// The parameters with their names, in the order of the variant's fields.
    pub fn parameters(&self) -> Vec<(&'static str, f32)> {
        self.ranges().into_iter().map(|(name, value, _)| (name, value)).collect()
    }

    /// The derivative at `u = v - v_threshold`.
    pub fn derivative(&self, u: f32) -> f32 {
        with_derivative!(*self, f32, f => f(u))
    }

    /// The derivative in double precision, with the standard library's functions.
    pub fn derivative_f64(&self, u: f64) -> f64 {
        with_derivative!(*self, f64, f => f(u))
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`NeuronError::OutOfRange`] names the parameter and its range.
    pub fn check(&self) -> Result<(), NeuronError> {
        self.ranges().into_iter().try_for_each(|(name, value, range)| range.check(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::Range;

    /// Points where a derivative jumps or has a kink are skipped.
    fn smooth_points() -> impl Iterator<Item = f64> {
        (-400..400).map(|i| f64::from(i) * 0.01 + 0.0037)
    }

    /// The surrogate that a configuration describes by this name and these parameters.
    fn configured(name: &str, parameters: &[(&str, f32)]) -> Surrogate {
        let parameters: toml::Table =
            parameters.iter().map(|(name, value)| (name.to_string(), f64::from(*value).into())).collect();
        let surrogate = toml::Table::from_iter([(name.to_owned(), parameters.into())]);
        surrogate.try_into().unwrap()
    }

    /// The surrogate with one parameter changed.
    fn with(surrogate: &Surrogate, parameter: &str, value: f32) -> Surrogate {
        let mut parameters = surrogate.parameters();
        parameters.iter_mut().filter(|(name, _)| *name == parameter).for_each(|(_, old)| *old = value);
        configured(surrogate.name(), &parameters)
    }

    /// Every surrogate with its default parameters, and with a smaller and a larger value of each.
    fn with_other_parameters() -> Vec<Surrogate> {
        let mut surrogates = Surrogate::all().to_vec();
        for surrogate in Surrogate::all() {
            for (parameter, default, range) in surrogate.ranges() {
                let others = match range {
                    Range::AtLeastZero => [0.0, default + 0.3],
                    Range::AboveOne => [1.3, 3.5],
                    _ => [0.4 * default, 1.7 * default],
                };
                surrogates.extend(others.map(|value| with(surrogate, parameter, value)));
            }
        }
        surrogates
    }

    #[test]
    fn derivative_is_that_of_the_primitive() {
        for surrogate in with_other_parameters() {
            for u in smooth_points() {
                let d = 1e-6;
                let numeric = (surrogate.primitive(u + d) - surrogate.primitive(u - d)) / (2.0 * d);
                let exact = surrogate.derivative_f64(u);
                assert!((numeric - exact).abs() < 1e-6, "{surrogate:?} at {u}: {numeric} {exact}");
            }
        }
    }

    #[test]
    fn single_precision_agrees_with_double() {
        for surrogate in with_other_parameters() {
            for u in smooth_points() {
                let (single, double) =
                    (f64::from(surrogate.derivative(u as f32)), surrogate.derivative_f64(u));
                // Relative to the derivative's scale: near the edge of a triangle, the value is a difference
                // of larger numbers.
                let error = (single - double).abs() / double.abs().max(0.1);
                assert!(error < 3e-6, "{surrogate:?} at {u}: {single} {double}");
            }
        }
    }

    #[test]
    fn a_name_alone_has_the_listed_parameters() {
        for surrogate in Surrogate::all() {
            assert_eq!(configured(surrogate.name(), &[]), *surrogate);
        }
    }

    #[test]
    fn a_parameter_out_of_its_range_is_named() {
        for surrogate in with_other_parameters() {
            surrogate.check().unwrap();
            for (parameter, _, range) in surrogate.ranges() {
                let outside = match range {
                    Range::AtLeastZero => -0.125,
                    Range::AboveZero => 0.0,
                    Range::AboveOne => 1.0,
                    other => panic!("{surrogate:?}: add a value outside of {other:?} here"),
                };
                for value in [outside, f32::NAN, f32::INFINITY] {
                    let error = with(&surrogate, parameter, value).check().unwrap_err().to_string();
                    assert!(
                        error.starts_with(&format!("`{parameter}` = {value} is out of range")),
                        "{error}"
                    );
                }
            }
        }
    }
}
