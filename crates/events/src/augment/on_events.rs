//! Random changes to recordings.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use super::step::{Augment, between};
use crate::columns::{Event, stream_of};
use crate::error::EventError;
use crate::stream::{EventStream, Events};

pub(super) fn apply(
    augment: &Augment,
    events: &Events,
    rng: &mut impl Rng,
) -> Result<EventStream, EventError> {
    match *augment {
        Augment::FlipPolarity { probability } => {
            let flip = rng.random_bool(probability);
            events.map(events.sensor, |event| Some(Event { p: event.p ^ u8::from(flip), ..event }))
        }
        Augment::ReverseTime { probability, flip_polarity } => {
            events.require_sorted()?;
            if rng.random_bool(probability) { reversed(events, flip_polarity) } else { copy(events) }
        }
        Augment::DropEvent { ratio } => {
            let share = between(rng, ratio);
            drop_share(events, share, rng)
        }
        Augment::DropByTime { ratio } => {
            let share = between(rng, ratio);
            drop_interval(events, share, rng)
        }
        Augment::EventDrop {} => match rng.random_range(0..4) {
            0 => copy(events),
            1 => drop_interval(events, f64::from(rng.random_range(1..10)) / 10.0, rng),
            2 => {
                let share = f64::from(rng.random_range(1..6)) / 20.0;
                apply(&Augment::DropByArea { ratio: [share; 2] }, events, rng)
            }
            _ => drop_share(events, f64::from(rng.random_range(1..10)) / 10.0, rng),
        },
        Augment::TimeJitter { std_us } => {
            let mut jittered = events.map(events.sensor, |event| {
                let shift: f64 = StandardNormal.sample(rng);
                Some(Event { t: event.t.saturating_add((shift * std_us).round() as i64), ..event })
            })?;
            jittered.sort();
            Ok(jittered)
        }
        Augment::SpatialJitter { std_x, std_y, correlation } => {
            let across = (1.0 - correlation * correlation).sqrt();
            events.map(events.sensor, |event| {
                let (a, b): (f64, f64) = (StandardNormal.sample(rng), StandardNormal.sample(rng));
                let x = f64::from(event.x) + (std_x * a).round();
                let y = f64::from(event.y) + (std_y * (correlation * a + across * b)).round();
                let inside = (0.0..f64::from(events.sensor.width)).contains(&x)
                    && (0.0..f64::from(events.sensor.height)).contains(&y);
                inside.then_some(Event { x: x as u16, y: y as u16, ..event })
            })
        }
        Augment::TimeSkew { coefficient, offset_us } => {
            let factor = between(rng, coefficient);
            let offset = between(rng, offset_us).round() as i64;
            let first = events.t.iter().min().copied().unwrap_or(0);
            events.map(events.sensor, |event| {
                let since = (event.t.saturating_sub(first) as f64 * factor).round() as i64;
                Some(Event { t: first.saturating_add(since).saturating_add(offset), ..event })
            })
        }
        Augment::UniformNoise { events: [least, most] } => {
            let count = rng.random_range(least..=most);
            with_noise(events, count, rng)
        }
        _ => {
            let (width, height) = (usize::from(events.sensor.width), usize::from(events.sensor.height));
            let mut changed: Option<EventStream> = None;
            for geometry in augment.geometry(width, height, rng) {
                changed = Some(match &changed {
                    Some(stream) => geometry.on_events(&stream.events())?,
                    None => geometry.on_events(events)?,
                });
            }
            changed.map_or_else(|| copy(events), Ok)
        }
    }
}

fn copy(events: &Events) -> Result<EventStream, EventError> {
    EventStream::new(
        events.sensor,
        events.t.to_vec(),
        events.x.to_vec(),
        events.y.to_vec(),
        events.p.to_vec(),
    )
}

fn reversed(events: &Events, flip_polarity: bool) -> Result<EventStream, EventError> {
    let first = events.t.first().copied().unwrap_or(0);
    let last = events.t.last().copied().unwrap_or(0);
    let backwards = (0..events.len()).rev().map(|i| {
        let event = events.event(i);
        let t = first.saturating_add(last.saturating_sub(event.t));
        Event { t, p: event.p ^ u8::from(flip_polarity), ..event }
    });
    stream_of(events.sensor, events.len(), backwards)
}

/// Drops exactly the given share of the events, with equal probability for every choice of them (Fan, Muller
/// and Rezucha, 1962).
fn drop_share(events: &Events, share: f64, rng: &mut impl Rng) -> Result<EventStream, EventError> {
    let mut to_drop = (share * events.len() as f64).round() as usize;
    let mut left = events.len();
    events.select(|_| {
        let drop = rng.random_range(0..left) < to_drop;
        left -= 1;
        to_drop -= usize::from(drop);
        !drop
    })
}

fn drop_interval(events: &Events, share: f64, rng: &mut impl Rng) -> Result<EventStream, EventError> {
    let first = events.t.iter().min().copied().unwrap_or(0);
    let last = events.t.iter().max().copied().unwrap_or(0);
    let duration = last as f64 - first as f64 + 1.0;
    let start = first as f64 + between(rng, [0.0, duration * (1.0 - share)]);
    let end = start + duration * share;
    events.select(|event| !(start..end).contains(&(event.t as f64)))
}

fn with_noise(events: &Events, count: usize, rng: &mut impl Rng) -> Result<EventStream, EventError> {
    let first = events.t.iter().min().copied().unwrap_or(0);
    let last = events.t.iter().max().copied().unwrap_or(0);
    let sensor = events.sensor;
    if sensor.width == 0 || sensor.height == 0 {
        return copy(events);
    }
    let noise = (0..count).map(|_| Event {
        t: rng.random_range(first..=last),
        x: rng.random_range(0..sensor.width),
        y: rng.random_range(0..sensor.height),
        p: rng.random_range(0..2),
    });
    let mut noisy = stream_of(sensor, events.len() + count, events.iter().chain(noise))?;
    noisy.sort();
    Ok(noisy)
}
