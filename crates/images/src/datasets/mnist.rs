//! MNIST and Fashion-MNIST (IDX), and the included digits.

use tks_data::Bytes;
use tks_data::manifest::SplitRule;
use tks_data::split;

use super::listing::Listing;
use super::set::{Images, PlanarImages, Segment};
use super::source::Source;
use crate::error::{ImageError, InFile};
use crate::parse::idx::parse_idx;
use crate::parse::lines::parse_rows;

pub(super) fn list(source: &Source<'_>) -> Result<Listing, ImageError> {
    let files = source.files()?;
    let prefix = if source.is_train() { "train" } else { "t10k" };
    let find = |kind: &str, dimensions: usize| {
        // the published name, and that used by some unpackers and mirrors
        let names = ["-", "."].map(|dot| format!("{prefix}-{kind}{dot}idx{dimensions}-ubyte"));
        let packed = names.clone().map(|name| format!("{name}.gz"));
        let all: Vec<&str> = names.iter().chain(&packed).map(String::as_str).collect();
        match files.find_any(&all)? {
            Some(id) => Ok((files.path(id), files.unpacked(id)?)),
            None => Err(files.require(&packed[0], &source.fetch_hint()).err().unwrap_or_else(|| {
                ImageError::layout(source.root, format!("no `{}` here", packed[0]), source.fetch_hint())
            })),
        }
    };
    let (image_path, images) = find("images", 3)?;
    let (label_path, labels) = find("labels", 1)?;
    let header = parse_idx(&images).in_file(&image_path)?.header;
    let stored = parse_idx(&labels).in_file(&label_path)?;
    let (&[count, height, width], &[label_count]) = (header.dims.as_slice(), stored.header.dims.as_slice())
    else {
        let problem = format!("sizes {:?} for images and {:?} for labels", header.dims, stored.header.dims);
        return Err(ImageError::layout(
            image_path,
            problem,
            "images are [N, H, W] and labels [N]: fetch both again",
        ));
    };
    if count != label_count {
        let problem = format!("{count} images, but {label_count} labels in {}", label_path.display());
        return Err(ImageError::layout(
            image_path,
            problem,
            "the two are of different parts: fetch both again",
        ));
    }
    if height * width == 0 {
        return Err(ImageError::layout(image_path, "images without a pixel", "fetch it again"));
    }
    let labels = stored.values.iter().map(|&label| i64::from(label)).collect();
    let mut planar = PlanarImages::new(1, height, width);
    let first = header.length();
    planar.push(Segment { path: image_path, bytes: images, first, stride: height * width, count });
    Ok(Listing::new(source.classes.clone(), labels, Images::Planar(planar)))
}

/// The height and width of a digit, and its maximum grey level.
const DIGIT_SIDE: usize = 8;
const FULL_INK: u32 = 16;

pub(super) fn list_digits(source: &Source<'_>) -> Result<Listing, ImageError> {
    let files = source.files()?;
    let id = match files.find("digits.csv.gz")? {
        Some(id) => id,
        None => files.require("digits.csv", "it ships with the project, in datasets/digits")?,
    };
    let path = files.path(id);
    let text = files.unpacked(id)?;
    let rows = parse_rows(&text, DIGIT_SIDE * DIGIT_SIDE + 1).in_file(&path)?;
    let mut pixels = Vec::with_capacity(rows.len() * DIGIT_SIDE * DIGIT_SIDE);
    let mut labels = Vec::with_capacity(rows.len());
    for row in &rows {
        let (grey, label) = row.split_at(DIGIT_SIDE * DIGIT_SIDE);
        if let Some(level) = grey.iter().find(|&&level| level > FULL_INK) {
            let problem = format!("a grey level of {level} in image {}, above {FULL_INK}", labels.len());
            return Err(ImageError::layout(path, problem, "take the file that ships with the project"));
        }
        pixels.extend(grey.iter().map(|level| ((level * 255 + FULL_INK / 2) / FULL_INK) as u8));
        labels.push(i64::from(label[0]));
    }
    let mut planar = PlanarImages::new(1, DIGIT_SIDE, DIGIT_SIDE);
    let stride = DIGIT_SIDE * DIGIT_SIDE;
    planar.push(Segment { path, bytes: Bytes::from(pixels), first: 0, stride, count: labels.len() });
    let mut listing = Listing::new(source.classes.clone(), labels, Images::Planar(planar));
    let scheme = source.manifest.split(None)?;
    if let SplitRule::FirstOfClass(fraction) = scheme.rule {
        let labels: Vec<usize> = listing.labels.iter().map(|&label| label as usize).collect();
        let parts = split::first_of_class(&labels, fraction);
        listing.select(parts.get(source.part).map_or(&[], Vec::as_slice));
    }
    Ok(listing)
}
