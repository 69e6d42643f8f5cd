//! Decoding a file from its first marker to its pixels.

use crate::error::{Damage, JpegError, Unsupported};
use crate::header::{Component, Frame, Marker, Reader};
use crate::limits::Limits;
use crate::plane::{Plane, allocate, memory};
use crate::region::{DecodeRegion, Dimensions};
use crate::{scan, upsample};

/// Decodes JPEG files. It reuses its memory from one image to the next, so use one decoder for many files,
/// and one per thread.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    limits: Limits,
    planes: Vec<Plane>,
    lines: upsample::Lines,
}

impl Decoder {
    /// A decoder with the given limits instead of the defaults.
    pub fn with_limits(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Height and width of a file's image, read from its header only.
    ///
    /// # Errors
    /// Returns an error if the header shows that the file is not a JPEG or is of an unsupported kind.
    pub fn dimensions(&self, file: &[u8]) -> Result<Dimensions, JpegError> {
        let mut reader = Reader::new(file, self.limits.max_pixels)?;
        loop {
            if let Marker::Frame(frame) = reader.next()? {
                return Ok(Dimensions { height: frame.height, width: frame.width });
            }
        }
    }

    /// Decodes a whole file to 8-bit RGB. `pixels` becomes `[H, W, 3]`: red, green and blue of each pixel in
    /// turn, row by row from the top, 0 to 255. Grey is repeated, and CMYK is converted by Pillow's rule.
    ///
    /// The pixels equal libjpeg-turbo's bit for bit.
    ///
    /// # Errors
    /// Returns an error if the file is truncated, damaged, of an unsupported kind, or exceeds the [`Limits`];
    /// `pixels` is then left unchanged.
    pub fn decode(&mut self, file: &[u8], pixels: &mut Vec<u8>) -> Result<Dimensions, JpegError> {
        self.run(file, None, pixels)
    }

    /// Decodes a region of a file, with the same pixels as [`Decoder::decode`] but in less time: only the
    /// blocks that the region needs are transformed, and in a sequential file nothing below its last row is
    /// read.
    ///
    /// Images at a half, a quarter or an eighth of the size equal libjpeg-turbo's (`scale_denom`, Pillow's
    /// `Image.draft`) bit for bit, and a region equals that part of the whole image at the same scale.
    ///
    /// # Errors
    /// Returns the errors of [`Decoder::decode`], and an error if the region does not lie within the image or
    /// its scale is not 1, 2, 4 or 8. Damage in parts that the region does not need may go unnoticed.
    pub fn decode_region(
        &mut self,
        file: &[u8],
        region: DecodeRegion,
        pixels: &mut Vec<u8>,
    ) -> Result<Dimensions, JpegError> {
        self.run(file, Some(region), pixels)
    }

    fn run(
        &mut self,
        file: &[u8],
        region: Option<DecodeRegion>,
        pixels: &mut Vec<u8>,
    ) -> Result<Dimensions, JpegError> {
        let mut reader = Reader::new(file, self.limits.max_pixels)?;
        require_end(file)?;
        let mut state: Option<(Frame, DecodeRegion)> = None;
        let mut complete = 0u32;
        loop {
            match reader.next()? {
                Marker::Frame(_) if state.is_some() => return Err(Damage::SecondFrame.into()),
                Marker::Frame(frame) => state = Some(self.start(file, frame, region)?),
                Marker::Scan(scan) => {
                    let Some((frame, region)) = &state else { return Err(Damage::ScanBeforeFrame.into()) };
                    for component in &scan.components {
                        complete |= 1 << component.index;
                    }
                    let end = scan::decode(&reader, &scan, frame, region, &mut self.planes)?;
                    reader.go_to(end);
                    let all = complete.count_ones() as usize == frame.components.len();
                    if all && !frame.progressive {
                        break;
                    }
                }
                Marker::End => break,
            }
        }
        let Some((frame, region)) = state else { return Err(Damage::NoFrame.into()) };
        if complete.count_ones() as usize != frame.components.len() {
            return Err(Damage::MissingScan.into());
        }
        if frame.progressive {
            for (component, plane) in frame.components.iter().zip(&mut self.planes) {
                scan::transform_all(component, &region, plane, &reader)?;
            }
        }
        pixels.resize(3 * region.height * region.width, 0);
        upsample::write_rows(&frame, &region, &self.planes, &mut self.lines, pixels);
        Ok(Dimensions { height: region.height, width: region.width })
    }

    /// Checks the frame header, applies the scale and allocates memory; returns the region to decode.
    fn start(
        &mut self,
        file: &[u8],
        mut frame: Frame,
        region: Option<DecodeRegion>,
    ) -> Result<(Frame, DecodeRegion), JpegError> {
        require_bits(&frame, file.len())?;
        let denominator = region.map_or(1, |region| region.scale_denominator);
        if ![1, 2, 4, 8].contains(&denominator) {
            return Err(JpegError::ScaleDenominator(denominator));
        }
        frame.scale(denominator);
        let (height, width) = (frame.height, frame.width);
        let whole = DecodeRegion { scale_denominator: denominator, top: 0, left: 0, height, width };
        let region = region.unwrap_or(whole);
        if !region.lies_in(Dimensions { height, width }) {
            return Err(JpegError::Region { region, height, width });
        }
        let divides = |component: &Component| {
            (0..2).all(|side| frame.most[side].is_multiple_of(component.sampling[side]))
        };
        if !frame.components.iter().all(divides) {
            return Err(JpegError::Unsupported(Unsupported::FractionalSampling));
        }
        let memory = memory(&frame) + 3 * region.height * region.width;
        self.limits.require([height, width], memory, file.len())?;
        allocate(&frame, &mut self.planes);
        Ok((frame, region))
    }
}

/// Checks that the last scan is followed by the end-of-image marker. Neither marker can occur within a scan.
fn require_end(file: &[u8]) -> Result<(), JpegError> {
    let marks = |mark: u8| file.windows(2).rposition(move |pair| pair == [0xff, mark]);
    match (marks(0xda), marks(0xd9)) {
        (Some(scan), Some(end)) if end > scan => Ok(()),
        _ => Err(JpegError::Truncated { length: file.len() }),
    }
}

/// Checks that the file can hold as many blocks as its header claims, so that memory is allocated in
/// proportion to the file: a block takes at least two bits in a sequential file and one in a progressive
/// file.
fn require_bits(frame: &Frame, length: usize) -> Result<(), JpegError> {
    let blocks: usize = frame
        .components
        .iter()
        .map(|component| component.size.map(|size| size.div_ceil(8)).iter().product::<usize>())
        .sum();
    let least = if frame.progressive { blocks } else { 2 * blocks };
    if least.div_ceil(8) > length {
        let (height, width) = (frame.height, frame.width);
        return Err(Damage::TooShortForSize { height, width, length }.into());
    }
    Ok(())
}
