//! ImageNet-1k: training pictures by synset, validation pictures flat or by synset.

use std::collections::HashMap;
use std::sync::Arc;

use super::Source;
use super::draft::Draft;
use super::files::{FileId, Files};
use super::set::Pictures;
use super::stanford::is_picture;
use crate::error::{ImageError, InFile};
use crate::parse::lines::parse_numbers;
use tks_data::parse::mat::{MatValue, parse_mat_variable};

const GROUND_TRUTH: &str = "ILSVRC2012_validation_ground_truth.txt";
const SOLUTION: &str = "LOC_val_solution.csv";
const VALIDATION: &str = "ILSVRC2012_val_";

pub(super) fn draft(source: &Source<'_>) -> Result<Draft, ImageError> {
    // a class is named `n01440764 tench, Tinca tinca`: its folder is the synset
    let synsets: HashMap<&str, i64> =
        source.classes.iter().map(|name| name.split(' ').next().unwrap_or(name)).zip(0..).collect();
    let mut files = source.files()?;
    let mut found = sort_out(&files, source, &synsets);
    if found.is_empty() {
        let (archive, depth) =
            if source.is_train() { ("ILSVRC2012_img_train.tar", 2) } else { ("ILSVRC2012_img_val.tar", 1) };
        files.look_into(&[archive], depth)?;
        found = sort_out(&files, source, &synsets);
    }
    if found.is_empty() && source.is_train() {
        // the outer tar was unpacked, those of the classes were not; or one of them was opened
        files.expand_root()?;
        found = sort_out(&files, source, &synsets);
    }
    if found.is_empty() {
        return Err(ImageError::layout(
            source.root,
            format!("no picture of `{}` in a folder of a synset (n01440764)", source.part),
            source.fetch_hint(),
        ));
    }
    let truth = if found.iter().any(|(_, place)| matches!(place, Place::Flat(_))) {
        Some(Truth::read(&mut files, source, &synsets)?)
    } else {
        None
    };
    let mut labels = Vec::with_capacity(found.len());
    let mut ids = Vec::with_capacity(found.len());
    for (id, place) in found {
        labels.push(match (place, &truth) {
            (Place::Synset(label), _) => label,
            (Place::Flat(number), Some(truth)) => truth.label(number).ok_or_else(|| {
                ImageError::layout(
                    files.path(id),
                    "the ground truth has no such picture",
                    source.fetch_hint(),
                )
            })?,
            (Place::Flat(_), None) => continue,
        });
        ids.push(id);
    }
    Ok(Draft::new(source.classes.clone(), labels, Pictures::Files { files: Arc::new(files), ids }))
}

/// What a picture's path tells of its class.
enum Place {
    /// It lies in the folder (or the tar) of a synset.
    Synset(i64),
    /// It is a validation picture of this number, in no class's folder.
    Flat(u32),
}

/// The pictures of the part, by the order of their paths.
fn sort_out(files: &Files, source: &Source<'_>, synsets: &HashMap<&str, i64>) -> Vec<(FileId, Place)> {
    let wanted = source.is_train();
    files
        .all()
        .filter(|(_, name)| is_picture(name))
        .filter_map(|(id, name)| {
            let mut parts = name.rsplit('/');
            let file = parts.next()?;
            let folder = parts.next().unwrap_or_default();
            let label = synsets.get(folder.trim_end_matches(".tar")).copied();
            let number = file.strip_prefix(VALIDATION);
            let is_train = number.is_none() && !parts.any(|part| matches!(part, "val" | "validation"));
            if is_train != wanted {
                return None;
            }
            match (label, number) {
                (Some(label), _) => Some((id, Place::Synset(label))),
                (None, Some(number)) => Some((id, Place::Flat(number.split('.').next()?.parse().ok()?))),
                (None, None) => None,
            }
        })
        .collect()
}

/// What the flat validation pictures show.
struct Truth(HashMap<u32, i64>);

impl Truth {
    fn read(
        files: &mut Files,
        source: &Source<'_>,
        synsets: &HashMap<&str, i64>,
    ) -> Result<Self, ImageError> {
        if files.find(GROUND_TRUTH)?.is_none() && files.find(SOLUTION)?.is_none() {
            files.look_into(&["ILSVRC2012_devkit_t12.tar.gz"], 1)?;
        }
        if files.find(GROUND_TRUTH)?.is_none()
            && let Some(id) = files.find(SOLUTION)?
        {
            return Self::from_solution(files, id, synsets);
        }
        let list = files
            .require(GROUND_TRUTH, "fetch the devkit, ILSVRC2012_devkit_t12.tar.gz, into the same folder")?;
        let meta = files
            .require("meta.mat", "fetch the devkit, ILSVRC2012_devkit_t12.tar.gz, into the same folder")?;
        let numbers = parse_numbers(&files.bytes(list)?).in_file(files.path(list))?;
        let meta_path = files.path(meta);
        let rows = parse_mat_variable(&files.bytes(meta)?, "synsets").in_file(&meta_path)?;
        let mut of_number = HashMap::new();
        for row in rows.elements().into_iter().flatten() {
            let number = row.field("ILSVRC2012_ID").and_then(MatValue::number);
            let synset = row.field("WNID").and_then(MatValue::text);
            if let (Some(number), Some(&label)) = (number, synset.and_then(|synset| synsets.get(synset))) {
                of_number.insert(number as u32, label);
            }
        }
        if of_number.len() < source.classes.len() && !source.options.accept_counts {
            let problem = format!("{} of the {} classes in `synsets`", of_number.len(), source.classes.len());
            return Err(ImageError::layout(meta_path, problem, "fetch the devkit again"));
        }
        let truth: Option<HashMap<u32, i64>> =
            (1..).zip(&numbers).map(|(picture, number)| Some((picture, *of_number.get(number)?))).collect();
        truth.map(Self).ok_or_else(|| {
            ImageError::layout(
                files.path(list),
                "a number that is no class of meta.mat",
                "fetch the devkit again",
            )
        })
    }

    /// The file of the Kaggle edition: `ILSVRC2012_val_00048981,n03995372 85 1 499 272`.
    fn from_solution(files: &Files, id: FileId, synsets: &HashMap<&str, i64>) -> Result<Self, ImageError> {
        let path = files.path(id);
        let bytes = files.bytes(id)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut truth = HashMap::new();
        for (index, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            let row = line.split_once(',').and_then(|(picture, boxes)| {
                let number = picture.strip_prefix(VALIDATION)?.parse().ok()?;
                Some((number, *synsets.get(boxes.split_whitespace().next()?)?))
            });
            let (number, label) = row.ok_or_else(|| {
                let problem = format!("line {} names no validation picture and synset", index + 1);
                ImageError::layout(&path, problem, "fetch it again")
            })?;
            truth.insert(number, label);
        }
        Ok(Self(truth))
    }

    fn label(&self, number: u32) -> Option<i64> {
        self.0.get(&number).copied()
    }
}
