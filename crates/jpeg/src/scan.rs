//! Scans: the coefficients of blocks (T.81, annexes F and G).

use crate::bits::Bits;
use crate::error::{Damage, JpegError};
use crate::header::{Component, Frame, Reader, Scan, ZIGZAG};
use crate::huffman::Huffman;
use crate::plane::Plane;
use crate::region::DecodeRegion;
use crate::transform::{Block, Transform};

/// State carried from block to block.
#[derive(Default)]
struct State {
    /// The DC coefficient of each component's last block.
    last: [i32; 4],
    /// Number of blocks that end without further coefficients.
    ended: u32,
}

/// The blocks of a component that a region of the image needs: half-open ranges of rows and columns. They
/// include one more sample on each side for the upsampling.
fn needed(component: &Component, region: &DecodeRegion) -> [[usize; 2]; 2] {
    let side = |side: usize, first: usize, length: usize| {
        let (ratio, block) = (component.ratio[side], component.block);
        let begin = (first / ratio).saturating_sub(1) / block;
        let end = ((first + length).div_ceil(ratio) + 1).div_ceil(block);
        [begin, end.min(component.blocks[side])]
    };
    [side(0, region.top, region.height), side(1, region.left, region.width)]
}

/// Decodes a scan into `planes`; returns the offset behind it.
pub(crate) fn decode<'r>(
    reader: &'r Reader<'_>,
    scan: &Scan,
    frame: &Frame,
    region: &DecodeRegion,
    planes: &mut [Plane],
) -> Result<usize, JpegError> {
    let [low, high] = scan.spectrum;
    if frame.progressive {
        let dc_only = low == 0;
        if low > high || high > 63 || (dc_only && high != 0) || (!dc_only && scan.components.len() > 1) {
            return Err(Damage::Spectrum { first: low, last: high }.into());
        }
        if scan.approximation.iter().any(|&bits| bits > 13) {
            return Err(Damage::Approximation.into());
        }
    }
    // the units decoded in turn: their rows and columns, and the blocks of each component in one
    let single = scan.components.len() == 1;
    let first = &frame.components[scan.components[0].index];
    let [unit_rows, unit_columns] = if single {
        first.size.map(|size| size.div_ceil(8))
    } else {
        // the same for every component
        [0, 1].map(|side| first.blocks[side] / first.sampling[side])
    };
    let mut targets = Vec::with_capacity(4);
    for of_scan in &scan.components {
        let component = &frame.components[of_scan.index];
        let table = |tables: &'r [Option<Huffman>; 4], at: usize, wanted: bool| match (&tables[at], wanted) {
            (Some(table), _) => Ok(Some(table)),
            (None, false) => Ok(None),
            (None, true) => Err(JpegError::from(Damage::MissingHuffmanTable)),
        };
        let sequential = !frame.progressive;
        let dc = table(&reader.dc, of_scan.dc, sequential || (low == 0 && scan.approximation[0] == 0))?;
        let ac = table(&reader.ac, of_scan.ac, sequential || low > 0)?;
        let transform = sequential.then(|| transform(component, reader)).transpose()?;
        let factors = if single { [1, 1] } else { component.sampling };
        let needed = needed(component, region);
        targets.push(Target { index: of_scan.index, dc, ac, factors, needed, transform });
    }
    // a scan with all components of a sequential file may stop at the end of the region
    let last_row = if !frame.progressive && scan.components.len() == frame.components.len() {
        targets.iter().map(|target| target.needed[0][1].div_ceil(target.factors[0])).max().unwrap_or(0)
    } else {
        unit_rows
    };
    let mut bits = Bits::new(reader.bytes, scan.start);
    let mut state = State::default();
    let mut until_restart = reader.restart;
    for row in 0..unit_rows.min(last_row) {
        for column in 0..unit_columns {
            if reader.restart > 0 && until_restart == 0 {
                let start = restart(reader.bytes, bits.end())?;
                bits = Bits::new(reader.bytes, start);
                state = State::default();
                until_restart = reader.restart;
            }
            until_restart = until_restart.wrapping_sub(1);
            for target in &targets {
                let plane = &mut planes[target.index];
                let last = &mut state.last[target.index];
                for y in row * target.factors[0]..(row + 1) * target.factors[0] {
                    for x in column * target.factors[1]..(column + 1) * target.factors[1] {
                        if let Some(transform) = &target.transform {
                            target.sequential(&mut bits, last, transform, plane, [y, x])?;
                        } else {
                            let at = y * frame.components[target.index].blocks[1] + x;
                            let block = &mut plane.coefficients[at];
                            target.progressive(&mut bits, last, &mut state.ended, scan, block)?;
                        }
                    }
                }
            }
            if bits.overrun() {
                return Err(Damage::ScanEnd { unit: column, row, rows: unit_rows }.into());
            }
        }
    }
    Ok(bits.end())
}

/// The offset behind the next restart marker.
fn restart(bytes: &[u8], from: usize) -> Result<usize, JpegError> {
    let mut at = from;
    while let Some(pair) = bytes.get(at..at + 2) {
        match pair {
            [0xff, 0xd0..=0xd7] => return Ok(at + 2),
            [0xff, 0x00 | 0xff] => at += 1,
            [0xff, _] => break,
            _ => at += 1,
        }
    }
    Err(Damage::RestartMarker { offset: at }.into())
}

fn transform(component: &Component, reader: &Reader<'_>) -> Result<Transform, JpegError> {
    let table = reader.quantisation[component.quantisation];
    table.map(|table| Transform::new(table, component.block)).ok_or(Damage::MissingQuantisationTable.into())
}

/// Transforms the blocks of a progressive file that a region needs.
pub(crate) fn transform_all(
    component: &Component,
    region: &DecodeRegion,
    plane: &mut Plane,
    reader: &Reader<'_>,
) -> Result<(), JpegError> {
    let transform = transform(component, reader)?;
    let [rows, columns] = needed(component, region);
    for y in rows[0]..rows[1] {
        for x in columns[0]..columns[1] {
            let size = component.block;
            let block = &plane.coefficients[y * component.blocks[1] + x];
            let place = (y * plane.stride + x) * size;
            transform.write(block, 64, &mut plane.samples[place..], plane.stride);
        }
    }
    Ok(())
}

/// The tables and state for decoding one component's blocks in a scan.
struct Target<'r> {
    index: usize,
    dc: Option<&'r Huffman>,
    ac: Option<&'r Huffman>,
    factors: [usize; 2],
    needed: [[usize; 2]; 2],
    transform: Option<Transform>,
}

impl Target<'_> {
    fn dc(&self) -> Result<&Huffman, JpegError> {
        self.dc.ok_or(Damage::MissingHuffmanTable.into())
    }

    fn ac(&self) -> Result<&Huffman, JpegError> {
        self.ac.ok_or(Damage::MissingHuffmanTable.into())
    }

    /// A block of a sequential file; it is transformed if needed.
    #[inline(always)]
    fn sequential(
        &self,
        bits: &mut Bits<'_>,
        last: &mut i32,
        transform: &Transform,
        plane: &mut Plane,
        [y, x]: [usize; 2],
    ) -> Result<(), JpegError> {
        let ac = self.ac()?;
        let mut block = Block::default();
        block.0[0] = self.constant(bits, last)? as i16;
        let mut at = 1;
        while at < 64 {
            bits.refill();
            if let Some((value, zeros)) = ac.short_number(bits) {
                at += zeros;
                // past the last coefficient only in damaged files, which yield garbage until an invalid code
                block.0[usize::from(ZIGZAG[at.min(63)])] = value;
                at += 1;
                continue;
            }
            let symbol = ac.symbol(bits)?;
            let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if zeros < 15 {
                    break;
                }
                at += 16;
                continue;
            }
            at += zeros;
            block.0[usize::from(ZIGZAG[at.min(63)])] = bits.signed(size) as i16;
            at += 1;
        }
        let [rows, columns] = self.needed;
        if (rows[0]..rows[1]).contains(&y) && (columns[0]..columns[1]).contains(&x) {
            let place = (y * plane.stride + x) * transform.size;
            transform.write(&block, at, &mut plane.samples[place..], plane.stride);
        }
        Ok(())
    }

    /// The DC coefficient, which is coded as the difference from the last block's.
    #[inline(always)]
    fn constant(&self, bits: &mut Bits<'_>, last: &mut i32) -> Result<i32, JpegError> {
        bits.refill();
        let size = u32::from(self.dc()?.symbol(bits)?);
        if size > 15 {
            return Err(Damage::Coefficient.into());
        }
        *last = last.wrapping_add(bits.signed(size));
        Ok(*last)
    }

    fn progressive(
        &self,
        bits: &mut Bits<'_>,
        last: &mut i32,
        ended: &mut u32,
        scan: &Scan,
        block: &mut Block,
    ) -> Result<(), JpegError> {
        let ([low, high], [before, after]) = (scan.spectrum, scan.approximation);
        match (low, before) {
            (0, 0) => {
                block.0[0] = (self.constant(bits, last)? << after) as i16;
                Ok(())
            }
            (0, _) => {
                if bits.bit() {
                    block.0[0] |= 1 << after;
                }
                Ok(())
            }
            (_, 0) => first_of_ac(self.ac()?, bits, ended, [low, high], after, block),
            _ => refine_ac(self.ac()?, bits, ended, [low, high], after, block),
        }
    }
}

/// Number of blocks that end here, including this one: `2^size` plus the value of `size` further bits.
fn ended_blocks(bits: &mut Bits<'_>, size: u32) -> u32 {
    bits.refill();
    (1 << size) + bits.take(size)
}

fn first_of_ac(
    table: &Huffman,
    bits: &mut Bits<'_>,
    ended: &mut u32,
    [low, high]: [usize; 2],
    after: u32,
    block: &mut Block,
) -> Result<(), JpegError> {
    if *ended > 0 {
        *ended -= 1;
        return Ok(());
    }
    let mut at = low;
    while at <= high {
        bits.refill();
        let symbol = table.symbol(bits)?;
        let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if zeros < 15 {
                *ended = ended_blocks(bits, zeros as u32) - 1;
                break;
            }
            at += 16;
            continue;
        }
        at += zeros;
        block.0[usize::from(ZIGZAG[at.min(63)])] = (bits.signed(size) << after) as i16;
        at += 1;
    }
    Ok(())
}

fn refine_ac(
    table: &Huffman,
    bits: &mut Bits<'_>,
    ended: &mut u32,
    [low, high]: [usize; 2],
    after: u32,
    block: &mut Block,
) -> Result<(), JpegError> {
    let step = 1i16 << after;
    // one more bit of a non-zero coefficient
    let refine = |bits: &mut Bits<'_>, value: &mut i16| {
        if bits.bit() && *value & step == 0 {
            *value = value.wrapping_add(if *value > 0 { step } else { -step });
        }
    };
    let mut at = low;
    if *ended == 0 {
        while at <= high {
            bits.refill();
            let symbol = table.symbol(bits)?;
            let (mut zeros, size) = (i32::from(symbol >> 4), symbol & 15);
            let value = match size {
                0 if zeros < 15 => {
                    *ended = ended_blocks(bits, zeros as u32);
                    break;
                }
                0 => 0,
                _ if bits.bit() => step,
                _ => -step,
            };
            while at <= high {
                let place = &mut block.0[usize::from(ZIGZAG[at])];
                at += 1;
                if *place != 0 {
                    refine(bits, place);
                } else if zeros == 0 {
                    *place = value;
                    break;
                } else {
                    zeros -= 1;
                }
            }
        }
    }
    if *ended > 0 {
        for &place in &ZIGZAG[at..=high] {
            let place = &mut block.0[usize::from(place)];
            if *place != 0 {
                refine(bits, place);
            }
        }
        *ended -= 1;
    }
    Ok(())
}
