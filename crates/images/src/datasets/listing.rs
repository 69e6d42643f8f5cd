//! A part of a data set as found in its files, before validation.

use std::sync::Arc;

use tks_data::{Manifest, PassedFiles};

use super::files::{FileId, Files};
use super::set::{ImageSet, Images};
use super::source::OpenOptions;
use crate::error::ImageError;

/// The unvalidated contents: labels may be outside the classes, images may be missing. [`Listing::validate`]
/// turns it into a set or an error; a check reports all problems.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) classes: Arc<[String]>,
    /// The labels as stored, starting at 0.
    pub(super) labels: Vec<i64>,
    pub(super) boxes: Option<Vec<[f32; 4]>>,
    pub(super) images: Images,
    /// The file that lists the images, and the names of missing images with their labels.
    pub(super) missing: Missing,
    /// Images in a folder of a class other than their label: their index and the folder's class.
    pub(super) misplaced: Vec<(usize, usize)>,
    /// Classes whose folder contains no readable image, with the contents of the folder.
    pub(super) vanished: Vec<(String, String)>,
    /// Skipped files.
    pub(super) passed_over: Vec<PassedFiles>,
}

#[derive(Debug, Default)]
pub(super) struct Missing {
    pub(super) list: String,
    pub(super) names: Vec<(String, i64)>,
}

/// A row of a list of images.
#[derive(Debug)]
pub(super) struct Listed<'a> {
    /// The file's name, relative to the folder of images.
    pub(super) name: &'a str,
    pub(super) label: i64,
    pub(super) bounding_box: Option<[f32; 4]>,
}

impl Listing {
    pub(super) fn new(classes: Arc<[String]>, labels: Vec<i64>, images: Images) -> Self {
        debug_assert_eq!(labels.len(), images.len());
        Self {
            classes,
            labels,
            boxes: None,
            images,
            missing: Missing::default(),
            misplaced: Vec::new(),
            vanished: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    /// Joins the rows of a list with the files that they name.
    ///
    /// `folder_class` returns the class that an image's folder denotes.
    pub(super) fn of_list(
        files: Arc<Files>,
        classes: Arc<[String]>,
        list: &str,
        folder: &str,
        rows: &[Listed<'_>],
        folder_class: impl Fn(&str) -> Option<usize>,
    ) -> Result<Self, ImageError> {
        let found = files.locate(folder, rows.iter().map(|row| row.name))?;
        let mut labels = Vec::with_capacity(rows.len());
        let mut boxes = Vec::new();
        let mut ids: Vec<FileId> = Vec::with_capacity(rows.len());
        let (mut missing, mut misplaced) = (Vec::new(), Vec::new());
        for (row, id) in rows.iter().zip(found) {
            let Some(id) = id else {
                missing.push((row.name.to_owned(), row.label));
                continue;
            };
            if let Some(class) = folder_class(row.name)
                && class as i64 != row.label
            {
                misplaced.push((ids.len(), class));
            }
            ids.push(id);
            labels.push(row.label);
            boxes.extend(row.bounding_box);
        }
        let boxes = (boxes.len() == ids.len() && !boxes.is_empty()).then_some(boxes);
        Ok(Self {
            boxes,
            missing: Missing { list: list.to_owned(), names: missing },
            misplaced,
            ..Self::new(classes, labels, Images::Files { files, ids })
        })
    }

    /// Keeps the images at these indices, in their order.
    pub(super) fn select(&mut self, indices: &[usize]) {
        self.images.select(indices);
        self.labels = indices.iter().map(|&index| self.labels[index]).collect();
    }

    /// The set, if every image is present, every label is a class, and the number matches the manifest.
    pub(super) fn validate(
        self,
        manifest: &Manifest,
        root: &std::path::Path,
        part: &str,
        options: &OpenOptions,
    ) -> Result<ImageSet, ImageError> {
        if let Some((first, _)) = self.missing.names.first() {
            return Err(ImageError::Missing {
                path: root.to_owned(),
                list: self.missing.list,
                count: self.missing.names.len(),
                first: first.clone(),
            });
        }
        let classes = self.classes.len();
        let labels: Result<Vec<u32>, usize> = self
            .labels
            .iter()
            .enumerate()
            .map(|(index, &label)| u32::try_from(label).ok().filter(|&l| (l as usize) < classes).ok_or(index))
            .collect();
        let labels = labels.map_err(|index| ImageError::Label {
            path: self.images.path(index),
            label: self.labels[index],
            classes,
        })?;
        let found = labels.len() as u64;
        if let Some(expected) = super::source::expected_count(manifest, part)
            && expected != found
            && !options.accept_counts
        {
            return Err(ImageError::Count {
                path: root.to_owned(),
                dataset: manifest.name.clone(),
                part: part.to_owned(),
                expected,
                found,
            });
        }
        if found == 0 {
            let remedy = "name the folder that holds the data set, or its archive";
            return Err(ImageError::layout(root, format!("no image of `{part}` here"), remedy));
        }
        Ok(ImageSet {
            name: manifest.name.clone(),
            part: part.to_owned(),
            classes: self.classes,
            labels,
            boxes: self.boxes,
            images: self.images,
            passed_over: self.passed_over,
        })
    }
}
