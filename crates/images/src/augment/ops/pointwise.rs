//! Pointwise operations, by a table of 256 entries where that is faster.

use crate::image::Image;

/// Changes each value by `change`, which is called once for each of the 256 levels.
pub(super) fn map(image: &mut Image, change: impl Fn(u8) -> u8) {
    let mut table = [0; 256];
    for (value, entry) in (0..=255).zip(&mut table) {
        *entry = change(value);
    }
    image.pixels.iter_mut().for_each(|value| *value = table[usize::from(*value)]);
}

/// How often each value occurs in a channel.
type Histogram = [u32; 256];

/// Changes each channel by the table that `table` makes from its histogram; leaves it unchanged if there is
/// no table.
fn map_channels(image: &mut Image, table: impl Fn(&Histogram) -> Option<[u8; 256]>) {
    let channels = image.channels;
    let mut histograms = [[0; 256]; 3];
    if let ([first, second, third], 3) = (&mut histograms, channels) {
        for &[r, g, b] in image.pixels.as_chunks::<3>().0 {
            first[usize::from(r)] += 1;
            second[usize::from(g)] += 1;
            third[usize::from(b)] += 1;
        }
    } else {
        image.pixels.iter().for_each(|&value| histograms[0][usize::from(value)] += 1);
    }
    for (channel, histogram) in histograms.iter().enumerate().take(channels) {
        if let Some(table) = table(histogram) {
            let values = image.pixels.iter_mut().skip(channel).step_by(channels);
            values.for_each(|value| *value = table[usize::from(*value)]);
        }
    }
}

/// Pillow's `ImageOps.autocontrast` with a cutoff of 0.
pub(super) fn auto_contrast(image: &mut Image) {
    map_channels(image, |histogram| {
        let low = histogram.iter().position(|&count| count > 0)?;
        let high = histogram.iter().rposition(|&count| count > 0)?;
        if high <= low {
            return None;
        }
        let scale = 255.0 / (high - low) as f64;
        let offset = -(low as f64) * scale;
        Some(std::array::from_fn(|value| (value as f64 * scale + offset) as u8))
    });
}

/// Pillow's `ImageOps.equalize`.
pub(super) fn equalize(image: &mut Image) {
    map_channels(image, |histogram| {
        let last = histogram.iter().rfind(|&&count| count > 0)?;
        let step = (histogram.iter().sum::<u32>() - last) / 255;
        if step == 0 {
            return None;
        }
        let mut below = step / 2;
        Some(histogram.map(|count| {
            let level = (below / step).min(255) as u8;
            below += count;
            level
        }))
    });
}
