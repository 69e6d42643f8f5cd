//! What a decoder gives: the events before the first fault, and the fault.

use crate::error::EventError;
use crate::stream::{EventStream, SensorSize};

/// What files call the columns t, x, y and p.
pub(super) const COLUMN_NAMES: [&[&str]; 4] = [
    &["t", "ts", "time", "times", "timestamp", "timestamps"],
    &["x", "xs"],
    &["y", "ys"],
    &["p", "ps", "pol", "polarity", "polarities", "on"],
];

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
    /// What is known of the first events.
    pub(super) seen: Seen,
}

/// What a look over some events tells.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// How many they are.
    events: usize,
    /// Largest column and row.
    x: u16,
    y: u16,
    /// Not negative if no time is, and none is smaller than the one before it.
    signs: i64,
    /// First and last time.
    ends: (i64, i64),
}

impl Seen {
    /// Looks over some events. As one loop a column, without branches, so that each is vectorised.
    #[inline(always)]
    pub(super) fn of(t: &[i64], x: &[u16], y: &[u16]) -> Seen {
        let (Some(&first), Some(&last)) = (t.first(), t.last()) else { return Seen::default() };
        // The sign of a difference tells the order unless it overflows, which it cannot where no time is negative.
        let mut signs = last;
        for (&before, &after) in t.iter().zip(&t[1..]) {
            signs |= before | after.wrapping_sub(before);
        }
        let largest = |column: &[u16]| column.iter().fold(0, |most, &value| most.max(value));
        Seen { events: t.len(), x: largest(x), y: largest(y), signs, ends: (first, last) }
    }

    /// All that may be asked: how many, the largest column and row, whether surely in order, first and last time.
    #[cfg(test)]
    pub(super) fn tells(self) -> (usize, u16, u16, bool, (i64, i64)) {
        (self.events, self.x, self.y, self.signs >= 0, self.ends)
    }

    /// What is known of these events when their times are so much later, which is not negative.
    pub(super) fn later(self, us: i64) -> Seen {
        Seen { ends: (self.ends.0 + us, self.ends.1 + us), ..self }
    }

    /// What is known of these events and those after them.
    #[inline(always)]
    pub(super) fn then(self, after: Seen) -> Seen {
        if self.events == 0 || after.events == 0 {
            return if self.events == 0 { after } else { self };
        }
        Seen {
            events: self.events + after.events,
            x: self.x.max(after.x),
            y: self.y.max(after.y),
            signs: self.signs | after.signs | after.ends.0.wrapping_sub(self.ends.1),
            ends: (self.ends.0, after.ends.1),
        }
    }
}

/// The first fault of a file.
#[derive(Debug)]
pub(super) struct Stop {
    /// Bytes from the start of the file.
    pub(super) offset: usize,
    pub(super) problem: String,
}

impl Decoded {
    /// Nothing yet, with the memory of a recording that is not needed any more.
    pub(super) fn in_memory_of(used: EventStream) -> Self {
        let (mut t, mut x, mut y, mut p) = used.into_columns();
        t.clear();
        x.clear();
        y.clear();
        p.clear();
        Decoded { t, x, y, p, ..Decoded::default() }
    }

    pub(super) fn push(&mut self, t: i64, x: u16, y: u16, p: bool) {
        self.t.push(t);
        self.x.push(x);
        self.y.push(y);
        self.p.push(u8::from(p));
    }

    /// Adds `count` events made of whole numbers `[t, x, y, p]`, up to the first that is none: one with a number that
    /// was not read or fits no column, or a polarity that is not 1, 0 or -1. `place` is where event `i` lies in the file.
    pub(super) fn extend_with(
        &mut self,
        count: usize,
        event: impl Fn(usize) -> [Option<i64>; 4],
        place: impl Fn(usize) -> usize,
    ) {
        let pixel = |value: Option<i64>| value.and_then(|value| u16::try_from(value).ok());
        for i in 0..count {
            let [t, x, y, p] = event(i);
            match (t, pixel(x), pixel(y), p) {
                (Some(t), Some(x), Some(y), Some(p @ -1..=1)) => self.push(t, x, y, p == 1),
                _ => {
                    let problem = format!("event {i} (t {t:?}, x {x:?}, y {y:?}, p {p:?}) is out of range");
                    self.stop(place(i), problem);
                    break;
                }
            }
        }
    }

    pub(super) fn stop(&mut self, offset: usize, problem: impl Into<String>) {
        self.stop.get_or_insert(Stop { offset, problem: problem.into() });
    }

    /// Looks over the events that were not looked over yet.
    fn look(&mut self) -> Seen {
        let from = self.seen.events;
        self.saw(Seen::of(&self.t[from..], &self.x[from..], &self.y[from..]))
    }

    /// Takes note of what was seen of the next events, if all before them were seen.
    pub(super) fn saw(&mut self, next: Seen) -> Seen {
        self.seen = self.seen.then(next);
        self.seen
    }

    /// Whether all events were looked over, so that what is seen of further ones may be noted.
    pub(super) fn is_seen(&self) -> bool {
        self.seen.events == self.t.len()
    }

    /// Adds the events of `other` and its fault, unless there is a fault before them.
    pub(super) fn append(&mut self, mut other: Decoded) {
        if self.stop.is_some() {
            return;
        }
        if self.is_seen() {
            let seen = other.look();
            self.saw(seen);
        }
        self.t.append(&mut other.t);
        self.x.append(&mut other.x);
        self.y.append(&mut other.y);
        self.p.append(&mut other.p);
        self.stop = other.stop;
    }

    /// The recording, on `sensor`, else on the one that the file names, else on the smallest that has all events on it.
    pub(super) fn into_stream(mut self, sensor: Option<SensorSize>) -> Result<EventStream, EventError> {
        let Seen { x, y, .. } = self.look();
        let smallest = SensorSize { width: x.saturating_add(1), height: y.saturating_add(1) };
        let sensor = sensor.or(self.sensor).unwrap_or(smallest);
        let Decoded { t, x: columns, y: rows, p, metadata, .. } = self;
        // Columns of one length, polarities of 0 and 1 are what decoders make; the places were seen.
        let stream = match t.is_empty() || (x < sensor.width && y < sensor.height) {
            true => EventStream::trusted(sensor, t, columns, rows, p),
            false => EventStream::new(sensor, t, columns, rows, p)?,
        };
        Ok(stream.with_metadata(metadata))
    }

    /// Adds 2^`bits` for each time that the clock starts anew, i.e. falls by more than half of that.
    pub(super) fn unwrap_time(&mut self, bits: u32) {
        let (full, half) = (1i64 << bits, 1i64 << (bits - 1));
        if self.look().signs >= 0 {
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
        self.seen = Seen::default();
    }
}
