//! A convolution for inputs that are mostly zero, such as spikes.

use tch::{Device, Kind, Tensor};
use tks_kernels::convolution::{self as kernel, ConvShape};
use tks_torch::BoxError;
use tks_torch::custom::{Backward, Gradients, Tensors, record};
use tks_torch::memory::Fresh;

use crate::error::AutogradError;
use crate::saved::SavedTensor;
use crate::values::values;
use crate::winograd;

/// The share of non-zero values up to which skipping zeros is faster than libtorch's convolution (measured,
/// see `docs/src/speed.md`), for a weight with few filters.
pub const SPARSE_UP_TO: f64 = 0.5;
/// The same for a weight with many filters.
const SPARSE_UP_TO_OF_MANY: f64 = 0.2;
/// The share up to which skipping zeros is faster than Winograd filtering for the gradient of a weight with
/// few filters; with many, it never is.
const SPARSE_BEFORE_WINOGRAD: f64 = 0.3;
/// The maximum number of filters (input times output channels) that counts as few: with more, the filters or
/// their sums do not fit in the caches, and each spike waits for memory.
const FEW_FILTERS: usize = 128 * 128;

/// The implementation of convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConvBackend {
    /// In `f32` on the CPU, the fastest for the input's share of non-zero values; otherwise libtorch's. The
    /// forward pass, where rounding can change a spike, uses only sums of products (the sparse ones or
    /// libtorch's). Gradients can also use Winograd filtering, whose rounding errors are about 10 times as
    /// large.
    #[default]
    Auto,
    /// The sparse implementation; an error if it is not possible.
    Sparse,
    /// Winograd's minimal filtering, in the forward pass too, if possible (3 x 3, stride 1, channels in
    /// multiples of 16); otherwise libtorch's.
    Winograd,
    /// libtorch's implementation.
    Dense,
}

/// Options of [`spike_conv2d`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvOptions {
    /// Vertical and horizontal.
    pub stride: [i64; 2],
    /// Zeros above and below, and on the left and right.
    pub padding: [i64; 2],
    /// The implementation to use.
    pub backend: ConvBackend,
    /// Whether to compute the output, which is then `bf16`, and the gradient with respect to the input in
    /// `bf16`, densely. On the CPU, the weight gradient is computed in `f32` (in `bf16`, libtorch's takes up
    /// to 12 times as long there).
    pub half_precision: bool,
}

impl Default for ConvOptions {
    fn default() -> Self {
        ConvOptions { stride: [1, 1], padding: [0, 0], backend: ConvBackend::Auto, half_precision: false }
    }
}

/// Convolves `input` (`[N, C, H, W]`, `N = T * B`) with `weight` (`[O, C, kh, kw]`), without bias. If few of
/// the input's values are non-zero, the work is proportional to their number.
///
/// The output is channels-last in memory if this project's kernels were used (the layout that they work in),
/// else in libtorch's layout. Values and gradients equal those of libtorch's convolution up to rounding.
///
/// ```
/// use tch::{Device, Kind, Tensor};
/// use tks_autograd::convolution::{ConvOptions, spike_conv2d};
///
/// let spikes = Tensor::rand([8, 16, 12, 12], (Kind::Float, Device::Cpu)).gt(0.9).to_kind(Kind::Float);
/// let weight = Tensor::randn([32, 16, 3, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
/// let y = spike_conv2d(&spikes, &weight, ConvOptions { padding: [1, 1], ..ConvOptions::default() })?;
/// assert_eq!(y.size(), [8, 32, 12, 12]);
/// y.sum(Kind::Float).backward();
/// assert_eq!(weight.grad().size(), weight.size());
/// # Ok::<(), tks_autograd::AutogradError>(())
/// ```
///
/// # Errors
/// [`AutogradError`] if sizes or kinds do not match.
pub fn spike_conv2d(input: &Tensor, weight: &Tensor, options: ConvOptions) -> Result<Tensor, AutogradError> {
    let kinds = [input.kind(), weight.kind()];
    let possible = input.device() == Device::Cpu
        && (kinds == [Kind::Float; 2] || options.half_precision && kinds == [Kind::BFloat16, Kind::Float]);
    let dense = || {
        let kind = if options.half_precision { Kind::BFloat16 } else { input.kind() };
        let (input, weight) = (input.f_to_kind(kind)?, weight.f_to_kind(kind)?);
        Ok(input.f_conv2d(&weight, None::<&Tensor>, options.stride, options.padding, [1, 1], 1)?)
    };
    match options.backend {
        ConvBackend::Dense => return dense(),
        ConvBackend::Auto | ConvBackend::Winograd if !possible => return dense(),
        ConvBackend::Sparse if !possible => {
            return Err(AutogradError::SparseConvolution {
                input: input.kind(),
                weight: weight.kind(),
                device: input.device(),
            });
        }
        _ => {}
    }
    let shape = shape_of(input, weight, options)?;
    let result = tch::no_grad(|| -> Result<_, AutogradError> {
        let x = channels_last(input)?;
        let weight = weight.f_detach()?.f_contiguous()?;
        let kept = SavedTensor::new(&x)?;
        if options.half_precision {
            let x = x.f_to_kind(Kind::BFloat16)?;
            let y = libtorch_forward(&x, &weight.f_to_kind(Kind::BFloat16)?, options)?;
            return Ok(Some((y, None, kept, x, weight)));
        }
        let plan = Plan::new(&shape, options.backend, || density(&kept, &x))?;
        let y = match plan.forward {
            Method::Dense if plan.weight_gradient == Method::Dense => return Ok(None),
            Method::Dense => libtorch_forward(&x, &weight, options)?,
            Method::Winograd => winograd::forward(&shape, &x, &weight)?.f_permute([0, 3, 1, 2])?,
            Method::Sparse => {
                let [height, width] = shape.output()?;
                let size = [shape.images, height, width, shape.out_channels].map(|size| size as i64);
                let mut y = Fresh::cpu(&size)?;
                kernel::forward(&shape, values(&x)?, values(&weight)?, y.values_mut()?)?;
                y.into_tensor().f_permute([0, 3, 1, 2])?
            }
        };
        Ok(Some((y, Some(plan), kept, x, weight)))
    })?;
    let Some((y, plan, kept, x, weight_values)) = result else { return dense() };
    record(
        c"tks::spike_conv2d",
        &[Some(input), Some(weight)],
        &[&y],
        &[Some(&weight_values), kept.to_save(&x)],
        Node { shape, options, plan, kept },
    )?;
    Ok(y)
}

/// The share of non-zero values in the `f32` input.
fn density(kept: &SavedTensor, x: &Tensor) -> Result<f64, AutogradError> {
    Ok(match kept.density() {
        Some(density) => density,
        None => kernel::density(values(x)?),
    })
}

/// Convolution by libtorch; `x` is `[N, H, W, C]`, the output `[N, O, H, W]`.
fn libtorch_forward(x: &Tensor, weight: &Tensor, options: ConvOptions) -> Result<Tensor, AutogradError> {
    let image = x.f_permute([0, 3, 1, 2])?;
    Ok(image.f_conv2d(weight, None::<&Tensor>, options.stride, options.padding, [1, 1], 1)?)
}

fn shape_of(input: &Tensor, weight: &Tensor, options: ConvOptions) -> Result<ConvShape, AutogradError> {
    let (Ok([images, channels, height, width]), Ok([out_channels, in_channels, kernel_height, kernel_width])) =
        (<[i64; 4]>::try_from(input.size()), <[i64; 4]>::try_from(weight.size()))
    else {
        let expected = format!("[N, C, H, W] (and the weight, {:?}, [O, C, kh, kw])", weight.size());
        return Err(AutogradError::Shape { tensor: "input", actual: input.size(), expected });
    };
    if channels != in_channels {
        let expected = format!("[O, {channels}, kh, kw], the input's channels");
        return Err(AutogradError::Shape { tensor: "weight", actual: weight.size(), expected });
    }
    let size = |value: i64| usize::try_from(value).map_err(|_| AutogradError::Negative { value });
    Ok(ConvShape {
        images: size(images)?,
        height: size(height)?,
        width: size(width)?,
        in_channels: size(in_channels)?,
        out_channels: size(out_channels)?,
        kernel: [size(kernel_height)?, size(kernel_width)?],
        stride: [size(options.stride[0])?, size(options.stride[1])?],
        padding: [size(options.padding[0])?, size(options.padding[1])?],
    })
}

/// The tensor as contiguous `[N, H, W, C]`, without a copy if its memory already has this layout.
fn channels_last(tensor: &Tensor) -> Result<Tensor, AutogradError> {
    Ok(tensor.f_detach()?.f_permute([0, 2, 3, 1])?.f_contiguous()?)
}

/// The implementation of one part of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Sparse,
    Winograd,
    Dense,
}

/// The implementation of each part.
#[derive(Debug, Clone, Copy)]
struct Plan {
    forward: Method,
    weight_gradient: Method,
}

impl Plan {
    /// `density` returns the share of non-zero inputs.
    fn new(
        shape: &ConvShape,
        backend: ConvBackend,
        density: impl FnOnce() -> Result<f64, AutogradError>,
    ) -> Result<Plan, AutogradError> {
        let filtering = if winograd::applies(shape) { Method::Winograd } else { Method::Dense };
        Ok(match backend {
            ConvBackend::Dense => Plan { forward: Method::Dense, weight_gradient: Method::Dense },
            ConvBackend::Winograd => Plan { forward: filtering, weight_gradient: filtering },
            ConvBackend::Sparse => Plan { forward: Method::Sparse, weight_gradient: Method::Sparse },
            ConvBackend::Auto => {
                let density = density()?;
                let few = shape.in_channels * shape.out_channels <= FEW_FILTERS;
                let forward_up_to = if few { SPARSE_UP_TO } else { SPARSE_UP_TO_OF_MANY };
                let gradient_up_to = match filtering {
                    Method::Winograd if few => SPARSE_BEFORE_WINOGRAD,
                    Method::Winograd => 0.0,
                    _ => forward_up_to,
                };
                Plan {
                    forward: if density <= forward_up_to { Method::Sparse } else { Method::Dense },
                    weight_gradient: if density <= gradient_up_to { Method::Sparse } else { filtering },
                }
            }
        })
    }
}

struct Node {
    shape: ConvShape,
    options: ConvOptions,
    /// `None` in half precision: the backward pass then decides from the `f32` values that it makes.
    plan: Option<Plan>,
    /// The size of the input, `[N, H, W, C]`.
    kept: SavedTensor,
}

impl Backward for Node {
    fn backward(&self, saved: &Tensors, grads: &Tensors, needed: &[bool]) -> Result<Gradients, BoxError> {
        let ([Some(weight), x], [Some(grad)]) = (saved, grads) else { return Ok(vec![None, None]) };
        let grad_y = channels_last(grad)?;
        let grad_weight = needed[1].then(|| self.grad_weight(x.as_ref(), &grad_y)).transpose()?;
        let grad_input = needed[0].then(|| self.grad_input(&grad_y, weight)).transpose()?;
        Ok(vec![grad_input, grad_weight])
    }
}

impl Node {
    fn grad_weight(&self, x: Option<&Tensor>, grad_y: &Tensor) -> Result<Tensor, AutogradError> {
        let x = self.kept.restore(x, Kind::Float)?;
        let grad_y = grad_y.f_to_kind(Kind::Float)?;
        let counted = || Plan::new(&self.shape, self.options.backend, || density(&self.kept, &x));
        let plan = self.plan.map_or_else(counted, Ok)?;
        if plan.weight_gradient == Method::Winograd {
            return winograd::weight_gradient(&self.shape, &x, &grad_y);
        }
        let ConvShape { in_channels, out_channels, kernel: [height, width], .. } = self.shape;
        let size = [out_channels, in_channels, height, width].map(|size| size as i64);
        let mut grad_weight = Fresh::cpu(&size)?;
        kernel::weight_gradient(&self.shape, values(&x)?, values(&grad_y)?, grad_weight.values_mut()?)?;
        Ok(grad_weight.into_tensor())
    }

    /// The transposed convolution.
    fn grad_input(&self, grad_y: &Tensor, weight: &Tensor) -> Result<Tensor, AutogradError> {
        let winograd = !matches!(self.options.backend, ConvBackend::Sparse | ConvBackend::Dense);
        if winograd && !self.options.half_precision && winograd::applies(&self.shape) {
            return Ok(winograd::input_gradient(&self.shape, grad_y, weight)?.f_permute([0, 3, 1, 2])?);
        }
        let ConvShape { height, width, kernel, stride, padding, .. } = self.shape;
        let out = self.shape.output()?;
        // Rows and columns at the end that no tap reaches.
        let rest = [0, 1].map(|i| {
            let length = [height, width][i];
            (length + 2 * padding[i] - kernel[i] - (out[i] - 1) * stride[i]) as i64
        });
        let kind = if self.options.half_precision { Kind::BFloat16 } else { Kind::Float };
        let grad = grad_y.f_to_kind(kind)?.f_permute([0, 3, 1, 2])?.f_conv_transpose2d(
            &weight.f_to_kind(kind)?,
            None::<&Tensor>,
            self.options.stride,
            self.options.padding,
            rest,
            1,
            [1, 1],
        )?;
        Ok(grad)
    }
}
