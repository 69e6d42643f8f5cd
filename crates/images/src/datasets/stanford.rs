//! StanfordDogs and StanfordCars: lists in MATLAB files.

use std::collections::HashMap;
use std::sync::Arc;

use super::files::{FileId, Files};
use super::listing::{Listed, Listing};
use super::set::Images;
use super::source::Source;
use crate::error::{ImageError, InFile};
use crate::format::is_image;
use tks_data::parse::mat::{MatStruct, MatValue, parse_mat_variable};

pub(super) fn list_dogs(source: &Source<'_>) -> Result<Listing, ImageError> {
    let mut files = source.files()?;
    let list = if source.is_train() { "train_list.mat" } else { "test_list.mat" };
    if files.find(list)?.is_none() {
        files.look_into(&["lists.tar"], 1)?;
    }
    let id = files.require(list, &source.fetch_hint())?;
    let path = files.path(id);
    let bytes = files.bytes(id)?;
    let names = parse_mat_variable(&bytes, "file_list").in_file(&path)?;
    let labels = parse_mat_variable(&bytes, "labels").in_file(&path)?;
    let wrong = |problem: String| ImageError::layout(&path, problem, "fetch lists.tar again");
    let names = names.texts().ok_or_else(|| wrong("`file_list` is no cell array of texts".into()))?;
    let MatValue::Numbers { values: labels, .. } = labels else {
        return Err(wrong("`labels` are no numbers".into()));
    };
    if names.len() != labels.len() {
        return Err(wrong(format!("{} names in `file_list`, {} in `labels`", names.len(), labels.len())));
    }
    let rows = names
        .iter()
        .zip(labels.iter())
        .map(|(name, label)| {
            let label = class_number(label).ok_or_else(|| wrong(format!("a label of {label}")))?;
            Ok(Listed { name, label, bounding_box: None })
        })
        .collect::<Result<Vec<_>, ImageError>>()?;
    if !files.all().any(|(_, name)| is_image(name)) {
        files.look_into(&["images.tar"], 1)?;
    }
    let by_name: HashMap<&str, usize> =
        source.classes.iter().enumerate().map(|(class, name)| (name.as_str(), class)).collect();
    let folder_class = |name: &str| by_name.get(name.split('/').next()?).copied();
    Listing::of_list(Arc::new(files), source.classes.clone(), list, "Images", &rows, folder_class)
}

pub(super) fn list_cars(source: &Source<'_>) -> Result<Listing, ImageError> {
    let mut files = source.files()?;
    let (list, archive, folder) = if source.is_train() {
        ("cars_train_annos.mat", "cars_train.tgz", "cars_train")
    } else {
        ("cars_test_annos_withlabels.mat", "cars_test.tgz", "cars_test")
    };
    if files.find(list)?.is_none() {
        files.look_into(&["car_devkit.tgz"], 1)?;
    }
    if let Some(id) = files.find(list)? {
        let rows = annotations(&files, id)?;
        let rows = rows.elements().ok_or_else(|| no_annotations(&files, id))?;
        let rows = rows.map(|row| listed(row, "fname")).collect::<Option<Vec<_>>>();
        let rows = rows.ok_or_else(|| no_annotations(&files, id))?;
        if !files.all().any(|(_, name)| is_image(name)) {
            files.look_into(&[archive], 1)?;
        }
        let rows: Vec<Listed<'_>> = rows.iter().map(CarRow::as_listed).collect();
        return Listing::of_list(Arc::new(files), source.classes.clone(), list, folder, &rows, |_| None);
    }
    if let Some(id) = files.find("cars_annos.mat")? {
        return all_in_one(source, files, id);
    }
    let unlabelled = files.find(UNLABELLED)?.filter(|_| !source.is_train()).map(|id| files.path(id));
    let found = files.found();
    match (by_class_folder(source, files)?, unlabelled) {
        (Some(listing), _) => Ok(listing),
        // the test part in the devkit and in Kaggle's copy of it
        (None, Some(path)) => Err(ImageError::layout(
            path,
            "this list has no classes, so that nothing can be tested by it",
            format!(
                "put `{list}`, which has them, into the same folder; the part `train` can be read without it"
            ),
        )),
        (None, None) => Err(ImageError::layout(
            source.root,
            format!("no `{list}`, no `cars_annos.mat`, nor a folder a class in `{}` ({found})", source.part),
            source.fetch_hint(),
        )),
    }
}

/// The devkit's list of the test part, with boxes but without classes.
const UNLABELLED: &str = "cars_test_annos.mat";

/// The first release: all images in one folder, and one list that states the part.
fn all_in_one(source: &Source<'_>, mut files: Files, id: FileId) -> Result<Listing, ImageError> {
    let rows = annotations(&files, id)?;
    let rows = rows.elements().ok_or_else(|| no_annotations(&files, id))?;
    let wanted = if source.is_train() { 0.0 } else { 1.0 };
    let mut kept = Vec::new();
    for row in rows {
        let test = row.field("test").and_then(MatValue::number).ok_or_else(|| no_annotations(&files, id))?;
        if test == wanted {
            kept.push(listed(row, "relative_im_path").ok_or_else(|| no_annotations(&files, id))?);
        }
    }
    if !files.all().any(|(_, name)| is_image(name)) {
        files.look_into(&["car_ims.tgz"], 1)?;
    }
    let rows: Vec<Listed<'_>> = kept
        .iter()
        .map(|row| Listed { name: row.name.trim_start_matches("car_ims/"), ..row.as_listed() })
        .collect();
    Listing::of_list(Arc::new(files), source.classes.clone(), "cars_annos.mat", "car_ims", &rows, |_| None)
}

/// The newer mirrors: `train/<class>/`, `test/<class>/`. A `/` in a class name is replaced by another
/// character there.
fn by_class_folder(source: &Source<'_>, files: Files) -> Result<Option<Listing>, ImageError> {
    let plain =
        |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let by_name: HashMap<String, i64> = source.classes.iter().map(|name| plain(name)).zip(0..).collect();
    let (mut ids, mut labels) = (Vec::new(), Vec::new());
    for (id, name) in files.all().filter(|(_, name)| is_image(name)) {
        let mut parts = name.rsplit('/').skip(1);
        let (Some(class), Some(part)) = (parts.next(), parts.next()) else { continue };
        if part != source.part {
            continue;
        }
        let label = by_name.get(&plain(class)).copied().ok_or_else(|| {
            let problem = format!("`{class}` is none of the {} classes", source.classes.len());
            ImageError::layout(
                files.path(id),
                problem,
                "compare the folder's name with the manifest's classes",
            )
        })?;
        ids.push(id);
        labels.push(label);
    }
    if ids.is_empty() {
        return Ok(None);
    }
    let images = Images::Files { files: Arc::new(files), ids };
    Ok(Some(Listing::new(source.classes.clone(), labels, images)))
}

fn annotations(files: &Files, id: FileId) -> Result<MatValue, ImageError> {
    parse_mat_variable(&files.bytes(id)?, "annotations").in_file(files.path(id))
}

fn no_annotations(files: &Files, id: FileId) -> ImageError {
    let problem = "`annotations` is no struct array with a file name, a class and a box of each image";
    ImageError::layout(files.path(id), problem, "fetch it again (cars_test_annos.mat has no classes)")
}

struct CarRow {
    name: String,
    label: i64,
    bounding_box: [f32; 4],
}

impl CarRow {
    fn as_listed(&self) -> Listed<'_> {
        Listed { name: &self.name, label: self.label, bounding_box: Some(self.bounding_box) }
    }
}

/// An image's row: the corners of its box are converted to left, top, width and height.
fn listed(row: MatStruct<'_>, name: &str) -> Option<CarRow> {
    let number = |field| row.field(field).and_then(MatValue::number);
    let (left, top) = (number("bbox_x1")?, number("bbox_y1")?);
    let size = [left, top, number("bbox_x2")? - left, number("bbox_y2")? - top];
    Some(CarRow {
        name: row.field(name)?.text()?.to_owned(),
        label: class_number(number("class")?)?,
        bounding_box: size.map(|size| size as f32),
    })
}

/// MATLAB counts from 1 and stores numbers in floating point.
fn class_number(label: f64) -> Option<i64> {
    (label.fract() == 0.0 && label.abs() < 1e9).then_some(label as i64 - 1)
}
