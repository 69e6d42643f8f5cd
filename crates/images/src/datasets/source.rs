//! The source of a data set, and how it is opened.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tks_data::manifest::Stated;
use tks_data::{ArchiveOptions, Manifest};

use super::files::Files;
use crate::error::ImageError;

/// How a data set is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenOptions {
    /// Whether a number of images other than the manifest's is accepted, for an incomplete data set.
    pub accept_counts: bool,
    /// How archives are opened, and where compressed ones are decompressed to.
    pub archive: ArchiveOptions,
}

/// The input of a layout's reader.
pub(super) struct Source<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) root: &'a Path,
    pub(super) part: &'a str,
    pub(super) options: &'a OpenOptions,
    pub(super) classes: Arc<[String]>,
}

impl Source<'_> {
    /// The files at `root`.
    pub(super) fn files(&self) -> Result<Files, ImageError> {
        Files::open(self.root, &self.options.archive)
    }

    pub(super) fn is_train(&self) -> bool {
        self.part == "train"
    }

    /// What to do if a file is missing.
    pub(super) fn fetch_hint(&self) -> String {
        let files: Vec<&str> = self.manifest.files.iter().map(|file| file.name.as_str()).collect();
        format!(
            "name the folder that holds {} ({}), packed or unpacked, from {}",
            self.manifest.title,
            files.join(", "),
            self.manifest.page
        )
    }
}

/// The number of images of a part stated in the manifest.
pub(super) fn expected_count(manifest: &Manifest, part: &str) -> Option<u64> {
    manifest.splits.first()?.parts.get(part).copied().and_then(Stated::known)
}
