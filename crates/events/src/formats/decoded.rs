//! The result of a decoder: the events before the first fault, and the fault.

use super::left_out::{BadEvents, PassedOver};
use super::order;
use crate::error::EventError;
use crate::sensor::SensorSize;
use crate::stream::EventStream;

/// The result of decoding with an [`EventFormat`](super::EventFormat): the events of a file up to its end or
/// first fault, and further information on the file. Offsets are in bytes from the start of the file.
#[derive(Debug, Default)]
pub struct Decoded {
    // Columns have equal lengths; polarities are 0 or 1.
    pub(super) t: Vec<i64>,
    pub(super) x: Vec<u16>,
    pub(super) y: Vec<u16>,
    pub(super) p: Vec<u8>,
    /// The sensor stated in the file.
    pub(super) sensor: Option<SensorSize>,
    pub(super) metadata: Vec<(String, String)>,
    /// The fault that ended decoding.
    pub(super) stop: Option<Stop>,
    /// Faulty events, which are not in the columns.
    pub(super) bad: Option<BadEvents>,
    /// The contents of the file other than pixel events.
    pub(super) passed_over: Vec<PassedOver>,
    /// Why the file is not of the assumed format; it is then refused even by lenient reading.
    pub(super) refusal: Option<Stop>,
    /// Statistics of the first events.
    pub(super) seen: Seen,
    /// The event whose position is searched for, instead of decoding for the events.
    pub(super) seek: Option<Seek>,
}

/// A search for the position of an event in its file: the file is decoded again, noting where the event came
/// from.
///
/// This is only needed for faults, so that decoding does not have to store positions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seek {
    /// Address of the file's first byte.
    origin: usize,
    /// The index of the event, counted from 0 in the order of the columns.
    index: usize,
    found: Option<usize>,
}

impl Seek {
    pub(super) fn new(file: &[u8], index: usize) -> Self {
        Seek { origin: file.as_ptr().addr(), index, found: None }
    }

    /// Notes that `more` events after the first `before` come from `part`, a part of the file.
    pub(super) fn pass<T>(&mut self, before: usize, more: usize, part: &[T]) {
        self.pass_at(before, more, part.as_ptr().addr().wrapping_sub(self.origin));
    }

    /// Notes that `more` events after the first `before` come from byte `offset` of the file.
    pub(super) fn pass_at(&mut self, before: usize, more: usize, offset: usize) {
        if self.found.is_none() && (before..before + more).contains(&self.index) {
            self.found = Some(offset);
        }
    }
}

/// Statistics of some events.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Number of events.
    events: usize,
    /// Maximum column and row.
    x: u16,
    y: u16,
    /// Non-negative if no time is negative or smaller than the one before it.
    signs: i64,
    /// First and last time.
    ends: (i64, i64),
}

impl Seen {
    /// Computes the statistics of some events, in one loop without branches per column, so that each is
    /// vectorised.
    #[inline(always)]
    pub(super) fn of(t: &[i64], x: &[u16], y: &[u16]) -> Seen {
        let (Some(&first), Some(&last)) = (t.first(), t.last()) else { return Seen::default() };
        // The sign of a difference indicates the order unless it overflows, which it cannot if no time is
        // negative.
        let mut signs = last;
        for (&before, &after) in t.iter().zip(&t[1..]) {
            signs |= before | after.wrapping_sub(before);
        }
        let largest = |column: &[u16]| column.iter().fold(0, |most, &value| most.max(value));
        Seen { events: t.len(), x: largest(x), y: largest(y), signs, ends: (first, last) }
    }

    /// All statistics: number of events, maximum column and row, whether they are certainly ordered, first
    /// and last time.
    #[cfg(test)]
    pub(super) fn tells(self) -> (usize, u16, u16, bool, (i64, i64)) {
        (self.events, self.x, self.y, self.signs >= 0, self.ends)
    }

    /// The combined statistics of these events and those after them.
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
    /// Its position in bytes from the start of the file.
    pub(super) offset: usize,
    pub(super) problem: String,
}

impl Decoded {
    /// An empty result, with the memory of a recording that is no longer needed.
    pub(super) fn in_memory_of(used: EventStream) -> Self {
        let (mut t, mut x, mut y, mut p) = used.into_columns();
        t.clear();
        x.clear();
        y.clear();
        p.clear();
        Decoded { t, x, y, p, ..Decoded::default() }
    }

    /// Sets the size of the sensor stated in the file. Events outside it are faults.
    pub fn set_sensor(&mut self, sensor: SensorSize) {
        self.sensor = Some(sensor);
    }

    /// Stores information from the file other than events, such as the camera.
    pub fn add_metadata(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.metadata.push((key.into(), value.into()));
    }

    /// Reserves memory for `count` more events.
    pub fn reserve(&mut self, count: usize) {
        self.t.reserve(count);
        self.x.reserve(count);
        self.y.reserve(count);
        self.p.reserve(count);
    }

    /// Adds an event: time in us, column, row, and whether it is an ON event (brighter).
    pub fn push(&mut self, t: i64, x: u16, y: u16, p: bool) {
        self.t.push(t);
        self.x.push(x);
        self.y.push(y);
        self.p.push(u8::from(p));
    }

    /// [`Decoded::push`] for an event at byte `offset` of the file, which is stated in the message if the
    /// event is faulty.
    pub fn push_at(&mut self, offset: usize, t: i64, x: u16, y: u16, p: bool) {
        if let Some(seek) = &mut self.seek {
            seek.pass_at(self.t.len(), 1, offset);
        }
        self.push(t, x, y, p);
    }

    /// An empty result, for decoding until the position of an event is known.
    pub(super) fn seeking(seek: Seek) -> Self {
        Decoded { seek: Some(seek), ..Decoded::default() }
    }

    /// Whether the position of an event was searched for and found.
    pub(super) fn is_found(&self) -> bool {
        self.found().is_some()
    }

    /// The position of the event searched for, if it was found.
    pub(super) fn found(&self) -> Option<usize> {
        self.seek.and_then(|seek| seek.found)
    }

    /// Leaves out an event at byte `offset` with invalid values: an error unless reading is lenient.
    pub fn leave_out(&mut self, offset: usize, problem: impl FnOnce() -> String) {
        match &mut self.bad {
            Some(bad) => bad.count += 1,
            None => {
                let (offset, event) = (offset as u64, self.t.len());
                self.bad = Some(BadEvents { count: 1, offset, event, problem: problem() });
            }
        }
    }

    /// Counts `count` more records of a kind other than pixel events.
    pub fn pass_over(&mut self, kind: impl Into<String>, count: u64) {
        if count == 0 {
            return;
        }
        let kind = kind.into();
        match self.passed_over.iter_mut().find(|known| known.kind == kind) {
            Some(known) => known.count += count,
            None => self.passed_over.push(PassedOver { kind, count }),
        }
    }

    /// Notes that the file is not of the assumed format: an error even if reading is lenient.
    pub fn refuse(&mut self, offset: usize, problem: impl Into<String>) {
        self.refusal.get_or_insert(Stop { offset, problem: problem.into() });
    }

    /// Removes the events outside `sensor`, else outside the sensor stated in the file, from the columns.
    /// `place` returns the position of an event in the file from its index.
    pub(super) fn leave_out_outside(
        &mut self,
        sensor: Option<SensorSize>,
        place: impl Fn(usize) -> Option<usize>,
    ) -> Option<BadEvents> {
        let SensorSize { width, height } = sensor.or(self.sensor)?;
        let Seen { x, y, .. } = self.look();
        if self.t.is_empty() || (x < width && y < height) {
            return None;
        }
        let is_outside = |x: u16, y: u16| x >= width || y >= height;
        let first = (0..self.t.len()).find(|&i| is_outside(self.x[i], self.y[i]))?;
        let problem = format!(
            "this event lies at x = {}, y = {}, outside of a sensor of {width} x {height} pixels",
            self.x[first], self.y[first]
        );
        let offset = place(first).unwrap_or(0) as u64;
        let mut kept = first;
        for i in first..self.t.len() {
            if !is_outside(self.x[i], self.y[i]) {
                self.t[kept] = self.t[i];
                self.x[kept] = self.x[i];
                self.y[kept] = self.y[i];
                self.p[kept] = self.p[i];
                kept += 1;
            }
        }
        let count = (self.t.len() - kept) as u64;
        self.t.truncate(kept);
        self.x.truncate(kept);
        self.y.truncate(kept);
        self.p.truncate(kept);
        self.seen = Seen::default();
        Some(BadEvents { count, offset, event: first, problem })
    }

    /// Adds `count` events from integers `[t, x, y, p]`, except for invalid ones: with a number that was not
    /// read or does not fit its column, or a polarity other than 1, 0 or -1. `place` returns the position of
    /// event `i` in the file, and `shown` its text.
    pub(super) fn extend_with(
        &mut self,
        count: usize,
        event: impl Fn(usize) -> [Option<i64>; 4],
        place: impl Fn(usize) -> usize,
        shown: impl Fn(usize) -> [String; 4],
    ) {
        let pixel = |value: Option<i64>| value.and_then(|value| u16::try_from(value).ok());
        for i in 0..count {
            let [t, x, y, p] = event(i);
            match (t, pixel(x), pixel(y), p) {
                (Some(t), Some(x), Some(y), Some(p @ -1..=1)) => {
                    // The position is computed only if it is searched for.
                    if self.seek.is_some() {
                        self.push_at(place(i), t, x, y, p == 1);
                    } else {
                        self.push(t, x, y, p == 1);
                    }
                }
                _ => self.leave_out(place(i), || {
                    let [t, x, y, p] = shown(i);
                    format!("event {i} is out of range (t = {t}, x = {x}, y = {y}, p = {p})")
                }),
            }
        }
    }

    /// Notes a fault at byte `offset` after which nothing is read, such as the end of a truncated file: an
    /// error unless reading is lenient. The first one counts.
    pub fn stop(&mut self, offset: usize, problem: impl Into<String>) {
        self.stop.get_or_insert(Stop { offset, problem: problem.into() });
    }

    /// Computes the statistics of the events not yet included.
    pub(super) fn look(&mut self) -> Seen {
        let from = self.seen.events;
        self.saw(Seen::of(&self.t[from..], &self.x[from..], &self.y[from..]))
    }

    /// Adds the statistics of the next events, if all events before them are included.
    fn saw(&mut self, next: Seen) -> Seen {
        self.seen = self.seen.then(next);
        self.seen
    }

    /// Whether all events are included in the statistics, so that further ones may be added.
    fn is_seen(&self) -> bool {
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
        if let Some(mut bad) = other.bad.take() {
            bad.event += self.t.len();
            match &mut self.bad {
                Some(first) => first.count += bad.count,
                None => self.bad = Some(bad),
            }
        }
        for PassedOver { kind, count } in other.passed_over.drain(..) {
            self.pass_over(kind, count);
        }
        self.t.append(&mut other.t);
        self.x.append(&mut other.x);
        self.y.append(&mut other.y);
        self.p.append(&mut other.p);
        self.stop = other.stop;
    }

    /// Converts to a recording on `sensor`, else on the sensor stated in the file, else on the smallest
    /// sensor that contains all events.
    pub(super) fn into_stream(mut self, sensor: Option<SensorSize>) -> Result<EventStream, EventError> {
        let Seen { x, y, .. } = self.look();
        let smallest = SensorSize { width: x.saturating_add(1), height: y.saturating_add(1) };
        let sensor = sensor.or(self.sensor).unwrap_or(smallest);
        let Decoded { t, x: columns, y: rows, p, metadata, .. } = self;
        // Decoders guarantee columns of equal length and polarities of 0 and 1; the positions were checked.
        let stream = if t.is_empty() || (x < sensor.width && y < sensor.height) {
            EventStream::trusted(sensor, t, columns, rows, p)
        } else {
            EventStream::new(sensor, t, columns, rows, p)?
        };
        Ok(stream.with_metadata(metadata))
    }

    /// Maximum column and row.
    pub(super) fn largest(&mut self) -> (u16, u16) {
        let Seen { x, y, .. } = self.look();
        (x, y)
    }

    /// How often a time is smaller than the previous one, and the first such event, if times run backwards
    /// throughout.
    pub(super) fn backwards(&mut self) -> Option<(usize, usize)> {
        if self.look().signs >= 0 { None } else { order::backwards(&self.t) }
    }

    /// Whether the data may have been read in a wrong order.
    pub(super) fn is_doubtful(&mut self) -> bool {
        self.bad.is_some() || self.backwards().is_some()
    }

    /// Discards the events, to read them in another way.
    pub(super) fn start_again(&mut self) {
        self.t.clear();
        self.x.clear();
        self.y.clear();
        self.p.clear();
        self.seen = Seen::default();
        (self.bad, self.stop) = (None, None);
        if let Some(seek) = &mut self.seek {
            seek.found = None;
        }
    }

    /// Adds 2^`bits` at each overflow of the clock, i.e. when a time falls by more than half of that. Values
    /// that do so throughout are not times.
    pub(super) fn unwrap_time(&mut self, bits: u32) {
        let (full, half) = (1i64 << bits, 1i64 << (bits - 1));
        if self.look().signs >= 0 {
            return;
        }
        let (mut turns, mut before) = (0, self.t[0]);
        for t in &mut self.t {
            if before - *t > half {
                turns += 1;
            }
            before = *t;
            *t += turns * full;
        }
        self.seen = Seen::default();
        let events = self.t.len();
        if turns >= 3 && turns as usize > events / 64 {
            let problem = format!(
                "the times of {events} events run backwards by more than half of the clock's range {turns} times: the \
                 records are not those of this format, or the file is damaged"
            );
            self.refuse(0, problem);
        }
    }
}
