//! Sparse convolution of spikes, which skips zeros.
//!
//! In the output of a spiking layer, 80 to 95% of the values are zero. These kernels list the others and add
//! one row of weights (or of the output's gradient) for each, so that the work is proportional to the firing
//! rate, in full single precision. Values other than 0 and 1 (from a sum or mean of spikes) are multiplied.
//! The gradient with respect to the input is not sparse and is not computed here.
//!
//! Tensors are channels-last: input `[images, height, width, in_channels]`, output `[images, out_height,
//! out_width, out_channels]`; the weight is `[out_channels, in_channels, kernel_height, kernel_width]`. Sums
//! are added in the same order for any number of threads.

use rayon::prelude::*;

use crate::error::KernelError;
use crate::packed::lowest_bits;

/// Number of values in a cache line and in an AVX-512 vector; rows are padded to a multiple of it.
const LANE: usize = 16;
/// Maximum length of a row: 8 AVX-512 vectors, a quarter of the registers.
const WIDEST: usize = 128;
/// Number of tasks that the weight gradient is divided into, for any number of threads: blocks of output
/// channels times parts of the images.
const PARTS: usize = 16;

/// The sizes of a convolution (no dilation, no groups).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// `T * B`
    pub images: usize,
    /// Of the input.
    pub height: usize,
    /// Of the input.
    pub width: usize,
    /// Of the input.
    pub in_channels: usize,
    /// Of the output.
    pub out_channels: usize,
    /// Height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal, 1 or above.
    pub stride: [usize; 2],
    /// Zeros above and below, and on the left and right; less than the kernel size.
    pub padding: [usize; 2],
}

impl ConvShape {
    /// Height and width of the output.
    ///
    /// # Errors
    /// [`KernelError::OutOfRange`] for sizes that do not form a convolution.
    pub fn output(&self) -> Result<[usize; 2], KernelError> {
        let mut output = [0; 2];
        for (i, (length, name)) in [(self.height, "height"), (self.width, "width")].into_iter().enumerate() {
            let (kernel, stride, padding) = (self.kernel[i], self.stride[i], self.padding[i]);
            let out_of_range = |parameter, value: usize, range| {
                Err(KernelError::OutOfRange { parameter, value: value as f64, range })
            };
            if kernel == 0 {
                return out_of_range("kernel", kernel, "1 or above");
            }
            if stride == 0 {
                return out_of_range("stride", stride, "1 or above");
            }
            if padding >= kernel {
                return out_of_range("padding", padding, "less than the kernel");
            }
            if length + 2 * padding < kernel {
                return out_of_range(name, length, "as large as the kernel, padding counted");
            }
            output[i] = (length + 2 * padding - kernel) / stride + 1;
        }
        Ok(output)
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    fn input_image(&self) -> usize {
        self.height * self.width * self.in_channels
    }

    fn check(&self, x: &[f32], weight: usize, y: usize) -> Result<[usize; 2], KernelError> {
        let [height, width] = self.output()?;
        for (buffer, actual, expected, shape) in [
            ("x", x.len(), self.images * self.input_image(), "images * height * width * in_channels"),
            ("weight", weight, self.taps() * self.in_channels * self.out_channels, "out * in * kernel"),
            ("y", y, self.images * height * width * self.out_channels, "images * output * out_channels"),
        ] {
            if actual != expected {
                return Err(KernelError::Length { buffer, actual, expected, shape });
            }
        }
        if self.in_channels > usize::from(u16::MAX) || self.width > usize::from(u16::MAX) {
            let value = self.in_channels.max(self.width) as f64;
            return Err(KernelError::OutOfRange {
                parameter: "in_channels or width",
                value,
                range: "16 bits",
            });
        }
        Ok([height, width])
    }
}

/// Zeros aligned to a cache line: a vector that straddles two takes twice as long to load.
struct Aligned {
    values: Vec<f32>,
    start: usize,
    length: usize,
}

impl Aligned {
    fn zeros(length: usize) -> Self {
        let values = vec![0.0f32; length + LANE];
        let start = values.as_ptr().align_offset(64).min(LANE);
        Aligned { values, start, length }
    }

    fn get(&self) -> &[f32] {
        &self.values[self.start..][..self.length]
    }

    fn get_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.length]
    }
}

/// Blocks of output channels: first channel and width, a multiple of [`LANE`] that may exceed the number of
/// channels.
fn blocks(channels: usize) -> Vec<(usize, usize)> {
    let (mut start, mut blocks) = (0, Vec::new());
    while start < channels {
        let left = (channels - start).next_multiple_of(LANE);
        let width = [WIDEST, WIDEST / 2, WIDEST / 4].into_iter().find(|&width| width <= left).unwrap_or(LANE);
        blocks.push((start, width));
        start += width;
    }
    blocks
}

/// Runs `$body` with the constant `$B` set to the block's width, one of those that [`blocks`] returns.
macro_rules! with_width {
    ($width:expr, $B:ident => $body:expr) => {
        match $width {
            128 => {
                const $B: usize = 128;
                $body
            }
            64 => {
                const $B: usize = 64;
                $body
            }
            32 => {
                const $B: usize = 32;
                $body
            }
            _ => {
                const $B: usize = 16;
                $body
            }
        }
    };
}

mod forward;
mod weight_gradient;

pub use forward::forward;
pub use weight_gradient::weight_gradient;

/// The non-zero values of an image as lists: one per pixel (over channels), or one per row and channel (over
/// columns).
#[derive(Debug, Default)]
struct Lists {
    /// The start of each list, and the end of the last.
    starts: Vec<u32>,
    places: Vec<u16>,
    values: Vec<f32>,
    /// Whether every value is 1.
    ones: bool,
}

impl Lists {
    /// Channels of each pixel.
    #[inline(always)]
    fn by_pixel(&mut self, image: &[f32], channels: usize) {
        self.ones = !image.iter().fold(false, |other, &value| other | ((value != 0.0) & (value != 1.0)));
        // Space for all values, then truncated.
        self.places.resize(image.len(), 0);
        self.values.resize(if self.ones { 0 } else { image.len() }, 0.0);
        self.starts.clear();
        self.starts.push(0);
        let mut count = 0;
        for pixel in image.chunks_exact(channels) {
            for (group, values) in pixel.chunks(64).enumerate() {
                let mut bits = non_zero(values);
                while bits != 0 {
                    let place = 64 * group + bits.trailing_zeros() as usize;
                    self.places[count] = place as u16;
                    if !self.ones {
                        self.values[count] = pixel[place];
                    }
                    count += 1;
                    bits &= bits - 1;
                }
            }
            self.starts.push(count as u32);
        }
        self.places.truncate(count);
        self.values.truncate(count);
    }

    /// Lists of columns for each row and channel, from the [`Self::by_pixel`] lists of an image of that
    /// width.
    #[inline(always)]
    fn by_channel(&mut self, pixels: &Lists, width: usize, channels: usize) {
        let height = (pixels.starts.len() - 1) / width.max(1);
        self.starts.clear();
        self.starts.push(0);
        self.places.resize(pixels.places.len(), 0);
        self.values.resize(pixels.values.len(), 0.0);
        self.ones = pixels.ones;
        let mut next = vec![0u32; channels];
        for row in 0..height {
            let starts = &pixels.starts[row * width..][..=width];
            next.fill(0);
            for &c in &pixels.places[starts[0] as usize..starts[width] as usize] {
                next[usize::from(c)] += 1;
            }
            let mut start = starts[0];
            for next in &mut next {
                let length = *next;
                *next = start;
                start += length;
                self.starts.push(start);
            }
            for (column, range) in starts.windows(2).enumerate() {
                for i in range[0] as usize..range[1] as usize {
                    let next = &mut next[usize::from(pixels.places[i])];
                    self.places[*next as usize] = column as u16;
                    if !pixels.ones {
                        self.values[*next as usize] = pixels.values[i];
                    }
                    *next += 1;
                }
            }
        }
    }

    /// Adds to `sum` the row of each entry of list `k`: for an entry at position `p`, `rows[p]`.
    #[inline(always)]
    fn add_rows<const B: usize>(&self, k: usize, rows: &[[f32; B]], sum: &mut [f32; B]) {
        let range = self.starts[k] as usize..self.starts[k + 1] as usize;
        // A copy, so that it stays in registers.
        let mut total = *sum;
        if self.ones {
            for &place in &self.places[range] {
                let row = &rows[usize::from(place)];
                for i in 0..B {
                    total[i] += row[i];
                }
            }
        } else {
            for (&place, &value) in self.places[range.clone()].iter().zip(&self.values[range]) {
                let row = &rows[usize::from(place)];
                for i in 0..B {
                    total[i] += value * row[i];
                }
            }
        }
        *sum = total;
    }

    /// Adds to `sum` the rows `p`, `p + 1`, `p + 2` for each entry of list `k`, at position `p`.
    #[inline(always)]
    fn add_windows<const B: usize>(&self, k: usize, rows: &[[f32; B]], sum: &mut [[f32; B]; 3]) {
        let range = self.starts[k] as usize..self.starts[k + 1] as usize;
        let mut total = *sum;
        if self.ones {
            for &place in &self.places[range] {
                let window = &rows[usize::from(place)..][..3];
                for k in 0..3 {
                    for i in 0..B {
                        total[k][i] += window[k][i];
                    }
                }
            }
        } else {
            for (&place, &value) in self.places[range.clone()].iter().zip(&self.values[range]) {
                let window = &rows[usize::from(place)..][..3];
                for k in 0..3 {
                    for i in 0..B {
                        total[k][i] += value * window[k][i];
                    }
                }
            }
        }
        *sum = total;
    }
}

/// Bit `i` is set if value `i` is not zero; up to 64 values.
#[inline(always)]
fn non_zero(values: &[f32]) -> u64 {
    // One byte each, which the compiler vectorises.
    let mut flags = [0u8; 64];
    match <&[f32; 64]>::try_from(values) {
        Ok(values) => {
            for i in 0..64 {
                flags[i] = u8::from(values[i] != 0.0);
            }
        }
        Err(_) => {
            for (flag, &value) in flags.iter_mut().zip(values) {
                *flag = u8::from(value != 0.0);
            }
        }
    }
    lowest_bits(&flags)
}

/// The share of non-zero values; 0 if there are no values.
pub fn density(x: &[f32]) -> f64 {
    let count = |chunk: &[f32]| {
        // A chunk of this size keeps the count of each lane below 2^16.
        let mut lanes = [0u32; 16];
        let rest = chunk.chunks_exact(16).remainder().iter().filter(|&&x| x != 0.0).count();
        for values in chunk.chunks_exact(16) {
            for (lane, &value) in lanes.iter_mut().zip(values) {
                *lane += u32::from(value != 0.0);
            }
        }
        u64::from(lanes.iter().sum::<u32>()) + rest as u64
    };
    let total: u64 = x.par_chunks(1 << 16).map(count).sum();
    total as f64 / (x.len() as f64).max(1.0)
}

/// Converts a padded coordinate to one of the input, if it is inside.
#[inline(always)]
fn inside(padded: usize, padding: usize, length: usize) -> Option<usize> {
    let place = padded.wrapping_sub(padding);
    (place < length).then_some(place)
}
