//! Surrogate gradients: replacements for the derivative of the spike's step function.
//!
//! A neuron's spike is the Heaviside step of `u = v - v_threshold`, whose derivative is zero almost
//! everywhere. In the backward pass it is replaced by the derivative of a smooth (or piecewise linear)
//! *primitive*. Survey: Neftci, Mostafa, Zenke, "Surrogate Gradient Learning in Spiking Neural Networks",
//! IEEE Signal Processing Magazine 36(6), 2019.

use serde::{Deserialize, Serialize};

use crate::error::NeuronError;
use crate::scalar::Float;

/// A surrogate with its parameters. In TOML: `surrogate = { atan = { alpha = 2.0 } }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Surrogate {
    /// `alpha / 2 / (1 + (pi / 2 alpha u)^2)`, the derivative of a scaled arc tangent. Fang et al.,
    /// "Incorporating Learnable Membrane Time Constant...", ICCV 2021.
    Atan {
        /// Sharpness, above 0.
        #[serde(default = "two")]
        alpha: f32,
    },
    /// `alpha s (1 - s)` with `s = sigmoid(alpha u)`. Zenke and Vogels, Neural Computation 33(4), 2021.
    Sigmoid {
        /// Sharpness, above 0.
        #[serde(default = "four")]
        alpha: f32,
    },
    /// BrainCog's quadratic gate: the triangle `alpha - alpha^2 |u|` on `|u| <= 1 / alpha`, else 0; the
    /// reference recipe of TKS. Dong et al., arXiv 2304.06540.
    #[serde(rename = "qgate")]
    QGate {
        /// Height at 0 and inverse of the half width, above 0.
        #[serde(default = "two")]
        alpha: f32,
    },
    /// 1 on `|u| < 1 / alpha`, else 0: the gradient passes or it does not. Wu et al., "Spatio-temporal
    /// backpropagation", Frontiers in Neuroscience 12, 2018.
    Gate {
        /// Inverse of the half width, above 0.
        #[serde(default = "two")]
        alpha: f32,
    },
    /// The triangle `alpha - alpha^2 |u|` on `|u| <= 1 / alpha`, else 0. Esser et al., PNAS 113(41), 2016;
    /// Bellec et al., NeurIPS 2018.
    PiecewiseQuadratic {
        /// Height at 0 and inverse of the half width, above 0.
        #[serde(default = "one")]
        alpha: f32,
    },
    /// `alpha / 2 exp(-alpha |u|)`. Shrestha and Orchard, "SLAYER", NeurIPS 2018.
    PiecewiseExp {
        /// Sharpness, above 0.
        #[serde(default = "one")]
        alpha: f32,
    },
    /// `alpha / 2 / (1 + alpha |u|)^2`, the derivative of the soft sign: the fast sigmoid scaled to a step of
    /// height 1. Zenke and Ganguli, "SuperSpike", Neural Computation 30(6), 2018.
    SoftSign {
        /// Sharpness, above 0.
        #[serde(default = "two")]
        alpha: f32,
    },
    /// `1 / (1 + slope |u|)^2`, the fast sigmoid as snnTorch scales it (1 at 0). Zenke and Ganguli,
    /// "SuperSpike", Neural Computation 30(6), 2018.
    FastSigmoid {
        /// Sharpness, above 0.
        #[serde(default = "twenty_five")]
        slope: f32,
    },
    /// `alpha / (1 + |u|)^2`, the fast sigmoid as SpikingJelly scales it (`alpha` at 0). Zenke and
    /// Ganguli, as above.
    SuperSpike {
        /// Height at 0, above 0.
        #[serde(default = "one")]
        alpha: f32,
    },
    /// `alpha / sqrt(pi) exp(-alpha^2 u^2)`, the derivative of the error function. Yin, Corradi and
    /// Bohte, ICONS 2020.
    Erf {
        /// Sharpness, above 0.
        #[serde(default = "two")]
        alpha: f32,
    },
    /// `alpha` on `|u| < 1 / (2 alpha)`, else 0: a rectangle of area 1. Wu et al., Frontiers in
    /// Neuroscience 12, 2018.
    Rect {
        /// Height and inverse of the width, above 0.
        #[serde(default = "one")]
        alpha: f32,
    },
    /// `k` for `u >= 0`, else `leak`. Yin et al., "Algorithm and hardware design of discrete-time spiking
    /// neural networks based on back propagation with binary activations", BioCAS 2017.
    LeakyKRelu {
        /// Slope below the threshold, 0 or above.
        #[serde(default = "zero")]
        leak: f32,
        /// Slope above it, above 0.
        #[serde(default = "one")]
        k: f32,
    },
    /// `1 / (2 w)` on `|u| < w`, else `c`: a step of height 1 over a width of `2 w`, with leaks. Huh and
    /// Sejnowski, NeurIPS 2018; Kaiser et al., "DECOLLE", Frontiers in Neuroscience 14, 2020.
    PiecewiseLeakyRelu {
        /// Half width, above 0.
        #[serde(default = "one")]
        w: f32,
        /// Slope outside, 0 or above.
        #[serde(default = "hundredth")]
        c: f32,
    },
    /// `alpha` for `u <= 0`, 1 up to `u = 1`, then `1 / u`. Cai et al., "Deep learning with low precision
    /// by half-wave Gaussian quantization", CVPR 2017.
    LogTailedRelu {
        /// Slope below the threshold, 0 or above.
        #[serde(default = "zero")]
        alpha: f32,
    },
    /// `(1 + 2 |u| / (alpha - 1))^-alpha`. Herranz-Celotti and Rouat, "Surrogate gradients design",
    /// arXiv 2202.00282.
    QPseudoSpike {
        /// Tail exponent, above 1.
        #[serde(default = "two")]
        alpha: f32,
    },
    /// The sigmoid's derivative for `u < 0`, `beta / (1 + u)` above. Suetake et al., "S2NN: Time step
    /// reduction of spiking surrogate gradients for training energy efficient single-step neural
    /// networks", arXiv 2201.10879.
    S2nn {
        /// Sharpness below the threshold, above 0.
        #[serde(default = "four")]
        alpha: f32,
        /// Height above it, above 0.
        #[serde(default = "one")]
        beta: f32,
    },
}

fn zero() -> f32 {
    0.0
}
fn hundredth() -> f32 {
    0.01
}
fn one() -> f32 {
    1.0
}
fn two() -> f32 {
    2.0
}
fn four() -> f32 {
    4.0
}
fn twenty_five() -> f32 {
    25.0
}

impl Default for Surrogate {
    /// The arc tangent with `alpha = 2`.
    fn default() -> Self {
        Surrogate::Atan { alpha: 2.0 }
    }
}

/// Runs `$body` with `$f` bound to the derivative of `$surrogate`, a closure `$float -> $float`.
///
/// The choice is made once, outside `$body`: a loop in it is compiled separately for each surrogate and
/// vectorised.
macro_rules! with_derivative {
    ($surrogate:expr, $float:ty, $f:ident => $body:expr) => {{
        use $crate::scalar::Float;
        use $crate::surrogate::{Surrogate, formula};
        #[inline(always)]
        fn of(value: f32) -> $float {
            <$float as Float>::of(f64::from(value))
        }
        macro_rules! with {
            ($formula:expr) => {{
                let $f = $formula;
                $body
            }};
        }
        match $surrogate {
            Surrogate::Atan { alpha } => with!(|u: $float| formula::atan(u, of(alpha))),
            Surrogate::Sigmoid { alpha } => with!(|u: $float| formula::sigmoid(u, of(alpha))),
            Surrogate::QGate { alpha } | Surrogate::PiecewiseQuadratic { alpha } => {
                with!(|u: $float| formula::triangle(u, of(alpha)))
            }
            Surrogate::Gate { alpha } => with!(|u: $float| formula::gate(u, of(alpha))),
            Surrogate::PiecewiseExp { alpha } => with!(|u: $float| formula::piecewise_exp(u, of(alpha))),
            Surrogate::SoftSign { alpha } => with!(|u: $float| formula::soft_sign(u, of(alpha))),
            Surrogate::FastSigmoid { slope } => with!(|u: $float| formula::fast_sigmoid(u, of(slope))),
            Surrogate::SuperSpike { alpha } => with!(|u: $float| formula::super_spike(u, of(alpha))),
            Surrogate::Erf { alpha } => with!(|u: $float| formula::erf(u, of(alpha))),
            Surrogate::Rect { alpha } => with!(|u: $float| formula::rect(u, of(alpha))),
            Surrogate::LeakyKRelu { leak, k } => {
                with!(|u: $float| formula::leaky_k_relu(u, of(leak), of(k)))
            }
            Surrogate::PiecewiseLeakyRelu { w, c } => {
                with!(|u: $float| formula::piecewise_leaky_relu(u, of(w), of(c)))
            }
            Surrogate::LogTailedRelu { alpha } => with!(|u: $float| formula::log_tailed_relu(u, of(alpha))),
            Surrogate::QPseudoSpike { alpha } => with!(|u: $float| formula::q_pseudo_spike(u, of(alpha))),
            Surrogate::S2nn { alpha, beta } => with!(|u: $float| formula::s2nn(u, of(alpha), of(beta))),
        }
    }};
}
pub(crate) use with_derivative;

/// Each surrogate's derivative, written once for `f32`, `f64` and kernel source. Selections have no early
/// exits, so that loops over them are vectorised.
pub(crate) mod formula {
    use super::Float;
    use std::f64::consts::{FRAC_2_SQRT_PI, FRAC_PI_2};

    #[inline(always)]
    pub(crate) fn atan<F: Float>(u: F, alpha: F) -> F {
        let z = F::of(FRAC_PI_2) * alpha * u;
        alpha * F::of(0.5) / (F::of(1.0) + z * z)
    }

    #[inline(always)]
    pub(crate) fn sigmoid<F: Float>(u: F, alpha: F) -> F {
        // Symmetric in u; exp of a negative number cannot overflow.
        let e = (-(alpha * u).abs()).exp();
        let s = F::of(1.0) / (F::of(1.0) + e);
        alpha * e * s * s
    }

    #[inline(always)]
    pub(crate) fn triangle<F: Float>(u: F, alpha: F) -> F {
        let inside = alpha - alpha * alpha * u.abs();
        u.abs().if_at_most(F::of(1.0) / alpha, inside, F::of(0.0))
    }

    #[inline(always)]
    pub(crate) fn gate<F: Float>(u: F, alpha: F) -> F {
        u.abs().if_less(F::of(1.0) / alpha, F::of(1.0), F::of(0.0))
    }

    #[inline(always)]
    pub(crate) fn piecewise_exp<F: Float>(u: F, alpha: F) -> F {
        alpha * F::of(0.5) * (-alpha * u.abs()).exp()
    }

    #[inline(always)]
    pub(crate) fn soft_sign<F: Float>(u: F, alpha: F) -> F {
        let d = F::of(1.0) + alpha * u.abs();
        alpha * F::of(0.5) / (d * d)
    }

    #[inline(always)]
    pub(crate) fn fast_sigmoid<F: Float>(u: F, slope: F) -> F {
        let d = F::of(1.0) + slope * u.abs();
        F::of(1.0) / (d * d)
    }

    #[inline(always)]
    pub(crate) fn super_spike<F: Float>(u: F, alpha: F) -> F {
        let d = F::of(1.0) + u.abs();
        alpha / (d * d)
    }

    #[inline(always)]
    pub(crate) fn erf<F: Float>(u: F, alpha: F) -> F {
        let z = alpha * u;
        alpha * F::of(0.5 * FRAC_2_SQRT_PI) * (-z * z).exp()
    }

    #[inline(always)]
    pub(crate) fn rect<F: Float>(u: F, alpha: F) -> F {
        u.abs().if_less(F::of(0.5) / alpha, alpha, F::of(0.0))
    }

    #[inline(always)]
    pub(crate) fn leaky_k_relu<F: Float>(u: F, leak: F, k: F) -> F {
        F::of(0.0).if_at_most(u, k, leak)
    }

    #[inline(always)]
    pub(crate) fn piecewise_leaky_relu<F: Float>(u: F, w: F, c: F) -> F {
        u.abs().if_less(w, F::of(0.5) / w, c)
    }

    #[inline(always)]
    pub(crate) fn log_tailed_relu<F: Float>(u: F, alpha: F) -> F {
        let above = F::of(1.0).if_less(u, F::of(1.0) / u, F::of(1.0));
        F::of(0.0).if_less(u, above, alpha)
    }

    #[inline(always)]
    pub(crate) fn q_pseudo_spike<F: Float>(u: F, alpha: F) -> F {
        let base = F::of(1.0) + F::of(2.0) / (alpha - F::of(1.0)) * u.abs();
        base.powf(-alpha)
    }

    #[inline(always)]
    pub(crate) fn s2nn<F: Float>(u: F, alpha: F, beta: F) -> F {
        let below = sigmoid(u, alpha);
        let above = beta / (u.abs() + F::of(1.0));
        u.if_less(F::of(0.0), below, above)
    }
}

impl Surrogate {
    /// Every surrogate with its default parameters, in the order of the documentation.
    pub fn all() -> [Surrogate; 16] {
        [
            Surrogate::Atan { alpha: 2.0 },
            Surrogate::Sigmoid { alpha: 4.0 },
            Surrogate::QGate { alpha: 2.0 },
            Surrogate::Gate { alpha: 2.0 },
            Surrogate::PiecewiseQuadratic { alpha: 1.0 },
            Surrogate::PiecewiseExp { alpha: 1.0 },
            Surrogate::SoftSign { alpha: 2.0 },
            Surrogate::FastSigmoid { slope: 25.0 },
            Surrogate::SuperSpike { alpha: 1.0 },
            Surrogate::Erf { alpha: 2.0 },
            Surrogate::Rect { alpha: 1.0 },
            Surrogate::LeakyKRelu { leak: 0.0, k: 1.0 },
            Surrogate::PiecewiseLeakyRelu { w: 1.0, c: 0.01 },
            Surrogate::LogTailedRelu { alpha: 0.0 },
            Surrogate::QPseudoSpike { alpha: 2.0 },
            Surrogate::S2nn { alpha: 4.0, beta: 1.0 },
        ]
    }

    /// Its name in configurations.
    pub fn name(&self) -> &'static str {
        match self {
            Surrogate::Atan { .. } => "atan",
            Surrogate::Sigmoid { .. } => "sigmoid",
            Surrogate::QGate { .. } => "qgate",
            Surrogate::Gate { .. } => "gate",
            Surrogate::PiecewiseQuadratic { .. } => "piecewise_quadratic",
            Surrogate::PiecewiseExp { .. } => "piecewise_exp",
            Surrogate::SoftSign { .. } => "soft_sign",
            Surrogate::FastSigmoid { .. } => "fast_sigmoid",
            Surrogate::SuperSpike { .. } => "super_spike",
            Surrogate::Erf { .. } => "erf",
            Surrogate::Rect { .. } => "rect",
            Surrogate::LeakyKRelu { .. } => "leaky_k_relu",
            Surrogate::PiecewiseLeakyRelu { .. } => "piecewise_leaky_relu",
            Surrogate::LogTailedRelu { .. } => "log_tailed_relu",
            Surrogate::QPseudoSpike { .. } => "q_pseudo_spike",
            Surrogate::S2nn { .. } => "s2nn",
        }
    }

    /// The parameters with their names, in the order of the variant's fields.
    pub fn parameters(&self) -> Vec<(&'static str, f32)> {
        match *self {
            Surrogate::Atan { alpha }
            | Surrogate::Sigmoid { alpha }
            | Surrogate::QGate { alpha }
            | Surrogate::Gate { alpha }
            | Surrogate::PiecewiseQuadratic { alpha }
            | Surrogate::PiecewiseExp { alpha }
            | Surrogate::SoftSign { alpha }
            | Surrogate::SuperSpike { alpha }
            | Surrogate::Erf { alpha }
            | Surrogate::Rect { alpha }
            | Surrogate::LogTailedRelu { alpha }
            | Surrogate::QPseudoSpike { alpha } => vec![("alpha", alpha)],
            Surrogate::FastSigmoid { slope } => vec![("slope", slope)],
            Surrogate::LeakyKRelu { leak, k } => vec![("leak", leak), ("k", k)],
            Surrogate::PiecewiseLeakyRelu { w, c } => vec![("w", w), ("c", c)],
            Surrogate::S2nn { alpha, beta } => vec![("alpha", alpha), ("beta", beta)],
        }
    }

    /// The derivative at `u = v - v_threshold`.
    pub fn derivative(&self, u: f32) -> f32 {
        with_derivative!(*self, f32, f => f(u))
    }

    /// The derivative in double precision, with the standard library's functions.
    pub fn derivative_f64(&self, u: f64) -> f64 {
        with_derivative!(*self, f64, f => f(u))
    }

    /// The primitive: the smooth step whose derivative is [`Surrogate::derivative_f64`].
    ///
    /// It is defined up to a constant; symmetric ones are 1/2 at 0, the others have the constant of their
    /// papers (or of the peers).
    pub fn primitive(&self, u: f64) -> f64 {
        use std::f64::consts::{FRAC_PI_2, PI};
        let of = f64::from;
        match *self {
            Surrogate::Atan { alpha } => (FRAC_PI_2 * of(alpha) * u).atan() / PI + 0.5,
            Surrogate::Sigmoid { alpha } => 1.0 / (1.0 + (-of(alpha) * u).exp()),
            Surrogate::QGate { alpha } | Surrogate::PiecewiseQuadratic { alpha } => {
                let z = (of(alpha) * u).clamp(-1.0, 1.0);
                0.5 + z - 0.5 * z * z.abs()
            }
            Surrogate::Gate { alpha } => 0.5 + u.clamp(-1.0 / of(alpha), 1.0 / of(alpha)),
            Surrogate::PiecewiseExp { alpha } => {
                let tail = 0.5 * (-of(alpha) * u.abs()).exp();
                if u < 0.0 { tail } else { 1.0 - tail }
            }
            Surrogate::SoftSign { alpha } => 0.5 * (of(alpha) * u / (1.0 + (of(alpha) * u).abs()) + 1.0),
            Surrogate::FastSigmoid { slope } => u / (1.0 + of(slope) * u.abs()) + 0.5,
            Surrogate::SuperSpike { alpha } => of(alpha) * u / (1.0 + u.abs()) + 0.5,
            Surrogate::Erf { alpha } => 0.5 * (1.0 + erf_series(of(alpha) * u)),
            Surrogate::Rect { alpha } => (of(alpha) * u + 0.5).clamp(0.0, 1.0),
            Surrogate::LeakyKRelu { leak, k } => (if u >= 0.0 { of(k) } else { of(leak) }) * u,
            Surrogate::PiecewiseLeakyRelu { w, c } => {
                let (w, c) = (of(w), of(c));
                if u < -w {
                    c * (u + w)
                } else if u > w {
                    c * (u - w) + 1.0
                } else {
                    0.5 * u / w + 0.5
                }
            }
            Surrogate::LogTailedRelu { alpha } => {
                if u <= 0.0 {
                    of(alpha) * u
                } else if u <= 1.0 {
                    u
                } else {
                    u.ln() + 1.0
                }
            }
            Surrogate::QPseudoSpike { alpha } => {
                let alpha = of(alpha);
                let tail = 0.5 * (1.0 + 2.0 / (alpha - 1.0) * u.abs()).powf(1.0 - alpha);
                if u < 0.0 { tail } else { 1.0 - tail }
            }
            Surrogate::S2nn { alpha, beta } => {
                if u < 0.0 {
                    1.0 / (1.0 + (-of(alpha) * u).exp())
                } else {
                    of(beta) * (u + 1.0).ln() + 0.5
                }
            }
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`NeuronError::OutOfRange`] names the parameter and its range.
    pub fn check(&self) -> Result<(), NeuronError> {
        for (parameter, value) in self.parameters() {
            let (fine, range) = match (self, parameter) {
                (Surrogate::QPseudoSpike { .. }, _) => (value > 1.0, "finite and above 1"),
                (Surrogate::LogTailedRelu { .. }, _) | (_, "leak" | "c") => {
                    (value >= 0.0, "finite and 0 or above")
                }
                _ => (value > 0.0, "finite and above 0"),
            };
            if !fine || !value.is_finite() {
                return Err(NeuronError::OutOfRange { parameter, value: f64::from(value), range });
            }
        }
        Ok(())
    }
}

/// The error function by its Maclaurin series (|z| < 3) or 1 - erfc's continued fraction: about 1e-13.
fn erf_series(z: f64) -> f64 {
    if z.abs() > 6.0 {
        return z.signum();
    }
    if z.abs() < 3.0 {
        let (mut term, mut sum, mut n) = (z, z, 0.0);
        while term.abs() > 1e-17 * sum.abs() {
            n += 1.0;
            term *= -z * z / n;
            sum += term / (2.0 * n + 1.0);
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let x = z.abs();
    let fraction = (1..=60).rev().fold(0.0, |tail, k| 0.5 * f64::from(k) / (x + tail));
    let erfc = (-x * x).exp() / (std::f64::consts::PI.sqrt() * (x + fraction));
    z.signum() * (1.0 - erfc)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points where a derivative jumps or has a kink are skipped.
    fn smooth_points() -> impl Iterator<Item = f64> {
        (-400..400).map(|i| f64::from(i) * 0.01 + 0.0037)
    }

    /// Every surrogate with its default and with other parameters.
    fn with_other_parameters() -> impl Iterator<Item = Surrogate> {
        let others = [
            Surrogate::Atan { alpha: 0.7 },
            Surrogate::Sigmoid { alpha: 1.5 },
            Surrogate::QGate { alpha: 0.8 },
            Surrogate::Gate { alpha: 0.6 },
            Surrogate::PiecewiseQuadratic { alpha: 1.7 },
            Surrogate::PiecewiseExp { alpha: 2.5 },
            Surrogate::SoftSign { alpha: 0.9 },
            Surrogate::FastSigmoid { slope: 3.0 },
            Surrogate::SuperSpike { alpha: 0.4 },
            Surrogate::Erf { alpha: 0.6 },
            Surrogate::Rect { alpha: 0.3 },
            Surrogate::LeakyKRelu { leak: 0.2, k: 1.6 },
            Surrogate::PiecewiseLeakyRelu { w: 0.6, c: 0.3 },
            Surrogate::LogTailedRelu { alpha: 0.4 },
            Surrogate::QPseudoSpike { alpha: 3.5 },
            Surrogate::S2nn { alpha: 1.2, beta: 0.7 },
        ];
        let kinds = Surrogate::all().map(|surrogate| std::mem::discriminant(&surrogate));
        assert_eq!(others.each_ref().map(std::mem::discriminant), kinds, "one of each");
        Surrogate::all().into_iter().chain(others)
    }

    #[test]
    fn derivative_is_that_of_the_primitive() {
        for surrogate in with_other_parameters() {
            for u in smooth_points() {
                let d = 1e-6;
                let numeric = (surrogate.primitive(u + d) - surrogate.primitive(u - d)) / (2.0 * d);
                let exact = surrogate.derivative_f64(u);
                assert!((numeric - exact).abs() < 1e-6, "{} at {u}: {numeric} {exact}", surrogate.name());
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
                assert!(error < 3e-6, "{} at {u}: {single} {double}", surrogate.name());
            }
        }
    }

    #[test]
    fn a_name_alone_has_the_listed_parameters() {
        #[derive(Deserialize)]
        struct Table {
            surrogate: Surrogate,
        }
        for surrogate in Surrogate::all() {
            let text = format!("surrogate = {{ {} = {{}} }}", surrogate.name());
            let table: Table = toml::from_str(&text).unwrap();
            assert_eq!(table.surrogate, surrogate);
        }
    }

    #[test]
    fn out_of_range_parameters_are_named() {
        let error = Surrogate::QPseudoSpike { alpha: 1.0 }.check().unwrap_err();
        assert!(error.to_string().contains("`alpha` = 1"), "{error}");
        assert!(Surrogate::Atan { alpha: f32::NAN }.check().is_err());
        assert!(Surrogate::LeakyKRelu { leak: -0.1, k: 1.0 }.check().is_err());
        assert!(Surrogate::all().iter().all(|surrogate| surrogate.check().is_ok()));
    }
}
