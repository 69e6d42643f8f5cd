//! How many steps were right, and how sure the teacher was.

use tch::{Kind, Tensor};

use crate::error::LossError;
use crate::input::LossInput;
use crate::losses::Teacher;

/// Counts behind those per step: right by the mean, right by no step, taught, entropy, samples.
const TOTALS: i64 = 5;

/// What the steps knew of one batch or several, as sums on the device: nothing is read before
/// [`TeacherStatistics::summary`], so that collecting them over an epoch stalls no GPU.
///
/// Every loss has them; the entropy of the teacher is there with TKS alone.
#[derive(Debug)]
pub struct TeacherStatistics {
    /// `[T + TOTALS]`, f64: samples that step `t` gets right, then [`TOTALS`].
    sums: Tensor,
}

/// What [`TeacherStatistics`] comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct TeacherSummary {
    /// Samples seen.
    pub samples: u64,
    /// Share of all steps of all samples that alone get their sample right, 0 to 1.
    pub right_steps: f64,
    /// The same for each step, `[T]`.
    pub right_per_step: Vec<f64>,
    /// Share of samples that no step gets right, 0 to 1.
    pub none_right: f64,
    /// Share of samples that the mean of the logits over the steps gets right (the accuracy), 0 to 1.
    pub mean_right: f64,
    /// Mean entropy of the teacher's distribution at its temperature, in nats, over the samples that have a
    /// teacher; `None` where none had, or the loss knows no teacher.
    pub teacher_entropy: Option<f64>,
}

impl TeacherStatistics {
    pub(crate) fn of_batch(input: &LossInput, teacher: Option<&Teacher>) -> Result<Self, LossError> {
        let LossInput { right, mean, .. } = input;
        tch::no_grad(|| {
            let count = |mask: &Tensor| mask.f_sum(Kind::Double);
            let none_right = right.f_any_dim(0, false)?.f_logical_not()?;
            let mean_right = mean.f_argmax(1, false)?.f_eq_tensor(&input.label)?;
            let (taught, entropy) = match teacher {
                Some(teacher) => (count(&teacher.taught)?, count(&teacher.entropy.f_mul(&teacher.taught)?)?),
                None => (count(&none_right.f_zeros_like()?)?, count(&none_right.f_zeros_like()?)?),
            };
            let totals = [
                count(&mean_right)?,
                count(&none_right)?,
                taught,
                entropy,
                count(&none_right.f_ones_like()?)?,
            ];
            let per_step = right.f_sum_dim_intlist(1, false, Kind::Double)?;
            Ok(Self { sums: Tensor::f_cat(&[per_step, Tensor::f_stack(&totals, 0)?], 0)? })
        })
    }

    /// Time steps, `T`.
    pub fn time_steps(&self) -> usize {
        usize::try_from(self.sums.size()[0] - TOTALS).unwrap_or(0)
    }

    /// Adds another batch, without waiting for the device.
    ///
    /// # Errors
    /// [`LossError::Shape`] where it has another number of steps.
    pub fn merge(&mut self, other: &Self) -> Result<(), LossError> {
        if self.time_steps() != other.time_steps() {
            return Err(LossError::Shape {
                tensor: "statistics",
                actual: vec![other.time_steps() as i64],
                expected: format!("[{}], as many time steps as before", self.time_steps()),
            });
        }
        self.sums = self.sums.f_add(&other.sums)?;
        Ok(())
    }

    /// Reads the sums and divides them: waits for the device.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn summary(&self) -> Result<TeacherSummary, LossError> {
        let sums = Vec::<f64>::try_from(&self.sums)?;
        let (steps, totals) = sums.split_at(self.time_steps());
        let &[mean_right, none_right, taught, entropy, samples] = totals else {
            return Err(LossError::Libtorch(format!("{} sums were read for {TOTALS}", totals.len())));
        };
        Ok(TeacherSummary {
            samples: samples as u64,
            right_steps: steps.iter().sum::<f64>() / (samples * steps.len() as f64),
            right_per_step: steps.iter().map(|right| right / samples).collect(),
            none_right: none_right / samples,
            mean_right: mean_right / samples,
            teacher_entropy: (taught > 0.0).then(|| entropy / taught),
        })
    }
}

impl Clone for TeacherStatistics {
    fn clone(&self) -> Self {
        Self { sums: self.sums.copy() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_become_shares_of_samples_and_steps() {
        // Right at steps 0, 1, 2; then right by the mean, by no step, taught, entropy, samples.
        let sums = Tensor::from_slice(&[2.0, 3.0, 7.0, 6.0, 1.0, 5.0, 2.5, 10.0]);
        let summary = TeacherStatistics { sums }.summary().unwrap();
        let expected = TeacherSummary {
            samples: 10,
            right_steps: 0.4,
            right_per_step: vec![0.2, 0.3, 0.7],
            none_right: 0.1,
            mean_right: 0.6,
            teacher_entropy: Some(0.5),
        };
        assert_eq!(summary, expected);
        let untaught = Tensor::from_slice(&[2.0, 2.0, 1.0, 0.0, 0.0, 4.0]);
        assert_eq!(TeacherStatistics { sums: untaught }.summary().unwrap().teacher_entropy, None);
        let short = TeacherStatistics { sums: Tensor::from_slice(&[1.0, 2.0]) };
        assert_eq!(short.time_steps(), 0);
        assert!(short.summary().unwrap_err().to_string().contains("2 sums"));
    }
}
