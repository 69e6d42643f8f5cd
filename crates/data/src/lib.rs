//! What every data set needs, static or event-based, with no libtorch: seeded randomness.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rng`] | one generator per sample and epoch, so that a run repeats with any number of workers |

pub mod rng;
