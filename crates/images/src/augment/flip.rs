//! Mirror images.

use crate::picture::Picture;

/// Left becomes right.
pub(super) fn horizontal(picture: &mut Picture) {
    let (stride, channels) = (picture.stride().max(1), picture.channels);
    for row in picture.pixels.chunks_exact_mut(stride) {
        match channels {
            3 => row.as_chunks_mut::<3>().0.reverse(),
            _ => row.reverse(),
        }
    }
}

/// Top becomes bottom.
pub(super) fn vertical(picture: &mut Picture) {
    let (stride, height) = (picture.stride(), picture.height);
    for y in 0..height / 2 {
        let (above, below) = picture.pixels.split_at_mut((height - 1 - y) * stride);
        above[y * stride..(y + 1) * stride].swap_with_slice(&mut below[..stride]);
    }
}
