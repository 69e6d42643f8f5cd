//! Logits and labels, hard or soft, in the common form used by the losses, and checks of a batch.

use tch::{Device, Kind, Tensor};

use crate::error::LossError;

/// The target of a batch.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// One class per sample: `[B]`, `i64`, each from 0 to below `K`.
    Hard(&'a Tensor),
    /// A distribution over the classes per sample, as produced by mixing: `[B, K]`, `f32` or `f64`.
    Soft(&'a Tensor),
}

/// The precision in which losses are computed. The terms of the teacher's gradient nearly cancel: in single
/// precision, two orders of summation differ by 2e-6. Compared with a network, `[T, B, K]` values are few.
pub(crate) const KIND: Kind = Kind::Double;

/// Tolerance for the sum of a soft label, which is rounded by mixing in `f32`, or in `bf16` elsewhere.
const SOFT_LABEL_TOLERANCE: f64 = 1e-2;

/// A batch as passed to a [`Loss`](crate::Loss): validated, and in `f64`.
#[derive(Debug)]
#[non_exhaustive]
pub struct LossInput {
    /// `[T, B, K]`, `f64`: the last layer's output at each step.
    pub logits: Tensor,
    /// `[B, K]`, `f64`: the logits' mean over the steps.
    pub mean: Tensor,
    /// `[T, B]`, bool: whether a step classifies the sample correctly on its own. No gradient.
    pub right: Tensor,
    /// `[B, K]`, a distribution per sample, `f64`.
    pub distribution: Tensor,
    /// `[B]`, the most likely class per sample.
    pub label: Tensor,
    /// `[B, K]`, 1 at the label: equal to `distribution` unless that is soft.
    pub one_hot: Tensor,
    /// Checks to be evaluated later, if reading them now would stall the device.
    pub(crate) faults: Option<Faults>,
}

impl LossInput {
    pub(crate) fn new(logits: &Tensor, target: Target) -> Result<Self, LossError> {
        let size = logits.size();
        let &[steps, samples, classes] = size.as_slice() else {
            return Err(shape("logits", logits, "[T, B, K] (time steps, samples, classes)".into()));
        };
        if steps == 0 || samples == 0 || classes == 0 {
            return Err(shape("logits", logits, "at least one time step, sample and class".into()));
        }
        if !matches!(logits.kind(), Kind::Double | Kind::Float | Kind::Half | Kind::BFloat16) {
            return Err(LossError::Kind {
                tensor: "logits",
                actual: logits.kind(),
                expected: "a floating-point kind",
            });
        }
        let logits = logits.f_to_kind(KIND)?;
        let device = logits.device();
        let (Target::Hard(target_tensor) | Target::Soft(target_tensor)) = target;
        if target_tensor.device() != device {
            return Err(LossError::Device { logits: device, target: target_tensor.device() });
        }
        // By comparison, since gathering with a label out of range would abort a CUDA context.
        let class_indices = Tensor::f_arange(classes, (Kind::Int64, device))?;
        let one_hot = |label: &Tensor| label.f_unsqueeze(1)?.f_eq_tensor(&class_indices)?.f_to_kind(KIND);
        let (distribution, label, one_hot) = match target {
            Target::Hard(labels) => {
                if labels.size() != [samples] {
                    return Err(shape("labels", labels, format!("[{samples}], one per sample")));
                }
                if labels.kind() != Kind::Int64 {
                    return Err(LossError::Kind {
                        tensor: "labels",
                        actual: labels.kind(),
                        expected: "Int64",
                    });
                }
                let one_hot = one_hot(labels)?;
                (one_hot.shallow_clone(), labels.shallow_clone(), one_hot)
            }
            Target::Soft(soft) => {
                if soft.size() != [samples, classes] {
                    return Err(shape(
                        "soft labels",
                        soft,
                        format!("[{samples}, {classes}], a distribution per sample"),
                    ));
                }
                if !matches!(soft.kind(), Kind::Float | Kind::Double) {
                    return Err(LossError::Kind {
                        tensor: "soft labels",
                        actual: soft.kind(),
                        expected: "Float or Double",
                    });
                }
                let soft = soft.f_detach()?.f_to_kind(KIND)?;
                let label = soft.f_argmax(1, false)?;
                let one_hot = one_hot(&label)?;
                (soft, label, one_hot)
            }
        };
        let right = logits.f_detach()?.f_argmax(2, false)?.f_eq_tensor(&label)?;
        let mean = logits.f_mean_dim(0, false, None)?;
        let mut input = Self { logits, mean, right, distribution, label, one_hot, faults: None };
        let faults = Faults {
            counts: input.fault_counts()?,
            logits: input.logits.f_detach()?,
            target: target_tensor.shallow_clone(),
        };
        if device == Device::Cpu {
            faults.check()?;
        } else {
            input.faults = Some(faults);
        }
        Ok(input)
    }

    /// `[2]`: number of non-finite logits, number of targets that are not distributions.
    fn fault_counts(&self) -> Result<Tensor, LossError> {
        tch::no_grad(|| {
            let sum = |mask: Tensor| mask.f_sum(Kind::Int64);
            let not_finite = sum(self.logits.f_isfinite()?.f_logical_not()?)?;
            let off =
                self.distribution.f_sum_dim_intlist(1, false, Kind::Double)?.f_sub_scalar(1.0)?.f_abs()?;
            // Negated, so that NaN counts as out of tolerance.
            let sums = off.f_le(SOFT_LABEL_TOLERANCE)?.f_logical_not()?;
            let negative = self.distribution.f_lt(0.0)?.f_any_dim(1, false)?;
            Ok(Tensor::f_stack(&[not_finite, sum(sums.f_logical_or(&negative)?)?], 0)?)
        })
    }
}

/// Possible faults in the values of a batch, on the device.
#[derive(Debug)]
pub(crate) struct Faults {
    /// `[2]`: number of non-finite logits, number of targets that are not distributions.
    pub(crate) counts: Tensor,
    /// `[T, B, K]`.
    pub(crate) logits: Tensor,
    /// `[B]` or `[B, K]`.
    pub(crate) target: Tensor,
}

impl Faults {
    /// Reads the counts and, if one is not zero, reports the first faulty value.
    pub(crate) fn check(&self) -> Result<(), LossError> {
        let counts = Vec::<i64>::try_from(&self.counts)?;
        if counts[1] > 0 {
            return Err(if self.target.kind() == Kind::Int64 { self.label()? } else { self.soft_label()? });
        }
        if counts[0] > 0 {
            return Err(self.not_finite(counts[0] as usize)?);
        }
        Ok(())
    }

    fn not_finite(&self, count: usize) -> Result<LossError, LossError> {
        let values = numbers(&self.logits)?;
        let (samples, classes) = (self.logits.size()[1] as usize, self.logits.size()[2] as usize);
        let at = values.iter().position(|value| !value.is_finite()).unwrap_or(0);
        Ok(LossError::NotFinite {
            step: (at / (samples * classes)) as i64,
            sample: (at / classes % samples) as i64,
            class: (at % classes) as i64,
            value: values[at],
            count,
        })
    }

    fn label(&self) -> Result<LossError, LossError> {
        let classes = self.logits.size()[2];
        let labels = Vec::<i64>::try_from(&self.target)?;
        let sample = labels.iter().position(|label| !(0..classes).contains(label)).unwrap_or(0);
        Ok(LossError::Label { sample: sample as i64, label: labels[sample], classes })
    }

    fn soft_label(&self) -> Result<LossError, LossError> {
        let values = numbers(&self.target)?;
        let classes = self.target.size()[1] as usize;
        let fault = values.chunks(classes).enumerate().find_map(|(sample, row)| {
            let sum: f64 = row.iter().sum();
            let what = if let Some(value) = row.iter().find(|value| **value < 0.0) {
                format!("it holds {value}")
            } else if (sum - 1.0).abs() <= SOFT_LABEL_TOLERANCE {
                return None;
            } else {
                format!("its sum is {sum}")
            };
            Some(LossError::SoftLabel { sample: sample as i64, what })
        });
        Ok(fault
            .unwrap_or_else(|| LossError::SoftLabel { sample: 0, what: "its sum rounds away from 1".into() }))
    }
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>, LossError> {
    Ok(Vec::<f64>::try_from(&tensor.f_to_kind(Kind::Double)?.f_reshape([-1])?)?)
}

fn shape(tensor: &'static str, actual: &Tensor, expected: String) -> LossError {
    LossError::Shape { tensor, actual: actual.size(), expected }
}
