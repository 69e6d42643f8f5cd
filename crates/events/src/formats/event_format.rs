//! The interface of a recording format.

use super::ReadOptions;
use super::decoded::Decoded;
use crate::stream::Events;

/// A format of recordings: how its files are recognised and decoded. The built-in formats implement it, and
/// so can a program's own: [`Format::register`](super::Format::register).
pub trait EventFormat: Send + Sync {
    /// The format's usual name, for messages.
    fn title(&self) -> &str;

    /// Whether a file is of this format; `bytes` are all of its bytes, or at least the first 16 KiB.
    fn claims(&self, bytes: &[u8]) -> bool;

    /// Whether [`claims`](EventFormat::claims) checks for a signature that no other file has. Without one, it
    /// is not called for files known to be something else (archives, images, videos).
    fn has_mark(&self) -> bool {
        true
    }

    /// The extensions of its files, in lower case, without the dot. In a folder of recordings, a file with
    /// such a name is a recording, whatever its contents.
    fn endings(&self) -> &[&str] {
        &[]
    }

    /// Why a file cannot be of this format, even if the format was specified.
    fn refusal(&self, bytes: &[u8]) -> Option<String> {
        let _ = bytes;
        None
    }

    /// Size of a record in bytes, if a run of zeros at the end of a file cannot come from a camera: 32 or
    /// more bytes of zeros are then a fault.
    fn record_size(&self) -> Option<usize> {
        None
    }

    /// Whether its files contain columns of numbers, whose order can be set by [`ReadOptions::columns`].
    fn has_columns(&self) -> bool {
        false
    }

    /// Adds the file's events and other contents to `decoded`, which is empty, and returns it. `bytes` are
    /// the whole file except for zeros at its end ([`record_size`](EventFormat::record_size)).
    ///
    /// It is called again to find the position of a faulty event.
    fn decode(&self, bytes: &[u8], options: &ReadOptions, decoded: Decoded) -> Decoded;

    /// The bytes of a file with these events.
    ///
    /// # Errors
    /// An event that the format cannot represent; a format that can only be read.
    fn encode(&self, events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
        let _ = events;
        let problem = "this format is read only: write ATIS .bin, EVT 2.0, EVT 3.0, .npz or text".into();
        Err(Unwritable { event: 0, problem })
    }
}

/// Why a recording cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritable {
    /// The first event that the format cannot represent.
    pub event: usize,
    /// The reason and the remedy.
    pub problem: String,
}
