//! A differentiable function of your own, with its backward pass in Rust.

use std::ffi::CStr;

use tch::Tensor;

use crate::error::{BoxError, TorchError};
use crate::ffi;

/// Tensors of which some may be missing.
pub type Tensors = [Option<Tensor>];

/// One gradient for each input, or `None` for zero.
pub type Gradients = Vec<Option<Tensor>>;

/// The backward half of a differentiable function. It may run on one of libtorch's threads, but never on two
/// threads at once.
pub trait Backward: Send {
    /// Computes the gradients of the inputs from those of the outputs, both in the order given to [`record`].
    ///
    /// `saved` holds the saved tensors, `grads` the outputs' gradients (`None`: zero), and `needed` tells for
    /// each input whether its gradient is needed; the others may be `None`. Operations here are not recorded:
    /// a second derivative is refused.
    ///
    /// # Errors
    /// An error becomes that of the `backward` call that led here.
    fn backward(&self, saved: &Tensors, grads: &Tensors, needed: &[bool]) -> Result<Gradients, BoxError>;
}

/// Makes `outputs`, which were computed without recording, depend on `inputs` through `node`.
///
/// Does nothing if gradients are not being recorded or no input requires one. The tensors in `saved` are kept
/// until the backward pass; libtorch checks that they are not changed in place.
///
/// ```
/// use tch::{Kind, Tensor};
/// use tks_torch::custom::{Backward, Gradients, Tensors, record};
/// use tks_torch::{BoxError, TorchError};
///
/// struct Square;
///
/// impl Backward for Square {
///     fn backward(&self, saved: &Tensors, grads: &Tensors, _: &[bool]) -> Result<Gradients, BoxError> {
///         Ok(vec![saved[0].as_ref().zip(grads[0].as_ref()).map(|(x, grad)| x * 2.0 * grad)])
///     }
/// }
///
/// let x = Tensor::from_slice(&[3.0f32]).set_requires_grad(true);
/// let y = tch::no_grad(|| &x * &x);
/// record(c"Square", &[Some(&x)], &[&y], &[Some(&x)], Square)?;
/// y.sum(Kind::Float).backward();
/// assert_eq!(f64::try_from(x.grad()).unwrap(), 6.0);
/// # Ok::<(), TorchError>(())
/// ```
///
/// # Errors
/// [`TorchError::Shim`] for errors from libtorch, such as an output that is not a floating-point tensor.
pub fn record(
    label: &'static CStr,
    inputs: &[Option<&Tensor>],
    outputs: &[&Tensor],
    saved: &[Option<&Tensor>],
    node: impl Backward + 'static,
) -> Result<(), TorchError> {
    ffi::record(label, inputs, outputs, saved, Box::new(node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tch::Kind;

    /// Returns a given result and counts its drops.
    struct Fixed(fn() -> Result<Vec<Option<Tensor>>, BoxError>, Arc<AtomicUsize>);

    impl Backward for Fixed {
        fn backward(&self, _: &Tensors, _: &Tensors, _: &[bool]) -> Result<Gradients, BoxError> {
            (self.0)()
        }
    }

    impl Drop for Fixed {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn run(function: fn() -> Result<Vec<Option<Tensor>>, BoxError>, requires_grad: bool) -> (String, usize) {
        let drops = Arc::new(AtomicUsize::new(0));
        let outcome = {
            let x = Tensor::from_slice(&[1.0f32]).set_requires_grad(requires_grad);
            let y = tch::no_grad(|| &x + 1.0);
            record(c"Fixed", &[Some(&x)], &[&y], &[], Fixed(function, drops.clone())).unwrap();
            y.sum(Kind::Float).f_backward()
        };
        (outcome.map_or_else(|error| error.to_string(), |()| String::new()), drops.load(Ordering::SeqCst))
    }

    #[test]
    fn errors_and_panics_of_the_backward_pass_are_errors_of_the_call() {
        let (error, drops) = run(|| Err("no such thing".into()), true);
        assert!(error.contains("Fixed: no such thing"), "{error}");
        assert_eq!(drops, 1);
        let (error, drops) = run(|| panic!("over the edge"), true);
        assert!(error.contains("panicked: over the edge"), "{error}");
        assert_eq!(drops, 1);
        let (error, _) = run(|| Ok(vec![]), true);
        assert!(error.contains("0 gradients for 1 inputs"), "{error}");
    }

    #[test]
    fn nodes_are_dropped_once_whether_recorded_or_not() {
        assert_eq!(run(|| Ok(vec![None]), true), (String::new(), 1));
        let (error, drops) = run(|| Ok(vec![None]), false);
        assert!(!error.is_empty(), "nothing was recorded, so backward has nothing to go through");
        assert_eq!(drops, 1);
    }
}
