//! The data sets in their official layouts, as downloaded or unpacked.
//!
//! | name | input |
//! |---|---|
//! | `cifar10`, `cifar100`, `cifar100-coarse` | the binary version, or the Python version without Python |
//! | `mnist`, `fashion-mnist` | IDX, plain or gzip |
//! | `digits` | the included file in `datasets/digits` |
//! | `imagenet-1k` | `train/<synset>/`, or the tar of tars; `val` flat with the devkit's ground truth, Kaggle's, Caffe's or TensorFlow's list, or in folders |
//! | `cub-200-2011` | `images.txt` and its companions; bounding boxes if present |
//! | `stanford-dogs` | `train_list.mat`, `test_list.mat` |
//! | `stanford-cars` | `cars_train_annos.mat`, `cars_test_annos_withlabels.mat`, `cars_annos.mat`, or one folder per class |
//! | any folder of images | one folder per class ([`open_folder`]) |
//!
//! Each has a manifest in `datasets/` (classes, counts, addresses, checksums, licence), returned by
//! [`manifest`]. [`open`] takes the folder with the downloaded archives, the unpacked folder, or an archive
//! itself.
//!
//! ```
//! use std::path::Path;
//! use tks_data::SampleSet;
//! use tks_images::datasets::{OpenOptions, ImageBytes, open};
//!
//! let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/digits");
//! let digits = open("digits", &shipped, "train", &OpenOptions::default())?;
//! assert_eq!((digits.len(), digits.class_names().len()), (1438, 10));
//! let mut scratch = Vec::new();
//! let ImageBytes::Planar { pixels, height, width, .. } = digits.image(0, &mut scratch)? else { panic!() };
//! assert_eq!((pixels.len(), height, width), (64, 8, 8));
//! # Ok::<(), tks_images::ImageError>(())
//! ```

mod check;
mod cifar;
mod cub;
mod files;
mod folder;
mod imagenet;
mod leaks;
mod listing;
mod mnist;
mod set;
mod source;
mod stanford;

use std::path::Path;
use std::sync::Arc;

use tks_data::nearest::nearest;
use tks_data::{Catalogue, DataError, Manifest};

pub use check::{
    CheckOptions, CheckReport, ClassCount, PartReport, Problem, ProblemKind, check, check_folder,
};
pub use folder::{class_difference, open_folder};
pub use leaks::{SharedImages, shared_images};
pub use set::{ImageBytes, ImageSet};

use crate::error::ImageError;
use listing::Listing;
pub use source::OpenOptions;
use source::Source;

/// The built-in manifest of a data set, by name.
///
/// # Errors
/// [`DataError::UnknownName`], with the nearest name.
pub fn manifest(name: &str) -> Result<Manifest, DataError> {
    Catalogue::BuiltIn.manifest(name)
}

/// Opens a part (`train`, `test`, `val`) of a data set, by name.
///
/// `root` is the folder with its downloaded archives, its unpacked folder, or an archive.
///
/// # Errors
/// No such data set or part; missing, truncated or damaged files; missing images; a label outside the
/// classes; a number of images that differs from the manifest's.
pub fn open(name: &str, root: &Path, part: &str, options: &OpenOptions) -> Result<ImageSet, ImageError> {
    open_manifest(&manifest(name)?, root, part, options)
}

/// Like [`open`], with the user's own manifest, whose `layout` is the name of one of these data sets.
///
/// # Errors
/// As [`open`].
pub fn open_manifest(
    manifest: &Manifest,
    root: &Path,
    part: &str,
    options: &OpenOptions,
) -> Result<ImageSet, ImageError> {
    list(manifest, root, part, options)?.validate(manifest, root, part, options)
}

/// The contents of a part as found in the files.
fn list(manifest: &Manifest, root: &Path, part: &str, options: &OpenOptions) -> Result<Listing, ImageError> {
    let parts = &manifest.split(None)?.parts;
    if !parts.contains_key(part) {
        return Err(DataError::UnknownName {
            what: "part",
            name: part.to_owned(),
            nearest: nearest(part, parts.keys().map(String::as_str)).map(str::to_owned),
            known: parts.keys().cloned().collect(),
        }
        .into());
    }
    let classes: Arc<[String]> = match manifest.classes.names() {
        Some(names) => names.into(),
        None => (0..manifest.classes.count()).map(|class| class.to_string()).collect(),
    };
    let source = Source { manifest, root, part, options, classes };
    match manifest.layout.as_str() {
        "cifar10" => cifar::list(&source, cifar::Labels::Cifar10),
        "cifar100" => cifar::list(&source, cifar::Labels::Fine),
        "cifar100-coarse" => cifar::list(&source, cifar::Labels::Coarse),
        "mnist" => mnist::list(&source),
        "digits" => mnist::list_digits(&source),
        "imagenet-1k" => imagenet::list(&source),
        "cub-200-2011" => cub::list(&source),
        "stanford-dogs" => stanford::list_dogs(&source),
        "stanford-cars" => stanford::list_cars(&source),
        layout => Err(DataError::UnknownName {
            what: "layout of images",
            name: layout.to_owned(),
            nearest: nearest(layout, LAYOUTS).map(str::to_owned),
            known: LAYOUTS.map(str::to_owned).into(),
        }
        .into()),
    }
}

const LAYOUTS: [&str; 9] = [
    "cifar10",
    "cifar100",
    "cifar100-coarse",
    "mnist",
    "digits",
    "imagenet-1k",
    "cub-200-2011",
    "stanford-dogs",
    "stanford-cars",
];
