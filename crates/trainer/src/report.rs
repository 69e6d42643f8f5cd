//! The report of a run: filled in here, drawn by `tks-report`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use tch::{Device, Tensor};
use tks_data::{Loader, LoaderConfig, Subset};
use tks_loss::LossConfig;
use tks_models::{Execution, Input, LayerTrace, SpikingModel, SynapticActivity};
use tks_report::{
    Energy, Environment, KeyFigure, LayerInput, LayerOperations, Report, SampleActivity, SpikeRaster,
    StepAccuracy, Trace,
};

use crate::config::Config;
use crate::data::{Data, Samples, TensorBatch};
use crate::display::{grouped, percent};
use crate::evaluation::Evaluation;
use crate::run_folder::RunFolder;
use crate::trainer::{ENVIRONMENT, EVALUATION};

/// Number of test samples for which synaptic operations are counted.
const COUNTED: usize = 64;

/// Number of neurons of each layer in a raster plot.
const RASTER_NEURONS: usize = 64;

/// Number of membrane potentials drawn per layer, and of layers for which they are drawn.
const TRACES: usize = 1;
const TRACED_LAYERS: usize = 4;

/// Writes the report of a run to its folder `report`, with its accuracy beside that of other runs; returns
/// the path of the page.
///
/// # Errors
/// Records that cannot be read, a failed write.
pub fn write(
    run: &RunFolder,
    network: &dyn SpikingModel,
    data: &Data,
    config: &Config,
    evaluation: &Evaluation,
    beside: &[RunFolder],
) -> Result<PathBuf> {
    let mut report = fill(run, network, data, config, evaluation)?;
    report.step_accuracy = step_accuracy([run].into_iter().chain(beside))?;
    Ok(report.page()?.write(&run.file("report"))?)
}

fn fill(
    run: &RunFolder,
    network: &dyn SpikingModel,
    data: &Data,
    config: &Config,
    evaluation: &Evaluation,
) -> Result<Report> {
    let epochs = run.epochs()?;
    let samples = Counted::load(data, network.device())?;
    let energy = energy(network, &samples.batch, data.task.time_steps, &config.execution)?;
    let environment: Environment = run.read_json(ENVIRONMENT)?.unwrap_or_default();
    let loss = loss_label(&config.loss);
    let architecture = config.network.architecture.name();
    let steps = evaluation.accuracy_by_steps.len();
    let best = epochs.iter().filter_map(|epoch| Some((epoch.test_accuracy?, epoch.epoch)));
    let best = best.fold(None, |best: Option<(f64, usize)>, new| match best {
        Some(best) if best.0 >= new.0 => Some(best),
        _ => Some(new),
    });
    let seconds = epochs.iter().filter_map(|epoch| epoch.seconds).sum();
    let peak = epochs.iter().filter_map(|epoch| epoch.peak_memory_mib).fold(0.0, f64::max);
    Ok(Report {
        title: format!("{}: {architecture} on {}", config.name, data.task.data),
        summary: format!(
            "{architecture} with {} parameters, trained with {loss} at {steps} time steps on {} samples of {}, tested on \
             {}.",
            grouped(network.summary().parameters()),
            grouped(data.train.dataset().len()),
            data.task.data,
            grouped(evaluation.samples),
        ),
        warnings: run.warnings(),
        key_figures: key_figures(evaluation, &energy, best, peak),
        confusion: Some(evaluation.confusion.clone()),
        activity: evaluation.activity.clone(),
        sample: Some(sample_activity(network, data, &samples, config)?),
        energy: Some(energy),
        configuration: config.to_toml()?,
        environment: Environment {
            seconds: Some(seconds),
            seed: Some(config.seed),
            peak_memory: (peak > 0.0).then_some((peak * f64::from(1 << 20)) as u64),
            ..environment
        },
        step_accuracy: Vec::new(),
        epochs,
    })
}

/// Accuracy by steps of evaluated runs; runs whose configurations differ only in the seed, and in settings
/// that do not affect results, are combined.
///
/// # Errors
/// A run that was not evaluated, or whose files cannot be read.
pub fn step_accuracy<'a>(runs: impl IntoIterator<Item = &'a RunFolder>) -> Result<Vec<StepAccuracy>> {
    let mut groups: Vec<(Config, StepAccuracy)> = Vec::new();
    for run in runs {
        let evaluation: Option<Evaluation> = run.read_json(EVALUATION)?;
        let evaluation = evaluation.with_context(|| {
            format!("{} has no {EVALUATION}: its training has not ended", run.path().display())
        })?;
        let steps = evaluation.accuracy_by_steps.len();
        let config = run.config()?;
        let index =
            groups.iter().position(|(known, _)| differ_by_seed(known, &config)).unwrap_or_else(|| {
                let mut name = loss_label(&config.loss);
                if groups.iter().any(|(_, known)| known.name == name) {
                    let folder = run.path().file_name().unwrap_or_default();
                    name = format!("{name} ({})", folder.display());
                }
                groups.push((config, StepAccuracy { name, ..StepAccuracy::default() }));
                groups.len() - 1
            });
        let entry = &mut groups[index].1;
        if steps > entry.time_steps.len() {
            entry.time_steps = (1..=steps).collect();
        }
        entry.runs.push(evaluation.accuracy_by_steps);
    }
    Ok(groups.into_iter().map(|(_, accuracy)| accuracy).collect())
}

/// Whether two trainings are the same except for their seed and settings that do not affect results: names,
/// paths, hardware.
fn differ_by_seed(one: &Config, other: &Config) -> bool {
    let rest = |config: &Config| {
        let mut rest = config.clone();
        let nothing = Config::default();
        (rest.seed, rest.name) = (nothing.seed, nothing.name);
        (rest.output, rest.hardware) = (nothing.output, nothing.hardware);
        (rest.data.path, rest.data.workers, rest.data.prefetch) =
            (nothing.data.path, nothing.data.workers, nothing.data.prefetch);
        rest
    };
    rest(one) == rest(other)
}

/// A loss's name and its non-default settings, such as `TKS no_correct=label tau=2.0`.
fn loss_label(loss: &LossConfig) -> String {
    let settings = |loss: &LossConfig| {
        let value = serde_json::to_value(loss).unwrap_or_default();
        value.get(loss.name()).and_then(|settings| settings.as_object().cloned()).unwrap_or_default()
    };
    let usual = loss.name().parse().map(|loss| settings(&loss)).unwrap_or_default();
    let mut label = loss.name().to_uppercase();
    for (key, value) in settings(loss) {
        if usual.get(&key) != Some(&value) {
            label += &format!(" {key}={}", value.to_string().replace('"', ""));
        }
    }
    label
}

fn key_figures(
    evaluation: &Evaluation,
    energy: &Energy,
    best: Option<(f64, usize)>,
    peak_mib: f64,
) -> Vec<KeyFigure> {
    let steps = evaluation.accuracy_by_steps.len();
    let figure = |name: &str, value: String, note: String| KeyFigure { name: name.into(), value, note };
    let note = best.map_or_else(String::new, |(_, epoch)| {
        format!("at {steps} time steps; epoch {epoch}, the best by this accuracy")
    });
    let mut figures = vec![figure("Test accuracy", percent(evaluation.accuracy()), note)];
    if let [one, .., _] = evaluation.accuracy_by_steps.as_slice() {
        figures.push(figure("After one step", percent(*one), "the same network, stopped early".into()));
    }
    if let Some(rate) = evaluation.firing_rate() {
        figures.push(figure("Firing rate", format!("{rate:.3}"), "spikes a neuron and step".into()));
    }
    let (snn, ann) = (energy.snn_joules() * 1e6, energy.ann_joules() * 1e6);
    figures.push(figure(
        "Energy",
        format!("{snn:.2} uJ"),
        format!("a sample, event-driven processor; as an ANN on a dense one: {ann:.2} uJ; estimated, 45 nm"),
    ));
    if peak_mib > 0.0 {
        figures.push(figure("Peak memory", format!("{peak_mib:.0} MiB"), "of the training process".into()));
    }
    figures
}

/// Samples spread over the test part, which may be ordered by class.
struct Counted {
    batch: TensorBatch,
    name: String,
    label: usize,
}

impl Counted {
    fn load(data: &Data, device: Device) -> Result<Self> {
        let (all, count) = (data.test.len(), data.test.len().min(COUNTED));
        let places = (0..count).map(|i| i * all / count).collect();
        let samples: Arc<Samples> = Arc::new(Subset::new(Arc::clone(&data.test), places)?);
        let loader = Loader::new(Arc::clone(&samples), LoaderConfig::evaluation(count, 0))?;
        let batch = loader.epoch(0)?.next().context("there is nothing to test on")??;
        Ok(Counted {
            batch: TensorBatch::new(&batch, device)?,
            name: samples.sample_name(0),
            label: samples.label(0),
        })
    }
}

/// The operations for a sample: the cost of the layers, from the share of non-zero inputs and the number of
/// spikes that they represent. A static image is dense; event frames are not.
///
/// # Errors
/// Errors from libtorch.
pub fn energy(
    network: &dyn SpikingModel,
    batch: &TensorBatch,
    time_steps: usize,
    execution: &Execution,
) -> Result<Energy> {
    let input = batch.input(time_steps);
    let activity: BTreeMap<String, SynapticActivity> = network
        .synaptic_activity(input, execution)?
        .into_iter()
        .map(|layer| (layer.name.clone(), layer))
        .collect();
    let is_static = matches!(input, Input::Static(..));
    let layers = network.summary().layers.iter().filter(|layer| layer.macs > 0).map(|layer| {
        let input = match activity.get(&layer.name) {
            // A layer defined by a program that does not show its input is counted as dense.
            None => LayerInput::Analog { evaluations: time_steps as u64 },
            Some(&SynapticActivity { input_density: density, spikes_per_input: rate, .. }) => {
                if layer.spiking_input {
                    LayerInput::Spikes { rate }
                } else if layer.is_static && is_static {
                    LayerInput::Analog { evaluations: 1 }
                } else if !layer.is_static {
                    // After neurons, but not consisting of spikes: membrane potentials.
                    LayerInput::Analog { evaluations: time_steps as u64 }
                } else if rate <= density * (1.0 + 1e-9) {
                    // If no pixel contains more than one event, the frames are spikes.
                    LayerInput::Spikes { rate }
                } else {
                    LayerInput::Frames { density }
                }
            }
        };
        LayerOperations { layer: layer.name.clone(), macs: layer.macs, input }
    });
    Ok(Energy { time_steps, layers: layers.collect() })
}

fn sample_activity(
    network: &dyn SpikingModel,
    data: &Data,
    samples: &Counted,
    config: &Config,
) -> Result<SampleActivity> {
    let input = samples.batch.input(data.task.time_steps);
    let traces = network.trace(input, 0, RASTER_NEURONS, &config.execution)?;
    let logits = tch::no_grad(|| network.forward(input, false, &config.execution))?;
    let class = logits.f_sum_dim_intlist(0, false, None)?.f_get(0)?.f_argmax(0, false)?.f_int64_value(&[])?;
    let name = |class: usize| data.task.classes.get(class).cloned().unwrap_or_else(|| class.to_string());
    let class = name(usize::try_from(class)?);
    let rasters = traces.iter().map(raster).collect::<Result<_>>()?;
    let mut membranes = Vec::new();
    for layer in traces.iter().take(TRACED_LAYERS) {
        membranes.extend(busiest(layer)?);
    }
    Ok(SampleActivity {
        description: format!(
            "Test sample {}, class {}, taken for {class}.",
            samples.name,
            name(samples.label)
        ),
        rasters,
        traces: membranes,
    })
}

/// `[T, N]` as rows.
fn rows(tensor: &Tensor) -> Result<Vec<Vec<f64>>> {
    Ok(Vec::<Vec<f64>>::try_from(tensor.f_to_kind(tch::Kind::Double)?)?)
}

fn raster(layer: &LayerTrace) -> Result<SpikeRaster> {
    let steps = rows(&layer.spikes)?;
    let of_step = |(step, neurons): (usize, &Vec<f64>)| {
        let fired = neurons.iter().enumerate().filter(|(_, spike)| **spike != 0.0);
        fired.map(|(neuron, _)| (step, neuron)).collect::<Vec<_>>()
    };
    Ok(SpikeRaster {
        layer: layer.name.clone(),
        neurons: layer.neurons.len(),
        time_steps: steps.len(),
        spikes: steps.iter().enumerate().flat_map(of_step).collect(),
    })
}

/// The membrane potentials of the most active of the observed neurons of the layer; silent ones are not
/// interesting.
fn busiest(layer: &LayerTrace) -> Result<Vec<Trace>> {
    let (spikes, membranes) = (rows(&layer.spikes)?, rows(&layer.membranes)?);
    let before_reset = rows(&layer.before_reset)?;
    let count = |neuron: usize| spikes.iter().filter(|step| step[neuron] != 0.0).count();
    let mut order: Vec<usize> = (0..layer.neurons.len()).collect();
    order.sort_by_key(|&neuron| std::cmp::Reverse(count(neuron)));
    let trace = |neuron: usize| Trace {
        name: format!("{}, neuron {}", layer.name, layer.neurons[neuron]),
        membrane: membranes.iter().map(|step| step[neuron]).collect(),
        before_reset: before_reset.iter().map(|step| step[neuron]).collect(),
        spikes: spikes.iter().map(|step| step[neuron] != 0.0).collect(),
        v_threshold: layer.v_threshold,
    };
    Ok(order.into_iter().take(TRACES).map(trace).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use tks_models::{Architecture, ConvConfig, InputShape, LayerConfig, NetworkConfig};

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("test.toml"), &[]).unwrap()
    }

    #[test]
    fn only_trainings_that_differ_by_their_seed_are_taken_together() {
        let one = config("seed = 1\nloss = \"tks\"");
        assert!(differ_by_seed(&one, &config("seed = 2\nname = \"again\"\nloss = \"tks\"")));
        assert!(differ_by_seed(&one, &config("hardware = { threads = 2 }\ndata = { path = \"elsewhere\" }")));
        assert!(!differ_by_seed(&one, &config("loss = \"ce\"")));
        assert!(!differ_by_seed(&one, &config("loss = { tks = { tau = 2.0 } }")));
        assert!(!differ_by_seed(&one, &config("execution = { bf16 = true }")));
        assert!(!differ_by_seed(&one, &config("training = { epochs = 7 }")));
    }

    #[test]
    fn a_loss_is_called_by_what_is_not_its_default() {
        let label = |text: &str| loss_label(&config(text).loss);
        assert_eq!(label("loss = \"tks\""), "TKS");
        assert_eq!(
            label("loss = { tks = { no_correct = \"label\", tau = 2.0, alpha = 0.7 } }"),
            "TKS no_correct=label tau=2.0"
        );
        assert_eq!(label("loss = { tks = { selection = { top_k = 2 } } }"), "TKS selection={top_k:2}");
        assert_eq!(label("loss = \"mse_rate\""), "MSE_RATE");
    }

    /// A convolution with 2 maps over 1 x 4 x 4, and a linear layer: 288 and 64 multiplications per step.
    fn small_network(store: &tch::nn::VarStore) -> tks_models::Network {
        let config = NetworkConfig {
            architecture: Architecture::Sequential,
            layers: vec![LayerConfig::Conv(ConvConfig::new(2))],
            classes: 2,
            ..NetworkConfig::default()
        };
        tks_models::Network::new(&store.root(), &config, InputShape::new(1, 4, 4)).unwrap()
    }

    fn energy_of(network: &dyn SpikingModel, values: &[(i64, f64)], shape: &[i64]) -> Energy {
        let inputs = Tensor::zeros([32], (tch::Kind::Float, Device::Cpu));
        for (place, value) in values {
            let _ = inputs.get(*place).fill_(*value);
        }
        let inputs = inputs.narrow(0, 0, shape.iter().product()).view(shape);
        let labels = Tensor::zeros([1], (tch::Kind::Int64, Device::Cpu));
        let batch = TensorBatch { inputs, labels, soft: None, len: 1 };
        energy(network, &batch, 2, &Execution::default()).unwrap()
    }

    #[test]
    fn the_first_layer_of_event_frames_costs_what_is_not_zero() {
        let store = tch::nn::VarStore::new(Device::Cpu);
        let network = small_network(&store);
        // Two steps of 16 pixels, 3 of which contain events.
        let frames = energy_of(&network, &[(0, 1.0), (5, 2.0), (20, 1.0)], &[2, 1, 1, 4, 4]);
        assert_eq!(frames.layers.iter().map(|layer| layer.macs).collect::<Vec<_>>(), [288, 64]);
        assert_eq!(frames.layers[0].input, LayerInput::Frames { density: 3.0 / 32.0 });
        assert_eq!((frames.layers[0].snn_macs(2), frames.layers[0].snn_acs(2)), (54.0, 0.0));
        assert_eq!((frames.dense_macs(), frames.ann_macs()), (704.0, 352.0));
        let LayerInput::Spikes { rate } = frames.layers[1].input else { panic!("{:?}", frames.layers[1]) };
        let joules = 54.0 * 4.6e-12 + 64.0 * 2.0 * rate * 0.9e-12;
        assert!((frames.snn_joules() - joules).abs() < 1e-18, "{}", frames.snn_joules());
        // One event per pixel is a spike: a weight is added.
        let spikes = energy_of(&network, &[(0, 1.0), (5, 1.0)], &[2, 1, 1, 4, 4]);
        assert_eq!(spikes.layers[0].input, LayerInput::Spikes { rate: 2.0 / 32.0 });
        assert_eq!((spikes.layers[0].snn_macs(2), spikes.layers[0].snn_acs(2)), (0.0, 36.0));
        // A static image is dense, and computed once.
        let image = energy_of(&network, &[(0, 0.5), (5, 1.0)], &[1, 1, 4, 4]);
        assert_eq!(image.layers[0].input, LayerInput::Analog { evaluations: 1 });
        assert_eq!(image.layers[0].snn_macs(2), 288.0);
    }
}
