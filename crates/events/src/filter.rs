//! Filters that remove events: noise, hot pixels, time intervals or areas.

use serde::{Deserialize, Serialize};

use crate::error::EventError;
use crate::sensor::SensorSize;
use crate::spatial::within_sensor;
use crate::stream::{EventStream, Events};

/// Removes events deterministically. Random removal is in [`crate::augment`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Filter {
    /// Removes the events of a pixel within `period_us` of its last event: an event is kept if `t - last >
    /// period_us`. A pixel's first event is kept.
    Refractory {
        /// Refractory period in us, 0 or above.
        period_us: i64,
        /// The event from which the period is counted.
        #[serde(default)]
        since: Since,
    },
    /// Removes background activity: an event is kept if a neighbouring pixel fired less than `window_us`
    /// before it. Delbruck, "Frame-free dynamic digital vision", 2008.
    BackgroundActivity {
        /// Maximum age of a neighbour's event in us, exclusive, 1 or above.
        window_us: i64,
        /// The pixels that count as neighbours.
        #[serde(default)]
        neighbours: Neighbours,
        /// Whether every pixel is treated as having fired at time 0 (as in tonic's denoise), which keeps all
        /// events before `window_us`.
        #[serde(default)]
        warm_start: bool,
    },
    /// Removes all events of pixels that fire more than `max_rate_hz` times per second, averaged over the
    /// recording.
    HotPixels {
        /// Maximum rate of a pixel that is kept, in Hz, 0 or above.
        max_rate_hz: f64,
    },
    /// Removes all events of the given pixels.
    DropPixels {
        /// The pixels, `[x, y]` each.
        pixels: Vec<[u16; 2]>,
    },
    /// Keeps the events in `[start_us, end_us)`.
    CropTime {
        /// Start of the interval in us; left out: the start of the recording.
        #[serde(default)]
        start_us: Option<i64>,
        /// End of the interval in us, exclusive; left out: the end of the recording.
        #[serde(default)]
        end_us: Option<i64>,
    },
    /// Removes the events in `[start_us, end_us)`.
    DropTime {
        /// Start of the interval in us.
        start_us: i64,
        /// End of the interval in us, exclusive.
        end_us: i64,
    },
    /// Removes the events in a rectangle.
    DropArea {
        /// Its leftmost column.
        x: u16,
        /// Its top row.
        y: u16,
        /// Its width in pixels.
        width: u16,
        /// Its height in pixels.
        height: u16,
    },
    /// Keeps every `n`th event of each pixel.
    Decimate {
        /// The interval between kept events, 1 or above.
        n: u32,
    },
}

/// The event from which a refractory period is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Since {
    /// The pixel's last event, kept or not (tonic, jAER).
    #[default]
    Event,
    /// The pixel's last event that was kept, as in a pixel with a longer refractory period.
    Kept,
}

/// The pixels that count as neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Neighbours {
    /// The four pixels that share a side (tonic).
    #[default]
    Four,
    /// The eight surrounding pixels (Delbruck).
    Eight,
}

impl Filter {
    /// Checks every option.
    ///
    /// # Errors
    /// [`EventError::Option`] for the first invalid one.
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

    /// Checks that the areas and pixels to remove are on a sensor of this size.
    ///
    /// # Errors
    /// [`EventError::BeyondSensor`] for the first area or pixel that is not.
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

    /// The events that are kept, in their original order.
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
    // A border of pixels that never fire avoids checking whether a neighbour is on the sensor.
    let stride = width + 2;
    let mut last: Vec<Option<i64>> = vec![None; (stride * (height + 2)) as usize];
    if warm_start {
        // As in tonic, only as far as there are events.
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
