//! Any folder of images: one folder per class, within folders of the parts.
//!
//! Training and the check share this reader. It counts and names the files it skips; a class that would lose
//! all its images is an error.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use tks_data::Tally;

use super::files::{FileId, Files};
use super::listing::Listing;
use super::set::{ImageSet, Images};
use super::source::OpenOptions;
use crate::error::ImageError;
use crate::format::{Ending, Format, HEAD, other_by_content};

/// The parts, each with alternative names of its folder, in upper or lower case and possibly followed by a
/// word such as `set`.
const PARTS: [(&str, &[&str]); 3] =
    [("train", &["training"]), ("val", &["valid", "validation", "dev"]), ("test", &["testing"])];

/// Words that do not indicate a part: `training_set`, `seg_train`.
const FILLERS: [&str; 9] = ["set", "data", "dataset", "images", "imgs", "img", "seg", "split", "folder"];

/// Maximum number of enclosing folders around the part folders or class folders.
const MOST_AROUND: usize = 4;

/// Opens a folder (or archive) with a folder of images for each class: `<class>/**/<image>.jpg`.
///
/// With a part (`train`, `val`), the classes are those of the folder of that name in `root` or in the only
/// folder inside `root`; if there is none, a folder with another spelling (`Train`, `training_set`; `valid`,
/// `validation`) is used. Classes are in the order of their folder names, compared byte by byte, as in
/// torchvision's `ImageFolder`. Skipped files are in [`passed_over`](tks_data::SampleSet::passed_over).
///
/// # Errors
/// A folder or archive that cannot be read, one without any image in a class folder, and a class whose folder
/// contains no readable image.
pub fn open_folder(root: &Path, part: Option<&str>, options: &OpenOptions) -> Result<ImageSet, ImageError> {
    let files = Arc::new(Files::open(root, &options.archive)?);
    let listing = list(&files, part)?;
    if let Some((class, why)) = listing.vanished.first() {
        let more = match listing.vanished.len() {
            1 => String::new(),
            count => format!(" (and so {} more)", count - 1),
        };
        return Err(ImageError::layout(
            root,
            format!("the class `{class}` would be lost{more}: its folder holds {why}"),
            "give each class an image (JPEG, PNG, WebP, BMP or GIF), or remove its folder",
        ));
    }
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(ImageSet {
        name,
        part: part.unwrap_or("all").to_owned(),
        classes: listing.classes,
        labels: listing.labels.iter().map(|&label| label as u32).collect(),
        boxes: None,
        images: listing.images,
        passed_over: listing.passed_over,
    })
}

/// The difference between the classes of two parts, as a sentence; `None` if they are equal.
///
/// ```
/// let [train, val] = [["cat", "dog"].map(String::from), ["cat", "Dog"].map(String::from)];
/// let difference = tks_images::datasets::class_difference(("train", &train), ("val", &val)).unwrap();
/// assert_eq!(difference, "`val` lacks the class `dog`, which `train` has; `train` lacks the class `Dog`, which `val` has");
/// ```
pub fn class_difference(first: (&str, &[String]), second: (&str, &[String])) -> Option<String> {
    const NAMED: usize = 5;
    let lacks = |(part, classes): (&str, &[String]), (other, of_other): (&str, &[String])| {
        let missing: Vec<String> =
            missing_classes(classes, of_other).map(|class| format!("`{class}`")).collect();
        let named = missing.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        Some(match missing.len() {
            0 => return None,
            1 => format!("`{part}` lacks the class {named}, which `{other}` has"),
            count if count > NAMED => {
                format!("`{part}` lacks {count} classes that `{other}` has: {named}, ...")
            }
            count => format!("`{part}` lacks {count} classes that `{other}` has: {named}"),
        })
    };
    let both: Vec<String> = [lacks(second, first), lacks(first, second)].into_iter().flatten().collect();
    (!both.is_empty()).then(|| both.join("; "))
}

/// The classes of `other` that are not among `classes`.
pub(super) fn missing_classes<'a>(
    classes: &'a [String],
    other: &'a [String],
) -> impl Iterator<Item = &'a String> {
    let known: HashSet<&String> = classes.iter().collect();
    other.iter().filter(move |class| !known.contains(class))
}

/// The part folders, in the order train, val, test, as spelt; and the other entries beside them.
pub(super) fn parts(files: &Files) -> (Vec<String>, Vec<String>) {
    let Some((base, mut found)) = part_folders(files) else { return Default::default() };
    found.sort_by_key(|folder| PARTS.iter().position(|(part, _)| part_of(folder) == Some(part)));
    let beside = Level::new(files, &base).folders.into_keys().filter(|folder| !found.contains(folder));
    (found.clone(), beside.collect())
}

/// The part that a folder's name denotes.
fn part_of(folder: &str) -> Option<&'static str> {
    let lower = folder.to_lowercase();
    let mut words =
        lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !FILLERS.contains(word));
    let (Some(word), None) = (words.next(), words.next()) else { return None };
    let word = word.strip_suffix("set").unwrap_or(word);
    PARTS.iter().find(|(part, others)| *part == word || others.contains(&word)).map(|(part, _)| *part)
}

/// The folder that contains the part folders (`""`, or its name with a `/`), and those folders.
///
/// A folder `train` among others that directly contain images is a class of trains: at least one part must
/// contain folders.
fn part_folders(files: &Files) -> Option<(String, Vec<String>)> {
    let mut base = String::new();
    for _ in 0..=MOST_AROUND {
        let level = Level::new(files, &base);
        let is_part = |folder: &&String| part_of(folder).is_some();
        let found: Vec<String> = level.folders.keys().filter(is_part).cloned().collect();
        if found.iter().any(|folder| !Level::new(files, &format!("{base}{folder}/")).folders.is_empty()) {
            return Some((base, found));
        }
        let mut folders = level.folders.into_keys();
        let (Some(only), None) = (folders.next(), folders.next()) else { return None };
        base = format!("{base}{only}/");
    }
    None
}

/// The direct contents of a folder: its subfolders, each with whether it contains a file, and whether there
/// are images.
struct Level {
    folders: BTreeMap<String, bool>,
    has_images: bool,
}

impl Level {
    fn new(files: &Files, prefix: &str) -> Self {
        let mut level = Level { folders: BTreeMap::new(), has_images: false };
        for (_, name) in files.below(prefix) {
            match name.split_once('/') {
                Some((folder, _)) if is_hidden(folder) => {}
                Some((folder, _)) => {
                    if !level.folders.contains_key(folder) {
                        level.folders.insert(folder.to_owned(), true);
                    }
                }
                None => level.has_images |= Ending::new(name) == Ending::Image,
            }
        }
        for name in files.empty_folders().filter_map(|name| name.strip_prefix(prefix)) {
            let folder = name.split('/').next().unwrap_or(name);
            if !is_hidden(folder) && !folder.is_empty() {
                level.folders.entry(folder.to_owned()).or_insert(false);
            }
        }
        level
    }
}

fn is_hidden(part: &str) -> bool {
    part.starts_with('.')
}

/// The folder of the classes of `part`: `""`, or its name with a `/`.
fn class_folder(files: &Files, part: Option<&str>) -> Result<String, ImageError> {
    let mut place = match part {
        Some(part) => part_folder(files, part)?,
        None => String::new(),
    };
    // a single folder that contains only folders: `train/train/<class>/`, or a zip of a folder
    for _ in 0..MOST_AROUND {
        let level = Level::new(files, &place);
        let mut folders = level.folders.keys();
        let (Some(only), None, false) = (folders.next(), folders.next(), level.has_images) else { break };
        let inner = format!("{place}{only}/");
        let inside = Level::new(files, &inner);
        if inside.folders.is_empty() || inside.has_images {
            break;
        }
        place = inner;
    }
    Ok(place)
}

fn part_folder(files: &Files, part: &str) -> Result<String, ImageError> {
    let exact = format!("{part}/");
    if files.below(&exact).next().is_some() {
        return Ok(exact);
    }
    let Some((base, found)) = part_folders(files) else {
        let top = Level::new(files, "").folders;
        let class = top.keys().find(|folder| Level::new(files, &format!("{folder}/")).has_images);
        return Err(match class {
            Some(class) => ImageError::layout(
                files.root(),
                format!("there are no parts, such as `{part}/{class}/`: `{class}/` holds images itself"),
                "put the folders of the classes into a folder `train` and a folder `val` (or `test`), or name the folder \
                 that has those",
            ),
            None => ImageError::layout(
                files.root(),
                format!("no image in a folder of its class, `{part}/<class>/` ({})", files.found()),
                "put the images of each class into a folder of its name",
            ),
        });
    };
    if found.iter().any(|folder| folder == part) {
        return Ok(format!("{base}{part}/"));
    }
    let wanted = part_of(part);
    let same: Vec<&String> =
        found.iter().filter(|folder| wanted.is_some() && part_of(folder) == wanted).collect();
    match same.as_slice() {
        [folder] => Ok(format!("{base}{folder}/")),
        several => {
            let known = if several.is_empty() { found.iter().collect() } else { several.to_vec() };
            let known: Vec<String> = known.iter().map(|folder| format!("`{folder}`")).collect();
            let problem = if several.is_empty() {
                format!(
                    "no folder of the part `{part}`, as in `{part}/<class>/`; there are {}",
                    known.join(", ")
                )
            } else {
                format!("several folders may be the part `{part}`: {}", known.join(", "))
            };
            Err(ImageError::layout(
                files.root(),
                problem,
                "name one in `data.train.part` or `data.test.part`",
            ))
        }
    }
}

/// The contents of a class folder.
#[derive(Default)]
struct Class {
    images: Vec<FileId>,
    passed_over: Tally,
}

/// The images of a part, or of the whole folder.
pub(super) fn list(files: &Arc<Files>, part: Option<&str>) -> Result<Listing, ImageError> {
    let place = class_folder(files, part)?;
    let mut classes: BTreeMap<&str, Class> = BTreeMap::new();
    let mut passed_over = Tally::default();
    for (id, name) in files.below(&place) {
        let full = || files.name(id).to_owned();
        if name.split('/').any(is_hidden) {
            passed_over.add("hidden file", false, full);
            continue;
        }
        let kind = kind_of(files, id, name)?;
        match (name.split_once('/'), kind) {
            (Some((class, _)), Kind::Image) => classes.entry(class).or_default().images.push(id),
            (Some((class, _)), kind) => skip(&mut classes.entry(class).or_default().passed_over, kind, full),
            (None, Kind::Image) => passed_over.add("image beside the folders of the classes", true, full),
            (None, kind) => skip(&mut passed_over, kind, full),
        }
    }
    for name in files.empty_folders().filter_map(|name| name.strip_prefix(place.as_str())) {
        let class = name.split('/').next().unwrap_or(name);
        if !class.is_empty() && !is_hidden(class) {
            classes.entry(class).or_default();
        }
    }
    let skipped = files.skipped().iter().filter(|skipped| skipped.name.starts_with(place.as_str()));
    passed_over.add_skipped(skipped);
    if classes.values().all(|class| class.images.is_empty()) {
        for class in classes.into_values() {
            passed_over.merge(class.passed_over);
        }
        let passed = match passed_over.line() {
            told if told.is_empty() => files.found(),
            told => format!("passed over: {told}"),
        };
        return Err(ImageError::layout(
            files.root(),
            format!(
                "no image (JPEG, PNG, WebP, BMP, GIF) in a folder of its class, `{place}<class>/` ({passed})"
            ),
            "put the images of each class into a folder of its name",
        ));
    }
    let names: Arc<[String]> = classes.keys().map(|name| (*name).to_owned()).collect();
    let (mut ids, mut labels, mut vanished) = (Vec::new(), Vec::new(), Vec::new());
    for (label, (name, class)) in (0i64..).zip(classes) {
        if class.images.is_empty() {
            let why = match class.passed_over.line() {
                told if told.is_empty() => "nothing".to_owned(),
                told => format!("no image that is read: {told}"),
            };
            vanished.push((name.to_owned(), why));
        }
        passed_over.merge(class.passed_over);
        labels.resize(labels.len() + class.images.len(), label);
        ids.extend(class.images);
    }
    let mut listing = Listing::new(names, labels, Images::Files { files: Arc::clone(files), ids });
    listing.vanished = vanished;
    listing.passed_over = passed_over.finish();
    Ok(listing)
}

/// The role of a file for an image reader.
enum Kind {
    Image,
    /// An image in an unsupported format.
    OtherImage(String),
    Other(String),
}

/// By its extension, or by its content if the extension is not that of a supported image format.
fn kind_of(files: &Files, id: FileId, name: &str) -> Result<Kind, ImageError> {
    let ending = Ending::new(name);
    match ending {
        Ending::Image => return Ok(Kind::Image),
        Ending::Text => return Ok(Kind::Other("file that is no image".into())),
        Ending::OtherImage(_) | Ending::Unknown => {}
    }
    let head = files.head(id, HEAD)?;
    if Format::by_content(&head).is_some() {
        return Ok(Kind::Image);
    }
    Ok(match (ending, other_by_content(&head)) {
        (Ending::OtherImage(format), _) => Kind::OtherImage(format!("{format} image")),
        (_, Some(what)) => {
            let what = what.trim_start_matches("a ").trim_start_matches("an ");
            if what.contains("image") {
                Kind::OtherImage(what.to_owned())
            } else {
                Kind::Other(what.to_owned())
            }
        }
        (_, None) => Kind::Other("file that is no image".into()),
    })
}

/// Counts a file that is not an image to be read.
fn skip(passed_over: &mut Tally, kind: Kind, name: impl FnOnce() -> String) {
    match kind {
        Kind::Image => {}
        Kind::OtherImage(what) => passed_over.add(&format!("{what}, which is not read"), true, name),
        Kind::Other(what) => passed_over.add(&what, false, name),
    }
}

#[cfg(test)]
mod tests {
    use super::part_of;

    #[test]
    fn parts_by_their_spellings() {
        for (names, part) in [
            (
                &[
                    "train",
                    "Train",
                    "TRAIN",
                    "training",
                    "training_set",
                    "seg_train",
                    "trainset",
                    "train-images",
                ][..],
                "train",
            ),
            (&["val", "valid", "Validation", "validation_set", "dev"], "val"),
            (&["test", "Testing", "test set"], "test"),
        ] {
            for name in names {
                assert_eq!(part_of(name), Some(part), "{name}");
            }
        }
        for name in ["trains", "cat", "train cat", "set", "", "contest", "train_val"] {
            assert_eq!(part_of(name), None, "{name}");
        }
    }
}
