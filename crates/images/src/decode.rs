//! JPEG and PNG files to pixels.

use image::{DynamicImage, ImageFormat};

use crate::picture::Picture;

/// Why a picture does not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// The codec's own words.
    #[error("{0}")]
    Codec(String),
}

/// Decodes a JPEG or PNG file to RGB: grey is repeated, alpha is dropped, 16 bits are brought to 8.
///
/// # Errors
/// A file of another format, a cut and a damaged one.
pub fn decode(bytes: &[u8]) -> Result<Picture, DecodeError> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png)) => format,
        _ => return Err(DecodeError::Format),
    };
    if format == ImageFormat::Jpeg && !has_end(bytes) {
        return Err(DecodeError::Truncated { length: bytes.len() });
    }
    let picture: DynamicImage = image::load_from_memory_with_format(bytes, format)
        .map_err(|error| DecodeError::Codec(error.to_string()))?;
    let picture = picture.into_rgb8();
    let (width, height) = picture.dimensions();
    Ok(Picture { pixels: picture.into_raw(), height: height as usize, width: width as usize, channels: 3 })
}

/// Whether a JPEG's last scan is followed by the mark of the picture's end. Codecs fill up what is missing, and
/// neither mark can occur inside of a scan.
fn has_end(bytes: &[u8]) -> bool {
    let marks = |mark: u8| bytes.windows(2).rposition(move |pair| pair == [0xff, mark]);
    match (marks(0xda), marks(0xd9)) {
        (Some(scan), Some(end)) => end > scan,
        _ => false,
    }
}
