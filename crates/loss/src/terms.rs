//! The terms of a loss.

use tch::{Kind, Tensor};

use crate::error::LossError;
use crate::losses::Teacher;

/// A loss and the terms whose weighted sum it is.
#[derive(Debug)]
pub struct LossTerms {
    /// The loss, shape `[]`.
    pub loss: Tensor,
    /// The terms by name, each of shape `[]` and without gradient.
    pub parts: Vec<(&'static str, Tensor)>,
    /// The weight of the labels against the teacher, if there is one.
    pub label_weight: Option<f64>,
    /// The soft targets of the batch, if there is a teacher.
    pub teacher: Option<Teacher>,
}

impl LossTerms {
    /// A loss with a single term.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub fn one(name: &'static str, loss: Tensor) -> Result<Self, LossError> {
        Ok(LossTerms { parts: vec![(name, loss.f_detach()?)], loss, label_weight: None, teacher: None })
    }

    /// The weighted sum of terms, each with its name and weight.
    ///
    /// # Errors
    /// [`LossError::Shape`] if there are no terms, and errors from libtorch.
    pub fn sum(terms: &[(&'static str, &Tensor, f64)]) -> Result<Self, LossError> {
        let mut loss: Option<Tensor> = None;
        let mut parts = Vec::with_capacity(terms.len());
        for (name, term, weight) in terms {
            let weighted = term.f_mul_scalar(*weight)?;
            loss = Some(match loss {
                Some(loss) => loss.f_add(&weighted)?,
                None => weighted,
            });
            parts.push((*name, term.f_detach()?));
        }
        let none = || LossError::Shape { tensor: "terms", actual: vec![0], expected: "[1] or more".into() };
        Ok(LossTerms { loss: loss.ok_or_else(none)?, parts, label_weight: None, teacher: None })
    }
}

/// Mean over the batch of `-sum_k target_k log p_k`; both `[B, K]`.
///
/// # Errors
/// Errors from libtorch.
pub fn cross_entropy(log_probabilities: &Tensor, target: &Tensor) -> Result<Tensor, LossError> {
    Ok(target.f_mul(log_probabilities)?.f_sum_dim_intlist(1, false, None)?.f_mean(None::<Kind>)?.f_neg()?)
}

/// Distributions `[B, K]`, each with a share of it spread evenly over all classes (label smoothing).
///
/// # Errors
/// Errors from libtorch.
pub fn smoothed(distribution: &Tensor, share: f64) -> Result<Tensor, LossError> {
    if share == 0.0 {
        return Ok(distribution.shallow_clone());
    }
    let classes = distribution.size()[1] as f64;
    Ok(distribution.f_mul_scalar(1.0 - share)?.f_add_scalar(share / classes)?)
}
