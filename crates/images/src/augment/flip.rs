//! Mirror images.

use crate::image::Image;

/// Mirrors left and right.
pub(super) fn horizontal(image: &mut Image) {
    let (stride, channels) = (image.stride().max(1), image.channels);
    for row in image.pixels.chunks_exact_mut(stride) {
        match channels {
            3 => row.as_chunks_mut::<3>().0.reverse(),
            _ => row.reverse(),
        }
    }
}

/// Mirrors top and bottom.
pub(super) fn vertical(image: &mut Image) {
    let (stride, height) = (image.stride(), image.height);
    for y in 0..height / 2 {
        let (above, below) = image.pixels.split_at_mut((height - 1 - y) * stride);
        above[y * stride..(y + 1) * stride].swap_with_slice(&mut below[..stride]);
    }
}
