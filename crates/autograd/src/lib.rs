//! Spiking neurons as differentiable libtorch operations.
//!
//! ```
//! let spikes = tch::Tensor::from_slice(&[0.0f32, 1.0, 1.0]);
//! assert_eq!(spikes.sum(tch::Kind::Float).double_value(&[]), 2.0);
//! assert_eq!(tks_autograd::libtorch_version(), "2.11.0");
//! ```

mod ffi;

/// The version of libtorch that this crate was compiled against, such as `2.11.0`.
pub fn libtorch_version() -> &'static str {
    ffi::libtorch_version()
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    #[test]
    fn shim_is_compiled_against_the_pinned_libtorch() {
        assert_eq!(super::libtorch_version(), "2.11.0");
    }

    #[test]
    fn tensors_and_their_gradients_work() {
        let x = Tensor::from_slice(&[1.0f32, 2.0, 3.0]).set_requires_grad(true);
        (&x * &x).sum(Kind::Float).backward();
        assert_eq!(Vec::<f32>::try_from(x.grad()).unwrap(), [2.0, 4.0, 6.0]);
    }
}
