//! One seed for a run, and a random generator per sample and epoch.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// The generator for every random choice about data.
///
/// Its stream is fixed by its definition, so a seed gives the same samples on every machine.
pub type SampleRng = Xoshiro256PlusPlus;

/// The generator of one sample in one epoch: the same for any worker and any order of loading.
///
/// ```
/// use rand::RngExt;
/// use tks_data::rng::sample_rng;
///
/// let draw = |epoch, index| sample_rng(7, epoch, index).random::<u64>();
/// assert_eq!(draw(0, 3), draw(0, 3));
/// assert_ne!(draw(0, 3), draw(1, 3));
/// assert_ne!(draw(0, 3), draw(3, 0));
/// ```
pub fn sample_rng(seed: u64, epoch: u64, index: u64) -> SampleRng {
    SampleRng::seed_from_u64(mix(mix(mix(seed) ^ epoch) ^ index))
}

/// Shuffles `items` (Fisher and Yates) in an order that depends only on the generator. It is the same for all
/// versions of this project and its dependencies, as stored splits and runs rely on it.
pub fn shuffle<T>(items: &mut [T], rng: &mut SampleRng) {
    for i in (1..items.len()).rev() {
        items.swap(i, below(i + 1, rng));
    }
}

/// A number below `bound`, all equally likely to one part in 2^64 of `bound`.
pub fn below(bound: usize, rng: &mut SampleRng) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

/// A number in [0, 1), in steps of 2^-53.
pub fn unit(rng: &mut SampleRng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// SplitMix64's finaliser: neighbouring seeds, epochs and indices give unrelated generators.
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
