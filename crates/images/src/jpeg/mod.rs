//! JPEG files to pixels, as libjpeg-turbo gives them, to the bit: the accurate integer transform, "fancy"
//! upsampling, the same rounding in the conversion of colours.
//!
//! Sequential and progressive files with Huffman coding and 8 bits a sample (ITU-T T.81), of 1, 3 or 4 components. A
//! part of a sequential picture takes less time than all of it: only the blocks that it needs are transformed, and
//! nothing below its last row is read. So does a half, a quarter or an eighth of the size, where a block is transformed
//! to 4 x 4, 2 x 2 or 1 x 1 samples.

mod bits;
mod colour;
mod header;
mod huffman;
mod scan;
mod transform;
mod upsample;

pub(crate) use colour::rgb_of_ycc;
pub(crate) use transform::{Block, transform_any};
pub(crate) use upsample::{Rounding, double_any};

use crate::decode::{DecodeError, require_worth};
use crate::picture::Picture;
use header::{Component, Frame, Marker, Reader};

/// A part of a picture, in pixels of the picture as it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// How many times smaller the picture is decoded: 1, 2, 4 or 8; its sides are rounded up.
    pub reduction: usize,
    /// The first row.
    pub top: usize,
    /// The first pixel of each row.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
}

/// Memory that is used again from picture to picture.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scratch {
    planes: Vec<Plane>,
    lines: upsample::Lines,
}

/// The samples of one component, in whole blocks.
#[derive(Debug, Clone, Default)]
struct Plane {
    samples: Vec<u8>,
    stride: usize,
    /// Coefficients of all blocks, for progressive files: they come in several scans.
    coefficients: Vec<Block>,
}

fn damaged(what: impl Into<String>) -> DecodeError {
    DecodeError::Damaged(what.into())
}

/// Rows and columns of a JPEG file's picture, from its header.
pub(crate) fn size(bytes: &[u8]) -> Result<[usize; 2], DecodeError> {
    let mut reader = Reader::new(bytes)?;
    loop {
        if let Marker::Frame(frame) = reader.next()? {
            return Ok([frame.height, frame.width]);
        }
    }
}

/// Decodes a JPEG file, or a part of it, to red, green and blue.
pub(crate) fn decode(
    bytes: &[u8],
    part: Option<Part>,
    out: &mut Picture,
    scratch: &mut Scratch,
) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes)?;
    let mut state: Option<(Frame, Part)> = None;
    let mut complete = 0u32;
    loop {
        match reader.next()? {
            Marker::Frame(mut frame) => {
                if state.is_some() {
                    return Err(damaged("two frames"));
                }
                require_bits(&frame, bytes.len())?;
                let reduction = part.map_or(1, |part| part.reduction);
                if [1, 2, 4, 8].contains(&reduction) {
                    frame.reduce(reduction);
                }
                let (height, width) = (frame.height, frame.width);
                let part = part.unwrap_or(Part { reduction, top: 0, left: 0, height, width });
                let ends = |first: usize, length: usize, size: usize| {
                    length > 0 && first.checked_add(length).is_some_and(|end| end <= size)
                };
                let inside = ends(part.top, part.height, height) && ends(part.left, part.width, width);
                if !inside || frame.reduction != reduction {
                    return Err(DecodeError::Part { part, height, width });
                }
                let whole = |component: &Component| {
                    (0..2).all(|side| frame.most[side] % component.sampling[side] == 0)
                };
                if !frame.components.iter().all(whole) {
                    return Err(DecodeError::Unsupported("a JPEG with fractions of samples a pixel"));
                }
                require_worth(height, width, memory(&frame) + 3 * part.height * part.width, bytes.len())?;
                allocate(&frame, &mut scratch.planes);
                state = Some((frame, part));
            }
            Marker::Scan(scan) => {
                let Some((frame, part)) = &state else { return Err(damaged("a scan before the frame")) };
                for component in &scan.components {
                    complete |= 1 << component.index;
                }
                let end = scan::decode(&reader, &scan, frame, part, &mut scratch.planes)?;
                reader.go_to(end);
                let all = complete.count_ones() as usize == frame.components.len();
                if all && !frame.progressive {
                    break;
                }
            }
            Marker::End => break,
        }
    }
    let Some((frame, part)) = state else { return Err(damaged("no frame")) };
    if complete.count_ones() as usize != frame.components.len() {
        return Err(damaged("a component without a scan"));
    }
    if frame.progressive {
        for (component, plane) in frame.components.iter().zip(&mut scratch.planes) {
            scan::transform_all(component, &part, plane, &reader)?;
        }
    }
    out.reset(part.height, part.width, 3);
    upsample::write_rows(&frame, &part, &scratch.planes, &mut scratch.lines, out);
    Ok(())
}

/// That the file can hold as many blocks as its header claims, so that memory is taken in proportion to the file: a
/// block takes two bits of a sequential file and one of a progressive one at least.
fn require_bits(frame: &Frame, length: usize) -> Result<(), DecodeError> {
    let blocks: usize = frame
        .components
        .iter()
        .map(|component| component.size.map(|size| size.div_ceil(8)).iter().product::<usize>())
        .sum();
    let least = if frame.progressive { blocks } else { 2 * blocks };
    match least.div_ceil(8) <= length {
        true => Ok(()),
        false => Err(damaged(format!(
            "{} x {} pixels (height, width) are more than its {length} bytes can hold",
            frame.height, frame.width
        ))),
    }
}

/// Bytes that [`allocate`] takes.
fn memory(frame: &Frame) -> usize {
    let of_component = |component: &Component| {
        let blocks = component.blocks[0] * component.blocks[1];
        let coefficients = if frame.progressive { size_of::<Block>() } else { 0 };
        blocks * (component.block * component.block + coefficients)
    };
    frame.components.iter().map(of_component).sum()
}

fn allocate(frame: &Frame, planes: &mut Vec<Plane>) {
    planes.resize_with(frame.components.len(), Plane::default);
    for (component, plane) in frame.components.iter().zip(planes) {
        let [rows, columns] = component.blocks;
        plane.stride = columns * component.block;
        plane.samples.resize(rows * component.block * plane.stride, 0);
        plane.coefficients.clear();
        if frame.progressive {
            plane.coefficients.resize(rows * columns, Block::default());
        }
    }
}
