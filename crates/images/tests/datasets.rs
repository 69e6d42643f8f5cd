//! Every layout, unpacked and as downloaded, and the errors for faulty files.

mod common;

use std::path::{Path, PathBuf};

use common::{cifar10_batch, fixture, gzip, idx, jpeg, tar, write, write_cifar10};
use sha2::{Digest, Sha256};
use tks_data::Catalogue;
use tks_data::SampleSet;
use tks_data::manifest::Kind;
use tks_images::datasets::{manifest, open, open_folder};
use tks_images::{ImageBytes, ImageSet, OpenOptions};

fn partial() -> OpenOptions {
    OpenOptions { accept_counts: true, ..OpenOptions::default() }
}

fn open_partial(name: &str, root: &Path, part: &str) -> ImageSet {
    open(name, root, part, &partial()).unwrap_or_else(|error| panic!("{name} {part}: {error}"))
}

fn problem(name: &str, root: &Path, part: &str, options: &OpenOptions) -> String {
    open(name, root, part, options).map(|set| set.len()).unwrap_err().to_string()
}

/// The labels and the bytes of all images.
fn contents(set: &ImageSet) -> (Vec<u32>, Vec<Vec<u8>>) {
    let mut scratch = Vec::new();
    let images = (0..set.len())
        .map(|index| match set.image(index, &mut scratch).unwrap() {
            ImageBytes::Encoded(bytes) => bytes.to_vec(),
            ImageBytes::Planar { pixels, .. } => pixels.to_vec(),
        })
        .collect();
    (set.labels().to_vec(), images)
}

fn file_names(set: &ImageSet) -> Vec<String> {
    (0..set.len()).map(|index| set.path(index).file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn environment(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(name).map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: {name} names no folder");
    }
    folder
}

#[test]
fn every_manifest_reads_and_agrees_with_itself() {
    let manifests = Catalogue::BuiltIn.manifests().unwrap();
    let of_images: Vec<_> = manifests.iter().filter(|manifest| manifest.kind == Kind::Images).collect();
    assert!(of_images.len() >= 10, "{}", of_images.len());
    for manifest in of_images {
        for file in &manifest.files {
            assert!(!file.checksums.is_empty(), "{}: {}", manifest.name, file.name);
        }
    }
    let counts: Vec<usize> = ["imagenet-1k", "cub-200-2011", "stanford-dogs", "stanford-cars", "cifar100"]
        .map(|name| manifest(name).unwrap().classes.count())
        .into();
    assert_eq!(counts, [1000, 200, 120, 196, 100]);
    let error = manifest("cifar01").unwrap_err().to_string();
    assert!(error.contains("did you mean `cifar10`"), "{error}");
}

/// Every record of the real files, compared with digests from numpy's reader (`fixtures/cifar10_digests.py`).
#[test]
fn real_cifar10_agrees_with_numpy_in_every_record() {
    let Some(folder) = environment("TKS_CIFAR10_DIR") else { return };
    let cache = tempfile::tempdir().unwrap();
    let mut options = OpenOptions::default();
    options.archive.cache_dir = Some(cache.path().to_owned());
    let set = open("cifar10", &folder, "train", &options).unwrap();
    assert_eq!(set.per_class(), [5000; 10]);
    let digests = String::from_utf8(fixture("cifar10_digests.txt")).unwrap();
    let mut scratch = Vec::new();
    for (batch, line) in digests.lines().enumerate() {
        let expected: Vec<&str> = line.split_whitespace().collect();
        let (mut labels, mut pixels) = (Sha256::new(), Sha256::new());
        for index in batch * 10_000..(batch + 1) * 10_000 {
            labels.update([set.label(index) as u8]);
            let ImageBytes::Planar { pixels: image, .. } = set.image(index, &mut scratch).unwrap() else {
                panic!("planar")
            };
            pixels.update(image);
        }
        let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!([hex(&labels.finalize()), hex(&pixels.finalize())], expected[2..4], "{}", expected[0]);
    }
    eprintln!("50,000 records agree");
}

#[test]
fn cifar10_unpacked_packed_and_from_python_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    write_cifar10(folder.path(), 4);
    let unpacked = open_partial("cifar10", folder.path(), "train");
    assert_eq!(unpacked.len(), 20);
    assert_eq!(unpacked.labels()[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    let (labels, images) = contents(&unpacked);
    assert_eq!(images[5], cifar10_batch(5, 1)[1..]);
    assert!(unpacked.path(5).ends_with("cifar-10-batches-bin/data_batch_2.bin record 1"));

    let inner = folder.path().join("cifar-10-batches-bin");
    assert_eq!(contents(&open_partial("cifar10", &inner, "train")), (labels.clone(), images.clone()));
    assert_eq!(open_partial("cifar10", folder.path(), "test").labels(), [0, 1, 2, 3]);

    let names: Vec<String> =
        (1..=5).map(|batch| format!("cifar-10-batches-bin/data_batch_{batch}.bin")).collect();
    let files: Vec<(&str, Vec<u8>)> =
        names.iter().map(|name| (name.as_str(), std::fs::read(folder.path().join(name)).unwrap())).collect();
    let packed = tempfile::tempdir().unwrap();
    write(packed.path(), "cifar-10-binary.tar.gz", gzip(&tar(&files)));
    for root in [packed.path().to_owned(), packed.path().join("cifar-10-binary.tar.gz")] {
        assert_eq!(contents(&open_partial("cifar10", &root, "train")), (labels.clone(), images.clone()));
    }

    let python = tempfile::tempdir().unwrap();
    for batch in 1..=5 {
        let version = if batch % 2 == 0 { "py2" } else { "py3" };
        let bytes = fixture(&format!("cifar10_batch_{version}.pickle"));
        write(python.path(), &format!("cifar-10-batches-py/data_batch_{batch}"), bytes);
    }
    let set = open_partial("cifar10", python.path(), "train");
    assert_eq!(set.labels()[..7], [6, 9, 9, 4, 1, 6, 9]);
    let binary = fixture("cifar10_batch.bin");
    let (_, images) = contents(&set);
    for (index, image) in images.iter().enumerate() {
        assert_eq!(image, &binary[index % 5 * 3073 + 1..][..3072]);
    }
}

#[test]
fn cifar100_gives_fine_or_coarse_labels() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "cifar-100-binary/train.bin", fixture("cifar100_train.bin"));
    write(folder.path(), "cifar-100-binary/test.bin", fixture("cifar100_train.bin"));
    assert_eq!(open_partial("cifar100", folder.path(), "train").labels(), [19, 29, 0, 11, 99]);
    assert_eq!(open_partial("cifar100-coarse", folder.path(), "test").labels(), [11, 15, 4, 14, 13]);
    let python = tempfile::tempdir().unwrap();
    write(python.path(), "cifar-100-python/train", fixture("cifar100_train_py2.pickle"));
    for name in ["cifar100", "cifar100-coarse"] {
        let (binary, python) =
            (open_partial(name, folder.path(), "train"), open_partial(name, python.path(), "train"));
        assert_eq!(contents(&binary), contents(&python));
    }
}

#[test]
fn cifar100_in_its_layout_with_other_images() {
    let Some(folder) = environment("TKS_CIFAR100_FIXTURE_DIR") else { return };
    let train = open_partial("cifar100", &folder, "train");
    let coarse = open_partial("cifar100-coarse", &folder, "train");
    assert_eq!((train.len(), open_partial("cifar100", &folder, "test").len()), (150, 50));
    for (fine, coarse) in train.labels().iter().zip(coarse.labels()) {
        assert_eq!(fine / 5, *coarse);
    }
}

#[test]
fn cifar_errors_name_the_file_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    write_cifar10(folder.path(), 4);
    let strict = problem("cifar10", folder.path(), "train", &OpenOptions::default());
    assert!(strict.contains("`train` of cifar10 has 50000 images, but 20 are here"), "{strict}");
    assert!(problem("cifar10", folder.path(), "val", &partial()).contains("no part named `val`"));

    let inside = folder.path().join("cifar-10-batches-bin");
    let mut batch = cifar10_batch(8, 4);
    batch[3073] = 10;
    write(&inside, "data_batch_3.bin", &batch);
    let error = problem("cifar10", folder.path(), "train", &partial());
    assert!(error.contains("data_batch_3.bin record 1: label 10, but there are 10 classes"), "{error}");
    write(&inside, "data_batch_3.bin", &batch[..batch.len() - 1]);
    let error = problem("cifar10", folder.path(), "train", &partial());
    assert!(error.contains("data_batch_3.bin") && error.contains("record 3 is cut"), "{error}");
    std::fs::remove_file(inside.join("data_batch_3.bin")).unwrap();
    let error = problem("cifar10", folder.path(), "train", &partial());
    assert!(
        error.contains("no `data_batch_3.bin` here") && error.contains("cifar-10-binary.tar.gz"),
        "{error}"
    );

    let empty = tempfile::tempdir().unwrap();
    let error = problem("cifar10", empty.path(), "train", &partial());
    assert!(error.contains("it is empty") && error.contains("www.cs.toronto.edu"), "{error}");
    let packed = gzip(&tar(&[("cifar-10-batches-bin/data_batch_1.bin", cifar10_batch(0, 40))]));
    write(empty.path(), "cifar-10-binary.tar.gz", &packed[..packed.len() / 2]);
    let error = problem("cifar10", empty.path(), "train", &partial());
    assert!(error.contains("cifar-10-binary.tar.gz") && error.contains("cut or corrupt"), "{error}");
}

fn write_mnist(root: &Path, gzipped: bool) {
    for (prefix, count) in [("train", 6u32), ("t10k", 3)] {
        let pixels = idx(&[count, 4, 5], (0..count * 20).map(|pixel| pixel as u8));
        let labels = idx(&[count], (0..count).map(|label| (label % 10) as u8));
        for (kind, bytes) in [("images-idx3", pixels), ("labels-idx1", labels)] {
            let name = format!("{prefix}-{kind}-ubyte");
            if gzipped {
                write(root, &format!("{name}.gz"), gzip(&bytes));
            } else {
                write(root, &name, bytes);
            }
        }
    }
}

#[test]
fn mnist_plain_and_gzip() {
    let (plain, packed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_mnist(plain.path(), false);
    write_mnist(packed.path(), true);
    for part in ["train", "test"] {
        let set = open_partial("mnist", plain.path(), part);
        assert_eq!(set.len(), if part == "train" { 6 } else { 3 });
        assert_eq!(contents(&set), contents(&open_partial("fashion-mnist", packed.path(), part)));
        let mut scratch = Vec::new();
        let ImageBytes::Planar { channels, height, width, pixels } = set.image(2, &mut scratch).unwrap()
        else {
            panic!("planar")
        };
        assert_eq!((channels, height, width, pixels[0]), (1, 4, 5, 40));
    }
    write(plain.path(), "train-labels-idx1-ubyte", idx(&[5], [0, 1, 2, 3, 4]));
    let error = problem("mnist", plain.path(), "train", &partial());
    assert!(error.contains("6 images, but 5 labels"), "{error}");
    write(packed.path(), "t10k-labels-idx1-ubyte.gz", gzip(&idx(&[3], [0, 1, 12])));
    let error = problem("mnist", packed.path(), "test", &partial());
    assert!(error.contains("record 2: label 12"), "{error}");
}

/// The whole of Fashion-MNIST, if Debian's package is installed.
#[test]
fn fashion_mnist_of_the_debian_package() {
    let folder = Path::new("/usr/share/datasets/fashion-mnist");
    if !folder.is_dir() {
        eprintln!("skipped: the package dataset-fashion-mnist is not installed");
        return;
    }
    for (part, each) in [("train", 6000), ("test", 1000)] {
        let set = open("fashion-mnist", folder, part, &OpenOptions::default()).unwrap();
        assert_eq!(set.per_class(), [each; 10]);
    }
}

#[test]
fn the_digits_that_ship() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
    let (train, test) =
        ["train", "test"].map(|part| open("digits", &folder, part, &OpenOptions::default()).unwrap()).into();
    assert_eq!((train.len(), test.len()), (1438, 359));
    let all: Vec<usize> = train.per_class().iter().zip(test.per_class()).map(|(a, b)| a + b).collect();
    assert_eq!(all, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    let (labels, images) = contents(&train);
    // the file's first line: 0,0,5,13,9,1,0,0,..., of 16, and the class 0
    assert_eq!((labels[0], &images[0][..8]), (0, &[0, 0, 80, 207, 143, 16, 0, 0][..]));
}

const ALBATROSS: &str = "001.Black_footed_Albatross";
const YELLOWTHROAT: &str = "200.Common_Yellowthroat";

fn write_cub(root: &Path) {
    let names = [
        format!("{ALBATROSS}/Black_Footed_Albatross_0046_18.jpg"),
        format!("{ALBATROSS}/Black_Footed_Albatross_0009_34.jpg"),
        format!("{YELLOWTHROAT}/Common_Yellowthroat_0003_190521.jpg"),
        format!("{YELLOWTHROAT}/Common_Yellowthroat_0055_190967.jpg"),
    ];
    let lines = |row: &dyn Fn(usize, &String) -> String| -> String {
        names.iter().enumerate().map(|(index, name)| row(index, name) + "\n").collect()
    };
    write(root, "images.txt", lines(&|index, name| format!("{} {name}", index + 1)));
    write(root, "image_class_labels.txt", "1 1\n2 1\n3 200\n4 200\n");
    write(root, "train_test_split.txt", "1 0\n2 1\n3 1\n4 0\n");
    write(
        root,
        "bounding_boxes.txt",
        lines(&|index, _| format!("{} 60.0 27.0 {}.5 304.0", index + 1, 300 + index)),
    );
    let classes: String = manifest("cub-200-2011")
        .unwrap()
        .classes
        .names()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(index, name)| format!("{} {name}\n", index + 1))
        .collect();
    write(root, "classes.txt", classes);
    for (seed, name) in names.iter().enumerate() {
        write(root, &format!("images/{name}"), jpeg(seed as u8));
    }
}

#[test]
fn cub_unpacked_and_packed() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("CUB_200_2011");
    write_cub(&inner);
    let train = open_partial("cub-200-2011", folder.path(), "train");
    assert_eq!(train.labels(), [0, 199]);
    assert_eq!(
        file_names(&train),
        ["Black_Footed_Albatross_0009_34.jpg", "Common_Yellowthroat_0003_190521.jpg"]
    );
    assert_eq!(train.bounding_box(1), Some([60.0, 27.0, 302.5, 304.0]));
    assert_eq!(contents(&train).1, [jpeg(1), jpeg(2)]);
    assert_eq!(contents(&open_partial("cub-200-2011", &inner, "train")), contents(&train));
    assert_eq!(open_partial("cub-200-2011", &inner, "test").labels(), [0, 199]);

    let mut files = Vec::new();
    for name in ["images.txt", "image_class_labels.txt", "train_test_split.txt", "classes.txt"] {
        files.push((format!("CUB_200_2011/{name}"), std::fs::read(inner.join(name)).unwrap()));
    }
    files.extend((0..train.len()).map(|index| {
        let folder = if index == 0 { ALBATROSS } else { YELLOWTHROAT };
        (format!("CUB_200_2011/images/{folder}/{}", file_names(&train)[index]), jpeg(index as u8 + 1))
    }));
    let files: Vec<(&str, Vec<u8>)> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let packed = tempfile::tempdir().unwrap();
    write(packed.path(), "CUB_200_2011.tgz", gzip(&tar(&files)));
    assert_eq!(contents(&open_partial("cub-200-2011", packed.path(), "train")), contents(&train));

    std::fs::remove_file(inner.join(format!("images/{ALBATROSS}/Black_Footed_Albatross_0009_34.jpg")))
        .unwrap();
    let error = problem("cub-200-2011", folder.path(), "train", &partial());
    assert!(
        error.contains("1 of the images that `images.txt` names") && error.contains("0009_34.jpg"),
        "{error}"
    );
    write(&inner, "image_class_labels.txt", "1 1\n2 1\n3 201\n4 200\n");
    write(&inner, "train_test_split.txt", "1 1\n2 0\n3 1\n4 1\n");
    let error = problem("cub-200-2011", folder.path(), "train", &partial());
    assert!(error.contains("190521.jpg: label 200, but there are 200 classes"), "{error}");
    write(&inner, "train_test_split.txt", "1 1\n2 one\n");
    let error = problem("cub-200-2011", folder.path(), "train", &partial());
    assert!(error.contains("train_test_split.txt") && error.contains("line 2: `2 one`"), "{error}");
    write(&inner, "train_test_split.txt", "1 1\n");
    let error = problem("cub-200-2011", folder.path(), "train", &partial());
    assert!(error.contains("image 2") && error.contains("not in `train_test_split.txt`"), "{error}");
}

#[test]
fn dogs_unpacked_and_packed() {
    for suffix in ["", "_plain"] {
        let folder = tempfile::tempdir().unwrap();
        let lists = ["train", "test"]
            .map(|part| (format!("{part}_list.mat"), fixture(&format!("dogs_{part}_list{suffix}.mat"))));
        let images = [
            "n02085620-Chihuahua/n02085620_5927.jpg",
            "n02085620-Chihuahua/n02085620_4441.jpg",
            "n02085782-Japanese_spaniel/n02085782_1039.jpg",
            "n02116738-African_hunting_dog/n02116738_10024.jpg",
            "n02085620-Chihuahua/n02085620_2650.jpg",
            "n02116738-African_hunting_dog/n02116738_9844.jpg",
        ]
        .map(|name| format!("Images/{name}"));
        for (name, bytes) in &lists {
            write(folder.path(), name, bytes);
        }
        for (seed, name) in images.iter().enumerate() {
            write(folder.path(), name, jpeg(seed as u8));
        }
        let train = open_partial("stanford-dogs", folder.path(), "train");
        assert_eq!(train.labels(), [0, 0, 1, 119]);
        assert_eq!(contents(&train).1, (0..4).map(jpeg).collect::<Vec<_>>());
        assert_eq!(open_partial("stanford-dogs", folder.path(), "test").labels(), [0, 119]);

        let packed = tempfile::tempdir().unwrap();
        let lists: Vec<(&str, Vec<u8>)> =
            lists.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let images: Vec<(&str, Vec<u8>)> =
            images.iter().enumerate().map(|(seed, name)| (name.as_str(), jpeg(seed as u8))).collect();
        write(packed.path(), "lists.tar", tar(&lists));
        write(packed.path(), "images.tar", tar(&images));
        assert_eq!(contents(&open_partial("stanford-dogs", packed.path(), "train")), contents(&train));

        let cut = tar(&images);
        write(packed.path(), "images.tar", &cut[..cut.len() / 2]);
        let error = problem("stanford-dogs", packed.path(), "train", &partial());
        assert!(error.contains("images.tar") && error.contains("cut"), "{error}");
        let list = fixture(&format!("dogs_train_list{suffix}.mat"));
        write(folder.path(), "train_list.mat", &list[..list.len() - 40]);
        let error = problem("stanford-dogs", folder.path(), "train", &partial());
        assert!(error.contains("train_list.mat") && error.contains("at byte"), "{error}");
    }
}

#[test]
fn cars_in_their_three_layouts() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["cars_train_annos.mat", "cars_meta.mat"] {
        write(folder.path(), &format!("devkit/{name}"), fixture(name));
    }
    write(folder.path(), "cars_test_annos_withlabels.mat", fixture("cars_test_annos_withlabels.mat"));
    for number in 1..=4u8 {
        write(folder.path(), &format!("cars_train/{number:05}.jpg"), jpeg(number));
        if number <= 2 {
            write(folder.path(), &format!("cars_test/{number:05}.jpg"), jpeg(100 + number));
        }
    }
    let train = open_partial("stanford-cars", folder.path(), "train");
    assert_eq!(train.labels(), [13, 2, 90, 195]);
    assert_eq!(train.bounding_box(0), Some([39.0, 116.0, 530.0, 259.0]));
    assert_eq!(train.class_names()[195], "smart fortwo Convertible 2012");
    let test = open_partial("stanford-cars", folder.path(), "test");
    assert_eq!((test.labels(), contents(&test).1), (&[180, 102][..], vec![jpeg(101), jpeg(102)]));

    // the first release: one folder, one list
    let first = tempfile::tempdir().unwrap();
    write(first.path(), "cars_annos.mat", fixture("cars_annos.mat"));
    for (seed, name) in ["000001.jpg", "000002.jpg", "016185.jpg"].iter().enumerate() {
        write(first.path(), &format!("car_ims/{name}"), jpeg(seed as u8));
    }
    assert_eq!(open_partial("stanford-cars", first.path(), "train").labels(), [0, 0]);
    assert_eq!(file_names(&open_partial("stanford-cars", first.path(), "test")), ["016185.jpg"]);

    // the mirror: one folder per class, whose name cannot have a `/`
    let mirror = tempfile::tempdir().unwrap();
    write(mirror.path(), "car_data/train/Ram C-V Cargo Van Minivan 2012/00700.jpg", jpeg(1));
    write(mirror.path(), "car_data/train/AM General Hummer SUV 2000/00163.jpg", jpeg(2));
    write(mirror.path(), "car_data/test/AM General Hummer SUV 2000/00076.jpg", jpeg(3));
    let set = open_partial("stanford-cars", mirror.path(), "train");
    let classes: Vec<&str> =
        set.labels().iter().map(|&label| set.class_names()[label as usize].as_str()).collect();
    assert_eq!(classes, ["AM General Hummer SUV 2000", "Ram C/V Cargo Van Minivan 2012"]);
    assert_eq!(open_partial("stanford-cars", mirror.path(), "test").labels(), [0]);
    write(mirror.path(), "car_data/train/Trabant 601/1.jpg", jpeg(4));
    let error = problem("stanford-cars", mirror.path(), "train", &partial());
    assert!(error.contains("`Trabant 601` is none of the 196 classes"), "{error}");

    // Kaggle's copy: folders in folders of the same name, and no classes for the test part
    let kaggle = tempfile::tempdir().unwrap();
    for name in ["cars_train_annos.mat", "cars_test_annos.mat"] {
        write(kaggle.path(), &format!("devkit/{name}"), fixture(name));
    }
    for number in 1..=4u8 {
        write(kaggle.path(), &format!("cars_train/cars_train/{number:05}.JPG"), jpeg(number));
        write(kaggle.path(), &format!("cars_test/cars_test/{number:05}.JPG"), jpeg(50 + number));
    }
    let train = open_partial("stanford-cars", kaggle.path(), "train");
    assert_eq!(
        (train.labels(), contents(&train).1),
        (&[13, 2, 90, 195][..], [1, 2, 3, 4].map(jpeg).to_vec())
    );
    let error = problem("stanford-cars", kaggle.path(), "test", &partial());
    assert!(error.contains("cars_test_annos.mat") && error.contains("has no classes"), "{error}");
    assert!(error.contains("put `cars_test_annos_withlabels.mat`"), "{error}");

    // the devkit's test list has no classes
    write(folder.path(), "cars_test_annos_withlabels.mat", fixture("cars_test_annos.mat"));
    let error = problem("stanford-cars", folder.path(), "test", &partial());
    assert!(error.contains("has no classes"), "{error}");
}

const FOX: &str = "n02119789";
const TENCH: &str = "n01440764";
const SETTER: &str = "n02100735";

/// The indices of three synsets among ImageNet's classes, as torchvision and timm have them.
const FOX_LABEL: u32 = 278;
const TENCH_LABEL: u32 = 0;
const SETTER_LABEL: u32 = 212;

#[test]
fn imagenet_training_images_by_folder_tar_and_tar_of_tars() {
    let images = [(TENCH, "n01440764_10026.JPEG"), (SETTER, "n02100735_1.JPEG"), (FOX, "n02119789_9.JPEG")];
    let labels = [TENCH_LABEL, SETTER_LABEL, FOX_LABEL];
    let folder = tempfile::tempdir().unwrap();
    for (seed, (synset, name)) in images.iter().enumerate() {
        write(folder.path(), &format!("train/{synset}/{name}"), jpeg(seed as u8));
    }
    let unpacked = open_partial("imagenet-1k", folder.path(), "train");
    assert_eq!(unpacked.labels(), labels);
    assert!(unpacked.class_names()[0].starts_with("n01440764 tench"));
    assert_eq!(open_partial("imagenet-1k", &folder.path().join("train"), "train").labels(), labels);

    let inner: Vec<(String, Vec<u8>)> = images
        .iter()
        .enumerate()
        .map(|(seed, (synset, name))| (format!("{synset}.tar"), tar(&[(name, jpeg(seed as u8))])))
        .collect();
    let tars: Vec<(&str, Vec<u8>)> =
        inner.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let packed = tempfile::tempdir().unwrap();
    write(packed.path(), "ILSVRC2012_img_train.tar", tar(&tars));
    let half = tempfile::tempdir().unwrap();
    for (name, bytes) in &tars {
        write(half.path(), name, bytes);
    }
    for root in
        [packed.path().to_owned(), packed.path().join("ILSVRC2012_img_train.tar"), half.path().to_owned()]
    {
        assert_eq!(
            contents(&open_partial("imagenet-1k", &root, "train")),
            contents(&unpacked),
            "{}",
            root.display()
        );
    }
}

#[test]
fn imagenet_validation_images_flat_and_by_folder() {
    let folder = tempfile::tempdir().unwrap();
    let images: Vec<(String, Vec<u8>)> =
        (1..=3).map(|number| (format!("ILSVRC2012_val_{number:08}.JPEG"), jpeg(number))).collect();
    for (name, bytes) in &images {
        write(folder.path(), &format!("val/{name}"), bytes);
    }
    write(folder.path(), "train/n01440764/n01440764_10026.JPEG", jpeg(0));
    let error = problem("imagenet-1k", folder.path(), "val", &partial());
    assert!(
        error.contains("no `ILSVRC2012_validation_ground_truth.txt`") && error.contains("devkit"),
        "{error}"
    );

    let truth = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt";
    write(folder.path(), truth, "3\n1\n2\n");
    write(folder.path(), "ILSVRC2012_devkit_t12/data/meta.mat", fixture("imagenet_meta.mat"));
    let flat = open_partial("imagenet-1k", folder.path(), "val");
    let labels = [SETTER_LABEL, FOX_LABEL, TENCH_LABEL];
    assert_eq!(flat.labels(), labels);
    assert_eq!(contents(&flat).1, [jpeg(1), jpeg(2), jpeg(3)]);
    let error = problem("imagenet-1k", folder.path(), "val", &OpenOptions::default());
    assert!(error.contains("meta.mat") && error.contains("3 of the 1000 classes"), "{error}");
    assert_eq!(open_partial("imagenet-1k", folder.path(), "train").labels(), [TENCH_LABEL]);

    let packed = tempfile::tempdir().unwrap();
    let files: Vec<(&str, Vec<u8>)> =
        images.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    write(packed.path(), "ILSVRC2012_img_val.tar", tar(&files));
    let devkit = [
        (truth, b"3\n1\n2\n".to_vec()),
        ("ILSVRC2012_devkit_t12/data/meta.mat", fixture("imagenet_meta.mat")),
    ];
    write(packed.path(), "ILSVRC2012_devkit_t12.tar.gz", gzip(&tar(&devkit)));
    assert_eq!(contents(&open_partial("imagenet-1k", packed.path(), "val")), contents(&flat));

    let kaggle = tempfile::tempdir().unwrap();
    for (name, bytes) in &images {
        write(kaggle.path(), &format!("ILSVRC/Data/CLS-LOC/val/{name}"), bytes);
    }
    let rows = [(2, FOX), (1, SETTER), (3, TENCH)]
        .map(|(number, synset)| format!("ILSVRC2012_val_{number:08},{synset} 85 1 499 272 \n"));
    write(kaggle.path(), "LOC_val_solution.csv", format!("ImageId,PredictionString\n{}", rows.concat()));
    assert_eq!(open_partial("imagenet-1k", kaggle.path(), "val").labels(), labels);

    // Caffe's and TensorFlow's lists
    let synsets = format!("{SETTER}\n{FOX}\n{TENCH}\n");
    let caffe: String =
        (1..).zip(labels).map(|(n, label)| format!("ILSVRC2012_val_{n:08}.JPEG {label}\n")).collect();
    for (name, text) in [("val.txt", caffe), ("imagenet_2012_validation_synset_labels.txt", synsets)] {
        let listed = tempfile::tempdir().unwrap();
        for (image, bytes) in &images {
            write(listed.path(), &format!("val/{image}"), bytes);
        }
        write(listed.path(), &format!("caffe_ilsvrc12/{name}"), &text);
        assert_eq!(open_partial("imagenet-1k", listed.path(), "val").labels(), labels, "{name}");
        write(
            listed.path(),
            &format!("caffe_ilsvrc12/{name}"),
            format!("{text}ILSVRC2012_val_00000004.JPEG 1000\n"),
        );
        let error = problem("imagenet-1k", listed.path(), "val", &partial());
        assert!(error.contains(name) && error.contains("line 4"), "{error}");
    }

    let sorted = tempfile::tempdir().unwrap();
    for ((name, bytes), synset) in images.iter().zip([SETTER, FOX, TENCH]) {
        write(sorted.path(), &format!("val/{synset}/{name}"), bytes);
    }
    let set = open_partial("imagenet-1k", sorted.path(), "val");
    assert_eq!(set.labels(), [TENCH_LABEL, SETTER_LABEL, FOX_LABEL]);
}

#[test]
fn any_folder_with_a_folder_a_class() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, name) in
        ["train/cat/1.jpg", "train/Dog/a/2.jpeg", "train/cat/3.PNG", "val/cat/4.jpg"].iter().enumerate()
    {
        write(folder.path(), name, jpeg(seed as u8));
    }
    write(folder.path(), "train/cat/notes.txt", "no image");
    let set = open_folder(folder.path(), Some("train"), &OpenOptions::default()).unwrap();
    // byte by byte, as in torchvision: capitals first
    assert_eq!(
        (set.class_names(), set.labels()),
        (&["Dog".to_owned(), "cat".to_owned()][..], &[0, 1, 1][..])
    );
    assert_eq!(set.per_class(), [1, 2]);
    let empty = open_folder(folder.path(), Some("test"), &OpenOptions::default()).unwrap_err().to_string();
    assert!(empty.contains("`test/<class>/`"), "{empty}");
}
