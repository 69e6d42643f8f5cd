//! Membrane potentials of some neurons over time.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::canvas::{
    Area, COLORS, Drawn, FRAME, SMALL, TEXT, WIDTH, anchored, bold, draw, font, text_of, write,
};
use super::line::{dashed, path};
use crate::data::Trace;
use crate::error::ReportError;

const LEFT: i32 = 72;
const TOP: i32 = 36;
const PANEL: i32 = 96;
const GAP: i32 = 58;

/// Membrane potentials over time, one panel per neuron: a line with a dot per time step, a dashed threshold,
/// and a triangle per spike. If the potentials before the reset are known, the dots show them, and the line
/// falls from there to the potential after the reset.
///
/// # Errors
/// [`ReportError::Data`] if the numbers of spikes and potentials of a trace differ, [`ReportError::Chart`] if
/// it cannot be drawn.
pub fn membrane_traces(title: &str, traces: &[Trace]) -> Result<String, ReportError> {
    let fits = |trace: &Trace| {
        let steps = trace.membrane.len();
        trace.spikes.len() == steps && (trace.before_reset.is_empty() || trace.before_reset.len() == steps)
    };
    if let Some(trace) = traces.iter().find(|trace| !fits(trace)) {
        let before = match trace.before_reset.len() {
            0 => String::new(),
            before => format!(", {before} potentials before the reset"),
        };
        return Err(ReportError::Data {
            part: "sample.traces",
            what: format!(
                "{}: {} potentials{before} and {} spikes; as many are needed",
                trace.name,
                trace.membrane.len(),
                trace.spikes.len()
            ),
        });
    }
    let height = TOP + traces.len() as i32 * (PANEL + GAP) + 30;
    draw(title, (WIDTH, height as u32), |area| {
        for (i, trace) in traces.iter().enumerate() {
            panel(area, trace, TOP + 32 + i as i32 * (PANEL + GAP))?;
        }
        if traces.is_empty() {
            write(area, "no data", (LEFT, TOP + 8), &font(TEXT))?;
        }
        let middle = (WIDTH as i32 / 2, height - 10);
        write(area, "Time step", middle, &anchored(font(TEXT), HPos::Center))
    })
}

fn panel(area: &Area, trace: &Trace, top: i32) -> Drawn {
    let right = WIDTH as i32 - 20;
    let steps = trace.membrane.len();
    let potentials = trace.membrane.iter().chain(&trace.before_reset).copied();
    let axis = Axis::of(potentials.chain([0.0, trace.v_threshold]));
    let column = f64::from(right - LEFT) / steps.max(1) as f64;
    let x = |t: usize| LEFT + ((t as f64 + 0.5) * column).round() as i32;
    let y = |v: f64| top + PANEL - (axis.position(v).clamp(0.0, 1.0) * f64::from(PANEL)).round() as i32;

    write(area, &trace.name, (LEFT, top - 21), &anchored(bold(SMALL), HPos::Left))?;
    path(area, &[(LEFT, top), (LEFT, top + PANEL), (right, top + PANEL)], FRAME.stroke_width(1))?;
    let ends = [axis.low, axis.high];
    for value in ends {
        write(area, &axis.label(value), (LEFT - 6, y(value)), &anchored(font(SMALL), HPos::Right))?;
    }
    if trace.v_threshold.is_finite() {
        let at = y(trace.v_threshold);
        dashed(area, (LEFT, at), (right, at))?;
        let style = anchored(font(SMALL), HPos::Right);
        // Not over a number that is already there.
        if ends.iter().all(|value| (y(*value) - at).abs() > 12) {
            write(area, "threshold", (LEFT - 6, at), &style)?;
        }
    }
    let steps_axis = Axis::of_counts((1..=steps).map(|t| t as f64));
    for tick in steps_axis.ticks.iter().filter(|tick| **tick >= 1.0 && **tick <= steps as f64) {
        let at = x(*tick as usize - 1);
        path(area, &[(at, top + PANEL), (at, top + PANEL + 3)], FRAME.stroke_width(1))?;
        write(area, &steps_axis.label(*tick), (at, top + PANEL + 12), &anchored(font(SMALL), HPos::Center))?;
    }
    // The dots: before the reset if that is known. The line passes through both.
    let dots = if trace.before_reset.is_empty() { &trace.membrane } else { &trace.before_reset };
    let line = dots.iter().zip(&trace.membrane).enumerate();
    let points: Vec<(usize, f64)> = line.flat_map(|(t, (dot, after))| [(t, *dot), (t, *after)]).collect();
    for run in points.split(|(_, v)| !v.is_finite()).filter(|run| !run.is_empty()) {
        let run: Vec<(i32, i32)> = run.iter().map(|(t, v)| (x(*t), y(*v))).collect();
        path(area, &run, COLORS[0].stroke_width(2))?;
    }
    for (t, v) in dots.iter().enumerate().filter(|(_, v)| steps <= 64 && v.is_finite()) {
        area.draw(&Circle::new((x(t), y(*v)), 2, COLORS[0].filled())).map_err(text_of)?;
    }
    for (t, _) in trace.spikes.iter().enumerate().filter(|(_, fired)| **fired) {
        let (at, tip) = (x(t), top - 1);
        let triangle = vec![(at - 4, tip - 7), (at + 4, tip - 7), (at, tip)];
        area.draw(&Polygon::new(triangle, COLORS[1].filled())).map_err(text_of)?;
    }
    Ok(())
}
