//! What a decoder gives: the events before the first fault, and the fault.

use crate::stream::SensorSize;

/// A file's events up to its end or first fault. Columns are of one length; polarities are 0 or 1.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) t: Vec<i64>,
    pub(super) x: Vec<u16>,
    pub(super) y: Vec<u16>,
    pub(super) p: Vec<u8>,
    /// What the file says.
    pub(super) sensor: Option<SensorSize>,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) stop: Option<Stop>,
}

/// The first fault of a file.
#[derive(Debug)]
pub(super) struct Stop {
    /// Bytes from the start of the file.
    pub(super) offset: usize,
    pub(super) problem: String,
}

impl Decoded {
    pub(super) fn push(&mut self, t: i64, x: u16, y: u16, p: bool) {
        self.t.push(t);
        self.x.push(x);
        self.y.push(y);
        self.p.push(u8::from(p));
    }

    pub(super) fn stop(&mut self, offset: usize, problem: impl Into<String>) {
        self.stop.get_or_insert(Stop { offset, problem: problem.into() });
    }

    /// The smallest sensor that has all events on it, 1 x 1 for none.
    pub(super) fn extent(&self) -> SensorSize {
        let size = |column: &[u16]| column.iter().fold(0, |most, &value| most.max(value)).saturating_add(1);
        SensorSize { width: size(&self.x), height: size(&self.y) }
    }

    /// Adds 2^`bits` for each time that the clock starts anew, i.e. falls by more than half of that.
    pub(super) fn unwrap_time(&mut self, bits: u32) {
        let (full, half) = (1i64 << bits, 1i64 << (bits - 1));
        // The whole column first: that loop is vectorised, and clocks rarely start anew.
        if !self.t.windows(2).fold(false, |wraps, pair| wraps | (pair[0] - pair[1] > half)) {
            return;
        }
        let (mut turns, mut before) = (0, self.t[0]);
        for t in &mut self.t {
            if before - *t > half {
                turns += full;
            }
            before = *t;
            *t += turns;
        }
    }
}
