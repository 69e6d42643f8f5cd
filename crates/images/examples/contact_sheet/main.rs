//! Draws the effect of the augmentations on some images, taken from the loader as a network would see them:
//! four samples of each augmentation, with its name.
//!
//! ```text
//! cargo run --release -p tks-images --example contact_sheet -- augmentations.jpg a.jpg b.jpg
//! ```
//!
//! Without image arguments, the crate's test images are used.

mod font;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use tks_data::{Batch, LastBatch, Loader, LoaderConfig, SampleSet, Sampler};
use tks_images::augment::Mix;
use tks_images::datasets::{OpenOptions, open_folder};
use tks_images::{Image, ImageSamples, ImageSet, Recipe};

/// The blocks: a name, the steps in JSON, and how the batch is mixed.
const BLOCKS: [(&str, &str, &str); 16] = [
    ("as stored, resized", "", ""),
    ("random crop, padding 8", r#"{ "random_crop": { "padding": 8 } }"#, ""),
    ("random resized crop", r#"{ "random_resized_crop": { "height": 64, "width": 96 } }"#, ""),
    ("flips", r#"{ "flip_horizontal": {} }, { "flip_vertical": {} }"#, ""),
    (
        "color jitter",
        r#"{ "color_jitter": { "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1 } }"#,
        "",
    ),
    (
        "grayscale, gaussian blur",
        r#"{ "grayscale": { "probability": 0.5 } }, { "gaussian_blur": { "radius": [0.5, 2.0] } }"#,
        "",
    ),
    ("rand-m9-mstd0.5-inc1", r#"{ "rand_augment": { "policy": "rand-m9-mstd0.5-inc1" } }"#, ""),
    ("autoaugment, cifar10", r#"{ "auto_augment": { "policy": "cifar10" } }"#, ""),
    ("autoaugment, imagenet", r#"{ "auto_augment": { "policy": "imagenet" } }"#, ""),
    ("trivialaugment", r#"{ "trivial_augment": {} }"#, ""),
    ("random erasing, pixel", r#"{ "random_erasing": { "probability": 1.0, "mode": "pixel" } }"#, ""),
    ("random erasing, const", r#"{ "random_erasing": { "probability": 1.0, "mode": "const" } }"#, ""),
    ("cutout 24", r#"{ "cutout": { "length": 24 } }"#, ""),
    ("mixup", "", r#"{ "mixup": {}, "mode": "pair" }"#),
    ("cutmix", "", r#"{ "cutmix": {}, "mode": "pair" }"#),
    (
        "the reference recipe",
        r#"{ "random_crop": { "padding": 4 } }, { "flip_horizontal": {} },
           { "rand_augment": { "policy": "rand-m9-mstd0.5-inc1" } }, { "random_erasing": { "mode": "pixel" } }"#,
        "",
    ),
];

const HEIGHT: usize = 64;
const WIDTH: usize = 96;
/// Number of samples in a block, side by side.
const SAMPLES: usize = 4;
/// Number of blocks in a row of the sheet.
const COLUMNS: usize = 2;
const GAP: usize = 3;
/// Margin around each block.
const MARGIN: usize = 10;
const LABEL: usize = font::HEIGHT + 5;
const BLOCK_WIDTH: usize = SAMPLES * (WIDTH + GAP) - GAP;
const BLOCK_HEIGHT: usize = LABEL + HEIGHT;
const SEED: u64 = 11;
const QUALITY: u8 = 74;

const PAPER: u8 = 255;
const INK: u8 = 40;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().ok_or("usage: contact_sheet OUT.jpg [IMAGE...]")?;
    let mut images: Vec<PathBuf> = arguments.collect();
    if images.is_empty() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../jpeg/tests/fixtures");
        images = ["china.jpg", "flower.jpg"].map(|name| shipped.join(name)).into();
    }
    let folder = tempfile::tempdir()?;
    let set = Arc::new(set_of(&images, folder.path())?);

    let rows = BLOCKS.len().div_ceil(COLUMNS);
    let (height, width) =
        (MARGIN + rows * (BLOCK_HEIGHT + MARGIN), MARGIN + COLUMNS * (BLOCK_WIDTH + MARGIN));
    let mut sheet = Image::new(height, width, 3);
    sheet.pixels.fill(PAPER);
    for (number, (label, steps, mix)) in BLOCKS.iter().enumerate() {
        let top = MARGIN + number / COLUMNS * (BLOCK_HEIGHT + MARGIN);
        let left = MARGIN + number % COLUMNS * (BLOCK_WIDTH + MARGIN);
        font::write(label, |y, x| put(&mut sheet, top + y, left + x, [INK; 3]));
        for (at, sample) in samples(&set, steps, mix)?.iter().enumerate() {
            for (place, pixel) in sample.chunks_exact(3).enumerate() {
                let (y, x) = (place / WIDTH, place % WIDTH);
                put(
                    &mut sheet,
                    top + LABEL + y,
                    left + at * (WIDTH + GAP) + x,
                    [pixel[0], pixel[1], pixel[2]],
                );
            }
        }
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).write_image(
        &sheet.pixels,
        width as u32,
        height as u32,
        ExtendedColorType::Rgb8,
    )?;
    std::fs::write(&out, &bytes).map_err(|error| format!("{}: {error}", out.display()))?;
    println!("{}: {width} x {height} pixels, {} kB", out.display(), bytes.len() / 1000);
    Ok(())
}

fn put(sheet: &mut Image, y: usize, x: usize, colour: [u8; 3]) {
    let at = (y * sheet.width + x) * 3;
    sheet.pixels[at..at + 3].copy_from_slice(&colour);
}

/// The images as a data set, each with its own class.
fn set_of(images: &[PathBuf], folder: &Path) -> Result<ImageSet, Box<dyn Error>> {
    for (number, path) in images.iter().enumerate() {
        let class = folder.join(format!("{number:03}"));
        std::fs::create_dir(&class)?;
        let name = path.file_name().ok_or("an image without a name")?;
        std::fs::copy(path, class.join(name)).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(open_folder(folder, None, &OpenOptions::default())?)
}

/// Samples after `steps` and `mix`, as pixels `[H, W, 3]`: one of each image in the first epoch, then in the
/// next, and so on.
fn samples(set: &Arc<ImageSet>, steps: &str, mix: &str) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let recipe: Recipe = serde_json::from_str(&format!(
        r#"{{
            "resize": {{ "height": {HEIGHT}, "width": {WIDTH}, "crop": 1.0 }},
            "normalize": "half",
            "augment": [{steps}]
        }}"#
    ))?;
    let indices = (0..set.len()).collect();
    let samples = Arc::new(ImageSamples::<f32>::new(Arc::clone(set), indices, recipe, true)?);
    let config = LoaderConfig {
        batch_size: set.len(),
        sampler: Sampler::Sequential,
        last_batch: LastBatch::Keep,
        seed: SEED,
        ..LoaderConfig::default()
    };
    let loader = match mix {
        "" => Loader::new(samples, config)?,
        mix => {
            let mix: Mix = serde_json::from_str(mix)?;
            Loader::with_hook(samples, config, move |batch: &mut Batch<f32>, rng| {
                Ok(mix.on_batch(batch, rng)?)
            })?
        }
    };
    let mut drawn = Vec::new();
    for epoch in 0.. {
        for batch in loader.epoch(epoch)? {
            for planes in batch?.as_slice().chunks_exact(3 * HEIGHT * WIDTH) {
                if drawn.len() == SAMPLES {
                    return Ok(drawn);
                }
                drawn.push(pixels(planes));
            }
        }
    }
    Ok(drawn)
}

/// Converts planes of -1 to 1 to pixels. Noise may exceed this range.
fn pixels(planes: &[f32]) -> Vec<u8> {
    let area = HEIGHT * WIDTH;
    let level = |value: f32| ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
    (0..3 * area).map(|at| level(planes[at % 3 * area + at / 3])).collect()
}
