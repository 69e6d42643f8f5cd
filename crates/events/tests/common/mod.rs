//! What several tests need.

use std::path::{Path, PathBuf};

use tks_data::manifest::Manifest;

pub(crate) fn datasets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets")
}

pub(crate) fn manifest(name: &str) -> Manifest {
    Manifest::in_folder(&datasets(), name).unwrap()
}
