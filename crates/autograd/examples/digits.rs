//! Trains a small spiking network on the included digits (`datasets/digits`: 1,797 images of 8 x 8 pixels)
//! and shows its accuracy after each time step. `cargo xtask demo` runs it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use tch::nn::{self, ModuleT, OptimizerConfig};
use tch::{Device, Kind, Tensor};
use tks_autograd::{LearnedTensors, multi_step};
use tks_neuron::{Model, Neuron, Surrogate};

const CLASSES: i64 = 10;
const SIDE: i64 = 8;
const PIXELS: usize = (SIDE * SIDE) as usize;
/// The last images of the file are for testing: there is no official split, and their writers wrote few of
/// the other digits.
const TEST_IMAGES: i64 = 360;
const BATCH: i64 = 64;

/// Train a small spiking network on the digits that ship.
#[derive(Parser)]
struct Options {
    /// Passes over the training images
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Time steps that each image is shown for
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(i64).range(1..=100))]
    time_steps: i64,
    /// Fixes the initial weights and the order of the images
    #[arg(long, default_value_t = 1)]
    seed: i64,
    /// The data set
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/digits/digits.csv.gz"))]
    data: PathBuf,
    /// Print the result alone
    #[arg(long)]
    quiet: bool,
}

/// Images `[N, 1, 8, 8]`, grey levels 0 to 1, and their classes `[N]`.
struct Digits {
    images: Tensor,
    classes: Tensor,
}

impl Digits {
    fn read(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut text = String::new();
        flate2::read::GzDecoder::new(file)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot unpack {}", path.display()))?;
        let (mut levels, mut classes) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            let place = || format!("{}, line {}", path.display(), index + 1);
            let numbers: Vec<u8> =
                line.split(',').map(str::parse).collect::<Result<_, _>>().with_context(place)?;
            match numbers.split_last() {
                Some((&class, image)) if image.len() == PIXELS && i64::from(class) < CLASSES => {
                    levels.extend(image.iter().map(|&level| f32::from(level) / 16.0));
                    classes.push(i64::from(class));
                }
                _ => bail!("{}: not {PIXELS} grey levels and a class below {CLASSES}", place()),
            }
        }
        ensure!(classes.len() as i64 > TEST_IMAGES, "{} holds too few images", path.display());
        let images = Tensor::from_slice(&levels).view([-1, 1, SIDE, SIDE]);
        Ok(Digits { images, classes: Tensor::from_slice(&classes) })
    }

    fn len(&self) -> i64 {
        self.classes.size()[0]
    }

    /// The first `count` images, and the others.
    fn split(&self, count: i64) -> (Digits, Digits) {
        let part = |start, length| Digits {
            images: self.images.narrow(0, start, length),
            classes: self.classes.narrow(0, start, length),
        };
        (part(0, count), part(count, self.len() - count))
    }
}

/// conv 1 to 32, LIF, pool, conv 32 to 64, LIF, pool, linear: each layer over all time steps at once.
struct Network {
    encoder: nn::SequentialT,
    convolution: nn::SequentialT,
    readout: nn::Linear,
    neuron: Neuron,
    time_steps: i64,
}

impl Network {
    fn new(path: &nn::Path, time_steps: i64) -> Self {
        let block = |path: nn::Path, from, to| {
            let config = nn::ConvConfig { padding: 1, bias: false, ..Default::default() };
            nn::seq_t().add(nn::conv2d(&path / "conv", from, to, 3, config)).add(nn::batch_norm2d(
                &path / "norm",
                to,
                nn::BatchNormConfig::default(),
            ))
        };
        Network {
            encoder: block(path / "encoder", 1, 32),
            convolution: block(path / "convolution", 32, 64),
            readout: nn::linear(path / "readout", 64 * 4, CLASSES, nn::LinearConfig::default()),
            neuron: Neuron {
                v_threshold: 0.5,
                surrogate: Surrogate::QGate { alpha: 2.0 },
                ..Neuron::new(Model::Lif { tau: 2.0, decay_input: true })
            },
            time_steps,
        }
    }

    /// Logits at each time step, `[T, B, 10]`, for `images` `[B, 1, 8, 8]`.
    fn forward(&self, images: &Tensor, train: bool) -> Result<Tensor> {
        let (steps, batch) = (self.time_steps, images.size()[0]);
        // The image is the same at each time step, so the part before the first neurons runs once.
        let current = self.encoder.forward_t(images, train).unsqueeze(0);
        let spikes = self.fire(&current.expand([steps, batch, 32, SIDE, SIDE], false))?;
        let current = self.convolution.forward_t(&spikes.flatten(0, 1).avg_pool2d_default(2), train);
        let spikes = self.fire(&current.view([steps, batch, 64, SIDE / 2, SIDE / 2]))?;
        let features = spikes.flatten(0, 1).avg_pool2d_default(2).flatten(1, -1);
        Ok(features.apply(&self.readout).view([steps, batch, CLASSES]))
    }

    fn fire(&self, current: &Tensor) -> Result<Tensor> {
        Ok(multi_step(&self.neuron, current, None, LearnedTensors::default())?.spikes)
    }

    /// The accuracy in per cent after 1, 2, ... T time steps: the prediction is the class with the largest
    /// logit, averaged over the steps so far.
    fn accuracies(&self, digits: &Digits) -> Result<Vec<f64>> {
        let logits = tch::no_grad(|| self.forward(&digits.images, false))?;
        let answers = logits.cumsum(0, Kind::Float).argmax(-1, false);
        let right = answers.eq_tensor(&digits.classes).mean_dim(1, false, Kind::Double);
        Ok(Vec::<f64>::try_from(&right)?.into_iter().map(|share| 100.0 * share).collect())
    }
}

/// Trains for one epoch and returns the mean loss.
fn train_epoch(
    network: &Network,
    optimizer: &mut nn::Optimizer,
    digits: &Digits,
    bar: &ProgressBar,
) -> Result<f64> {
    let order = Tensor::randperm(digits.len(), (Kind::Int64, Device::Cpu));
    let mut sum = 0.0;
    for chosen in order.split(BATCH, 0) {
        let logits = network.forward(&digits.images.index_select(0, &chosen), true)?;
        let mean = logits.mean_dim(0, false, Kind::Float);
        let loss = mean.cross_entropy_for_logits(&digits.classes.index_select(0, &chosen));
        optimizer.backward_step(&loss);
        sum += loss.double_value(&[]) * chosen.size()[0] as f64;
        bar.inc(1);
    }
    Ok(sum / digits.len() as f64)
}

/// Trains a network according to `options` and returns its accuracies on the test images.
fn run(options: &Options) -> Result<Vec<f64>> {
    let digits = Digits::read(&options.data)?;
    let (train, test) = digits.split(digits.len() - TEST_IMAGES);
    tch::manual_seed(options.seed);
    let variables = nn::VarStore::new(Device::Cpu);
    let network = Network::new(&variables.root(), options.time_steps);
    let mut optimizer = nn::AdamW::default().build(&variables, 2e-3)?;

    let start = Instant::now();
    for epoch in 1..=options.epochs {
        let batches = (train.len() as u64).div_ceil(BATCH as u64);
        let bar = if options.quiet { ProgressBar::hidden() } else { ProgressBar::new(batches) };
        bar.set_style(ProgressStyle::with_template("epoch {prefix} {bar:30} {pos}/{len} batches")?);
        bar.set_prefix(format!("{epoch}/{}", options.epochs));
        let loss = train_epoch(&network, &mut optimizer, &train, &bar)?;
        bar.finish_and_clear();
        if !options.quiet {
            let accuracy = network.accuracies(&test)?.last().copied().unwrap_or(0.0);
            println!(
                "epoch {epoch:2}/{}  loss {loss:.3}  test accuracy {accuracy:5.1}%  {:.1} s",
                options.epochs,
                start.elapsed().as_secs_f64()
            );
        }
    }
    network.accuracies(&test)
}

fn main() -> Result<()> {
    let options = Options::parse();
    if !options.quiet {
        println!(
            "training a spiking network on {} (the last {TEST_IMAGES} images test it), seed {}",
            options.data.file_name().map_or("the digits".into(), |name| name.to_string_lossy()),
            options.seed
        );
    }
    let accuracies = run(&options)?;
    println!("accuracy on {TEST_IMAGES} test images after each time step (chance: 10%):");
    for (step, accuracy) in accuracies.iter().enumerate() {
        println!("  {:3} {accuracy:5.1}%", step + 1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Options {
        Options::parse_from([&["digits", "--quiet"], arguments].concat())
    }

    #[test]
    fn two_epochs_teach_far_above_chance_and_a_seed_fixes_them() {
        let chosen = options(&["--epochs", "2", "--time-steps", "4"]);
        let accuracies = run(&chosen).unwrap();
        assert_eq!(accuracies.len(), 4);
        assert!(accuracies[3] > 50.0, "{accuracies:?}");
        assert_eq!(run(&chosen).unwrap(), accuracies);
    }

    #[test]
    fn the_file_is_read_as_its_readme_says() {
        let digits = Digits::read(&options(&[]).data).unwrap();
        assert_eq!(digits.images.size(), [1797, 1, 8, 8]);
        let counts = Vec::<i64>::try_from(digits.classes.bincount::<Tensor>(None, CLASSES)).unwrap();
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert!((digits.images.mean(Kind::Double).double_value(&[]) - 0.3053).abs() < 1e-4);
    }

    #[test]
    fn a_file_of_another_form_is_refused() {
        let error =
            Digits::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).err().unwrap();
        assert!(format!("{error:#}").contains("cannot unpack"), "{error:#}");
    }
}
