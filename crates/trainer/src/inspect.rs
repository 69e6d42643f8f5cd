//! The structure of a network: layers, shapes, parameters, operations.

use std::fmt;

use anyhow::Result;
use serde::Serialize;
use tch::Device;
use tks_models::LayerSummary;

use crate::config::Config;
use crate::data::{Task, describe};
use crate::display::counted;
use crate::display::grouped;
use crate::evaluation::Evaluation;
use crate::run_folder::RunFolder;
use crate::trainer::{EVALUATION, build_network};

/// The structure of a network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Inspected {
    /// The architecture's name.
    pub architecture: String,
    /// Its task.
    pub task: Task,
    /// Its layers with shapes for one sample at one step.
    pub layers: Vec<InspectedLayer>,
    /// Number of learned values.
    pub parameters: usize,
    /// Number of neurons.
    pub neurons: usize,
    /// Multiply-accumulate operations for one sample at all steps, for a dense input.
    pub macs: u64,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct InspectedLayer {
    /// The summary of the layer.
    #[serde(flatten)]
    pub summary: LayerSummary,
    /// Its firing rate in the run's evaluation, if it is a layer of neurons.
    pub firing_rate: Option<f64>,
}

/// The network of a configuration. No data are needed, except for a folder of images.
///
/// # Errors
/// A network that does not fit the data.
pub(crate) fn of_config(config: &Config) -> Result<Inspected> {
    inspect(config, describe(config)?, None)
}

/// The network of a run, with the firing rates of its evaluation.
///
/// # Errors
/// A run that never started.
pub(crate) fn of_run(run: &RunFolder) -> Result<Inspected> {
    inspect(&run.config()?, run.task()?, run.read_json(EVALUATION)?)
}

fn inspect(config: &Config, task: Task, evaluation: Option<Evaluation>) -> Result<Inspected> {
    let network = build_network(config, &task, Device::Cpu)?;
    let summary = network.summary();
    let rate = |name: &str| {
        let activity = &evaluation.as_ref()?.activity;
        activity.iter().find(|layer| layer.layer == name)?.mean_rate()
    };
    let layers = summary
        .layers
        .iter()
        .map(|layer| InspectedLayer { summary: layer.clone(), firing_rate: rate(&layer.name) });
    // The first layer is computed only once for a static image.
    let macs = summary.layers.iter().map(|layer| {
        let times = if task.is_static && layer.is_static { 1 } else { task.time_steps };
        layer.macs * times as u64
    });
    Ok(Inspected {
        architecture: config.network.architecture.name(),
        layers: layers.collect(),
        parameters: summary.parameters(),
        neurons: summary.neurons(),
        macs: macs.sum(),
        task,
    })
}

impl fmt::Display for Inspected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Task { data, classes, input, time_steps, is_static } = &self.task;
        let shown = if *is_static { "an image, the same at each of" } else { "a sequence of" };
        writeln!(
            formatter,
            "{} for {data}: {shown} {}, {}x{}x{}, {}\n",
            self.architecture,
            counted(*time_steps, "time step"),
            input.channels,
            input.height,
            input.width,
            if classes.len() == 1 { "1 class".to_string() } else { format!("{} classes", classes.len()) }
        )?;
        let shape = |sizes: &[usize]| sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        let name = self.layers.iter().map(|layer| layer.summary.name.len()).max().unwrap_or(0).max(5);
        writeln!(
            formatter,
            "{:name$}  {:<12} {:>14} {:>14} {:>12} {:>14} {:>9}",
            "layer", "kind", "input", "output", "parameters", "MACs a step", "gets"
        )?;
        for layer in &self.layers {
            let LayerSummary { name: own, kind, input, output, parameters, macs, .. } = &layer.summary;
            let (spiking_input, is_first) = (layer.summary.spiking_input, layer.summary.is_static);
            let kind = serde_json::to_value(kind).unwrap_or_default();
            let rate = layer.firing_rate.map_or_else(String::new, |rate| format!("   fires {rate:.3}"));
            writeln!(
                formatter,
                "{own:name$}  {:<12} {:>14} {:>14} {:>12} {:>14} {:>9}{rate}",
                kind.as_str().unwrap_or(""),
                shape(input),
                shape(output),
                grouped(*parameters),
                grouped(*macs as usize),
                match (*macs > 0, spiking_input) {
                    (false, _) => "",
                    (true, true) => "spikes",
                    (true, false) if !is_first => "currents",
                    (true, false) if *is_static => "image",
                    (true, false) => "frames",
                },
            )?;
        }
        write!(
            formatter,
            "\n{} parameters, {} neurons; {} multiplications with an addition (MACs) for a sample on a processor that \
             computes zeros, too.\nOn an event-driven processor a layer that gets spikes adds instead, once for each spike and \
             synapse, and one that gets event frames multiplies where they are not zero; a static image is computed once, \
             whole. The report has these operations, measured, and their energy.",
            grouped(self.parameters),
            grouped(self.neurons),
            grouped(self.macs as usize),
        )
    }
}
