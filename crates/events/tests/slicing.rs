//! Laws of slicing: half-open intervals, and frames whose sum is the number of events kept.

use proptest::prelude::*;
use tks_events::frames::FramesMut;
use tks_events::represent::{FrameValue, Polarity, Representation};
use tks_events::slicing::{LastWindow, LeftoverEvents, Slice, Slicing, TimeEdges};
use tks_events::{EventError, EventStream, SensorSize};

const SENSOR: SensorSize = SensorSize { width: 7, height: 5 };

prop_compose! {
    /// Up to 400 events, often several at the same time, and often at the edges of a possible grid.
    fn recordings()(
        start in prop_oneof![Just(0i64), -2_000_000i64..2_000_000, Just(i64::MIN), Just(i64::MAX - 5000)],
        steps in prop::collection::vec(prop_oneof![Just(0i64), 0i64..20, Just(10i64)], 0..400),
        seed in any::<u64>(),
    ) -> EventStream {
        let mut t = start;
        let times: Vec<i64> = steps.iter().map(|&step| { t = t.saturating_add(step); t }).collect();
        let place = |i: usize, of: u64| (seed.rotate_left(i as u32).wrapping_mul(0x9e37_79b9) >> 7) % of;
        let column = |of: u64| (0..times.len()).map(|i| place(i, of) as u16).collect::<Vec<_>>();
        let polarity = (0..times.len()).map(|i| place(i, 2) as u8).collect();
        EventStream::new(SENSOR, times.clone(), column(7), column(5), polarity).expect("on the sensor")
    }
}

fn overlaps() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0..0.99]
}

/// Slicings that lose no events.
fn lossless() -> impl Strategy<Value = Slicing> {
    prop_oneof![
        (1usize..40, overlaps()).prop_map(|(bins, overlap)| Slicing::TimeBins {
            bins,
            overlap,
            edges: TimeEdges::Exact,
            start_us: None,
            end_us: None
        }),
        (1usize..40).prop_map(|bins| Slicing::TimeBins {
            bins,
            overlap: 0.0,
            edges: TimeEdges::SpikingJelly,
            start_us: None,
            end_us: None
        }),
        (1usize..40, overlaps()).prop_map(|(bins, overlap)| Slicing::EventBins {
            bins,
            overlap,
            remainder: LeftoverEvents::Spread
        }),
        (1usize..40).prop_map(|bins| Slicing::EventBins {
            bins,
            overlap: 0.0,
            remainder: LeftoverEvents::SpikingJelly
        }),
        (1i64..300, 0i64..300).prop_map(|(window_us, overlap)| Slicing::TimeWindow {
            window_us,
            overlap_us: overlap % window_us,
            tail: LastWindow::Keep,
            start_us: None,
            end_us: None
        }),
        (1i64..300).prop_map(|window_us| Slicing::TimeWindow {
            window_us,
            overlap_us: 0,
            tail: LastWindow::SpikingJelly,
            start_us: None,
            end_us: None
        }),
        (1usize..60, 0usize..60, prop_oneof![Just(LastWindow::Keep), Just(LastWindow::Tonic)])
            .prop_map(|(count, overlap, tail)| Slicing::EventCount { count, overlap: overlap % count, tail }),
    ]
}

/// Slicings that may lose events.
fn lossy() -> impl Strategy<Value = Slicing> {
    let interval = prop_oneof![
        Just((None, None)),
        (-500i64..500, 1i64..1000).prop_map(|(start, length)| (Some(start), Some(start + length))),
        (-500i64..500).prop_map(|start| (Some(start), None)),
    ];
    prop_oneof![
        (1usize..40, overlaps()).prop_map(|(bins, overlap)| Slicing::TimeBins {
            bins,
            overlap,
            edges: TimeEdges::Tonic,
            start_us: None,
            end_us: None
        }),
        (1usize..40, overlaps(), interval.clone()).prop_map(|(bins, overlap, (start_us, end_us))| {
            Slicing::TimeBins { bins, overlap, edges: TimeEdges::Exact, start_us, end_us }
        }),
        (1usize..40, overlaps()).prop_map(|(bins, overlap)| Slicing::EventBins {
            bins,
            overlap,
            remainder: LeftoverEvents::Tonic
        }),
        (
            20i64..300,
            0i64..300,
            interval,
            prop_oneof![Just(LastWindow::Keep), Just(LastWindow::Drop), Just(LastWindow::Tonic)]
        )
            .prop_map(|(window_us, overlap, (start_us, end_us), tail)| Slicing::TimeWindow {
                window_us,
                overlap_us: overlap % window_us,
                tail,
                start_us,
                end_us
            }),
        (1usize..60, 0usize..60).prop_map(|(count, overlap)| Slicing::EventCount {
            count,
            overlap: overlap % count,
            tail: LastWindow::Drop
        }),
    ]
}

fn slices(stream: &EventStream, slicing: Slicing) -> Vec<Slice> {
    match slicing.slices(&stream.events()) {
        Ok(slices) => slices,
        // If the start is far from the recording, an error is correct.
        Err(EventError::TooManySlices { .. }) => Vec::new(),
        Err(error) => panic!("{slicing:?}: {error}"),
    }
}

/// The frames' sum, and the corresponding tally.
fn check_sums(stream: &EventStream, slices: &[Slice]) -> Result<usize, TestCaseError> {
    let events = stream.events();
    let kept: usize = slices.iter().map(|slice| slice.events.len()).sum();
    for polarity in [Polarity::Split, Polarity::Merged] {
        let frames = Representation::Frames { value: FrameValue::Count, polarity };
        let shape = frames.shape(slices.len(), SENSOR);
        // The previous contents must not matter.
        let mut values = vec![7.0f32; shape.iter().product()];
        let tally =
            frames.write(&events, slices, &mut FramesMut::contiguous(&mut values, shape).unwrap()).unwrap();
        prop_assert_eq!(values.iter().map(|&v| v as usize).sum::<usize>(), kept);
        prop_assert_eq!(tally.kept, kept);
        let in_none = (0..events.len()).filter(|i| !slices.iter().any(|s| s.events.contains(i))).count();
        prop_assert_eq!(tally.left_out, in_none);
        let mut bytes = vec![7u8; shape.iter().product()];
        let tally =
            frames.write(&events, slices, &mut FramesMut::contiguous(&mut bytes, shape).unwrap()).unwrap();
        prop_assert_eq!(bytes.iter().map(|&v| usize::from(v)).sum::<usize>() + tally.saturated, kept);
    }
    Ok(kept)
}

fn by_time(slicing: Slicing) -> bool {
    matches!(slicing, Slicing::TimeBins { .. } | Slicing::TimeWindow { .. })
}

/// A slice contains an event if and only if its time is in the slice's half-open interval.
fn check_intervals(stream: &EventStream, slicing: Slicing, slices: &[Slice]) -> Result<(), TestCaseError> {
    let events = stream.events();
    for (k, slice) in slices.iter().enumerate() {
        // There is no time after the largest one: the end of that slice may be too early.
        let end_is_open = slice.end_us < i64::MAX;
        for i in slice.events.clone() {
            prop_assert!(events.t[i] >= slice.start_us && (events.t[i] < slice.end_us || !end_is_open));
        }
        if by_time(slicing) && end_is_open {
            let inside = events.t.iter().filter(|&&t| t >= slice.start_us && t < slice.end_us).count();
            prop_assert_eq!(inside, slice.events.len(), "slice {}", k);
        }
        if k > 0 {
            prop_assert!(slices[k - 1].start_us <= slice.start_us);
            prop_assert!(slices[k - 1].events.start <= slice.events.start);
        }
    }
    Ok(())
}

/// The floating-point edges of the peers are exact only for times of up to 53 bits.
fn near_zero(stream: &EventStream) -> bool {
    stream.events().t.iter().all(|t| t.unsigned_abs() < 1 << 50)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_event_is_lost(stream in recordings(), slicing in lossless()) {
        let exact = !matches!(slicing, Slicing::TimeBins { edges: TimeEdges::SpikingJelly, .. });
        prop_assume!(exact || near_zero(&stream));
        let slices = slices(&stream, slicing);
        for i in 0..stream.len() {
            prop_assert!(slices.iter().any(|slice| slice.events.contains(&i)), "event {} is lost", i);
        }
        let kept = check_sums(&stream, &slices)?;
        check_intervals(&stream, slicing, &slices)?;
        let overlap = match slicing {
            Slicing::TimeBins { overlap, .. } | Slicing::EventBins { overlap, .. } => overlap > 0.0,
            Slicing::TimeWindow { overlap_us, .. } => overlap_us > 0,
            Slicing::EventCount { overlap, .. } => overlap > 0,
            other => panic!("{other:?} is not known here"),
        };
        prop_assert!(overlap || kept == stream.len(), "{} of {} events", kept, stream.len());
    }

    #[test]
    fn what_is_left_out_is_counted(stream in recordings(), slicing in lossy()) {
        prop_assume!(near_zero(&stream));
        let slices = slices(&stream, slicing);
        check_sums(&stream, &slices)?;
        // The peers' overlapping bins have edges between whole us.
        if !matches!(slicing, Slicing::TimeBins { overlap, edges: TimeEdges::Tonic, .. } if overlap > 0.0) {
            check_intervals(&stream, slicing, &slices)?;
        }
    }

    #[test]
    fn equal_time_bins_are_those_of_the_division(stream in recordings(), bins in 1usize..40) {
        let slices = slices(&stream, Slicing::time_bins(bins));
        prop_assert_eq!(slices.len(), bins);
        let times = stream.events().t.to_vec();
        let Some((&first, &last)) = times.first().zip(times.last()) else { return Ok(()) };
        let duration = i128::from(last) - i128::from(first) + 1;
        for (i, &t) in times.iter().enumerate() {
            let bin = (i128::from(t) - i128::from(first)) * bins as i128 / duration;
            prop_assert!(slices[bin as usize].events.contains(&i), "event {} at {}", i, t);
        }
        if last < i64::MAX {
            let lengths = slices.iter().map(Slice::duration_us);
            prop_assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1);
            prop_assert_eq!(slices[0].start_us, first);
            prop_assert_eq!(slices[bins - 1].end_us, last + 1);
            prop_assert!(slices.windows(2).all(|pair| pair[0].end_us == pair[1].start_us));
        }
    }

    #[test]
    fn equal_event_bins_differ_by_one_event(stream in recordings(), bins in 1usize..40) {
        let slices = slices(&stream, Slicing::event_bins(bins));
        let lengths = slices.iter().map(|slice| slice.events.len());
        prop_assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1);
    }

    #[test]
    fn windows_are_those_of_the_division(stream in recordings(), window in 1i64..300) {
        let slices = slices(&stream, Slicing::time_window(window));
        let times = stream.events().t.to_vec();
        let Some(&first) = times.first() else { return Ok(()) };
        for (i, &t) in times.iter().enumerate() {
            let slice = (i128::from(t) - i128::from(first)) / i128::from(window);
            prop_assert!(slices[slice as usize].events.contains(&i), "event {} at {}", i, t);
        }
    }
}

fn at(times: &[i64]) -> EventStream {
    let n = times.len();
    EventStream::new(SENSOR, times.to_vec(), vec![0; n], vec![0; n], vec![0; n]).expect("on the sensor")
}

fn lengths(stream: &EventStream, slicing: Slicing) -> Vec<usize> {
    slices(stream, slicing).iter().map(|slice| slice.events.len()).collect()
}

#[test]
fn an_event_on_an_edge_belongs_to_the_later_slice() {
    // 0 ..= 9 is 10 us long: two bins of 5 us, so 5 is the first time of the second.
    let stream = at(&[0, 4, 5, 9]);
    assert_eq!(lengths(&stream, Slicing::time_bins(2)), [2, 2]);
    assert_eq!(lengths(&at(&[0, 5, 5, 9]), Slicing::time_bins(2)), [1, 3]);
    assert_eq!(lengths(&at(&[100, 109, 110, 120]), Slicing::time_window(10)), [2, 1, 1]);
}

#[test]
fn the_peers_lose_what_they_are_known_to_lose() {
    // (10 - 0) / 3 = 3 us per bin: tonic's last bin ends at 9.
    let stream = at(&[0, 1, 3, 5, 6, 8, 9, 10]);
    let bins = |edges| Slicing::TimeBins { bins: 3, overlap: 0.0, edges, start_us: None, end_us: None };
    assert_eq!(lengths(&stream, bins(TimeEdges::Tonic)), [2, 2, 2]);
    assert_eq!(lengths(&stream, bins(TimeEdges::SpikingJelly)), [2, 2, 4]);
    assert_eq!(lengths(&stream, bins(TimeEdges::Exact)), [3, 2, 3]);
    let events = |remainder| Slicing::EventBins { bins: 3, overlap: 0.0, remainder };
    assert_eq!(lengths(&stream, events(LeftoverEvents::Tonic)), [2, 2, 2]);
    assert_eq!(lengths(&stream, events(LeftoverEvents::SpikingJelly)), [2, 2, 4]);
    assert_eq!(lengths(&stream, events(LeftoverEvents::Spread)), [2, 3, 3]);
    let window =
        |tail| Slicing::TimeWindow { window_us: 5, overlap_us: 0, tail, start_us: None, end_us: None };
    assert_eq!(lengths(&stream, window(LastWindow::Keep)), [3, 4, 1]);
    assert_eq!(lengths(&stream, window(LastWindow::Drop)), [3, 4]);
    assert_eq!(lengths(&stream, window(LastWindow::Tonic)), [3, 4]);
    assert_eq!(lengths(&stream, window(LastWindow::SpikingJelly)), [3, 5]);
}

#[test]
fn overlap_reaches_into_the_slice_after_it() {
    let stream = at(&(0..100).collect::<Vec<_>>());
    let bins =
        Slicing::TimeBins { bins: 4, overlap: 0.4, edges: TimeEdges::Exact, start_us: None, end_us: None };
    assert_eq!(lengths(&stream, bins), [35, 35, 35, 25]);
    let events = Slicing::EventBins { bins: 4, overlap: 0.4, remainder: LeftoverEvents::Spread };
    assert_eq!(lengths(&stream, events), [35, 35, 35, 25]);
    let window = Slicing::TimeWindow {
        window_us: 40,
        overlap_us: 10,
        tail: LastWindow::Keep,
        start_us: None,
        end_us: None,
    };
    assert_eq!(lengths(&stream, window), [40, 40, 40]);
    let count = Slicing::EventCount { count: 30, overlap: 10, tail: LastWindow::Keep };
    assert_eq!(lengths(&stream, count), [30, 30, 30, 30, 20]);
}

#[test]
fn a_grid_may_start_and_end_elsewhere() {
    let stream = at(&[0, 10, 20, 30]);
    let bins = Slicing::TimeBins {
        bins: 2,
        overlap: 0.0,
        edges: TimeEdges::Exact,
        start_us: Some(10),
        end_us: Some(50),
    };
    assert_eq!(lengths(&stream, bins), [2, 1]);
    assert_eq!(lengths(&at(&[]), bins), [0, 0]);
    assert_eq!(lengths(&at(&[]), Slicing::time_window(10)), [0]);
    assert_eq!(lengths(&at(&[]), Slicing::event_count(10)), [0]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let events = at(&[0, 10]);
    for (slicing, option) in [
        (Slicing::time_bins(0), "bins"),
        (Slicing::event_bins(usize::MAX), "bins"),
        (Slicing::time_window(0), "window_us"),
        (Slicing::event_count(0), "count"),
        (Slicing::EventCount { count: 3, overlap: 3, tail: LastWindow::Keep }, "overlap"),
        (Slicing::EventBins { bins: 3, overlap: f64::NAN, remainder: LeftoverEvents::Spread }, "overlap"),
    ] {
        match slicing.slices(&events.events()) {
            Err(EventError::Option { option: found, .. }) => assert_eq!(found, option),
            other => panic!("{slicing:?}: {other:?}"),
        }
    }
    let long = at(&[i64::MIN, i64::MAX]);
    assert!(matches!(Slicing::time_window(1).slices(&long.events()), Err(EventError::TooManySlices { .. })));
    let unsorted = at(&[5, 4]);
    assert!(matches!(
        Slicing::time_bins(2).slices(&unsorted.events()),
        Err(EventError::Unsorted { index: 1, t: 4, before: 5 })
    ));
    let far_apart = at(&[i64::MAX, i64::MIN]);
    assert!(matches!(far_apart.events().require_sorted(), Err(EventError::Unsorted { index: 1, .. })));
    assert!(at(&[i64::MIN, i64::MAX]).events().require_sorted().is_ok());
}

#[test]
fn a_typo_in_a_configuration_is_an_error() {
    let read = |text: &str| toml::from_str::<std::collections::BTreeMap<String, Slicing>>(text);
    assert_eq!(read("s = { time_bins = { bins = 4 } }").unwrap()["s"], Slicing::time_bins(4));
    assert!(read("s = { time_bins = { bins = 4, overlapp = 0.1 } }").is_err());
    assert!(read("s = { time_bin = { bins = 4 } }").is_err());
    assert!(read("s = { time_bins = { bins = 4, edges = \"exactly\" } }").is_err());
}
