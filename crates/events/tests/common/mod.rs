//! Helpers shared by several tests.

use std::path::{Path, PathBuf};

use tks_data::{Catalogue, Manifest};

pub(crate) fn datasets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets")
}

pub(crate) fn catalogue() -> Catalogue {
    Catalogue::Folder(datasets())
}

pub(crate) fn manifest(name: &str) -> Manifest {
    catalogue().manifest(name).unwrap()
}
