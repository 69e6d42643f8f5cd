//! Lion: a step of constant size in the direction of the sign of a momentum. Chen et al., "Symbolic Discovery
//! of Optimization Algorithms", NeurIPS 2023.

use anyhow::Result;
use tch::{Tensor, no_grad};

/// One step, in place.
pub(super) fn step(
    parameters: &[Tensor],
    gradients: &[Tensor],
    momenta: &[Tensor],
    lr: f64,
    [beta1, beta2]: [f64; 2],
    weight_decay: f64,
) -> Result<()> {
    no_grad(|| {
        for ((parameter, gradient), momentum) in parameters.iter().zip(gradients).zip(momenta) {
            let direction = momentum.f_lerp(gradient, 1.0 - beta1)?.f_sign()?;
            let mut parameter = parameter.shallow_clone();
            if weight_decay != 0.0 {
                let _p = parameter.f_mul_scalar_(1.0 - lr * weight_decay)?;
            }
            let _p = parameter.f_sub_(&direction.f_mul_scalar(lr)?)?;
            let _m = momentum.shallow_clone().f_lerp_(gradient, 1.0 - beta2)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_its_equations() {
        let parameter = Tensor::from_slice(&[1.0f32, -1.0, 0.5]);
        let momentum = Tensor::zeros_like(&parameter);
        let mut expected = [1.0f64, -1.0, 0.5];
        let mut moment = [0.0f64; 3];
        for number in 0..5 {
            // One gradient changes its sign, so that the two rates differ.
            let gradient = [0.3f64, if number < 2 { -1.0 } else { 0.2 }, 0.0];
            let tensor = Tensor::from_slice(&gradient.map(|value| value as f32));
            step(
                &[parameter.shallow_clone()],
                &[tensor],
                &[momentum.shallow_clone()],
                0.01,
                [0.9, 0.99],
                0.5,
            )
            .unwrap();
            for i in 0..3 {
                let direction: f64 = 0.9 * moment[i] + 0.1 * gradient[i];
                let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
                expected[i] = expected[i] * (1.0 - 0.01 * 0.5) - 0.01 * sign;
                moment[i] = 0.99 * moment[i] + 0.01 * gradient[i];
            }
        }
        let actual = Vec::<f32>::try_from(&parameter).unwrap();
        for (actual, expected) in actual.iter().zip(&expected) {
            assert!((f64::from(*actual) - expected).abs() < 1e-6, "{actual} for {expected}");
        }
    }
}
