//! Reading of numbers from bytes without panics.

/// The `N` bytes at `offset`, if present.
pub(super) fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes_at(bytes, offset).map(u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes_at(bytes, offset).map(u32::from_le_bytes)
}

pub(super) fn i32_at(bytes: &[u8], offset: usize) -> Option<i32> {
    bytes_at(bytes, offset).map(i32::from_le_bytes)
}

/// The lines at the start of a file that begin with `mark`, each without its line end and with the offset
/// after it.
///
/// A line that is not text is data that begin with the same byte by chance.
pub(super) fn header_lines(bytes: &[u8], mark: u8) -> impl Iterator<Item = (&str, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &bytes[at..];
        if rest.first() != Some(&mark) {
            return None;
        }
        let length = rest.iter().position(|&byte| byte == b'\n')?;
        let line = std::str::from_utf8(&rest[..length]).ok()?;
        if line.bytes().any(|byte| byte < b' ' && byte != b'\t' && byte != b'\r') {
            return None;
        }
        at += length + 1;
        Some((line.trim_end_matches('\r'), at))
    })
}

/// A `key value` or `key: value` from a header line without its mark.
pub(super) fn key_value(line: &str) -> Option<(String, String)> {
    let text = line.trim_start_matches(['#', '%', '!']).trim();
    let (key, value) = text.split_once(':').or_else(|| text.split_once(' '))?;
    Some((key.trim().to_owned(), value.trim().to_owned()))
}
