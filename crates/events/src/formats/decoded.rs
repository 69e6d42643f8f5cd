//! What a decoder gives: the events before the first fault, and the fault.

use super::left_out::{BadEvents, PassedOver};
use super::order;
use crate::error::EventError;
use crate::sensor::SensorSize;
use crate::stream::EventStream;

/// A file's events up to its end or first fault, and what else is to be told of it: what an
/// [`EventFormat`](super::EventFormat) decodes to. Offsets are in bytes from the start of the file.
#[derive(Debug, Default)]
pub struct Decoded {
    // Columns are of one length; polarities are 0 or 1.
    pub(super) t: Vec<i64>,
    pub(super) x: Vec<u16>,
    pub(super) y: Vec<u16>,
    pub(super) p: Vec<u8>,
    /// What the file says.
    pub(super) sensor: Option<SensorSize>,
    pub(super) metadata: Vec<(String, String)>,
    /// The fault that ended decoding.
    pub(super) stop: Option<Stop>,
    /// Faulty events that are not in the columns.
    pub(super) bad: Option<BadEvents>,
    /// What the file holds beside events of pixels.
    pub(super) passed_over: Vec<PassedOver>,
    /// Why the file is not what it was taken for; no reading accepts it.
    pub(super) refusal: Option<Stop>,
    /// What is known of the first events.
    pub(super) seen: Seen,
    /// The event whose place is looked for, instead of decoding for the events.
    pub(super) seek: Option<Seek>,
}

/// A search for the place of an event in its file: decoding runs once more, and notes where the event came from.
///
/// Only a fault is worth it, so that decoding needs not keep places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seek {
    /// Address of the file's first byte.
    origin: usize,
    /// Which event, counted from 0 in the order of the columns.
    index: usize,
    found: Option<usize>,
}

impl Seek {
    pub(super) fn new(file: &[u8], index: usize) -> Self {
        Seek { origin: file.as_ptr().addr(), index, found: None }
    }

    /// Takes note of `more` events after `before` ones that lie at `part`, a part of the file.
    pub(super) fn pass<T>(&mut self, before: usize, more: usize, part: &[T]) {
        self.pass_at(before, more, part.as_ptr().addr().wrapping_sub(self.origin));
    }

    /// Takes note of `more` events after `before` ones that lie at byte `offset` of the file.
    pub(super) fn pass_at(&mut self, before: usize, more: usize, offset: usize) {
        if self.found.is_none() && (before..before + more).contains(&self.index) {
            self.found = Some(offset);
        }
    }
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

    /// The size of the sensor, where the file states it. Events outside it are faults.
    pub fn set_sensor(&mut self, sensor: SensorSize) {
        self.sensor = Some(sensor);
    }

    /// Keeps what the file says of itself beside the events, such as the camera.
    pub fn add_metadata(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.metadata.push((key.into(), value.into()));
    }

    /// Makes room for `count` more events.
    pub fn reserve(&mut self, count: usize) {
        self.t.reserve(count);
        self.x.reserve(count);
        self.y.reserve(count);
        self.p.reserve(count);
    }

    /// Adds an event: time in us, column, row, and whether it is brighter.
    pub fn push(&mut self, t: i64, x: u16, y: u16, p: bool) {
        self.t.push(t);
        self.x.push(x);
        self.y.push(y);
        self.p.push(u8::from(p));
    }

    /// [`Decoded::push`] of an event that lies at byte `offset` of the file, which the message about a faulty one then
    /// tells.
    pub fn push_at(&mut self, offset: usize, t: i64, x: u16, y: u16, p: bool) {
        if let Some(seek) = &mut self.seek {
            seek.pass_at(self.t.len(), 1, offset);
        }
        self.push(t, x, y, p);
    }

    /// Nothing yet, to be decoded until the place of an event is known.
    pub(super) fn seeking(seek: Seek) -> Self {
        Decoded { seek: Some(seek), ..Decoded::default() }
    }

    /// Whether the place of an event was looked for and found.
    pub(super) fn is_found(&self) -> bool {
        self.found().is_some()
    }

    /// Where the event that was looked for lies, if it was found.
    pub(super) fn found(&self) -> Option<usize> {
        self.seek.and_then(|seek| seek.found)
    }

    /// Leaves out an event at byte `offset` whose values no event has: an error unless reading is lenient.
    pub fn leave_out(&mut self, offset: usize, problem: impl FnOnce() -> String) {
        match &mut self.bad {
            Some(bad) => bad.count += 1,
            None => {
                let (offset, event) = (offset as u64, self.t.len());
                self.bad = Some(BadEvents { count: 1, offset, event, problem: problem() });
            }
        }
    }

    /// Counts `count` more records of a kind that are no events of pixels.
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

    /// Takes note that the file is not what it was taken for: an error, also of lenient reading.
    pub fn refuse(&mut self, offset: usize, problem: impl Into<String>) {
        self.refusal.get_or_insert(Stop { offset, problem: problem.into() });
    }

    /// Takes the events out of the columns that lie outside `sensor`, else outside the one that the file names. `place`
    /// finds where in the file an event lies, from its index.
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

    /// Adds `count` events made of whole numbers `[t, x, y, p]`, but for those that are none: with a number that was not
    /// read or fits no column, or a polarity that is not 1, 0 or -1. `place` is where event `i` lies in the file, and
    /// `shown` what the file has for it.
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
                    // The place is worked out where it is looked for only.
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

    /// Takes note of a fault at byte `offset` behind which nothing is read, such as a cut file: an error unless reading is
    /// lenient. The first one counts.
    pub fn stop(&mut self, offset: usize, problem: impl Into<String>) {
        self.stop.get_or_insert(Stop { offset, problem: problem.into() });
    }

    /// Looks over the events that were not looked over yet.
    pub(super) fn look(&mut self) -> Seen {
        let from = self.seen.events;
        self.saw(Seen::of(&self.t[from..], &self.x[from..], &self.y[from..]))
    }

    /// Takes note of what was seen of the next events, if all before them were seen.
    fn saw(&mut self, next: Seen) -> Seen {
        self.seen = self.seen.then(next);
        self.seen
    }

    /// Whether all events were looked over, so that what is seen of further ones may be noted.
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

    /// The recording, on `sensor`, else on the one that the file names, else on the smallest that has all events on it.
    pub(super) fn into_stream(mut self, sensor: Option<SensorSize>) -> Result<EventStream, EventError> {
        let Seen { x, y, .. } = self.look();
        let smallest = SensorSize { width: x.saturating_add(1), height: y.saturating_add(1) };
        let sensor = sensor.or(self.sensor).unwrap_or(smallest);
        let Decoded { t, x: columns, y: rows, p, metadata, .. } = self;
        // Columns of one length, polarities of 0 and 1 are what decoders make; the places were seen.
        let stream = if t.is_empty() || (x < sensor.width && y < sensor.height) {
            EventStream::trusted(sensor, t, columns, rows, p)
        } else {
            EventStream::new(sensor, t, columns, rows, p)?
        };
        Ok(stream.with_metadata(metadata))
    }

    /// Largest column and row.
    pub(super) fn largest(&mut self) -> (u16, u16) {
        let Seen { x, y, .. } = self.look();
        (x, y)
    }

    /// How often a time is before the one ahead of it, and the first event that is, if times run backwards all along.
    pub(super) fn backwards(&mut self) -> Option<(usize, usize)> {
        if self.look().signs >= 0 { None } else { order::backwards(&self.t) }
    }

    /// Whether what was read may have been taken in a wrong order.
    pub(super) fn is_doubtful(&mut self) -> bool {
        self.bad.is_some() || self.backwards().is_some()
    }

    /// Forgets the events, to read them in another way.
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

    /// Adds 2^`bits` for each time that the clock starts anew, i.e. falls by more than half of that. Times that do so all
    /// along are no times.
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
