//! Changes of positions after their random draw: the same for events and frames.

use std::ops::Range;

use super::step::Interpolation;
use crate::columns::Event;
use crate::error::EventError;
use crate::frames::{Count, FramesMut};
use crate::spatial;
use crate::stream::{EventStream, Events};

/// A change of positions.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Geometry {
    FlipX,
    FlipY,
    Roll {
        right: i32,
        down: i32,
    },
    Translate {
        right: i32,
        down: i32,
    },
    /// Around the centre: the value at `d` comes from `source d` (rows of x and y).
    Affine {
        source: [[f64; 2]; 2],
        interpolation: Interpolation,
    },
    /// Erases these columns and rows.
    Cut {
        x: Range<usize>,
        y: Range<usize>,
    },
}

impl Geometry {
    /// A counterclockwise rotation.
    pub(super) fn rotate(degrees: f64, interpolation: Interpolation) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        Geometry::Affine { source: [[cos, -sin], [sin, cos]], interpolation }
    }

    pub(super) fn shear_x(degrees: f64, interpolation: Interpolation) -> Self {
        Geometry::Affine { source: [[1.0, degrees.to_radians().tan()], [0.0, 1.0]], interpolation }
    }

    pub(super) fn shear_y(degrees: f64, interpolation: Interpolation) -> Self {
        Geometry::Affine { source: [[1.0, 0.0], [degrees.to_radians().tan(), 1.0]], interpolation }
    }

    pub(super) fn on_events(&self, events: &Events) -> Result<EventStream, EventError> {
        let sensor = events.sensor;
        let (width, height) = (i32::from(sensor.width), i32::from(sensor.height));
        match self {
            Geometry::FlipX => {
                events.map(sensor, |event| Some(Event { x: sensor.width - 1 - event.x, ..event }))
            }
            Geometry::FlipY => {
                events.map(sensor, |event| Some(Event { y: sensor.height - 1 - event.y, ..event }))
            }
            Geometry::Roll { right, down } => events.map(sensor, |event| {
                let x = (i32::from(event.x) + right).rem_euclid(width) as u16;
                let y = (i32::from(event.y) + down).rem_euclid(height) as u16;
                Some(Event { x, y, ..event })
            }),
            Geometry::Translate { right, down } => spatial::shift(events, sensor, *right, *down),
            Geometry::Affine { source: [[a, b], [c, d]], .. } => {
                // Events move in the opposite direction: from their source to their destination.
                let determinant = a * d - b * c;
                let (middle_x, middle_y) = (f64::from(width - 1) / 2.0, f64::from(height - 1) / 2.0);
                events.map(sensor, |event| {
                    let (x, y) = (f64::from(event.x) - middle_x, f64::from(event.y) - middle_y);
                    let seen_x = (d * x - b * y) / determinant + middle_x;
                    let seen_y = (a * y - c * x) / determinant + middle_y;
                    let (x, y) = (on_sensor(seen_x, sensor.width)?, on_sensor(seen_y, sensor.height)?);
                    Some(Event { x, y, ..event })
                })
            }
            Geometry::Cut { x, y } => events
                .select(|event| !x.contains(&usize::from(event.x)) || !y.contains(&usize::from(event.y))),
        }
    }

    pub(super) fn on_frames<E: Count>(&self, frames: &mut FramesMut<E>) {
        let [_, _, height, width] = frames.shape();
        if height == 0 || width == 0 {
            return;
        }
        match self {
            Geometry::FlipX => {
                for plane in frames.planes_mut() {
                    plane.chunks_exact_mut(width).for_each(<[E]>::reverse);
                }
            }
            Geometry::FlipY => {
                for plane in frames.planes_mut() {
                    for row in 0..height / 2 {
                        let (top, bottom) = plane.split_at_mut((height - 1 - row) * width);
                        top[row * width..][..width].swap_with_slice(&mut bottom[..width]);
                    }
                }
            }
            Geometry::Roll { right, down } => {
                let right = right.rem_euclid(width as i32) as usize;
                let down = down.rem_euclid(height as i32) as usize;
                for plane in frames.planes_mut() {
                    plane.rotate_right(down * width);
                    plane.chunks_exact_mut(width).for_each(|row| row.rotate_right(right));
                }
            }
            Geometry::Translate { right, down } => {
                let source = |to: usize, by: i32, most: usize| {
                    usize::try_from(to as i64 - i64::from(by)).ok().filter(|&from| from < most)
                };
                gather(frames, |x, y| Some((source(x, *right, width)?, source(y, *down, height)?)));
            }
            Geometry::Affine { source, interpolation: Interpolation::Nearest } => {
                gather(frames, |x, y| {
                    let (x, y) = place(source, x, y, width, height);
                    let pixel = |v: f64, most: usize| {
                        let nearest = v.round_ties_even();
                        (nearest >= 0.0 && nearest < most as f64).then_some(nearest as usize)
                    };
                    Some((pixel(x, width)?, pixel(y, height)?))
                });
            }
            Geometry::Affine { source, interpolation: Interpolation::Bilinear } => {
                interpolate(frames, |x, y| place(source, x, y, width, height));
            }
            Geometry::Cut { x, y } => {
                for plane in frames.planes_mut() {
                    for row in y.clone() {
                        plane[row * width..][x.clone()].fill(E::ZERO);
                    }
                }
            }
        }
    }
}

fn on_sensor(place: f64, most: u16) -> Option<u16> {
    let nearest = place.round();
    (nearest >= 0.0 && nearest < f64::from(most)).then_some(nearest as u16)
}

/// The source position of a pixel's value.
fn place(source: &[[f64; 2]; 2], x: usize, y: usize, width: usize, height: usize) -> (f64, f64) {
    let (middle_x, middle_y) = ((width - 1) as f64 / 2.0, (height - 1) as f64 / 2.0);
    let (x, y) = (x as f64 - middle_x, y as f64 - middle_y);
    (source[0][0] * x + source[0][1] * y + middle_x, source[1][0] * x + source[1][1] * y + middle_y)
}

/// Replaces each pixel by another one, or by zero.
fn gather<E: Count>(frames: &mut FramesMut<E>, from: impl Fn(usize, usize) -> Option<(usize, usize)>) {
    let [_, _, height, width] = frames.shape();
    // The mapping is the same for every plane, so it is computed once.
    let sources: Vec<Option<usize>> =
        (0..height * width).map(|i| from(i % width, i / width).map(|(x, y)| y * width + x)).collect();
    let mut old = vec![E::ZERO; height * width];
    for plane in frames.planes_mut() {
        old.copy_from_slice(plane);
        for (value, source) in plane.iter_mut().zip(&sources) {
            *value = source.map_or(E::ZERO, |source| old[source]);
        }
    }
}

/// Replaces each pixel by the interpolation of four others, with zeros beyond the border.
fn interpolate<E: Count>(frames: &mut FramesMut<E>, from: impl Fn(usize, usize) -> (f64, f64)) {
    let [_, _, height, width] = frames.shape();
    let mut taps: Vec<(usize, f32)> = Vec::with_capacity(4 * height * width);
    for i in 0..height * width {
        let (x, y) = from(i % width, i / width);
        for (column, row) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let (nx, ny) = (x.floor() + f64::from(column), y.floor() + f64::from(row));
            let inside = nx >= 0.0 && nx < width as f64 && ny >= 0.0 && ny < height as f64;
            let weight = (1.0 - (x - nx).abs()) * (1.0 - (y - ny).abs());
            taps.push(if inside { (ny as usize * width + nx as usize, weight as f32) } else { (0, 0.0) });
        }
    }
    let mut old = vec![E::ZERO; height * width];
    for plane in frames.planes_mut() {
        old.copy_from_slice(plane);
        for (value, taps) in plane.iter_mut().zip(taps.chunks_exact(4)) {
            *value = E::from_f32(taps.iter().map(|&(source, weight)| weight * old[source].to_f32()).sum());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::SensorSize;

    #[test]
    fn golden_frames_turn_as_those_of_torchvision() {
        let cases = tks_golden::cases_of_kind("affine").expect("golden cases");
        assert!(!cases.is_empty());
        for case in cases {
            let file = &case.file;
            let degrees = case.number("degrees").expect(file).expect("degrees");
            let interpolation = match case.text("interpolation").as_deref() {
                Some("nearest") => Interpolation::Nearest,
                Some("bilinear") => Interpolation::Bilinear,
                other => panic!("{file}: unknown interpolation {other:?}"),
            };
            let geometry = match case.text("transform").as_deref() {
                Some("rotate") => Geometry::rotate(degrees, interpolation),
                Some("shear_x") => Geometry::shear_x(degrees, interpolation),
                Some("shear_y") => Geometry::shear_y(degrees, interpolation),
                other => panic!("{file}: unknown transform {other:?}"),
            };
            let mut frames = case.tensor("x").expect(file).into_dimensionality().expect("[T, C, H, W]");
            geometry.on_frames(&mut FramesMut::of_array(&mut frames).expect(file));
            let expected = case.tensor("out").expect(file);
            // torch computes positions in single precision.
            let far = frames.iter().zip(&expected).filter(|(a, e)| (**a - **e).abs() > 1e-4).count();
            assert_eq!(far, 0, "{file}: {far} of {} values differ", expected.len());
        }
    }

    #[test]
    fn events_turn_as_frames_do() {
        let sensor = SensorSize { width: 31, height: 31 };
        let middle = |x: u16, y: u16| (f64::from(x) - 15.0, f64::from(y) - 15.0);
        let all: Vec<(u16, u16)> = (0..31).flat_map(|y| (0..31).map(move |x| (x, y))).collect();
        let stream = EventStream::new(
            sensor,
            vec![0; all.len()],
            all.iter().map(|p| p.0).collect(),
            all.iter().map(|p| p.1).collect(),
            vec![1; all.len()],
        )
        .expect("on the sensor");
        for geometry in [
            Geometry::rotate(33.0, Interpolation::Nearest),
            Geometry::shear_x(20.0, Interpolation::Nearest),
            Geometry::shear_y(-20.0, Interpolation::Nearest),
        ] {
            let Geometry::Affine { source, .. } = &geometry else { unreachable!() };
            // The source of an event's new position is its old position (up to rounding to pixels).
            for &(x, y) in &all {
                let one =
                    EventStream::new(sensor, vec![0], vec![x], vec![y], vec![1]).expect("on the sensor");
                let turned = geometry.on_events(&one.events()).expect("no options");
                let Some((&new_x, &new_y)) = turned.events().x.first().zip(turned.events().y.first()) else {
                    let (from_middle_x, from_middle_y) = middle(x, y);
                    assert!(from_middle_x.hypot(from_middle_y) > 10.0, "{x}, {y} is lost");
                    continue;
                };
                let (back_x, back_y) = place(source, new_x.into(), new_y.into(), 31, 31);
                let distance = (back_x - f64::from(x)).hypot(back_y - f64::from(y));
                assert!(distance < 0.95, "{geometry:?}: {x}, {y} is seen {distance} pixels away");
            }
            assert!(geometry.on_events(&stream.events()).expect("no options").len() > all.len() / 2);
        }
    }
}
