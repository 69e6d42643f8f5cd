//! The locations of the data sets' manifests, stored splits and shipped data.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use tks_data::manifest::Address;
use tks_data::{Catalogue, Manifest};

/// The environment variable that names another folder of manifests.
pub const DATASETS_VARIABLE: &str = "TKS_DATASETS_DIR";

/// The environment variable that names a folder with a subfolder named after each data set, for
/// configurations without `data.path`.
pub const DATA_VARIABLE: &str = "TKS_DATA_DIR";

/// A file that every folder of manifests contains.
const WITNESS: &str = "cifar10.toml";

/// The known data sets: those of the folder named by [`DATASETS_VARIABLE`], else of the folder `datasets` in
/// the current folder or one of its parents, else those built into this program.
pub fn catalogue() -> Catalogue {
    given_folder().map_or(Catalogue::BuiltIn, Catalogue::Folder)
}

/// A folder of manifests named by the user, or in the current folder or its parents.
fn given_folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(DATASETS_VARIABLE) {
        return Some(folder.into());
    }
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().map(|folder| folder.join("datasets")).find(|folder| folder.join(WITNESS).is_file())
}

/// The folder `datasets` with the shipped data: the given one, else the one in this program's sources.
///
/// # Errors
/// There is none.
pub fn folder() -> Result<PathBuf> {
    let built_from = || {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        sources.map(|folder| folder.join("datasets")).find(|folder| folder.join(WITNESS).is_file())
    };
    match given_folder().or_else(built_from) {
        Some(folder) => Ok(folder),
        None => bail!(
            "the folder `datasets` with the data that ship is not found here, above, or where this program was built; \
             name it in the environment variable {DATASETS_VARIABLE}, or say by `data.path` where the data lie"
        ),
    }
}

/// The manifest of a data set.
///
/// # Errors
/// An unknown name, with the nearest one.
pub fn manifest(name: &str) -> Result<Manifest> {
    Ok(catalogue().manifest(name)?)
}

/// All manifests, by name.
///
/// # Errors
/// One that cannot be read.
pub fn manifests() -> Result<Vec<Manifest>> {
    Ok(catalogue().manifests()?)
}

/// Whether the data set ships with the program.
pub fn is_shipped(manifest: &Manifest) -> bool {
    !manifest.files.is_empty() && manifest.files.iter().all(|file| file.url == Address::Shipped)
}

/// The location of a data set if the configuration gives no path: where it ships, or in the folder of
/// [`DATA_VARIABLE`].
///
/// # Errors
/// The data set is in neither place.
pub fn default_path(manifest: &Manifest) -> Result<PathBuf> {
    if is_shipped(manifest) {
        let file = folder()?.join(&manifest.files[0].name);
        return Ok(file.parent().map(Path::to_path_buf).unwrap_or(file));
    }
    if let Some(data) = std::env::var_os(DATA_VARIABLE) {
        return Ok(Path::new(&data).join(&manifest.name));
    }
    bail!(
        "`data.path` does not say where {} lies: give the folder or archive (`--set data.path=...`), or the folder of \
         all data sets in the environment variable {DATA_VARIABLE}; `tks data fetch {} FOLDER` brings it",
        manifest.title,
        manifest.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_is_found_and_what_ships_is_there() {
        let manifests = manifests().unwrap();
        assert!(manifests.len() >= 19, "{}", manifests.len());
        let shipped: Vec<_> = manifests.iter().filter(|manifest| is_shipped(manifest)).collect();
        assert!(shipped.len() >= 2);
        for manifest in shipped {
            assert!(default_path(manifest).unwrap().is_dir(), "{}", manifest.name);
        }
        let error = manifest("cifar11").unwrap_err().to_string();
        assert!(error.contains("did you mean `cifar10`"), "{error}");
    }
}
