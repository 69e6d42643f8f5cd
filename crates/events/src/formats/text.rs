//! Lines of four numbers: time in us, column, row, polarity.
//!
//! Separated by spaces, tabs, commas or semicolons. A first line of names (`t`/`time`/`timestamp`/`ts`, `x`, `y`,
//! `p`/`pol`/`polarity`/`on`) gives the order, else [`ColumnOrder`] does. Lines that begin with `#` or `%` are passed
//! over. Polarity is 1 or 0, or 1 or -1; a time with a decimal point is in seconds.

use serde::{Deserialize, Serialize};

use super::decoded::Decoded;

/// Order of a text's columns, where no header says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnOrder {
    /// `t x y p`
    #[default]
    Txyp,
    /// `x y t p`
    Xytp,
    /// `x y p t`
    Xypt,
}

impl ColumnOrder {
    /// Places of t, x, y, p in a line.
    fn places(self) -> [usize; 4] {
        match self {
            ColumnOrder::Txyp => [0, 1, 2, 3],
            ColumnOrder::Xytp => [2, 0, 1, 3],
            ColumnOrder::Xypt => [3, 0, 1, 2],
        }
    }
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t', ',', ';']).filter(|field| !field.is_empty())
}

/// Whether a file's beginning is text of this kind.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(256)];
    let printable = |&byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    !start.is_empty() && start.iter().all(printable) && start.iter().any(u8::is_ascii_digit)
}

fn named(line: &str) -> Option<[usize; 4]> {
    let names: Vec<String> = fields(line).map(|name| name.trim_matches('"').to_ascii_lowercase()).collect();
    let place = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
    Some([
        place(&["t", "ts", "time", "timestamp", "timestamps", "t_us"])?,
        place(&["x"])?,
        place(&["y"])?,
        place(&["p", "pol", "polarity", "on"])?,
    ])
}

fn event(line: &str, places: [usize; 4]) -> Result<(i64, u16, u16, bool), String> {
    let fields: Vec<&str> = fields(line).collect();
    let [t, x, y, p] = places.map(|place| fields.get(place).copied());
    let (Some(t), Some(x), Some(y), Some(p)) = (t, x, y, p) else {
        return Err(format!("{} numbers instead of 4", fields.len()));
    };
    let whole = |text: &str| text.parse::<i64>().ok();
    let time = whole(t).or_else(|| {
        let seconds = t.parse::<f64>().ok()?;
        let us = (seconds * 1e6).round();
        (us.abs() < 9e18).then_some(us as i64)
    });
    let Some(t) = time else { return Err(format!("`{t}` is no time")) };
    let place = |text: &str| text.parse::<u16>().map_err(|_| format!("`{text}` is no coordinate"));
    let polarity = match p {
        "1" | "True" | "true" => true,
        "0" | "-1" | "False" | "false" => false,
        _ => return Err(format!("`{p}` is no polarity: 1, 0 or -1")),
    };
    Ok((t, place(x)?, place(y)?, polarity))
}

pub(super) fn decode(bytes: &[u8], order: ColumnOrder, mut decoded: Decoded) -> Decoded {
    let mut places = order.places();
    let (mut at, mut first) = (0, true);
    for (number, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let start = at;
        at += line.len();
        let Ok(text) = std::str::from_utf8(line) else {
            decoded.stop(start, format!("line {} is no text", number + 1));
            break;
        };
        let text = text.trim();
        if text.is_empty() || text.starts_with(['#', '%']) {
            continue;
        }
        if std::mem::take(&mut first)
            && let Some(named) = named(text)
        {
            places = named;
            continue;
        }
        match event(text, places) {
            Ok((t, x, y, p)) => decoded.push_at(start, t, x, y, p),
            Err(problem) => {
                decoded.stop(start, format!("line {}: {problem}", number + 1));
                break;
            }
        }
    }
    decoded
}
