//! The fused steps compared with the optimisers' equations, written out one number at a time.

use tch::{Kind, Tensor};
use tks_torch::optimizer::{AdamW, Sgd, adamw, sgd};

/// A parameter of two dimensions, transposed so that its memory order differs from its shape, and one of one
/// dimension.
fn parameters() -> Vec<Tensor> {
    let table = Tensor::from_slice(&[0.5f32, -1.0, 2.0, 0.25, 3.0, -0.125]).view([2, 3]).transpose(0, 1);
    vec![table, Tensor::from_slice(&[1.0f32, -2.0])]
}

/// Gradients of step `step`: contiguous, unlike their parameters.
fn gradients(step: i64) -> Vec<Tensor> {
    let factor = 1.0 / (step + 1) as f64;
    let table = Tensor::from_slice(&[0.1f32, -0.2, 0.3, 0.4, -0.5, 0.6]).view([3, 2]) * factor;
    vec![table, Tensor::from_slice(&[-1.0f32, 0.01]) * factor]
}

fn numbers(tensors: &[Tensor]) -> Vec<f64> {
    tensors
        .iter()
        .flat_map(|tensor| Vec::<f64>::try_from(tensor.flatten(0, -1).to_kind(Kind::Double)).unwrap())
        .collect()
}

fn assert_near(actual: &[f64], expected: &[f64]) {
    for (actual, expected) in actual.iter().zip(expected) {
        assert!((actual - expected).abs() < 1e-6 * expected.abs().max(1.0), "{actual} for {expected}");
    }
}

#[test]
fn adamw_follows_its_equations() {
    let tensors = parameters();
    let zeros = || tensors.iter().map(Tensor::zeros_like).collect::<Vec<_>>();
    let (first, second) = (zeros(), zeros());
    let steps: Vec<_> = tensors.iter().map(|_| Tensor::from(0.0f32)).collect();
    let settings = AdamW { lr: 0.1, betas: [0.9, 0.99], weight_decay: 0.3, eps: 1e-8 };

    let mut values = numbers(&tensors);
    let mut moments = vec![(0.0, 0.0); values.len()];
    for step in 0..5 {
        let gradients = gradients(step);
        adamw(&tensors, &gradients, &first, &second, &steps, &settings).unwrap();
        let corrections = settings.betas.map(|beta| 1.0 - beta.powi(step as i32 + 1));
        for ((value, gradient), (m, v)) in values.iter_mut().zip(numbers(&gradients)).zip(&mut moments) {
            *m += (1.0 - settings.betas[0]) * (gradient - *m);
            *v += (1.0 - settings.betas[1]) * (gradient * gradient - *v);
            *value *= 1.0 - settings.lr * settings.weight_decay;
            *value -= settings.lr * (*m / corrections[0]) / ((*v / corrections[1]).sqrt() + settings.eps);
        }
        assert_near(&numbers(&tensors), &values);
    }
    assert_eq!(f64::try_from(&steps[0]).unwrap(), 5.0);
}

#[test]
fn sgd_follows_its_equations() {
    for nesterov in [false, true] {
        for momentum in [0.0, 0.9] {
            if nesterov && momentum == 0.0 {
                continue;
            }
            let tensors = parameters();
            let momenta: Vec<_> = tensors.iter().map(Tensor::zeros_like).collect();
            let settings = Sgd { lr: 0.1, momentum, weight_decay: 0.3, nesterov };
            let mut values = numbers(&tensors);
            let mut velocities = vec![0.0; values.len()];
            for step in 0..4 {
                let gradients = gradients(step);
                sgd(&tensors, &gradients, &momenta, &settings, step == 0).unwrap();
                for ((value, gradient), velocity) in
                    values.iter_mut().zip(numbers(&gradients)).zip(&mut velocities)
                {
                    let gradient = gradient + settings.weight_decay * *value;
                    *velocity = if step == 0 { gradient } else { momentum * *velocity + gradient };
                    *value -=
                        settings.lr * if nesterov { gradient + momentum * *velocity } else { *velocity };
                }
                assert_near(&numbers(&tensors), &values);
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let tensors = parameters();
    let settings = Sgd { lr: 0.1, momentum: 0.9, weight_decay: 0.0, nesterov: false };
    let few = &gradients(0)[..1];
    assert!(sgd(&tensors, few, &[], &settings, true).is_err());
    assert!(sgd(&tensors, &gradients(0), &[], &settings, true).is_err(), "momenta are missing");
    let contiguous: Vec<_> = gradients(0);
    let error = sgd(&tensors, &gradients(0), &contiguous, &settings, true).unwrap_err().to_string();
    assert!(error.contains("memory"), "{error}");
}
