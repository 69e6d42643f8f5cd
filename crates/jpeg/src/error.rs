//! Why a file does not decode.

use crate::DecodeRegion;

/// Why a JPEG file does not decode. A file with an error gives no pixels: in a truncated or damaged file
/// there is no way to know which of them are right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JpegError {
    /// The file does not begin with a JPEG marker.
    #[error("not a JPEG image: the file does not begin with the bytes FF D8")]
    NotJpeg,
    /// The image has no pixels, or more than [`Limits::max_pixels`](crate::Limits::max_pixels).
    #[error("{height} x {width} pixels (height, width); an image should have 1 to {max_pixels}")]
    Size {
        /// Rows.
        height: usize,
        /// Pixels of a row.
        width: usize,
        /// The most pixels that the decoder accepts.
        max_pixels: usize,
    },
    /// Decoding would take more memory than [`Limits`](crate::Limits) allows for a file of this length.
    #[error(
        "{height} x {width} pixels (height, width) out of {length} bytes: damaged, or made to fill memory; if it is \
         to be trusted, save it smaller"
    )]
    Memory {
        /// Rows of the image as decoded.
        height: usize,
        /// Pixels of a row.
        width: usize,
        /// Bytes of the file.
        length: usize,
    },
    /// The end of the file is missing.
    #[error("the file is cut: its {length} bytes end before the image does")]
    Truncated {
        /// Bytes present.
        length: usize,
    },
    /// The file is a JPEG of an unsupported kind.
    #[error("{0}, which is not read: save it as a plain one")]
    Unsupported(Unsupported),
    /// The region does not lie within the image.
    #[error("no region {region:?} in an image of {height} x {width} pixels (height, width)")]
    Region {
        /// The region requested.
        region: DecodeRegion,
        /// Rows of the image at that scale.
        height: usize,
        /// Pixels of a row.
        width: usize,
    },
    /// The scale is not one of those that the transform supports.
    #[error("a scale denominator of {0}; use 1, 2, 4 or 8")]
    ScaleDenominator(usize),
    /// The file's contents are damaged.
    #[error("the JPEG is damaged: {0}")]
    Damaged(#[from] Damage),
}

/// Unsupported kinds of JPEG files. Hardly any photographs are among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// A coding process other than baseline, extended sequential or progressive with Huffman coding.
    #[error("a lossless, hierarchical or arithmetically coded JPEG")]
    Process,
    /// Samples of more than 8 bits.
    #[error("a JPEG of more than 8 bits a sample")]
    Precision,
    /// Components whose sampling factors do not divide the largest ones.
    #[error("a JPEG with fractions of samples a pixel")]
    FractionalSampling,
}

/// What is damaged in a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The header claims more blocks than the file has bits for.
    #[error("{height} x {width} pixels (height, width) are more than its {length} bytes can hold")]
    TooShortForSize {
        /// Rows.
        height: usize,
        /// Pixels of a row.
        width: usize,
        /// Bytes of the file.
        length: usize,
    },
    /// A marker segment that is shorter than its own length field.
    #[error("marker {code:#x} of length {length} at byte {offset}")]
    SegmentLength {
        /// The marker's code.
        code: u8,
        /// The stated length.
        length: usize,
        /// Its offset in the file.
        offset: usize,
    },
    /// No frame header.
    #[error("no frame")]
    NoFrame,
    /// More than one frame header.
    #[error("two frames")]
    SecondFrame,
    /// A frame header that ends too early.
    #[error("a frame cut short")]
    FrameCut,
    /// A frame of 0, 2 or more than 4 components, or whose length does not match their number.
    #[error("{count} components in {length} bytes")]
    Components {
        /// The number of components.
        count: u8,
        /// Bytes of their description.
        length: usize,
    },
    /// A component's sampling factors are not 1 to 4, or its quantisation table is not 0 to 3.
    #[error("sampling factors {factors:?}, table {table}")]
    Sampling {
        /// Vertical, horizontal.
        factors: [usize; 2],
        /// The number of its quantisation table.
        table: u8,
    },
    /// A component without a scan.
    #[error("a component without a scan")]
    MissingScan,
    /// A scan before the frame header.
    #[error("a scan before the frame")]
    ScanBeforeFrame,
    /// A scan header that ends too early.
    #[error("a scan cut short")]
    ScanCut,
    /// A scan of 0 or more than 4 components, or whose length does not match their number.
    #[error("a scan of {count} components in {length} bytes")]
    ScanComponents {
        /// The number of components.
        count: usize,
        /// Bytes of their description.
        length: usize,
    },
    /// A scan of a component that the frame does not have.
    #[error("a scan of component {0}")]
    UnknownComponent(u8),
    /// A scan whose components are not in the frame's order.
    #[error("a scan's components out of order")]
    ComponentOrder,
    /// A scan with an invalid range of coefficients.
    #[error("a scan of coefficients {first} to {last}")]
    Spectrum {
        /// The first coefficient.
        first: usize,
        /// The last.
        last: usize,
    },
    /// A scan that omits more bits than a coefficient has.
    #[error("a scan of too many bits")]
    Approximation,
    /// Huffman table numbers that are not 0 to 3.
    #[error("Huffman tables {dc} and {ac}")]
    TableNumbers {
        /// The table of the DC coefficients.
        dc: usize,
        /// The table of the AC coefficients.
        ac: usize,
    },
    /// A Huffman table of an invalid class or number, or with more codes than its segment holds.
    #[error("Huffman table {kind:#x} of {codes} codes")]
    HuffmanTable {
        /// The table's class and number.
        kind: u8,
        /// The number of its codes.
        codes: usize,
    },
    /// A Huffman table that ends too early.
    #[error("a Huffman table cut short")]
    HuffmanTableCut,
    /// A Huffman table with more codes of one length than can exist.
    #[error("a Huffman code with more codes than bits allow")]
    TooManyCodes,
    /// A scan without its Huffman table.
    #[error("a scan without its Huffman table")]
    MissingHuffmanTable,
    /// Bits that are not a code of the Huffman table.
    #[error("no such Huffman code")]
    HuffmanCode,
    /// A quantisation table of an invalid precision or number, or that ends too early.
    #[error("quantisation table {kind:#x} in {length} bytes")]
    QuantisationTable {
        /// The table's precision and number.
        kind: u8,
        /// Bytes present.
        length: usize,
    },
    /// A component without its quantisation table.
    #[error("no quantisation table")]
    MissingQuantisationTable,
    /// A coefficient of more than 15 bits.
    #[error("a coefficient of more than 15 bits")]
    Coefficient,
    /// A scan's bits end before its blocks do.
    #[error("its bits end in unit {unit} of row {row}, of {rows} rows")]
    ScanEnd {
        /// The unit of blocks that is incomplete.
        unit: usize,
        /// The row of units it is in.
        row: usize,
        /// The expected number of rows.
        rows: usize,
    },
    /// A restart marker is missing.
    #[error("no restart marker at byte {offset}")]
    RestartMarker {
        /// The offset at which it was expected.
        offset: usize,
    },
}
