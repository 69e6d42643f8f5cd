//! One seed for a run: a generator per sample and epoch.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The generator that every random choice about data is drawn from.
///
/// Its stream is fixed by its definition, so a seed means the same samples on every machine.
pub type SampleRng = Xoshiro256PlusPlus;

/// The generator of one sample in one epoch: the same whatever worker draws from it, and in whatever order.
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

/// SplitMix64's finaliser: neighbouring seeds, epochs and indices give unrelated generators.
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
