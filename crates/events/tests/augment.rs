//! Random changes: what they preserve, how much they change, and reproducibility with a seed.

use proptest::prelude::*;
use tks_data::rng::{SampleRng, sample_rng};
use tks_events::augment::{Augment, Interpolation};
use tks_events::frames::FramesMut;
use tks_events::represent::Representation;
use tks_events::slicing::Slicing;
use tks_events::{EventError, EventStream, SensorSize};

const SENSOR: SensorSize = SensorSize { width: 13, height: 10 };

prop_compose! {
    fn recordings()(
        rows in prop::collection::vec((0i64..50, 0u16..13, 0u16..10, 0u8..2), 1..300),
    ) -> EventStream {
        let mut t = 1000;
        let times = rows.iter().map(|row| { t += row.0; t }).collect();
        let (x, y) = (rows.iter().map(|row| row.1).collect(), rows.iter().map(|row| row.2).collect());
        EventStream::new(SENSOR, times, x, y, rows.iter().map(|row| row.3).collect()).expect("on the sensor")
    }
}

/// One of every variant, certain to change something where there is a probability.
fn every() -> Vec<Augment> {
    let interpolation = Interpolation::Nearest;
    vec![
        Augment::FlipHorizontal { probability: 1.0 },
        Augment::FlipVertical { probability: 1.0 },
        Augment::FlipPolarity { probability: 1.0 },
        Augment::ReverseTime { probability: 1.0, flip_polarity: true },
        Augment::Roll { pixels: 3 },
        Augment::Translate { pixels: 3 },
        Augment::Rotate { degrees: 30.0, interpolation },
        Augment::ShearX { degrees: 30.0, interpolation },
        Augment::ShearY { degrees: 30.0, interpolation: Interpolation::Bilinear },
        Augment::Cutout { length: 5 },
        Augment::Nda { count: 2, flip: 0.5, roll: 5, rotate: 30.0, shear: 30.0, cutout: 4 },
        Augment::DropEvent { ratio: [0.1, 0.5] },
        Augment::DropByTime { ratio: [0.1, 0.5] },
        Augment::DropByArea { ratio: [0.1, 0.5] },
        Augment::EventDrop {},
        Augment::TimeJitter { std_us: 30.0 },
        Augment::SpatialJitter { std_x: 1.0, std_y: 2.0, correlation: 0.5 },
        Augment::TimeSkew { coefficient: [0.5, 2.0], offset_us: [-50.0, 50.0] },
        Augment::UniformNoise { events: [3, 9] },
    ]
}

fn rng(seed: u64) -> SampleRng {
    sample_rng(seed, 0, 0)
}

fn rows(stream: &EventStream) -> Vec<(i64, u16, u16, u8)> {
    let events = stream.events();
    (0..events.len()).map(|i| (events.t[i], events.x[i], events.y[i], events.p[i])).collect()
}

fn frames(stream: &EventStream) -> ndarray::Array4<f32> {
    Representation::default().to_array(&stream.events(), &Slicing::time_bins(5)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_seed_repeats_everything(stream in recordings(), seed in any::<u64>()) {
        for augment in every() {
            let once = augment.on_events(&stream.events(), &mut rng(seed)).unwrap();
            let again = augment.on_events(&stream.events(), &mut rng(seed)).unwrap();
            prop_assert_eq!(&once, &again, "{:?}", augment);
            prop_assert_eq!(once.sensor(), SENSOR);
            prop_assert!(once.events().require_sorted().is_ok(), "{:?} leaves time unsorted", augment);
            if augment.works_on_frames() {
                let (mut once, mut again) = (frames(&stream), frames(&stream));
                augment.on_frames(&mut FramesMut::of_array(&mut once).unwrap(), &mut rng(seed)).unwrap();
                augment.on_frames(&mut FramesMut::of_array(&mut again).unwrap(), &mut rng(seed)).unwrap();
                prop_assert_eq!(once, again);
            }
        }
    }

    /// Moving events and moving their frames is equivalent for shifts by whole pixels.
    #[test]
    fn events_and_frames_move_alike(stream in recordings(), seed in any::<u64>()) {
        for augment in [
            Augment::FlipHorizontal { probability: 0.5 },
            Augment::FlipVertical { probability: 0.5 },
            Augment::FlipPolarity { probability: 0.5 },
            Augment::Roll { pixels: 20 },
            Augment::Translate { pixels: 6 },
            Augment::Cutout { length: 9 },
            Augment::DropByArea { ratio: [0.0, 1.0] },
            Augment::Nda { count: 2, flip: 0.5, roll: 4, rotate: 0.0, shear: 0.0, cutout: 4 },
        ] {
            // The slices are those of the unchanged recording, as for frames that are changed.
            let slices = Slicing::time_window(100).slices(&stream.events()).unwrap();
            let window = |stream: &EventStream, frames: &mut ndarray::Array4<f32>| {
                let events = stream.events();
                let slices: Vec<_> = slices
                    .iter()
                    .map(|slice| {
                        let at = |t| events.t.partition_point(|&v| v < t);
                        tks_events::slicing::Slice { events: at(slice.start_us)..at(slice.end_us), ..slice.clone() }
                    })
                    .collect();
                Representation::default().write(&events, &slices, &mut FramesMut::of_array(frames).unwrap()).unwrap();
            };
            let shape = Representation::default().shape(slices.len(), SENSOR);
            let (mut by_events, mut by_frames) = (ndarray::Array4::zeros(shape), ndarray::Array4::zeros(shape));
            window(&augment.on_events(&stream.events(), &mut rng(seed)).unwrap(), &mut by_events);
            window(&stream, &mut by_frames);
            augment.on_frames(&mut FramesMut::of_array(&mut by_frames).unwrap(), &mut rng(seed)).unwrap();
            prop_assert_eq!(by_events, by_frames, "{:?}", augment);
        }
    }

    #[test]
    fn twice_turned_is_not_turned(stream in recordings()) {
        for augment in [
            Augment::FlipHorizontal { probability: 1.0 },
            Augment::FlipVertical { probability: 1.0 },
            Augment::FlipPolarity { probability: 1.0 },
            Augment::ReverseTime { probability: 1.0, flip_polarity: true },
        ] {
            let once = augment.on_events(&stream.events(), &mut rng(1)).unwrap();
            prop_assert_ne!(rows(&once).len(), 0);
            let twice = augment.on_events(&once.events(), &mut rng(1)).unwrap();
            prop_assert_eq!(rows(&twice), rows(&stream));
            let (original, mut turned) = (frames(&stream), frames(&stream));
            for _ in 0..2 {
                augment.on_frames(&mut FramesMut::of_array(&mut turned).unwrap(), &mut rng(1)).unwrap();
            }
            prop_assert_eq!(turned, original);
        }
    }

    #[test]
    fn as_much_is_dropped_as_was_drawn(stream in recordings(), share in 0.0f64..=1.0, seed in any::<u64>()) {
        let n = stream.len();
        let dropped = Augment::DropEvent { ratio: [share; 2] }.on_events(&stream.events(), &mut rng(seed)).unwrap();
        prop_assert_eq!(dropped.len(), n - (share * n as f64).round() as usize);
        let kept = Augment::DropByTime { ratio: [share; 2] }.on_events(&stream.events(), &mut rng(seed)).unwrap();
        let gap = rows(&stream).into_iter().filter(|row| !rows(&kept).contains(row)).map(|row| row.0);
        if let (Some(first), Some(last)) = (gap.clone().min(), gap.max()) {
            prop_assert!((last - first) as f64 <= share * (stream.duration_us() + 1) as f64);
        }
        if share == 1.0 {
            prop_assert_eq!(kept.len(), 0);
        }
        let noisy = Augment::UniformNoise { events: [4, 4] }.on_events(&stream.events(), &mut rng(seed)).unwrap();
        prop_assert_eq!(noisy.len(), n + 4);
        prop_assert_eq!(noisy.duration_us(), stream.duration_us());
    }
}

/// A thousand events in the centre, 100 us apart.
fn middle() -> EventStream {
    let n = 1000;
    EventStream::new(
        SensorSize { width: 101, height: 101 },
        (0..n).map(|i| i * 100).collect(),
        vec![50; n as usize],
        vec![50; n as usize],
        vec![1; n as usize],
    )
    .expect("on the sensor")
}

fn mean_and_deviation(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (mean, (values.map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[test]
fn jitter_has_the_deviation_that_was_asked_for() {
    let stream = middle();
    let jitter = Augment::SpatialJitter { std_x: 3.0, std_y: 6.0, correlation: 0.8 };
    let moved = jitter.on_events(&stream.events(), &mut rng(3)).unwrap();
    let events = moved.events();
    let (x, deviation_x) = mean_and_deviation(events.x.iter().map(|&x| f64::from(x) - 50.0));
    let (y, deviation_y) = mean_and_deviation(events.y.iter().map(|&y| f64::from(y) - 50.0));
    assert!(x.abs() < 0.5 && y.abs() < 1.0, "the means are {x} and {y}");
    assert!(
        (deviation_x - 3.0).abs() < 0.3 && (deviation_y - 6.0).abs() < 0.6,
        "{deviation_x}, {deviation_y}"
    );
    let together =
        events.x.iter().zip(events.y).map(|(&x, &y)| (f64::from(x) - 50.0) * (f64::from(y) - 50.0));
    let correlation = (together.sum::<f64>() / events.len() as f64 - x * y) / (deviation_x * deviation_y);
    assert!((correlation - 0.8).abs() < 0.06, "{correlation}");

    // Events far apart keep their order, so that each can be compared with its original.
    let late = Augment::TimeJitter { std_us: 10.0 }.on_events(&stream.events(), &mut rng(3)).unwrap();
    let shifts = late.events().t.to_vec().into_iter().zip(0..).map(|(t, i): (i64, i64)| (t - i * 100) as f64);
    let (mean, deviation) = mean_and_deviation(shifts);
    assert!(mean.abs() < 1.5 && (deviation - 10.0).abs() < 1.0, "{mean}, {deviation}");
}

#[test]
fn magnitudes_are_drawn_from_the_whole_range_and_no_further() {
    let stream = middle();
    let (mut rolled, mut angles, mut skews) = (Vec::new(), Vec::new(), Vec::new());
    let corner =
        EventStream::new(stream.sensor(), vec![0, 100], vec![90, 90], vec![50, 50], vec![1, 1]).unwrap();
    for seed in 0..400 {
        let moved = Augment::Roll { pixels: 5 }.on_events(&stream.events(), &mut rng(seed)).unwrap();
        rolled.push(i32::from(moved.events().x[0]) - 50);
        let rotate = Augment::Rotate { degrees: 20.0, interpolation: Interpolation::Nearest };
        let turned = rotate.on_events(&corner.events(), &mut rng(seed)).unwrap();
        let (x, y) = (f64::from(turned.events().x[0]) - 50.0, 50.0 - f64::from(turned.events().y[0]));
        angles.push(y.atan2(x).to_degrees());
        let skew = Augment::TimeSkew { coefficient: [0.5, 2.0], offset_us: [0.0, 0.0] };
        skews.push(skew.on_events(&corner.events(), &mut rng(seed)).unwrap().duration_us());
    }
    for pixels in -5..=5 {
        assert!(rolled.contains(&pixels), "never rolled by {pixels}");
    }
    assert!(rolled.iter().all(|pixels| pixels.abs() <= 5));
    assert!(angles.iter().all(|angle| angle.abs() < 21.0));
    assert!(angles.iter().any(|&angle| angle > 17.0) && angles.iter().any(|&angle| angle < -17.0));
    assert!(skews.iter().all(|skew| (50..=200).contains(skew)));
    assert!(skews.iter().any(|&skew| skew < 65) && skews.iter().any(|&skew| skew > 185));
}

#[test]
fn event_drop_is_one_of_four() {
    let stream = middle();
    let left: Vec<usize> = (0..400)
        .map(|seed| Augment::EventDrop {}.on_events(&stream.events(), &mut rng(seed)).unwrap().len())
        .collect();
    // Nothing, or a rectangle beside the centre; the rectangle around the centre; shares of time and events.
    let untouched = left.iter().filter(|&&n| n == 1000).count();
    assert!((130..260).contains(&untouched), "{untouched} of 400");
    assert!(left.contains(&0) && left.iter().any(|&n| (50..950).contains(&n)));
}

#[test]
fn a_step_of_frames_is_dropped_whole() {
    let mut values = vec![1.0f32; 10 * 2 * 3 * 3];
    let mut frames = FramesMut::contiguous(&mut values, [10, 2, 3, 3]).unwrap();
    Augment::DropByTime { ratio: [0.3, 0.3] }.on_frames(&mut frames, &mut rng(5)).unwrap();
    let empty: Vec<bool> = frames.steps().map(|step| step.iter().all(|&v| v == 0.0)).collect();
    let full: Vec<bool> = frames.steps().map(|step| step.iter().all(|&v| v == 1.0)).collect();
    assert_eq!(empty.iter().filter(|&&e| e).count(), 3);
    assert_eq!(full.iter().filter(|&&f| f).count(), 7);
    let first = empty.iter().position(|&e| e).unwrap();
    assert!(empty[first..first + 3].iter().all(|&e| e));
}

#[test]
fn every_option_is_read_back() {
    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct File {
        augment: Vec<Augment>,
    }
    let file = File { augment: every() };
    let text = toml::to_string(&file).unwrap();
    assert_eq!(toml::from_str::<File>(&text).unwrap(), file);
    let defaults = "augment = [{ flip_horizontal = {} }, { rotate = {} }, { nda = {} }, { event_drop = {} }]";
    for augment in toml::from_str::<File>(defaults).unwrap().augment {
        augment.check().unwrap();
    }
    let defaults = "augment = [{ reverse_time = {} }, { spatial_jitter = {} }, { time_skew = {} }]";
    assert_eq!(
        toml::from_str::<File>(defaults).unwrap().augment,
        [
            Augment::ReverseTime { probability: 0.5, flip_polarity: true },
            Augment::SpatialJitter { std_x: 1.0, std_y: 1.0, correlation: 0.0 },
            Augment::TimeSkew { coefficient: [0.8, 1.2], offset_us: [0.0, 0.0] },
        ]
    );
    assert!(toml::from_str::<File>("augment = [{ rotate = { degree = 3.0 } }]").is_err());
    assert!(toml::from_str::<File>("augment = [{ event_drop = { ratio = 3.0 } }]").is_err());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let interpolation = Interpolation::Nearest;
    for (augment, option) in [
        (Augment::FlipHorizontal { probability: 1.5 }, "probability"),
        (Augment::Rotate { degrees: f64::NAN, interpolation }, "degrees"),
        (Augment::ShearX { degrees: 90.0, interpolation }, "degrees"),
        (Augment::Cutout { length: 0 }, "length"),
        (Augment::DropEvent { ratio: [0.5, 0.1] }, "ratio"),
        (Augment::TimeSkew { coefficient: [0.0, 1.0], offset_us: [0.0, 0.0] }, "coefficient"),
        (Augment::UniformNoise { events: [3, 2] }, "events"),
        (Augment::Nda { count: 1, flip: 0.5, roll: 0, rotate: 0.0, shear: 0.0, cutout: 0 }, "count"),
    ] {
        match augment.on_events(&middle().events(), &mut rng(0)) {
            Err(EventError::Option { option: found, .. }) => assert_eq!(found, option),
            other => panic!("{augment:?}: {other:?}"),
        }
    }
    let mut values = [0.0f32; 4];
    let mut frames = FramesMut::contiguous(&mut values, [1, 1, 2, 2]).unwrap();
    let error = Augment::TimeJitter { std_us: 1.0 }.on_frames(&mut frames, &mut rng(0)).unwrap_err();
    assert!(error.to_string().contains("event_augment"), "{error}");
    let flip = Augment::FlipPolarity { probability: 1.0 };
    assert!(matches!(flip.on_frames(&mut frames, &mut rng(0)), Err(EventError::Option { .. })));
}

#[test]
fn an_empty_recording_stays_empty() {
    let empty = EventStream::new(SENSOR, vec![], vec![], vec![], vec![]).unwrap();
    for augment in every().into_iter().filter(|a| !matches!(a, Augment::UniformNoise { .. })) {
        assert!(augment.on_events(&empty.events(), &mut rng(2)).unwrap().is_empty(), "{augment:?}");
    }
}

#[test]
fn flips_mirror_and_reversal_turns_the_order_of_steps() {
    let stream = EventStream::new(SENSOR, vec![1000, 1010], vec![1, 5], vec![2, 9], vec![1, 0]).unwrap();
    let changed = |augment: Augment| rows(&augment.on_events(&stream.events(), &mut rng(0)).unwrap());
    let across = Augment::FlipHorizontal { probability: 1.0 };
    assert_eq!(changed(across), [(1000, 11, 2, 1), (1010, 7, 9, 0)]);
    let down = Augment::FlipVertical { probability: 1.0 };
    assert_eq!(changed(down), [(1000, 1, 7, 1), (1010, 5, 0, 0)]);

    let changed = |augment: Augment, shape| {
        let mut values = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut frames = FramesMut::contiguous(&mut values, shape).unwrap();
        augment.on_frames(&mut frames, &mut rng(0)).unwrap();
        values
    };
    assert_eq!(changed(across, [3, 1, 1, 2]), [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]);
    assert_eq!(changed(down, [3, 1, 2, 1]), [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]);
    let reverse = |flip_polarity| Augment::ReverseTime { probability: 1.0, flip_polarity };
    assert_eq!(changed(reverse(false), [3, 2, 1, 1]), [5.0, 6.0, 3.0, 4.0, 1.0, 2.0]);
    assert_eq!(changed(reverse(true), [3, 2, 1, 1]), [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
}
