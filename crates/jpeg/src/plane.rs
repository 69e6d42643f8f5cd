//! The samples of one component.

use crate::header::{Component, Frame};
use crate::transform::Block;

/// The samples of one component, in whole blocks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plane {
    pub(crate) samples: Vec<u8>,
    pub(crate) stride: usize,
    /// Coefficients of all blocks, for progressive files: they come in several scans.
    pub(crate) coefficients: Vec<Block>,
}

/// The number of bytes that [`allocate`] takes.
pub(crate) fn memory(frame: &Frame) -> usize {
    let of_component = |component: &Component| {
        let blocks = component.blocks[0] * component.blocks[1];
        let coefficients = if frame.progressive { size_of::<Block>() } else { 0 };
        blocks * (component.block * component.block + coefficients)
    };
    frame.components.iter().map(of_component).sum()
}

/// Gives each component of a frame its plane.
pub(crate) fn allocate(frame: &Frame, planes: &mut Vec<Plane>) {
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
