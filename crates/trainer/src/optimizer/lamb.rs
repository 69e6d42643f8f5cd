//! LAMB: Adam's step, scaled for each parameter by the ratio of the parameter's norm to the step's. You et
//! al., "Large Batch Optimization for Deep Learning", ICLR 2020.

use anyhow::Result;
use tch::{Tensor, no_grad};
use tks_autograd::optimizer::AdamW;

/// Step number `step` (from 1), in place.
pub(super) fn step(
    parameters: &[Tensor],
    gradients: &[Tensor],
    first: &[Tensor],
    second: &[Tensor],
    step: u64,
    settings: &AdamW,
) -> Result<()> {
    let [beta1, beta2] = settings.betas;
    let steps = i32::try_from(step).unwrap_or(i32::MAX);
    let (correction1, correction2) = (1.0 - beta1.powi(steps), 1.0 - beta2.powi(steps));
    no_grad(|| {
        for (((parameter, gradient), m), v) in parameters.iter().zip(gradients).zip(first).zip(second) {
            let _m = m.shallow_clone().f_lerp_(gradient, 1.0 - beta1)?;
            let _v = v.shallow_clone().f_lerp_(&gradient.f_square()?, 1.0 - beta2)?;
            let root = v.f_div_scalar(correction2)?.f_sqrt()?.f_add_scalar(settings.eps)?;
            let mut update = m.f_div_scalar(correction1)?.f_div(&root)?;
            if settings.weight_decay != 0.0 {
                update = update.f_add(&parameter.f_mul_scalar(settings.weight_decay)?)?;
            }
            let norm = |tensor: &Tensor| -> Result<f64> { Ok(tensor.f_norm()?.f_double_value(&[])?) };
            let (own, moved) = (norm(parameter)?, norm(&update)?);
            let trust = if own > 0.0 && moved > 0.0 { own / moved } else { 1.0 };
            let _p = parameter.shallow_clone().f_sub_(&update.f_mul_scalar(settings.lr * trust)?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_its_equations() {
        let parameter = Tensor::from_slice(&[3.0f32, -4.0]);
        let (m, v) = (Tensor::zeros_like(&parameter), Tensor::zeros_like(&parameter));
        let settings = AdamW { lr: 0.1, betas: [0.9, 0.99], weight_decay: 0.2, eps: 1e-6 };
        let mut expected = [3.0f64, -4.0];
        let (mut em, mut ev) = ([0.0f64; 2], [0.0f64; 2]);
        for number in 1..=4u64 {
            let gradient = [0.5f64, -0.1 * number as f64];
            let tensor = Tensor::from_slice(&gradient.map(|value| value as f32));
            step(
                &[parameter.shallow_clone()],
                &[tensor],
                &[m.shallow_clone()],
                &[v.shallow_clone()],
                number,
                &settings,
            )
            .unwrap();
            let mut update = [0.0; 2];
            for i in 0..2 {
                em[i] = 0.9 * em[i] + 0.1 * gradient[i];
                ev[i] = 0.99 * ev[i] + 0.01 * gradient[i] * gradient[i];
                let (mh, vh) =
                    (em[i] / (1.0 - 0.9f64.powi(number as i32)), ev[i] / (1.0 - 0.99f64.powi(number as i32)));
                update[i] = mh / (vh.sqrt() + 1e-6) + 0.2 * expected[i];
            }
            let norm = |values: &[f64; 2]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
            let trust = norm(&expected) / norm(&update);
            for i in 0..2 {
                expected[i] -= 0.1 * trust * update[i];
            }
            let actual = Vec::<f32>::try_from(&parameter).unwrap();
            for (actual, expected) in actual.iter().zip(&expected) {
                assert!((f64::from(*actual) - expected).abs() < 1e-5, "{actual} for {expected}");
            }
        }
    }
}
