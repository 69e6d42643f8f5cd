//! Writing recordings.

use std::path::Path;

use super::Format;
use super::event_format::Unwritable;
use crate::error::EventError;
use crate::stream::Events;

/// Writes a recording to a file atomically: to a temporary file that is then renamed. ATIS `.bin`, EVT 2.0
/// and 3.0, `.npz` and text can be written.
///
/// # Errors
/// [`EventError::Write`] for a recording that the format cannot represent, [`EventError::Data`] for a failed
/// write.
pub fn write(path: impl AsRef<Path>, events: Events<'_>, format: Format) -> Result<(), EventError> {
    let bytes = write_bytes(events, format)?;
    Ok(tks_data::whole_file::write(path.as_ref(), &bytes)?)
}

/// The bytes of a recording's file; see [`fn@write`].
///
/// # Errors
/// [`EventError::Write`] for a recording that the format cannot represent.
pub fn write_bytes(events: Events<'_>, format: Format) -> Result<Vec<u8>, EventError> {
    let written = format.implementation().encode(events);
    written.map_err(|Unwritable { event, problem }| EventError::Write { format, event, problem })
}
