//! The weight gradient.

use rayon::prelude::*;

use super::{Aligned, ConvShape, LANE, Lists, PARTS, blocks, inside};
use crate::error::KernelError;
use crate::simd;

/// `grad_weight = sum over images of x with grad_y`.
///
/// # Errors
/// [`KernelError::Length`] and [`KernelError::OutOfRange`] if buffers or sizes do not match.
pub fn weight_gradient(
    shape: &ConvShape,
    x: &[f32],
    grad_y: &[f32],
    grad_weight: &mut [f32],
) -> Result<(), KernelError> {
    let [out_height, out_width] = shape.check(x, grad_weight.len(), grad_y.len())?;
    let (taps, inputs, kernel_width) = (shape.taps(), shape.in_channels, shape.kernel[1]);
    let image_out = out_height * out_width * shape.out_channels;
    grad_weight.fill(0.0);
    if x.is_empty() || grad_y.is_empty() {
        return Ok(());
    }
    let blocks = blocks(shape.out_channels);
    let parts = PARTS.div_ceil(blocks.len()).min(shape.images);
    let part = shape.images.div_ceil(parts);
    let parts = shape.images.div_ceil(part);
    // By blocks, then parts.
    let sums: Vec<Aligned> = (0..blocks.len() * parts)
        .into_par_iter()
        .map(|task| {
            let ((start, width), first) = (blocks[task / parts], task % parts * part);
            let images = first..(first + part).min(shape.images);
            let mut sums = Aligned::zeros(taps * inputs * width);
            simd::dispatch(GradientPart {
                shape,
                start,
                width,
                out_width,
                x: &x[images.start * shape.input_image()..images.end * shape.input_image()],
                grad_y: &grad_y[images.start * image_out..images.end * image_out],
                image_out,
                sums: sums.get_mut(),
            });
            sums
        })
        .collect();
    // The outputs for one cache line of sums at a time.
    grad_weight.par_chunks_mut(LANE * inputs * taps).enumerate().for_each(|(chunk, grad_weight)| {
        let first = chunk * LANE;
        let block = blocks.iter().rposition(|(start, _)| *start <= first).unwrap_or(0);
        let (start, width) = blocks[block];
        let sums = &sums[block * parts..][..parts];
        for c in 0..inputs {
            for tap in 0..taps {
                let (ky, kx) = (tap / kernel_width, kernel_width - 1 - tap % kernel_width);
                let place = ((ky * inputs + c) * kernel_width + kx) * width + first - start;
                let mut total = [0.0f32; LANE];
                for sums in sums {
                    for (total, value) in total.iter_mut().zip(&sums.get()[place..][..LANE]) {
                        *total += value;
                    }
                }
                for (gradients, total) in grad_weight.chunks_exact_mut(inputs * taps).zip(total) {
                    gradients[c * taps + tap] = total;
                }
            }
        }
    });
    Ok(())
}

/// A block of output channels over a part of the images.
struct GradientPart<'a> {
    shape: &'a ConvShape,
    /// The block's first channel.
    start: usize,
    /// Its width.
    width: usize,
    out_width: usize,
    x: &'a [f32],
    grad_y: &'a [f32],
    image_out: usize,
    /// `[kernel_height, in_channels, kernel_width, width]`, the taps of a row from the last to the first
    sums: &'a mut [f32],
}

impl simd::Work for GradientPart<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let shape = self.shape;
        let (mut pixels, mut columns) = (Lists::default(), Lists::default());
        let images = self.x.chunks_exact(shape.input_image()).zip(self.grad_y.chunks_exact(self.image_out));
        for (x, grad_y) in images {
            pixels.by_pixel(x, shape.in_channels);
            columns.by_channel(&pixels, shape.width, shape.in_channels);
            with_width!(
                self.width,
                B => gradient_block::<B>(shape, self.out_width, &columns, grad_y, self.start, self.sums)
            );
        }
    }
}

/// One block of output channels of an image.
#[inline(always)]
fn gradient_block<const B: usize>(
    shape: &ConvShape,
    out_width: usize,
    columns: &Lists,
    grad_y: &[f32],
    start: usize,
    sums: &mut [f32],
) {
    let (sums, _) = sums.as_chunks_mut::<B>();
    let channels = shape.out_channels;
    let used = B.min(channels - start);
    let [kernel_height, kernel_width] = shape.kernel;
    // A row of the gradient with its columns `stride` apart and zeros between and around them, so that the
    // input's column `ix` meets tap `kx` at `ix + padding - kx + kernel_width - 1`.
    let length = shape.width + shape.padding[1] + kernel_width - 1;
    let mut spread = Aligned::zeros(B * length.max((out_width - 1) * shape.stride[1] + kernel_width));
    let (spread, _) = spread.get_mut().as_chunks_mut::<B>();
    for (row, grad_row) in grad_y.chunks_exact(out_width * channels).enumerate() {
        for (column, grad) in grad_row.chunks_exact(channels).enumerate() {
            spread[column * shape.stride[1] + kernel_width - 1][..used]
                .copy_from_slice(&grad[start..start + used]);
        }
        for ky in 0..kernel_height {
            let Some(iy) = inside(row * shape.stride[0] + ky, shape.padding[0], shape.height) else {
                continue;
            };
            let sums = &mut sums[ky * shape.in_channels * kernel_width..][..shape.in_channels * kernel_width];
            let rows = &spread[shape.padding[1]..];
            let first = iy * shape.in_channels;
            if kernel_width == 3 {
                // Three taps at a time: their rows are adjacent in `spread`, their sums in `sums`.
                let (sums, _) = sums.as_chunks_mut::<3>();
                for (c, sum) in sums.iter_mut().enumerate() {
                    columns.add_windows(first + c, rows, sum);
                }
            } else {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let (c, tap) = (i / kernel_width, i % kernel_width);
                    columns.add_rows(first + c, &rows[tap..], sum);
                }
            }
        }
    }
}
