//! Text tables with one row per line: `<number> <value>` (CUB-200-2011) or `<number>` (ImageNet's ground
//! truth).

use super::{Cursor, ParseError, shown};

const FORMAT: &str = "text table";

/// The lines of a text, each with its number (from 1) and byte offset; blank lines are skipped.
fn numbered(text: &[u8]) -> impl Iterator<Item = (usize, usize, &[u8])> {
    let mut offset = 0;
    text.split(|&byte| byte == b'\n').enumerate().filter_map(move |(index, line)| {
        let start = offset;
        offset += line.len() + 1;
        let line = line.trim_ascii();
        (!line.is_empty()).then_some((index + 1, start, line))
    })
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn error(offset: usize, line: usize, problem: String) -> ParseError {
    Cursor::new(FORMAT, &[]).error_at(offset, format!("line {line}: {problem}"))
}

/// Reads lines of `<number> <value>`, the value being the rest of the line.
///
/// # Errors
/// A line that does not start with a number, has no value, or is not UTF-8.
pub fn parse_pairs(text: &[u8]) -> Result<Vec<(u32, &str)>, ParseError> {
    numbered(text)
        .map(|(line, offset, row)| {
            let end = row.iter().position(u8::is_ascii_whitespace).unwrap_or(row.len());
            let (first, rest) = row.split_at(end);
            let value = std::str::from_utf8(rest.trim_ascii()).ok().filter(|value| !value.is_empty());
            match (number(first), value) {
                (Some(number), Some(value)) => Ok((number, value)),
                _ => Err(error(offset, line, format!("`{}` is no number and value", shown(row)))),
            }
        })
        .collect()
}

/// Reads lines of `<number> <number>`.
///
/// # Errors
/// As [`parse_pairs`], and a value that is not a whole number.
pub fn parse_number_pairs(text: &[u8]) -> Result<Vec<(u32, u32)>, ParseError> {
    numbered(text)
        .map(|(line, offset, row)| {
            let mut parts = row.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()).map(number);
            match (parts.next(), parts.next(), parts.next()) {
                (Some(Some(first)), Some(Some(second)), None) => Ok((first, second)),
                _ => Err(error(offset, line, format!("`{}` is no pair of whole numbers", shown(row)))),
            }
        })
        .collect()
}

/// Reads lines of one number.
///
/// # Errors
/// A line that is not a whole number.
pub fn parse_numbers(text: &[u8]) -> Result<Vec<u32>, ParseError> {
    numbered(text)
        .map(|(line, offset, row)| {
            number(row).ok_or_else(|| error(offset, line, format!("`{}` is no whole number", shown(row))))
        })
        .collect()
}

/// Reads lines of `<number> <x> <y> <width> <height>`, in pixels.
///
/// # Errors
/// A line with anything else, and sizes that are not finite.
pub fn parse_boxes(text: &[u8]) -> Result<Vec<(u32, [f32; 4])>, ParseError> {
    numbered(text)
        .map(|(line, offset, row)| {
            let malformed = || error(offset, line, format!("`{}` is no number and four sizes", shown(row)));
            let row = std::str::from_utf8(row).map_err(|_| malformed())?;
            let mut parts = row.split_ascii_whitespace();
            let number = parts.next().and_then(|first| first.parse().ok()).ok_or_else(malformed)?;
            let mut sizes = [0f32; 4];
            for size in &mut sizes {
                *size = parts
                    .next()
                    .and_then(|part| part.parse().ok())
                    .filter(|size: &f32| size.is_finite())
                    .ok_or_else(malformed)?;
            }
            if parts.next().is_some() { Err(malformed()) } else { Ok((number, sizes)) }
        })
        .collect()
}

/// Reads lines of `width` whole numbers separated by commas: the included digits.
///
/// # Errors
/// A line with a different number of values, or with anything else.
pub fn parse_rows(text: &[u8], width: usize) -> Result<Vec<Vec<u32>>, ParseError> {
    numbered(text)
        .map(|(line, offset, row)| {
            let values: Option<Vec<u32>> = row.split(|&byte| byte == b',').map(number).collect();
            values.filter(|values| values.len() == width).ok_or_else(|| {
                error(offset, line, format!("`{}` is no row of {width} whole numbers", shown(row)))
            })
        })
        .collect()
}
