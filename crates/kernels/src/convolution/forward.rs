//! The forward pass.

use rayon::prelude::*;

use super::{Aligned, ConvShape, Lists, blocks, inside};
use crate::error::KernelError;
use crate::simd;

/// `y = convolution(x, weight)`.
///
/// # Errors
/// [`KernelError::Length`] and [`KernelError::OutOfRange`] if buffers or sizes do not match.
pub fn forward(shape: &ConvShape, x: &[f32], weight: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
    let [out_height, out_width] = shape.check(x, weight.len(), y.len())?;
    let image_out = out_height * out_width * shape.out_channels;
    if y.is_empty() || x.is_empty() {
        y.fill(0.0);
        return Ok(());
    }
    let packed: Vec<_> = blocks(shape.out_channels)
        .into_iter()
        .map(|(start, width)| (start, width, pack(shape, weight, start, width)))
        .collect();
    let images = y.par_chunks_mut(image_out).zip(x.par_chunks(shape.input_image()));
    images.for_each_init(Lists::default, |lists, (y, x)| {
        simd::dispatch(ForwardImage { shape, packed: &packed, out_width, lists, x, y });
    });
    Ok(())
}

/// The weight as `[taps, in_channels, width]`, zero past the last channel.
fn pack(shape: &ConvShape, weight: &[f32], start: usize, width: usize) -> Aligned {
    let (taps, inputs) = (shape.taps(), shape.in_channels);
    let mut packed = Aligned::zeros(taps * inputs * width);
    let values = packed.get_mut();
    for o in start..(start + width).min(shape.out_channels) {
        for c in 0..inputs {
            for tap in 0..taps {
                values[(tap * inputs + c) * width + o - start] = weight[(o * inputs + c) * taps + tap];
            }
        }
    }
    packed
}

struct ForwardImage<'a> {
    shape: &'a ConvShape,
    packed: &'a [(usize, usize, Aligned)],
    out_width: usize,
    lists: &'a mut Lists,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl simd::Work for ForwardImage<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ForwardImage { shape, packed, out_width, lists, x, y } = self;
        lists.by_pixel(x, shape.in_channels);
        for (start, width, weight) in packed {
            with_width!(*width, B => forward_block::<B>(shape, out_width, lists, weight.get(), *start, y));
        }
    }
}

/// One block of output channels of an image.
#[inline(always)]
fn forward_block<const B: usize>(
    shape: &ConvShape,
    out_width: usize,
    lists: &Lists,
    weight: &[f32],
    start: usize,
    y: &mut [f32],
) {
    let (rows, _) = weight.as_chunks::<B>();
    let channels = shape.out_channels;
    let used = B.min(channels - start);
    // One tap at a time over a row of the output, so that the tap's weights stay in first-level cache.
    let mut row_sums = Aligned::zeros(out_width * B);
    let (sums, _) = row_sums.get_mut().as_chunks_mut::<B>();
    for (row, out_row) in y.chunks_exact_mut(out_width * channels).enumerate() {
        sums.fill([0.0; B]);
        for ky in 0..shape.kernel[0] {
            let Some(iy) = inside(row * shape.stride[0] + ky, shape.padding[0], shape.height) else {
                continue;
            };
            for kx in 0..shape.kernel[1] {
                let tap = ky * shape.kernel[1] + kx;
                let rows = &rows[tap * shape.in_channels..][..shape.in_channels];
                for (column, sum) in sums.iter_mut().enumerate() {
                    if let Some(ix) = inside(column * shape.stride[1] + kx, shape.padding[1], shape.width) {
                        lists.add_rows(iy * shape.width + ix, rows, sum);
                    }
                }
            }
        }
        for (out, sum) in out_row.chunks_exact_mut(channels).zip(&*sums) {
            out[start..start + used].copy_from_slice(&sum[..used]);
        }
    }
}
