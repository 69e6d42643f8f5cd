//! The losses.

use tch::{Kind, Reduction, Tensor};

use crate::config::{LossConfig, Progress, TetConfig, TksConfig};
use crate::error::LossError;
use crate::statistics::TeacherStatistics;
use crate::target::{Batch, Faults, Target};
use crate::teacher::{Teacher, teacher};

/// A loss, what it is made of, and what the steps knew.
#[derive(Debug)]
pub struct LossOutput {
    /// The loss, shape `[]`: `f32`, or `f64` where the logits are.
    pub loss: Tensor,
    /// The terms of which the loss is a weighted sum, by name, each of shape `[]` and without gradient: `ce` and
    /// `soft` for TKS, `ce` for cross entropy, `ce` and `mse` for TET, `mse` for the rate.
    pub parts: Vec<(&'static str, Tensor)>,
    /// Cross entropy of the logits' mean over the steps with the labels as they are given (soft ones too, nothing
    /// smoothed), of shape `[]` and without gradient: the same measure for every loss, and that of a test.
    pub cross_entropy: Tensor,
    /// The weight of the labels against the teacher, with TKS.
    pub label_weight: Option<f64>,
    /// How many steps were right, and how sure the teacher was.
    pub teacher: TeacherStatistics,
    faults: Option<Faults>,
}

impl LossOutput {
    /// Whether logits and labels were as they should be. On the CPU that is known before the loss is computed,
    /// and this does nothing; on a GPU it waits for the device, so call it where you read the loss anyway.
    ///
    /// # Errors
    /// [`LossError::Label`], [`LossError::SoftLabel`] or [`LossError::NotFinite`].
    pub fn check(&self) -> Result<(), LossError> {
        self.faults.as_ref().map_or(Ok(()), Faults::check)
    }
}

impl LossConfig {
    /// The loss of a batch.
    ///
    /// # Shapes
    /// `logits`: `[T, B, K]`, the last layer's output at each time step, of any floating-point kind; the loss is
    /// computed in `f64`.
    /// `target`: `[B]` or `[B, K]`, see [`Target`].
    ///
    /// # Errors
    /// [`LossError::Config`] and [`LossError::Progress`] for settings out of range, [`LossError::Shape`],
    /// [`LossError::Kind`] and [`LossError::Device`] for tensors that do not fit. On the CPU also what
    /// [`LossOutput::check`] finds.
    pub fn compute(
        &self,
        logits: &Tensor,
        target: Target,
        progress: Progress,
    ) -> Result<LossOutput, LossError> {
        self.check()?;
        let mut batch = Batch::new(logits, target)?;
        let right = batch.logits.f_detach()?.f_argmax(2, false)?.f_eq_tensor(&batch.label)?;
        let mean = batch.logits.f_mean_dim(0, false, None)?;
        let terms = match self {
            LossConfig::Tks(config) => tks(config, &batch, &right, &mean, progress)?,
            LossConfig::Ce(config) => Terms::one("ce", ce(&mean, &batch, config.label_smoothing)?)?,
            LossConfig::Tet(config) => tet(config, &batch)?,
            LossConfig::MseRate(_) => {
                Terms::one("mse", mean.f_mse_loss(&batch.distribution, Reduction::Mean)?)?
            }
        };
        let unsmoothed = tch::no_grad(|| ce(&mean, &batch, 0.0))?;
        let teacher = TeacherStatistics::of_batch(&batch, &right, &mean, terms.teacher.as_ref())?;
        let kind = if logits.kind() == Kind::Double { Kind::Double } else { Kind::Float };
        let parts = terms.parts.into_iter().map(|(name, part)| Ok((name, part.f_to_kind(kind)?)));
        Ok(LossOutput {
            loss: terms.loss.f_to_kind(kind)?,
            parts: parts.collect::<Result<_, LossError>>()?,
            cross_entropy: unsmoothed.f_to_kind(kind)?,
            label_weight: terms.label_weight,
            teacher,
            faults: batch.faults.take(),
        })
    }
}

struct Terms {
    loss: Tensor,
    parts: Vec<(&'static str, Tensor)>,
    label_weight: Option<f64>,
    teacher: Option<Teacher>,
}

impl Terms {
    fn one(name: &'static str, loss: Tensor) -> Result<Self, LossError> {
        Ok(Self { parts: vec![(name, loss.f_detach()?)], loss, label_weight: None, teacher: None })
    }

    fn two(
        first: (&'static str, Tensor, f64),
        second: (&'static str, Tensor, f64),
    ) -> Result<Self, LossError> {
        let loss = first.1.f_mul_scalar(first.2)?.f_add(&second.1.f_mul_scalar(second.2)?)?;
        let parts = vec![(first.0, first.1.f_detach()?), (second.0, second.1.f_detach()?)];
        Ok(Self { loss, parts, label_weight: None, teacher: None })
    }
}

fn tks(
    config: &TksConfig,
    batch: &Batch,
    right: &Tensor,
    mean: &Tensor,
    progress: Progress,
) -> Result<Terms, LossError> {
    let label_weight = config.label_weight(progress)?;
    let log_probabilities = batch.logits.f_log_softmax(2, None)?;
    let teacher = teacher(config, batch, right, &log_probabilities)?;
    // The mean over the steps first: the target is the same for all of them.
    let learned = log_probabilities.f_mean_dim(0, false, None)?;
    let soft = cross_entropy(&learned, &teacher.target)?.f_mul_scalar(config.tau * config.tau)?;
    let terms = Terms::two(
        ("ce", ce(mean, batch, config.label_smoothing)?, label_weight),
        ("soft", soft, 1.0 - label_weight),
    )?;
    Ok(Terms { label_weight: Some(label_weight), teacher: Some(teacher), ..terms })
}

fn tet(config: &TetConfig, batch: &Batch) -> Result<Terms, LossError> {
    let log_probabilities = batch.logits.f_log_softmax(2, None)?.f_mean_dim(0, false, None)?;
    let ce = cross_entropy(&log_probabilities, &smoothed(&batch.distribution, config.label_smoothing)?)?;
    let mse = batch.logits.f_sub_scalar(config.phi)?.f_square()?.f_mean(None::<Kind>)?;
    Terms::two(("ce", ce, 1.0 - config.lambda), ("mse", mse, config.lambda))
}

/// Cross entropy of logits `[B, K]`.
fn ce(logits: &Tensor, batch: &Batch, label_smoothing: f64) -> Result<Tensor, LossError> {
    cross_entropy(&logits.f_log_softmax(1, None)?, &smoothed(&batch.distribution, label_smoothing)?)
}

/// Mean over the batch of `-sum_k target_k log p_k`; both `[B, K]`.
fn cross_entropy(log_probabilities: &Tensor, target: &Tensor) -> Result<Tensor, LossError> {
    Ok(target.f_mul(log_probabilities)?.f_sum_dim_intlist(1, false, None)?.f_mean(None::<Kind>)?.f_neg()?)
}

/// Spreads a share of each distribution `[B, K]` over all classes.
fn smoothed(distribution: &Tensor, share: f64) -> Result<Tensor, LossError> {
    if share == 0.0 {
        return Ok(distribution.shallow_clone());
    }
    let classes = distribution.size()[1] as f64;
    Ok(distribution.f_mul_scalar(1.0 - share)?.f_add_scalar(share / classes)?)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// What a GPU leaves for [`LossOutput::check`], which on the CPU is found before the loss is computed.
    fn with_faults(logits: &Tensor, labels: &Tensor, counts: [i64; 2]) -> LossOutput {
        let progress = Progress { epoch: 0, epochs: 1 };
        let sound = Tensor::zeros([3, 3, 5], (Kind::Float, Device::Cpu));
        let target = Tensor::from_slice(&[0i64, 1, 2]);
        let output = LossConfig::default().compute(&sound, Target::Hard(&target), progress).unwrap();
        let faults = Faults {
            counts: Tensor::from_slice(&counts),
            logits: logits.shallow_clone(),
            target: labels.shallow_clone(),
        };
        LossOutput { faults: Some(faults), ..output }
    }

    #[test]
    fn faults_that_a_device_counted_are_named_when_they_are_asked_for() {
        let logits = Tensor::zeros([3, 3, 5], (Kind::Double, Device::Cpu));
        let labels = Tensor::from_slice(&[0i64, 1, 2]);
        assert!(with_faults(&logits, &labels, [0, 0]).check().is_ok());
        let _filled = logits.get(2).get(1).get(3).fill_(f64::INFINITY);
        match with_faults(&logits, &labels, [1, 0]).check() {
            Err(LossError::NotFinite { step: 2, sample: 1, class: 3, value, count: 1 }) => {
                assert_eq!(value, f64::INFINITY);
            }
            other => panic!("{other:?}"),
        }
        let outside = Tensor::from_slice(&[0i64, 5, 2]);
        match with_faults(&logits, &outside, [0, 1]).check() {
            Err(LossError::Label { sample: 1, label: 5, classes: 5 }) => {}
            other => panic!("{other:?}"),
        }
    }
}
