//! The input that `tks predict` computes from a file is bit-identical to that of the same sample in
//! training's test part and `tks eval`, for the data of every preset.

mod stand_ins;

use std::path::{Path, PathBuf};

use tch::Tensor;
use tks_data::{SampleContext, SampleSet, SampleSlot};
use tks_images::ImageBytes;
use tks_images::datasets::{OpenOptions, open_manifest};
use tks_trainer::config::Config;
use tks_trainer::data::Data;
use tks_trainer::predict::Reader;
use tks_trainer::{datasets, presets};

/// A file to classify, and its bounding box.
type File = (PathBuf, Option<[f32; 4]>);

fn open(preset: &str, folder: &Path, changes: &[&str]) -> (Config, Data) {
    let text = presets::text(preset).unwrap();
    let part = |key: &str| {
        let config = Config::parse(text, preset.as_ref(), &[]).unwrap();
        let part = if key == "train" { config.data.train.part } else { config.data.test.part };
        format!("data.{key}.part=\"{part}\"")
    };
    let mut all = vec![
        format!("data.path={:?}", folder.display().to_string()),
        "data.accept_counts=true".into(),
        part("train"),
        part("test"),
        "data.train.to=4".into(),
        "data.test.to=2".into(),
        "training.batch_size=2".into(),
    ];
    all.extend(changes.iter().map(|change| (*change).to_string()));
    let config = Config::parse(text, preset.as_ref(), &all).unwrap();
    let data = Data::open(&config).unwrap_or_else(|error| panic!("{preset}: {error:#}"));
    (config, data)
}

/// Compares the first test samples with the files that `file` returns for their index and name.
fn compare(preset: &str, folder: &Path, changes: &[&str], file: impl Fn(usize, &str) -> File) {
    let (config, data) = open(preset, folder, changes);
    let reader = Reader::new(&config, &data.task).unwrap();
    for index in 0..2 {
        let shape = data.test.shape();
        let mut expected = vec![0.0f32; shape.len()];
        let slot = SampleSlot::alone(&mut expected, &shape);
        data.test.load(index, &mut SampleContext::new(0, 0, index), slot).unwrap();
        let (path, bounding_box) = file(index, &data.test.sample_name(index));
        let found = reader.read(&path, data.task.time_steps, bounding_box).unwrap();
        let expected = Tensor::from_slice(&expected);
        assert_eq!(found.flatten(0, -1), expected, "{preset} {changes:?}: {}", path.display());
        assert!(found.std(false).double_value(&[]) > 0.0, "{preset}: {} is empty", path.display());
    }
}

/// An image that is a separate file.
fn own_file(_: usize, name: &str) -> File {
    (name.into(), None)
}

/// An image from a larger file, as a PNG in `folder`.
fn as_png(name: &str, data: &Path, part: &str, index: usize, folder: &Path) -> File {
    let manifest = datasets::manifest(name).unwrap();
    let options = OpenOptions { accept_counts: true, ..OpenOptions::default() };
    let set = open_manifest(&manifest, data, part, &options).unwrap();
    let mut bytes = Vec::new();
    let ImageBytes::Planar { pixels, channels, height, width } = set.image(index, &mut bytes).unwrap() else {
        panic!("{name} keeps its images in a few files")
    };
    let area = height * width;
    let interleaved: Vec<u8> = (0..area)
        .flat_map(|pixel| (0..channels).map(move |channel| pixels[channel * area + pixel]))
        .collect();
    let path = folder.join(format!("{name}-{index}.png"));
    let file = std::fs::File::create(&path).unwrap();
    let mut encoder = png::Encoder::new(file, width as u32, height as u32);
    encoder.set_color(if channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.write_header().unwrap().write_image_data(&interleaved).unwrap();
    (path, None)
}

fn presets_of(data: &str) -> Vec<&'static str> {
    let names: Vec<_> = presets::names()
        .into_iter()
        .filter(|name| name.strip_prefix(data).is_some_and(|rest| rest.starts_with('-')))
        .collect();
    assert!(!names.is_empty(), "{data}");
    names
}

#[test]
fn images_of_large_files() {
    let folder = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    stand_ins::cifar10(&at("cifar10"), 4);
    stand_ins::cifar100(&at("cifar100"), 4);
    stand_ins::fashion_mnist(&at("fashion-mnist"));
    for name in ["cifar10", "cifar100", "fashion-mnist", "digits"] {
        let data = if name == "digits" { datasets::folder().unwrap().join(name) } else { at(name) };
        for preset in presets_of(name) {
            compare(preset, &data, &[], |index, _| as_png(name, &data, "test", index, out.path()));
        }
    }
}

#[test]
fn images_in_files() {
    type Write = fn(&Path);
    let sets: [(&str, Write); 4] = [
        ("imagenet-1k", stand_ins::imagenet),
        ("cub-200-2011", stand_ins::cub),
        ("stanford-dogs", stand_ins::dogs),
        ("stanford-cars", stand_ins::cars),
    ];
    for (name, write) in sets {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        for preset in presets_of(name) {
            compare(preset, folder.path(), &[], own_file);
            let other = ["data.images.recipe.normalize=half", "data.images.recipe.channels=1"];
            compare(preset, folder.path(), &other, own_file);
            compare(preset, folder.path(), &["data.images.recipe.reduced_decoding=true"], own_file);
        }
    }
}

#[test]
fn images_cut_to_their_bounding_box() {
    let folder = tempfile::tempdir().unwrap();
    stand_ins::cub(folder.path());
    let preset = "cub-200-2011-sew-resnet18";
    let changes = ["data.images.recipe.bounding_box={ margin = 0.1 }"];
    compare(preset, folder.path(), &changes, |_, name| (name.into(), Some([5.0, 5.0, 30.0, 20.0])));
    let (config, data) = open(preset, folder.path(), &changes);
    let reader = Reader::new(&config, &data.task).unwrap();
    let error = reader.read(data.test.sample_name(0).as_ref(), 4, None).unwrap_err();
    assert!(format!("{error:#}").contains("--bounding-box"), "{error:#}");
}

#[test]
fn recordings() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    stand_ins::dvs_cifar10(&at("dvs"));
    stand_ins::n_caltech101(&at("caltech"));
    let dvs = |_: usize, name: &str| (at("dvs").join(format!("{name}.aedat")), None);
    for preset in presets_of("dvs-cifar10") {
        compare(preset, &at("dvs"), &[], dvs);
        compare(preset, &at("dvs"), &["data.events.orientation=spikingjelly"], dvs);
        compare(preset, &at("dvs"), &["time_steps=3"], dvs);
    }
    for preset in presets_of("n-caltech101") {
        let file = |_: usize, name: &str| (at("caltech/Caltech101").join(format!("{name}.bin")), None);
        compare(preset, &at("caltech"), &[], file);
    }
}

#[test]
fn recordings_that_ship() {
    use tks_events::datasets::{EventSet, SetOptions};
    let data = datasets::folder().unwrap().join("nmnist-1000");
    let set = EventSet::open(
        datasets::manifest("nmnist-1000").unwrap(),
        &data,
        SetOptions { strict: false, ..SetOptions::default() },
    )
    .unwrap();
    let out = tempfile::tempdir().unwrap();
    let file = |_: usize, name: &str| {
        let index = (0..set.len()).find(|&index| set.name(index) == name).unwrap();
        let bytes = tks_events::formats::write_bytes(
            set.read(index).unwrap().events(),
            tks_events::formats::Format::Atis,
        );
        let path = out.path().join(format!("{}.bin", name.replace('/', "-")));
        std::fs::write(&path, bytes.unwrap()).unwrap();
        (path, None)
    };
    compare("nmnist-small", &data, &[], file);
}

#[test]
fn recordings_with_bad_events() {
    let folder = tempfile::tempdir().unwrap();
    stand_ins::n_caltech101(folder.path());
    let path = |name: &str| folder.path().join("Caltech101").join(format!("{name}.bin"));
    let preset = presets_of("n-caltech101")[0];
    let dropped = ["data.bad_events=drop"];
    let (config, data) = open(preset, folder.path(), &dropped);
    for index in 0..2 {
        // The last event is beyond the sensor's 240 columns.
        let path = path(&data.test.sample_name(index));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend([250, 10, 0x83, 0x10, 0x00]);
        std::fs::write(path, bytes).unwrap();
    }
    compare(preset, folder.path(), &dropped, |_, name| (path(name), None));
    let strict = Config {
        data: tks_trainer::config::DataConfig { bad_events: Default::default(), ..config.data.clone() },
        ..config
    };
    let reader = Reader::new(&strict, &data.task).unwrap();
    assert!(reader.read(&path(&data.test.sample_name(0)), data.task.time_steps, None).is_err());
}
