//! Line charts over whole numbers: epochs, time steps.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::canvas::{
    Area, Drawn, FRAME, GRID, TEXT, WIDTH, anchored, color, draw, font, legend, text_of, text_width, upright,
    write,
};
use crate::error::ReportError;

/// Several lines over the same whole numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LineChart {
    /// Above the chart.
    pub title: String,
    /// The label of the horizontal axis: "Epoch".
    pub x_label: String,
    /// The label of the vertical axis: "Loss".
    pub y_label: String,
    /// The vertical axis.
    pub vertical: Vertical,
    /// The lines.
    pub series: Vec<Series>,
    /// A vertical line with its name: "trained at 4 steps".
    pub marker: Option<(f64, String)>,
}

/// The kind of value on the vertical axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Vertical {
    /// Any number.
    #[default]
    Number,
    /// A share, 0 to 1, shown in percent.
    Share,
}

/// One line. Non-finite values leave a gap.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// `(x, y)`, with increasing x.
    pub points: Vec<(f64, f64)>,
    /// `(x, low, high)`: shown as a band around the line, such as one standard deviation on each side.
    pub band: Vec<(f64, f64, f64)>,
}

/// A line with more points than this has no dots.
const DOTS: usize = 40;

impl LineChart {
    /// The chart as SVG.
    ///
    /// # Errors
    /// [`ReportError::Chart`] if it cannot be drawn. Empty or non-finite data are not an error.
    pub fn svg(&self) -> Result<String, ReportError> {
        draw(&self.title, (WIDTH, 400), |area| self.draw(area))
    }

    fn draw(&self, area: &Area) -> Drawn {
        let (width, height) = area.dim_in_pixel();
        let (width, height) = (width as i32, height as i32);
        let names: Vec<&str> = self.series.iter().map(|series| series.name.as_str()).collect();
        let top = legend(area, &names, 36, true)? + 6;

        let xs = self.series.iter().flat_map(|series| series.points.iter().map(|point| point.0));
        let x_axis = Axis::of_counts(xs.chain(self.marker.iter().map(|marker| marker.0)));
        let ys = self.series.iter().flat_map(|series| {
            series
                .points
                .iter()
                .map(|point| point.1)
                .chain(series.band.iter().flat_map(|band| [band.1, band.2]))
        });
        let y_axis = match self.vertical {
            Vertical::Number => Axis::of(ys),
            Vertical::Share => Axis::of_shares(ys),
        };
        let y_text = |axis: &Axis, value: f64| match self.vertical {
            Vertical::Number => axis.label(value),
            Vertical::Share => axis.percent_label(value),
        };
        let widths = y_axis.ticks.iter().map(|tick| text_width(&y_text(&y_axis, *tick), TEXT));
        let widest = widths.max().unwrap_or(0);
        let plot = Plot { left: 42 + widest, right: width - 22, top, bottom: height - 52, x_axis, y_axis };

        for tick in &plot.y_axis.ticks {
            let y = plot.y(*tick);
            path(area, &[(plot.left, y), (plot.right, y)], GRID.stroke_width(1))?;
            write(
                area,
                &y_text(&plot.y_axis, *tick),
                (plot.left - 8, y),
                &anchored(font(TEXT), HPos::Right),
            )?;
        }
        for tick in &plot.x_axis.ticks {
            let x = plot.x(*tick);
            path(area, &[(x, plot.bottom), (x, plot.bottom + 5)], FRAME.stroke_width(1))?;
            write(
                area,
                &plot.x_axis.label(*tick),
                (x, plot.bottom + 16),
                &anchored(font(TEXT), HPos::Center),
            )?;
        }
        path(
            area,
            &[(plot.left, plot.top), (plot.left, plot.bottom), (plot.right, plot.bottom)],
            FRAME.stroke_width(1),
        )?;
        let middle = ((plot.left + plot.right) / 2, height - 14);
        write(area, &self.x_label, middle, &anchored(font(TEXT), HPos::Center))?;
        write(
            area,
            &self.y_label,
            (16, (plot.top + plot.bottom) / 2),
            &anchored(upright(TEXT), HPos::Center),
        )?;
        if let Some((at, name)) = self.marker.as_ref().filter(|marker| marker.0.is_finite()) {
            let x = plot.x(*at);
            dashed(area, (x, plot.top), (x, plot.bottom))?;
            // On the side that has space.
            let (horizontal, x) = if x > width / 2 { (HPos::Right, x - 6) } else { (HPos::Left, x + 6) };
            write(area, name, (x, plot.bottom - 12), &anchored(font(TEXT), horizontal))?;
        }
        for (i, series) in self.series.iter().enumerate() {
            plot.band(area, &series.band, color(i))?;
        }
        let mut nothing = true;
        for (i, series) in self.series.iter().enumerate() {
            nothing &= !plot.line(area, &series.points, color(i))?;
        }
        if nothing {
            let style = font(TEXT).pos(Pos::new(HPos::Center, VPos::Center));
            write(area, "no data", ((plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2), &style)?;
        }
        Ok(())
    }
}

/// The position of the lines, in pixels.
struct Plot {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    x_axis: Axis,
    y_axis: Axis,
}

impl Plot {
    fn x(&self, value: f64) -> i32 {
        self.left
            + (self.x_axis.position(value).clamp(0.0, 1.0) * f64::from(self.right - self.left)).round() as i32
    }

    fn y(&self, value: f64) -> i32 {
        self.bottom
            - (self.y_axis.position(value).clamp(0.0, 1.0) * f64::from(self.bottom - self.top)).round() as i32
    }

    fn band(&self, area: &Area, band: &[(f64, f64, f64)], color: RGBColor) -> Drawn {
        let finite = |(x, low, high): &(f64, f64, f64)| x.is_finite() && low.is_finite() && high.is_finite();
        for run in band.split(|point| !finite(point)).filter(|run| run.len() > 1) {
            let upper = run.iter().map(|(x, _, high)| (self.x(*x), self.y(*high)));
            let lower = run.iter().rev().map(|(x, low, _)| (self.x(*x), self.y(*low)));
            let outline: Vec<(i32, i32)> = upper.chain(lower).collect();
            area.draw(&Polygon::new(outline, color.mix(0.18))).map_err(text_of)?;
        }
        Ok(())
    }

    /// Returns whether there was any point to draw.
    fn line(&self, area: &Area, points: &[(f64, f64)], color: RGBColor) -> Result<bool, String> {
        let finite = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
        let mut any = false;
        for run in points.split(|point| !finite(point)).filter(|run| !run.is_empty()) {
            any = true;
            let run: Vec<(i32, i32)> = run.iter().map(|(x, y)| (self.x(*x), self.y(*y))).collect();
            if points.len() <= DOTS || run.len() == 1 {
                for point in &run {
                    area.draw(&Circle::new(*point, 3, color.filled())).map_err(text_of)?;
                }
            }
            path(area, &run, color.stroke_width(2))?;
        }
        Ok(any)
    }
}

pub(crate) fn path(area: &Area, points: &[(i32, i32)], style: ShapeStyle) -> Drawn {
    area.draw(&PathElement::new(points.to_vec(), style)).map_err(text_of)
}

/// A dashed line, horizontal or vertical.
pub(crate) fn dashed(area: &Area, from: (i32, i32), to: (i32, i32)) -> Drawn {
    let length = (to.0 - from.0).abs().max((to.1 - from.1).abs());
    let at = |along: i32| {
        let share = f64::from(along.min(length)) / f64::from(length.max(1));
        let between = |a: i32, b: i32| a + (f64::from(b - a) * share).round() as i32;
        (between(from.0, to.0), between(from.1, to.1))
    };
    for along in (0..length).step_by(9) {
        path(area, &[at(along), at(along + 5)], FRAME.stroke_width(1))?;
    }
    Ok(())
}
