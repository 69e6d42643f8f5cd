//! What a format of recordings has to know of its files.

use super::ReadOptions;
use super::decoded::Decoded;
use crate::stream::Events;

/// A format of recordings: how its files are told from others, and what is in them. Those that ship are of this kind, and
/// a program's own can be: [`Format::register`](super::Format::register).
pub trait EventFormat: Send + Sync {
    /// The name in the field, as messages have it.
    fn title(&self) -> &str;

    /// Whether a file is of this format: of its bytes all are given, or the first 16 KiB at least.
    fn claims(&self, bytes: &[u8]) -> bool;

    /// Whether [`claims`](EventFormat::claims) goes by a mark that no other file has. Without one, files that are known
    /// to be something else (archives, images, videos) are not asked about.
    fn has_mark(&self) -> bool {
        true
    }

    /// How names of its files end, in small letters, without the dot. In a folder of recordings a file of such a name is
    /// one, whatever it holds.
    fn endings(&self) -> &[&str] {
        &[]
    }

    /// Why a file cannot be of this format, although somebody says so.
    fn refusal(&self, bytes: &[u8]) -> Option<String> {
        let _ = bytes;
        None
    }

    /// Bytes of a record, where a run of zeros at the end of a file cannot be what a camera wrote: 32 bytes of zeros or
    /// more are a fault then.
    fn record_size(&self) -> Option<usize> {
        None
    }

    /// Whether its files hold columns of numbers, whose order [`ReadOptions::columns`] may name.
    fn has_columns(&self) -> bool {
        false
    }

    /// Adds the file's events to `decoded`, which has none yet, and says there what else is in it; returns it.
    /// `bytes` are all of the file but zeros at its end ([`record_size`](EventFormat::record_size)).
    ///
    /// It runs a second time where the place of a faulty event is looked for.
    fn decode(&self, bytes: &[u8], options: &ReadOptions, decoded: Decoded) -> Decoded;

    /// The bytes of a file with these events.
    ///
    /// # Errors
    /// An event that the format cannot hold; a format that is only read.
    fn encode(&self, events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
        let _ = events;
        let problem = "this format is read only: write ATIS .bin, EVT 2.0, EVT 3.0, .npz or text".into();
        Err(Unwritable { event: 0, problem })
    }
}

/// Why a recording cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritable {
    /// The first event that the format cannot hold.
    pub event: usize,
    /// Why not, and what to do.
    pub problem: String,
}
