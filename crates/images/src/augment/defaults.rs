//! Default values of options.

use crate::resize::Filter;

pub(super) fn one() -> f64 {
    1.0
}

pub(super) fn half() -> f64 {
    0.5
}

pub(super) fn quarter() -> f64 {
    0.25
}

pub(super) fn tenth() -> f64 {
    0.1
}

pub(super) fn padding() -> usize {
    4
}

pub(super) fn size() -> usize {
    224
}

pub(super) fn scale() -> [f64; 2] {
    [0.08, 1.0]
}

pub(super) fn ratio() -> [f64; 2] {
    [3.0 / 4.0, 4.0 / 3.0]
}

pub(super) fn filter() -> Filter {
    Filter::Bilinear
}

pub(super) fn radius() -> [f64; 2] {
    [0.1, 2.0]
}

pub(super) fn bins() -> usize {
    31
}

pub(super) fn area() -> [f64; 2] {
    [0.02, 1.0 / 3.0]
}

pub(super) fn aspect() -> [f64; 2] {
    [0.3, 1.0 / 0.3]
}

pub(super) fn single() -> [usize; 2] {
    [1, 1]
}

pub(super) fn cutout() -> usize {
    16
}

pub(super) fn count() -> usize {
    1
}
