//! How many steps were correct, and how confident the teacher was.

use tch::{Kind, Tensor};

use crate::error::LossError;
use crate::input::LossInput;
use crate::losses::Teacher;

/// Number of counts after those per step: correct by the mean, correct by no step, taught, entropy, samples.
const TOTALS: i64 = 5;

/// Statistics of the time steps for one or more batches, as sums on the device: nothing is read before
/// [`TeacherStatistics::summary`], so collecting them over an epoch does not stall a GPU.
///
/// They are available for every loss; the entropy of the teacher only for TKS.
#[derive(Debug)]
pub struct TeacherStatistics {
    /// `[T + TOTALS]`, f64: number of samples classified correctly by step `t`, then [`TOTALS`].
    sums: Tensor,
}

/// The values of [`TeacherStatistics`].
#[derive(Debug, Clone, PartialEq)]
pub struct TeacherSummary {
    /// Number of samples.
    pub samples: u64,
    /// Share of all steps of all samples that classify their sample correctly on their own, 0 to 1.
    pub right_steps: f64,
    /// The same for each step, `[T]`.
    pub right_per_step: Vec<f64>,
    /// Share of samples that no step classifies correctly, 0 to 1.
    pub none_right: f64,
    /// Share of samples classified correctly by the mean of the logits over the steps (the accuracy), 0 to 1.
    pub mean_right: f64,
    /// Mean entropy of the teacher's distribution at its temperature, in nats, over the samples with a
    /// teacher; `None` if there are none, or the loss has no teacher.
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

    /// Number of time steps, `T`.
    pub fn time_steps(&self) -> usize {
        usize::try_from(self.sums.size()[0] - TOTALS).unwrap_or(0)
    }

    /// Adds another batch, without waiting for the device.
    ///
    /// # Errors
    /// [`LossError::Shape`] if the numbers of steps differ.
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

    /// Reads the sums and divides them, which waits for the device.
    ///
    /// # Errors
    /// Errors from libtorch.
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
        // Correct at steps 0, 1, 2; then correct by the mean, by no step, taught, entropy, samples.
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
