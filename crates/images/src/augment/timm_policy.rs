//! RandAugment and AutoAugment with timm's strings and levels.

use std::fmt;
use std::str::FromStr;

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::level::Leveled;
use super::ops::Operation;

/// How a magnitude varies from image to image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Spread {
    /// It does not.
    #[default]
    None,
    /// Normally distributed, with this standard deviation.
    Normal(f64),
    /// Evenly distributed between 0 and the magnitude.
    Uniform,
}

impl Spread {
    /// timm's interpretation of the number after `mstd`.
    fn from_deviation(deviation: f64) -> Self {
        match deviation {
            0.0 => Spread::None,
            _ if deviation > 100.0 => Spread::Uniform,
            _ => Spread::Normal(deviation),
        }
    }

    /// A random level around `magnitude`, clamped to 0 and `most`.
    pub(super) fn level(self, magnitude: f64, most: f64, rng: &mut impl Rng) -> f64 {
        let level = match self {
            Spread::None => magnitude,
            Spread::Normal(deviation) => magnitude + deviation * rng.sample::<f64, _>(StandardNormal),
            Spread::Uniform => magnitude * rng.random::<f64>(),
        };
        level.clamp(0.0, most)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Spread::None => Ok(()),
            Spread::Normal(deviation) => write!(formatter, "-mstd{deviation}"),
            Spread::Uniform => formatter.write_str("-mstd101"),
        }
    }
}

/// The operations that RandAugment draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Choice {
    /// All fifteen, with equal chance.
    #[default]
    All,
    /// All fifteen by timm's weights, none twice (`tweights`).
    Weights,
    /// All fifteen by timm's first weights, none twice, with posterise and invert left out (`w0`).
    FirstWeights,
    /// 3-Augment's: solarise, desaturate, blur (`t3a`). Touvron et al., "DeiT III: Revenge of the ViT", ECCV
    /// 2022.
    ThreeAugment,
    /// 3-Augment's and others by weights, none twice (`t3aw`).
    WeightedThreeAugment,
}

/// RandAugment as timm understands a string such as `rand-m9-mstd0.5-inc1`: parts after `rand`, in any order.
///
/// | part | meaning | default |
/// |---|---|---|
/// | `m9` | magnitude, a whole number; 10 is full | 10 |
/// | `n2` | operations per image, drawn independently | 2 |
/// | `p0.5` | probability that an operation drawn is done | 0.5 |
/// | `mstd0.5` | standard deviation of the magnitude; above 100: even from 0 to the magnitude | 0 |
/// | `mmax10` | what a magnitude is cut to | 10 |
/// | `inc1` | 1: each operation gets stronger with the magnitude | 0 |
/// | `w0`, `tweights`, `t3a`, `t3aw` | see [`Choice`] | all operations |
///
/// Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search space", NeurIPS
/// 2020.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimmRandAugment {
    /// `m`, 0 or above.
    pub magnitude: u32,
    /// `n`.
    pub layers: usize,
    /// `p`, 0 to 1.
    pub probability: f64,
    /// `mstd`.
    pub spread: Spread,
    /// `mmax`, 1 or above.
    pub most: u32,
    /// `inc`.
    pub increasing: bool,
    /// `w` and `t`.
    pub choice: Choice,
}

impl Default for TimmRandAugment {
    /// The string `rand`.
    fn default() -> Self {
        TimmRandAugment {
            magnitude: 10,
            layers: 2,
            probability: 0.5,
            spread: Spread::None,
            most: 10,
            increasing: false,
            choice: Choice::All,
        }
    }
}

/// The parts of a string after its name, each consisting of a key of letters and a value that begins with a
/// digit.
pub(super) struct Parts<'a> {
    text: &'a str,
    known: &'static str,
    seen: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    pub(super) fn new(text: &'a str, known: &'static str) -> Self {
        Parts { text, known, seen: Vec::new() }
    }

    /// What is wrong with a part.
    pub(super) fn fail(&self, part: &str, why: impl fmt::Display) -> String {
        format!(
            "`{}`: the part `{part}` is not understood: {why}; the parts known are {}",
            self.text, self.known
        )
    }

    /// Key and value of a part; each key may occur once.
    pub(super) fn split(&mut self, part: &'a str) -> Result<(&'a str, &'a str), String> {
        let at = if part.starts_with('t') {
            1
        } else {
            part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len())
        };
        let (key, value) = part.split_at(at);
        if self.seen.contains(&key) {
            return Err(self.fail(part, format_args!("`{key}` is there twice")));
        }
        self.seen.push(key);
        Ok((key, value))
    }

    pub(super) fn number<T: FromStr>(&self, part: &str, value: &str, expected: &str) -> Result<T, String> {
        value.parse().map_err(|_| self.fail(part, format_args!("`{value}` is not {expected}")))
    }

    /// The spread specified by a part `mstd`.
    pub(super) fn spread(&self, part: &str, value: &str) -> Result<Spread, String> {
        Ok(Spread::from_deviation(self.number(part, value, "a number")?))
    }
}

impl FromStr for TimmRandAugment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = Parts::new(text, "m, n, p, mstd, mmax, inc, w0, tweights, t3a, t3aw");
        let mut pieces = text.split('-');
        let name = pieces.next().unwrap_or_default();
        if name != "rand" {
            return Err(parts.fail(name, "the string has to begin with `rand`"));
        }
        let mut policy = TimmRandAugment::default();
        for part in pieces {
            let whole = "a whole number";
            match parts.split(part)? {
                ("m", value) => policy.magnitude = parts.number(part, value, whole)?,
                ("n", value) => policy.layers = parts.number(part, value, whole)?,
                ("p", value) => policy.probability = parts.number(part, value, "a number")?,
                ("mstd", value) => policy.spread = parts.spread(part, value)?,
                ("mmax", value) => policy.most = parts.number(part, value, whole)?,
                ("inc", value) => policy.increasing = parts.number::<u32>(part, value, whole)? != 0,
                ("w", "0") => policy.choice = Choice::FirstWeights,
                ("t", "weights") => policy.choice = Choice::Weights,
                ("t", "3a") => policy.choice = Choice::ThreeAugment,
                ("t", "3aw") => policy.choice = Choice::WeightedThreeAugment,
                _ => return Err(parts.fail(part, "there is no such part")),
            }
        }
        match policy.wrong() {
            Some((part, expected)) => Err(parts.fail(&part, expected)),
            None => Ok(policy),
        }
    }
}

impl fmt::Display for TimmRandAugment {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let TimmRandAugment { magnitude, layers, probability, spread, most, increasing, choice } = self;
        let increasing = u8::from(*increasing);
        write!(formatter, "rand-m{magnitude}-n{layers}-p{probability}{spread}-mmax{most}-inc{increasing}")?;
        formatter.write_str(match choice {
            Choice::All => "",
            Choice::Weights => "-tweights",
            Choice::FirstWeights => "-w0",
            Choice::ThreeAugment => "-t3a",
            Choice::WeightedThreeAugment => "-t3aw",
        })
    }
}

/// All operations; those with an increasing variant in the form without `inc`.
const OPERATIONS: [Leveled; 15] = {
    use Leveled::*;
    [
        AutoContrast,
        Equalize,
        Invert,
        Rotate,
        Posterize,
        Solarize,
        SolarizeAdd,
        Color,
        Contrast,
        Brightness,
        Sharpness,
        ShearX,
        ShearY,
        TranslateXRel,
        TranslateYRel,
    ]
};

/// All operations, each getting stronger with the level if possible.
const INCREASING: [Leveled; 15] = {
    use Leveled::*;
    [
        AutoContrast,
        Equalize,
        Invert,
        Rotate,
        PosterizeIncreasing,
        SolarizeIncreasing,
        SolarizeAdd,
        ColorIncreasing,
        ContrastIncreasing,
        BrightnessIncreasing,
        SharpnessIncreasing,
        ShearX,
        ShearY,
        TranslateXRel,
        TranslateYRel,
    ]
};

/// Weights of [`INCREASING`] for `tweights`, as multiples of the smallest.
const WEIGHTS: [f64; 15] = [5.0, 1.0, 1.0, 60.0, 1.0, 1.0, 1.0, 5.0, 1.0, 1.0, 5.0, 40.0, 40.0, 20.0, 20.0];

/// Weights of both lists for `w0`, likewise.
const FIRST_WEIGHTS: [f64; 15] =
    [5.0, 1.0, 0.0, 60.0, 0.0, 1.0, 1.0, 5.0, 1.0, 1.0, 5.0, 40.0, 40.0, 20.0, 20.0];

const THREE_AUGMENT: [Leveled; 3] = [Leveled::SolarizeIncreasing, Leveled::Desaturate, Leveled::GaussianBlur];

const WEIGHTED_THREE_AUGMENT: [Leveled; 14] = {
    use Leveled::*;
    [
        SolarizeIncreasing,
        Desaturate,
        GaussianBlur,
        Rotate,
        ShearX,
        ShearY,
        PosterizeIncreasing,
        AutoContrast,
        ColorIncreasing,
        SharpnessIncreasing,
        ContrastIncreasing,
        BrightnessIncreasing,
        Equalize,
        Invert,
    ]
};

const THREE_AUGMENT_WEIGHTS: [f64; 14] =
    [6.0, 6.0, 6.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];

impl TimmRandAugment {
    /// The first part with an invalid number, and the valid range.
    pub(super) fn wrong(&self) -> Option<(String, String)> {
        let (_, weights) = self.operations();
        let most =
            if weights.is_empty() { 100 } else { weights.iter().filter(|&&weight| weight > 0.0).count() };
        let deviation = match self.spread {
            Spread::Normal(deviation) => deviation,
            Spread::None | Spread::Uniform => 0.0,
        };
        if !(0.0..=1.0).contains(&self.probability) {
            Some((format!("p{}", self.probability), "a probability is 0 to 1".into()))
        } else if !(0.0..=100.0).contains(&deviation) {
            Some((format!("mstd{deviation}"), "it has to be 0 or above".into()))
        } else if self.most == 0 {
            Some(("mmax0".into(), "it has to be 1 or above".into()))
        } else if self.layers > most {
            Some((format!("n{}", self.layers), format!("it has to be up to {most}")))
        } else {
            None
        }
    }

    /// The operations to draw from, and their weights; no weights if all are equally likely.
    pub(super) fn operations(&self) -> (&'static [Leveled], &'static [f64]) {
        let all: &[_] = if self.increasing { &INCREASING } else { &OPERATIONS };
        match self.choice {
            Choice::All => (all, &[]),
            Choice::FirstWeights => (all, &FIRST_WEIGHTS),
            Choice::Weights => (&INCREASING, &WEIGHTS),
            Choice::ThreeAugment => (&THREE_AUGMENT, &[]),
            Choice::WeightedThreeAugment => (&WEIGHTED_THREE_AUGMENT, &THREE_AUGMENT_WEIGHTS),
        }
    }

    /// Draws the operations for an image of `[height, width]` and passes each to `run`.
    pub(super) fn draw<R: Rng>(&self, size: [usize; 2], rng: &mut R, mut run: impl FnMut(Operation, &mut R)) {
        let (operations, weights) = self.operations();
        // Bit i is set if operation i was drawn: wherever this matters, there are fewer than 32 operations.
        let mut drawn = 0u32;
        for _ in 0..self.layers {
            let index = if weights.is_empty() {
                rng.random_range(0..operations.len())
            } else {
                let left = |drawn: u32| {
                    weights
                        .iter()
                        .enumerate()
                        .filter(move |(i, weight)| drawn >> i & 1 == 0 && **weight > 0.0)
                };
                let mut place = rng.random::<f64>() * left(drawn).map(|(_, weight)| weight).sum::<f64>();
                let hit = left(drawn).find(|(_, weight)| {
                    place -= **weight;
                    place < 0.0
                });
                // Due to rounding, the position may be exactly at the end.
                let Some((index, _)) = hit.or_else(|| left(drawn).next_back()) else { return };
                drawn |= 1 << index;
                index
            };
            self.draw_one(operations[index], size, rng, &mut run);
        }
    }

    fn draw_one<R: Rng>(
        &self,
        operation: Leveled,
        size: [usize; 2],
        rng: &mut R,
        run: &mut impl FnMut(Operation, &mut R),
    ) {
        if rng.random_bool(self.probability) {
            let level = self.spread.level(self.magnitude.into(), self.most.into(), rng);
            run(operation.operation(level, size, || rng.random()), rng);
        }
    }
}
