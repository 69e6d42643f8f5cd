//! JPEG and PNG files to pixels, as Pillow's `convert("RGB")` gives them.

use std::io::Cursor;

use png::{ColorType, Transformations};

use crate::jpeg;
pub use crate::jpeg::Part;
use crate::picture::Picture;

/// Why a picture does not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It is neither JPEG nor PNG, whatever its name says.
    #[error("neither a JPEG nor a PNG file")]
    Format,
    /// Its end is missing: what there is would decode to a picture that is grey below some row.
    #[error("the file is cut: {length} bytes without a JPEG's end")]
    Truncated {
        /// The bytes that are there.
        length: usize,
    },
    /// It is of a kind that is not read.
    #[error("{0}, which is not read: save it as a plain one")]
    Unsupported(&'static str),
    /// A part that is not in the picture.
    #[error("no part {part:?} in a picture of {height} x {width} pixels (height, width)")]
    Part {
        /// What was asked for.
        part: Part,
        /// Rows of the picture at that reduction.
        height: usize,
        /// Pixels of a row.
        width: usize,
    },
    /// A JPEG that does not hold what it should.
    #[error("the JPEG is damaged: {0}")]
    Damaged(String),
    /// The PNG codec's own words.
    #[error("{0}")]
    Codec(String),
}

/// Decodes pictures, with memory that is used again from one to the next.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    jpeg: jpeg::Scratch,
    png: Vec<u8>,
}

impl Decoder {
    /// Decodes a JPEG or PNG file to RGB, told apart by their first bytes: grey is repeated, a palette's colours are
    /// looked up, alpha is dropped, of 16 bits the upper 8 are kept, and ink (CMYK) becomes light.
    ///
    /// A JPEG's pixels are libjpeg-turbo's to the bit. In a truncated or damaged file there is no saying which pixels
    /// are right, so that it is an error as a whole.
    ///
    /// # Errors
    /// A file of another format, a cut and a damaged one, and the kinds of JPEG that nobody uses for photographs
    /// (arithmetic coding, lossless, 12 bits).
    ///
    /// ```
    /// use tks_images::Picture;
    /// use tks_images::decode::{DecodeError, Decoder};
    ///
    /// let error = Decoder::default().decode(b"GIF89a", &mut Picture::default());
    /// assert_eq!(error, Err(DecodeError::Format));
    /// ```
    pub fn decode(&mut self, bytes: &[u8], out: &mut Picture) -> Result<(), DecodeError> {
        match Format::of(bytes)? {
            Format::Jpeg => {
                require_end(bytes)?;
                jpeg::decode(bytes, None, out, &mut self.jpeg)
            }
            Format::Png => self.decode_png(bytes, out),
        }
    }

    /// Decodes the part of a JPEG file that `choose` names by the picture's height and width, which costs less than
    /// all of it. Of a PNG file, whose parts cost as much as the whole, all is decoded, and `choose` is not asked.
    ///
    /// Whole pictures at a half, a quarter or an eighth are libjpeg-turbo's (Pillow's `Image.draft`) to the bit, and
    /// a part is that part of them.
    ///
    /// # Errors
    /// Those of [`Decoder::decode`], and a part that is not in the picture. Of what a part does not need, damage may
    /// go unseen.
    ///
    /// ```no_run
    /// use tks_images::Picture;
    /// use tks_images::decode::{Decoder, Part};
    ///
    /// let file = std::fs::read("photograph.jpg")?;
    /// let mut picture = Picture::default();
    /// // a quarter of its height and width
    /// let all = |[height, width]: [usize; 2]| Part {
    ///     reduction: 4,
    ///     top: 0,
    ///     left: 0,
    ///     height: height.div_ceil(4),
    ///     width: width.div_ceil(4),
    /// };
    /// Decoder::default().decode_part(&file, all, &mut picture)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode_part(
        &mut self,
        bytes: &[u8],
        choose: impl FnOnce([usize; 2]) -> Part,
        out: &mut Picture,
    ) -> Result<(), DecodeError> {
        match Format::of(bytes)? {
            Format::Jpeg => {
                require_end(bytes)?;
                let part = choose(jpeg::size(bytes)?);
                jpeg::decode(bytes, Some(part), out, &mut self.jpeg)
            }
            Format::Png => self.decode_png(bytes, out),
        }
    }

    fn decode_png(&mut self, bytes: &[u8], out: &mut Picture) -> Result<(), DecodeError> {
        let codec =
            |error: png::DecodingError| DecodeError::Codec(format!("the PNG does not decode: {error}"));
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
        let mut reader = decoder.read_info().map_err(codec)?;
        // a header may claim any size: memory is taken for no more than the file's bytes can hold
        let raw = reader.info().raw_bytes();
        let size = reader.output_buffer_size().filter(|_| raw / DEFLATE_RATIO <= bytes.len());
        let Some(size) = size else {
            let (width, height) = reader.info().size();
            return Err(DecodeError::Codec(format!(
                "the PNG claims {width} x {height} pixels, more than its {} bytes can hold",
                bytes.len()
            )));
        };
        // the codec takes such a palette and panics on it
        if let Some(colours) = reader.info().palette.as_ref().filter(|colours| colours.len() % 3 != 0) {
            let bytes = colours.len();
            return Err(DecodeError::Codec(format!(
                "the PNG's palette is of {bytes} bytes: no whole number of colours"
            )));
        }
        self.png.resize(size, 0);
        let info = reader.next_frame(&mut self.png).map_err(codec)?;
        // reads to the end, which is where a cut file shows
        reader.finish().map_err(codec)?;
        out.reset(info.height as usize, info.width as usize, 3);
        let pixels = out.pixels.as_chunks_mut::<3>().0.iter_mut();
        match info.color_type {
            ColorType::Grayscale => pixels.zip(&self.png).for_each(|(pixel, &grey)| *pixel = [grey; 3]),
            ColorType::GrayscaleAlpha => {
                pixels.zip(self.png.as_chunks::<2>().0).for_each(|(pixel, &[grey, _])| *pixel = [grey; 3]);
            }
            ColorType::Rgba => {
                pixels.zip(self.png.as_chunks::<4>().0).for_each(|(pixel, &[r, g, b, _])| *pixel = [r, g, b]);
            }
            ColorType::Rgb | ColorType::Indexed => {
                pixels.zip(self.png.as_chunks::<3>().0).for_each(|(pixel, colour)| *pixel = *colour);
            }
        }
        Ok(())
    }
}

/// Bytes that a byte of a PNG's stream can stand for at most, by how Deflate codes repetitions.
const DEFLATE_RATIO: usize = 1032;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Jpeg,
    Png,
}

impl Format {
    fn of(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Ok(Self::Jpeg),
            [0x89, b'P', b'N', b'G', ..] => Ok(Self::Png),
            _ => Err(DecodeError::Format),
        }
    }
}

/// That a JPEG's last scan is followed by the mark of the picture's end. Neither mark can occur inside of a scan.
fn require_end(bytes: &[u8]) -> Result<(), DecodeError> {
    let marks = |mark: u8| bytes.windows(2).rposition(move |pair| pair == [0xff, mark]);
    match (marks(0xda), marks(0xd9)) {
        (Some(scan), Some(end)) if end > scan => Ok(()),
        _ => Err(DecodeError::Truncated { length: bytes.len() }),
    }
}
