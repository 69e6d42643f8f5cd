//! Recordings, filters and crops against loops that follow their descriptions word by word; options at their bounds.

use proptest::prelude::*;
use tks_events::filter::{Filter, Neighbours, Since};
use tks_events::spatial::Spatial;
use tks_events::{EventError, EventStream, SensorSize};

const SENSOR: SensorSize = SensorSize { width: 5, height: 4 };

type Row = (i64, u16, u16, u8);

fn stream(sensor: SensorSize, rows: &[Row]) -> Result<EventStream, EventError> {
    EventStream::new(
        sensor,
        rows.iter().map(|r| r.0).collect(),
        rows.iter().map(|r| r.1).collect(),
        rows.iter().map(|r| r.2).collect(),
        rows.iter().map(|r| r.3).collect(),
    )
}

fn rows(stream: &EventStream) -> Vec<Row> {
    let events = stream.events();
    (0..events.len()).map(|i| (events.t[i], events.x[i], events.y[i], events.p[i])).collect()
}

/// What a filter keeps, an event at a time, looking at all the others.
fn kept(filter: &Filter, all: &[Row]) -> Vec<Row> {
    let same = |a: &Row, b: &Row| (a.1, a.2) == (b.1, b.2);
    let mut result: Vec<Row> = Vec::new();
    for (i, event) in all.iter().enumerate() {
        let before = &all[..i];
        let keep = match filter {
            Filter::Refractory { period_us, since } => {
                let of_pixel =
                    |rows: &[Row]| rows.iter().rfind(|other| same(event, other)).map(|other| other.0);
                let last = if *since == Since::Event { of_pixel(before) } else { of_pixel(&result) };
                last.is_none_or(|last| event.0 - last > *period_us)
            }
            Filter::BackgroundActivity { window_us, neighbours, warm_start } => {
                let near = |x: i32, y: i32| {
                    let (dx, dy) = ((x - i32::from(event.1)).abs(), (y - i32::from(event.2)).abs());
                    (dx, dy) != (0, 0)
                        && match neighbours {
                            Neighbours::Four => dx + dy == 1,
                            _ => dx <= 1 && dy <= 1,
                        }
                };
                let mut pixels =
                    (0..5).flat_map(|x| (0..4).map(move |y| (x, y))).filter(|&(x, y)| near(x, y));
                let right = all.iter().map(|row| i32::from(row.1)).max().unwrap_or(0);
                let bottom = all.iter().map(|row| i32::from(row.2)).max().unwrap_or(0);
                pixels.any(|(x, y)| {
                    let fired =
                        before.iter().rfind(|o| (i32::from(o.1), i32::from(o.2)) == (x, y)).map(|o| o.0);
                    let warm = (*warm_start && x <= right && y <= bottom).then_some(0);
                    fired.or(warm).is_some_and(|t| event.0 - t < *window_us)
                })
            }
            Filter::HotPixels { max_rate_hz } => {
                let count = all.iter().filter(|other| same(event, other)).count() as f64;
                let seconds = (all[all.len() - 1].0 - all[0].0) as f64 * 1e-6;
                count <= max_rate_hz * seconds
            }
            Filter::DropPixels { pixels } => !pixels.contains(&[event.1, event.2]),
            Filter::CropTime { start_us, end_us } => {
                start_us.is_none_or(|start| event.0 >= start) && end_us.is_none_or(|end| event.0 < end)
            }
            Filter::DropTime { start_us, end_us } => event.0 < *start_us || event.0 >= *end_us,
            Filter::DropArea { x, y, width, height } => {
                event.1 < *x || event.1 >= x + width || event.2 < *y || event.2 >= y + height
            }
            Filter::Decimate { n } => {
                (before.iter().filter(|other| same(event, other)).count() + 1).is_multiple_of(*n as usize)
            }
            other => panic!("no loop here for {other:?}"),
        };
        if keep {
            result.push(*event);
        }
    }
    result
}

fn moved(spatial: Spatial, row: &Row) -> Option<Row> {
    let (x, y) = (i32::from(row.1), i32::from(row.2));
    let place = |x: i32, y: i32, width: u16, height: u16| {
        ((0..i32::from(width)).contains(&x) && (0..i32::from(height)).contains(&y))
            .then_some((row.0, x as u16, y as u16, row.3))
    };
    match spatial {
        Spatial::Crop { x: left, y: top, width, height } => {
            place(x - i32::from(left), y - i32::from(top), width, height)
        }
        Spatial::CenterCrop { width, height } => {
            // The odd pixel of what is cut off is on the left and at the top less.
            let cut = |old: i32, new: u16| f64::from(old - i32::from(new)) / 2.0;
            place(x - cut(5, width).floor() as i32, y - cut(4, height).floor() as i32, width, height)
        }
        Spatial::Pool { factor } => Some((row.0, row.1 / factor, row.2 / factor, row.3)),
        Spatial::Downscale { width, height } => {
            let scaled = |v: i32, old: i32, new: u16| (v * i32::from(new) / old) as u16;
            Some((row.0, scaled(x, 5, width), scaled(y, 4, height), row.3))
        }
        other => panic!("no rule here for {other:?}"),
    }
}

fn filters() -> impl Strategy<Value = Filter> {
    prop_oneof![
        (0i64..20, any::<bool>()).prop_map(|(period_us, kept)| Filter::Refractory {
            period_us,
            since: if kept { Since::Kept } else { Since::Event }
        }),
        (1i64..20, any::<bool>(), any::<bool>()).prop_map(|(window_us, eight, warm_start)| {
            let neighbours = if eight { Neighbours::Eight } else { Neighbours::Four };
            Filter::BackgroundActivity { window_us, neighbours, warm_start }
        }),
        (0.0f64..200_000.0).prop_map(|max_rate_hz| Filter::HotPixels { max_rate_hz }),
        prop::collection::vec((0u16..7, 0u16..7), 0..5).prop_map(|pixels| Filter::DropPixels {
            pixels: pixels.into_iter().map(|(x, y)| [x, y]).collect()
        }),
        (prop::option::of(0i64..50), prop::option::of(50i64..100))
            .prop_map(|(start_us, end_us)| Filter::CropTime { start_us, end_us }),
        (0i64..50, 50i64..100).prop_map(|(start_us, end_us)| Filter::DropTime { start_us, end_us }),
        (0u16..5, 0u16..4, 1u16..5, 1u16..5).prop_map(|(x, y, width, height)| Filter::DropArea {
            x,
            y,
            width,
            height
        }),
        (1u32..5).prop_map(|n| Filter::Decimate { n }),
    ]
}

fn areas() -> impl Strategy<Value = Spatial> {
    prop_oneof![
        (0u16..5, 0u16..4, 1u16..6, 1u16..6).prop_map(|(x, y, width, height)| Spatial::Crop {
            x,
            y,
            width,
            height
        }),
        (1u16..9, 1u16..9).prop_map(|(width, height)| Spatial::CenterCrop { width, height }),
        (1u16..7).prop_map(|factor| Spatial::Pool { factor }),
        (1u16..9, 1u16..9).prop_map(|(width, height)| Spatial::Downscale { width, height }),
    ]
}

fn recordings() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((0i64..100, 0u16..5, 0u16..4, 0u8..2), 0..60).prop_map(|mut rows| {
        rows.sort_by_key(|row| row.0);
        rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_filter_keeps_what_its_description_says(all in recordings(), filter in filters()) {
        let recording = stream(SENSOR, &all).unwrap();
        let found = filter.apply(&recording.events()).unwrap();
        prop_assert_eq!(rows(&found), kept(&filter, &all), "{:?}", filter);
        prop_assert_eq!(found.sensor(), SENSOR);
    }

    #[test]
    fn an_area_holds_what_its_description_says(all in recordings(), spatial in areas()) {
        let recording = stream(SENSOR, &all).unwrap();
        let found = spatial.apply(&recording.events()).unwrap();
        let expected: Vec<Row> = all.iter().filter_map(|row| moved(spatial, row)).collect();
        prop_assert_eq!(rows(&found), expected, "{:?}", spatial);
        prop_assert_eq!(found.sensor(), spatial.sensor(SENSOR));
    }

    #[test]
    fn sorting_counts_what_was_out_of_order(times in prop::collection::vec(-20i64..20, 0..30)) {
        let all: Vec<Row> = times.iter().enumerate().map(|(i, &t)| (t, (i % 5) as u16, (i / 5 % 4) as u16, (i % 2) as u8)).collect();
        let mut recording = stream(SENSOR, &all).unwrap();
        let first = (1..all.len()).find(|&i| all[i].0 < all[i - 1].0);
        match (recording.events().require_sorted(), first) {
            (Ok(()), None) => {}
            (Err(EventError::Unsorted { index, t, before }), Some(i)) => {
                prop_assert_eq!((index, t, before), (i, all[i].0, all[i - 1].0));
            }
            (found, first) => prop_assert!(false, "{:?} {:?}", found, first),
        }
        let disorder = (1..all.len()).filter(|&i| all[i].0 < all[i - 1].0).count();
        prop_assert_eq!(recording.sort(), disorder);
        let mut sorted = all.clone();
        sorted.sort_by_key(|row| row.0);
        prop_assert_eq!(rows(&recording), sorted.clone());
        let length = sorted.last().map_or(0, |last| last.0 - sorted[0].0);
        prop_assert_eq!(recording.duration_us(), length);
        prop_assert_eq!((recording.len(), recording.is_empty()), (all.len(), all.is_empty()));
    }
}

#[test]
fn events_that_are_not_on_the_sensor_are_named() {
    let error = |rows: &[Row]| stream(SENSOR, rows).unwrap_err();
    let right = (0, 4, 3, 1);
    assert!(stream(SENSOR, &[right]).is_ok());
    let wrong = error(&[right, (0, 5, 3, 0)]);
    assert!(
        matches!(wrong, EventError::OutsideSensor { index: 1, x: 5, y: 3, width: 5, height: 4 }),
        "{wrong}"
    );
    let wrong = error(&[right, right, (0, 0, 4, 0)]);
    assert!(matches!(wrong, EventError::OutsideSensor { index: 2, x: 0, y: 4, .. }), "{wrong}");
    let wrong = error(&[right, (0, 0, 0, 2), (0, 0, 0, 3)]);
    assert!(matches!(wrong, EventError::Polarity { index: 1, p: 2 }), "{wrong}");
    for columns in [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]] {
        let [t, x, y, p] = columns;
        let found = EventStream::new(SENSOR, vec![0; t], vec![0; x], vec![0; y], vec![0; p]);
        let told =
            matches!(found, Err(EventError::Columns { t: a, x: b, y: c, p: d }) if [a, b, c, d] == columns);
        assert!(told, "{columns:?}: {found:?}");
    }
    // Events assembled by hand are looked at when they are used.
    let whole = stream(SENSOR, &[right, right]).unwrap();
    let by_hand = |change: fn(&mut tks_events::Events<'_>)| {
        let mut events = whole.events();
        change(&mut events);
        Filter::Decimate { n: 1 }.apply(&events).map(|kept| kept.len())
    };
    assert_eq!(by_hand(|_| {}).unwrap(), 2);
    assert!(matches!(by_hand(|e| e.p = &e.p[1..]), Err(EventError::Columns { t: 2, p: 1, .. })));
    assert!(matches!(by_hand(|e| e.y = &e.y[1..]), Err(EventError::Columns { y: 1, .. })));
    assert!(matches!(by_hand(|e| e.x = &[0, 5]), Err(EventError::OutsideSensor { index: 1, x: 5, .. })));
    assert!(matches!(by_hand(|e| e.y = &[4, 0]), Err(EventError::OutsideSensor { index: 0, y: 4, .. })));
    assert!(matches!(by_hand(|e| e.p = &[0, 2]), Err(EventError::Polarity { index: 1, p: 2 })));
    let part = |range| whole.events().range(range).len();
    assert_eq!([part(0..2), part(1..9), part(2..9), part(7..9), part(1..1)], [2, 1, 0, 0, 0]);
    let told = whole.with_metadata(vec![("a".into(), "b".into())]);
    assert_eq!(told.metadata(), [("a".to_string(), "b".to_string())]);
    let none = EventStream::default();
    assert_eq!((none.len(), none.sensor()), (0, SensorSize { width: 1, height: 1 }));
}

#[test]
fn options_are_taken_up_to_their_bounds() {
    let filter = |filter: Filter, told: &str| {
        let said = match filter.check() {
            Ok(()) => String::new(),
            Err(EventError::Option { option, value, expected }) => format!("{option} = {value}: {expected}"),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(said, told, "{filter:?}");
    };
    let since = Since::default();
    filter(Filter::Refractory { period_us: 0, since }, "");
    filter(Filter::Refractory { period_us: -1, since }, "period_us = -1: 0 or above");
    filter(Filter::HotPixels { max_rate_hz: 0.0 }, "");
    filter(Filter::HotPixels { max_rate_hz: -0.5 }, "max_rate_hz = -0.5: 0 or above");
    filter(Filter::HotPixels { max_rate_hz: f64::INFINITY }, "max_rate_hz = inf: 0 or above");
    filter(Filter::CropTime { start_us: Some(3), end_us: Some(4) }, "");
    filter(Filter::CropTime { start_us: Some(3), end_us: Some(3) }, "end_us = 3: later than start_us");
    filter(Filter::CropTime { start_us: Some(3), end_us: None }, "");
    filter(Filter::DropTime { start_us: 3, end_us: 4 }, "");
    filter(Filter::DropTime { start_us: 3, end_us: 3 }, "end_us = 3: later than start_us");
    filter(Filter::DropTime { start_us: 3, end_us: 2 }, "end_us = 2: later than start_us");
    filter(Filter::Decimate { n: 1 }, "");
    filter(Filter::Decimate { n: 0 }, "n = 0: 1 or above");
    filter(Filter::DropArea { x: 0, y: 0, width: 0, height: 1 }, "width = 0: 1 or above");
    filter(Filter::DropArea { x: 0, y: 0, width: 1, height: 0 }, "height = 0: 1 or above");
    filter(Filter::DropArea { x: 0, y: 0, width: 1, height: 1 }, "");

    for (spatial, option) in [
        (Spatial::Crop { x: 0, y: 0, width: 1, height: 1 }, None),
        (Spatial::Crop { x: 0, y: 0, width: 0, height: 1 }, Some("width")),
        (Spatial::Crop { x: 0, y: 0, width: 1, height: 0 }, Some("height")),
        (Spatial::CenterCrop { width: 0, height: 1 }, Some("width")),
        (Spatial::Downscale { width: 1, height: 0 }, Some("height")),
        (Spatial::Pool { factor: 1 }, None),
        (Spatial::Pool { factor: 0 }, Some("factor")),
    ] {
        let found = match spatial.check() {
            Ok(()) => None,
            Err(EventError::Option { option, .. }) => Some(option),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(found, option, "{spatial:?}");
    }
    let crop = |x, y, width, height| Spatial::Crop { x, y, width, height }.check_sensor(SENSOR).is_ok();
    assert!(crop(0, 0, 5, 4) && crop(4, 3, 1, 1) && crop(1, 1, 4, 3));
    assert!(!crop(0, 0, 6, 4) && !crop(0, 0, 5, 5) && !crop(2, 0, 4, 1) && !crop(0, 2, 1, 3));
    assert!(!crop(u16::MAX, 0, u16::MAX, 1));
    let area = |x, y, width, height| Filter::DropArea { x, y, width, height }.check_sensor(SENSOR);
    assert!(area(0, 0, 5, 4).is_ok() && area(1, 0, 5, 4).is_err());
    let pixels = |pixels: Vec<[u16; 2]>| Filter::DropPixels { pixels }.check_sensor(SENSOR);
    assert!(pixels(vec![[0, 0], [4, 3]]).is_ok() && pixels(vec![[0, 0], [5, 3]]).is_err());
    assert!(pixels(vec![[4, 4]]).is_err());
}
