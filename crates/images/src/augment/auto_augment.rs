//! AutoAugment's settings, and the random choice for an image.

use std::fmt;
use std::str::FromStr;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::level::{Bins, FULL, Leveled};
use super::ops::Operation;
use super::policies::{self, BinnedPair, LeveledPair};
use super::timm_policy::{Parts, Spread};

/// The AutoAugment policy; in a configuration, a string.
///
/// | string | policy | magnitudes |
/// |---|---|---|
/// | `cifar10`, `svhn`, `imagenet` | the paper's | torchvision's |
/// | `original` | the paper's for ImageNet | timm's |
/// | `originalr` | the same, posterising more at higher levels | timm's |
/// | `v0`, `v0r` | EfficientNet's for ImageNet; `v0r` posterises more at higher levels | timm's |
///
/// Policies with timm's magnitudes may be followed by a standard deviation of the magnitudes:
/// `original-mstd0.5`. Cubuk et al., "AutoAugment: Learning Augmentation Strategies from Data", CVPR 2019.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AutoPolicy {
    name: Name,
    spread: Spread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Name {
    #[default]
    Cifar10,
    Svhn,
    Imagenet,
    Original,
    OriginalR,
    V0,
    V0R,
}

const NAMES: [(&str, Name); 7] = [
    ("cifar10", Name::Cifar10),
    ("svhn", Name::Svhn),
    ("imagenet", Name::Imagenet),
    ("original", Name::Original),
    ("originalr", Name::OriginalR),
    ("v0", Name::V0),
    ("v0r", Name::V0R),
];

/// The table of a policy.
pub(super) enum Table {
    Binned(&'static [BinnedPair]),
    /// With the operation that replaces posterising.
    Leveled(&'static [LeveledPair], Leveled),
}

impl AutoPolicy {
    pub(super) fn table(&self) -> Table {
        match self.name {
            Name::Cifar10 => Table::Binned(&policies::CIFAR10),
            Name::Svhn => Table::Binned(&policies::SVHN),
            Name::Imagenet => Table::Binned(&policies::IMAGENET),
            Name::Original => Table::Leveled(&policies::ORIGINAL, Leveled::PosterizeOriginal),
            Name::OriginalR => Table::Leveled(&policies::ORIGINAL, Leveled::PosterizeIncreasing),
            Name::V0 => Table::Leveled(&policies::V0, Leveled::Posterize),
            Name::V0R => Table::Leveled(&policies::V0, Leveled::PosterizeIncreasing),
        }
    }

    /// Whether magnitudes are torchvision's, which samples and fills differently from timm.
    pub(super) fn is_binned(&self) -> bool {
        matches!(self.table(), Table::Binned(_))
    }

    /// Draws the operations for an image of `[height, width]` and passes each to `run`.
    pub(super) fn draw<R: Rng>(&self, size: [usize; 2], rng: &mut R, mut run: impl FnMut(Operation, &mut R)) {
        match self.table() {
            Table::Binned(pairs) => {
                let bins = Bins { bins: 10, wide: false };
                for (operation, probability, bin) in pairs[rng.random_range(0..pairs.len())] {
                    if rng.random_bool(probability) {
                        run(operation.operation(bins, bin, size, || rng.random()), rng);
                    }
                }
            }
            Table::Leveled(pairs, posterize) => {
                for (operation, probability, level) in pairs[rng.random_range(0..pairs.len())] {
                    if rng.random_bool(probability) {
                        let level = self.spread.level(level, FULL, rng);
                        let operation = if operation.posterizes() { posterize } else { operation };
                        run(operation.operation(level, size, || rng.random()), rng);
                    }
                }
            }
        }
    }
}

impl FromStr for AutoPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = text.split('-');
        let first = pieces.next().unwrap_or_default();
        let mut parts = Parts::new(text, "mstd");
        let Some(&(_, name)) = NAMES.iter().find(|(known, _)| *known == first) else {
            let known: Vec<_> = NAMES.iter().map(|(known, _)| *known).collect();
            return Err(format!("there is no policy `{first}`; known: {}", known.join(", ")));
        };
        let mut policy = AutoPolicy { name, spread: Spread::None };
        for part in pieces {
            match parts.split(part)? {
                ("mstd", _) if policy.is_binned() => {
                    return Err(parts.fail(part, format_args!("the magnitudes of {first} do not vary")));
                }
                ("mstd", value) => policy.spread = parts.spread(part, value)?,
                _ => return Err(parts.fail(part, "there is no such part")),
            }
        }
        Ok(policy)
    }
}

impl fmt::Display for AutoPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let name = NAMES.iter().find(|(_, name)| *name == self.name).map_or("", |(text, _)| text);
        write!(formatter, "{name}{}", self.spread)
    }
}

impl TryFrom<String> for AutoPolicy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<AutoPolicy> for String {
    fn from(policy: AutoPolicy) -> Self {
        policy.to_string()
    }
}
