//! The figures as SVG text, drawn from values computed by the crate.

use std::error::Error;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use tks_neuron::reference::{Learned, State, step};
use tks_neuron::{Model, Neuron, Surrogate};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

// Okabe and Ito's colours, which colour-blind people can distinguish.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const VERMILION: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const GREY: RGBColor = RGBColor(120, 120, 120);
const SAND: RGBColor = RGBColor(240, 228, 190);
const PALE: RGBColor = RGBColor(225, 225, 225);

/// The folder of the documentation's figures.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/images")
}

/// Every figure: file name and SVG text.
pub(crate) fn all() -> Result<[(&'static str, String); 2]> {
    Ok([
        ("surrogates.svg", drawn((2000, 60 + 415 * Surrogate::all().len().div_ceil(4) as u32), surrogates)?),
        ("membranes.svg", drawn((2000, 60 + 428 * shown().len().div_ceil(2) as u32), membranes)?),
    ])
}

fn drawn(size: (u32, u32), draw: impl Fn(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()?;
    }
    Ok(svg)
}

/// A line of coloured words.
fn legend(area: &Area<'_>, y: i32, entries: &[(&str, RGBColor, u32)]) -> Result<()> {
    let mut x = 60;
    for (text, color, width) in entries {
        area.draw(&PathElement::new([(x, y), (x + 50, y)], color.stroke_width(*width)))?;
        area.draw(&Text::new(text.to_string(), (x + 62, y - 14), ("sans-serif", 28).into_font()))?;
        x += 120 + 13 * text.len() as i32;
    }
    Ok(())
}

/// A panel with its axes and grid.
fn panel<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    (x, y): ([f64; 2], [f64; 2]),
    (x_title, y_title): (&str, &str),
) -> Result<Chart<'a, 'b>> {
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(30)
        .caption(title, ("sans-serif", 30))
        .x_label_area_size(64)
        .y_label_area_size(76)
        .build_cartesian_2d(x[0]..x[1], y[0]..y[1])?;
    chart
        .configure_mesh()
        .x_labels(5)
        .y_labels(4)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .x_desc(x_title)
        .y_desc(y_title)
        .label_style(("sans-serif", 24))
        .axis_desc_style(("sans-serif", 26))
        .bold_line_style(PALE.stroke_width(2))
        .light_line_style(TRANSPARENT)
        .axis_style(GREY.stroke_width(2))
        .draw()?;
    Ok(chart)
}

fn line(
    chart: &mut Chart<'_, '_>,
    points: impl IntoIterator<Item = (f64, f64)>,
    color: RGBColor,
    width: u32,
) -> Result<()> {
    chart.draw_series(LineSeries::new(points, color.stroke_width(width)))?;
    Ok(())
}

/// Primitive and derivative of every surrogate with its default parameters.
fn surrogates(area: &Area<'_>) -> Result<()> {
    const RANGE: f64 = 2.0;
    const POINTS: i32 = 200;
    let (head, body) = area.split_vertically(60);
    legend(
        &head,
        34,
        &[
            ("step, for which f stands", GREY, 3),
            ("primitive f(u)", BLUE, 5),
            ("derivative f'(u)", VERMILION, 5),
        ],
    )?;
    let all = Surrogate::all();
    for (area, surrogate) in body.split_evenly((all.len().div_ceil(4), 4)).iter().zip(all) {
        let parameters: Vec<String> =
            surrogate.parameters().iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let title = match &parameters[..] {
            [] => surrogate.name().to_owned(),
            _ => format!("{} ({})", surrogate.name(), parameters.join(", ")),
        };
        let points = || (-POINTS..=POINTS).map(|i| RANGE * f64::from(i) / f64::from(POINTS));
        // The same scale for all, except where it would cut curves off.
        let heights = points().flat_map(|u| [surrogate.primitive(u), surrogate.derivative_f64(u)]);
        let [bottom, top] = heights.fold([0.0, 2.0], |[low, high], y| [y.min(low), y.max(high)]);
        let y = if bottom < 0.0 || top > 2.0 { [bottom, top] } else { [-0.15, 2.1] };
        let mut chart = panel(area, &title, ([-RANGE, RANGE], y), ("u", "f(u), f'(u)"))?;
        line(&mut chart, [(-RANGE, 0.0), (0.0, 0.0), (0.0, 1.0), (RANGE, 1.0)], GREY, 3)?;
        line(&mut chart, points().map(|u| (u, surrogate.primitive(u))), BLUE, 5)?;
        line(&mut chart, points().map(|u| (u, surrogate.derivative_f64(u))), VERMILION, 5)?;
    }
    Ok(())
}

/// The settings a model is shown with.
#[derive(Clone, Copy)]
struct Shown {
    neuron: Neuron,
    input: f32,
    /// The parameters, in words.
    with: &'static str,
}

/// Every model, in the order of the documentation, with other parameters if the defaults show little.
fn shown() -> Vec<Shown> {
    let chosen = chosen();
    let of = |model: &Model| {
        let known = chosen.iter().find(|shown| shown.neuron.model.name() == model.name());
        known.copied().unwrap_or(Shown {
            neuron: Neuron::new(*model),
            input: 1.3,
            with: "default parameters",
        })
    };
    Model::all().iter().map(of).collect()
}

fn chosen() -> [Shown; 10] {
    let shown = |model, input, with| Shown { neuron: Neuron::new(model), input, with };
    let (tau, v_rest, v_c, a0, decay_input) = (5.0, 0.0, 0.8, 1.0, true);
    let izhikevich = Model::Izhikevich { tau, v_c, a0, v_rest, tau_w: 20.0, a: 0.5, b: 0.2 };
    let (eif, qif) =
        (Model::Eif { tau, delta_t: 0.3, theta_rh: 0.8, v_rest }, Model::Qif { tau, v_c, a0, v_rest });
    [
        shown(Model::If, 0.15, ""),
        shown(Model::Lif { tau, decay_input }, 1.3, "tau = 5"),
        shown(Model::Plif { init_tau: 3.0, decay_input }, 1.3, "1 / sigmoid(w) = 3"),
        shown(Model::CubaLif { tau, tau_synapse: 8.0, decay_input }, 0.25, "tau = 5, tau_synapse = 8"),
        shown(
            Model::Alif { tau, tau_adaptation: 20.0, beta: 1.8, decay_input },
            2.2,
            "tau = 5, tau_adaptation = 20, beta = 1.8",
        ),
        shown(Model::Klif { tau, decay_input }, 1.3, "tau = 5, k = 1.05"),
        shown(qif, 0.45, "tau = 5, v_c = 0.8, a0 = 1"),
        shown(eif, 0.75, "tau = 5, delta_t = 0.3, theta_rh = 0.8"),
        shown(izhikevich, 0.8, "tau = 5, tau_w = 20, a = 0.5, b = 0.2"),
        shown(Model::LeakyIntegrator { tau, decay_input }, 1.3, "tau = 5"),
    ]
}

/// Number of time steps with input, out of all that are shown.
const DRIVEN: std::ops::Range<u16> = 5..65;
const STEPS: u16 = 80;

/// One run of a model, computed by the scalar reference.
struct Trace {
    /// Membrane potential before and after the reset at each time step.
    membrane: Vec<(f64, f64)>,
    threshold: Vec<(f64, f64)>,
    auxiliary: Vec<(f64, f64)>,
    spikes: Vec<f64>,
}

fn trace(Shown { neuron, input, .. }: &Shown) -> Trace {
    let mut learned = Learned::initial(neuron);
    if let Model::Klif { .. } = neuron.model {
        learned.parameters = vec![1.05];
    }
    // With a threshold that is never reached, the membrane after the step is the charged one.
    let silent = Learned { v_threshold: f32::MAX, ..learned.clone() };
    let mut state = State::rest(neuron);
    let mut trace =
        Trace { membrane: Vec::new(), threshold: Vec::new(), auxiliary: Vec::new(), spikes: Vec::new() };
    for t in 0..STEPS {
        let x = if DRIVEN.contains(&t) { *input } else { 0.0 };
        let at = f64::from(t);
        let raised = match neuron.model {
            Model::Alif { beta, .. } => beta * state.auxiliary,
            _ => 0.0,
        };
        trace.threshold.push((at, f64::from(neuron.v_threshold + raised)));
        let mut charged = state;
        step(neuron, &silent, x, &mut charged);
        trace.membrane.push((at, f64::from(charged.membrane)));
        if step(neuron, &learned, x, &mut state) == 1.0 {
            trace.spikes.push(at);
        }
        trace.membrane.push((at, f64::from(state.membrane)));
        trace.auxiliary.push((at, f64::from(state.auxiliary)));
    }
    trace
}

/// Membrane potential, threshold, auxiliary state and spikes of every model under a constant input.
fn membranes(area: &Area<'_>) -> Result<()> {
    let (head, body) = area.split_vertically(60);
    let entries = [
        ("membrane", BLUE, 5),
        ("threshold", GREY, 3),
        ("auxiliary state (synaptic current, adaptation, ...)", GREEN, 3),
        ("spikes", VERMILION, 5),
        ("steps with input", SAND, 20),
    ];
    legend(&head, 34, &entries)?;
    let all = shown();
    for (area, shown) in body.split_evenly((all.len().div_ceil(2), 2)).iter().zip(all) {
        let Shown { neuron, input, with } = &shown;
        let auxiliary = neuron.model.auxiliary_state().map(|name| name.replace('_', " "));
        let comma = if with.is_empty() { "" } else { ", " };
        let title = format!("{}: input {input}{comma}{with}", neuron.model.name());
        let y_title = auxiliary.as_ref().map_or("membrane".into(), |name| format!("membrane, {name}"));
        let last = f64::from(STEPS - 1);
        let [bottom, top] = [-0.4, 2.6];
        let mut chart = panel(area, &title, ([0.0, last], [bottom, top]), ("time step", &y_title))?;
        let (from, to) = (f64::from(DRIVEN.start), f64::from(DRIVEN.end - 1));
        let bar = Rectangle::new([(from, bottom), (to, bottom + 0.1)], SAND.filled());
        chart.draw_series([bar])?;
        let trace = trace(&shown);
        if !matches!(neuron.model, Model::LeakyIntegrator { .. }) {
            line(&mut chart, trace.threshold, GREY, 3)?;
        }
        if auxiliary.is_some() {
            line(&mut chart, trace.auxiliary, GREEN, 3)?;
        }
        line(&mut chart, trace.membrane, BLUE, 4)?;
        for at in trace.spikes {
            line(&mut chart, [(at, top - 0.3), (at, top)], VERMILION, 5)?;
        }
    }
    Ok(())
}
