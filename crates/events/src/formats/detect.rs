//! The format of a file, by its content.

use super::decoded::Decoded;
use super::format::Format;
use super::{ReadOptions, atis, foreign, hdf5, matlab, prophesee, text};

impl Format {
    /// The format of a file with this content. ATIS `.bin` has no mark: it is what all of fits, and that is not known to
    /// be something else.
    pub fn detect(bytes: &[u8]) -> Option<Format> {
        Format::told_by(bytes).ok()
    }

    /// [`Format::detect`], or what the file is instead.
    pub(super) fn told_by(bytes: &[u8]) -> Result<Format, String> {
        let starts = |mark: &[u8]| bytes.starts_with(mark);
        if starts(b"#!AER-DAT1") {
            Ok(Format::Aedat1)
        } else if starts(b"#!AER-DAT2") {
            Ok(Format::Aedat2)
        } else if starts(b"#!AER-DAT3") {
            Ok(Format::Aedat3)
        } else if starts(b"#!AER-DAT4") {
            Ok(Format::Aedat4)
        } else if starts(b"Event Stream") {
            Ok(Format::Es)
        } else if matlab::is_matlab(bytes) {
            Ok(Format::Matlab)
        } else if hdf5::is_hdf5(bytes) {
            Ok(Format::Hdf5)
        } else if starts(b"\x93NUMPY") {
            Ok(Format::Npy)
        } else if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
            Ok(Format::Npz)
        } else if let Some(kind) = foreign::kind(bytes) {
            Err(format!("this is {kind}: it is not a recording of events"))
        } else if starts(b"%") && text::looks_like(text::behind_comments(bytes)) {
            Ok(Format::Text)
        } else if starts(b"%") && first_line_is_text(bytes) {
            prophesee::Header::read(bytes).format()
        } else if text::looks_like(bytes) {
            Ok(Format::Text)
        } else if atis::is_plausible(bytes) {
            Ok(Format::Atis)
        } else {
            Err("the file is of no format of events that is known here: name its format (`format`; `--format`), if it has \
                 no mark of its own, such as ATIS `.bin`"
                .to_owned())
        }
    }

    /// Bytes of a record, where a run of zeros at the end of a file cannot be what a camera wrote.
    pub(super) fn record_size(self) -> Option<usize> {
        match self {
            Format::Evt3 => Some(2),
            Format::Evt2 => Some(4),
            Format::Atis => Some(atis::RECORD),
            Format::Aedat1 => Some(6),
            Format::Aedat2 | Format::Dat | Format::Evt21 => Some(8),
            _ => None,
        }
    }
}

/// Whether a file that begins so is a recording: by a format's mark, or as a text of which events are read.
pub(crate) fn is_surely_a_recording(head: &[u8], options: &ReadOptions) -> bool {
    match Format::detect(head) {
        // No mark: that it fits is chance.
        None | Some(Format::Atis) => false,
        Some(Format::Text) => {
            let lines = head.iter().rposition(|&byte| byte == b'\n').map_or(head.len(), |end| end + 1);
            let decoded = text::decode(&head[..lines], options.columns, Decoded::default());
            decoded.refusal.is_none() && !decoded.t.is_empty()
        }
        Some(_) => true,
    }
}

/// Whether the first line is text: an ATIS recording whose first event lies in column 37 begins with `%` too.
fn first_line_is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(1024)];
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    // Four bytes reach into an ATIS event's time, which is no text where a recording begins.
    line.len() >= 4
        && line.len() < start.len()
        && line.iter().all(|byte| matches!(byte, b'\t' | b'\r' | b' '..=b'~'))
}
