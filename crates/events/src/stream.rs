//! One type for recordings from any kind of file.

use crate::error::EventError;
use crate::sensor::SensorSize;

/// A recording: one column per quantity, `[N]` each, as stored in its file.
///
/// Times are in us, `x` counts from the left and `y` from the top, polarity is 1 for ON events (brighter) and
/// 0 for OFF events (darker). Every event is on the sensor. Events are in the order of the file; operations
/// that need them ordered by time return [`EventError::Unsorted`] otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventStream {
    sensor: SensorSize,
    t: Vec<i64>,
    x: Vec<u16>,
    y: Vec<u16>,
    p: Vec<u8>,
    metadata: Vec<(String, String)>,
}

impl Default for EventStream {
    /// An empty recording on a sensor of one pixel.
    fn default() -> Self {
        EventStream::trusted(
            SensorSize { width: 1, height: 1 },
            Vec::new(),
            Vec::new(),
            Vec::new(),
            Vec::new(),
        )
    }
}

/// A borrowed part of a recording: the same columns as slices `[N]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Events<'a> {
    /// Size of the sensor.
    pub sensor: SensorSize,
    /// Times in us.
    pub t: &'a [i64],
    /// Columns, from the left.
    pub x: &'a [u16],
    /// Rows, from the top.
    pub y: &'a [u16],
    /// Polarities: 1 ON (brighter), 0 OFF (darker).
    pub p: &'a [u8],
}

impl EventStream {
    /// A recording with these columns, `[N]` each.
    ///
    /// # Errors
    /// [`EventError::Columns`] if their lengths differ, [`EventError::OutsideSensor`] and
    /// [`EventError::Polarity`] for the first invalid event.
    pub fn new(
        sensor: SensorSize,
        t: Vec<i64>,
        x: Vec<u16>,
        y: Vec<u16>,
        p: Vec<u8>,
    ) -> Result<Self, EventError> {
        if t.len() != x.len() || t.len() != y.len() || t.len() != p.len() {
            return Err(EventError::Columns { t: t.len(), x: x.len(), y: y.len(), p: p.len() });
        }
        // Whole columns are checked first in vectorised loops; the search for the first invalid event need
        // not be fast.
        let outside = x.iter().fold(false, |bad, &x| bad | (x >= sensor.width))
            | y.iter().fold(false, |bad, &y| bad | (y >= sensor.height));
        if outside && let Some(index) = (0..t.len()).find(|&i| x[i] >= sensor.width || y[i] >= sensor.height)
        {
            return Err(EventError::OutsideSensor {
                index,
                x: x[index],
                y: y[index],
                width: sensor.width,
                height: sensor.height,
            });
        }
        if p.iter().fold(0, |all, &p| all | p) > 1
            && let Some(index) = p.iter().position(|&p| p > 1)
        {
            return Err(EventError::Polarity { index, p: p[index] });
        }
        Ok(EventStream { sensor, t, x, y, p, metadata: Vec::new() })
    }

    /// A recording with columns known to have equal lengths, events on the sensor, and polarities of 0 or 1.
    pub(crate) fn trusted(sensor: SensorSize, t: Vec<i64>, x: Vec<u16>, y: Vec<u16>, p: Vec<u8>) -> Self {
        debug_assert!(t.len() == x.len() && t.len() == y.len() && t.len() == p.len());
        debug_assert!(x.iter().all(|&x| x < sensor.width) && y.iter().all(|&y| y < sensor.height));
        debug_assert!(p.iter().all(|&p| p <= 1));
        EventStream { sensor, t, x, y, p, metadata: Vec::new() }
    }

    /// The columns, to reuse their memory.
    pub(crate) fn into_columns(self) -> (Vec<i64>, Vec<u16>, Vec<u16>, Vec<u8>) {
        (self.t, self.x, self.y, self.p)
    }

    /// The same recording with metadata from its file: pairs of a name and a value.
    pub fn with_metadata(mut self, metadata: Vec<(String, String)>) -> Self {
        self.metadata = metadata;
        self
    }

    /// Metadata from the file: pairs of a name and a value.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    /// Size of the sensor.
    pub fn sensor(&self) -> SensorSize {
        self.sensor
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.t.len()
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.t.is_empty()
    }

    /// All events, borrowed.
    pub fn events(&self) -> Events<'_> {
        Events { sensor: self.sensor, t: &self.t, x: &self.x, y: &self.y, p: &self.p }
    }

    /// Time from the first event to the last in us; 0 if there are none.
    pub fn duration_us(&self) -> i64 {
        self.events().duration_us()
    }

    /// Sorts the events by time, keeping the order of those with the same time. Returns how many were earlier
    /// than the one before them.
    pub fn sort(&mut self) -> usize {
        let disorder = self.t.windows(2).filter(|pair| pair[1] < pair[0]).count();
        if disorder > 0 {
            let mut order: Vec<usize> = (0..self.t.len()).collect();
            order.sort_by_key(|&i| self.t[i]);
            self.t = order.iter().map(|&i| self.t[i]).collect();
            self.x = order.iter().map(|&i| self.x[i]).collect();
            self.y = order.iter().map(|&i| self.y[i]).collect();
            self.p = order.iter().map(|&i| self.p[i]).collect();
        }
        disorder
    }
}

impl<'a> Events<'a> {
    /// Number of events.
    pub fn len(&self) -> usize {
        self.t.len()
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.t.is_empty()
    }

    /// Time from the first event to the last in us; 0 if there are none.
    pub fn duration_us(&self) -> i64 {
        match (self.t.first(), self.t.last()) {
            (Some(first), Some(last)) => last.saturating_sub(*first),
            _ => 0,
        }
    }

    /// The events `range` of these, counted from 0 and clipped to the existing ones.
    pub fn range(&self, range: std::ops::Range<usize>) -> Events<'a> {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        Events {
            sensor: self.sensor,
            t: &self.t[start..end],
            x: &self.x[start..end],
            y: &self.y[start..end],
            p: &self.p[start..end],
        }
    }

    /// Checks that the events are ordered by time.
    ///
    /// # Errors
    /// [`EventError::Unsorted`] with the first event that is earlier than the one before it.
    pub fn require_sorted(&self) -> Result<(), EventError> {
        if !surely_sorted(self.t)
            && let Some(before) = self.t.windows(2).position(|pair| pair[1] < pair[0])
        {
            return Err(EventError::Unsorted {
                index: before + 1,
                t: self.t[before + 1],
                before: self.t[before],
            });
        }
        Ok(())
    }
}

/// Whether the times are ordered; `false` also if this requires a slower check.
///
/// A comparison of 64-bit numbers is not vectorised on every x86-64, but a subtraction is: the sign of the
/// difference indicates the order unless it overflows, which it cannot if no time is negative.
fn surely_sorted(t: &[i64]) -> bool {
    let Some(&last) = t.last() else { return true };
    let (mut times, mut differences) = (last, 0);
    for (&before, &after) in t.iter().zip(&t[1..]) {
        times |= before;
        differences |= after.wrapping_sub(before);
    }
    times | differences >= 0
}
