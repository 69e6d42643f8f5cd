//! Folders of images as found in practice: nothing is dropped silently, and the check reads the same files as
//! training.
#![cfg(unix)]

mod common;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use common::{gzip, jpeg, tar, write};
use image::{ExtendedColorType, ImageEncoder};
use tks_data::SampleSet;
use tks_images::datasets::{CheckOptions, CheckReport, ImageBytes, ProblemKind, check_folder, open_folder};
use tks_images::decode::{Decoder, dimensions};
use tks_images::{Image, ImageError, ImageSet, OpenOptions};

fn open(root: &Path, part: &str) -> Result<ImageSet, ImageError> {
    open_folder(root, Some(part), &OpenOptions::default())
}

fn problem(root: &Path, part: &str) -> String {
    open(root, part).unwrap_err().to_string()
}

fn check(root: &Path) -> CheckReport {
    check_folder(root, &[], &CheckOptions::default()).unwrap()
}

/// Pixels that are different for each seed, 5 x 4.
fn pixels(seed: u8) -> Vec<u8> {
    (0..5 * 4 * 3).map(|i: u8| i.wrapping_mul(seed | 1).wrapping_add(seed)).collect()
}

/// The same pixels in a lossless format.
fn encoded(format: &str, seed: u8) -> Vec<u8> {
    let (pixels, mut bytes) = (pixels(seed), Vec::new());
    let (size, colours) = ((5, 4), ExtendedColorType::Rgb8);
    match format {
        "webp" => image::codecs::webp::WebPEncoder::new_lossless(&mut bytes)
            .write_image(&pixels, size.0, size.1, colours)
            .unwrap(),
        "bmp" => {
            image::codecs::bmp::BmpEncoder::new(&mut bytes).encode(&pixels, size.0, size.1, colours).unwrap()
        }
        "png" => image::codecs::png::PngEncoder::new(&mut bytes)
            .write_image(&pixels, size.0, size.1, colours)
            .unwrap(),
        "gif" => {
            image::codecs::gif::GifEncoder::new(&mut bytes).encode(&pixels, size.0, size.1, colours).unwrap();
        }
        _ => panic!("{format}"),
    }
    bytes
}

/// Three classes of two JPEGs in each part.
fn three_classes(root: &Path, parts: &[&str]) {
    let mut seed = 0;
    for part in parts {
        for class in ["cat", "dog", "emu"] {
            for number in 0..2 {
                seed += 1;
                write(root, &format!("{part}/{class}/{number}.jpg"), jpeg(seed));
            }
        }
    }
}

#[test]
fn webp_bmp_and_gif_are_read_whatever_their_names_say() {
    let folder = tempfile::tempdir().unwrap();
    let formats = ["webp", "bmp", "png", "gif"];
    for (seed, format) in (1..).zip(formats) {
        write(folder.path(), &format!("train/{format}/1.{}", format.to_uppercase()), encoded(format, seed));
    }
    // by content, if the name indicates no format or the wrong one
    write(folder.path(), "train/none/n01440764_1", encoded("webp", 9));
    write(folder.path(), "train/other/1.tif", encoded("bmp", 10));
    write(folder.path(), "train/wrong/1.jpg", encoded("gif", 11));
    let set = open(folder.path(), "train").unwrap();
    assert_eq!(set.class_names(), ["bmp", "gif", "none", "other", "png", "webp", "wrong"]);
    assert_eq!(set.passed_over(), []);
    let (mut scratch, mut image) = (Vec::new(), Image::default());
    for (index, (seed, exact)) in
        [(2, true), (4, false), (9, true), (10, true), (3, true), (1, true), (11, false)]
            .into_iter()
            .enumerate()
    {
        let ImageBytes::Encoded(bytes) = set.image(index, &mut scratch).unwrap() else { panic!() };
        assert_eq!(dimensions(bytes).unwrap(), [4, 5]);
        Decoder::default().decode(bytes, &mut image).unwrap();
        assert_eq!((image.height, image.width, image.channels), (4, 5, 3));
        // a GIF's palette is chosen by the encoder
        assert!(!exact || image.pixels == pixels(seed), "{}", set.path(index).display());
    }
}

#[test]
fn a_format_that_is_not_read_is_counted_and_an_error_where_a_class_is_lost_by_it() {
    let folder = tempfile::tempdir().unwrap();
    three_classes(folder.path(), &["train", "val"]);
    let avif = b"\0\0\0\x1cftypavif\0\0\0\0";
    write(folder.path(), "train/cat/2.avif", avif);
    write(folder.path(), "train/cat/3.bin", avif);
    write(folder.path(), "train/cat/notes.txt", "no image");
    write(folder.path(), "train/cat/.hidden.jpg", jpeg(1));
    let set = open(folder.path(), "train").unwrap();
    assert_eq!(set.per_class(), [2, 2, 2]);
    let told: Vec<String> = set.passed_over().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "2 x AVIF image, which is not read (the first is `train/cat/2.avif`)",
            "1 file that is no image (`train/cat/notes.txt`)",
            "1 hidden file (`train/cat/.hidden.jpg`)",
        ]
    );
    let report = check(folder.path());
    assert_eq!(report.parts[0].counts.get(&ProblemKind::LeftOut), Some(&1));
    assert!(!report.is_sound());

    write(folder.path(), "train/fox/1.avif", avif);
    std::fs::create_dir(folder.path().join("train/gnu")).unwrap();
    let error = problem(folder.path(), "train");
    assert!(error.contains("the class `fox` would be lost (and so 1 more)"), "{error}");
    assert!(error.contains("1 AVIF image, which is not read (`train/fox/1.avif`)"), "{error}");
    let report = check(folder.path());
    let classes: Vec<(&str, u64)> =
        report.parts[0].classes.iter().map(|class| (class.class.as_str(), class.images)).collect();
    assert_eq!(classes, [("cat", 2), ("dog", 2), ("emu", 2), ("fox", 0), ("gnu", 0)]);
    assert_eq!(report.parts[0].counts.get(&ProblemKind::EmptyClass), Some(&2));
}

#[test]
fn a_class_that_one_part_lacks_is_named() {
    let folder = tempfile::tempdir().unwrap();
    three_classes(folder.path(), &["train", "val"]);
    assert!(check(folder.path()).is_sound());
    std::fs::remove_dir_all(folder.path().join("val/dog")).unwrap();
    write(folder.path(), "val/Emu/1.jpg", jpeg(90));
    let report = check(folder.path());
    assert!(!report.is_sound());
    let missing: Vec<&str> = report.parts[1]
        .problems
        .iter()
        .filter(|problem| problem.kind == ProblemKind::MissingClass)
        .map(|problem| problem.message.as_str())
        .collect();
    let expected = ["`val` lacks this class, which `train` has", "`train` lacks this class, which `val` has"];
    assert_eq!(missing, expected);
    assert_eq!(report.parts[1].counts.get(&ProblemKind::SimilarClasses), Some(&1));
    let [train, val] = ["train", "val"].map(|part| open(folder.path(), part).unwrap());
    let difference =
        tks_images::datasets::class_difference(("train", train.class_names()), ("val", val.class_names()));
    assert_eq!(
        difference.unwrap(),
        "`val` lacks the class `dog`, which `train` has; `train` lacks the class `Emu`, which `val` has"
    );
}

#[test]
fn parts_are_found_in_any_spelling_and_packing() {
    let sorted = |set: &ImageSet| -> Vec<Vec<u8>> {
        let mut scratch = Vec::new();
        let bytes = |index| match set.image(index, &mut scratch).unwrap() {
            ImageBytes::Encoded(bytes) => bytes.to_vec(),
            ImageBytes::Planar { .. } => panic!(),
        };
        (0..set.len()).map(bytes).collect()
    };
    let files = |train: &str, val: &str| -> Vec<(String, Vec<u8>)> {
        let of = |part: &str, first: u8| -> Vec<(String, Vec<u8>)> {
            [("cat", 0), ("dog", 1), ("emu", 2)]
                .map(|(class, seed)| (format!("{part}/{class}/1.JPG"), jpeg(first + seed)))
                .to_vec()
        };
        [of(train, 1), of(val, 11)].concat()
    };
    for (train, val) in [
        ("train", "val"),
        ("Train", "Valid"),
        ("TRAIN", "validation"),
        ("training_set/training_set", "val_set/val_set"),
        ("images/train", "images/valid"),
        ("a/b/Training", "a/b/VALIDATION"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let files = files(train, val);
        let named: Vec<(&str, Vec<u8>)> =
            files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        for (name, bytes) in &named {
            write(folder.path(), &format!("plain/{name}"), bytes);
        }
        write(folder.path(), "plain/__MACOSX/x.jpg", b"no image");
        write(folder.path(), "packed.tar", tar(&named));
        write(folder.path(), "packed.tar.gz", gzip(&tar(&named)));
        for root in ["plain", "packed.tar", "packed.tar.gz"] {
            let root = folder.path().join(root);
            let [first, second] = ["train", "val"].map(|part| open(&root, part).unwrap());
            assert_eq!(first.class_names(), ["cat", "dog", "emu"], "{train} {}", root.display());
            assert_eq!(sorted(&first), [1, 2, 3].map(jpeg));
            assert_eq!(sorted(&second), [11, 12, 13].map(jpeg));
            let report = check(&root);
            assert!(report.is_sound(), "{report:?}");
            let counts: Vec<u64> = report.parts.iter().map(|part| part.images).collect();
            assert_eq!(counts, [3, 3]);
        }
    }
    // no part of that name: the existing ones are named
    let folder = tempfile::tempdir().unwrap();
    three_classes(folder.path(), &["train", "valid", "validation"]);
    assert!(problem(folder.path(), "test").contains("there are `train`, `valid`, `validation`"));
    assert!(
        problem(folder.path(), "val")
            .contains("several folders may be the part `val`: `valid`, `validation`")
    );
    assert_eq!(open(folder.path(), "valid").unwrap().len(), 6);
}

#[test]
fn a_class_called_train_is_a_class() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["train", "car", "test"] {
        write(folder.path(), &format!("{class}/1.jpg"), jpeg(class.len() as u8));
    }
    let set = open_folder(folder.path(), None, &OpenOptions::default()).unwrap();
    assert_eq!(set.class_names(), ["car", "test", "train"]);
    // and nothing to train on
    assert!(problem(folder.path(), "train").contains("`train/<class>/`"));
    let report = check(folder.path());
    assert_eq!(report.parts[0].images, 3);
    assert!(report.parts[0].counts.contains_key(&ProblemKind::NoParts) && !report.is_sound());
}

#[test]
fn what_lies_beside_the_classes_and_links_to_nothing_are_told() {
    let folder = tempfile::tempdir().unwrap();
    three_classes(folder.path(), &["train", "test"]);
    write(folder.path(), "train/stray.jpg", jpeg(77));
    write(folder.path(), "train/labels.csv", "a,b");
    write(folder.path(), "train/.ipynb_checkpoints/1.jpg", jpeg(78));
    write(folder.path(), "train/cat/more/deep/9.jpg", jpeg(79));
    write(folder.path(), "extra/cat/1.jpg", jpeg(80));
    std::os::unix::fs::symlink("/nowhere/1.jpg", folder.path().join("train/cat/link.jpg")).unwrap();
    let set = open(folder.path(), "train").unwrap();
    assert_eq!((set.class_names().len(), set.per_class()), (3, vec![3, 2, 2]));
    let told: Vec<String> = set.passed_over().iter().map(ToString::to_string).collect();
    assert!(
        told.contains(&"1 image beside the folders of the classes (`train/stray.jpg`)".into()),
        "{told:?}"
    );
    assert!(told.contains(&"1 link to nothing (`train/cat/link.jpg`)".into()), "{told:?}");
    let report = check(folder.path());
    assert_eq!(report.notes, ["folders that are no part: extra"]);
    assert_eq!(report.parts[0].counts.get(&ProblemKind::LeftOut), Some(&2));

    std::os::unix::fs::symlink("..", folder.path().join("train/cat/up")).unwrap();
    let error = problem(folder.path(), "train");
    assert!(error.contains("train/cat/up") && error.contains("remove it"), "{error}");
}

#[test]
fn a_name_that_is_not_utf8_is_read() {
    let folder = tempfile::tempdir().unwrap();
    three_classes(folder.path(), &["train"]);
    let class = folder.path().join("train").join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&class).unwrap();
    std::fs::write(class.join(OsStr::from_bytes(b"\xe9.jpg")), jpeg(50)).unwrap();
    let set = open(folder.path(), "train").unwrap();
    assert_eq!(set.class_names(), ["caf\\xe9", "cat", "dog", "emu"]);
    let mut scratch = Vec::new();
    assert_eq!(set.image(0, &mut scratch).unwrap(), ImageBytes::Encoded(&jpeg(50)));
}

#[test]
fn images_of_one_size_need_no_resize() {
    let folder = tempfile::tempdir().unwrap();
    three_classes(folder.path(), &["train"]);
    assert_eq!(open(folder.path(), "train").unwrap().common_size().unwrap(), [16, 24]);
    write(folder.path(), "train/dog/9.png", encoded("png", 1));
    let error = open(folder.path(), "train").unwrap().common_size().unwrap_err().to_string();
    assert!(error.contains("16 x 24") && error.contains("9.png of 4 x 5"), "{error}");
    for text in [r#"{ "resize": "none" }"#, "{}"] {
        assert_eq!(serde_json::from_str::<tks_images::Recipe>(text).unwrap().resize, None);
    }
    let error = serde_json::from_str::<tks_images::Recipe>(r#"{ "resize": "off" }"#).unwrap_err().to_string();
    assert!(error.contains("\"none\", or a height and a width"), "{error}");
}

#[test]
fn an_image_that_grows_out_of_a_zip_without_bound_is_refused() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let mut deflated = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    let bytes = vec![0; 17 << 20];
    deflated.write_all(&bytes).unwrap();
    let packed = deflated.finish().unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(&bytes);
    let name = b"train/a/1.png";
    let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
    for number in [crc.sum(), packed.len() as u32, bytes.len() as u32] {
        common.extend(number.to_le_bytes());
    }
    common.extend([name.len() as u8, 0, 0, 0]);
    let local = [b"PK\x03\x04".as_slice(), &common, name, &packed].concat();
    let central = [b"PK\x01\x02\x14\0".as_slice(), &common, &[0; 14], name].concat();
    let mut zip = [local.clone(), central.clone(), b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec()].concat();
    zip.extend((central.len() as u32).to_le_bytes());
    zip.extend((local.len() as u32).to_le_bytes());
    zip.extend([0, 0]);
    write(folder.path(), "bomb.zip", &zip);
    let report = check(&folder.path().join("bomb.zip"));
    let told = &report.parts[0].problems[0];
    assert_eq!(told.kind, ProblemKind::Unreadable);
    assert!(told.message.contains("unpack the archive"), "{}", told.message);
}
