//! Temporal Knowledge Sharing. Dong, Zhao and Zeng, arXiv 2304.06540.

use serde::{Deserialize, Serialize};

use super::teacher::teacher;
use super::{Loss, require, share, smoothing};
use crate::config::Progress;
use crate::error::LossError;
use crate::input::LossInput;
use crate::terms::{LossTerms, cross_entropy, smoothed};

/// Settings of [`LossConfig::Tks`](crate::LossConfig::Tks). The defaults are the authors' method, with the
/// temperature and `alpha` of their published command.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TksConfig {
    /// Temperature of the teacher, above 0. The learning steps use temperature 1.
    pub tau: f64,
    /// How far the weight of the labels decreases (see `schedule`), or that weight itself if the schedule is
    /// static, 0 to 1.
    pub alpha: f64,
    /// How the weight of the labels changes over the epochs.
    pub schedule: Schedule,
    /// Which steps may teach.
    pub selection: Selection,
    /// How the teacher is assembled from these steps.
    pub assembly: Assembly,
    /// Soft target of a sample that has no teaching step.
    pub no_correct: NoCorrect,
    /// Whether gradient flows through the teacher.
    pub gradient: TeacherGradient,
    /// Share of the label that is spread evenly over all classes in the cross entropy of the mean, 0 to below
    /// 1.
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
    /// The weight `a` of the labels in this epoch; the teacher's is `1 - a`.
    ///
    /// # Errors
    /// [`LossError::Progress`] if the epoch is above the number of epochs, or that number is 0.
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

impl Loss for TksConfig {
    fn check(&self) -> Result<(), LossError> {
        require("tks.tau", self.tau, self.tau.is_finite() && self.tau > 0.0, "a number above 0")?;
        share("tks.alpha", self.alpha)?;
        if let Selection::TopK(steps) = self.selection {
            require("tks.selection.top_k", steps, steps > 0, "at least one step")?;
        }
        smoothing("tks.label_smoothing", self.label_smoothing)
    }

    /// `a CE(mean, label) + (1 - a) tau^2 mean_t CE(o_t, teacher)`.
    fn terms(&self, input: &LossInput, progress: Progress) -> Result<LossTerms, LossError> {
        let label_weight = self.label_weight(progress)?;
        let log_probabilities = input.logits.f_log_softmax(2, None)?;
        let teacher = teacher(self, input, &log_probabilities)?;
        // The mean over the steps comes first, since the target is the same for all of them.
        let learned = log_probabilities.f_mean_dim(0, false, None)?;
        let soft = cross_entropy(&learned, &teacher.target)?.f_mul_scalar(self.tau * self.tau)?;
        let label = smoothed(&input.distribution, self.label_smoothing)?;
        let ce = cross_entropy(&input.mean.f_log_softmax(1, None)?, &label)?;
        let terms = LossTerms::sum(&[("ce", &ce, label_weight), ("soft", &soft, 1.0 - label_weight)])?;
        Ok(LossTerms { label_weight: Some(label_weight), teacher: Some(teacher), ..terms })
    }
}

/// How the weight `a` of the labels changes with epoch `e` of `E`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// `1 - alpha e / E`: training starts with labels alone. The authors' method.
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
    /// The steps that classify the sample correctly on their own. The authors' method.
    #[default]
    Correct,
    /// All steps: plain self-distillation over time.
    All,
    /// The `k` steps with the highest probability of the label; all of them if there are fewer.
    TopK(usize),
}

/// How the teacher's logits are assembled from those of the teaching steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assembly {
    /// Their sum. The authors' method.
    #[default]
    Sum,
    /// Their mean, so that more steps do not make the teacher more confident.
    Mean,
    /// Their mean, weighted by each step's probability of the label.
    Confidence,
    /// The last of them: with [`Selection::Correct`], the last correct step.
    LastCorrect,
}

/// The soft target of a sample without a teaching step. With [`Selection::All`] and [`Selection::TopK`],
/// every sample has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoCorrect {
    /// The uniform distribution, given by zero logits: plain label smoothing. The authors' method.
    #[default]
    Uniform,
    /// Its (soft) label.
    Label,
    /// None: the sample contributes nothing to the soft loss, which is still divided by the batch size.
    Skip,
}

/// Whether gradient flows through the teacher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeacherGradient {
    /// It does, including through the weights of [`Assembly::Confidence`]; the choice of steps has no
    /// gradient. The authors' method.
    #[default]
    Attached,
    /// It does not: the teacher is treated as constant.
    Detached,
}
