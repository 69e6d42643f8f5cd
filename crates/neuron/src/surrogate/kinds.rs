//! The surrogates: everything that differs between them is in this file.

use std::f64::consts::{FRAC_2_SQRT_PI, FRAC_PI_2, PI};

use serde::{Deserialize, Serialize};

use crate::scalar::Float;

/// A surrogate gradient with its parameters. In TOML: `surrogate = { atan = { alpha = 2.0 } }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
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
    /// 1 on `|u| < 1 / alpha`, else 0: the gradient either passes or does not. Wu et al., "Spatio-temporal
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
    /// 1 everywhere, the straight-through estimator: the spike's gradient is passed on unchanged. Bengio,
    /// Léonard and Courville, arXiv 1308.3432.
    StraightThrough {},
    /// `slope exp(-beta |u - 1|)`, the escape rate as snnTorch scales and places it, with its maximum at 1 above
    /// the threshold. Gerstner and Kistler, "Spiking Neuron Models", 2002.
    SpikeRateEscape {
        /// Sharpness, above 0.
        #[serde(default = "one")]
        beta: f32,
        /// Height at `u = 1`, above 0.
        #[serde(default = "twenty_five")]
        slope: f32,
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

// Each variant with its name in configurations and its parameters with defaults and valid ranges, in the order of the
// documentation. The module of that name below holds its equations: the primitive, and the derivative, written once for
// `f32`, `f64` and kernel source. Derivatives select without early exits, so that loops over them are vectorised.
surrogates! { $
    Atan = atan { alpha: 2.0 in AboveZero };
    Sigmoid = sigmoid { alpha: 4.0 in AboveZero };
    QGate = qgate { alpha: 2.0 in AboveZero };
    Gate = gate { alpha: 2.0 in AboveZero };
    PiecewiseQuadratic = piecewise_quadratic { alpha: 1.0 in AboveZero };
    PiecewiseExp = piecewise_exp { alpha: 1.0 in AboveZero };
    SoftSign = soft_sign { alpha: 2.0 in AboveZero };
    FastSigmoid = fast_sigmoid { slope: 25.0 in AboveZero };
    SuperSpike = super_spike { alpha: 1.0 in AboveZero };
    Erf = erf { alpha: 2.0 in AboveZero };
    Rect = rect { alpha: 1.0 in AboveZero };
    LeakyKRelu = leaky_k_relu { leak: 0.0 in AtLeastZero, k: 1.0 in AboveZero };
    PiecewiseLeakyRelu = piecewise_leaky_relu { w: 1.0 in AboveZero, c: 0.01 in AtLeastZero };
    LogTailedRelu = log_tailed_relu { alpha: 0.0 in AtLeastZero };
    QPseudoSpike = q_pseudo_spike { alpha: 2.0 in AboveOne };
    S2nn = s2nn { alpha: 4.0 in AboveZero, beta: 1.0 in AboveZero };
    StraightThrough = straight_through {};
    SpikeRateEscape = spike_rate_escape { beta: 1.0 in AboveZero, slope: 25.0 in AboveZero };
}

pub(crate) mod atan {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F) -> F {
        let z = F::of(FRAC_PI_2) * alpha * u;
        alpha * F::of(0.5) / (F::of(1.0) + z * z)
    }

    pub(crate) fn primitive(u: f64, alpha: f64) -> f64 {
        (FRAC_PI_2 * alpha * u).atan() / PI + 0.5
    }
}

pub(crate) mod sigmoid {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F) -> F {
        // Symmetric in u; exp of a negative number cannot overflow.
        let e = (-(alpha * u).abs()).exp();
        let s = F::of(1.0) / (F::of(1.0) + e);
        alpha * e * s * s
    }

    pub(crate) fn primitive(u: f64, alpha: f64) -> f64 {
        1.0 / (1.0 + (-alpha * u).exp())
    }
}

pub(crate) mod qgate {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F) -> F {
        let inside = alpha - alpha * alpha * u.abs();
        u.abs().if_at_most(F::of(1.0) / alpha, inside, F::of(0.0))
    }

    pub(crate) fn primitive(u: f64, alpha: f64) -> f64 {
        let z = (alpha * u).clamp(-1.0, 1.0);
        0.5 + z - 0.5 * z * z.abs()
    }
}

pub(crate) mod gate {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F) -> F {
        u.abs().if_less(F::of(1.0) / alpha, F::of(1.0), F::of(0.0))
    }

    pub(crate) fn primitive(u: f64, alpha: f64) -> f64 {
        0.5 + u.max(-1.0 / alpha).min(1.0 / alpha)
    }
}

pub(crate) mod piecewise_quadratic {
    pub(crate) use super::qgate::{derivative, primitive};
}

pub(crate) mod piecewise_exp {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F) -> F {
        alpha * F::of(0.5) * (-alpha * u.abs()).exp()
    }

    pub(crate) fn primitive(u: f64, alpha: f64) -> f64 {
        let tail = 0.5 * (-alpha * u.abs()).exp();
        if u < 0.0 { tail } else { 1.0 - tail }
    }
}

pub(crate) mod soft_sign {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F) -> F {
        let d = F::of(1.0) + alpha * u.abs();
        alpha * F::of(0.5) / (d * d)
    }

    pub(crate) fn primitive(u: f64, alpha: f64) -> f64 {
        0.5 * (alpha * u / (1.0 + (alpha * u).abs()) + 1.0)
    }
}

pub(crate) mod fast_sigmoid {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, slope: F) -> F {
        let d = F::of(1.0) + slope * u.abs();
        F::of(1.0) / (d * d)
    }

    pub(crate) fn primitive(u: f64, slope: f64) -> f64 {
        u / (1.0 + slope * u.abs()) + 0.5
    }
}

pub(crate) mod super_spike {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F) -> F {
        let d = F::of(1.0) + u.abs();
        alpha / (d * d)
    }

    pub(crate) fn primitive(u: f64, alpha: f64) -> f64 {
        alpha * u / (1.0 + u.abs()) + 0.5
    }
}

pub(crate) mod erf {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F) -> F {
        let z = alpha * u;
        alpha * F::of(0.5 * FRAC_2_SQRT_PI) * (-z * z).exp()
    }

    pub(crate) fn primitive(u: f64, alpha: f64) -> f64 {
        0.5 * (1.0 + error_function(alpha * u))
    }

    /// The error function by its Maclaurin series (|z| < 3) or 1 - erfc's continued fraction: about 1e-13.
    fn error_function(z: f64) -> f64 {
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
            return sum * FRAC_2_SQRT_PI;
        }
        let x = z.abs();
        let fraction = (1..=60).rev().fold(0.0, |tail, k| 0.5 * f64::from(k) / (x + tail));
        let erfc = (-x * x).exp() / (PI.sqrt() * (x + fraction));
        z.signum() * (1.0 - erfc)
    }
}

pub(crate) mod rect {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F) -> F {
        u.abs().if_less(F::of(0.5) / alpha, alpha, F::of(0.0))
    }

    pub(crate) fn primitive(u: f64, alpha: f64) -> f64 {
        (alpha * u + 0.5).clamp(0.0, 1.0)
    }
}

pub(crate) mod leaky_k_relu {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, leak: F, k: F) -> F {
        F::of(0.0).if_at_most(u, k, leak)
    }

    pub(crate) fn primitive(u: f64, leak: f64, k: f64) -> f64 {
        (if u >= 0.0 { k } else { leak }) * u
    }
}

pub(crate) mod piecewise_leaky_relu {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, w: F, c: F) -> F {
        u.abs().if_less(w, F::of(0.5) / w, c)
    }

    pub(crate) fn primitive(u: f64, w: f64, c: f64) -> f64 {
        let z = u.max(-w).min(w);
        0.5 + 0.5 * z / w + c * (u - z)
    }
}

pub(crate) mod log_tailed_relu {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F) -> F {
        let above = F::of(1.0).if_less(u, F::of(1.0) / u, F::of(1.0));
        F::of(0.0).if_less(u, above, alpha)
    }

    pub(crate) fn primitive(u: f64, alpha: f64) -> f64 {
        if u <= 0.0 {
            alpha * u
        } else if u <= 1.0 {
            u
        } else {
            u.ln() + 1.0
        }
    }
}

pub(crate) mod q_pseudo_spike {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F) -> F {
        let base = F::of(1.0) + F::of(2.0) / (alpha - F::of(1.0)) * u.abs();
        base.powf(-alpha)
    }

    pub(crate) fn primitive(u: f64, alpha: f64) -> f64 {
        let tail = 0.5 * (1.0 + 2.0 / (alpha - 1.0) * u.abs()).powf(1.0 - alpha);
        if u < 0.0 { tail } else { 1.0 - tail }
    }
}

pub(crate) mod s2nn {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, alpha: F, beta: F) -> F {
        let below = sigmoid::derivative(u, alpha);
        let above = beta / (u.abs() + F::of(1.0));
        u.if_less(F::of(0.0), below, above)
    }

    pub(crate) fn primitive(u: f64, alpha: f64, beta: f64) -> f64 {
        if u < 0.0 { sigmoid::primitive(u, alpha) } else { beta * (u + 1.0).ln() + 0.5 }
    }
}

pub(crate) mod straight_through {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(_u: F) -> F {
        F::of(1.0)
    }

    pub(crate) fn primitive(u: f64) -> f64 {
        u + 0.5
    }
}

pub(crate) mod spike_rate_escape {
    use super::*;

    #[inline(always)]
    pub(crate) fn derivative<F: Float>(u: F, beta: F, slope: F) -> F {
        slope * (-beta * (u - F::of(1.0)).abs()).exp()
    }

    pub(crate) fn primitive(u: f64, beta: f64, slope: f64) -> f64 {
        let tail = slope / beta * (-beta * (u - 1.0).abs()).exp();
        if u < 1.0 { tail } else { 2.0 * slope / beta - tail }
    }
}
