//! A file's markers and their contents.

use crate::error::{Damage, JpegError, Unsupported};
use crate::huffman::Huffman;

/// The description of the image in a frame header.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) progressive: bool,
    pub(crate) components: Vec<Component>,
    /// The largest sampling factors: vertical, horizontal.
    pub(crate) most: [usize; 2],
    pub(crate) colours: Colours,
    /// The factor by which the transform reduces the image: 1, 2, 4 or 8.
    pub(crate) scale_denominator: usize,
}

impl Frame {
    /// Lets the transform reduce the image. A subsampled component is reduced less, if that saves its
    /// upsampling.
    pub(crate) fn scale(&mut self, denominator: usize) {
        self.scale_denominator = denominator;
        let (sides, most, least) = ([self.height, self.width], self.most, 8 / denominator);
        for component in &mut self.components {
            let sampling = component.sampling;
            let mut block = least;
            while block < 8
                && (0..2).all(|side| (most[side] * least).is_multiple_of(sampling[side] * block * 2))
            {
                block *= 2;
            }
            component.block = block;
            component.kept =
                [0, 1].map(|side| (sides[side] * sampling[side] * block).div_ceil(most[side] * 8));
            component.ratio = [0, 1].map(|side| most[side] * least / (sampling[side] * block));
        }
        (self.height, self.width) = (sides[0].div_ceil(denominator), sides[1].div_ceil(denominator));
    }
}

/// The meaning of the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    Grey,
    YCbCr,
    Rgb,
    /// Cyan, magenta, yellow, black.
    Cmyk,
    /// The first three of CMYK as YCbCr.
    Ycck,
}

#[derive(Debug, Clone)]
pub(crate) struct Component {
    id: u8,
    /// Sampling factors: vertical, horizontal.
    pub(crate) sampling: [usize; 2],
    pub(crate) quantisation: usize,
    /// Samples that belong to the image as stored: rows, columns.
    pub(crate) size: [usize; 2],
    /// Rows and columns of samples that the transform makes from a block.
    pub(crate) block: usize,
    /// Samples that belong to the image as decoded: rows, columns.
    pub(crate) kept: [usize; 2],
    /// Pixels covered by such a sample: rows, columns.
    pub(crate) ratio: [usize; 2],
    /// Blocks stored in interleaved scans: rows, columns.
    pub(crate) blocks: [usize; 2],
}

/// The contents of a scan.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub(crate) components: Vec<ScanComponent>,
    /// The first and the last coefficient.
    pub(crate) spectrum: [usize; 2],
    /// Low bits still missing before this scan (0: none were sent yet) and after it.
    pub(crate) approximation: [u32; 2],
    /// The offset of its bits.
    pub(crate) start: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct ScanComponent {
    pub(crate) index: usize,
    pub(crate) dc: usize,
    pub(crate) ac: usize,
}

/// A marker that the decoder acts on; tables are kept by the reader.
pub(crate) enum Marker {
    Frame(Frame),
    Scan(Scan),
    End,
}

/// Walks over a file's markers.
pub(crate) struct Reader<'a> {
    pub(crate) bytes: &'a [u8],
    /// The most pixels that an image may have.
    max_pixels: usize,
    at: usize,
    pub(crate) quantisation: [Option<[u16; 64]>; 4],
    pub(crate) dc: [Option<Huffman>; 4],
    pub(crate) ac: [Option<Huffman>; 4],
    /// Units between restart markers; 0: none.
    pub(crate) restart: usize,
    frame: Option<Vec<u8>>,
    jfif: bool,
    /// Adobe's colour transform code.
    adobe: Option<u8>,
}

/// The positions of a scan's coefficients in a block: the zigzag order (T.81, figure A.6).
pub(crate) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], max_pixels: usize) -> Result<Self, JpegError> {
        if !bytes.starts_with(&[0xff, 0xd8]) {
            return Err(JpegError::NotJpeg);
        }
        Ok(Self {
            bytes,
            max_pixels,
            at: 2,
            quantisation: [None; 4],
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            restart: 0,
            frame: None,
            jfif: false,
            adobe: None,
        })
    }

    pub(crate) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The next marker of interest.
    pub(crate) fn next(&mut self) -> Result<Marker, JpegError> {
        loop {
            let code = self.code()?;
            match code {
                0xd9 => return Ok(Marker::End),
                // restart markers left over by a scan, and one without a meaning
                0xd0..=0xd7 | 0x01 => continue,
                _ => {}
            }
            let body = self.body(code)?;
            match code {
                0xc0..=0xc2 => {
                    let frame = self.frame(code == 0xc2, body)?;
                    self.frame = Some(frame.components.iter().map(|component| component.id).collect());
                    return Ok(Marker::Frame(frame));
                }
                0xc4 => self.huffman_tables(body)?,
                0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                    return Err(JpegError::Unsupported(Unsupported::Process));
                }
                0xda => return self.scan(body).map(Marker::Scan),
                0xdb => self.quantisation_tables(body)?,
                0xdd if body.len() == 2 => self.restart = word(body, 0),
                0xe0 if body.starts_with(b"JFIF\0") => self.jfif = true,
                0xee if body.starts_with(b"Adobe") && body.len() >= 12 => self.adobe = Some(body[11]),
                _ => {}
            }
        }
    }

    /// The next marker's code, skipping any bytes before it.
    fn code(&mut self) -> Result<u8, JpegError> {
        while let Some(pair) = self.bytes.get(self.at..self.at + 2) {
            match pair {
                [0xff, 0x00] => self.at += 2,
                [0xff, 0xff] => self.at += 1,
                [0xff, code] => {
                    self.at += 2;
                    return Ok(*code);
                }
                _ => self.at += 1,
            }
        }
        Err(JpegError::Truncated { length: self.bytes.len() })
    }

    fn body(&mut self, code: u8) -> Result<&'a [u8], JpegError> {
        let cut = JpegError::Truncated { length: self.bytes.len() };
        let Some(length) = self.bytes.get(self.at..self.at + 2) else { return Err(cut) };
        let length = word(length, 0);
        if length < 2 {
            return Err(Damage::SegmentLength { code, length, offset: self.at }.into());
        }
        let body = self.bytes.get(self.at + 2..self.at + length).ok_or(cut)?;
        self.at += length;
        Ok(body)
    }

    fn frame(&self, progressive: bool, body: &[u8]) -> Result<Frame, JpegError> {
        let &[bits, _, _, _, _, count, ref list @ ..] = body else {
            return Err(Damage::FrameCut.into());
        };
        let (height, width) = (word(body, 1), word(body, 3));
        if bits != 8 {
            return Err(JpegError::Unsupported(Unsupported::Precision));
        }
        if height == 0 || width == 0 || height * width > self.max_pixels {
            return Err(JpegError::Size { height, width, max_pixels: self.max_pixels });
        }
        if ![1, 3, 4].contains(&count) || list.len() != 3 * usize::from(count) {
            return Err(Damage::Components { count, length: list.len() }.into());
        }
        let factors = |list: &[u8]| [usize::from(list[1] & 15), usize::from(list[1] >> 4)];
        let mut most = [1; 2];
        for component in list.chunks_exact(3) {
            let factors = factors(component);
            if factors.iter().any(|factor| !(1..=4).contains(factor)) || component[2] > 3 {
                return Err(Damage::Sampling { factors, table: component[2] }.into());
            }
            most = [most[0].max(factors[0]), most[1].max(factors[1])];
        }
        let single = count == 1;
        let components: Vec<Component> = list
            .chunks_exact(3)
            .map(|component| {
                // for a single component, the sampling factors have no effect
                let sampling = if single { most } else { factors(component) };
                let sides = [height, width];
                let size = [0, 1].map(|side| (sides[side] * sampling[side]).div_ceil(most[side]));
                let blocks = [0, 1].map(|side| {
                    if single {
                        size[side].div_ceil(8)
                    } else {
                        sides[side].div_ceil(8 * most[side]) * sampling[side]
                    }
                });
                let quantisation = usize::from(component[2]);
                let ratio = [0, 1].map(|side| most[side] / sampling[side]);
                Component {
                    id: component[0],
                    sampling,
                    quantisation,
                    size,
                    block: 8,
                    kept: size,
                    ratio,
                    blocks,
                }
            })
            .collect();
        let colours = match (count, self.adobe, self.jfif) {
            (1, ..) => Colours::Grey,
            (3, _, true) => Colours::YCbCr,
            (3, Some(0), _) => Colours::Rgb,
            (3, Some(_), _) => Colours::YCbCr,
            (3, None, _) if [0, 1, 2].map(|i| components[i].id) == *b"RGB" => Colours::Rgb,
            (3, ..) => Colours::YCbCr,
            (_, None | Some(0), _) => Colours::Cmyk,
            _ => Colours::Ycck,
        };
        Ok(Frame { height, width, progressive, components, most, colours, scale_denominator: 1 })
    }

    fn scan(&self, body: &[u8]) -> Result<Scan, JpegError> {
        let Some(ids) = &self.frame else { return Err(Damage::ScanBeforeFrame.into()) };
        let Some((&count, rest)) = body.split_first() else { return Err(Damage::ScanCut.into()) };
        let count = usize::from(count);
        if !(1..=4).contains(&count) || rest.len() != 2 * count + 3 {
            return Err(Damage::ScanComponents { count, length: rest.len() }.into());
        }
        let (list, rest) = rest.split_at(2 * count);
        let mut components: Vec<ScanComponent> = Vec::with_capacity(count);
        for pair in list.chunks_exact(2) {
            let index = ids.iter().position(|&id| id == pair[0]);
            let index = index.ok_or(Damage::UnknownComponent(pair[0]))?;
            if components.last().is_some_and(|last| last.index >= index) {
                return Err(Damage::ComponentOrder.into());
            }
            let (dc, ac) = (usize::from(pair[1] >> 4), usize::from(pair[1] & 15));
            if dc > 3 || ac > 3 {
                return Err(Damage::TableNumbers { dc, ac }.into());
            }
            components.push(ScanComponent { index, dc, ac });
        }
        let spectrum = [usize::from(rest[0]), usize::from(rest[1])];
        let approximation = [u32::from(rest[2] >> 4), u32::from(rest[2] & 15)];
        Ok(Scan { components, spectrum, approximation, start: self.at })
    }

    fn huffman_tables(&mut self, mut body: &[u8]) -> Result<(), JpegError> {
        while let Some((&[kind, ref counts @ ..], rest)) = body.split_first_chunk::<17>() {
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let counts: &[u8; 16] = counts;
            if kind & 0x0f > 3 || kind > 0x1f || total > 256 || total > rest.len() {
                return Err(Damage::HuffmanTable { kind, codes: total }.into());
            }
            let (symbols, rest) = rest.split_at(total);
            let table = Some(Huffman::new(counts, symbols)?);
            match kind >> 4 {
                0 => self.dc[usize::from(kind & 3)] = table,
                _ => self.ac[usize::from(kind & 3)] = table,
            }
            body = rest;
        }
        if body.is_empty() { Ok(()) } else { Err(Damage::HuffmanTableCut.into()) }
    }

    fn quantisation_tables(&mut self, mut body: &[u8]) -> Result<(), JpegError> {
        while let Some((&kind, rest)) = body.split_first() {
            let wide = kind >> 4 == 1;
            let length = if wide { 128 } else { 64 };
            if kind & 15 > 3 || kind >> 4 > 1 || rest.len() < length {
                return Err(Damage::QuantisationTable { kind, length: rest.len() }.into());
            }
            let mut table = [0; 64];
            for (at, &place) in ZIGZAG.iter().enumerate() {
                table[usize::from(place)] =
                    if wide { word(rest, 2 * at) as u16 } else { u16::from(rest[at]) };
            }
            self.quantisation[usize::from(kind & 3)] = Some(table);
            body = &rest[length..];
        }
        Ok(())
    }
}

fn word(bytes: &[u8], at: usize) -> usize {
    usize::from(bytes[at]) << 8 | usize::from(bytes[at + 1])
}
