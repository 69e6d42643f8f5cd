//! Decodes JPEG, PNG, WebP, BMP and GIF files to the pixels of Pillow's `convert("RGB")`.

use std::io::Cursor;

use image::ImageDecoder;
use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, webp::WebPDecoder};
use png::{ColorType, Transformations};
use tks_jpeg::Limits;
pub use tks_jpeg::{DecodeRegion, Dimensions, JpegError};

use crate::format::{Format, other_by_content};
use crate::image::Image;

/// Why an image does not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It has no supported format, regardless of its name.
    #[error("neither a JPEG, PNG, WebP, BMP nor GIF image")]
    Format,
    /// It has a known but unsupported format.
    #[error("{0}, which is not read: convert it to JPEG or PNG")]
    OtherFormat(&'static str),
    /// It is empty.
    #[error("the file is empty (0 bytes)")]
    Empty,
    /// Its size in pixels is zero, or larger than a sample can be.
    #[error("{height} x {width} pixels (height, width); an image should have 1 to {MAX_PIXELS}")]
    Size {
        /// Rows.
        height: usize,
        /// Pixels of a row.
        width: usize,
    },
    /// It would take more memory than its length can justify: it is malicious or damaged.
    #[error(
        "{height} x {width} pixels (height, width) out of {length} bytes: damaged, or made to fill memory; if it is \
         to be trusted, save it smaller"
    )]
    Ratio {
        /// Rows.
        height: usize,
        /// Pixels of a row.
        width: usize,
        /// The file's length.
        length: usize,
    },
    /// Its end is missing: the rest would decode to an image that is grey below some row.
    #[error("the file is cut: its {length} bytes end before the image does")]
    Truncated {
        /// The number of bytes present.
        length: usize,
    },
    /// It is of an unsupported kind.
    #[error("{0}, which is not read: save it as a plain one")]
    Unsupported(&'static str),
    /// A JPEG that cannot be decoded.
    #[error(transparent)]
    Jpeg(JpegError),
    /// A codec's own message.
    #[error("{0}")]
    Codec(String),
}

impl From<JpegError> for DecodeError {
    /// Errors common to all formats use the same variants for a JPEG.
    fn from(error: JpegError) -> Self {
        match error {
            JpegError::Size { height, width, .. } => DecodeError::Size { height, width },
            JpegError::Memory { height, width, length } => DecodeError::Ratio { height, width, length },
            JpegError::Truncated { length } => DecodeError::Truncated { length },
            other => DecodeError::Jpeg(other),
        }
    }
}

/// Decodes images, reusing its memory from one to the next.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    jpeg: tks_jpeg::Decoder,
    /// Pixels with channels other than red, green, blue.
    buffer: Vec<u8>,
}

impl Decoder {
    /// Decodes a JPEG, PNG, WebP, BMP or GIF file to RGB; the format is recognised by the first bytes. Grey
    /// is repeated, palette colours are looked up, alpha is dropped, the upper 8 of 16 bits are kept, CMYK is
    /// converted, and only the first frame of an animation is used.
    ///
    /// A JPEG's pixels equal libjpeg-turbo's bit for bit. In a truncated or damaged file there is no way to
    /// know which pixels are right, so the whole file is an error.
    ///
    /// # Errors
    /// A file of another format, a truncated or damaged one, one of more than [`MAX_PIXELS`] pixels or far
    /// more memory than its length can justify, and kinds of JPEG that are not used for photographs
    /// (arithmetic coding, lossless, 12 bits).
    ///
    /// ```
    /// use tks_images::Image;
    /// use tks_images::decode::{DecodeError, Decoder};
    ///
    /// let error = Decoder::default().decode(b"II*\0", &mut Image::default());
    /// assert_eq!(error, Err(DecodeError::OtherFormat("a TIFF image")));
    /// ```
    pub fn decode(&mut self, bytes: &[u8], out: &mut Image) -> Result<(), DecodeError> {
        match format(bytes)? {
            Format::Jpeg => {
                let Dimensions { height, width } = self.jpeg.decode(bytes, &mut out.pixels)?;
                out.reset(height, width, 3);
                Ok(())
            }
            other => self.decode_whole(other, bytes, out),
        }
    }

    /// Decodes the region of a JPEG file that `choose` selects, given the image's height and width; this
    /// costs less than the whole image. For other formats, where a region costs as much as the whole, the
    /// whole image is decoded and `choose` is not called.
    ///
    /// Whole images at a half, a quarter or an eighth of the size equal libjpeg-turbo's (Pillow's
    /// `Image.draft`) bit for bit, and a region is the same part of them.
    ///
    /// # Errors
    /// Those of [`Decoder::decode`], and a region that is not within the image. Damage in parts that the
    /// region does not need may go unnoticed.
    ///
    /// ```no_run
    /// use tks_images::Image;
    /// use tks_images::decode::{DecodeRegion, Decoder, Dimensions};
    ///
    /// let file = std::fs::read("photograph.jpg")?;
    /// let mut image = Image::default();
    /// // a quarter of its height and width
    /// let all = |[height, width]: [usize; 2]| DecodeRegion::whole(Dimensions { height, width }, 4);
    /// Decoder::default().decode_region(&file, all, &mut image)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode_region(
        &mut self,
        bytes: &[u8],
        choose: impl FnOnce([usize; 2]) -> DecodeRegion,
        out: &mut Image,
    ) -> Result<(), DecodeError> {
        match format(bytes)? {
            Format::Jpeg => {
                let Dimensions { height, width } = self.jpeg.dimensions(bytes)?;
                let region = choose([height, width]);
                let Dimensions { height, width } = self.jpeg.decode_region(bytes, region, &mut out.pixels)?;
                out.reset(height, width, 3);
                Ok(())
            }
            other => self.decode_whole(other, bytes, out),
        }
    }

    fn decode_whole(&mut self, format: Format, bytes: &[u8], out: &mut Image) -> Result<(), DecodeError> {
        match format {
            Format::WebP => self.decode_by(webp(bytes)?, "WebP", bytes.len(), out),
            Format::Bmp => self.decode_by(bmp(bytes)?, "BMP", bytes.len(), out),
            Format::Gif => self.decode_by(gif(bytes)?, "GIF", bytes.len(), out),
            Format::Jpeg | Format::Png => self.decode_png(bytes, out),
        }
    }

    /// Decodes with the `image` crate.
    fn decode_by(
        &mut self,
        mut decoder: impl ImageDecoder,
        name: &str,
        length: usize,
        out: &mut Image,
    ) -> Result<(), DecodeError> {
        let [height, width] = size_of(&decoder);
        // the output, and the codec's work space: planes, a canvas, a buffer of all four channels
        let channels = usize::from(decoder.color_type().channel_count());
        require_worth(height, width, (channels + 3 + 4) * height * width, length)?;
        if decoder.color_type().bytes_per_pixel() as usize != channels {
            return Err(DecodeError::Unsupported("an image of more than 8 bits a channel"));
        }
        let codec = |error: image::ImageError| codec(name, &error);
        // a frame may be larger than the canvas it is placed on
        let mut limits = image::Limits::no_limits();
        limits.max_alloc = Some(LIMITS.max_memory(length) as u64);
        decoder.set_limits(limits).map_err(codec)?;
        out.reset(height, width, 3);
        if channels == 3 {
            return decoder.read_image(&mut out.pixels).map_err(codec);
        }
        self.buffer.resize(channels * height * width, 0);
        decoder.read_image(&mut self.buffer).map_err(codec)?;
        let pixels = out.pixels.as_chunks_mut::<3>().0.iter_mut();
        for (pixel, stored) in pixels.zip(self.buffer.chunks_exact(channels)) {
            *pixel = match *stored {
                [r, g, b, _] => [r, g, b],
                _ => [stored[0]; 3],
            };
        }
        Ok(())
    }

    fn decode_png(&mut self, bytes: &[u8], out: &mut Image) -> Result<(), DecodeError> {
        let codec = |error: png::DecodingError| codec("PNG", &error);
        let mut reader = png_reader(bytes)?;
        let [height, width] = png_size(&reader);
        let cannot_hold = DecodeError::Ratio { height, width, length: bytes.len() };
        // a header may claim any size: no more memory is allocated than the file's bytes can justify
        let raw = reader.info().raw_bytes();
        let size = reader.output_buffer_size().filter(|_| raw / DEFLATE_RATIO <= bytes.len());
        let size = size.ok_or(cannot_hold)?;
        let (colours, _) = reader.output_color_type();
        let between = if colours == ColorType::Rgb { 0 } else { size };
        require_worth(height, width, between + 3 * height * width, bytes.len())?;
        // the codec accepts such a palette and then panics
        if let Some(colours) = reader.info().palette.as_ref().filter(|colours| colours.len() % 3 != 0) {
            let bytes = colours.len();
            return Err(DecodeError::Codec(format!(
                "the PNG's palette is of {bytes} bytes: no whole number of colours"
            )));
        }
        out.reset(height, width, 3);
        if colours == ColorType::Rgb {
            reader.next_frame(&mut out.pixels).map_err(codec)?;
        } else {
            self.buffer.resize(size, 0);
            reader.next_frame(&mut self.buffer).map_err(codec)?;
        }
        // reads to the end, where truncation is detected
        reader.finish().map_err(codec)?;
        let pixels = out.pixels.as_chunks_mut::<3>().0.iter_mut();
        let stored = &self.buffer;
        match colours {
            ColorType::Grayscale => pixels.zip(stored).for_each(|(pixel, &grey)| *pixel = [grey; 3]),
            ColorType::GrayscaleAlpha => {
                pixels.zip(stored.as_chunks::<2>().0).for_each(|(pixel, &[grey, _])| *pixel = [grey; 3]);
            }
            ColorType::Rgba => {
                pixels.zip(stored.as_chunks::<4>().0).for_each(|(pixel, &[r, g, b, _])| *pixel = [r, g, b]);
            }
            // already in place; the codec expands palettes
            ColorType::Rgb | ColorType::Indexed => {}
        }
        Ok(())
    }
}

/// Height and width of an image file, from its header.
///
/// # Errors
/// As [`Decoder::decode`], as far as the header shows.
///
/// ```
/// let file = std::fs::read("tests/fixtures/images/china-rgb.png")?;
/// assert_eq!(tks_images::decode::dimensions(&file)?, [47, 53]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn dimensions(bytes: &[u8]) -> Result<[usize; 2], DecodeError> {
    Ok(match format(bytes)? {
        Format::Jpeg => {
            let Dimensions { height, width } = tks_jpeg::Decoder::default().dimensions(bytes)?;
            [height, width]
        }
        Format::Png => png_size(&png_reader(bytes)?),
        Format::WebP => size_of(&webp(bytes)?),
        Format::Bmp => size_of(&bmp(bytes)?),
        Format::Gif => size_of(&gif(bytes)?),
    })
}

/// Maximum number of bytes that one byte of a PNG's stream can expand to, given how Deflate codes
/// repetitions.
const DEFLATE_RATIO: usize = 1032;

/// The most pixels of an image, Pillow's limit: an image that claims more is damaged or unsuitable for
/// training.
pub const MAX_PIXELS: usize = LIMITS.max_pixels;

/// Limits on decoding, the same for all formats.
const LIMITS: Limits = Limits::DEFAULT;

/// Checks that an image has a size that a sample can have, and that its length justifies the memory for
/// decoding.
fn require_worth(height: usize, width: usize, memory: usize, length: usize) -> Result<(), DecodeError> {
    if height == 0 || width == 0 || height.saturating_mul(width) > MAX_PIXELS {
        return Err(DecodeError::Size { height, width });
    }
    if memory > LIMITS.max_memory(length) {
        return Err(DecodeError::Ratio { height, width, length });
    }
    Ok(())
}

fn format(bytes: &[u8]) -> Result<Format, DecodeError> {
    Format::by_content(bytes).ok_or_else(|| match other_by_content(bytes) {
        _ if bytes.is_empty() => DecodeError::Empty,
        Some(what) => DecodeError::OtherFormat(what),
        None => DecodeError::Format,
    })
}

fn codec(name: &str, error: &dyn std::error::Error) -> DecodeError {
    DecodeError::Codec(format!("the {name} does not decode: {error}"))
}

fn png_reader(bytes: &[u8]) -> Result<png::Reader<Cursor<&[u8]>>, DecodeError> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.read_info().map_err(|error| codec("PNG", &error))
}

fn png_size<R: std::io::BufRead + std::io::Seek>(reader: &png::Reader<R>) -> [usize; 2] {
    let (width, height) = reader.info().size();
    [height as usize, width as usize]
}

fn webp(bytes: &[u8]) -> Result<WebPDecoder<Cursor<&[u8]>>, DecodeError> {
    // the container states its length, but the codec reads whatever is present
    let stated = bytes
        .get(4..8)
        .map_or(0, |size| size.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte)));
    if stated.saturating_add(8) > bytes.len() {
        return Err(DecodeError::Truncated { length: bytes.len() });
    }
    WebPDecoder::new(Cursor::new(bytes)).map_err(|error| codec("WebP", &error))
}

fn bmp(bytes: &[u8]) -> Result<BmpDecoder<Cursor<&[u8]>>, DecodeError> {
    BmpDecoder::new(Cursor::new(bytes)).map_err(|error| codec("BMP", &error))
}

fn gif(bytes: &[u8]) -> Result<GifDecoder<Cursor<&[u8]>>, DecodeError> {
    GifDecoder::new(Cursor::new(bytes)).map_err(|error| codec("GIF", &error))
}

fn size_of(decoder: &impl ImageDecoder) -> [usize; 2] {
    let (width, height) = decoder.dimensions();
    [height as usize, width as usize]
}
