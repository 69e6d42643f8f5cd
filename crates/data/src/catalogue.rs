//! The known data sets: their manifests and stored splits.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::manifest::{Manifest, SplitRule, SplitScheme};
use crate::nearest::nearest;
use crate::regular_file;
use crate::split::{Parts, StoredSplit, check_sizes, first_of_class};

// MANIFESTS and SPLITS: path within the folder `datasets`, and text
include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// The source of data sets' manifests and stored splits.
///
/// ```
/// use tks_data::Catalogue;
///
/// let manifest = Catalogue::BuiltIn.manifest("cifar10")?;
/// assert_eq!(manifest.classes.count(), 10);
/// let error = Catalogue::BuiltIn.manifest("cifar11").unwrap_err();
/// assert!(error.to_string().contains("did you mean `cifar10`"));
/// # Ok::<(), tks_data::DataError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Catalogue {
    /// Those of this project, which are built into every program that uses this crate.
    #[default]
    BuiltIn,
    /// Those in a folder: `<name>.toml`, and stored splits at the paths given there.
    Folder(PathBuf),
}

impl Catalogue {
    /// The names of all data sets, sorted.
    ///
    /// # Errors
    /// [`DataError::Io`] if the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, DataError> {
        let name = |file: &str| file.strip_suffix(".toml").map(str::to_string);
        let mut names: Vec<String> = match self {
            Catalogue::BuiltIn => MANIFESTS.iter().filter_map(|(file, _)| name(file)).collect(),
            Catalogue::Folder(folder) => {
                let entries = std::fs::read_dir(folder).map_err(|e| DataError::io("list", folder, e))?;
                entries
                    .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                    .filter_map(|file| name(&file))
                    .collect()
            }
        };
        names.sort();
        Ok(names)
    }

    /// The manifest of a data set, validated.
    ///
    /// # Errors
    /// [`DataError::UnknownName`] with the nearest name if there is none, else as [`Manifest::read`].
    pub fn manifest(&self, name: &str) -> Result<Manifest, DataError> {
        let known = self.names()?;
        if !known.iter().any(|known| known == name) {
            return Err(DataError::UnknownName {
                what: "data set",
                name: name.to_string(),
                nearest: nearest(name, known.iter().map(String::as_str)).map(str::to_string),
                known,
            });
        }
        let (path, text) = self.text(Path::new(&format!("{name}.toml")))?;
        Manifest::parse(&text, &path)
    }

    /// All manifests, by name.
    ///
    /// # Errors
    /// As [`Catalogue::manifest`].
    pub fn manifests(&self) -> Result<Vec<Manifest>, DataError> {
        self.names()?.iter().map(|name| self.manifest(name)).collect()
    }

    /// Splits a data set's samples into parts by a scheme of its manifest. The samples are given with their
    /// classes, in natural order of their names. With `strict`, the parts must have the sizes stated in the
    /// manifest.
    ///
    /// # Errors
    /// [`DataError::Setting`] for an official split, which only the data set's own files define; else as
    /// [`StoredSplit::read`], [`StoredSplit::assign`] and [`check_sizes`].
    pub fn parts<S: AsRef<str>>(
        &self,
        scheme: &SplitScheme,
        names: &[S],
        labels: &[usize],
        strict: bool,
    ) -> Result<Parts, DataError> {
        let parts = match &scheme.rule {
            SplitRule::Official => {
                return Err(DataError::Setting {
                    field: "split",
                    message: format!("`{}` is told by the data set's own files, not by a rule", scheme.name),
                });
            }
            SplitRule::Stored(path) => {
                let (path, text) = self.text(path)?;
                StoredSplit::parse(&text, &path)?.assign(names, strict)?
            }
            SplitRule::FirstOfClass(fraction) => first_of_class(labels, *fraction),
        };
        if strict {
            check_sizes(scheme, &parts)?;
        }
        Ok(parts)
    }

    /// The text of a file, by its path relative to the folder of manifests, and its name in error messages.
    fn text(&self, path: &Path) -> Result<(PathBuf, Cow<'static, str>), DataError> {
        match self {
            Catalogue::Folder(folder) => {
                let path = folder.join(path);
                let text = regular_file::read_to_string(&path)?;
                Ok((path, text.into()))
            }
            Catalogue::BuiltIn => {
                let built_in = || MANIFESTS.iter().chain(SPLITS);
                let shown = Path::new("datasets").join(path);
                match built_in().find(|(known, _)| Path::new(known) == path) {
                    Some((_, text)) => Ok((shown, (*text).into())),
                    None => Err(DataError::UnknownName {
                        what: "built-in file",
                        name: shown.display().to_string(),
                        nearest: None,
                        known: built_in().map(|(path, _)| (*path).to_string()).collect(),
                    }),
                }
            }
        }
    }
}
