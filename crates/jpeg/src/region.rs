//! The part of an image to decode.

/// Height and width of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dimensions {
    /// Rows.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
}

impl Dimensions {
    /// The dimensions at 1 / `denominator` of the size (1 or more), with both sides rounded up.
    pub fn scaled(self, denominator: usize) -> Self {
        Self { height: self.height.div_ceil(denominator), width: self.width.div_ceil(denominator) }
    }
}

/// The part of an image to decode, at full size or reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecodeRegion {
    /// The image is decoded at 1 / `scale_denominator` of its height and width, rounded up: 1, 2, 4 or 8. The
    /// other fields are in pixels of that reduced image.
    pub scale_denominator: usize,
    /// The first row.
    pub top: usize,
    /// The first pixel of each row.
    pub left: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// Pixels of a row, at least 1.
    pub width: usize,
}

impl DecodeRegion {
    /// All of an image whose full size is `dimensions`.
    ///
    /// ```
    /// use tks_jpeg::{DecodeRegion, Dimensions};
    ///
    /// let quarter = DecodeRegion::whole(Dimensions { height: 107, width: 160 }, 4);
    /// assert_eq!((quarter.height, quarter.width), (27, 40));
    /// ```
    pub fn whole(dimensions: Dimensions, scale_denominator: usize) -> Self {
        // an invalid scale is reported by the decoder
        let Dimensions { height, width } = dimensions.scaled(scale_denominator.max(1));
        Self { scale_denominator, top: 0, left: 0, height, width }
    }

    pub(crate) fn lies_in(&self, image: Dimensions) -> bool {
        let ends = |first: usize, length: usize, size: usize| {
            length > 0 && first.checked_add(length).is_some_and(|end| end <= size)
        };
        ends(self.top, self.height, image.height) && ends(self.left, self.width, image.width)
    }
}
