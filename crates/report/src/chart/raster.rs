//! Spike rasters.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::canvas::{
    Area, COLORS, Drawn, FRAME, SMALL, TEXT, WIDTH, anchored, bold, draw, font, text_of, write,
};
use super::line::path;
use crate::data::SpikeRaster;
use crate::error::ReportError;

const LEFT: i32 = 64;
const TOP: i32 = 36;
const GAP: i32 = 46;

/// The spikes of some layers over time, one panel per layer and one dash per spike, with neurons from bottom
/// to top.
///
/// # Errors
/// [`ReportError::Data`] if a spike lies outside its raster, [`ReportError::Chart`] if it cannot be drawn.
pub fn spike_raster(title: &str, rasters: &[SpikeRaster]) -> Result<String, ReportError> {
    for raster in rasters {
        let outside = |(t, neuron): &&(usize, usize)| *t >= raster.time_steps || *neuron >= raster.neurons;
        if let Some((t, neuron)) = raster.spikes.iter().find(outside) {
            return Err(ReportError::Data {
                part: "sample.rasters",
                what: format!(
                    "layer {}: a spike of neuron {neuron} at step {t}, but there are {} neurons and {} steps",
                    raster.layer, raster.neurons, raster.time_steps
                ),
            });
        }
    }
    let heights: Vec<i32> = rasters.iter().map(|raster| (raster.neurons as i32 * 4).clamp(40, 200)).collect();
    let height = TOP + heights.iter().map(|height| height + GAP).sum::<i32>() + 30;
    draw(title, (WIDTH, height as u32), |area| {
        let mut top = TOP + 18;
        for (raster, height) in rasters.iter().zip(&heights) {
            panel(area, raster, top, *height)?;
            top += height + GAP;
        }
        if rasters.is_empty() {
            write(area, "no data", (LEFT, TOP + 8), &font(TEXT))?;
        }
        let middle = (WIDTH as i32 / 2, area.dim_in_pixel().1 as i32 - 10);
        write(area, "Time step", middle, &anchored(font(TEXT), HPos::Center))
    })
}

fn panel(area: &Area, raster: &SpikeRaster, top: i32, height: i32) -> Drawn {
    let right = WIDTH as i32 - 20;
    let name = format!("{} ({} neurons, {} spikes)", raster.layer, raster.neurons, raster.spikes.len());
    write(area, &name, (LEFT, top - 11), &anchored(bold(SMALL), HPos::Left))?;
    let column = f64::from(right - LEFT) / raster.time_steps.max(1) as f64;
    let row = f64::from(height) / raster.neurons.max(1) as f64;
    let x = |t: f64| LEFT + (t * column).round() as i32;
    let y = |neuron: f64| top + height - (neuron * row).round() as i32;
    let frame = [(LEFT, top), (right, top + height)];
    area.draw(&Rectangle::new(frame, FRAME.stroke_width(1))).map_err(text_of)?;
    let axis = Axis::of_counts((1..=raster.time_steps).map(|t| t as f64));
    for tick in axis.ticks.iter().filter(|tick| **tick >= 1.0 && **tick <= raster.time_steps as f64) {
        let at = x(tick - 0.5);
        path(area, &[(at, top + height), (at, top + height + 3)], FRAME.stroke_width(1))?;
        write(area, &axis.label(*tick), (at, top + height + 12), &anchored(font(SMALL), HPos::Center))?;
    }
    let last = raster.neurons.saturating_sub(1);
    for neuron in if last > 0 { vec![0, last] } else { vec![0] } {
        let at = (LEFT - 6, y(neuron as f64 + 0.5));
        write(area, &neuron.to_string(), at, &anchored(font(SMALL), HPos::Right))?;
    }
    // A dash is as wide as its time step, up to a limit, so that dashes do not become bars when there are few
    // steps.
    let half = (column * 0.3).clamp(0.5, 9.0);
    for (t, neuron) in &raster.spikes {
        let (middle, y_low) = (f64::from(LEFT) + (*t as f64 + 0.5) * column, y(*neuron as f64));
        let left = (middle - half).round() as i32;
        let right = ((middle + half).round() as i32).max(left + 1);
        let thickness = ((row * 0.7).round() as i32).max(1);
        let dash = [(left, y_low - thickness), (right, y_low)];
        area.draw(&Rectangle::new(dash, COLORS[0].filled())).map_err(text_of)?;
    }
    Ok(())
}
