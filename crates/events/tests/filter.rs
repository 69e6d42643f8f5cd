//! Filters and crops, on recordings small enough to check by hand and on random ones.

use proptest::prelude::*;
use tks_events::filter::{Filter, Neighbours, Since};
use tks_events::spatial::Spatial;
use tks_events::{EventError, EventStream, SensorSize};

const SENSOR: SensorSize = SensorSize { width: 8, height: 6 };

fn stream(rows: &[(i64, u16, u16, u8)]) -> EventStream {
    EventStream::new(
        SENSOR,
        rows.iter().map(|r| r.0).collect(),
        rows.iter().map(|r| r.1).collect(),
        rows.iter().map(|r| r.2).collect(),
        rows.iter().map(|r| r.3).collect(),
    )
    .expect("on the sensor")
}

fn times(filter: &Filter, stream: &EventStream) -> Vec<i64> {
    filter.apply(&stream.events()).unwrap().events().t.to_vec()
}

#[test]
fn a_refractory_pixel_is_silent() {
    let pixel =
        stream(&[(0, 1, 1, 0), (6, 1, 1, 1), (10, 2, 1, 0), (12, 1, 1, 0), (23, 1, 1, 1), (33, 1, 1, 1)]);
    let filter = |since| Filter::Refractory { period_us: 10, since };
    assert_eq!(times(&filter(Since::Event), &pixel), [0, 10, 23]);
    assert_eq!(times(&filter(Since::Kept), &pixel), [0, 10, 12, 23]);
}

#[test]
fn background_activity_has_no_neighbours() {
    let noisy =
        stream(&[(0, 1, 1, 0), (5, 2, 1, 0), (9, 3, 2, 0), (10, 7, 5, 1), (40, 2, 2, 1), (41, 0, 0, 0)]);
    let filter =
        |window_us, neighbours, warm_start| Filter::BackgroundActivity { window_us, neighbours, warm_start };
    assert_eq!(times(&filter(10, Neighbours::Four, false), &noisy), [5]);
    assert_eq!(times(&filter(10, Neighbours::Eight, false), &noisy), [5, 9]);
    // 31 us after (3, 2): less than 32, but not less than 31.
    assert_eq!(times(&filter(31, Neighbours::Four, false), &noisy), [5]);
    assert_eq!(times(&filter(32, Neighbours::Four, false), &noisy), [5, 40]);
    assert_eq!(times(&filter(10, Neighbours::Four, true), &noisy), [0, 5, 9]);
}

#[test]
fn hot_and_chosen_pixels_are_dropped() {
    let mut rows: Vec<_> = (0..100).map(|i| (i * 10_000, 2, 3, 1)).collect();
    rows.push((1_000_000, 4, 4, 0));
    let hot = stream(&rows);
    assert_eq!(times(&Filter::HotPixels { max_rate_hz: 99.0 }, &hot), [1_000_000]);
    assert_eq!(times(&Filter::HotPixels { max_rate_hz: 100.0 }, &hot).len(), 101);
    assert_eq!(times(&Filter::DropPixels { pixels: vec![[2, 3], [100, 100]] }, &hot), [1_000_000]);
}

#[test]
fn time_and_area_are_half_open() {
    let rows = stream(&[(0, 0, 0, 0), (10, 2, 2, 0), (20, 4, 2, 1), (30, 5, 5, 1)]);
    let crop = Filter::CropTime { start_us: Some(10), end_us: Some(30) };
    assert_eq!(times(&crop, &rows), [10, 20]);
    assert_eq!(times(&Filter::CropTime { start_us: None, end_us: Some(10) }, &rows), [0]);
    assert_eq!(times(&Filter::DropTime { start_us: 10, end_us: 30 }, &rows), [0, 30]);
    assert_eq!(times(&Filter::DropArea { x: 2, y: 2, width: 2, height: 2 }, &rows), [0, 20, 30]);
    assert_eq!(times(&Filter::DropArea { x: 2, y: 2, width: u16::MAX, height: 9 }, &rows), [0]);
    let pixel = stream(&[(0, 1, 1, 0), (1, 1, 1, 0), (2, 1, 1, 0), (3, 1, 1, 0), (4, 2, 2, 0)]);
    assert_eq!(times(&Filter::Decimate { n: 2 }, &pixel), [1, 3]);
}

#[test]
fn crops_move_the_origin() {
    let rows = stream(&[(0, 0, 0, 0), (1, 2, 1, 0), (2, 3, 2, 1), (3, 7, 5, 1)]);
    let places = |spatial: Spatial| {
        let cropped = spatial.apply(&rows.events()).unwrap();
        assert_eq!(cropped.sensor(), spatial.sensor(SENSOR));
        let events = cropped.events();
        (0..events.len()).map(|i| (events.t[i], events.x[i], events.y[i])).collect::<Vec<_>>()
    };
    assert_eq!(places(Spatial::Crop { x: 2, y: 1, width: 2, height: 2 }), [(1, 0, 0), (2, 1, 1)]);
    assert_eq!(places(Spatial::CenterCrop { width: 4, height: 4 }), [(1, 0, 0), (2, 1, 1)]);
    // Three more columns: one on the left side and two on the right, padded as in tonic.
    assert_eq!(places(Spatial::CenterCrop { width: 11, height: 2 }), [(2, 5, 0)]);
    assert_eq!(places(Spatial::Pool { factor: 4 }), [(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 1, 1)]);
    assert_eq!(
        places(Spatial::Downscale { width: 4, height: 2 }),
        [(0, 0, 0), (1, 1, 0), (2, 1, 0), (3, 3, 1)]
    );
    assert!(matches!(
        Spatial::Pool { factor: 0 }.apply(&rows.events()),
        Err(EventError::Option { option: "factor", .. })
    ));
}

#[test]
fn an_option_that_makes_no_sense_is_refused() {
    for filter in [
        Filter::Refractory { period_us: -1, since: Since::Event },
        Filter::HotPixels { max_rate_hz: f64::NAN },
        Filter::CropTime { start_us: Some(3), end_us: Some(3) },
        Filter::Decimate { n: 0 },
    ] {
        assert!(matches!(filter.check(), Err(EventError::Option { .. })), "{filter:?}");
    }
    for (window_us, is_right) in [(-1, false), (0, false), (1, true)] {
        let filter =
            Filter::BackgroundActivity { window_us, neighbours: Neighbours::Four, warm_start: false };
        assert_eq!(filter.check().is_ok(), is_right, "{window_us}");
    }
    let sensor = SensorSize { width: 34, height: 20 };
    for (factor, fits) in [(1, true), (34, true), (35, false), (100, false)] {
        assert_eq!(Spatial::Pool { factor }.check_sensor(sensor).is_ok(), fits, "{factor}");
    }
    let late = stream(&[(1, 0, 0, 0), (0, 0, 0, 0)]);
    let refractory = Filter::Refractory { period_us: 1, since: Since::Event };
    assert!(matches!(refractory.apply(&late.events()), Err(EventError::Unsorted { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A filter preserves events and their order; a crop or a coarser sensor loses only the events outside
    /// it.
    #[test]
    fn what_is_kept_is_unchanged(
        rows in prop::collection::vec((0i64..1000, 0u16..8, 0u16..6, 0u8..2), 0..200),
        width in 1u16..12, height in 1u16..12,
    ) {
        let mut rows = rows;
        rows.sort();
        let all = stream(&rows);
        for filter in [
            Filter::Refractory { period_us: 30, since: Since::Kept },
            Filter::BackgroundActivity { window_us: 20, neighbours: Neighbours::Eight, warm_start: false },
            Filter::HotPixels { max_rate_hz: 5000.0 },
            Filter::Decimate { n: 3 },
        ] {
            let kept = filter.apply(&all.events()).unwrap();
            let kept = kept.events();
            let mut rest = rows.iter();
            for i in 0..kept.len() {
                let event = (kept.t[i], kept.x[i], kept.y[i], kept.p[i]);
                prop_assert!(rest.any(|&row| row == event), "{:?} is new or out of order", event);
            }
        }
        for lossless in [Spatial::Pool { factor: width }, Spatial::Downscale { width, height }] {
            prop_assert_eq!(lossless.apply(&all.events()).unwrap().len(), rows.len());
        }
        let crop = Spatial::Crop { x: 2, y: 1, width, height };
        let inside = rows.iter().filter(|r| (2..2 + width).contains(&r.1) && (1..1 + height).contains(&r.2)).count();
        prop_assert_eq!(crop.apply(&all.events()).unwrap().len(), inside);
    }
}
