//! Packed spikes: packing and unpacking gives the same values, and other values are not packed.

use half::bf16;
use proptest::prelude::*;
use tks_kernels::packed::PackedSpikes;

/// Lengths around those of a byte, a vector's group and a task's piece.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..200, 65_500usize..65_600, 131_000usize..131_100]
}

fn values(length: usize, below: u32, seed: u32) -> Vec<f32> {
    let mut state = seed | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 16) % below) as f32
    };
    std::iter::repeat_with(next).take(length).collect()
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(length in length(), below in 1u32..=256, seed: u32) {
        let values = values(length, below, seed);
        let packed = PackedSpikes::pack(&values).unwrap();
        let mut again = vec![7.0; length];
        packed.expand(&mut again).unwrap();
        prop_assert_eq!(&again, &values);
        let non_zero = values.iter().filter(|&&value| value != 0.0).count();
        prop_assert_eq!(packed.density(), non_zero as f64 / (length as f64).max(1.0));
        let whole = if values.iter().all(|&value| value <= 1.0) { length.div_ceil(8) } else { length };
        prop_assert_eq!(packed.bytes(), whole);
        let half: Vec<bf16> = values.iter().map(|&value| bf16::from_f32(value)).collect();
        prop_assert_eq!(PackedSpikes::pack(&half), Some(packed));
    }

    #[test]
    fn other_values_are_not_packed(
        length in length(),
        place: prop::sample::Index,
        seed: u32,
        other in prop_oneof![
            Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(256.0), Just(-1.0), Just(0.25),
            Just(1.0f32.next_up()), Just(f32::MIN_POSITIVE), Just(254.5),
        ],
    ) {
        let mut values = values(length + 1, 2, seed);
        let place = place.index(values.len());
        values[place] = other;
        prop_assert!(PackedSpikes::pack(&values).is_none());
        let mut half = vec![bf16::ONE; values.len()];
        half[place] = bf16::from_f32(other);
        // Some of them round to whole numbers.
        let rounded = half[place].to_f32();
        prop_assert_eq!(PackedSpikes::pack(&half).is_none(), !(rounded.fract() == 0.0 && (0.0..256.0).contains(&rounded)));
    }
}

#[test]
fn a_wrong_length_is_named() {
    let error = PackedSpikes::pack(&[1.0; 10]).unwrap().expand(&mut [0.0; 9]).unwrap_err().to_string();
    assert!(error.contains('9') && error.contains("10"), "{error}");
}

#[test]
fn a_negative_zero_is_a_zero() {
    let packed = PackedSpikes::pack(&[-0.0, 1.0]).unwrap();
    assert_eq!(packed.density(), 0.5);
}
