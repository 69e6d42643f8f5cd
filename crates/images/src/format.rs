//! Recognition of file formats by the first bytes, or by the name if only that is known.

/// The supported image formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    Png,
    WebP,
    Bmp,
    Gif,
}

/// The number of bytes at the start of a file that suffice to recognise it.
pub(crate) const HEAD: usize = 64;

/// File extensions of the supported formats.
const ENDINGS: [&str; 10] = ["jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "bmp", "dib", "gif"];

/// File extensions of unsupported image formats, with their names.
const OTHER_ENDINGS: [(&str, &str); 29] = [
    ("avif", "AVIF"),
    ("heic", "HEIC"),
    ("heif", "HEIC"),
    ("tif", "TIFF"),
    ("tiff", "TIFF"),
    ("svg", "SVG"),
    ("svgz", "SVG"),
    ("jp2", "JPEG 2000"),
    ("j2k", "JPEG 2000"),
    ("jpx", "JPEG 2000"),
    ("jxl", "JPEG XL"),
    ("ppm", "PNM"),
    ("pgm", "PNM"),
    ("pbm", "PNM"),
    ("pnm", "PNM"),
    ("psd", "Photoshop"),
    ("ico", "icon"),
    ("tga", "TGA"),
    ("pcx", "PCX"),
    ("exr", "OpenEXR"),
    ("hdr", "Radiance"),
    ("dng", "raw camera"),
    ("cr2", "raw camera"),
    ("nef", "raw camera"),
    ("arw", "raw camera"),
    ("ras", "Sun raster"),
    ("xbm", "X bitmap"),
    ("qoi", "QOI"),
    ("dcm", "DICOM"),
];

/// File extensions of other files commonly found beside images; such files are not opened.
const TEXT_ENDINGS: [&str; 10] = ["txt", "csv", "tsv", "json", "xml", "md", "yaml", "yml", "html", "mat"];

impl Format {
    /// The format by a file's first [`HEAD`] bytes.
    pub(crate) fn by_content(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            // two letters are weak evidence, so the length of the header after them is checked too
            [b'B', b'M', rest @ ..]
                if matches!(rest.get(12..16), Some([12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])) =>
            {
                Some(Self::Bmp)
            }
            _ => None,
        }
    }
}

/// The kind of a file that is not a supported image, by its first [`HEAD`] bytes.
pub(crate) fn other_by_content(bytes: &[u8]) -> Option<&'static str> {
    const MAGICS: [(usize, &[u8], &str); 31] = [
        (4, b"ftypavif", "an AVIF image"),
        (4, b"ftypavis", "an AVIF image"),
        (4, b"ftypheic", "a HEIC image"),
        (4, b"ftypheix", "a HEIC image"),
        (4, b"ftypmif1", "a HEIC or AVIF image"),
        (4, b"ftypmsf1", "a HEIC or AVIF image"),
        (4, b"ftyp", "a video"),
        (0, b"II*\0", "a TIFF image"),
        (0, b"MM\0*", "a TIFF image"),
        (0, b"II+\0", "a TIFF image"),
        (0, b"MM\0+", "a TIFF image"),
        (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
        (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
        (0, b"\xff\x0a", "a JPEG XL image"),
        (0, b"\0\0\0\x0cJXL ", "a JPEG XL image"),
        (0, b"8BPS", "a Photoshop image"),
        (0, b"\0\0\x01\0", "an icon"),
        (0, b"\x76\x2f\x31\x01", "an OpenEXR image"),
        (0, b"#?RADIANCE", "a Radiance image"),
        (0, b"qoif", "a QOI image"),
        (128, b"DICM", "a DICOM image"),
        (0, b"%PDF", "a PDF document"),
        (0, b"PK\x03\x04", "a zip archive"),
        (0, b"\x1f\x8b", "a gzip file"),
        (0, b"\xfd7zXZ", "an xz file"),
        (0, b"BZh", "a bzip2 file"),
        (0, b"7z\xbc\xaf", "a 7z archive"),
        (0, b"Rar!", "a rar archive"),
        (0, b"\x93NUMPY", "a NumPy array"),
        (0, b"\x89HDF", "an HDF5 file"),
        (0, b"MATLAB 5.0", "a MATLAB file"),
    ];
    let starts = |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(magic));
    if let Some((_, _, what)) = MAGICS.into_iter().find(|&(at, magic, _)| starts(at, magic)) {
        return Some(what);
    }
    if matches!(bytes, [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t', ..]) {
        return Some("a PNM image");
    }
    let text = bytes.trim_ascii_start().to_ascii_lowercase();
    let begins = |begin: &[u8]| text.starts_with(begin);
    if begins(b"<!doctype html") || begins(b"<html") {
        return Some("a web page");
    }
    (begins(b"<svg") || begins(b"<?xml")).then_some("an SVG image or another XML file")
}

/// What a file's name says about its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// An image in a supported format.
    Image,
    /// An image in this unsupported format.
    OtherImage(&'static str),
    /// Not an image.
    Text,
    /// Nothing.
    Unknown,
}

impl Ending {
    pub(crate) fn new(name: &str) -> Self {
        let file = name.rsplit('/').next().unwrap_or_default();
        let Some((_, ending)) = file.rsplit_once('.') else { return Self::Unknown };
        let is = |known: &&str| ending.eq_ignore_ascii_case(known);
        if ENDINGS.iter().any(&is) {
            return Self::Image;
        }
        if let Some((_, what)) = OTHER_ENDINGS.iter().find(|(known, _)| is(known)) {
            return Self::OtherImage(what);
        }
        if TEXT_ENDINGS.iter().any(is) { Self::Text } else { Self::Unknown }
    }
}

/// Whether a name has the extension of a supported image format.
pub(crate) fn is_image(name: &str) -> bool {
    Ending::new(name) == Ending::Image
}
