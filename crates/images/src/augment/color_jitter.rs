//! Random brightness, contrast, saturation and hue.

use rand::{Rng, RngExt};

use super::Scratch;
use super::ops::{Operation, Sampling};
use crate::image::Image;

/// Changes brightness, contrast and saturation by factors that differ from 1 by up to `amounts[..3]`, and the
/// hue by up to `amounts[3]` of the circle, in random order; changes with amount 0 are skipped.
pub(super) fn apply(image: &mut Image, scratch: &mut Scratch, amounts: [f64; 4], rng: &mut impl Rng) {
    let mut order = [0, 1, 2, 3];
    for i in (1..order.len()).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    for which in order {
        let amount = amounts[which];
        if amount == 0.0 {
            continue;
        }
        let factor = super::between(rng, [(1.0 - amount).max(0.0), 1.0 + amount]);
        let operation = match which {
            0 => Operation::Brightness { factor },
            1 => Operation::Contrast { factor },
            2 => Operation::Color { factor },
            _ => Operation::Hue { factor: super::between(rng, [-amount, amount]) },
        };
        operation.run(image, Sampling::default(), scratch);
    }
}
