//! Changes to the sensor area of a recording: crops and reductions of the resolution.

use serde::{Deserialize, Serialize};

use crate::columns::Event;
use crate::error::EventError;
use crate::sensor::SensorSize;
use crate::stream::{EventStream, Events};

/// Maps events to a sensor of another size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Spatial {
    /// Keeps a rectangle.
    Crop {
        /// Its leftmost column.
        x: u16,
        /// Its top row.
        y: u16,
        /// Its width in pixels, 1 or above.
        width: u16,
        /// Its height in pixels, 1 or above.
        height: u16,
    },
    /// Keeps the centre. A side that is longer than the sensor's is padded with pixels that never fire.
    CenterCrop {
        /// Width in pixels, 1 or above.
        width: u16,
        /// Height in pixels, 1 or above.
        height: u16,
    },
    /// Merges each block of `factor` x `factor` pixels into one: `x' = floor(x / factor)`. No event is lost;
    /// the last column and row may represent fewer pixels.
    Pool {
        /// Pixels along each side of a block, 1 or above.
        factor: u16,
    },
    /// Maps the pixels to a sensor of another size: `x' = floor(x width / W)`. No event is lost.
    Downscale {
        /// Width of the new sensor in pixels, 1 or above.
        width: u16,
        /// Height of the new sensor in pixels, 1 or above.
        height: u16,
    },
}

/// Checks that a rectangle (left, top, width, height) is on a sensor.
pub(crate) fn within_sensor(
    option: &'static str,
    [x, y, width, height]: [u16; 4],
    sensor: SensorSize,
) -> Result<(), EventError> {
    let fits = |start: u16, length: u16, size: u16| u32::from(start) + u32::from(length) <= u32::from(size);
    if fits(x, width, sensor.width) && fits(y, height, sensor.height) {
        return Ok(());
    }
    let area = format!("x = {x}, y = {y}, width = {width}, height = {height}");
    Err(EventError::BeyondSensor { option, area, sensor })
}

impl Spatial {
    /// Checks every option.
    ///
    /// # Errors
    /// [`EventError::Option`] for the first invalid one.
    pub fn check(&self) -> Result<(), EventError> {
        let (option, zero) = match *self {
            Spatial::Crop { width, height, .. }
            | Spatial::CenterCrop { width, height }
            | Spatial::Downscale { width, height } => {
                (if width == 0 { "width" } else { "height" }, width == 0 || height == 0)
            }
            Spatial::Pool { factor } => ("factor", factor == 0),
        };
        if zero {
            return Err(EventError::Option { option, value: "0".into(), expected: "1 or above" });
        }
        Ok(())
    }

    /// Checks that the area to keep is on a sensor of this size.
    ///
    /// # Errors
    /// [`EventError::BeyondSensor`] for a crop that extends beyond it.
    pub fn check_sensor(&self, sensor: SensorSize) -> Result<(), EventError> {
        match *self {
            Spatial::Crop { x, y, width, height } => within_sensor("crop", [x, y, width, height], sensor),
            Spatial::Pool { factor } if factor > sensor.width.max(sensor.height) => {
                Err(EventError::BeyondSensor { option: "pool", area: format!("factor {factor}"), sensor })
            }
            _ => Ok(()),
        }
    }

    /// The size of the resulting sensor.
    pub fn sensor(&self, sensor: SensorSize) -> SensorSize {
        match *self {
            Spatial::Crop { width, height, .. }
            | Spatial::CenterCrop { width, height }
            | Spatial::Downscale { width, height } => SensorSize { width, height },
            Spatial::Pool { factor } => SensorSize {
                width: sensor.width.div_ceil(factor.max(1)),
                height: sensor.height.div_ceil(factor.max(1)),
            },
        }
    }

    /// The events on the new sensor, in their original order.
    ///
    /// # Errors
    /// [`EventError::Option`].
    pub fn apply(&self, events: &Events) -> Result<EventStream, EventError> {
        self.check()?;
        events.require_valid()?;
        let (old, new) = (events.sensor, self.sensor(events.sensor));
        match *self {
            Spatial::Crop { x, y, .. } => shift(events, new, -i32::from(x), -i32::from(y)),
            Spatial::CenterCrop { width, height } => {
                let offset = |old: u16, new: u16| -(i32::from(old) - i32::from(new)).div_euclid(2);
                shift(events, new, offset(old.width, width), offset(old.height, height))
            }
            Spatial::Pool { factor } => {
                events.map(new, |event| Some(Event { x: event.x / factor, y: event.y / factor, ..event }))
            }
            Spatial::Downscale { width, height } => {
                let scale = |v: u16, old: u16, new: u16| {
                    (u32::from(v) * u32::from(new) / u32::from(old.max(1))) as u16
                };
                events.map(new, |event| {
                    let (x, y) = (scale(event.x, old.width, width), scale(event.y, old.height, height));
                    Some(Event { x, y, ..event })
                })
            }
        }
    }
}

/// Moves events by a number of columns and rows; those that leave the sensor are dropped.
pub(crate) fn shift(
    events: &Events,
    sensor: SensorSize,
    right: i32,
    down: i32,
) -> Result<EventStream, EventError> {
    events.map(sensor, |event| {
        let x = u16::try_from(i32::from(event.x) + right).ok().filter(|&x| x < sensor.width)?;
        let y = u16::try_from(i32::from(event.y) + down).ok().filter(|&y| y < sensor.height)?;
        Some(Event { x, y, ..event })
    })
}
