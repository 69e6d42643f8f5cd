//! Representations compared with plain scalar references.

use ndarray::Array4;
use proptest::prelude::*;
use tks_events::frames::FramesMut;
use tks_events::represent::{
    Decay, FrameValue, Polarity, Representation, VoxelTime, bina_rep, sparse_frames,
};
use tks_events::slicing::Slicing;
use tks_events::{EventError, EventStream, Events, SensorSize};

const SENSOR: SensorSize = SensorSize { width: 9, height: 6 };

prop_compose! {
    fn recordings()(
        rows in prop::collection::vec((0i64..50, 0u16..9, 0u16..6, 0u8..2), 0..300),
    ) -> EventStream {
        let mut t = 1000;
        let times = rows.iter().map(|row| { t += row.0; t }).collect();
        let (x, y) = (rows.iter().map(|row| row.1).collect(), rows.iter().map(|row| row.2).collect());
        EventStream::new(SENSOR, times, x, y, rows.iter().map(|row| row.3).collect()).expect("on the sensor")
    }
}

/// Counts, added one event at a time.
fn plain_counts(events: &Events, slicing: &Slicing) -> Array4<f32> {
    let slices = slicing.slices(events).unwrap();
    let mut frames = Array4::zeros((slices.len(), 2, 6, 9));
    for (t, slice) in slices.iter().enumerate() {
        for i in slice.events.clone() {
            frames[[t, events.p[i] as usize, events.y[i] as usize, events.x[i] as usize]] += 1.0;
        }
    }
    frames
}

fn close(a: &Array4<f32>, b: &Array4<f32>) -> bool {
    a.dim() == b.dim() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_are_counts(stream in recordings(), bins in 1usize..12) {
        let (events, slicing) = (stream.events(), Slicing::time_bins(bins));
        let plain = plain_counts(&events, &slicing);
        let frames = |value, polarity| {
            Representation::Frames { value, polarity }.to_array(&events, &slicing).unwrap()
        };
        prop_assert_eq!(&frames(FrameValue::Count, Polarity::Split), &plain);
        prop_assert_eq!(frames(FrameValue::Binary, Polarity::Split), plain.mapv(|v| v.min(1.0)));
        let (dark, bright) = (plain.slice(ndarray::s![.., 0..1, .., ..]), plain.slice(ndarray::s![.., 1..2, .., ..]));
        prop_assert_eq!(frames(FrameValue::Count, Polarity::Merged), &dark + &bright);
        prop_assert_eq!(frames(FrameValue::Count, Polarity::Signed), &bright - &dark);
        let sparse = sparse_frames(&events, &slicing).unwrap();
        prop_assert_eq!(sparse.to_dense(), plain.clone());
        prop_assert_eq!(sparse.values.len(), plain.iter().filter(|&&v| v > 0.0).count());
    }

    /// The weights of each event sum to 1, with its own polarity.
    #[test]
    fn voxels_hold_every_event(stream in recordings(), bins in 1usize..12) {
        let (events, slicing) = (stream.events(), Slicing::time_bins(bins));
        let split = Representation::VoxelGrid { polarity: Polarity::Split, grid: VoxelTime::Zhu };
        let grid = split.to_array(&events, &slicing).unwrap();
        for p in 0..2u8 {
            let count = events.p.iter().filter(|&&q| q == p).count();
            let sum: f32 = grid.index_axis(ndarray::Axis(1), p.into()).sum();
            prop_assert!((sum - count as f32).abs() < 1e-3, "{} and not {}", sum, count);
        }
        let signed = Representation::VoxelGrid { polarity: Polarity::Signed, grid: VoxelTime::Zhu };
        let (dark, bright) = (grid.slice(ndarray::s![.., 0..1, .., ..]), grid.slice(ndarray::s![.., 1..2, .., ..]));
        prop_assert!(close(&signed.to_array(&events, &slicing).unwrap(), &(&bright - &dark)));
        // The formula of the paper, bin by bin.
        let (first, last) = (events.t.first().copied().unwrap_or(0), events.t.last().copied().unwrap_or(0));
        let mut plain = Array4::zeros((bins, 2, 6, 9));
        for i in 0..events.len() {
            let place = (bins - 1) as f64 * (events.t[i] - first) as f64 / ((last - first) as f64).max(1.0);
            for b in 0..bins {
                plain[[b, events.p[i] as usize, events.y[i] as usize, events.x[i] as usize]] +=
                    (1.0 - (b as f64 - place).abs()).max(0.0) as f32;
            }
        }
        prop_assert!(close(&grid, &plain));
    }

    #[test]
    fn time_surfaces_fade(stream in recordings(), bins in 1usize..8, tau_us in 10.0f64..5000.0) {
        let (events, slicing) = (stream.events(), Slicing::time_bins(bins));
        let slices = slicing.slices(&events).unwrap();
        for (decay, left) in [
            (Decay::Exponential, (|age: f64| (-age).exp()) as fn(f64) -> f64),
            (Decay::Linear, |age| (1.0 - age / 3.0).max(0.0)),
        ] {
            let surface = Representation::TimeSurface { tau_us, decay }.to_array(&events, &slicing).unwrap();
            for ((t, p, y, x), &value) in surface.indexed_iter() {
                let last = (0..slices[t].events.end).rfind(|&i| {
                    (events.p[i] as usize, events.y[i] as usize, events.x[i] as usize) == (p, y, x)
                });
                let expected = last.map_or(0.0, |i| left((slices[t].end_us - events.t[i]) as f64 / tau_us));
                prop_assert!((f64::from(value) - expected).abs() < 1e-6);
            }
        }
    }

    /// The histogram's definition, as a sum over all pairs of events.
    #[test]
    fn averaged_surfaces_are_means_over_a_cell(stream in recordings(), window_us in 0i64..2000) {
        let (events, tau_us, cell, surface) = (stream.events(), 700.0, 4usize, 3usize);
        let hats = Representation::AveragedTimeSurface { cell, surface, window_us, tau_us, decay: Decay::Exponential };
        let actual = hats.to_array(&events, &Slicing::time_bins(1)).unwrap();
        prop_assert_eq!(actual.dim(), (1, 2, 2 * surface, 3 * surface));
        let mut sum = Array4::<f32>::zeros(actual.dim());
        let mut counts = std::collections::HashMap::new();
        let at = |i: usize| (events.p[i] as usize, events.y[i] as usize / cell, events.x[i] as usize / cell);
        for i in 0..events.len() {
            *counts.entry(at(i)).or_insert(0) += 1;
            for j in 0..=i {
                let (dx, dy) = (events.x[j] as i64 - events.x[i] as i64, events.y[j] as i64 - events.y[i] as i64);
                let age = events.t[i] - events.t[j];
                if at(i) != at(j) || dx.abs() > 1 || dy.abs() > 1 || (age > window_us && i != j) {
                    continue;
                }
                let (p, cy, cx) = at(i);
                sum[[0, p, (cy * surface) + (dy + 1) as usize, cx * surface + (dx + 1) as usize]] +=
                    (-age as f64 / tau_us).exp() as f32;
            }
        }
        for ((_, p, y, x), value) in sum.indexed_iter_mut() {
            *value /= counts.get(&(p, y / surface, x / surface)).copied().unwrap_or(1) as f32;
        }
        prop_assert!(close(&actual, &sum));
    }

    /// The digits of Bina-Rep are the binary frames of the slice's parts.
    #[test]
    fn bina_rep_writes_binary_frames_as_digits(stream in recordings(), bits in 2usize..10) {
        let events = stream.events();
        let parts = Representation::default().to_array(&events, &Slicing::time_bins(bits)).unwrap();
        let coded = Representation::BinaRep { bits: bits as u32 }.to_array(&events, &Slicing::time_bins(1)).unwrap();
        prop_assert!(close(&coded, &bina_rep(parts.view(), bits).unwrap()));
    }
}

#[test]
fn a_full_byte_is_reported() {
    let n = 300;
    let stream = EventStream::new(SENSOR, vec![0; n], vec![3; n], vec![2; n], vec![1; n]).unwrap();
    let slices = Slicing::time_bins(1).slices(&stream.events()).unwrap();
    let frames = Representation::default();
    let shape = frames.shape(1, SENSOR);
    let mut bytes = vec![0u8; shape.iter().product()];
    let mut place = FramesMut::contiguous(&mut bytes, shape).unwrap();
    let tally = frames.write(&stream.events(), &slices, &mut place).unwrap();
    assert_eq!((tally.kept, tally.saturated), (300, 45));
    assert_eq!(place.step(0)[54 + 2 * 9 + 3], 255);
    let mut words = vec![0u16; shape.iter().product()];
    let mut place = FramesMut::contiguous(&mut words, shape).unwrap();
    assert_eq!(frames.write(&stream.events(), &slices, &mut place).unwrap().saturated, 0);
    assert_eq!(place.step(0)[54 + 2 * 9 + 3], 300);
}

#[test]
fn a_place_of_another_shape_is_refused() {
    let stream = EventStream::new(SENSOR, vec![0], vec![3], vec![2], vec![1]).unwrap();
    let slices = Slicing::time_bins(2).slices(&stream.events()).unwrap();
    let mut values = vec![0.0; 2 * 2 * 5 * 9];
    let mut place = FramesMut::contiguous(&mut values, [2, 2, 5, 9]).unwrap();
    let error = Representation::default().write(&stream.events(), &slices, &mut place).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the frames have the shape [T, C, H, W] = [2, 2, 6, 9]; the place given for them has [2, 2, 5, 9]"
    );
    assert!(matches!(
        FramesMut::contiguous(&mut values, [2, 2, 6, 9]),
        Err(EventError::StepLength { step: 1, expected: 108, found: 72 })
    ));
    let whole = Representation::BinaRep { bits: 4 };
    let mut bytes = vec![0u8; 216];
    let mut place = FramesMut::contiguous(&mut bytes, [2, 2, 6, 9]).unwrap();
    assert!(matches!(
        whole.write(&stream.events(), &slices, &mut place),
        Err(EventError::Option { option: "representation", .. })
    ));
}

#[test]
fn events_put_together_by_hand_are_checked() {
    let events = Events { sensor: SENSOR, t: &[0], x: &[8], y: &[6], p: &[1] };
    for representation in [
        Representation::default(),
        Representation::VoxelGrid { polarity: Polarity::Signed, grid: VoxelTime::Zhu },
        Representation::TimeSurface { tau_us: 10.0, decay: Decay::Exponential },
        Representation::BinaRep { bits: 2 },
    ] {
        let error = representation.to_array(&events, &Slicing::time_bins(1)).unwrap_err();
        assert!(
            matches!(error, EventError::OutsideSensor { index: 0, y: 6, .. }),
            "{representation:?}: {error}"
        );
    }
}

#[test]
fn columns_of_different_lengths_are_an_error_everywhere() {
    let events = Events { sensor: SENSOR, t: &[0, 1], x: &[8], y: &[5, 5], p: &[1, 0] };
    let is_columns =
        |error: EventError| assert!(matches!(error, EventError::Columns { x: 1, .. }), "{error}");
    is_columns(Slicing::time_bins(1).slices(&events).unwrap_err());
    is_columns(Representation::default().to_array(&events, &Slicing::time_bins(1)).unwrap_err());
    is_columns(tks_events::filter::Filter::Decimate { n: 1 }.apply(&events).unwrap_err());
    is_columns(tks_events::spatial::Spatial::Pool { factor: 1 }.apply(&events).unwrap_err());
    let mut rng = tks_data::rng::sample_rng(0, 0, 0);
    is_columns(tks_events::augment::Augment::EventDrop {}.on_events(&events, &mut rng).unwrap_err());
}

#[test]
fn options_are_read_and_checked() {
    let read = |text: &str| toml::from_str::<std::collections::BTreeMap<String, Representation>>(text);
    assert_eq!(read("r = { frames = {} }").unwrap()["r"], Representation::default());
    assert_eq!(
        read("r = { voxel_grid = {} }").unwrap()["r"],
        Representation::VoxelGrid { polarity: Polarity::Signed, grid: VoxelTime::Zhu }
    );
    assert_eq!(
        read("r = { averaged_time_surface = {} }").unwrap()["r"],
        Representation::AveragedTimeSurface {
            cell: 10,
            surface: 5,
            window_us: 100_000,
            tau_us: 100_000.0,
            decay: Decay::Exponential,
        }
    );
    assert!(read("r = { frames = { valu = \"count\" } }").is_err());
    for wrong in [
        Representation::TimeSurface { tau_us: 0.0, decay: Decay::Linear },
        Representation::BinaRep { bits: 1 },
        Representation::Frames { value: FrameValue::Binary, polarity: Polarity::Signed },
        Representation::AveragedTimeSurface {
            cell: 4,
            surface: 5,
            window_us: 1,
            tau_us: 1.0,
            decay: Decay::Linear,
        },
    ] {
        assert!(matches!(wrong.check(), Err(EventError::Option { .. })), "{wrong:?}");
    }
}
