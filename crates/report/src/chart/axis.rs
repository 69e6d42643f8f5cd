//! The range, ticks and number format of an axis.

/// A range with its ticks: finite and of positive length for any data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub low: f64,
    pub high: f64,
    /// Within the range, in increasing order.
    pub ticks: Vec<f64>,
    /// Distance between two ticks.
    pub step: f64,
}

/// The largest magnitude shown: beyond it, the difference of two values may not be finite.
const LARGEST: f64 = 1e300;

/// The smallest magnitude distinguished from 0: below it, tenths lose their digits.
const SMALLEST: f64 = 1e-290;

/// Upper bound on the number of ticks of an axis: the width of a page.
const TICKS: usize = 7;

impl Axis {
    /// An axis that covers all finite values, with round numbers at its ends. Without values, 0 to 1.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = extent(values).unwrap_or((0.0, 1.0));
        Self::between(low, high, TICKS)
    }

    /// The same for whole numbers (epochs, time steps): no ticks between two of them, no margin at the ends.
    pub(crate) fn of_counts(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = extent(values).unwrap_or((0.0, 1.0));
        let step = nice_step((high - low) / 10.0).max(1.0);
        let first = (low / step).ceil();
        let count = ((high / step).floor() - first).clamp(0.0, 100.0) as usize;
        let ticks = (0..=count).map(|i| (first + i as f64) * step).collect();
        // A single number is placed in the middle.
        let (low, high) =
            if high - low < 1e-9 * high.abs().max(1.0) { (low - 1.0, high + 1.0) } else { (low, high) };
        Self { low, high, ticks, step }
    }

    /// The same with 0 as one end, for the lengths of bars.
    pub(crate) fn from_zero(values: impl IntoIterator<Item = f64>) -> Self {
        Self::of(values.into_iter().chain([0.0]))
    }

    /// Shares: like [`Axis::of`], limited to 0 to 1.
    pub(crate) fn of_shares(values: impl IntoIterator<Item = f64>) -> Self {
        let within = values.into_iter().filter(|value| value.is_finite()).map(|value| value.clamp(0.0, 1.0));
        let (low, high) = extent(within).unwrap_or((0.0, 1.0));
        let mut axis = Self::between(low, high, TICKS);
        axis.low = axis.low.max(0.0);
        axis.high = axis.high.min(1.0);
        axis.ticks.retain(|tick| (-1e-9..=1.0 + 1e-9).contains(tick));
        axis
    }

    fn between(low: f64, high: f64, ticks: usize) -> Self {
        let largest = low.abs().max(high.abs());
        // Values that are equal up to rounding get a margin.
        let (low, high) = if high - low <= largest * 1e-9 {
            let room = if largest == 0.0 { 1.0 } else { largest * 0.1 };
            (low - room, high + room)
        } else {
            (low, high)
        };
        let step = nice_step((high - low) / (ticks.max(2) - 1) as f64);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let count = (last - first).clamp(1.0, 100.0) as usize;
        let ticks: Vec<f64> = (0..=count).map(|i| (first + i as f64) * step).collect();
        Self { low: first * step, high: (first + count as f64) * step, ticks, step }
    }

    /// A tick as text, with enough digits to distinguish it from its neighbours.
    pub(crate) fn label(&self, value: f64) -> String {
        let largest = self.low.abs().max(self.high.abs());
        if !(1e-3..1e6).contains(&largest) {
            let digits =
                (largest.log10().floor() - (self.step.log10() + 1e-9).floor()).clamp(0.0, 6.0) as usize;
            return if value.abs() < self.step * 1e-6 { "0".into() } else { format!("{value:.digits$e}") };
        }
        let decimals = (-(self.step.log10() + 1e-9).floor()).clamp(0.0, 9.0) as usize;
        without_sign_of_zero(format!("{value:.decimals$}"))
    }

    /// A tick of a share, in percent.
    pub(crate) fn percent_label(&self, value: f64) -> String {
        let decimals = (-((self.step * 100.0).log10() + 1e-9).floor()).clamp(0.0, 6.0) as usize;
        format!("{} %", without_sign_of_zero(format!("{:.decimals$}", value * 100.0)))
    }

    /// The position of a value, 0 to 1 within the range.
    pub(crate) fn position(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

fn without_sign_of_zero(text: String) -> String {
    if text.starts_with('-') && text.chars().all(|c| matches!(c, '-' | '0' | '.')) {
        text[1..].to_string()
    } else {
        text
    }
}

/// The least and the largest of the finite values.
fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let shown = |v: f64| if v.abs() < SMALLEST { 0.0 } else { v.clamp(-LARGEST, LARGEST) };
    let mut extent: Option<(f64, f64)> = None;
    for value in values.into_iter().filter(|value| value.is_finite()).map(shown) {
        let (low, high) = extent.unwrap_or((value, value));
        extent = Some((low.min(value), high.max(value)));
    }
    extent
}

/// The smallest of 1, 2 or 5 times a power of ten that is at least as large.
fn nice_step(least: f64) -> f64 {
    if !(least > 0.0 && least.is_finite()) {
        return 1.0;
    }
    let power = 10f64.powf(least.log10().floor());
    let factor = least / power;
    let nice = [1.0, 2.0, 5.0].into_iter().find(|nice| factor <= nice * (1.0 + 1e-9)).unwrap_or(10.0);
    nice * power
}

/// A number with three significant digits and an SI prefix: `1.23 M`, `456 µ`.
pub(crate) fn with_prefix(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value == 0.0 {
        return "0 ".into();
    }
    const PREFIXES: [&str; 9] = ["p", "n", "µ", "m", "", "k", "M", "G", "T"];
    // Rounded first, so that 999.9 becomes 1.00 k.
    let exponent = format!("{:.2e}", value.abs());
    let exponent: i32 = exponent.rsplit('e').next().and_then(|e| e.parse().ok()).unwrap_or(0);
    let group = exponent.div_euclid(3).clamp(-4, 4);
    let scaled = value / 10f64.powi(3 * group);
    let decimals = (2 - (exponent - 3 * group)).clamp(0, 2) as usize;
    format!("{scaled:.decimals$} {}", PREFIXES[(group + 4) as usize])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_sound(axis: &Axis) {
        assert!(axis.low.is_finite() && axis.high.is_finite() && axis.high > axis.low, "{axis:?}");
        assert!(!axis.ticks.is_empty() && axis.ticks.len() <= 102, "{axis:?}");
        assert!(axis.ticks.windows(2).all(|pair| pair[0] < pair[1]), "{axis:?}");
        let slack = (axis.high - axis.low) * 1e-9;
        assert!(axis.ticks.iter().all(|t| *t >= axis.low - slack && *t <= axis.high + slack), "{axis:?}");
        let labels: Vec<String> = axis.ticks.iter().map(|tick| axis.label(*tick)).collect();
        assert!(labels.iter().all(|label| !label.contains("NaN") && label.len() < 16), "{labels:?}");
    }

    proptest! {
        #[test]
        fn every_axis_is_sound_and_holds_its_values(values in prop::collection::vec(any::<f64>(), 0..20)) {
            for axis in [
                Axis::of(values.clone()),
                Axis::from_zero(values.clone()),
                Axis::of_counts(values.iter().map(|v| (v % 1e6).round())),
                Axis::of_shares(values.clone()),
            ] {
                assert_sound(&axis);
            }
            let axis = Axis::of(values.clone());
            let slack = (axis.high - axis.low) * 1e-6 + SMALLEST;
            for value in values.iter().filter(|v| v.is_finite() && v.abs() <= LARGEST) {
                prop_assert!(*value >= axis.low - slack && *value <= axis.high + slack, "{} in {:?}", value, axis);
            }
        }

        #[test]
        fn near_values_are_told_apart_or_given_room(base in -1e6f64..1e6, exponent in -20i32..6) {
            assert_sound(&Axis::of([base, base + 10f64.powi(exponent)]));
        }

        #[test]
        fn ticks_of_shares_are_shares(values in prop::collection::vec(0.0f64..=1.0, 1..20)) {
            let axis = Axis::of_shares(values.clone());
            prop_assert!(axis.low >= 0.0 && axis.high <= 1.0);
            let slack = 1e-9;
            prop_assert!(values.iter().all(|v| *v >= axis.low - slack && *v <= axis.high + slack));
        }

        #[test]
        fn a_prefix_keeps_three_digits(value in 1e-11f64..1e14) {
            const FACTORS: [(&str, f64); 9] = [
                ("p", 1e-12), ("n", 1e-9), ("µ", 1e-6), ("m", 1e-3), ("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12),
            ];
            let text = with_prefix(value);
            let (number, prefix) = text.split_once(' ').expect("a number and a prefix");
            let factor = FACTORS.iter().find(|(name, _)| *name == prefix).expect("a known prefix").1;
            let read = number.parse::<f64>().expect("a number") * factor;
            prop_assert!((read / value - 1.0).abs() < 6e-3, "{text} for {value}");
        }
    }

    #[test]
    fn empty_constant_and_broken_data_get_a_range() {
        assert_eq!((Axis::of([]).low, Axis::of([]).high), (0.0, 1.0));
        assert_eq!(Axis::of([f64::NAN, f64::INFINITY]), Axis::of([]));
        let constant = Axis::of([5.0, 5.0]);
        assert!(constant.low < 5.0 && constant.high > 5.0);
        assert_sound(&Axis::of([f64::MAX, f64::MIN]));
        assert_eq!(Axis::of_counts([1.0, 2.0, 3.0, 4.0]).ticks, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(Axis::of_counts([0.0, 299.0]).step, 50.0);
    }

    #[test]
    fn labels_have_the_digits_that_matter() {
        let axis = Axis::of([0.0, 0.3]);
        assert_eq!(
            axis.ticks.iter().map(|t| axis.label(*t)).collect::<Vec<_>>()[..3],
            ["0.00", "0.05", "0.10"]
        );
        let shares = Axis::of_shares([0.9, 0.95]);
        assert_eq!(shares.percent_label(0.9), "90 %");
        assert_eq!(with_prefix(1.2345e6), "1.23 M");
        assert_eq!(with_prefix(999.9), "1.00 k");
        assert_eq!(with_prefix(4.6e-12), "4.60 p");
        assert_eq!(with_prefix(0.0), "0 ");
    }
}
