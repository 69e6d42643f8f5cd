//! Construction of recordings event by event from other recordings.

use crate::error::EventError;
use crate::sensor::SensorSize;
use crate::stream::{EventStream, Events};

/// One event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) t: i64,
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) p: u8,
}

impl Events<'_> {
    /// Checks that all four columns have the same length, which always holds for an [`EventStream`] but not
    /// for events assembled by hand.
    pub(crate) fn require_columns(&self) -> Result<(), EventError> {
        let [t, x, y, p] = [self.t.len(), self.x.len(), self.y.len(), self.p.len()];
        if t == x && t == y && t == p { Ok(()) } else { Err(EventError::Columns { t, x, y, p }) }
    }

    /// Checks that all four columns have the same length and that all events are on the sensor.
    pub(crate) fn require_valid(&self) -> Result<(), EventError> {
        self.require_columns()?;
        match self.iter().position(|e| e.x >= self.sensor.width || e.y >= self.sensor.height || e.p > 1) {
            Some(index) => Err(self.invalid(index)),
            None => Ok(()),
        }
    }

    /// The error for the first of these events that is not on the sensor.
    pub(crate) fn outside(&self) -> EventError {
        self.require_valid().err().unwrap_or_else(|| self.invalid(0))
    }

    fn invalid(&self, index: usize) -> EventError {
        let Event { x, y, p, .. } = self.event(index);
        if p > 1 {
            return EventError::Polarity { index, p };
        }
        EventError::OutsideSensor { index, x, y, width: self.sensor.width, height: self.sensor.height }
    }

    pub(crate) fn event(&self, i: usize) -> Event {
        Event { t: self.t[i], x: self.x[i], y: self.y[i], p: self.p[i] }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> {
        (0..self.len()).map(|i| self.event(i))
    }

    /// The events for which `keep` holds.
    pub(crate) fn select(&self, mut keep: impl FnMut(Event) -> bool) -> Result<EventStream, EventError> {
        self.map(self.sensor, |event| keep(event).then_some(event))
    }

    /// Applies `change` to each event, for a sensor of another size.
    pub(crate) fn map(
        &self,
        sensor: SensorSize,
        change: impl FnMut(Event) -> Option<Event>,
    ) -> Result<EventStream, EventError> {
        stream_of(sensor, self.len(), self.iter().filter_map(change))
    }
}

/// The recording of these events.
pub(crate) fn stream_of(
    sensor: SensorSize,
    capacity: usize,
    events: impl Iterator<Item = Event>,
) -> Result<EventStream, EventError> {
    let mut t = Vec::with_capacity(capacity);
    let (mut x, mut y) = (Vec::with_capacity(capacity), Vec::with_capacity(capacity));
    let mut p = Vec::with_capacity(capacity);
    for event in events {
        t.push(event.t);
        x.push(event.x);
        y.push(event.y);
        p.push(event.p);
    }
    EventStream::new(sensor, t, x, y, p)
}
