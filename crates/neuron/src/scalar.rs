//! The number types that formulas are generic over: `f32`, `f64` and dual numbers; `tape` adds one that
//! records the formula.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::surrogate::Surrogate;

/// Plain floating-point arithmetic, so that each formula is written once for `f32`, `f64` and kernel source.
pub trait Float:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The value nearest to a constant.
    fn of(value: f64) -> Self;
    /// Magnitude.
    fn abs(self) -> Self;
    /// Exponential function.
    fn exp(self) -> Self;
    /// Power with a real exponent.
    fn powf(self, exponent: Self) -> Self;
    /// `then` if `self < bound`, else `otherwise`; both are computed.
    fn if_less(self, bound: Self, then: Self, otherwise: Self) -> Self;
    /// `then` if `self <= bound`, else `otherwise`; both are computed.
    fn if_at_most(self, bound: Self, then: Self, otherwise: Self) -> Self;
}

impl Float for f32 {
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn abs(self) -> Self {
        f32::abs(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        exp_f32(self)
    }
    #[inline(always)]
    fn powf(self, exponent: Self) -> Self {
        f32::powf(self, exponent)
    }
    #[inline(always)]
    fn if_less(self, bound: Self, then: Self, otherwise: Self) -> Self {
        if self < bound { then } else { otherwise }
    }
    #[inline(always)]
    fn if_at_most(self, bound: Self, then: Self, otherwise: Self) -> Self {
        if self <= bound { then } else { otherwise }
    }
}

impl Float for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn abs(self) -> Self {
        f64::abs(self)
    }
    fn exp(self) -> Self {
        f64::exp(self)
    }
    fn powf(self, exponent: Self) -> Self {
        f64::powf(self, exponent)
    }
    fn if_less(self, bound: Self, then: Self, otherwise: Self) -> Self {
        if self < bound { then } else { otherwise }
    }
    fn if_at_most(self, bound: Self, then: Self, otherwise: Self) -> Self {
        if self <= bound { then } else { otherwise }
    }
}

/// `exp` without branches or calls, so that loops over it are vectorised; within 2 units in the last place of
/// the correctly rounded result on [-87, 88], clamped outside (NaN stays NaN).
#[inline(always)]
pub fn exp_f32(x: f32) -> f32 {
    // exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln(2) / 2; ln 2 is split in two so that r is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding and subtracting 1.5 * 2^23 rounds to an integer in the default rounding mode.
    const ROUNDER: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let n = (x * std::f32::consts::LOG2_E + ROUNDER) - ROUNDER;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    // Taylor coefficients 1/k!, enough on |r| <= 0.3466 for the last place.
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = (p * r) * r + r + 1.0;
    // A saturating cast of an integer in [-126, 127]; NaN becomes 0, and p is then NaN.
    let scale = f32::from_bits((((n as i32) + 127) as u32) << 23);
    p * scale
}

/// The number type of the scalar reference: a number with a spike function and a way to stop its gradient.
pub trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// A constant.
    fn of(value: f32) -> Self;
    /// Exponential function.
    fn exp(self) -> Self;
    /// `max(self, 0)`.
    fn relu(self) -> Self;
    /// The same value with no gradient.
    fn detach(self) -> Self;
    /// 1 if `self > 0` (`strict`) or `self >= 0`, else 0; differentiated by the surrogate.
    fn spike(self, surrogate: &Surrogate, strict: bool) -> Self;
    /// `value` if `spike` is 1, `self` if it is 0: selected rather than multiplied, so that an infinite
    /// membrane potential is reset. Differentiated as `self (1 - spike) + value spike`.
    fn replace(self, spike: Self, value: Self) -> Self;
    /// The logistic function.
    fn sigmoid(self) -> Self {
        Self::of(1.0) / (Self::of(1.0) + (-self).exp())
    }
}

impl Real for f32 {
    fn of(value: f32) -> Self {
        value
    }
    fn exp(self) -> Self {
        f32::exp(self)
    }
    fn relu(self) -> Self {
        self.max(0.0)
    }
    fn detach(self) -> Self {
        self
    }
    fn spike(self, _: &Surrogate, strict: bool) -> Self {
        f32::from(fires(self, strict))
    }
    fn replace(self, spike: Self, value: Self) -> Self {
        if spike != 0.0 { value } else { self }
    }
}

#[inline(always)]
fn fires(u: f32, strict: bool) -> bool {
    if strict { u > 0.0 } else { u >= 0.0 }
}

/// A number with its derivative along one direction (forward-mode differentiation).
///
/// Running a neuron on dual numbers gives the surrogate gradient without a hand-written backward pass; the
/// kernels' back-propagation through time is tested against it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dual {
    /// The value.
    pub value: f32,
    /// Its derivative.
    pub slope: f32,
}

impl Dual {
    /// The variable to differentiate with respect to: slope 1.
    pub fn variable(value: f32) -> Self {
        Dual { value, slope: 1.0 }
    }
}

impl Add for Dual {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Dual { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Dual { value: self.value - other.value, slope: self.slope - other.slope }
    }
}

impl Mul for Dual {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Dual { value: self.value * other.value, slope: self.slope * other.value + self.value * other.slope }
    }
}

impl Div for Dual {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Dual { value, slope: (self.slope - value * other.slope) / other.value }
    }
}

impl Neg for Dual {
    type Output = Self;
    fn neg(self) -> Self {
        Dual { value: -self.value, slope: -self.slope }
    }
}

impl Real for Dual {
    fn of(value: f32) -> Self {
        Dual { value, slope: 0.0 }
    }
    fn exp(self) -> Self {
        let value = self.value.exp();
        Dual { value, slope: value * self.slope }
    }
    fn relu(self) -> Self {
        if self.value > 0.0 { self } else { Dual::of(0.0) }
    }
    fn sigmoid(self) -> Self {
        // If differentiated operation by operation, the slope would be infinity times 0 where `exp`
        // overflows.
        let value = self.value.sigmoid();
        Dual { value, slope: value * (1.0 - value) * self.slope }
    }
    fn detach(self) -> Self {
        Dual::of(self.value)
    }
    fn spike(self, surrogate: &Surrogate, strict: bool) -> Self {
        Dual {
            value: f32::from(fires(self.value, strict)),
            slope: surrogate.derivative(self.value) * self.slope,
        }
    }
    fn replace(self, spike: Self, value: Self) -> Self {
        let slope = self.slope * (1.0 - spike.value)
            + value.slope * spike.value
            + (value.value - self.value) * spike.slope;
        Dual { value: self.value.replace(spike.value, value.value), slope }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_threshold_only_a_neuron_that_is_not_strict_fires() {
        for (u, strict, expected) in [(0.0, true, false), (0.0, false, true), (1e-30, true, true)] {
            assert_eq!(fires(u, strict), expected, "{u} {strict}");
        }
        assert!(!fires(-1e-30, false) && !fires(f32::NAN, false));
    }

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let mut worst = 0.0f64;
        for i in -86_999..88_000 {
            let x = i as f32 * 1e-3;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp_f32(x)) - exact).abs() / exact);
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "relative error {worst:e}");
        assert!(exp_f32(f32::NAN).is_nan());
        assert!(exp_f32(f32::NEG_INFINITY) < 1e-37 && exp_f32(f32::INFINITY) > 1e38);
    }

    #[test]
    fn duals_follow_the_rules_of_differentiation() {
        let x = Dual::variable(0.7);
        let y = (x * x + Dual::of(3.0)) / (x - Dual::of(2.0)).exp().sigmoid();
        let f = |x: f64| (x * x + 3.0) * (1.0 + (-(x - 2.0).exp()).exp());
        let slope = (f(0.7 + 1e-6) - f(0.7 - 1e-6)) / 2e-6;
        assert!((f64::from(y.slope) - slope).abs() < 1e-4, "{} against {slope}", y.slope);
        assert_eq!(Dual::variable(-200.0).sigmoid(), Dual::of(0.0));
        // At the kink, the slope is that of the left side, as in libtorch.
        let relu = [-1.0, 0.0, 1.0].map(|x| Dual::variable(x).relu());
        assert_eq!(relu, [Dual::of(0.0), Dual::of(0.0), Dual::variable(1.0)]);
    }
}
