//! Walking a whole data set and telling all that is wrong with it, before a long training finds out.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tks_data::Manifest;

use super::files::Files;
use super::folder::missing_classes;
use super::left_out::LeftOut;
use super::listing::Listing;
use super::set::ImageBytes;
use super::source::{OpenOptions, expected_count};
use crate::decode::Decoder;
use crate::error::ImageError;
use crate::image::Image;

/// What is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckOptions {
    /// Whether each image is decoded as a whole; if not, its file is only read.
    pub decode: bool,
    /// Whether images are compared, to find those that are in two parts or under two classes.
    pub duplicates: bool,
    /// The most problems of a kind that are listed for a part; all are counted.
    pub max_listed: usize,
    /// How the data set is opened.
    pub open: OpenOptions,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { decode: true, duplicates: true, max_listed: 100, open: OpenOptions::default() }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The data set.
    pub dataset: String,
    /// The folder or archive.
    pub root: PathBuf,
    /// Each part that the manifest has, or that a folder was found to have.
    pub parts: Vec<PartReport>,
    /// Whether a publisher's manifest says what is in it.
    pub is_published: bool,
    /// What is not of a part, and is no fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl CheckReport {
    /// Whether nothing was found that keeps the data set from being used as its publisher means it.
    ///
    /// Duplicates within a part do not count, since some of the official sets have them, and neither do classes whose
    /// names differ by case only. The same image in two parts counts in a folder of one's own: it is tested on what it
    /// was trained on.
    pub fn is_sound(&self) -> bool {
        let counts = |kind: &ProblemKind| {
            !kind.is_warning() || (*kind == ProblemKind::DuplicateAcrossParts && !self.is_published)
        };
        self.parts.iter().all(|part| part.failure.is_none() && !part.counts.keys().any(counts))
    }
}

/// What a check found in a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartReport {
    /// The part.
    pub part: String,
    /// The images that its lists name or its folders hold.
    pub images: u64,
    /// The number that the manifest states.
    pub expected: Option<u64>,
    /// The images of each class.
    pub classes: Vec<ClassCount>,
    /// Why the part could not be walked at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// How many problems of each kind there are.
    pub counts: std::collections::BTreeMap<ProblemKind, u64>,
    /// The first of each kind.
    pub problems: Vec<Problem>,
    /// What was passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// The images of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// Its images.
    pub images: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of thing.
    pub kind: ProblemKind,
    /// The image, or what else it is about.
    pub entry: String,
    /// What is wrong with it.
    pub message: String,
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// The labels name an image that is not there.
    Missing,
    /// An image that cannot be read or decoded.
    Unreadable,
    /// What would be samples and is passed over: images in formats that are not read, links to nothing, images beside
    /// the folders of the classes.
    LeftOut,
    /// A class whose folder holds no image that is read.
    EmptyClass,
    /// A class that another part has, and this one has not.
    MissingClass,
    /// One class alone, of which every answer is right.
    OneClass,
    /// A folder of images without folders of parts, or with one alone, so that there is nothing to train on or to test
    /// on.
    NoParts,
    /// A label that is no class.
    LabelRange,
    /// An image that lies in the folder of another class than its label.
    Mislabelled,
    /// Two classes whose names differ by case only.
    SimilarClasses,
    /// The same image in two parts.
    DuplicateAcrossParts,
    /// The same image twice in a part; the message tells whether under two classes.
    DuplicateWithin,
    /// Another number of images than the manifest states.
    Count,
    /// A class with another number of images than the others, where the publisher states that all have as many.
    ClassCount,
}

impl ProblemKind {
    /// Whether a publisher's data set with it is sound all the same.
    pub fn is_warning(self) -> bool {
        matches!(self, Self::DuplicateAcrossParts | Self::DuplicateWithin | Self::SimilarClasses)
    }
}

impl std::fmt::Display for ProblemKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::LeftOut => "left out",
            Self::EmptyClass => "class without an image",
            Self::MissingClass => "missing class",
            Self::OneClass => "one class alone",
            Self::NoParts => "no parts",
            Self::LabelRange => "label that is no class",
            Self::Mislabelled => "in the folder of another class",
            Self::SimilarClasses => "classes that differ by case only",
            Self::DuplicateAcrossParts => "the same in two parts",
            Self::DuplicateWithin => "the same twice in a part",
            Self::Count => "another number than stated",
            Self::ClassCount => "another number of a class than stated",
        })
    }
}

/// Walks a data set, by name, in parallel on rayon's threads.
///
/// # Errors
/// No such data set. What is wrong with its files is in the report.
pub fn check(name: &str, root: &Path, options: &CheckOptions) -> Result<CheckReport, ImageError> {
    let manifest = super::manifest(name)?;
    let parts: Vec<&str> = manifest.split(None)?.parts.keys().map(String::as_str).collect();
    let listings: Vec<_> =
        parts.iter().map(|part| (*part, super::list(&manifest, root, part, &options.open))).collect();
    Ok(report(&manifest.name, Some(&manifest), root, listings, options))
}

/// Walks a folder or archive of images with a folder a class, in the given parts; where none is given, in the parts that
/// are found, or as a whole.
///
/// It reads as [`open_folder`](super::open_folder) does, and compares the classes of the parts.
///
/// # Errors
/// A folder or archive that cannot be opened; what is wrong with what it holds is in the report.
pub fn check_folder(root: &Path, parts: &[&str], options: &CheckOptions) -> Result<CheckReport, ImageError> {
    let files = Arc::new(Files::open(root, &options.open.archive)?);
    let (found, beside) = super::folder::parts(&files);
    let is_whole = parts.is_empty();
    let parts: Vec<&str> = match parts {
        [] => found.iter().map(String::as_str).collect(),
        given => given.to_vec(),
    };
    let listings: Vec<(&str, Result<Listing, ImageError>)> = match parts.as_slice() {
        [] => vec![("all", super::folder::list(&files, None))],
        parts => parts.iter().map(|part| (*part, super::folder::list(&files, Some(part)))).collect(),
    };
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut report = report(&name, None, root, listings, options);
    if !beside.is_empty() {
        report.notes.push(format!("folders that are no part: {}", beside.join(", ")));
    }
    match report.parts.as_mut_slice() {
        [part] if parts.is_empty() && part.failure.is_none() => {
            let message =
                "to train, put the folders of the classes into a folder `train` and a folder `test`";
            no_parts(part, root, message.into());
        }
        [part] if is_whole => {
            let message = format!(
                "`{}` is the only part: there is none to test on; name one `train` and the other `val` or `test`",
                part.part
            );
            no_parts(part, root, message);
        }
        [part] => report.notes.push(format!("`{}` is the only part that was looked at", part.part)),
        _ => {}
    }
    Ok(report)
}

fn no_parts(part: &mut PartReport, root: &Path, message: String) {
    *part.counts.entry(ProblemKind::NoParts).or_default() += 1;
    part.problems.push(Problem { kind: ProblemKind::NoParts, entry: root.display().to_string(), message });
}

fn report(
    name: &str,
    manifest: Option<&Manifest>,
    root: &Path,
    listings: Vec<(&str, Result<Listing, ImageError>)>,
    options: &CheckOptions,
) -> CheckReport {
    // where each image's content was seen first: part, index
    let mut seen: HashMap<u64, Vec<(usize, usize)>> = HashMap::new();
    let mut parts = Vec::new();
    for (number, (part, listing)) in listings.iter().enumerate() {
        let expected = manifest.and_then(|manifest| expected_count(manifest, part));
        let mut findings = Findings::new(part, expected, options.max_listed);
        // training asks for the same classes in the part that it tests on
        let first =
            listings.iter().filter_map(|(part, listing)| Some((*part, listing.as_ref().ok()?))).next();
        match listing {
            Err(error) => findings.report.failure = Some(error.to_string()),
            Ok(listing) => {
                let hashes = walk(listing, options, &mut findings);
                findings.labels(listing, manifest);
                if manifest.is_none() {
                    findings.classes(listing, first);
                }
                if options.duplicates {
                    duplicates(number, &listings, &hashes, &mut seen, &mut findings);
                }
            }
        }
        parts.push(findings.report);
    }
    CheckReport {
        dataset: name.to_owned(),
        root: root.to_owned(),
        parts,
        is_published: manifest.is_some(),
        notes: Vec::new(),
    }
}

struct Findings {
    report: PartReport,
    max_listed: usize,
}

impl Findings {
    fn new(part: &str, expected: Option<u64>, max_listed: usize) -> Self {
        let report = PartReport {
            part: part.to_owned(),
            images: 0,
            expected,
            classes: Vec::new(),
            failure: None,
            counts: Default::default(),
            problems: Vec::new(),
            left_out: Vec::new(),
        };
        Self { report, max_listed }
    }

    fn add(&mut self, kind: ProblemKind, entry: impl FnOnce() -> String, message: impl FnOnce() -> String) {
        let count = self.report.counts.entry(kind).or_default();
        *count += 1;
        if *count <= self.max_listed as u64 {
            self.report.problems.push(Problem { kind, entry: entry(), message: message() });
        }
    }

    /// Classes without an image, those that differ from another part's or by case only, and what was passed over.
    fn classes(&mut self, listing: &Listing, first: Option<(&str, &Listing)>) {
        for (class, why) in &listing.vanished {
            self.add(ProblemKind::EmptyClass, || class.clone(), || format!("its folder holds {why}"));
        }
        if let [only] = &*listing.classes {
            let message =
                || "whatever a network answers is right: give each class a folder of its name".into();
            self.add(ProblemKind::OneClass, || only.clone(), message);
        }
        if let Some((other, of_other)) = first {
            let part = self.report.part.clone();
            for class in missing_classes(&listing.classes, &of_other.classes) {
                let message = || format!("`{part}` lacks this class, which `{other}` has");
                self.add(ProblemKind::MissingClass, || class.clone(), message);
            }
            for class in missing_classes(&of_other.classes, &listing.classes) {
                let message = || format!("`{other}` lacks this class, which `{part}` has");
                self.add(ProblemKind::MissingClass, || class.clone(), message);
            }
        }
        let mut by_lower_case: HashMap<String, &String> = HashMap::new();
        for class in listing.classes.iter() {
            if let Some(other) = by_lower_case.insert(class.to_lowercase(), class) {
                let message = || format!("differs from the class `{other}` by case only");
                self.add(ProblemKind::SimilarClasses, || class.clone(), message);
            }
        }
        for left_out in listing.left_out.iter().filter(|left_out| left_out.is_lost) {
            self.add(
                ProblemKind::LeftOut,
                || left_out.first.clone(),
                || match left_out.count {
                    1 => left_out.what.clone(),
                    count => format!("{}; {count} of them", left_out.what),
                },
            );
        }
        self.report.left_out.clone_from(&listing.left_out);
    }

    /// Counts, missing images, labels out of range and folders that disagree.
    fn labels(&mut self, listing: &Listing, manifest: Option<&Manifest>) {
        let classes = listing.classes.len();
        let mut per_class = vec![0u64; classes];
        let missing = listing.missing.names.iter().map(|(name, label)| (*label, Some(name)));
        let present = listing.labels.iter().map(|label| (*label, None));
        for (index, (label, name)) in present.chain(missing).enumerate() {
            match usize::try_from(label).ok().filter(|&label| label < classes) {
                Some(label) => per_class[label] += 1,
                None => self.add(
                    ProblemKind::LabelRange,
                    || name.cloned().unwrap_or_else(|| listing.images.path(index).display().to_string()),
                    || format!("label {label}, of {classes} classes"),
                ),
            }
        }
        for (name, _) in &listing.missing.names {
            let list = &listing.missing.list;
            self.add(ProblemKind::Missing, || name.clone(), || format!("named in `{list}`, and not there"));
        }
        for &(index, class) in &listing.misplaced {
            let label = listing.labels[index];
            self.add(
                ProblemKind::Mislabelled,
                || listing.images.path(index).display().to_string(),
                || format!("labelled {label}, in the folder of class {class} (`{}`)", listing.classes[class]),
            );
        }
        self.report.images = (listing.labels.len() + listing.missing.names.len()) as u64;
        let (part, found) = (self.report.part.clone(), self.report.images);
        if let Some(expected) = self.report.expected.filter(|&expected| expected != found) {
            self.add(ProblemKind::Count, || part.clone(), || format!("{found} images, not {expected}"));
        }
        if let Some(each) = manifest.and_then(|manifest| images_a_class(&manifest.name, &part)) {
            for (class, &count) in per_class.iter().enumerate().filter(|&(_, &count)| count != each) {
                self.add(
                    ProblemKind::ClassCount,
                    || listing.classes[class].clone(),
                    || format!("{count} images, not {each}"),
                );
            }
        }
        let counted = listing.classes.iter().zip(per_class);
        self.report.classes =
            counted.map(|(class, images)| ClassCount { class: class.clone(), images }).collect();
    }
}

/// The images of every class of a part, where the publisher states that all have as many.
fn images_a_class(dataset: &str, part: &str) -> Option<u64> {
    match (dataset, part) {
        ("cifar10", "train") => Some(5000),
        ("cifar10" | "fashion-mnist", "test") => Some(1000),
        ("cifar100", "train") => Some(500),
        ("cifar100", "test") => Some(100),
        ("cifar100-coarse", "train") => Some(2500),
        ("cifar100-coarse", "test") => Some(500),
        ("fashion-mnist", "train") => Some(6000),
        ("imagenet-1k", "val") => Some(50),
        ("stanford-dogs", "train") => Some(100),
        _ => None,
    }
}

/// Reads every image, and gives the hash of its content; `None` of one that does not read.
fn walk(listing: &Listing, options: &CheckOptions, findings: &mut Findings) -> Vec<Option<u64>> {
    let read =
        |(scratch, decoder, decoded): &mut (Vec<u8>, Decoder, Image), index: usize| -> Result<u64, String> {
            let image = listing.images.image(index, scratch).map_err(|error| error.to_string())?;
            let mut hasher = DefaultHasher::new();
            match image {
                ImageBytes::Planar { pixels, .. } => pixels.hash(&mut hasher),
                ImageBytes::Encoded(bytes) => {
                    if options.decode {
                        decoder.decode(bytes, decoded).map_err(|error| error.to_string())?;
                    }
                    bytes.hash(&mut hasher);
                }
            }
            Ok(hasher.finish())
        };
    let results: Vec<Result<u64, String>> =
        (0..listing.labels.len()).into_par_iter().map_init(Default::default, read).collect();
    let mut hashes = Vec::with_capacity(results.len());
    for (index, result) in results.into_iter().enumerate() {
        hashes.push(match result {
            Ok(hash) => Some(hash),
            Err(message) => {
                let path = || listing.images.path(index).display().to_string();
                findings.add(ProblemKind::Unreadable, path, || message);
                None
            }
        });
    }
    hashes
}

/// Finds images whose bytes are those of an earlier one.
fn duplicates(
    part: usize,
    listings: &[(&str, Result<Listing, ImageError>)],
    hashes: &[Option<u64>],
    seen: &mut HashMap<u64, Vec<(usize, usize)>>,
    findings: &mut Findings,
) {
    let Ok(listing) = &listings[part].1 else { return };
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for (index, hash) in hashes.iter().enumerate() {
        let Some(hash) = hash else { continue };
        let earlier = seen.entry(*hash).or_default();
        // a hash may agree by chance: the bytes decide
        let same = earlier.iter().copied().find(|&(other_part, other)| match &listings[other_part].1 {
            Ok(other_listing) => {
                match (listing.images.image(index, &mut here), other_listing.images.image(other, &mut there))
                {
                    (Ok(one), Ok(two)) => one == two,
                    _ => false,
                }
            }
            Err(_) => false,
        });
        match (same, same.and_then(|(other_part, _)| listings[other_part].1.as_ref().ok())) {
            (Some((other_part, other)), Some(other_listing)) => {
                let (label, other_label) = (listing.labels[index], other_listing.labels[other]);
                let kind = if other_part == part {
                    ProblemKind::DuplicateWithin
                } else {
                    ProblemKind::DuplicateAcrossParts
                };
                let classes = if label == other_label {
                    format!("both of class {label}")
                } else {
                    format!("class {label} here, {other_label} there")
                };
                findings.add(
                    kind,
                    || listing.images.path(index).display().to_string(),
                    || {
                        let path = other_listing.images.path(other);
                        format!(
                            "the same image as {} of `{}`, {classes}",
                            path.display(),
                            listings[other_part].0
                        )
                    },
                );
            }
            _ => earlier.push((part, index)),
        }
    }
}
