//! ImageNet-1k: training images by synset, validation images flat or by synset.

use std::collections::HashMap;
use std::sync::Arc;

use super::files::{FileId, Files};
use super::listing::Listing;
use super::set::Images;
use super::source::Source;
use crate::error::{ImageError, InFile};
use crate::format::is_image;
use crate::parse::lines::parse_numbers;
use tks_data::parse::mat::{MatValue, parse_mat_variable};

const GROUND_TRUTH: &str = "ILSVRC2012_validation_ground_truth.txt";
const SOLUTION: &str = "LOC_val_solution.csv";
/// Caffe's list, `ILSVRC2012_val_00000001.JPEG 65`: classes are numbered from 0 in the order of their
/// synsets.
const CAFFE: &str = "val.txt";
/// TensorFlow's list: the synset of each image, in the order of image numbers.
const SYNSET_LABELS: &str = "imagenet_2012_validation_synset_labels.txt";
const VALIDATION: &str = "ILSVRC2012_val_";

pub(super) fn list(source: &Source<'_>) -> Result<Listing, ImageError> {
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
        // the outer tar was unpacked but those of the classes were not; or one of those was opened
        files.expand_root()?;
        found = sort_out(&files, source, &synsets);
    }
    if found.is_empty() {
        return Err(ImageError::layout(
            source.root,
            format!("no image of `{}` in a folder of a synset (n01440764)", source.part),
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
                ImageError::layout(files.path(id), "the ground truth has no such image", source.fetch_hint())
            })?,
            (Place::Flat(_), None) => continue,
        });
        ids.push(id);
    }
    Ok(Listing::new(source.classes.clone(), labels, Images::Files { files: Arc::new(files), ids }))
}

/// What an image's path says about its class.
enum Place {
    /// It is in the folder (or the tar) of a synset.
    Synset(i64),
    /// It is a validation image with this number, outside any class folder.
    Flat(u32),
}

/// The images of the part, in the order of their paths.
fn sort_out(files: &Files, source: &Source<'_>, synsets: &HashMap<&str, i64>) -> Vec<(FileId, Place)> {
    let wanted = source.is_train();
    files
        .all()
        .filter(|(_, name)| is_image(name))
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

/// The classes of the flat validation images.
struct Truth(HashMap<u32, i64>);

impl Truth {
    fn read(
        files: &mut Files,
        source: &Source<'_>,
        synsets: &HashMap<&str, i64>,
    ) -> Result<Self, ImageError> {
        if files.find_any(&[GROUND_TRUTH, SOLUTION, CAFFE, SYNSET_LABELS])?.is_none() {
            files.look_into(&["ILSVRC2012_devkit_t12.tar.gz"], 1)?;
        }
        if files.find(GROUND_TRUTH)?.is_none() {
            if let Some(id) = files.find(SOLUTION)? {
                return Self::from_solution(files, id, synsets);
            }
            if let Some(id) = files.find(SYNSET_LABELS)? {
                return Self::from_synsets(files, id, synsets);
            }
            if let Some(id) = files.find(CAFFE)? {
                return Self::from_caffe(files, id, source.classes.len());
            }
        }
        let list = files.require(
            GROUND_TRUTH,
            &format!(
                "fetch the devkit, ILSVRC2012_devkit_t12.tar.gz, into the same folder, or put there one of {SOLUTION} \
                 (Kaggle), {CAFFE} (Caffe) and {SYNSET_LABELS} (TensorFlow)"
            ),
        )?;
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
            (1..).zip(&numbers).map(|(image, number)| Some((image, *of_number.get(number)?))).collect();
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
            let row = line.split_once(',').and_then(|(image, boxes)| {
                let number = image.strip_prefix(VALIDATION)?.parse().ok()?;
                Some((number, *synsets.get(boxes.split_whitespace().next()?)?))
            });
            let (number, label) = row.ok_or_else(|| {
                let problem = format!("line {} names no validation image and synset", index + 1);
                ImageError::layout(&path, problem, "fetch it again")
            })?;
            truth.insert(number, label);
        }
        Ok(Self(truth))
    }

    fn from_caffe(files: &Files, id: FileId, classes: usize) -> Result<Self, ImageError> {
        Self::by_line(files, id, |index, line| {
            let (name, label) = line.rsplit_once(char::is_whitespace).ok_or_else(|| {
                format!(
                    "line {} should be a file's name and a number, such as `{VALIDATION}00000001.JPEG 65`",
                    index + 1
                )
            })?;
            let file = name.trim().rsplit('/').next().unwrap_or_default();
            let number = file.strip_prefix(VALIDATION).and_then(|rest| rest.split('.').next()?.parse().ok());
            let label = label.parse().ok().filter(|&label| (0..classes as i64).contains(&label));
            match (number, label) {
                (Some(number), Some(label)) => Ok((number, label)),
                (None, _) => Err(format!("line {} names no validation image: `{name}`", index + 1)),
                (_, None) => Err(format!("line {} has no class from 0 to {}", index + 1, classes - 1)),
            }
        })
    }

    fn from_synsets(files: &Files, id: FileId, synsets: &HashMap<&str, i64>) -> Result<Self, ImageError> {
        Self::by_line(files, id, |index, line| match synsets.get(line) {
            Some(&label) => Ok((index as u32 + 1, label)),
            None => Err(format!("line {} is none of the synsets: `{line}`", index + 1)),
        })
    }

    fn by_line(
        files: &Files,
        id: FileId,
        parse: impl Fn(usize, &str) -> Result<(u32, i64), String>,
    ) -> Result<Self, ImageError> {
        let bytes = files.bytes(id)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
        let truth = lines.map(|(index, line)| parse(index, line)).collect::<Result<_, String>>();
        truth.map(Self).map_err(|problem| ImageError::layout(files.path(id), problem, "fetch it again"))
    }

    fn label(&self, number: u32) -> Option<i64> {
        self.0.get(&number).copied()
    }
}
