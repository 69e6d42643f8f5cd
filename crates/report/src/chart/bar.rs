//! Bar charts: the cost of each layer, in several networks side by side.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::{Axis, with_prefix};
use super::canvas::{
    Area, Drawn, FRAME, GRID, SMALL, TEXT, WIDTH, anchored, color, draw, fitted, font, legend, text_of,
    text_width, write,
};
use super::line::path;
use crate::error::ReportError;

/// Horizontal bars in groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BarChart {
    /// Above the chart.
    pub title: String,
    /// The measured quantity: "Energy per sample (J)".
    pub label: String,
    /// The unit of the numbers beside the bars: "J".
    pub unit: String,
    /// The names of the bars in a group, for the legend.
    pub series: Vec<String>,
    /// From top to bottom.
    pub groups: Vec<BarGroup>,
}

/// A group of bars.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BarGroup {
    /// Beside the bars.
    pub name: String,
    /// One length per series, 0 or above; a non-finite value has no bar.
    pub values: Vec<f64>,
}

const BAR: i32 = 14;

impl BarChart {
    /// The chart as SVG.
    ///
    /// # Errors
    /// [`ReportError::Chart`] if it cannot be drawn.
    pub fn svg(&self) -> Result<String, ReportError> {
        let group = self.series.len().max(1) as i32 * BAR + 9;
        let height = 64 + self.groups.len().max(1) as i32 * group + 56;
        draw(&self.title, (WIDTH, height as u32), |area| self.draw(area, group))
    }

    fn draw(&self, area: &Area, group: i32) -> Drawn {
        let names: Vec<&str> = self.series.iter().map(String::as_str).collect();
        let top = legend(area, &names, 34, false)? + 4;
        let widest = self.groups.iter().map(|group| text_width(&group.name, TEXT)).max().unwrap_or(0);
        let left = 20 + widest.clamp(20, 230);
        // Space for the number beside the longest bar.
        let right = WIDTH as i32 - 88;
        let bottom = top + group * self.groups.len().max(1) as i32;
        let axis = Axis::from_zero(self.groups.iter().flat_map(|group| group.values.iter().copied()));
        let x = |value: f64| {
            left + (axis.position(value).clamp(0.0, 1.0) * f64::from(right - left)).round() as i32
        };
        for tick in axis.ticks.iter().filter(|tick| **tick >= 0.0) {
            path(area, &[(x(*tick), top), (x(*tick), bottom)], GRID.stroke_width(1))?;
            let text = if *tick == 0.0 {
                "0".into()
            } else {
                format!("{}{}", with_prefix(*tick), self.unit).trim().to_string()
            };
            write(area, &text, (x(*tick), bottom + 12), &anchored(font(SMALL), HPos::Center))?;
        }
        path(area, &[(left, top), (left, bottom)], FRAME.stroke_width(1))?;
        let below = ((left + right) / 2, area.dim_in_pixel().1 as i32 - 12);
        write(area, &self.label, below, &anchored(font(TEXT), HPos::Center))?;
        for (g, bars) in self.groups.iter().enumerate() {
            let from = top + g as i32 * group + 4;
            let middle = from + (group - 9) / 2;
            let name = fitted(&bars.name, TEXT, left - 20);
            write(area, &name, (left - 8, middle), &anchored(font(TEXT), HPos::Right))?;
            for (i, value) in bars.values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                let y = from + i as i32 * BAR;
                let bar = [(left, y), (x(value.max(0.0)), y + BAR - 2)];
                area.draw(&Rectangle::new(bar, color(i).filled())).map_err(text_of)?;
                let text = format!("{}{}", with_prefix(*value), self.unit);
                write(area, text.trim(), (bar[1].0 + 5, y + BAR / 2), &anchored(font(SMALL), HPos::Left))?;
            }
        }
        Ok(())
    }
}
