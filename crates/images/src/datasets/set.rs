//! The images of one part of a data set, with their labels.

use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;
use tks_data::{Bytes, DataError, PassedFiles, SampleSet};

use super::files::{FileId, Files};
use crate::decode::dimensions;
use crate::error::ImageError;

/// A part of a data set: labels, and the location of each image's bytes.
///
/// Small sets (CIFAR, MNIST) are held in memory as stored in their files: an image is a slice. Images of
/// other sets are files in a folder or an archive, read on demand.
#[derive(Debug)]
pub struct ImageSet {
    pub(super) name: String,
    pub(super) part: String,
    pub(super) classes: Arc<[String]>,
    pub(super) labels: Vec<u32>,
    pub(super) boxes: Option<Vec<[f32; 4]>>,
    pub(super) images: Images,
    pub(super) passed_over: Vec<PassedFiles>,
}

/// The bytes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageBytes<'a> {
    /// An image file (JPEG, PNG, WebP, BMP, GIF), to be decoded.
    Encoded(&'a [u8]),
    /// Pixels in planes, row by row: `[C, H, W]`.
    Planar {
        /// The grey levels, 0 to 255.
        pixels: &'a [u8],
        /// 1 (grey) or 3 (red, green, blue).
        channels: usize,
        /// Rows.
        height: usize,
        /// Pixels of a row.
        width: usize,
    },
}

impl ImageSet {
    /// The data set's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The part: `train`, `test` or `val`.
    pub fn part(&self) -> &str {
        &self.part
    }

    /// The labels: each is below the number of classes.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The bounding box of the object in the image, if the data set has it: left, top, width and height in
    /// pixels.
    ///
    /// # Panics
    /// If there is no image `index`; this applies to the functions below too.
    pub fn bounding_box(&self, index: usize) -> Option<[f32; 4]> {
        self.boxes.as_ref().map(|boxes| boxes[index])
    }

    /// Whether the data set has bounding boxes.
    pub fn has_bounding_boxes(&self) -> bool {
        self.boxes.is_some()
    }

    /// Channels of the images: 1 (grey) or 3 (colour, which JPEG and PNG files are always decoded to).
    pub fn channels(&self) -> usize {
        match &self.images {
            Images::Planar(planar) => planar.channels,
            Images::Files { .. } => 3,
        }
    }

    /// Height and width, if the layout has one size for all images.
    pub fn size(&self) -> Option<[usize; 2]> {
        match &self.images {
            Images::Planar(planar) => Some([planar.height, planar.width]),
            Images::Files { .. } => None,
        }
    }

    /// The height and width common to all images; reads the header of each file.
    ///
    /// # Errors
    /// [`ImageError::Sizes`] with two images of different sizes; a file that cannot be read or is not an
    /// image.
    pub fn common_size(&self) -> Result<[usize; 2], ImageError> {
        if let Some(size) = self.size() {
            return Ok(size);
        }
        let read = |scratch: &mut Vec<u8>, index: usize| match self.image(index, scratch)? {
            ImageBytes::Planar { height, width, .. } => Ok([height, width]),
            ImageBytes::Encoded(bytes) => {
                dimensions(bytes).map_err(|source| ImageError::Decode { path: self.path(index), source })
            }
        };
        let first = read(&mut Vec::new(), 0)?;
        (1..self.len()).into_par_iter().try_for_each_init(Vec::new, |scratch, index| {
            match read(scratch, index)? {
                size if size == first => Ok(()),
                size => Err(ImageError::Sizes {
                    first: self.path(0),
                    first_size: first,
                    second: self.path(index),
                    second_size: size,
                }),
            }
        })?;
        Ok(first)
    }

    /// The image's name in error messages: its file, or its file and record.
    pub fn path(&self, index: usize) -> PathBuf {
        self.images.path(index)
    }

    /// The bytes of an image: borrowed if they are in memory, else read into `scratch`, whose memory is
    /// reused from one image to the next.
    ///
    /// # Errors
    /// A file that cannot be read, or a damaged entry of a compressed archive.
    pub fn image<'a>(&'a self, index: usize, scratch: &'a mut Vec<u8>) -> Result<ImageBytes<'a>, DataError> {
        self.images.image(index, scratch)
    }
}

impl SampleSet for ImageSet {
    fn set_name(&self) -> &str {
        &self.name
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index] as usize
    }

    fn sample_name(&self, index: usize) -> String {
        self.path(index).display().to_string()
    }

    /// The size of its file or of its pixels.
    fn sample_size(&self, index: usize) -> Option<u64> {
        Some(match &self.images {
            Images::Planar(planar) => (planar.channels * planar.height * planar.width) as u64,
            Images::Files { files, ids } => files.size(ids[index]),
        })
    }

    /// Images in unsupported formats, broken links, hidden files and others.
    fn passed_over(&self) -> &[PassedFiles] {
        &self.passed_over
    }
}

/// The location of the images.
#[derive(Debug)]
pub(super) enum Images {
    Planar(PlanarImages),
    Files { files: Arc<Files>, ids: Vec<FileId> },
}

impl Images {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Planar(planar) => planar.len(),
            Self::Files { ids, .. } => ids.len(),
        }
    }

    pub(super) fn path(&self, index: usize) -> PathBuf {
        match self {
            Self::Planar(planar) => planar.path(index),
            Self::Files { files, ids } => files.path(ids[index]),
        }
    }

    pub(super) fn image<'a>(
        &'a self,
        index: usize,
        scratch: &'a mut Vec<u8>,
    ) -> Result<ImageBytes<'a>, DataError> {
        match self {
            Self::Planar(planar) => Ok(ImageBytes::Planar {
                pixels: planar.pixels(index),
                channels: planar.channels,
                height: planar.height,
                width: planar.width,
            }),
            Self::Files { files, ids } => files.bytes_in(ids[index], scratch).map(ImageBytes::Encoded),
        }
    }

    /// Keeps the images at these indices, in their order.
    pub(super) fn select(&mut self, indices: &[usize]) {
        match self {
            Self::Planar(planar) => planar.select(indices),
            Self::Files { ids, .. } => *ids = indices.iter().map(|&index| ids[index]).collect(),
        }
    }
}

/// Images of one size, stored uncompressed in a few files.
#[derive(Debug)]
pub(super) struct PlanarImages {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    segments: Vec<Segment>,
    /// The indices of these images in the segments; all of them if `None`.
    selected: Option<Vec<u32>>,
}

/// The images of one file: `count` of them, `stride` bytes apart.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) bytes: Bytes,
    pub(super) first: usize,
    pub(super) stride: usize,
    pub(super) count: usize,
}

impl PlanarImages {
    pub(super) fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width, segments: Vec::new(), selected: None }
    }

    /// Adds a file's images; the last must end within its bytes.
    pub(super) fn push(&mut self, segment: Segment) {
        let end = match segment.count {
            0 => 0,
            count => segment.first + (count - 1) * segment.stride + self.channels * self.height * self.width,
        };
        assert!(end <= segment.bytes.len(), "images beyond the end of {}", segment.path.display());
        self.segments.push(segment);
    }

    fn len(&self) -> usize {
        match &self.selected {
            Some(selected) => selected.len(),
            None => self.segments.iter().map(|segment| segment.count).sum(),
        }
    }

    /// The image's file and its number there. There are at most six files, so a linear scan is fastest.
    fn locate(&self, index: usize) -> (&Segment, usize) {
        let mut index = match &self.selected {
            Some(selected) => selected[index] as usize,
            None => index,
        };
        for segment in &self.segments {
            if index < segment.count {
                return (segment, index);
            }
            index -= segment.count;
        }
        panic!("image {index} beyond the last")
    }

    fn pixels(&self, index: usize) -> &[u8] {
        let (segment, index) = self.locate(index);
        let start = segment.first + index * segment.stride;
        &segment.bytes[start..start + self.channels * self.height * self.width]
    }

    fn path(&self, index: usize) -> PathBuf {
        let (segment, index) = self.locate(index);
        let mut path = segment.path.clone().into_os_string();
        path.push(format!(" record {index}"));
        path.into()
    }

    fn select(&mut self, indices: &[usize]) {
        let kept = indices.iter().map(|&index| match &self.selected {
            Some(selected) => selected[index],
            None => index as u32,
        });
        self.selected = Some(kept.collect());
    }
}
