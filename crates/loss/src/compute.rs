//! Computation of a loss from logits and labels.

use tch::{Kind, Tensor};

use crate::config::{LossConfig, Progress};
use crate::error::LossError;
use crate::input::{Faults, LossInput, Target};
use crate::losses::Loss;
use crate::statistics::TeacherStatistics;
use crate::terms::cross_entropy;

/// A loss, its terms, and statistics of the time steps.
#[derive(Debug)]
pub struct LossOutput {
    /// The loss, shape `[]`: `f32`, or `f64` if the logits are.
    pub loss: Tensor,
    /// The terms whose weighted sum is the loss, by name, each of shape `[]` and without gradient: `ce` and
    /// `soft` for TKS, `ce` for cross entropy, `ce` and `mse` for TET, `mse` for the rate.
    pub parts: Vec<(&'static str, Tensor)>,
    /// Cross entropy of the logits' mean over the steps with the given labels (possibly soft, without
    /// smoothing), of shape `[]` and without gradient: the same measure for every loss, also used in tests.
    pub cross_entropy: Tensor,
    /// The weight of the labels against the teacher, for TKS.
    pub label_weight: Option<f64>,
    /// How many steps were correct, and how confident the teacher was.
    pub teacher: TeacherStatistics,
    faults: Option<Faults>,
}

impl LossOutput {
    /// Checks that logits and labels are valid. On the CPU, this is checked before the loss is computed, and
    /// this function does nothing; on a GPU, it waits for the device, so call it where you read the loss
    /// anyway.
    ///
    /// # Errors
    /// [`LossError::Label`], [`LossError::SoftLabel`] or [`LossError::NotFinite`].
    pub fn check(&self) -> Result<(), LossError> {
        self.faults.as_ref().map_or(Ok(()), Faults::check)
    }
}

impl LossConfig {
    /// Computes the loss of a batch.
    ///
    /// # Shapes
    /// `logits`: `[T, B, K]`, the last layer's output at each time step, of any floating-point kind; the loss
    /// is computed in `f64`. `target`: `[B]` or `[B, K]`, see [`Target`].
    ///
    /// # Errors
    /// [`LossError::Config`] and [`LossError::Progress`] for settings out of range; [`LossError::Shape`],
    /// [`LossError::Kind`] and [`LossError::Device`] for mismatched tensors. On the CPU, also the errors of
    /// [`LossOutput::check`].
    pub fn compute(
        &self,
        logits: &Tensor,
        target: Target,
        progress: Progress,
    ) -> Result<LossOutput, LossError> {
        LossOutput::new(self.loss(), logits, target, progress)
    }
}

impl LossOutput {
    /// Computes the loss of a batch like [`LossConfig::compute`], with a loss that needs no name.
    ///
    /// # Errors
    /// As [`LossConfig::compute`].
    pub fn new(
        loss: &dyn Loss,
        logits: &Tensor,
        target: Target,
        progress: Progress,
    ) -> Result<Self, LossError> {
        loss.check()?;
        let mut input = LossInput::new(logits, target)?;
        let terms = loss.terms(&input, progress)?;
        if !terms.loss.size().is_empty() {
            let (actual, expected) = (terms.loss.size(), "[], one number".into());
            return Err(LossError::Shape { tensor: "loss", actual, expected });
        }
        let unsmoothed =
            tch::no_grad(|| cross_entropy(&input.mean.f_log_softmax(1, None)?, &input.distribution))?;
        let teacher = TeacherStatistics::of_batch(&input, terms.teacher.as_ref())?;
        let kind = if logits.kind() == Kind::Double { Kind::Double } else { Kind::Float };
        let parts = terms.parts.into_iter().map(|(name, part)| Ok((name, part.f_to_kind(kind)?)));
        Ok(LossOutput {
            loss: terms.loss.f_to_kind(kind)?,
            parts: parts.collect::<Result<_, LossError>>()?,
            cross_entropy: unsmoothed.f_to_kind(kind)?,
            label_weight: terms.label_weight,
            teacher,
            faults: input.faults.take(),
        })
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// Faults that a GPU leaves to [`LossOutput::check`], and that are found on the CPU before the loss is
    /// computed.
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
