//! Data sets with the layouts of the official ones and a few samples each, written to a folder.

#![allow(unreachable_pub, reason = "one test's own module")]

use std::path::Path;

fn write(root: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Label lists with the structure of the official ones, which tks-images keeps for its own tests.
fn list(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../images/tests/fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A small image that is different for each `seed`. The kind of a file is determined by its content, not by
/// its name.
fn image(seed: u8) -> Vec<u8> {
    let (width, height) = (60, 40);
    let pixels: Vec<u8> =
        (0..width * height * 3).map(|i| (i as u8).wrapping_mul(seed.wrapping_mul(2) | 1) ^ seed).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    bytes
}

/// Records of CIFAR's binary version with the given number of label bytes.
fn records(first: usize, count: usize, labels: usize) -> Vec<u8> {
    let record = |i: usize| {
        let labels = (0..labels).map(move |_| (i % 10) as u8);
        labels.chain((0..3072).map(move |pixel| (i * 31 + pixel * 7) as u8))
    };
    (first..first + count).flat_map(record).collect()
}

pub fn cifar10(root: &Path, count: usize) {
    for batch in 0..5 {
        let name = format!("cifar-10-batches-bin/data_batch_{}.bin", batch + 1);
        write(root, &name, records(batch * count, count, 1));
    }
    write(root, "cifar-10-batches-bin/test_batch.bin", records(5 * count, count, 1));
}

pub fn cifar100(root: &Path, count: usize) {
    write(root, "cifar-100-binary/train.bin", records(0, count, 2));
    write(root, "cifar-100-binary/test.bin", records(count, count, 2));
}

pub fn imagenet(root: &Path) {
    for (seed, synset) in ["n01440764", "n02100735", "n02119789", "n01440764"].iter().enumerate() {
        write(root, &format!("train/{synset}/{synset}_{seed}.JPEG"), image(seed as u8));
        write(root, &format!("val/{synset}/ILSVRC2012_val_{:08}.JPEG", seed + 1), image(10 + seed as u8));
    }
}

pub fn cub(root: &Path) {
    let manifest = tks_trainer::datasets::manifest("cub-200-2011").unwrap();
    let classes = manifest.classes.names().unwrap();
    let names: Vec<String> = (0..6).map(|i| format!("{}/image_{i}.jpg", classes[i % 3])).collect();
    let lines = |row: &dyn Fn(usize) -> String| -> String {
        (0..6).map(|i| format!("{} {}\n", i + 1, row(i))).collect()
    };
    write(root, "images.txt", lines(&|i| names[i].clone()));
    write(root, "image_class_labels.txt", lines(&|i| (i % 3 + 1).to_string()));
    write(root, "train_test_split.txt", lines(&|i| usize::from(i < 4).to_string()));
    write(root, "bounding_boxes.txt", lines(&|_| "5.0 5.0 30.0 20.0".into()));
    let classes: String = classes.iter().enumerate().map(|(i, name)| format!("{} {name}\n", i + 1)).collect();
    write(root, "classes.txt", classes);
    for (seed, name) in names.iter().enumerate() {
        write(root, &format!("images/{name}"), image(seed as u8));
    }
}

pub fn dogs(root: &Path) {
    for part in ["train", "test"] {
        write(root, &format!("{part}_list.mat"), list(&format!("dogs_{part}_list.mat")));
    }
    let names = [
        "n02085620-Chihuahua/n02085620_5927.jpg",
        "n02085620-Chihuahua/n02085620_4441.jpg",
        "n02085782-Japanese_spaniel/n02085782_1039.jpg",
        "n02116738-African_hunting_dog/n02116738_10024.jpg",
        "n02085620-Chihuahua/n02085620_2650.jpg",
        "n02116738-African_hunting_dog/n02116738_9844.jpg",
    ];
    for (seed, name) in names.iter().enumerate() {
        write(root, &format!("Images/{name}"), image(seed as u8));
    }
}

pub fn cars(root: &Path) {
    for name in ["cars_train_annos.mat", "cars_meta.mat"] {
        write(root, &format!("devkit/{name}"), list(name));
    }
    write(root, "cars_test_annos_withlabels.mat", list("cars_test_annos_withlabels.mat"));
    for number in 1..=4u8 {
        write(root, &format!("cars_train/{number:05}.jpg"), image(number));
        if number <= 2 {
            write(root, &format!("cars_test/{number:05}.jpg"), image(100 + number));
        }
    }
}

/// An event: time in us, column, row, polarity.
type Event = (i64, u16, u16, u8);

/// A different recording for each number: 200 events, 1 ms apart.
fn events(number: usize) -> Vec<Event> {
    let value = |i: usize, k: usize| (((number * 31 + i * 7 + k) * 2654435761) >> 7 & 127) as u16;
    (0..200).map(|i| (i as i64 * 1000 + 500, value(i, 1), value(i, 2), (value(i, 3) & 1) as u8)).collect()
}

pub fn dvs_cifar10(root: &Path) {
    for class in ["airplane", "bird"] {
        for number in 0..20 {
            let mut bytes = b"#!AER-DAT2.0\r\n# a stand-in\r\n".to_vec();
            for (t, x, y, p) in events(number) {
                bytes.extend((u32::from(y) << 8 | u32::from(x) << 1 | u32::from(p)).to_be_bytes());
                bytes.extend((t as u32).to_be_bytes());
            }
            write(root, &format!("{class}/cifar10_{class}_{number}.aedat"), bytes);
        }
    }
}

pub fn n_caltech101(root: &Path) {
    for class in ["accordion", "yin_yang"] {
        for number in 1..=20 {
            let mut bytes = Vec::new();
            for (t, x, y, p) in events(number) {
                let word = u32::from(p) << 23 | t as u32;
                bytes.extend([x as u8, y as u8]);
                bytes.extend(&word.to_be_bytes()[1..]);
            }
            write(root, &format!("Caltech101/{class}/image_{number:04}.bin"), bytes);
        }
    }
}

pub fn fashion_mnist(root: &Path) {
    let idx = |dims: &[u32], values: Vec<u8>| -> Vec<u8> {
        let mut file = vec![0, 0, 8, dims.len() as u8];
        file.extend(dims.iter().flat_map(|size| size.to_be_bytes()));
        file.extend(values);
        file
    };
    for (part, count) in [("train", 6u32), ("t10k", 3)] {
        let pixels = (0..count * 28 * 28).map(|i| (i * 7) as u8).collect();
        write(root, &format!("{part}-images-idx3-ubyte"), idx(&[count, 28, 28], pixels));
        write(root, &format!("{part}-labels-idx1-ubyte"), idx(&[count], (0..count as u8).collect()));
    }
}
