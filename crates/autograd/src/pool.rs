//! Average pooling that keeps nothing for its backward pass.

use tch::Tensor;
use tks_torch::BoxError;
use tks_torch::custom::{Backward, Gradients, Tensors, record};

use crate::error::AutogradError;

/// Mean over non-overlapping squares with sides of `size` pixels; `input` is `[N, C, H, W]`, and rows and
/// columns that do not fill a square are left out. Values and gradients equal those of libtorch's
/// `avg_pool2d`, which keeps the whole input for a backward pass that needs only its shape.
///
/// ```
/// use tch::{Device, Kind, Tensor};
/// use tks_autograd::avg_pool2d;
///
/// let x = Tensor::ones([1, 2, 5, 4], (Kind::Float, Device::Cpu)).set_requires_grad(true);
/// let y = avg_pool2d(&x, 2)?;
/// assert_eq!(y.size(), [1, 2, 2, 2]);
/// y.sum(Kind::Float).backward();
/// assert_eq!(x.grad().double_value(&[0, 0, 3, 3]), 0.25);
/// assert_eq!(x.grad().double_value(&[0, 0, 4, 3]), 0.0);
/// # Ok::<(), tks_autograd::AutogradError>(())
/// ```
///
/// # Errors
/// [`AutogradError`] if the input has another number of dimensions, or is smaller than a square.
pub fn avg_pool2d(input: &Tensor, size: i64) -> Result<Tensor, AutogradError> {
    let shape = <[i64; 4]>::try_from(input.size()).map_err(|_| AutogradError::Shape {
        tensor: "input",
        actual: input.size(),
        expected: "[N, C, H, W]".into(),
    })?;
    let y = tch::no_grad(|| {
        input.f_detach()?.f_avg_pool2d([size; 2], [size; 2], [0, 0], false, true, None::<i64>)
    })?;
    record(c"tks::avg_pool2d", &[Some(input)], &[&y], &[], Node { shape, size })?;
    Ok(y)
}

struct Node {
    shape: [i64; 4],
    size: i64,
}

impl Backward for Node {
    fn backward(&self, _: &Tensors, grads: &Tensors, _: &[bool]) -> Result<Gradients, BoxError> {
        let [Some(grad)] = grads else { return Ok(vec![None]) };
        let ([images, channels, height, width], size) = (self.shape, self.size);
        let (rows, columns) = (height / size, width / size);
        // Channels last, like the outputs of convolutions: each value is added to its square in one pass.
        let shares = grad.f_permute([0, 2, 3, 1])?.f_div_scalar((size * size) as f64)?;
        let squares = shares.f_reshape([images, rows, 1, columns, 1, channels])?;
        let pixels = squares.f_expand([images, rows, size, columns, size, channels], false)?;
        let mut grad_x = pixels.f_reshape([images, rows * size, columns * size, channels])?;
        let rest = [height - rows * size, width - columns * size];
        if rest != [0, 0] {
            grad_x = grad_x.f_constant_pad_nd([0, 0, 0, rest[1], 0, rest[0]])?;
        }
        Ok(vec![Some(grad_x.f_permute([0, 3, 1, 2])?)])
    }
}
