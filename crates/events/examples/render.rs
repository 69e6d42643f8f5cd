//! Renders a recording as an animated GIF, and as a PNG strip with its frames side by side.
//!
//! ```text
//! cargo run --release -p tks-events --example render -- RECORDING OUTPUT [FRAMES]
//! ```
//!
//! writes `OUTPUT.gif` and `OUTPUT.png`. ON events (brighter) are orange, OFF events (darker) blue; more
//! events are lighter.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ndarray::{Array4, ArrayView3, s};
use tks_events::formats::{self, ReadOptions};
use tks_events::represent::Representation;
use tks_events::slicing::Slicing;

/// Number of shades of one polarity; together with those of the other, they make up the 256 colours of a GIF.
const SHADES: usize = 16;
/// Number of frames in a row of the strip.
const ROW: usize = 10;
/// Number of pixels between two frames of the strip.
const GAP: usize = 4;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (input, output, frames) = match arguments.as_slice() {
        [input, output] => (input, output, 10),
        [input, output, frames] => match frames.parse() {
            Ok(frames) => (input, output, frames),
            Err(_) => return usage(),
        },
        _ => return usage(),
    };
    match render(Path::new(input), output, frames) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("render: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: render RECORDING OUTPUT [FRAMES]\nwrites OUTPUT.gif and OUTPUT.png");
    ExitCode::from(2)
}

fn render(input: &Path, output: &str, frames: usize) -> Result<(), Box<dyn Error>> {
    let mut stream = formats::read(input, &ReadOptions::default())?.stream;
    stream.sort();
    let sensor = stream.sensor();
    let counts = Representation::default().to_array(&stream.events(), &Slicing::time_bins(frames))?;
    let images = Images::new(&counts);
    let gif = PathBuf::from(format!("{output}.gif"));
    let png = PathBuf::from(format!("{output}.png"));
    images.write_gif(&gif, stream.duration_us())?;
    images.write_strip(&png)?;
    println!(
        "{}: {} events in {:.1} ms on {} x {} pixels; {frames} frames in {} and {}",
        input.display(),
        stream.len(),
        stream.duration_us() as f64 / 1000.0,
        sensor.width,
        sensor.height,
        gif.display(),
        png.display()
    );
    Ok(())
}

/// Frames as palette indices, enlarged to make pixels visible.
struct Images {
    frames: Vec<Vec<u8>>,
    width: usize,
    height: usize,
}

impl Images {
    fn new(counts: &Array4<f32>) -> Self {
        let (_, _, height, width) = counts.dim();
        let scale = (320 / width.max(height)).max(1);
        // A few hot pixels must not darken the rest.
        let mut some: Vec<f32> = counts.iter().copied().filter(|&count| count > 0.0).collect();
        some.sort_by(f32::total_cmp);
        let bright = some.get(some.len() * 98 / 100).copied().unwrap_or(1.0);
        let shade = |count: f32| {
            let shade = (count / bright * (SHADES - 1) as f32).ceil();
            shade.min((SHADES - 1) as f32) as u8
        };
        let image = |frame: ArrayView3<f32>| {
            let size = width * scale * height * scale;
            (0..size)
                .map(|i| {
                    let (x, y) = (i % (width * scale) / scale, i / (width * scale) / scale);
                    shade(frame[[1, y, x]]) * SHADES as u8 + shade(frame[[0, y, x]])
                })
                .collect()
        };
        Images {
            frames: counts.outer_iter().map(image).collect(),
            width: width * scale,
            height: height * scale,
        }
    }

    /// Red, green and blue of every pair of shades: orange for ON events, blue for OFF events.
    fn palette() -> Vec<u8> {
        (0..SHADES * SHADES)
            .flat_map(|i| {
                // Even a single event must be visible on the dark background.
                let light = |shade: usize| if shade == 0 { 0.0 } else { 0.35 + 0.65 * shade as f32 / 15.0 };
                let (bright, dark) = (light(i / SHADES), light(i % SHADES));
                [(24.0, 231.0, 60.0), (24.0, 150.0, 140.0), (30.0, 30.0, 225.0)]
                    .map(|(ground, orange, blue)| (ground + orange * bright + blue * dark).min(255.0) as u8)
            })
            .collect()
    }

    /// At least half a second long, so that short recordings can be watched; repeats indefinitely.
    fn write_gif(&self, path: &Path, duration_us: i64) -> Result<(), Box<dyn Error>> {
        let frames = self.frames.len().max(1) as i64;
        let hundredths = (duration_us / 10_000).clamp(50, 60_000) / frames;
        let file = BufWriter::new(File::create(path)?);
        let (width, height) = (u16::try_from(self.width)?, u16::try_from(self.height)?);
        let mut encoder = gif::Encoder::new(file, width, height, &Self::palette())?;
        encoder.set_repeat(gif::Repeat::Infinite)?;
        for image in &self.frames {
            let mut frame = gif::Frame::from_indexed_pixels(width, height, image.as_slice(), None);
            frame.delay = u16::try_from(hundredths.max(2))?;
            encoder.write_frame(&frame)?;
        }
        Ok(())
    }

    fn write_strip(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let columns = self.frames.len().clamp(1, ROW);
        let rows = self.frames.len().div_ceil(ROW).max(1);
        let width = columns * (self.width + GAP) - GAP;
        let height = rows * (self.height + GAP) - GAP;
        let mut strip = ndarray::Array3::from_elem((height, width, 3), 255u8);
        let palette = Self::palette();
        for (i, image) in self.frames.iter().enumerate() {
            let (x, y) = (i % ROW * (self.width + GAP), i / ROW * (self.height + GAP));
            let mut place = strip.slice_mut(s![y..y + self.height, x..x + self.width, ..]);
            for (mut pixel, &index) in place.lanes_mut(ndarray::Axis(2)).into_iter().zip(image) {
                for (value, &colour) in pixel.iter_mut().zip(&palette[3 * usize::from(index)..]) {
                    *value = colour;
                }
            }
        }
        let file = BufWriter::new(File::create(path)?);
        let mut encoder = png::Encoder::new(file, u32::try_from(width)?, u32::try_from(height)?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header()?.write_image_data(strip.as_slice().ok_or("not contiguous")?)?;
        Ok(())
    }
}
