//! The charts of a report.

use std::collections::BTreeSet;

use crate::chart::{
    BarChart, BarGroup, HeatMap, HeatScale, LineChart, Series, Vertical, membrane_traces, spike_raster,
};
use crate::data::{Confusion, EpochRecord, LayerActivity, Report, StepAccuracy};
use crate::energy::Energy;
use crate::error::ReportError;

/// An explanation, for readers who see it rise, of why the loss of Temporal Knowledge Sharing does not
/// measure progress.
pub const TKS_LOSS_MAY_RISE: &str = "The TKS loss may rise while the network learns: its schedule moves weight from the \
                                     labels' cross entropy (ce) to the teacher's (soft), which is multiplied by tau squared \
                                     and is never below the entropy of the softened teacher; the cross entropy tells \
                                     whether the network learns.";

/// A chart of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Name of its file, without `.svg`.
    pub name: &'static str,
    /// A caption of one sentence, plain text.
    pub caption: String,
    /// The chart.
    pub svg: String,
}

/// At most this many layers get bars of their own; the page's table lists all.
const MOST_BARS: usize = 24;

pub(crate) fn course(report: &Report) -> Result<Vec<Figure>, ReportError> {
    let epochs = &report.epochs;
    let mut figures = Vec::new();
    let entropies: [Column; 2] = [("training", |e| e.train_cross_entropy), ("test", |e| e.test_loss)];
    let title = "Cross entropy";
    figures.extend(over_epochs(
        "cross_entropy",
        title,
        title,
        Vertical::Number,
        epochs,
        &entropies,
        CROSS_ENTROPY,
    )?);
    figures.extend(loss_terms(epochs)?);
    let accuracies: [Column; 2] = [("training", |e| e.train_accuracy), ("test", |e| e.test_accuracy)];
    let caption = "Share of samples that the mean of the outputs over the time steps gets right, by epoch; in training as the \
                   samples were trained on (augmented), while the weights changed.";
    figures.extend(over_epochs(
        "accuracy",
        "Accuracy",
        "Accuracy",
        Vertical::Share,
        epochs,
        &accuracies,
        caption,
    )?);
    let rate: [Column; 1] = [("learning rate", |e| e.learning_rate)];
    let caption = "Learning rate at the end of each epoch.";
    figures.extend(over_epochs(
        "learning_rate",
        "Learning rate",
        "Learning rate",
        Vertical::Number,
        epochs,
        &rate,
        caption,
    )?);
    Ok(figures)
}

const CROSS_ENTROPY: &str = "Mean cross entropy, by epoch: of the mean of the outputs over the time steps, for the training \
                             samples as they were trained on (augmented, while the weights changed) and for the test samples.";

/// The minimised loss and its terms; `None` if it is the cross entropy or was not recorded.
fn loss_terms(epochs: &[EpochRecord]) -> Result<Option<Figure>, ReportError> {
    let is_cross_entropy = |epoch: &EpochRecord| match (epoch.train_loss, epoch.train_cross_entropy) {
        (Some(loss), Some(entropy)) => (loss - entropy).abs() <= 1e-5 * entropy.abs(),
        (loss, _) => loss.is_none(),
    };
    if epochs.iter().all(is_cross_entropy) {
        return Ok(None);
    }
    let line = |name: String, value: &dyn Fn(&EpochRecord) -> Option<f64>| Series {
        name,
        points: epochs.iter().filter_map(|epoch| Some((epoch.epoch as f64, value(epoch)?))).collect(),
        band: Vec::new(),
    };
    let names: BTreeSet<&String> = epochs.iter().flat_map(|epoch| epoch.loss_parts.keys()).collect();
    let mut series = vec![line("loss".into(), &|epoch| epoch.train_loss)];
    // A loss with one term equals that term.
    if names.len() > 1 {
        series.extend(
            names.into_iter().map(|name| line(name.clone(), &|epoch| epoch.loss_parts.get(name).copied())),
        );
    } else if let [only] = series.as_mut_slice() {
        only.name.clear();
    }
    let chart = LineChart {
        title: "Training loss".into(),
        x_label: "Epoch".into(),
        y_label: "Training loss".into(),
        vertical: Vertical::Number,
        series,
        marker: None,
    };
    let mut caption = "Mean of what the training minimises, by epoch".to_string();
    if epochs.iter().any(|epoch| epoch.loss_parts.contains_key("soft")) {
        caption.push_str(": loss = a ce + (1 - a) soft, with the weight a of the labels. ");
        caption.push_str(TKS_LOSS_MAY_RISE);
    } else {
        caption.push_str(". It is not the test's measure: compare cross entropies.");
    }
    Ok(Some(Figure { name: "training_loss", caption, svg: chart.svg()? }))
}

pub(crate) fn teacher(report: &Report) -> Result<Vec<Figure>, ReportError> {
    let epochs = &report.epochs;
    let mut figures = Vec::new();
    let shares: [Column; 3] = [
        ("steps that are right", |e| e.right_steps),
        ("samples that no step gets right", |e| e.none_right),
        ("weight of the labels", |e| e.label_weight),
    ];
    let caption = "Share of all time steps of all samples that alone are right and so may teach, share of samples without \
                   such a step, and the weight of the labels against the teacher, by epoch.";
    let title = "What the time steps know";
    figures.extend(over_epochs("right_steps", title, "Share", Vertical::Share, epochs, &shares, caption)?);
    let entropy: [Column; 1] = [("entropy of the teacher", |e| e.teacher_entropy)];
    let caption =
        "Mean entropy of the teacher's distribution at its temperature, by epoch: high where it is unsure.";
    figures.extend(over_epochs(
        "teacher_entropy",
        "How sure the teacher is",
        "Entropy (nats)",
        Vertical::Number,
        epochs,
        &entropy,
        caption,
    )?);
    figures.extend(right_per_step(epochs)?);
    Ok(figures)
}

/// A line's name, and how to read its value from an epoch's record.
type Column = (&'static str, fn(&EpochRecord) -> Option<f64>);

/// `None` if no epoch has any of the columns.
fn over_epochs(
    name: &'static str,
    title: &str,
    y_label: &str,
    vertical: Vertical,
    epochs: &[EpochRecord],
    columns: &[Column],
    caption: &str,
) -> Result<Option<Figure>, ReportError> {
    let series: Vec<Series> = columns
        .iter()
        .map(|(name, value)| Series {
            // A single line is named by its axis.
            name: if columns.len() > 1 { (*name).to_string() } else { String::new() },
            points: epochs.iter().filter_map(|e| Some((e.epoch as f64, value(e)?))).collect(),
            band: Vec::new(),
        })
        .filter(|series| !series.points.is_empty())
        .collect();
    if series.is_empty() {
        return Ok(None);
    }
    let chart = LineChart {
        title: title.into(),
        x_label: "Epoch".into(),
        y_label: y_label.into(),
        vertical,
        series,
        marker: None,
    };
    Ok(Some(Figure { name, caption: caption.to_string(), svg: chart.svg()? }))
}

/// At most seven lines: the first and last epochs, and others between them at equal distances.
fn right_per_step(epochs: &[EpochRecord]) -> Result<Option<Figure>, ReportError> {
    const LINES: usize = 5;
    let known: Vec<&EpochRecord> = epochs.iter().filter(|epoch| !epoch.right_per_step.is_empty()).collect();
    let Some(last) = known.len().checked_sub(1) else { return Ok(None) };
    let mut chosen: Vec<usize> = (0..LINES).map(|i| i * last / (LINES - 1)).collect();
    chosen.dedup();
    let series = chosen
        .into_iter()
        .map(|i| Series {
            name: format!("epoch {}", known[i].epoch),
            points: known[i]
                .right_per_step
                .iter()
                .enumerate()
                .map(|(t, right)| (t as f64 + 1.0, *right))
                .collect(),
            band: Vec::new(),
        })
        .collect();
    let chart = LineChart {
        title: "Which time steps are right".into(),
        x_label: "Time step".into(),
        y_label: "Share of training samples".into(),
        vertical: Vertical::Share,
        series,
        marker: None,
    };
    let caption = "Share of training samples that each time step alone gets right, in some epochs from the first to the last.";
    Ok(Some(Figure { name: "right_per_step", caption: caption.into(), svg: chart.svg()? }))
}

pub(crate) fn step_accuracy(all: &[StepAccuracy]) -> Result<Option<Figure>, ReportError> {
    if all.is_empty() {
        return Ok(None);
    }
    let mut several = false;
    let series = all
        .iter()
        .map(|one| {
            let (mut points, mut band) = (Vec::new(), Vec::new());
            for (i, steps) in one.time_steps.iter().enumerate() {
                let Some((mean, deviation)) = one.mean_and_deviation(i) else { continue };
                points.push((*steps as f64, mean));
                let around = deviation.unwrap_or(0.0);
                several |= deviation.is_some();
                band.push((*steps as f64, (mean - around).max(0.0), (mean + around).min(1.0)));
            }
            Series { name: one.name.clone(), points, band }
        })
        .collect();
    let chart = LineChart {
        title: "Accuracy over test time steps".into(),
        x_label: "Test time steps".into(),
        y_label: "Test accuracy".into(),
        vertical: Vertical::Share,
        series,
        marker: None,
    };
    let mut caption =
        "Test accuracy where the network runs for so many time steps, however many it was trained at."
            .to_string();
    if several {
        caption.push_str(
            " Lines are means over runs with different seeds, bands one standard deviation to each side.",
        );
    }
    Ok(Some(Figure { name: "step_accuracy", caption, svg: chart.svg()? }))
}

pub(crate) fn confusion(confusion: &Confusion) -> Result<Figure, ReportError> {
    let shares = confusion.counts.iter().map(|row| {
        let all: u64 = row.iter().sum();
        row.iter().map(|count| if all == 0 { f64::NAN } else { *count as f64 / all as f64 }).collect()
    });
    let map = HeatMap {
        title: "Confusion matrix".into(),
        x_label: "Predicted class".into(),
        y_label: "True class".into(),
        columns: confusion.classes.clone(),
        rows: confusion.classes.clone(),
        values: shares.collect(),
        scale: HeatScale::Share,
        square: true,
    };
    let caption = "Share of each class's test samples (a row) that the network takes for each class (a column), in percent. \
                   Colours follow the square root, so that rare errors show; a grey row has no samples.";
    Ok(Figure { name: "confusion", caption: caption.into(), svg: map.svg()? })
}

pub(crate) fn firing_rates(layers: &[LayerActivity]) -> Result<Option<Figure>, ReportError> {
    let steps = layers.iter().map(|layer| layer.firing_rate.len()).max().unwrap_or(0);
    if steps == 0 {
        return Ok(None);
    }
    let map = HeatMap {
        title: "Firing rate of each layer at each time step".into(),
        x_label: "Time step".into(),
        y_label: "Layer".into(),
        columns: (1..=steps).map(|t| t.to_string()).collect(),
        rows: layers.iter().map(|layer| layer.layer.clone()).collect(),
        values: layers.iter().map(|layer| layer.firing_rate.clone()).collect(),
        scale: HeatScale::Number,
        square: false,
    };
    let caption = "Mean spikes per neuron, by layer (input above) and time step, over test samples.";
    Ok(Some(Figure { name: "firing_rate", caption: caption.into(), svg: map.svg()? }))
}

pub(crate) fn sample(report: &Report) -> Result<Vec<Figure>, ReportError> {
    let mut figures = Vec::new();
    let Some(sample) = &report.sample else { return Ok(figures) };
    if !sample.rasters.is_empty() {
        let svg = spike_raster("Spikes", &sample.rasters)?;
        let caption = "Spikes of some layers' neurons while the sample is shown: a dash a spike.".to_string();
        figures.push(Figure { name: "raster", caption, svg });
    }
    if !sample.traces.is_empty() {
        let svg = membrane_traces("Membrane potentials", &sample.traces)?;
        let known = sample.traces.iter().all(|trace| !trace.before_reset.is_empty());
        let caption = if known {
            "Membrane potential of some neurons at each time step: charged by the input (a dot), then reset where they \
                 fired (a triangle, and a line straight down); the threshold dashed."
        } else {
            "Membrane potential of some neurons after each time step, reset where they fired (a triangle); the threshold \
                 dashed."
        };
        let caption = caption.to_string();
        figures.push(Figure { name: "membrane", caption, svg });
    }
    Ok(figures)
}

pub(crate) fn energy(energy: &Energy) -> Result<Vec<Figure>, ReportError> {
    let steps = energy.time_steps;
    let shown = &energy.layers[..energy.layers.len().min(MOST_BARS)];
    let group = |name: &str, values: [f64; 2]| BarGroup { name: name.to_string(), values: values.into() };
    let plural = if steps == 1 { "" } else { "s" };
    let series = vec![
        format!("spiking network, {steps} time step{plural}, event-driven processor"),
        "ANN of the same weights, dense processor".to_string(),
    ];
    let operations = BarChart {
        title: "Operations per sample".into(),
        label: "Operations per sample".into(),
        unit: String::new(),
        series: series.clone(),
        groups: shown
            .iter()
            .map(|l| group(&l.layer, [l.snn_macs(steps) + l.snn_acs(steps), l.macs as f64]))
            .collect(),
    };
    let joules = BarChart {
        title: "Estimated energy per sample".into(),
        label: "Energy per sample (J)".into(),
        unit: "J".into(),
        series,
        groups: shown.iter().map(|l| group(&l.layer, [l.snn_joules(steps), l.ann_joules()])).collect(),
    };
    Ok(vec![
        Figure {
            name: "operations",
            caption: "Operations of each layer with weights, for one sample. Spiking network, on a processor that does nothing \
                      where an input is zero: an addition for each spike and synapse; in the first layer a multiplication with \
                      addition for each weight of an image, or for each non-zero input of event frames. ANN, on a processor \
                      that computes all inputs alike: a multiplication with addition for each weight."
                .into(),
            svg: operations.svg()?,
        },
        Figure {
            name: "energy",
            caption: "Estimated energy of these operations at 45 nm, for one sample, by the formula below.".into(),
            svg: joules.svg()?,
        },
    ])
}
