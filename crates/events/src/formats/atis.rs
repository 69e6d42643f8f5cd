//! ATIS `.bin`: N-MNIST and N-Caltech101. Orchard et al., Frontiers in Neuroscience 9, 2015.
//!
//! 5 bytes an event: `x`, `y`, then 24 bits, most significant first: polarity, and 23 bits of time in us. A record
//! with `y = 240` is no event: the clock's 13 bits have turned over, and all later times are 2^13 us later.

use super::decoded::Decoded;
use super::fill::{self, EventIf, Layout, NONE, Records, field};

/// Bytes of a record.
pub(super) const RECORD: usize = 5;
/// The `y` of a record that says that the clock has turned over.
const OVERFLOW_Y: u32 = 240;
const OVERFLOW_US: i64 = 1 << 13;

/// Events, and how much later they are by the clock's turns before them.
#[derive(Clone, Copy, Default)]
struct Events {
    later: i64,
}

impl Records<RECORD> for Events {
    const LAYOUT: Layout = Layout {
        time: [4, 3, 2, NONE],
        address: [0, 1, 2, NONE],
        t: field(0, 23),
        x: field(0, 8),
        y: field(8, 8),
        p: field(23, 1),
        event: EventIf::NotEqual(0xff00, OVERFLOW_Y << 8),
    };

    #[inline(always)]
    fn earlier(&self) -> Option<i64> {
        Some(self.later)
    }

    #[inline(always)]
    fn pass(&mut self, _: &[u8; RECORD]) {
        self.later += OVERFLOW_US;
    }

    fn delay(&self) -> i64 {
        self.later
    }
}

pub(super) fn decode(bytes: &[u8], mut decoded: Decoded) -> Decoded {
    let (records, rest) = bytes.as_chunks::<RECORD>();
    fill::records(&mut decoded, records, Events::default());
    if !rest.is_empty() {
        let problem = format!("the last record is cut: {} of {RECORD} bytes", rest.len());
        decoded.stop(bytes.len() - rest.len(), problem);
    }
    decoded
}
