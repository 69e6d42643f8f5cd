//! An image in memory.

/// An image with 8-bit channels. Its memory can be reused for the next image: see [`Image::reset`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// The channels of each pixel in turn, row by row: `[H, W, C]`, 0 to 255.
    pub pixels: Vec<u8>,
    /// Rows, `H`.
    pub height: usize,
    /// Pixels of a row, `W`.
    pub width: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
}

/// The Rec. 601 grey level of red, green and blue, rounded as in Pillow's conversion to grey.
#[inline(always)]
pub(crate) fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

impl Image {
    /// A black image.
    pub fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { pixels: vec![0; height * width * channels], height, width, channels }
    }

    /// Changes the size of the image. Its pixels still hold old values: write every one.
    pub fn reset(&mut self, height: usize, width: usize, channels: usize) {
        self.pixels.resize(height * width * channels, 0);
        (self.height, self.width, self.channels) = (height, width, channels);
    }

    /// Bytes of a row.
    pub fn stride(&self) -> usize {
        self.width * self.channels
    }

    /// The pixels of row `y`, `[W, C]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, y: usize) -> &[u8] {
        let stride = self.stride();
        &self.pixels[y * stride..(y + 1) * stride]
    }

    /// Copies the part of `height` x `width` pixels starting at row `top` and column `left` to `out`.
    ///
    /// # Panics
    /// If the part extends beyond the image.
    pub fn crop(&self, top: usize, left: usize, height: usize, width: usize, out: &mut Image) {
        assert!(left + width <= self.width && top + height <= self.height, "a part beyond the image");
        out.reset(height, width, self.channels);
        let (stride, place) = (out.stride(), left * self.channels);
        for (y, row) in out.pixels.chunks_exact_mut(stride.max(1)).enumerate() {
            row.copy_from_slice(&self.row(top + y)[place..place + stride]);
        }
    }

    /// Reads the pixels from planes `[C, H, W]`, as in [`ImageBytes::Planar`](crate::ImageBytes::Planar).
    ///
    /// # Panics
    /// If `planes` does not have `channels * height * width` bytes.
    pub fn copy_planes(&mut self, planes: &[u8], channels: usize, height: usize, width: usize) {
        assert_eq!(planes.len(), channels * height * width, "bytes of the planes");
        self.reset(height, width, channels);
        let area = height * width;
        match channels {
            1 => self.pixels.copy_from_slice(planes),
            3 => {
                let (red, rest) = planes.split_at(area);
                let (green, blue) = rest.split_at(area);
                let places = self.pixels.as_chunks_mut::<3>().0.iter_mut();
                for (((place, &r), &g), &b) in places.zip(red).zip(green).zip(blue) {
                    *place = [r, g, b];
                }
            }
            _ => {
                for (channel, plane) in planes.chunks_exact(area.max(1)).enumerate() {
                    for (pixel, &value) in self.pixels.chunks_exact_mut(channels).zip(plane) {
                        pixel[channel] = value;
                    }
                }
            }
        }
    }

    /// Converts the image to 1 channel (grey) or 3 channels: grey is repeated, and colour becomes Rec. 601
    /// luma, rounded as in Pillow's `convert("L")`.
    pub fn set_channels(&mut self, channels: usize) {
        match (self.channels, channels) {
            (1, 3) => {
                let area = self.pixels.len();
                self.pixels.resize(3 * area, 0);
                for at in (0..area).rev() {
                    let grey = self.pixels[at];
                    self.pixels[3 * at..3 * at + 3].fill(grey);
                }
            }
            (3, 1) => {
                let area = self.height * self.width;
                for at in 0..area {
                    let [r, g, b] = [0, 1, 2].map(|channel| self.pixels[3 * at + channel]);
                    self.pixels[at] = luma([r, g, b]);
                }
                self.pixels.truncate(area);
            }
            (from, to) => assert!(from == to, "from {from} to {to} channels"),
        }
        self.channels = channels;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_pixels() {
        let mut image = Image::default();
        image.copy_planes(&[1, 2, 3, 4, 5, 6], 3, 1, 2);
        assert_eq!(image, Image { pixels: vec![1, 3, 5, 2, 4, 6], height: 1, width: 2, channels: 3 });
        image.copy_planes(&[9, 8], 1, 2, 1);
        assert_eq!(image, Image { pixels: vec![9, 8], height: 2, width: 1, channels: 1 });
        image.copy_planes(&[1, 2, 3, 4], 2, 1, 2);
        assert_eq!(image.pixels, [1, 3, 2, 4]);
    }

    #[test]
    fn grey_and_back() {
        let mut image = Image { pixels: vec![0, 128, 255], height: 1, width: 3, channels: 1 };
        image.set_channels(3);
        assert_eq!(image.pixels, [0, 0, 0, 128, 128, 128, 255, 255, 255]);
        image.set_channels(1);
        assert_eq!(image.pixels, [0, 128, 255]);
        // Pillow 12: Image.new("RGB", (1, 1), (200, 30, 90)).convert("L") is 88
        let mut colour = Image { pixels: vec![200, 30, 90], height: 1, width: 1, channels: 3 };
        colour.set_channels(1);
        assert_eq!(colour.pixels, [88]);
    }
}
