//! CUB-200-2011: tables of images, labels and the split, joined by image number.

use std::collections::HashMap;
use std::sync::Arc;

use super::files::Files;
use super::listing::{Listed, Listing};
use super::source::Source;
use crate::error::{ImageError, InFile};
use crate::parse::ParseError;
use crate::parse::lines::{parse_boxes, parse_number_pairs, parse_pairs};

const LIST: &str = "images.txt";

pub(super) fn list(source: &Source<'_>) -> Result<Listing, ImageError> {
    let mut files = source.files()?;
    if files.find(LIST)?.is_none() {
        files.look_into(&["CUB_200_2011.tgz"], 1)?;
    }
    let hint = source.fetch_hint();
    let list = files.require(LIST, &hint)?;
    let (list_path, list_text) = (files.path(list), files.bytes(list)?);
    let images = parse_pairs(&list_text).in_file(&list_path)?;
    let labels = table(&files, "image_class_labels.txt", &hint, parse_number_pairs)?;
    let split = table(&files, "train_test_split.txt", &hint, parse_number_pairs)?;
    let boxes = match files.find("bounding_boxes.txt")? {
        Some(id) => parse_boxes(&files.bytes(id)?).in_file(files.path(id))?.into_iter().collect(),
        None => HashMap::new(),
    };
    let classes = class_names(&files, source)?;

    let in_training = u32::from(source.is_train());
    let mut rows = Vec::new();
    for &(number, name) in &images {
        let of = |table: &HashMap<u32, u32>, file: &str| {
            table.get(&number).copied().ok_or_else(|| {
                let problem = format!("image {number} (`{name}`) is not in `{file}`");
                ImageError::layout(&list_path, problem, "unpack the archive again")
            })
        };
        let label = of(&labels, "image_class_labels.txt")?;
        match of(&split, "train_test_split.txt")? {
            value @ (0 | 1) => {
                if value != in_training {
                    continue;
                }
            }
            value => {
                let problem = format!("image {number} has {value} in `train_test_split.txt`, not 0 or 1");
                return Err(ImageError::layout(&list_path, problem, "unpack the archive again"));
            }
        }
        rows.push(Listed { name, label: i64::from(label) - 1, bounding_box: boxes.get(&number).copied() });
    }
    // a class's folder is named like the class: 001.Black_footed_Albatross
    let by_name: HashMap<String, usize> =
        classes.iter().enumerate().map(|(class, name)| (name.clone(), class)).collect();
    let folder_class = |name: &str| by_name.get(name.split('/').next()?).copied();
    Listing::of_list(Arc::new(files), classes, LIST, "images", &rows, folder_class)
}

/// The classes in `classes.txt`, if it exists and numbers them from 1; else those of the manifest.
fn class_names(files: &Files, source: &Source<'_>) -> Result<Arc<[String]>, ImageError> {
    let Some(id) = files.find("classes.txt")? else { return Ok(source.classes.clone()) };
    let text = files.bytes(id)?;
    let names = parse_pairs(&text).in_file(files.path(id))?;
    let counted = names.iter().zip(1..).all(|(&(number, _), expected)| number == expected);
    let (found, expected) = (names.len(), source.classes.len());
    if !counted || (found != expected && !source.options.accept_counts) {
        let problem = format!("{found} classes, not {expected} that are numbered from 1 on");
        return Err(ImageError::layout(files.path(id), problem, "unpack the archive again"));
    }
    Ok(names.iter().map(|(_, name)| (*name).to_owned()).collect())
}

fn table<T>(
    files: &Files,
    name: &str,
    hint: &str,
    parse: impl Fn(&[u8]) -> Result<Vec<(u32, T)>, ParseError>,
) -> Result<HashMap<u32, T>, ImageError> {
    let id = files.require(name, hint)?;
    Ok(parse(&files.bytes(id)?).in_file(files.path(id))?.into_iter().collect())
}
