//! CIFAR10 and CIFAR100: the binary or the Python version.

use std::borrow::Cow;

use tks_data::Bytes;

use super::files::Files;
use super::listing::Listing;
use super::set::{Images, PlanarImages, Segment};
use super::source::Source;
use crate::error::{ImageError, InFile};
use crate::parse::cifar::{CifarLayout, PIXELS, SIDE, parse_cifar};
use crate::parse::pickle::parse_cifar_pickle;

/// Which labels are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    Cifar10,
    Fine,
    Coarse,
}

/// A version's archive, and its files for the training and test parts.
struct Version {
    archive: &'static str,
    train: &'static [&'static str],
    test: &'static [&'static str],
    python: bool,
}

const CIFAR10: [Version; 2] = [
    Version {
        archive: "cifar-10-binary.tar.gz",
        train: &[
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
        ],
        test: &["test_batch.bin"],
        python: false,
    },
    Version {
        archive: "cifar-10-python.tar.gz",
        train: &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"],
        test: &["test_batch"],
        python: true,
    },
];

const CIFAR100: [Version; 2] = [
    Version { archive: "cifar-100-binary.tar.gz", train: &["train.bin"], test: &["test.bin"], python: false },
    Version { archive: "cifar-100-python.tar.gz", train: &["train"], test: &["test"], python: true },
];

pub(super) fn list(source: &Source<'_>, labels: Labels) -> Result<Listing, ImageError> {
    let versions = if labels == Labels::Cifar10 { &CIFAR10 } else { &CIFAR100 };
    let mut files = source.files()?;
    let part = |version: &Version| if source.is_train() { version.train } else { version.test };
    // unpacked files take precedence over archives, and the binary version over the Python one
    let mut found = None;
    for packed in [false, true] {
        for version in versions {
            if packed {
                files.look_into(&[version.archive], 1)?;
            }
            if found.is_none() && find(&files, part(version)[0])?.is_some() {
                found = Some(version);
            }
        }
        if found.is_some() {
            break;
        }
    }
    let Some(version) = found else {
        let wanted: Vec<String> = versions.iter().map(|version| format!("`{}`", part(version)[0])).collect();
        let problem = format!("no {} here ({})", wanted.join(" nor "), files.found());
        return Err(ImageError::layout(source.root, problem, source.fetch_hint()));
    };
    let mut planar = PlanarImages::new(3, SIDE, SIDE);
    let mut all_labels = Vec::new();
    for name in part(version) {
        let id = match find(&files, name)? {
            Some(id) => id,
            None => files.require(name, &source.fetch_hint())?,
        };
        let (path, bytes) = (files.path(id), files.unpacked(id)?);
        let segment = if version.python {
            let (segment, stored) = from_pickle(&path, bytes, labels)?;
            all_labels.extend(stored);
            segment
        } else {
            let layout = if labels == Labels::Cifar10 { CifarLayout::Cifar10 } else { CifarLayout::Cifar100 };
            let records = parse_cifar(&bytes, layout).in_file(&path)?;
            let count = records.len();
            all_labels.extend(records.iter().map(|record| match (labels, record.coarse) {
                (Labels::Coarse, Some(coarse)) => i64::from(coarse),
                _ => i64::from(record.label),
            }));
            Segment { path, bytes, first: layout.label_bytes(), stride: layout.record_bytes(), count }
        };
        planar.push(segment);
    }
    Ok(Listing::new(source.classes.clone(), all_labels, Images::Planar(planar)))
}

/// A batch file, which may itself be compressed.
fn find(files: &Files, name: &str) -> Result<Option<super::files::FileId>, ImageError> {
    files.find_any(&[name, &format!("{name}.xz"), &format!("{name}.gz")])
}

fn from_pickle(
    path: &std::path::Path,
    bytes: Bytes,
    labels: Labels,
) -> Result<(Segment, Vec<i64>), ImageError> {
    let batch = parse_cifar_pickle(&bytes).in_file(path)?;
    let stored = match (labels, batch.coarse) {
        (Labels::Coarse, Some(coarse)) => coarse,
        (Labels::Coarse, None) => {
            return Err(ImageError::layout(path, "no `coarse_labels` in it", "it is no file of CIFAR100"));
        }
        _ => batch.labels,
    };
    let count = stored.len();
    let (bytes, first) = match batch.pixels {
        Cow::Owned(pixels) => (Bytes::from(pixels), 0),
        // a slice of the file, kept as its position, so that the file itself is held and nothing is copied
        Cow::Borrowed(pixels) => {
            let first = pixels.as_ptr().addr() - bytes.as_ptr().addr();
            (bytes.clone(), first)
        }
    };
    Ok((Segment { path: path.to_owned(), bytes, first, stride: PIXELS, count }, stored))
}
