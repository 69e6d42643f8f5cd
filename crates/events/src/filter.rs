//! Which events to leave out: noise, hot pixels, a time or an area.

use serde::{Deserialize, Serialize};

use crate::error::EventError;
use crate::sensor::SensorSize;
use crate::spatial::within_sensor;
use crate::stream::{EventStream, Events};

/// Leaves out events, always the same ones. Its random relatives are in [`crate::augment`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Filter {
    /// Leaves out what a pixel reports within `period_us` of its last event: an event is kept if
    /// `t - last > period_us`. A pixel's first event is kept.
    Refractory {
        /// Refractory period in us, 0 or above.
        period_us: i64,
        /// From when the period counts.
        #[serde(default)]
        since: Since,
    },
    /// Leaves out background activity: an event is kept if one of its pixel's neighbours fired less than
    /// `window_us` before it. Delbruck, "Frame-free dynamic digital vision", 2008.
    BackgroundActivity {
        /// How far back a neighbour's event counts, in us, 1 or above.
        window_us: i64,
        /// Which pixels are neighbours.
        #[serde(default)]
        neighbours: Neighbours,
        /// As if every pixel had fired at time 0 (tonic's denoise): keeps all that happens before
        /// `window_us`.
        #[serde(default)]
        warm_start: bool,
    },
    /// Leaves out every event of the pixels that fire more than `max_rate_hz` times a second, on average
    /// over the recording.
    HotPixels {
        /// Largest rate of a pixel that is kept, in Hz, 0 or above.
        max_rate_hz: f64,
    },
    /// Leaves out every event of some pixels.
    DropPixels {
        /// The pixels, `[x, y]` each.
        pixels: Vec<[u16; 2]>,
    },
    /// Keeps what happens in `[start_us, end_us)`.
    CropTime {
        /// From when on, in us; the beginning if left out.
        #[serde(default)]
        start_us: Option<i64>,
        /// Until when, in us, exclusive; the end if left out.
        #[serde(default)]
        end_us: Option<i64>,
    },
    /// Leaves out what happens in `[start_us, end_us)`.
    DropTime {
        /// From when on, in us.
        start_us: i64,
        /// Until when, in us, exclusive.
        end_us: i64,
    },
    /// Leaves out what happens in a rectangle.
    DropArea {
        /// Its left column.
        x: u16,
        /// Its upper row.
        y: u16,
        /// Its columns.
        width: u16,
        /// Its rows.
        height: u16,
    },
    /// Keeps each `n`th event of a pixel.
    Decimate {
        /// One of how many, 1 or above.
        n: u32,
    },
}

/// From when a refractory period counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Since {
    /// From the pixel's last event, kept or not (tonic, jAER).
    #[default]
    Event,
    /// From the pixel's last event that was kept, as in a pixel with a longer refractory period.
    Kept,
}

/// Which pixels are neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Neighbours {
    /// The four that share a side (tonic).
    #[default]
    Four,
    /// The eight around (Delbruck).
    Eight,
}

impl Filter {
    /// Checks every option.
    ///
    /// # Errors
    /// [`EventError::Option`] for the first that makes no sense.
    pub fn check(&self) -> Result<(), EventError> {
        let (option, value, expected) = match *self {
            Filter::Refractory { period_us, .. } if period_us < 0 => {
                ("period_us", period_us.to_string(), "0 or above")
            }
            Filter::BackgroundActivity { window_us, .. } if window_us < 1 => {
                ("window_us", window_us.to_string(), "1 or above")
            }
            Filter::HotPixels { max_rate_hz } if !(max_rate_hz >= 0.0 && max_rate_hz.is_finite()) => {
                ("max_rate_hz", max_rate_hz.to_string(), "0 or above")
            }
            Filter::CropTime { start_us: Some(start), end_us: Some(end) } if end <= start => {
                ("end_us", end.to_string(), "later than start_us")
            }
            Filter::DropTime { start_us, end_us } if end_us <= start_us => {
                ("end_us", end_us.to_string(), "later than start_us")
            }
            Filter::Decimate { n: 0 } => ("n", "0".into(), "1 or above"),
            Filter::DropArea { width: 0, .. } => ("width", "0".into(), "1 or above"),
            Filter::DropArea { height: 0, .. } => ("height", "0".into(), "1 or above"),
            _ => return Ok(()),
        };
        Err(EventError::Option { option, value, expected })
    }

    /// Checks that what is left out lies on a sensor of this size.
    ///
    /// # Errors
    /// [`EventError::BeyondSensor`] for the first area or pixel that does not.
    pub fn check_sensor(&self, sensor: SensorSize) -> Result<(), EventError> {
        match self {
            Filter::DropArea { x, y, width, height } => {
                within_sensor("drop_area", [*x, *y, *width, *height], sensor)
            }
            Filter::DropPixels { pixels } => {
                pixels.iter().try_for_each(|&[x, y]| within_sensor("drop_pixels", [x, y, 1, 1], sensor))
            }
            _ => Ok(()),
        }
    }

    /// The events that are kept, in their order.
    ///
    /// # Errors
    /// [`EventError::Option`]; [`EventError::Unsorted`] for filters that look back in time.
    pub fn apply(&self, events: &Events) -> Result<EventStream, EventError> {
        self.check()?;
        events.require_valid()?;
        match self {
            Filter::Refractory { period_us, since } => refractory(events, *period_us, *since),
            Filter::BackgroundActivity { window_us, neighbours, warm_start } => {
                background_activity(events, *window_us, *neighbours, *warm_start)
            }
            Filter::HotPixels { max_rate_hz } => hot_pixels(events, *max_rate_hz),
            Filter::DropPixels { pixels } => {
                let mut dropped = vec![false; pixel_count(events)];
                for &[x, y] in
                    pixels.iter().filter(|p| p[0] < events.sensor.width && p[1] < events.sensor.height)
                {
                    dropped[pixel(events, x, y)] = true;
                }
                events.select(|event| !dropped[pixel(events, event.x, event.y)])
            }
            Filter::CropTime { start_us, end_us } => events.select(|event| {
                start_us.is_none_or(|start| event.t >= start) && end_us.is_none_or(|end| event.t < end)
            }),
            Filter::DropTime { start_us, end_us } => {
                events.select(|event| !(*start_us..*end_us).contains(&event.t))
            }
            &Filter::DropArea { x, y, width, height } => events.select(|event| {
                !(x..x.saturating_add(width)).contains(&event.x)
                    || !(y..y.saturating_add(height)).contains(&event.y)
            }),
            Filter::Decimate { n } => {
                let mut counts = vec![0u32; pixel_count(events)];
                events.select(|event| {
                    let count = &mut counts[pixel(events, event.x, event.y)];
                    *count += 1;
                    let keep = *count == *n;
                    if keep {
                        *count = 0;
                    }
                    keep
                })
            }
        }
    }
}

fn pixel_count(events: &Events) -> usize {
    usize::from(events.sensor.width) * usize::from(events.sensor.height)
}

fn pixel(events: &Events, x: u16, y: u16) -> usize {
    usize::from(y) * usize::from(events.sensor.width) + usize::from(x)
}

fn refractory(events: &Events, period_us: i64, since: Since) -> Result<EventStream, EventError> {
    events.require_sorted()?;
    let mut last: Vec<Option<i64>> = vec![None; pixel_count(events)];
    events.select(|event| {
        let last = &mut last[pixel(events, event.x, event.y)];
        let keep = last.is_none_or(|last| event.t.saturating_sub(last) > period_us);
        if keep || since == Since::Event {
            *last = Some(event.t);
        }
        keep
    })
}

fn background_activity(
    events: &Events,
    window_us: i64,
    neighbours: Neighbours,
    warm_start: bool,
) -> Result<EventStream, EventError> {
    events.require_sorted()?;
    let (width, height) = (i32::from(events.sensor.width), i32::from(events.sensor.height));
    let around: &[(i32, i32)] = match neighbours {
        Neighbours::Four => &[(-1, 0), (1, 0), (0, -1), (0, 1)],
        Neighbours::Eight => &[(-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1)],
    };
    // A frame of pixels that never fire spares the question whether a neighbour lies on the sensor.
    let stride = width + 2;
    let mut last: Vec<Option<i64>> = vec![None; (stride * (height + 2)) as usize];
    if warm_start {
        // As tonic does, only as far as there are events.
        let right = events.x.iter().max().map_or(0, |&x| i32::from(x) + 1);
        let bottom = events.y.iter().max().map_or(0, |&y| i32::from(y) + 1);
        for y in 1..=bottom {
            last[(y * stride + 1) as usize..(y * stride + 1 + right) as usize].fill(Some(0));
        }
    }
    events.select(|event| {
        let here = (i32::from(event.y) + 1) * stride + i32::from(event.x) + 1;
        last[here as usize] = Some(event.t);
        around.iter().any(|(dx, dy)| {
            last[(here + dy * stride + dx) as usize].is_some_and(|t| event.t.saturating_sub(t) < window_us)
        })
    })
}

fn hot_pixels(events: &Events, max_rate_hz: f64) -> Result<EventStream, EventError> {
    let mut counts = vec![0u32; pixel_count(events)];
    for event in events.iter() {
        counts[pixel(events, event.x, event.y)] += 1;
    }
    let first = events.t.iter().min().copied().unwrap_or(0);
    let last = events.t.iter().max().copied().unwrap_or(0);
    let most = max_rate_hz * (last as f64 - first as f64) * 1e-6;
    events.select(|event| f64::from(counts[pixel(events, event.x, event.y)]) <= most)
}
