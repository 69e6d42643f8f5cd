//! Tensors for tests.

use std::cell::Cell;

use tch::Tensor;

/// A generator of tensors of its own: libtorch's is shared by the tests that run side by side.
pub(crate) struct Noise(Cell<u64>);

impl Noise {
    /// The same seed gives the same tensors.
    pub(crate) fn new(seed: u64) -> Self {
        Noise(Cell::new(seed << 32))
    }

    /// Uniform on [-sqrt(3), sqrt(3)), so of variance 1.
    pub(crate) fn tensor(&self, shape: &[i64]) -> Tensor {
        self.0.set(self.0.get() + 1);
        let length = shape.iter().product::<i64>() as usize;
        Tensor::from_slice(&tks_golden::noise(self.0.get(), length)).reshape(shape) * 3f64.sqrt()
    }
}
