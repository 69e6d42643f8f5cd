//! One page that holds a whole report, without scripts, other files or external resources.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::chart::with_prefix;
use crate::data::{Confusion, Environment, Report, StepAccuracy};
use crate::energy::{AC_JOULES, Energy, LayerInput, MAC_JOULES};
use crate::error::ReportError;
use crate::figures::{self, Figure};
use crate::html::escape;

/// File name of the page in its folder.
pub const PAGE: &str = "index.html";

const STYLE: &str = include_str!("page.css");

/// A report as files.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The page.
    pub html: String,
    /// Its charts, which are also embedded in the page.
    pub figures: Vec<Figure>,
}

impl Report {
    /// Draws the charts and writes the page around them.
    ///
    /// # Errors
    /// [`ReportError::Data`] if numbers are inconsistent, [`ReportError::Chart`] if a chart cannot be drawn.
    pub fn page(&self) -> Result<Page, ReportError> {
        let mut sections: Vec<Section> = Vec::new();
        let course = figures::course(self)?;
        if !course.is_empty() {
            sections.push(Section::new("course", "Course of the training", epoch_table(self), course));
        }
        if let Some(figure) = figures::step_accuracy(&self.step_accuracy)? {
            let table = step_table(&self.step_accuracy);
            sections.push(Section::new("time-steps", "Accuracy over test time steps", table, vec![figure]));
        }
        if let Some(confusion) = &self.confusion {
            confusion.check()?;
            let figure = figures::confusion(confusion)?;
            sections.push(Section::new("confusion", "Confusion", confusion_tables(confusion), vec![figure]));
        }
        let teacher = figures::teacher(self)?;
        if !teacher.is_empty() {
            sections.push(Section::new("teacher", "The teacher", String::new(), teacher));
        }
        if let Some(figure) = figures::firing_rates(&self.activity)? {
            sections.push(Section::new("activity", "Activity", activity_table(self), vec![figure]));
        }
        let sample = figures::sample(self)?;
        if let Some(shown) = self.sample.as_ref().filter(|_| !sample.is_empty()) {
            let mut section = Section::new("sample", "One sample", String::new(), sample);
            section.before = format!("<p>{}</p>\n", escape(&shown.description));
            sections.push(section);
        }
        if let Some(energy) = self.energy.as_ref().filter(|energy| !energy.layers.is_empty()) {
            let figures = figures::energy(energy)?;
            sections.push(Section::new("energy", "Operations and energy", energy_text(energy), figures));
        }
        if !self.configuration.trim().is_empty() {
            let text = format!("<pre>{}</pre>\n", escape(self.configuration.trim()));
            sections.push(Section::new("configuration", "Configuration", text, Vec::new()));
        }
        let environment = environment_table(&self.environment);
        if !environment.is_empty() {
            sections.push(Section::new("environment", "Environment", environment, Vec::new()));
        }
        let html = self.html(&sections);
        Ok(Page { html, figures: sections.into_iter().flat_map(|section| section.figures).collect() })
    }

    fn html(&self, sections: &[Section]) -> String {
        let title = escape(if self.title.trim().is_empty() { "Training report" } else { &self.title });
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        );
        if !self.summary.trim().is_empty() {
            push(&mut html, format_args!("<p class=\"summary\">{}</p>\n", escape(&self.summary)));
        }
        if !self.warnings.is_empty() {
            html.push_str("<ul class=\"warnings\">\n");
            for warning in &self.warnings {
                push(&mut html, format_args!("<li>{}</li>\n", escape(warning)));
            }
            html.push_str("</ul>\n");
        }
        if !self.key_figures.is_empty() {
            html.push_str("<dl class=\"key\">\n");
            for figure in &self.key_figures {
                push(
                    &mut html,
                    format_args!(
                        "<div><dt>{}</dt><dd>{}</dd><dd class=\"note\">{}</dd></div>\n",
                        escape(&figure.name),
                        escape(&figure.value),
                        escape(&figure.note)
                    ),
                );
            }
            html.push_str("</dl>\n");
        }
        html.push_str("<nav>\n<ul>\n");
        for section in sections {
            push(&mut html, format_args!("<li><a href=\"#{}\">{}</a></li>\n", section.anchor, section.title));
        }
        html.push_str("</ul>\n</nav>\n");
        for section in sections {
            push(
                &mut html,
                format_args!(
                    "<section id=\"{}\">\n<h2><a href=\"#{}\">{}</a></h2>\n{}",
                    section.anchor, section.anchor, section.title, section.before
                ),
            );
            for figure in &section.figures {
                push(
                    &mut html,
                    format_args!(
                        "<figure id=\"figure-{}\">\n{}\n<figcaption>{}</figcaption>\n</figure>\n",
                        figure.name,
                        figure.svg,
                        escape(&figure.caption)
                    ),
                );
            }
            html.push_str(&section.after);
            html.push_str("</section>\n");
        }
        html.push_str("</main>\n</body>\n</html>\n");
        html
    }
}

impl Page {
    /// Writes the page as [`PAGE`] and each chart as an SVG into the folder, which is created if necessary.
    /// Each file is written whole or not at all, the page last. Returns the page's path.
    ///
    /// # Errors
    /// [`ReportError::Write`] if writing fails.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, ReportError> {
        for figure in &self.figures {
            let path = folder.join(format!("{}.svg", figure.name));
            tks_data::whole_file::write(&path, figure.svg.as_bytes())?;
        }
        let path = folder.join(PAGE);
        tks_data::whole_file::write(&path, self.html.as_bytes())?;
        Ok(path)
    }
}

struct Section {
    anchor: &'static str,
    title: &'static str,
    before: String,
    figures: Vec<Figure>,
    after: String,
}

impl Section {
    fn new(anchor: &'static str, title: &'static str, after: String, figures: Vec<Figure>) -> Self {
        Self { anchor, title, before: String::new(), figures, after }
    }
}

/// Writing to a string cannot fail.
fn push(html: &mut String, arguments: std::fmt::Arguments) {
    let _infallible = html.write_fmt(arguments);
}

/// A table whose first `names` columns are text; the others are numbers, aligned right. All cells are escaped
/// here.
fn table(head: &[&str], names: usize, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let class = |column: usize| if column < names { " class=\"name\"" } else { "" };
    let mut html = String::from("<div class=\"scroll\"><table>\n<thead><tr>");
    for (i, cell) in head.iter().enumerate() {
        push(&mut html, format_args!("<th scope=\"col\"{}>{}</th>", class(i), escape(cell)));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (i, cell) in row.iter().enumerate() {
            push(&mut html, format_args!("<td{}>{}</td>", class(i), escape(cell)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table></div>\n");
    html
}

fn folded(summary: &str, content: &str) -> String {
    format!("<details>\n<summary>{}</summary>\n{content}</details>\n", escape(summary))
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Empty if not known.
fn optional(value: Option<f64>, text: impl Fn(f64) -> String) -> String {
    value.map(text).unwrap_or_default()
}

/// Formats a number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn significant(value: f64) -> String {
    if value != 0.0 && (value.abs() < 1e-3 || value.abs() >= 1e5) {
        format!("{value:.3e}")
    } else {
        format!("{value:.4}")
    }
}

fn epoch_table(report: &Report) -> String {
    let head = [
        "Epoch",
        "Learning rate",
        "Train cross entropy",
        "Test cross entropy",
        "Training loss",
        "Train accuracy",
        "Test accuracy",
        "Firing rate",
        "Samples/s",
        "Seconds",
    ];
    let rows = report.epochs.iter().map(|epoch| {
        vec![
            epoch.epoch.to_string(),
            optional(epoch.learning_rate, significant),
            optional(epoch.train_cross_entropy, significant),
            optional(epoch.test_loss, significant),
            optional(epoch.train_loss, significant),
            optional(epoch.train_accuracy, percent),
            optional(epoch.test_accuracy, percent),
            optional(epoch.firing_rate, significant),
            optional(epoch.samples_per_second, |value| format!("{value:.0}")),
            optional(epoch.seconds, |value| format!("{value:.1}")),
        ]
    });
    folded("All epochs as a table", &table(&head, 1, rows))
}

fn step_table(all: &[StepAccuracy]) -> String {
    let mut steps: Vec<usize> = all.iter().flat_map(|one| one.time_steps.iter().copied()).collect();
    steps.sort_unstable();
    steps.dedup();
    let runs = |one: &StepAccuracy| match one.runs.len() {
        1 => one.name.clone(),
        runs => format!("{} ({runs} runs)", one.name),
    };
    let head: Vec<String> =
        std::iter::once("Test time steps".to_string()).chain(all.iter().map(runs)).collect();
    let rows = steps.iter().map(|t| {
        let accuracy = |one: &StepAccuracy| {
            let value =
                one.time_steps.iter().position(|own| own == t).and_then(|i| one.mean_and_deviation(i));
            match value {
                Some((mean, Some(deviation))) => format!("{:.2} ± {:.2} %", mean * 100.0, deviation * 100.0),
                Some((mean, None)) => percent(mean),
                None => String::new(),
            }
        };
        std::iter::once(t.to_string()).chain(all.iter().map(accuracy)).collect()
    });
    table(&head.iter().map(String::as_str).collect::<Vec<_>>(), 1, rows)
}

fn confusion_tables(confusion: &Confusion) -> String {
    let name = |k: usize| confusion.classes.get(k).cloned().unwrap_or_default();
    let mut html = String::new();
    let pairs = confusion.most_confused(10);
    if !pairs.is_empty() {
        html.push_str("<h3>Most frequent errors</h3>\n");
        let rows = pairs.into_iter().map(|(label, taken, n)| vec![name(label), name(taken), grouped(n)]);
        html.push_str(&table(&["True class", "Taken for", "Samples"], 2, rows));
    }
    let classes = (0..confusion.classes.len()).map(|k| {
        let samples: u64 = confusion.counts[k].iter().sum();
        vec![name(k), grouped(samples), optional(confusion.recall(k), percent)]
    });
    html + &folded("Every class as a table", &table(&["Class", "Samples", "Recognised"], 1, classes))
}

fn activity_table(report: &Report) -> String {
    let rows = report.activity.iter().map(|layer| {
        let largest = layer.firing_rate.iter().copied().fold(0.0, f64::max);
        let rate = optional(layer.mean_rate(), |rate| format!("{rate:.4}"));
        vec![layer.layer.clone(), grouped(layer.neurons), rate, format!("{largest:.4}")]
    });
    table(&["Layer", "Neurons", "Mean firing rate", "Highest at a step"], 1, rows)
}

fn energy_text(energy: &Energy) -> String {
    let (snn, dense, ann) = (energy.snn_joules(), energy.dense_joules(), energy.ann_joules());
    let mut html = String::from("<h3>For one sample</h3>\n");
    let steps = energy.time_steps;
    let count = |number: f64| with_prefix(number).trim_end().to_string();
    let row = |network: String, processor: &str, macs: f64, acs: f64, joules: f64| {
        vec![network, processor.into(), count(macs), count(acs), with_prefix(joules) + "J"]
    };
    let plural = if steps == 1 { "" } else { "s" };
    let spiking = || format!("Spiking network, {steps} time step{plural}");
    let rows = [
        row(spiking(), "event-driven", energy.snn_macs(), energy.snn_acs(), snn),
        row(spiking(), "dense", energy.dense_macs(), 0.0, dense),
        row("ANN of the same weights".into(), "dense", energy.ann_macs(), 0.0, ann),
    ];
    html.push_str(&table(
        &["Network", "Processor", "Multiplications (MAC)", "Additions (AC)", "Estimated energy"],
        2,
        rows,
    ));
    if ann > 0.0 && snn > 0.0 {
        push(
            &mut html,
            format_args!(
                "<p>By this estimate the spiking network takes {:.2} times the energy of the ANN where an event-driven processor \
                 runs it, and {:.2} times where both run on a dense one.</p>\n",
                snn / ann,
                dense / ann
            ),
        );
    }
    push(
        &mut html,
        format_args!(
            "<p>An event-driven (neuromorphic) processor does nothing where an input is zero; a dense one (CPU, GPU, most \
             accelerators of matrix products) computes every input, zero or not. The ANN is evaluated once, its inputs counted as \
             dense: a processor that passes over its zeros, too, would need less. What the weights' arithmetic costs is counted, \
             and nothing else (no memory, no neurons, no leakage), so that these are no measurements of any chip:</p>\n\
             <p class=\"formula\">E<sub>event-driven</sub> = {mac} pJ · (Σ<sub>l images</sub> n<sub>l</sub> · MAC<sub>l</sub> + \
             T · Σ<sub>l event frames</sub> d<sub>l</sub> · MAC<sub>l</sub>) + {ac} pJ · T · Σ<sub>l spikes</sub> r<sub>l</sub> · \
             MAC<sub>l</sub><br/>E<sub>dense</sub> = {mac} pJ · (Σ<sub>l images</sub> n<sub>l</sub> · MAC<sub>l</sub> + T · \
             Σ<sub>l others</sub> MAC<sub>l</sub>)<br/>E<sub>ANN</sub> = {mac} pJ · Σ<sub>l</sub> MAC<sub>l</sub></p>\n\
             <p>MAC<sub>l</sub> is the number of multiplications of one dense evaluation of layer l; a static image is evaluated \
             n<sub>l</sub> = 1 times, event frames at each of T time steps, of whose inputs the share d<sub>l</sub> is not zero; \
             r<sub>l</sub> is the measured mean of spikes per input and time step. {mac} pJ for a 32-bit multiplication with \
             addition and {ac} pJ for an addition, at 45 nm, are from M. Horowitz, “Computing's energy problem (and what we can do \
             about it)”, ISSCC 2014.</p>\n",
            mac = MAC_JOULES * 1e12,
            ac = AC_JOULES * 1e12,
        ),
    );
    let layers = energy.layers.iter().map(|layer| {
        let input = match layer.input {
            LayerInput::Analog { evaluations: 1 } => "image, once".to_string(),
            LayerInput::Analog { evaluations } => format!("dense values, {evaluations} times"),
            LayerInput::Frames { density } => format!("event frames, {} not zero", percent(density)),
            LayerInput::Spikes { rate } => format!("spikes, {rate:.4} per step"),
        };
        vec![
            layer.layer.clone(),
            input,
            count(layer.macs as f64),
            count(layer.snn_macs(steps)),
            count(layer.snn_acs(steps)),
            with_prefix(layer.snn_joules(steps)) + "J",
            with_prefix(layer.ann_joules()) + "J",
        ]
    });
    let head =
        ["Layer", "Input", "MAC, dense", "MAC, spiking", "AC, spiking", "Energy, spiking", "Energy, ANN"];
    html + &folded("Every layer as a table (spiking: event-driven processor)", &table(&head, 2, layers))
}

fn environment_table(environment: &Environment) -> String {
    let Environment {
        version,
        command,
        started,
        seconds,
        seed,
        device,
        processor,
        threads,
        peak_memory,
        operating_system,
        libtorch,
        other,
    } = environment;
    let known = [
        ("Version", version.clone()),
        ("Command", command.clone()),
        ("Started", started.clone()),
        ("Duration", seconds.map(duration)),
        ("Seed", seed.map(|seed| seed.to_string())),
        ("Device", device.clone()),
        ("Processor", processor.clone()),
        ("Threads", threads.map(|threads| threads.to_string())),
        ("Peak memory", peak_memory.map(|bytes| format!("{:.0} MiB", bytes as f64 / 1048576.0))),
        ("Operating system", operating_system.clone()),
        ("libtorch", libtorch.clone()),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?)));
    let rows: Vec<(String, String)> =
        known.chain(other.iter().map(|(k, v)| (k.clone(), v.clone()))).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut html = String::from("<div class=\"scroll\"><table class=\"facts\">\n<tbody>\n");
    for (name, value) in rows {
        push(
            &mut html,
            format_args!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(&name), escape(&value)),
        );
    }
    html + "</tbody>\n</table></div>\n"
}

fn duration(seconds: f64) -> String {
    if !(seconds.is_finite() && seconds >= 60.0) {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
