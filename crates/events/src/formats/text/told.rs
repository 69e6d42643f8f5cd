//! Detection of text files.

use crate::formats::cursor::header_lines;
use crate::formats::prophesee;

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether this is text other than a Prophesee header.
pub(in crate::formats) fn claims(bytes: &[u8]) -> bool {
    let is_commented = bytes.starts_with(b"%") && looks_like(behind_comments(bytes));
    is_commented || prophesee::told(bytes).is_none() && looks_like(bytes)
}

/// Whether the beginning of a file is text of this kind.
pub(in crate::formats) fn looks_like(bytes: &[u8]) -> bool {
    if is_utf16(bytes) {
        return true;
    }
    let start = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let start = &start[..start.len().min(256)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // A character truncated after 256 bytes.
        Err(error) if error.error_len().is_none() && start.len() == 256 => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let is_text = |char: char| matches!(char, '\t' | '\n' | '\r') || !char.is_control();
    text.chars().all(is_text) && text.contains(|char: char| char.is_ascii_digit())
}

/// The text after the lines at the start that begin with `%`.
pub(in crate::formats) fn behind_comments(bytes: &[u8]) -> &[u8] {
    let start = header_lines(bytes, b'%').last().map_or(0, |(_, after)| after);
    &bytes[start..]
}

/// Whether this is text with two bytes per character and a byte order mark, and not events that begin with
/// the same bytes.
pub(super) fn is_utf16(bytes: &[u8]) -> bool {
    let zeros = match bytes {
        [0xff, 0xfe, ..] => 1,
        [0xfe, 0xff, ..] => 0,
        _ => return false,
    };
    let units = &bytes[2..bytes.len().min(66)];
    units.len() >= 8 && units.chunks_exact(2).all(|unit| unit[zeros] == 0)
}
