//! Heat maps: confusion matrices, and how often each layer fires.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::canvas::{
    Area, Drawn, FRAME, GRID, SMALL, TEXT, WIDTH, anchored, draw, fitted, font, font_of, heat, ink_on_heat,
    text_of, text_width, upright, write,
};
use super::line::path;
use crate::error::ReportError;

/// A table of numbers shown as colours, from white to dark blue.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeatMap {
    /// Above the chart.
    pub title: String,
    /// The label of the columns.
    pub x_label: String,
    /// The label of the rows.
    pub y_label: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Names of the rows.
    pub rows: Vec<String>,
    /// `[rows][columns]`, 0 or above; a missing or non-finite value is a grey cell.
    pub values: Vec<Vec<f64>>,
    /// How numbers become colours and text.
    pub scale: HeatScale,
    /// Whether cells are square.
    pub square: bool,
}

/// How numbers become colours and text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HeatScale {
    /// Darkest at 1, on a square-root scale, so that rare errors are visible; text in percent.
    #[default]
    Share,
    /// Darkest at the largest number.
    Number,
}

/// Colour of a cell without a value.
const MISSING: RGBColor = RGBColor(200, 200, 200);

/// The narrowest column that holds its number.
const CELL_WITH_TEXT: i32 = 26;

/// Distance between the names of rows and columns, so that they do not touch.
const NAME_DISTANCE: i32 = 13;

impl HeatMap {
    /// The chart as SVG.
    ///
    /// # Errors
    /// [`ReportError::Data`] if there are more values than rows or columns, [`ReportError::Chart`] if it
    /// cannot be drawn.
    pub fn svg(&self) -> Result<String, ReportError> {
        let misfit = self.values.len() > self.rows.len()
            || self.values.iter().any(|row| row.len() > self.columns.len());
        if misfit {
            return Err(ReportError::Data {
                part: "heat map",
                what: format!(
                    "\"{}\" has more values than its {} rows and {} columns",
                    self.title,
                    self.rows.len(),
                    self.columns.len()
                ),
            });
        }
        let layout = Layout::new(self);
        draw(&self.title, (WIDTH, layout.height), |area| self.draw(area, &layout))
    }

    fn share(&self, value: f64) -> f64 {
        match self.scale {
            HeatScale::Share => value.clamp(0.0, 1.0).sqrt(),
            HeatScale::Number => {
                let largest = self.largest();
                if largest > 0.0 { (value / largest).clamp(0.0, 1.0) } else { 0.0 }
            }
        }
    }

    fn largest(&self) -> f64 {
        self.values.iter().flatten().copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
    }

    fn text(&self, value: f64) -> String {
        match self.scale {
            HeatScale::Share => format!("{:.0}", value * 100.0),
            HeatScale::Number if value >= 100.0 => format!("{value:.0}"),
            HeatScale::Number => format!("{value:.2}"),
        }
    }

    fn draw(&self, area: &Area, layout: &Layout) -> Drawn {
        let (left, top, right, bottom) = (layout.left, layout.top, layout.right(), layout.bottom());
        let frame = [(left, top), (right, bottom)];
        area.draw(&Rectangle::new(frame, heat(0.0).filled())).map_err(text_of)?;
        for i in 0..self.rows.len() {
            for k in 0..self.columns.len() {
                let value = self.values.get(i).and_then(|row| row.get(k)).copied().filter(|v| v.is_finite());
                // White cells need no rectangle: with 200 classes, most cells are white.
                let cell = [(layout.x(k), layout.y(i)), (layout.x(k + 1), layout.y(i + 1))];
                let color = match value {
                    Some(value) if value <= 0.0 => continue,
                    Some(value) => heat(self.share(value)),
                    None => MISSING,
                };
                area.draw(&Rectangle::new(cell, color.filled())).map_err(text_of)?;
            }
        }
        if layout.cell_width >= 8.0 && layout.cell_height >= 8.0 {
            for i in 1..self.rows.len() {
                path(area, &[(left, layout.y(i)), (right, layout.y(i))], GRID.stroke_width(1))?;
            }
            for k in 1..self.columns.len() {
                path(area, &[(layout.x(k), top), (layout.x(k), bottom)], GRID.stroke_width(1))?;
            }
        }
        area.draw(&Rectangle::new(frame, FRAME.stroke_width(1))).map_err(text_of)?;
        self.numbers(area, layout)?;
        self.names(area, layout)?;
        self.color_bar(area, layout)
    }

    fn numbers(&self, area: &Area, layout: &Layout) -> Drawn {
        let all = || self.values.iter().flatten().copied().filter(|value| value.is_finite());
        let widest = all().map(|value| text_width(&self.text(value), SMALL)).max().unwrap_or(0);
        let fits =
            layout.cell_width >= f64::from(CELL_WITH_TEXT.max(widest + 4)) && layout.cell_height >= 15.0;
        if !fits {
            return Ok(());
        }
        for (i, row) in self.values.iter().enumerate() {
            for (k, value) in row.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                let text = self.text(*value);
                // In a table of errors, only the non-zero cells matter.
                if self.scale == HeatScale::Share && text == "0" {
                    continue;
                }
                let ink = ink_on_heat(self.share(*value));
                let style = font_of(SMALL, ink);
                let at = ((layout.x(k) + layout.x(k + 1)) / 2, (layout.y(i) + layout.y(i + 1)) / 2);
                write(area, &text, at, &anchored(style, HPos::Center))?;
            }
        }
        Ok(())
    }

    fn names(&self, area: &Area, layout: &Layout) -> Drawn {
        let every = |cell: f64| (f64::from(NAME_DISTANCE) / cell).ceil().max(1.0) as usize;
        for (i, name) in self.rows.iter().enumerate().step_by(every(layout.cell_height)) {
            let y = (layout.y(i) + layout.y(i + 1)) / 2;
            let name = fitted(name, SMALL, layout.left - 34);
            write(area, &name, (layout.left - 6, y), &anchored(font(SMALL), HPos::Right))?;
        }
        let (middle_x, middle_y) = ((layout.left + layout.right()) / 2, (layout.top + layout.bottom()) / 2);
        if layout.level_names {
            for (k, name) in self.columns.iter().enumerate() {
                let at = ((layout.x(k) + layout.x(k + 1)) / 2, layout.bottom() + 12);
                write(area, name, at, &anchored(font(SMALL), HPos::Center))?;
            }
        } else {
            let style = anchored(upright(SMALL), HPos::Right);
            for (k, name) in self.columns.iter().enumerate().step_by(every(layout.cell_width)) {
                let name = fitted(name, SMALL, layout.column_names);
                write(area, &name, ((layout.x(k) + layout.x(k + 1)) / 2, layout.bottom() + 6), &style)?;
            }
        }
        let below = (middle_x, layout.height as i32 - 12);
        write(area, &self.x_label, below, &anchored(font(TEXT), HPos::Center))?;
        write(area, &self.y_label, (14, middle_y), &anchored(upright(TEXT), HPos::Center))
    }

    fn color_bar(&self, area: &Area, layout: &Layout) -> Drawn {
        const STEPS: i32 = 60;
        let (left, top) = (layout.right() + 18, layout.top);
        let height = (layout.bottom() - layout.top).min(220);
        let y = |share: f64| top + height - (share * f64::from(height)).round() as i32;
        for step in 0..STEPS {
            let (low, high) = (f64::from(step) / f64::from(STEPS), f64::from(step + 1) / f64::from(STEPS));
            let part = [(left, y(high)), (left + 14, y(low))];
            area.draw(&Rectangle::new(part, heat((low + high) / 2.0).filled())).map_err(text_of)?;
        }
        area.draw(&Rectangle::new([(left, top), (left + 14, top + height)], FRAME.stroke_width(1)))
            .map_err(text_of)?;
        let largest = self.largest();
        let marks: Vec<(f64, String)> = match self.scale {
            HeatScale::Share => [0.0, 0.05, 0.25, 0.5, 1.0]
                .map(|value| (self.share(value), format!("{:.0} %", value * 100.0)))
                .into(),
            HeatScale::Number => [0.0, 0.5, 1.0].map(|share| (share, self.text(share * largest))).into(),
        };
        let room = height >= 16 * marks.len() as i32;
        for (i, (share, text)) in marks.iter().enumerate() {
            if room || i == 0 || i + 1 == marks.len() {
                write(area, text, (left + 20, y(*share)), &anchored(font(SMALL), HPos::Left))?;
            }
        }
        Ok(())
    }
}

/// The position of the cells, in pixels.
struct Layout {
    left: i32,
    top: i32,
    cell_width: f64,
    cell_height: f64,
    columns: usize,
    rows: usize,
    /// Whether the names of the columns are horizontal.
    level_names: bool,
    /// The space for the names of the columns if they are vertical.
    column_names: i32,
    height: u32,
}

impl Layout {
    fn new(map: &HeatMap) -> Self {
        let (columns, rows) = (map.columns.len().max(1), map.rows.len().max(1));
        let widest = |names: &[String], most: i32| {
            names.iter().map(|name| text_width(name, SMALL)).max().unwrap_or(0).clamp(8, most)
        };
        let left = 36 + widest(&map.rows, if map.square { 150 } else { 230 });
        let width = f64::from(WIDTH as i32 - left - 86);
        let widest_column = widest(&map.columns, 110);
        let mut cell_width = (width / columns as f64).min(64.0);
        let cell_height = if map.square {
            cell_width = cell_width.min(46.0);
            cell_width
        } else {
            (480.0 / rows as f64).clamp(6.0, 24.0)
        };
        let level_names = f64::from(widest_column) + 4.0 <= cell_width;
        let top = 40;
        let column_names = if level_names { 14 } else { widest_column };
        // At least as tall as the two marks of the colour bar.
        let cells = ((cell_height * rows as f64).ceil() as i32).max(34);
        let height = (top + cells + column_names + 40) as u32;
        Self { left, top, cell_width, cell_height, columns, rows, level_names, column_names, height }
    }

    fn x(&self, column: usize) -> i32 {
        self.left + (self.cell_width * column as f64).round() as i32
    }

    fn y(&self, row: usize) -> i32 {
        self.top + (self.cell_height * row as f64).round() as i32
    }

    fn right(&self) -> i32 {
        self.x(self.columns)
    }

    fn bottom(&self) -> i32 {
        self.y(self.rows)
    }
}
