//! What a user can choose.

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::LossError;

/// The loss, with its settings.
///
/// In TOML a name alone takes the defaults, a table of that name sets some of them:
/// `loss = "ce"`, `[loss.tks]` with `tau = 2.0` below it, or `loss = { tet = { lambda = 0.05 } }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LossConfig {
    /// Temporal Knowledge Sharing: the steps that are right teach the others. Dong, Zhao and Zeng,
    /// arXiv 2304.06540.
    Tks(TksConfig),
    /// Cross entropy of the logits' mean over the steps ("SDT", standard direct training).
    Ce(CeConfig),
    /// Temporal Efficient Training: cross entropy of each step. Deng et al., ICLR 2022.
    Tet(TetConfig),
    /// Mean square error between the mean over the steps and the one-hot label; for a last layer that spikes,
    /// the mean is its firing rate.
    MseRate(MseRateConfig),
}

impl LossConfig {
    /// The names that a configuration may use.
    pub const NAMES: [&'static str; 4] = ["tks", "ce", "tet", "mse_rate"];

    /// The loss of this name with its defaults.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "tks" => LossConfig::Tks(TksConfig::default()),
            "ce" => LossConfig::Ce(CeConfig::default()),
            "tet" => LossConfig::Tet(TetConfig::default()),
            "mse_rate" => LossConfig::MseRate(MseRateConfig::default()),
            _ => return None,
        })
    }

    /// The name, as in a configuration.
    pub fn name(&self) -> &'static str {
        match self {
            LossConfig::Tks(_) => "tks",
            LossConfig::Ce(_) => "ce",
            LossConfig::Tet(_) => "tet",
            LossConfig::MseRate(_) => "mse_rate",
        }
    }

    /// Whether each setting is in its range.
    ///
    /// # Errors
    /// [`LossError::Config`] with the first one that is not.
    pub fn check(&self) -> Result<(), LossError> {
        match self {
            LossConfig::Tks(config) => {
                require(
                    "tks.tau",
                    config.tau,
                    config.tau.is_finite() && config.tau > 0.0,
                    "a number above 0",
                )?;
                require("tks.alpha", config.alpha, unit(config.alpha), "a number from 0 to 1")?;
                if let Selection::TopK(steps) = config.selection {
                    require("tks.selection.top_k", steps, steps > 0, "at least one step")?;
                }
                smoothing("tks.label_smoothing", config.label_smoothing)
            }
            LossConfig::Ce(config) => smoothing("ce.label_smoothing", config.label_smoothing),
            LossConfig::Tet(config) => {
                require("tet.lambda", config.lambda, unit(config.lambda), "a number from 0 to 1")?;
                require("tet.phi", config.phi, config.phi.is_finite(), "a finite number")?;
                smoothing("tet.label_smoothing", config.label_smoothing)
            }
            LossConfig::MseRate(MseRateConfig {}) => Ok(()),
        }
    }
}

impl Default for LossConfig {
    fn default() -> Self {
        LossConfig::Tks(TksConfig::default())
    }
}

fn unit(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

fn smoothing(key: &'static str, value: f64) -> Result<(), LossError> {
    require(key, value, (0.0..1.0).contains(&value), "a number from 0 to below 1")
}

fn require(
    key: &'static str,
    value: impl ToString,
    holds: bool,
    expected: &'static str,
) -> Result<(), LossError> {
    if holds { Ok(()) } else { Err(LossError::Config { key, value: value.to_string(), expected }) }
}

impl<'de> Deserialize<'de> for LossConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = LossConfig;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "a loss's name or a table of that name ({})", LossConfig::NAMES.join(", "))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<LossConfig, E> {
                LossConfig::of_name(name).ok_or_else(|| E::unknown_variant(name, &LossConfig::NAMES))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LossConfig, A::Error> {
                let Some(name) = map.next_key::<String>()? else {
                    return Err(de::Error::invalid_length(0, &self));
                };
                let config = match name.as_str() {
                    "tks" => LossConfig::Tks(map.next_value()?),
                    "ce" => LossConfig::Ce(map.next_value()?),
                    "tet" => LossConfig::Tet(map.next_value()?),
                    "mse_rate" => LossConfig::MseRate(map.next_value()?),
                    _ => return Err(de::Error::unknown_variant(&name, &LossConfig::NAMES)),
                };
                match map.next_key::<String>()? {
                    None => Ok(config),
                    Some(second) => Err(de::Error::custom(format!(
                        "both `{name}` and `{second}` are given; a training has one loss"
                    ))),
                }
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}

/// Settings of [`LossConfig::Tks`]. The defaults are the authors' method with the temperature and `alpha` of
/// the command that they published.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TksConfig {
    /// Temperature of the teacher, above 0. The steps that learn are at temperature 1.
    pub tau: f64,
    /// How far the weight of the labels goes down (`schedule`), or that weight itself where it is static; 0 to 1.
    pub alpha: f64,
    /// How the weight of the labels changes with the epochs.
    pub schedule: Schedule,
    /// Which steps may teach.
    pub selection: Selection,
    /// How the teacher is put together from these steps.
    pub assembly: Assembly,
    /// What a sample learns that has no teaching step.
    pub no_correct: NoCorrect,
    /// Whether gradient flows through the teacher.
    pub gradient: TeacherGradient,
    /// Share of the label that is spread over all classes in the cross entropy of the mean, 0 to below 1.
    pub label_smoothing: f64,
}

impl Default for TksConfig {
    fn default() -> Self {
        Self {
            tau: 3.0,
            alpha: 0.7,
            schedule: Schedule::default(),
            selection: Selection::default(),
            assembly: Assembly::default(),
            no_correct: NoCorrect::default(),
            gradient: TeacherGradient::default(),
            label_smoothing: 0.0,
        }
    }
}

impl TksConfig {
    /// The weight `a` of the labels in this epoch; the teacher has `1 - a`.
    ///
    /// # Errors
    /// [`LossError::Progress`] where the epoch is above the number of epochs, or there are none.
    pub fn label_weight(&self, progress: Progress) -> Result<f64, LossError> {
        let Progress { epoch, epochs } = progress;
        if epochs == 0 || epoch > epochs {
            return Err(LossError::Progress { epoch, epochs });
        }
        let done = epoch as f64 / epochs as f64;
        Ok(match self.schedule {
            Schedule::Linear => 1.0 - self.alpha * done,
            Schedule::Static => self.alpha,
            Schedule::Cosine => 1.0 - self.alpha * (1.0 - (std::f64::consts::PI * done).cos()) / 2.0,
        })
    }
}

/// How far the training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// How many epochs there are in all.
    pub epochs: usize,
}

/// How the weight `a` of the labels changes with epoch `e` of `E`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// `1 - alpha e / E`: training begins on labels alone. The authors' method.
    #[default]
    Linear,
    /// `alpha` throughout.
    Static,
    /// `1 - alpha (1 - cos(pi e / E)) / 2`: from 1 to `1 - alpha`, slow at both ends.
    Cosine,
}

/// Which steps may teach a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Those that alone get the sample right. The authors' method.
    #[default]
    Correct,
    /// All: plain self-distillation over time.
    All,
    /// The `k` steps that give the label the highest probability; all of them where there are fewer.
    TopK(usize),
}

/// How the teacher's logits are put together from those of the teaching steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assembly {
    /// Their sum. The authors' method.
    #[default]
    Sum,
    /// Their mean, so that the teacher is no surer for being made of more steps.
    Mean,
    /// Their mean weighted by the probability that each gives to the label.
    Confidence,
    /// The last of them: with [`Selection::Correct`] the last step that is right.
    LastCorrect,
}

/// What a sample learns that has no teaching step. With [`Selection::All`] and [`Selection::TopK`] there is none
/// such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoCorrect {
    /// The uniform distribution, which zero logits give: plain label smoothing. The authors' method.
    #[default]
    Uniform,
    /// Its label (its soft label).
    Label,
    /// Nothing: it adds nothing to the soft loss, which is still divided by the size of the batch.
    Skip,
}

/// Whether gradient flows through the teacher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeacherGradient {
    /// It does, through the weights of [`Assembly::Confidence`] too; the choice of steps has none. The authors'
    /// method.
    #[default]
    Attached,
    /// It does not: the teacher is given.
    Detached,
}

/// Settings of [`LossConfig::Ce`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CeConfig {
    /// Share of the label that is spread over all classes, 0 to below 1.
    pub label_smoothing: f64,
}

/// Settings of [`LossConfig::Tet`]. The defaults are those of the authors' script.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TetConfig {
    /// Weight of the mean square error against `phi`, 0 to 1.
    pub lambda: f64,
    /// What the logits are drawn to.
    pub phi: f64,
    /// Share of the label that is spread over all classes, 0 to below 1.
    pub label_smoothing: f64,
}

impl Default for TetConfig {
    fn default() -> Self {
        Self { lambda: 1e-3, phi: 1.0, label_smoothing: 0.0 }
    }
}

/// Settings of [`LossConfig::MseRate`]: it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MseRateConfig {}
