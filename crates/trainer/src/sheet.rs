//! A contact sheet of samples as seen by a network: one row per sample for recordings, a grid for images.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tks_data::{SampleContext, SampleSlot};

use crate::data::Samples;

/// Pixels between two images.
const GAP: usize = 2;

/// Minimum height of an image on the sheet; smaller ones are enlarged by an integer factor.
const LEAST_HEIGHT: usize = 64;

/// Number of images in a row, for samples without time.
const COLUMNS: usize = 8;

/// An image that shows samples, `[H, W, 3]` grey levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContactSheet {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl ContactSheet {
    /// `count` samples spread over the set (most sets are sorted by class), as in the first epoch of `seed`.
    ///
    /// # Errors
    /// A sample that cannot be read, or has no height and width.
    pub(crate) fn of_samples(samples: &Arc<Samples>, count: usize, seed: u64) -> Result<Self> {
        let shape = samples.shape();
        let &[channels, height, width] = shape.frame.as_slice() else {
            anyhow::bail!("samples of the shape {:?} cannot be drawn", shape.frame)
        };
        let count = count.min(samples.len());
        ensure!(count > 0, "there is nothing to show");
        let steps = shape.steps();
        let columns = if shape.time_steps.is_some() { steps } else { COLUMNS.min(count) };
        let scale = LEAST_HEIGHT.div_ceil(height).max(1);
        let (cell_width, cell_height) = (width * scale + GAP, height * scale + GAP);
        let rows = (count * steps).div_ceil(columns);
        let mut sheet = ContactSheet::white(columns * cell_width + GAP, rows * cell_height + GAP);
        let mut values = vec![0.0; shape.len()];
        for place in 0..count {
            let index = place * samples.len() / count;
            let mut context = SampleContext::new(seed, 0, index);
            samples
                .load(index, &mut context, SampleSlot::alone(&mut values, &shape))
                .map_err(anyhow::Error::from_boxed)
                .with_context(|| format!("cannot read the sample {}", samples.sample_name(index)))?;
            let range = Range::of(&values, channels);
            for (step, frame) in values.chunks(shape.frame_len()).enumerate() {
                let cell = place * steps + step;
                let corner = (GAP + cell % columns * cell_width, GAP + cell / columns * cell_height);
                for y in 0..height * scale {
                    for x in 0..width * scale {
                        let at = y / scale * width + x / scale;
                        let colour = range.colour(|channel| frame[channel * height * width + at], channels);
                        sheet.put(corner.0 + x, corner.1 + y, colour);
                    }
                }
            }
        }
        Ok(sheet)
    }

    fn white(width: usize, height: usize) -> Self {
        ContactSheet { width, height, pixels: vec![255; width * height * 3] }
    }

    fn put(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        let at = (y * self.width + x) * 3;
        self.pixels[at..at + 3].copy_from_slice(&colour);
    }

    /// Writes it as PNG, atomically.
    ///
    /// # Errors
    /// A full disk or a failed write.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut bytes = Vec::new();
        let mut encoder =
            png::Encoder::new(&mut bytes, u32::try_from(self.width)?, u32::try_from(self.height)?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&self.pixels)?;
        Ok(tks_data::whole_file::write(path, &bytes)?)
    }
}

/// The values of a sample that are shown as black and white: images are normalised, and event counts have no
/// upper bound.
struct Range {
    low: f32,
    high: f32,
}

impl Range {
    fn of(values: &[f32], channels: usize) -> Self {
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // A count of 0 events is black, whatever the minimum count is.
        let low = if channels == 2 { low.min(0.0) } else { low };
        Range { low, high }
    }

    /// Grey and colour unchanged; of two polarities, the first is blue and the second orange.
    fn colour(&self, value: impl Fn(usize) -> f32, channels: usize) -> [u8; 3] {
        let level = |channel: usize| {
            let share = (value(channel) - self.low) / (self.high - self.low).max(f32::MIN_POSITIVE);
            share.clamp(0.0, 1.0)
        };
        let byte = |share: f32| (share.clamp(0.0, 1.0) * 255.0).round() as u8;
        match channels {
            2 => {
                let (off, on) = (level(0), level(1));
                [byte(on), byte(0.5 * on + 0.4 * off), byte(off)]
            }
            3 => [byte(level(0)), byte(level(1)), byte(level(2))],
            _ => [byte(level(0)); 3],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::data::Data;

    #[test]
    fn recordings_have_a_row_each_and_something_is_seen() {
        let data = Data::open(&Config::default()).unwrap();
        let sheet = ContactSheet::of_samples(&data.test, 2, 1).unwrap();
        let scale = LEAST_HEIGHT.div_ceil(48);
        assert_eq!(
            (sheet.width, sheet.height),
            (10 * (48 * scale + GAP) + GAP, 2 * (48 * scale + GAP) + GAP)
        );
        assert!(
            sheet.pixels.chunks(3).any(|pixel| pixel[0] > 200 && pixel[2] < 50),
            "brighter events are orange"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        sheet.write(&path).unwrap();
        let mut reader =
            png::Decoder::new(std::io::Cursor::new(std::fs::read(&path).unwrap())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, sheet.pixels);
    }
}
