//! The documentation's example for your own folder of images learns, and a training that cannot learn reports
//! it.

mod common;

use std::path::Path;

use common::{config, errors, files, images_config, run, text, tks, turn, write_images};
use tch::Device;
use tks_trainer::config::Config;
use tks_trainer::data::{Data, Task};
use tks_trainer::evaluation::evaluate;
use tks_trainer::run_folder::RunFolder;
use tks_trainer::stop::StopFlag;
use tks_trainer::trainer::{Outcome, Trainer, build_network};

/// The TOML of the documentation's example for a folder of images, verbatim.
fn documented() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/first-steps.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut blocks = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.contains("name = \"folder\"")).expect("the example of a folder").to_string()
}

/// A 48x40 image of a class: horizontal or vertical stripes, or a disc; positions, colours and noise depend
/// on its number.
fn image(class: usize, number: u32) -> Vec<u8> {
    let (width, height) = (48u32, 40u32);
    let mut state = u64::from(number) * 3 + class as u64 + 1;
    let mut random = |below: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % below
    };
    let (period, phase) = (8 + random(5), random(12));
    let (x0, y0, radius) = (14 + random(20), 12 + random(16), 7 + random(5));
    let (bright, dark) =
        ([150, 160, 170].map(|level| level + random(80)), [10, 20, 30].map(|l| l + random(50)));
    let mut pixels = Vec::new();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let is_bright = match class {
            0 => (y + phase) % period < period / 2,
            1 => (x + phase) % period < period / 2,
            _ => x.abs_diff(x0).pow(2) + y.abs_diff(y0).pow(2) < radius * radius,
        };
        let colour = if is_bright { bright } else { dark };
        pixels.extend(colour.map(|level| (level + random(20)).min(255) as u8));
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    bytes
}

fn write_shapes(folder: &Path) {
    for (class, name) in ["across", "along", "disc"].into_iter().enumerate() {
        for (part, first, count) in [("train", 0, 40), ("val", 1000, 12)] {
            let folder = folder.join(part).join(name);
            std::fs::create_dir_all(&folder).unwrap();
            for number in 0..count {
                std::fs::write(folder.join(format!("{number}.png")), image(class, first + number)).unwrap();
            }
        }
    }
}

fn train(config: &Config) -> (RunFolder, tks_trainer::evaluation::Evaluation) {
    let _turn = turn();
    let run = RunFolder::create(config).unwrap();
    let outcome =
        Trainer::start(config.clone(), run.clone(), files(&run)).unwrap().fit(&StopFlag::default()).unwrap();
    let Outcome::Finished(evaluation) = outcome else { panic!("nobody asked to stop") };
    (run, *evaluation)
}

/// The documented example with changes, on images written to `folder`, which also contains its run.
fn example(folder: &Path, changes: &[&str]) -> Config {
    let images = folder.join("images");
    write_shapes(&images);
    let mut all = vec![
        format!("data.path={:?}", images.display().to_string()),
        format!("output.folder={:?}", folder.display().to_string()),
        "hardware={ device = \"cpu\", threads = 1 }".into(),
    ];
    all.extend(changes.iter().map(|change| (*change).to_string()));
    Config::parse(&documented(), "first-steps.md".as_ref(), &all).unwrap()
}

#[test]
fn the_documented_folder_example_learns() {
    let folder = tempfile::tempdir().unwrap();
    let (run, evaluation) = train(&example(folder.path(), &["output.report=false"]));
    assert!(evaluation.accuracy() > 0.8, "{}", evaluation.accuracy());
    assert_eq!(run.warnings(), Vec::<String>::new());
}

#[test]
fn a_training_of_too_few_steps_says_so_in_its_log_and_report() {
    let folder = tempfile::tempdir().unwrap();
    // Two batches per epoch and a very small learning rate, as in a recipe for large sets.
    let changes = ["training.batch_size=64", "training.epochs=4", "schedule.warmup_epochs=4"];
    let (run, _) = train(&example(folder.path(), &changes));
    let warnings = run.warnings();
    let page = text(&run, "report/index.html");
    for expected in ["2 steps of the optimiser", "after epoch 4 of 4", "running statistics of the batch norm"]
    {
        assert!(warnings.iter().any(|warning| warning.contains(expected)), "{expected}: {warnings:#?}");
        assert!(page.contains(expected), "{expected}");
    }
    let starts: std::collections::BTreeSet<_> = warnings.iter().collect();
    assert_eq!(starts.len(), warnings.len());
}

#[test]
fn batch_norm_of_one_value_is_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    write_images(&images, 5);
    let start = |more: &[&str]| {
        let mut changes = images_config(&images);
        changes.push("data.images.recipe.resize={ height = 1, width = 1 }".into());
        changes
            .push("network={ architecture = \"sequential\", layers = [{ conv = { channels = 8 } }] }".into());
        changes.extend(more.iter().map(|change| (*change).to_string()));
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        let config = config(folder.path(), &changes);
        let run = RunFolder::create(&config).unwrap();
        Trainer::start(config, run, Vec::new()).map(|_| ()).map_err(|error| format!("{error:#}"))
    };
    let said = start(&["training.batch_size=1"]).unwrap_err();
    assert!(
        said.contains("`training.batch_size` is 1") && said.contains("`feature.0.bn` gets 1 value"),
        "{said}"
    );
    // Ten samples in batches of three: one is left.
    let said = start(&["training.batch_size=3", "data.last_batch=keep"]).unwrap_err();
    assert!(said.contains("the last batch of an epoch of 10 samples has 1 of 3"), "{said}");
    for last in ["drop", "pad"] {
        start(&["training.batch_size=3", &format!("data.last_batch={last}")]).unwrap();
    }
}

#[test]
fn weights_that_are_not_numbers_do_not_evaluate_to_an_accuracy() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), &[]);
    let data = Data::open(&config).unwrap();
    let network = build_network(&config, &data.task, Device::Cpu).unwrap();
    let evaluated = || {
        let Task { classes, time_steps, .. } = &data.task;
        let loader = data.test_loader().unwrap();
        evaluate(network.as_ref(), &loader, classes, *time_steps, &config.execution, |_, _| Ok(()))
    };
    evaluated().unwrap();
    let last = network.named_tensors().last().unwrap();
    let whole = last.1.copy();
    let _filled = tch::no_grad(|| last.1.shallow_clone().fill_(f64::NAN));
    let said = evaluated().unwrap_err().to_string();
    assert!(said.contains(&format!("`{}`", last.0)) && said.contains("not finite"), "{said}");
    // Finite weights whose products are not finite.
    tch::no_grad(|| last.1.shallow_clone().copy_(&whole));
    for (name, tensor) in network.named_tensors() {
        if name.ends_with("fc.1.weight") || name.ends_with("fc.weight") || name.ends_with("fc2.weight") {
            let _filled = tch::no_grad(|| tensor.shallow_clone().fill_(3e38));
        }
    }
    if let Err(error) = evaluated() {
        let said = error.to_string();
        assert!(said.contains("not finite, the first of") && said.contains("it begins in"), "{said}");
    }
}

#[test]
fn classes_are_compared_by_name_in_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other, fewer] = ["one", "other", "fewer"].map(|name| folder.path().join(name));
    [&one, &other, &fewer].into_iter().for_each(|images| write_images(images, 8));
    for part in ["train", "test"] {
        std::fs::rename(other.join(part).join("dark"), other.join(part).join("zebra")).unwrap();
        std::fs::remove_dir_all(fewer.join(part).join("dark")).unwrap();
    }
    let mut changes = images_config(&one);
    changes.push("training.epochs=1".into());
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    let (place, _) = common::train(folder.path(), &changes);
    let eval = |images: &Path| {
        let change = format!("data.path={:?}", images.display().to_string());
        run(tks().args(["eval", &place.path().display().to_string(), "--set", &change]))
    };
    let output = eval(&one);
    assert!(output.status.success(), "{}", errors(&output));
    for (images, expected) in [
        (&other, "`run` lacks the class `zebra`"),
        (&fewer, "`data` lacks the class `dark`, which `run` has"),
    ] {
        let said = errors(&eval(images));
        assert!(
            said.contains("trained on the classes `bright`, `dark`") && said.contains(expected),
            "{said}"
        );
    }

    // The same classes in another order: labels are the network's.
    let config = place.config().unwrap();
    let task = place.task().unwrap();
    let turned = Task { classes: task.classes.iter().rev().cloned().collect(), ..task.clone() };
    let (as_is, joined) = (Data::open(&config).unwrap(), Data::open_for(&config, Some(&turned)).unwrap());
    assert_eq!(joined.task.classes, turned.classes);
    for index in 0..as_is.test.len() {
        let name = |data: &Data| data.task.classes[data.test.label(index)].clone();
        assert_eq!(name(&joined), name(&as_is));
        assert_ne!(joined.test.label(index), as_is.test.label(index));
    }
}

#[test]
fn an_image_of_another_size_is_answered_with_both_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let (place, _) = common::train(folder.path(), &["training.epochs=1"]);
    let path = folder.path().join("big.png");
    std::fs::write(&path, image(2, 0)).unwrap();
    let (place, path) = (place.path().display().to_string(), path.display().to_string());
    let said = errors(&run(tks().args(["predict", &place, &path])));
    assert!(said.contains("takes 8 x 8 pixels") && said.contains("the image has 40 x 48"), "{said}");
    let remedy = "data.images.recipe.resize={ height = 8, width = 8, crop = 1.0 }";
    assert!(said.contains(remedy) && !said.contains("augment"), "{said}");
    let output = run(tks().args(["predict", &place, &path, "--set", remedy]));
    assert!(output.status.success(), "{}", errors(&output));
}
