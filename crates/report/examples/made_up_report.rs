//! Writes a report with made-up numbers, to show what a page looks like: `cargo run -p tks-report --example
//! made_up_report -- FOLDER [CLASSES]`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use tks_report::{
    Confusion, Energy, Environment, EpochRecord, KeyFigure, LayerActivity, LayerInput, LayerOperations,
    Report, SampleActivity, SpikeRaster, StepAccuracy, Trace,
};

const STEPS: usize = 10;
const EPOCHS: usize = 60;
const LAYERS: [(&str, u64, u64); 9] = [
    ("features.0 conv 3x3, 2 to 64", 147_456, 2_654_208),
    ("features.3 conv 3x3, 64 to 128", 294_912, 169_869_312),
    ("features.7 conv 3x3, 128 to 256", 147_456, 169_869_312),
    ("features.10 conv 3x3, 256 to 256", 147_456, 339_738_624),
    ("features.14 conv 3x3, 256 to 512", 73_728, 169_869_312),
    ("features.17 conv 3x3, 512 to 512", 73_728, 339_738_624),
    ("features.21 conv 3x3, 512 to 512", 18_432, 84_934_656),
    ("features.24 conv 3x3, 512 to 512", 18_432, 84_934_656),
    ("classifier.0 linear, 4608 to 10", 0, 46_080),
];

/// Numbers in [0, 1) that look random.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }

    fn around(&mut self, value: f64, by: f64) -> f64 {
        value + by * (self.next() + self.next() - 1.0)
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder: PathBuf = arguments.next().context("name a folder to write to")?.into();
    let classes: usize =
        arguments.next().map_or(Ok(10), |text| text.parse()).context("CLASSES is a number")?;
    println!("{}", report(classes)?.page()?.write(&folder)?.display());
    Ok(())
}

fn report(classes: usize) -> Result<Report> {
    let mut noise = Noise(7);
    Ok(Report {
        title: "TKS on made-up numbers <an example>".into(),
        summary: format!(
            "VGG-SNN, {STEPS} time steps, {EPOCHS} epochs, {classes} classes. None of these numbers was measured."
        ),
        warnings: vec![],
        key_figures: vec![
            key("Test accuracy", "82.4 %", "at 10 time steps, best epoch 57"),
            key("At one time step", "74.9 %", "the same network, not trained again"),
            key("Firing rate", "0.118", "mean over layers and steps"),
            key("Energy", "0.31 mJ", "estimated, per sample; ANN 6.25 mJ"),
        ],
        epochs: (0..EPOCHS).map(|epoch| epoch_record(epoch, &mut noise)).collect(),
        step_accuracy: vec![
            step_accuracy("TKS", 0.735, &mut noise),
            step_accuracy("TET", 0.72, &mut noise),
            step_accuracy("CE", 0.64, &mut noise),
        ],
        confusion: Some(confusion(classes, &mut noise)?),
        activity: LAYERS[..8].iter().enumerate().map(|(i, layer)| activity(i, layer, &mut noise)).collect(),
        sample: Some(SampleActivity {
            description: "Test sample 1,234: label \"cat\", taken for \"cat\" from step 3 on.".into(),
            rasters: [(0, 48), (3, 32), (7, 24)]
                .map(|(i, neurons)| raster(LAYERS[i].0, neurons, &mut noise))
                .into(),
            traces: (0..3).map(|i| trace(i, &mut noise)).collect(),
        }),
        energy: Some(Energy {
            time_steps: STEPS,
            layers: LAYERS.iter().enumerate().map(|(i, layer)| operations(i, layer)).collect(),
        }),
        configuration: CONFIGURATION.into(),
        environment: Environment {
            version: Some("0.1.0".into()),
            command: Some("tks train dvs-cifar10.toml --set loss.tks.tau=3.0".into()),
            started: Some("2026-01-31T12:00:00Z".into()),
            seconds: Some(5025.0),
            seed: Some(42),
            device: Some("cpu".into()),
            processor: Some("a processor with 2 cores".into()),
            threads: Some(2),
            peak_memory: Some(3 << 30),
            operating_system: Some("Linux".into()),
            libtorch: Some("2.11.0".into()),
            ..Environment::default()
        },
    })
}

const CONFIGURATION: &str = "\
time_steps = 10
epochs = 60

[loss.tks]
tau = 3.0
alpha = 0.7
schedule = \"linear\"
selection = \"correct\"   # steps that are <right> & sure
";

fn key(name: &str, value: &str, note: &str) -> KeyFigure {
    KeyFigure { name: name.into(), value: value.into(), note: note.into() }
}

fn epoch_record(epoch: usize, noise: &mut Noise) -> EpochRecord {
    let done = epoch as f64 / EPOCHS as f64;
    let learned = 1.0 - (-5.0 * done).exp();
    let soft = 9.0 * (2.3 - 0.9 * learned);
    let right_per_step: Vec<f64> = (0..STEPS)
        .map(|t| noise.around(0.1 + learned * (0.78 - 0.25 * 0.6f64.powi(t as i32)), 0.01))
        .collect();
    EpochRecord {
        epoch,
        learning_rate: Some(0.5e-3 * (0.5 + 0.5 * (std::f64::consts::PI * done).cos())),
        train_loss: Some(noise.around((2.3 - 1.9 * learned) * (1.0 - 0.7 * done) + 0.7 * done * soft, 0.05)),
        train_cross_entropy: Some(noise.around(2.3 - 1.9 * learned, 0.05)),
        loss_parts: [("ce".into(), 2.3 - 1.9 * learned), ("soft".into(), soft)].into(),
        train_accuracy: Some(noise.around(0.1 + 0.86 * learned, 0.01)),
        test_loss: Some(noise.around(2.25 - 1.55 * learned + 0.1 * done, 0.08)),
        test_accuracy: Some(noise.around(0.1 + 0.72 * learned, 0.02)),
        label_weight: Some(1.0 - 0.7 * done),
        right_steps: Some(right_per_step.iter().sum::<f64>() / STEPS as f64),
        right_per_step,
        none_right: Some(noise.around(0.6 * (1.0 - learned) + 0.03, 0.01)),
        teacher_entropy: Some(noise.around(1.9 - 1.5 * learned, 0.03)),
        firing_rate: Some(noise.around(0.09 + 0.03 * learned, 0.002)),
        samples_per_second: Some(noise.around(108.0, 4.0)),
        seconds: Some(noise.around(83.0, 3.0)),
        ..EpochRecord::default()
    }
}

fn step_accuracy(name: &str, at_one: f64, noise: &mut Noise) -> StepAccuracy {
    let run = |noise: &mut Noise| {
        (1..=STEPS)
            .map(|t| noise.around(0.824 - (0.824 - at_one) * 0.6f64.powi(t as i32 - 1), 0.012))
            .collect()
    };
    StepAccuracy {
        name: name.into(),
        time_steps: (1..=STEPS).collect(),
        runs: (0..5).map(|_| run(noise)).collect(),
    }
}

fn confusion(classes: usize, noise: &mut Noise) -> Result<Confusion> {
    let names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    let name = |k: usize| {
        if classes <= 10 { names[k % 10].to_string() } else { format!("{:03} {}", k, names[k % 10]) }
    };
    let mut confusion = Confusion::new((0..classes).map(name).collect());
    for _ in 0..100 * classes.min(60) {
        let label = (noise.next() * classes as f64) as usize;
        let taken = match noise.next() {
            p if p < 0.8 => label,
            p if p < 0.92 => label ^ 1,
            _ => (noise.next() * classes as f64) as usize,
        };
        confusion.add(label, taken.min(classes - 1))?;
    }
    Ok(confusion)
}

fn rate(i: usize) -> f64 {
    0.19 * 0.84f64.powi(i as i32)
}

fn activity(i: usize, layer: &(&str, u64, u64), noise: &mut Noise) -> LayerActivity {
    let firing_rate =
        (0..STEPS).map(|t| noise.around(rate(i) * (1.0 - 0.7f64.powi(t as i32 + 1)), 0.004).max(0.0));
    LayerActivity { layer: layer.0.into(), neurons: layer.1, firing_rate: firing_rate.collect() }
}

fn operations(i: usize, layer: &(&str, u64, u64)) -> LayerOperations {
    let input = match i.checked_sub(1) {
        None => LayerInput::Frames { density: 0.08 },
        Some(before) => LayerInput::Spikes { rate: rate(before) },
    };
    LayerOperations { layer: layer.0.into(), macs: layer.2, input }
}

fn raster(layer: &str, neurons: usize, noise: &mut Noise) -> SpikeRaster {
    let mut spikes = Vec::new();
    for neuron in 0..neurons {
        let rate = 0.4 * noise.next() * noise.next();
        spikes.extend((0..STEPS).filter(|_| noise.next() < rate).map(|t| (t, neuron)));
    }
    SpikeRaster { layer: layer.into(), neurons, time_steps: STEPS, spikes }
}

fn trace(i: usize, noise: &mut Noise) -> Trace {
    let (mut v, drive) = (0.0, 0.5 + 0.3 * i as f64);
    let (mut membrane, mut before_reset, mut spikes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STEPS {
        v += (noise.around(drive, 0.6) - v) / 2.0;
        before_reset.push(v);
        spikes.push(v > 0.5);
        if v > 0.5 {
            v = 0.0;
        }
        membrane.push(v);
    }
    let name = format!("{}, neuron {}", LAYERS[i].0, 17 * i);
    Trace { name, membrane, before_reset, spikes, v_threshold: 0.5 }
}
