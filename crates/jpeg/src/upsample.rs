//! Upsampling: from planes of several sizes to rows of pixels.

use crate::colour;
use crate::header::{Component, Frame};
use crate::plane::Plane;
use crate::region::DecodeRegion;
use crate::simd::with_avx2;

/// Reused row buffers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    sums: Vec<u16>,
    doubled: Vec<u8>,
    components: [Vec<u8>; 4],
}

/// How the sum of two neighbours is rounded, to the left and to the right of a sample, and the number of bits
/// dropped.
struct Rounding {
    left: u16,
    right: u16,
    shift: u32,
}

/// For samples that cover 2 x 1 pixels.
const ONE_ROW: Rounding = Rounding { left: 1, right: 2, shift: 2 };
/// For samples that cover 2 x 2 pixels, given as sums of two rows.
const TWO_ROWS: Rounding = Rounding { left: 8, right: 7, shift: 4 };

/// Writes a region of the image, row by row.
pub(crate) fn write_rows(
    frame: &Frame,
    region: &DecodeRegion,
    planes: &[Plane],
    lines: &mut Lines,
    out: &mut [u8],
) {
    for (row, pixels) in out.chunks_exact_mut(3 * region.width).enumerate() {
        for (at, (component, plane)) in frame.components.iter().zip(planes).enumerate() {
            let mut line = std::mem::take(&mut lines.components[at]);
            write_line(
                component,
                frame,
                plane,
                region.top + row,
                [region.left, region.width],
                lines,
                &mut line,
            );
            lines.components[at] = line;
        }
        colour::write_row(frame.colours, &lines.components, pixels);
    }
}

/// Writes a row of a component at the width of the image: each sample has three times the weight of the
/// neighbour on the pixel's side (libjpeg's "fancy" upsampling), or is repeated for all its pixels at other
/// ratios.
fn write_line(
    component: &Component,
    frame: &Frame,
    plane: &Plane,
    y: usize,
    [left, width]: [usize; 2],
    lines: &mut Lines,
    out: &mut Vec<u8>,
) {
    let ([vertical, horizontal], [rows, columns]) = (component.ratio, component.kept);
    // at an eighth of the size, a sample is repeated for its pixels
    let weighted = frame.scale_denominator < 8;
    let line = |y: usize| &plane.samples[y.min(rows - 1) * plane.stride..][..columns];
    let near = line(y / vertical);
    // the row on the pixel's side; at the border, the same row again
    let far = || line(if y.is_multiple_of(2) { (y / 2).saturating_sub(1) } else { y / 2 + 1 });
    out.clear();
    match (vertical, horizontal) {
        (1, 1) => out.extend_from_slice(&near[left..left + width]),
        (2, 1) if weighted => {
            let bias = 1 + (y % 2) as u16;
            let pairs = near[left..left + width].iter().zip(&far()[left..left + width]);
            out.extend(pairs.map(|(&near, &far)| ((3 * u16::from(near) + u16::from(far) + bias) >> 2) as u8));
        }
        (1 | 2, 2) if weighted && columns > 2 => {
            let (first, last) = (left / 2, (left + width - 1) / 2);
            let (from, to) = (first.saturating_sub(1), (last + 2).min(columns));
            let sums = &mut lines.sums;
            sums.clear();
            // one more on either side; at the border, the same sample again
            let sum = |near: u8, far: u8| 3 * u16::from(near) + u16::from(far);
            let (far, rounding) = match vertical {
                1 => (None, ONE_ROW),
                _ => (Some(far()), TWO_ROWS),
            };
            let value = |at: usize| far.map_or(u16::from(near[at]), |far| sum(near[at], far[at]));
            if first == 0 {
                sums.push(value(0));
            }
            match far {
                None => sums.extend(near[from..to].iter().map(|&near| u16::from(near))),
                Some(far) => {
                    let pairs = near[from..to].iter().zip(&far[from..to]);
                    sums.extend(pairs.map(|(&near, &far)| sum(near, far)));
                }
            }
            if last + 1 == columns {
                sums.push(value(last));
            }
            let doubled = &mut lines.doubled;
            doubled.resize(2 * (last + 1 - first), 0);
            double(sums, &rounding, doubled);
            out.extend_from_slice(&doubled[left - 2 * first..][..width]);
        }
        _ => out.extend((left..left + width).map(|x| near[x / horizontal])),
    }
}

with_avx2! {
    /// Writes two samples for each of `sums` except the first and the last.
    fn double(sums: &[u16], rounding: &Rounding, out: &mut [u8]) = double_any;
}

#[inline(always)]
fn double_any(sums: &[u16], rounding: &Rounding, out: &mut [u8]) {
    let Rounding { left, right, shift } = *rounding;
    let neighbours = sums.iter().zip(&sums[1..]).zip(&sums[2..]);
    for (((&before, &here), &after), out) in neighbours.zip(out.as_chunks_mut::<2>().0) {
        *out = [((3 * here + before + left) >> shift) as u8, ((3 * here + after + right) >> shift) as u8];
    }
}
