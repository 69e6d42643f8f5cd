//! Checks a whole data set and reports everything that is wrong with it, before a long training run does.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tks_data::{Manifest, PassedFiles};

use super::files::Files;
use super::folder::missing_classes;
use super::listing::Listing;
use super::set::ImageBytes;
use super::source::{OpenOptions, expected_count};
use crate::decode::Decoder;
use crate::error::ImageError;
use crate::image::Image;

/// Options of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckOptions {
    /// Whether each image is fully decoded; if not, its file is only read.
    pub decode: bool,
    /// Whether images are compared, to find duplicates in two parts or under two classes.
    pub duplicates: bool,
    /// The maximum number of problems of each kind listed for a part; all are counted.
    pub max_listed: usize,
    /// How the data set is opened.
    pub open: OpenOptions,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { decode: true, duplicates: true, max_listed: 100, open: OpenOptions::default() }
    }
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The data set.
    pub dataset: String,
    /// The folder or archive.
    pub root: PathBuf,
    /// Each part in the manifest, or found in the folder.
    pub parts: Vec<PartReport>,
    /// Whether a publisher's manifest describes its contents.
    pub is_published: bool,
    /// Remarks that concern no particular part and are not faults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl CheckReport {
    /// Whether the data set can be used as its publisher intended.
    ///
    /// Duplicates within a part do not count as faults, since some official sets have them, and neither do
    /// class names that differ only in case. The same image in two parts is a fault in a user's own folder,
    /// as the network would be tested on training images.
    pub fn is_sound(&self) -> bool {
        let counts = |kind: &ProblemKind| {
            !kind.is_warning() || (*kind == ProblemKind::DuplicateAcrossParts && !self.is_published)
        };
        self.parts.iter().all(|part| part.failure.is_none() && !part.counts.keys().any(counts))
    }
}

/// The result of a check for a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartReport {
    /// The part.
    pub part: String,
    /// The number of images in its lists or folders.
    pub images: u64,
    /// The number stated in the manifest.
    pub expected: Option<u64>,
    /// The number of images of each class.
    pub classes: Vec<ClassCount>,
    /// Why the part could not be checked at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The number of problems of each kind.
    pub counts: std::collections::BTreeMap<ProblemKind, u64>,
    /// The first problems of each kind.
    pub problems: Vec<Problem>,
    /// Skipped files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<PassedFiles>,
}

/// The number of images of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// Its number of images.
    pub images: u64,
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its kind.
    pub kind: ProblemKind,
    /// The image or other subject.
    pub entry: String,
    /// The problem, in words.
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
    /// A skipped file that looks like a sample: images in unsupported formats, broken links, images outside
    /// the class folders.
    LeftOut,
    /// A class whose folder contains no readable image.
    EmptyClass,
    /// A class of another part that is missing from this one.
    MissingClass,
    /// Only one class, so that every prediction is correct.
    OneClass,
    /// A folder of images without part folders, or with only one, so that there is nothing to train or test
    /// on.
    NoParts,
    /// A label outside the classes.
    LabelRange,
    /// An image in the folder of a class other than its label.
    Mislabelled,
    /// Two class names that differ only in case.
    SimilarClasses,
    /// The same image in two parts.
    DuplicateAcrossParts,
    /// The same image twice in a part; the message says whether under two classes.
    DuplicateWithin,
    /// A number of images that differs from the manifest's.
    Count,
    /// A class whose number of images differs from the others', if the publisher states that all are equal.
    ClassCount,
}

impl ProblemKind {
    /// Whether a publisher's data set is sound in spite of it.
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

/// Checks a data set, by name, in parallel on rayon's threads.
///
/// # Errors
/// If there is no such data set. Faults in its files are in the report.
pub fn check(name: &str, root: &Path, options: &CheckOptions) -> Result<CheckReport, ImageError> {
    let manifest = super::manifest(name)?;
    let parts: Vec<&str> = manifest.split(None)?.parts.keys().map(String::as_str).collect();
    let listings: Vec<_> =
        parts.iter().map(|part| (*part, super::list(&manifest, root, part, &options.open))).collect();
    Ok(report(&manifest.name, Some(&manifest), root, listings, options))
}

/// Checks a folder or archive of images with one folder per class: the given parts, or if none are given, the
/// parts found, or the whole.
///
/// It uses the same reader as [`open_folder`](super::open_folder), and compares the classes of the parts.
///
/// # Errors
/// If the folder or archive cannot be opened; faults in its contents are in the report.
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
    // where each image's content was first seen: part, index
    let mut seen: HashMap<u64, Vec<(usize, usize)>> = HashMap::new();
    let mut parts = Vec::new();
    for (number, (part, listing)) in listings.iter().enumerate() {
        let expected = manifest.and_then(|manifest| expected_count(manifest, part));
        let mut findings = Findings::new(part, expected, options.max_listed);
        // training requires the same classes in the test part
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

    /// Classes without images, those missing from another part or differing only in case, and skipped files.
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
        for left_out in listing.passed_over.iter().filter(|left_out| left_out.is_lost) {
            self.add(
                ProblemKind::LeftOut,
                || left_out.first.clone(),
                || match left_out.count {
                    1 => left_out.what.clone(),
                    count => format!("{}; {count} of them", left_out.what),
                },
            );
        }
        self.report.left_out.clone_from(&listing.passed_over);
    }

    /// Counts, missing images, labels out of range and folders that disagree with labels.
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

/// The number of images of every class of a part, if the publisher states that all are equal.
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

/// Reads every image and returns the hash of its content; `None` for one that cannot be read.
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

/// Finds images with the same bytes as an earlier one.
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
        // hashes may collide: the bytes decide
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
