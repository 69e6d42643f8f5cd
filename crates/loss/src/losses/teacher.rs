//! Which time steps teach a sample, and the soft target that they give.

use tch::{Kind, Tensor};

use super::tks::{Assembly, NoCorrect, Selection, TeacherGradient, TksConfig};
use crate::error::LossError;
use crate::input::LossInput;

/// Stands for the logarithm of probability zero. It is finite, so that a sample without a teacher does not
/// produce NaN.
const LOG_OF_NOTHING: f64 = -1e30;

/// The soft targets of a batch.
#[derive(Debug)]
pub struct Teacher {
    /// `[B, K]`: the soft target; all zero if there is none.
    pub target: Tensor,
    /// `[B]`, bool: whether any step teaches the sample.
    pub taught: Tensor,
    /// `[B]`: entropy in nats of the teacher's distribution, or of its substitute if there is no teacher. No
    /// gradient.
    pub entropy: Tensor,
}

/// `log_probabilities`: `[T, B, K]`.
pub(super) fn teacher(
    config: &TksConfig,
    input: &LossInput,
    log_probabilities: &Tensor,
) -> Result<Teacher, LossError> {
    let label_log_probability =
        (log_probabilities.f_mul(&input.one_hot)?).f_sum_dim_intlist(2, false, None)?;
    let teaches = teaching_steps(config.selection, &input.right, &label_log_probability)?;
    let weights = step_weights(config.assembly, &teaches, &label_log_probability)?;
    let mut logits = weights.f_unsqueeze(2)?.f_mul(&input.logits)?.f_sum_dim_intlist(0, false, None)?;
    if config.gradient == TeacherGradient::Detached {
        logits = logits.f_detach()?;
    }
    let log_target = logits.f_div_scalar(config.tau)?.f_log_softmax(1, None)?;
    let target = log_target.f_exp()?;
    let entropy = target.f_detach()?.f_mul(&log_target.f_detach()?)?.f_sum_dim_intlist(1, false, None)?;
    let taught = teaches.f_any_dim(0, false)?;
    let row = taught.f_unsqueeze(1)?;
    let target = match config.no_correct {
        // The logits of a sample without a teacher are zero.
        NoCorrect::Uniform => target,
        NoCorrect::Label => target.f_where_self(&row, &input.distribution)?,
        NoCorrect::Skip => target.f_mul(&row)?,
    };
    Ok(Teacher { target, taught, entropy: entropy.f_neg()? })
}

/// `[T, B]`, bool.
fn teaching_steps(
    selection: Selection,
    right: &Tensor,
    label_log_probability: &Tensor,
) -> Result<Tensor, LossError> {
    Ok(match selection {
        Selection::Correct => right.shallow_clone(),
        Selection::All => right.f_ones_like()?,
        Selection::TopK(steps) => {
            let steps = i64::try_from(steps).unwrap_or(i64::MAX).min(right.size()[0]);
            let (_, best) = label_log_probability.f_detach()?.f_topk(steps, 0, true, false)?;
            right.f_zeros_like()?.f_scatter_value(0, &best, 1)?
        }
    })
}

/// `[T, B]`: the weight of each step's logits; zero if it does not teach.
fn step_weights(
    assembly: Assembly,
    teaches: &Tensor,
    label_log_probability: &Tensor,
) -> Result<Tensor, LossError> {
    let kind = label_log_probability.kind();
    let mask = teaches.f_to_kind(kind)?;
    Ok(match assembly {
        Assembly::Sum => mask,
        Assembly::Mean => mask.f_div(&mask.f_sum_dim_intlist(0, true, None)?.f_clamp_min(1.0)?)?,
        // The probabilities divided by their sum, in a form that avoids 0 / 0.
        Assembly::Confidence => {
            let among = label_log_probability.f_masked_fill(&teaches.f_logical_not()?, LOG_OF_NOTHING)?;
            among.f_softmax(0, None)?.f_mul(&mask)?
        }
        Assembly::LastCorrect => {
            let order = Tensor::f_arange_start(1, teaches.size()[0] + 1, (Kind::Int64, teaches.device()))?;
            let order = order.f_unsqueeze(1)?.f_mul(teaches)?;
            order.f_eq_tensor(&order.f_amax([0i64], true)?)?.f_mul(&mask)?
        }
    })
}
