//! Shared measuring code of the benchmarks: clocks, peak memory, medians.

use anyhow::Result;
use tch::{Kind, Tensor};
use tks_torch::BoxError;
use tks_torch::custom::{Backward, record};

pub mod process;

/// The median; NaN if there are no values.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => 0.5 * (values[n / 2 - 1] + values[n / 2]),
    }
}

/// Returns a gradient that was made beforehand.
struct Given(Tensor);

impl Backward for Given {
    fn backward(
        &self,
        _: &[Option<Tensor>],
        _: &[Option<Tensor>],
        _: &[bool],
    ) -> std::result::Result<Vec<Option<Tensor>>, BoxError> {
        Ok(vec![Some(self.0.shallow_clone())])
    }
}

/// A scalar whose backward pass gives `output` the gradient `grad`, of the same shape, without arithmetic or
/// a copy: torch's `output.backward(grad)`, which tch lacks. The gradient of a sum would be a single number,
/// for which the neurons have a short cut that is never taken in training.
///
/// # Errors
/// Errors from libtorch.
pub fn given_gradient(output: &Tensor, grad: &Tensor) -> Result<Tensor> {
    anyhow::ensure!(output.size() == grad.size(), "a gradient of {:?} for {:?}", grad.size(), output.size());
    let scalar = Tensor::f_zeros([0i64; 0], (Kind::Float, output.device()))?;
    record(c"tks::given_gradient", &[Some(output)], &[&scalar], &[], Given(grad.shallow_clone()))?;
    Ok(scalar)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    #[test]
    fn a_given_gradient_arrives_as_it_is() {
        let x = Tensor::rand([2, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let grad = Tensor::randn([2, 3], (Kind::Float, Device::Cpu));
        super::given_gradient(&(&x * 2.0), &grad).unwrap().backward();
        assert_eq!(x.grad(), &grad * 2.0);
        assert!(super::given_gradient(&x, &grad.view([3, 2])).is_err());
    }

    #[test]
    fn medians() {
        assert_eq!(super::median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(super::median(&[4.0, 1.0]), 2.5);
        assert!(super::median(&[]).is_nan());
    }
}
