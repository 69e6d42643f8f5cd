//! Any folder of pictures: a folder a class.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::OpenOptions;
use super::draft::Draft;
use super::files::{FileId, Files};
use super::set::{ImageSet, Pictures};
use super::stanford::is_picture;
use crate::error::ImageError;

/// Opens a folder (or archive) that has a folder of pictures for each class: `<class>/**/<picture>.jpg`.
///
/// With a part (`train`, `val`), the folder of that name in `root`. Classes are in the order of their folders' names,
/// compared byte by byte, as torchvision's `ImageFolder` has them.
///
/// # Errors
/// A folder or archive that cannot be read, and one without a picture in a folder.
pub fn open_folder(root: &Path, part: Option<&str>, options: &OpenOptions) -> Result<ImageSet, ImageError> {
    let draft = draft(root, part, options)?;
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(ImageSet {
        name,
        part: part.unwrap_or("all").to_owned(),
        classes: draft.classes,
        labels: draft.labels.iter().map(|&label| label as u32).collect(),
        boxes: None,
        pictures: draft.pictures,
    })
}

pub(super) fn draft(root: &Path, part: Option<&str>, options: &OpenOptions) -> Result<Draft, ImageError> {
    let files = Files::open(root, &options.archive)?;
    let mut classes: BTreeMap<&str, Vec<FileId>> = BTreeMap::new();
    for (id, name) in files.all().filter(|(_, name)| is_picture(name)) {
        let inside = match part {
            Some(part) => name.strip_prefix(part).and_then(|rest| rest.strip_prefix('/')),
            None => Some(name),
        };
        if let Some((class, _)) = inside.and_then(|inside| inside.split_once('/')) {
            classes.entry(class).or_default().push(id);
        }
    }
    if classes.is_empty() {
        let place = part.map(|part| format!("{part}/")).unwrap_or_default();
        let problem = format!("no picture (.jpg, .jpeg, .png) in a folder of its class, `{place}<class>/`");
        return Err(ImageError::layout(
            root,
            problem,
            "put the pictures of each class into a folder of its name",
        ));
    }
    let names: Arc<[String]> = classes.keys().map(|name| (*name).to_owned()).collect();
    let (mut ids, mut labels) = (Vec::new(), Vec::new());
    for (label, members) in (0i64..).zip(classes.into_values()) {
        labels.resize(labels.len() + members.len(), label);
        ids.extend(members);
    }
    Ok(Draft::new(names, labels, Pictures::Files { files: Arc::new(files), ids }))
}
