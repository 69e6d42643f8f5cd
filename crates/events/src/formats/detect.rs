//! Detection of a file's format by its content.

use super::decoded::Decoded;
use super::format::Format;
use super::{ReadOptions, foreign, prophesee, text};

impl Format {
    /// The format of a file with this content: a built-in one, else a [registered](Format::register) one.
    /// ATIS `.bin` has no signature: it is chosen if the whole file fits and is not known to be something
    /// else.
    pub fn detect(bytes: &[u8]) -> Option<Format> {
        Format::told_by(bytes).ok()
    }

    /// [`Format::detect`], or else the kind of the file.
    pub(super) fn told_by(bytes: &[u8]) -> Result<Format, String> {
        let told = |formats: &[Format], has_mark: bool| {
            formats.iter().copied().find(|format| {
                let format = format.implementation();
                format.has_mark() == has_mark && format.claims(bytes)
            })
        };
        if let Some(format) = told(&Format::ALL, true) {
            return Ok(format);
        }
        let foreign = foreign::kind(bytes);
        let without_mark = |formats: &[Format]| foreign.is_none().then(|| told(formats, false)).flatten();
        let own = Format::registered();
        if let Some(format) =
            without_mark(&Format::ALL).or_else(|| told(&own, true)).or_else(|| without_mark(&own))
        {
            return Ok(format);
        }
        if let Some(kind) = foreign {
            return Err(format!("this is {kind}: it is not a recording of events"));
        }
        prophesee::told(bytes).unwrap_or_else(|| {
            Err("the file is of no format of events that is known here: name its format (`format`; `--format`), if it has \
                 no mark of its own, such as ATIS `.bin`"
                .to_owned())
        })
    }
}

/// Whether a file that begins like this is a recording: by a format's signature, or as a text from which
/// events can be read.
pub(crate) fn is_surely_a_recording(head: &[u8], options: &ReadOptions) -> bool {
    match Format::detect(head) {
        // No signature: a fit may be coincidence.
        None | Some(Format::Atis) => false,
        Some(Format::Text) => {
            let lines = head.iter().rposition(|&byte| byte == b'\n').map_or(head.len(), |end| end + 1);
            let decoded = text::decode(&head[..lines], options.columns, Decoded::default());
            decoded.refusal.is_none() && !decoded.t.is_empty()
        }
        Some(_) => true,
    }
}
