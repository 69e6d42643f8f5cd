//! Shared by all charts: colours, sizes, text, and the frame of an SVG.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::error::ReportError;

/// Okabe and Ito's colours ("Color universal design", 2008), strongest contrasts first, without yellow, which
/// is hardly visible on white.
pub(crate) const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

pub(crate) const INK: RGBColor = RGBColor(32, 32, 32);
pub(crate) const GRID: RGBColor = RGBColor(225, 225, 225);
pub(crate) const FRAME: RGBColor = RGBColor(120, 120, 120);

/// Width of a chart in pixels: that of the page's text, so that the font sizes below are as displayed.
pub(crate) const WIDTH: u32 = 760;
pub(crate) const TITLE: u32 = 16;
pub(crate) const TEXT: u32 = 13;
pub(crate) const SMALL: u32 = 11;

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Drawn = Result<(), String>;

/// Draws a chart: a white page with the title on it, and `content` on the rest.
pub(crate) fn draw(
    title: &str,
    size: (u32, u32),
    content: impl FnOnce(&Area) -> Drawn,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    let drawn = (|| -> Drawn {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(text_of)?;
        write(&root, title, (12, 8), &bold(TITLE))?;
        content(&root)?;
        root.present().map_err(text_of)
    })();
    drawn.map_err(|what| ReportError::Chart { title: title.to_string(), what })?;
    // Read by screen readers, and shown as a tooltip.
    let head = format!("<svg role=\"img\" aria-label=\"{0}\" ", crate::html::escape(title));
    Ok(svg.replacen("<svg ", &head, 1))
}

pub(crate) fn text_of(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A font of this size in pixels. The drawing library takes a line height and divides it by this to get the
/// size.
fn sized(size: u32) -> FontDesc<'static> {
    ("sans-serif", f64::from(size) * 1.24).into_font()
}

pub(crate) fn font(size: u32) -> TextStyle<'static> {
    sized(size).color(&INK)
}

pub(crate) fn font_of(size: u32, ink: RGBColor) -> TextStyle<'static> {
    sized(size).color(&ink)
}

/// Text written from bottom to top.
pub(crate) fn upright(size: u32) -> TextStyle<'static> {
    sized(size).transform(FontTransform::Rotate270).color(&INK)
}

pub(crate) fn bold(size: u32) -> TextStyle<'static> {
    sized(size).style(FontStyle::Bold).color(&INK)
}

/// Text that ends, is centred or begins at its point, centred vertically.
pub(crate) fn anchored(style: TextStyle<'static>, horizontal: HPos) -> TextStyle<'static> {
    style.pos(Pos::new(horizontal, VPos::Center))
}

pub(crate) fn write(area: &Area, text: &str, at: (i32, i32), style: &TextStyle) -> Drawn {
    area.draw_text(&printable(text), style, at).map_err(text_of)
}

/// Text without the characters that XML forbids.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}

/// The approximate width of a text in pixels: browsers choose the font, so this is an upper estimate for
/// common ones.
pub(crate) fn text_width(text: &str, size: u32) -> i32 {
    let narrow = |c: char| {
        matches!(c, 'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ' ' | '\'' | '|' | 't' | 'f' | '(' | ')')
    };
    let units: f64 = text
        .chars()
        .map(|c| {
            if narrow(c) {
                0.36
            } else if c.is_uppercase() || matches!(c, 'm' | 'w' | '%') {
                0.76
            } else {
                0.6
            }
        })
        .sum();
    (units * f64::from(size)).ceil() as i32
}

/// The text, shortened with an ellipsis if it is wider.
pub(crate) fn fitted(text: &str, size: u32, width: i32) -> String {
    if text_width(text, size) <= width {
        return text.to_string();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if text_width(&short, size) + text_width("…", size) > width {
            short.pop();
            break;
        }
    }
    short + "…"
}

/// Draws a legend in one or more rows, starting at `top`; returns where it ends. Without names, nothing is
/// drawn.
pub(crate) fn legend(area: &Area, names: &[&str], top: i32, line: bool) -> Result<i32, String> {
    if names.iter().all(|name| name.is_empty()) {
        return Ok(top);
    }
    let width = area.dim_in_pixel().0 as i32;
    let (mut x, mut y) = (16, top + 9);
    for (i, name) in names.iter().enumerate() {
        let name = fitted(name, TEXT, width - 70);
        let entry = 34 + text_width(&name, TEXT);
        if x + entry > width - 12 && x > 16 {
            (x, y) = (16, y + 20);
        }
        let color = color(i);
        let mark = if line { [(x, y - 2), (x + 22, y + 2)] } else { [(x + 4, y - 6), (x + 18, y + 6)] };
        area.draw(&Rectangle::new(mark, color.filled())).map_err(text_of)?;
        if line {
            area.draw(&Circle::new((x + 11, y), 4, color.filled())).map_err(text_of)?;
        }
        write(area, &name, (x + 28, y), &anchored(font(TEXT), HPos::Left))?;
        x += entry + 14;
    }
    Ok(y + 14)
}

pub(crate) fn color(i: usize) -> RGBColor {
    COLORS[i % COLORS.len()]
}

/// From white to dark blue as a share goes from 0 to 1; each step darker, so that it also reads in grey.
pub(crate) fn heat(share: f64) -> RGBColor {
    const STOPS: [(f64, [f64; 3]); 5] = [
        (0.0, [255.0, 255.0, 255.0]),
        (0.25, [198.0, 219.0, 239.0]),
        (0.5, [107.0, 174.0, 214.0]),
        (0.75, [33.0, 113.0, 181.0]),
        (1.0, [8.0, 48.0, 107.0]),
    ];
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let upper = STOPS.iter().position(|(at, _)| *at >= share).unwrap_or(STOPS.len() - 1).max(1);
    let ((from, low), (to, high)) = (STOPS[upper - 1], STOPS[upper]);
    let mix = (share - from) / (to - from);
    let channel = |i: usize| (low[i] + (high[i] - low[i]) * mix).round() as u8;
    RGBColor(channel(0), channel(1), channel(2))
}

/// A text colour that is legible on [`heat`].
pub(crate) fn ink_on_heat(share: f64) -> RGBColor {
    if share > 0.55 { WHITE } else { INK }
}
