//! RandAugment's settings: timm's string, or torchvision's numbers.

use std::fmt;

use rand::{Rng, RngExt};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::level::{Binned, Bins};
use super::ops::Operation;
use super::timm_policy::TimmRandAugment;

/// The operations of RandAugment and their strength: in a configuration, timm's string, such as
/// `"rand-m9-mstd0.5-inc1"`, or a table of torchvision's numbers, such as `{ num_ops = 2, magnitude = 9 }`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum RandPolicy {
    /// By timm's string.
    Timm(TimmRandAugment),
    /// By torchvision's numbers.
    Binned(BinnedRandAugment),
}

impl Default for RandPolicy {
    /// The reference recipe: `rand-m9-mstd0.5-inc1`.
    fn default() -> Self {
        RandPolicy::Timm(TimmRandAugment {
            magnitude: 9,
            spread: super::timm_policy::Spread::Normal(0.5),
            increasing: true,
            ..TimmRandAugment::default()
        })
    }
}

/// RandAugment with torchvision's numbers: `num_ops` of 14 operations, drawn independently, each with one of
/// `num_magnitude_bins` magnitudes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinnedRandAugment {
    /// Number of operations per image, up to 100.
    pub num_ops: usize,
    /// Index of the magnitude, from 0 to below `num_magnitude_bins`.
    pub magnitude: usize,
    /// Number of magnitudes, 2 or above.
    pub num_magnitude_bins: usize,
}

impl Default for BinnedRandAugment {
    fn default() -> Self {
        BinnedRandAugment { num_ops: 2, magnitude: 9, num_magnitude_bins: 31 }
    }
}

impl BinnedRandAugment {
    /// Draws the operations for an image of `[height, width]` and passes each to `run`.
    fn draw<R: Rng>(&self, size: [usize; 2], rng: &mut R, mut run: impl FnMut(Operation, &mut R)) {
        let bins = Bins { bins: self.num_magnitude_bins, wide: false };
        for _ in 0..self.num_ops {
            let operation = Binned::CHOICE[rng.random_range(0..Binned::CHOICE.len())];
            run(operation.operation(bins, self.magnitude, size, || rng.random()), rng);
        }
    }
}

impl RandPolicy {
    /// The first invalid value, if any.
    pub(super) fn wrong(&self) -> Option<String> {
        match self {
            RandPolicy::Timm(policy) => policy.wrong().map(|(part, expected)| format!("{part}: {expected}")),
            RandPolicy::Binned(BinnedRandAugment { num_ops, magnitude, num_magnitude_bins: bins }) => {
                if *bins < 2 {
                    Some(format!("num_magnitude_bins {bins}: it has to be 2 or above"))
                } else if magnitude >= bins {
                    Some(format!("magnitude {magnitude}: it has to be below num_magnitude_bins, {bins}"))
                } else if *num_ops > 100 {
                    Some(format!("num_ops {num_ops}: it has to be up to 100"))
                } else {
                    None
                }
            }
        }
    }

    /// Draws the operations for an image of `[height, width]` and passes each to `run`.
    pub(super) fn draw<R: Rng>(&self, size: [usize; 2], rng: &mut R, run: impl FnMut(Operation, &mut R)) {
        match self {
            RandPolicy::Timm(policy) => policy.draw(size, rng, run),
            RandPolicy::Binned(policy) => policy.draw(size, rng, run),
        }
    }
}

impl Serialize for RandPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            RandPolicy::Timm(policy) => serializer.collect_str(policy),
            RandPolicy::Binned(policy) => policy.serialize(serializer),
        }
    }
}

/// Implemented by hand so that a typo is named, unlike with an untagged enum.
impl<'de> Deserialize<'de> for RandPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrTable;

        impl<'de> Visitor<'de> for StringOrTable {
            type Value = RandPolicy;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str(
                    "a string such as \"rand-m9-mstd0.5-inc1\", or a table with num_ops, magnitude and \
                     num_magnitude_bins",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RandPolicy, E> {
                text.parse().map(RandPolicy::Timm).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RandPolicy, A::Error> {
                BinnedRandAugment::deserialize(MapAccessDeserializer::new(map)).map(RandPolicy::Binned)
            }
        }

        deserializer.deserialize_any(StringOrTable)
    }
}
