//! Every `event_representation` of the golden cases: tonic's own output.

use std::collections::BTreeMap;

use ndarray::{ArrayD, Axis};
use serde_json::Value;
use tks_events::filter::{Filter, Since};
use tks_events::frames::FramesMut;
use tks_events::represent::{Decay, Polarity, Representation, VoxelTime, bina_rep};
use tks_events::resize::Resize;
use tks_events::slicing::{LastWindow, LeftoverEvents, Slicing, TimeEdges};
use tks_events::{EventStream, SensorSize};
use tks_golden::GoldenCase;

/// A case's arguments by name.
struct Arguments<'a> {
    file: &'a str,
    values: BTreeMap<String, Value>,
}

impl Arguments<'_> {
    fn number(&self, key: &str) -> Option<f64> {
        self.values.get(key).and_then(Value::as_f64)
    }

    fn required(&self, key: &str) -> f64 {
        self.number(key).unwrap_or_else(|| panic!("{}: no argument `{key}`", self.file))
    }

    fn integer(&self, key: &str) -> Option<i64> {
        let number = self.number(key)?;
        assert_eq!(number.fract(), 0.0, "{}: `{key}` is no whole number", self.file);
        Some(number as i64)
    }

    fn overlap(&self) -> f64 {
        self.number("overlap").unwrap_or(0.0)
    }

    fn tail(&self) -> LastWindow {
        match self.values.get("include_incomplete") {
            Some(Value::Bool(true)) => LastWindow::Tonic,
            _ => LastWindow::Drop,
        }
    }

    /// The slicing that corresponds to tonic's arguments.
    fn slicing(&self) -> Slicing {
        if let Some(bins) = self.integer("n_time_bins") {
            Slicing::TimeBins {
                bins: bins as usize,
                overlap: self.overlap(),
                edges: TimeEdges::Tonic,
                start_us: None,
                end_us: None,
            }
        } else if let Some(bins) = self.integer("n_event_bins") {
            let bins = bins as usize;
            Slicing::EventBins { bins, overlap: self.overlap(), remainder: LeftoverEvents::Tonic }
        } else if let Some(count) = self.integer("event_count") {
            let (count, overlap) = (count as usize, self.overlap() as usize);
            Slicing::EventCount { count, overlap, tail: self.tail() }
        } else {
            let window = self.integer("time_window").or_else(|| self.integer("dt"));
            Slicing::TimeWindow {
                window_us: window.unwrap_or_else(|| panic!("{}: no slicing", self.file)),
                overlap_us: self.overlap() as i64,
                tail: self.tail(),
                start_us: self.integer("start_time"),
                end_us: self.integer("end_time"),
            }
        }
    }
}

fn recording(case: &GoldenCase) -> EventStream {
    let sensor: Vec<u16> = serde_json::from_str(&case.text("sensor").expect("a sensor")).expect("[W, H, P]");
    let events = case.tensor_f64("events").expect("events");
    let column = |i: usize| events.index_axis(Axis(1), i).iter().map(|&v| v as i64).collect::<Vec<_>>();
    let narrow = |i: usize| column(i).into_iter().map(|v| v as u16).collect::<Vec<_>>();
    EventStream::new(
        SensorSize { width: sensor[0], height: sensor[1] },
        column(0),
        narrow(1),
        narrow(2),
        column(3).into_iter().map(|p| p as u8).collect(),
    )
    .expect("events that lie on the sensor")
}

fn as_rows(stream: &EventStream) -> ArrayD<f64> {
    let events = stream.events();
    let mut rows = Vec::with_capacity(4 * events.len());
    for i in 0..events.len() {
        rows.extend([events.t[i] as f64, events.x[i].into(), events.y[i].into(), events.p[i].into()]);
    }
    ArrayD::from_shape_vec(vec![events.len(), 4], rows).expect("four columns")
}

fn exact(file: &str, actual: ArrayD<f64>, expected: &ArrayD<f64>) {
    assert_eq!(actual.shape(), expected.shape(), "{file}");
    let differ = actual.iter().zip(expected).filter(|(a, e)| a != e).count();
    assert_eq!(differ, 0, "{file}: {differ} of {} values differ", expected.len());
}

fn close(file: &str, actual: &ArrayD<f32>, expected: &ArrayD<f64>) {
    assert_eq!(actual.shape(), expected.shape(), "{file}");
    for (a, e) in actual.iter().zip(expected) {
        assert!((f64::from(*a) - e).abs() <= 1e-6 * e.abs().max(1.0), "{file}: {a} and not {e}");
    }
}

/// tonic's histograms `[cells, 2, S, S]`, rearranged like ours, side by side: `[1, 2, rows * S, columns *
/// S]`.
fn side_by_side(histograms: &ArrayD<f64>, columns: usize) -> ArrayD<f64> {
    let (cells, size) = (histograms.shape()[0], histograms.shape()[2]);
    let mut frame = ArrayD::zeros(vec![1, 2, cells / columns * size, columns * size]);
    for ((cell, p, y, x), value) in
        histograms.view().into_dimensionality::<ndarray::Ix4>().expect("four dimensions").indexed_iter()
    {
        frame[[0, p, cell / columns * size + y, cell % columns * size + x]] = *value;
    }
    frame
}

fn check(case: &GoldenCase) {
    let file = case.file.as_str();
    let name = case.text("representation").expect("a representation");
    let arguments = Arguments { file, values: case.object("args").expect("arguments") };
    let expected = case.tensor_f64("out").expect("out");
    let stream = recording(case);
    let events = stream.events();
    let filtered = |filter: Filter| as_rows(&filter.apply(&events).expect(file));
    match name.as_str() {
        _ if name.starts_with("frames_") => {
            let frames = Representation::default().to_array(&events, &arguments.slicing()).expect(file);
            exact(file, frames.mapv(f64::from).into_dyn(), &expected);
        }
        "voxel_grid" => {
            let grid = Representation::VoxelGrid { polarity: Polarity::Signed, grid: VoxelTime::Tonic };
            let bins = Slicing::time_bins(arguments.required("n_time_bins") as usize);
            close(file, &grid.to_array(&events, &bins).expect(file).into_dyn(), &expected);
        }
        "timesurface" => {
            let tau_us = arguments.required("tau");
            let surface = Representation::TimeSurface { tau_us, decay: Decay::Exponential };
            close(file, &surface.to_array(&events, &arguments.slicing()).expect(file).into_dyn(), &expected);
        }
        "averaged_timesurface" => {
            let decay = match arguments.values.get("decay").and_then(Value::as_str) {
                Some("exp") => Decay::Exponential,
                Some("lin") => Decay::Linear,
                other => panic!("{file}: unknown decay {other:?}"),
            };
            let (cell, surface) =
                (arguments.required("cell_size") as usize, arguments.required("surface_size") as usize);
            let window_us = arguments.required("time_window") as i64;
            let tau_us = arguments.required("tau");
            let hats = Representation::AveragedTimeSurface { cell, surface, window_us, tau_us, decay };
            let frames = hats.to_array(&events, &Slicing::time_bins(1)).expect(file);
            let columns = usize::from(stream.sensor().width).div_ceil(cell);
            close(file, &frames.into_dyn(), &side_by_side(&expected, columns));
        }
        "bina_rep" => {
            let frames = case.tensor("frames").expect("frames").into_dimensionality().expect("[T, C, H, W]");
            let coded = bina_rep(frames.view(), arguments.required("n_bits") as usize).expect(file);
            close(file, &coded.into_dyn(), &expected);
        }
        "denoise" => {
            let window_us = arguments.required("filter_time") as i64;
            let filter =
                Filter::BackgroundActivity { window_us, neighbours: Default::default(), warm_start: true };
            exact(file, filtered(filter), &expected);
        }
        "refractory_period" => {
            let period_us = arguments.required("refractory_period") as i64;
            exact(file, filtered(Filter::Refractory { period_us, since: Since::Event }), &expected);
        }
        "decimate" => {
            exact(file, filtered(Filter::Decimate { n: arguments.required("n") as u32 }), &expected)
        }
        "hot_pixels" => {
            let max_rate_hz = arguments.required("hot_pixel_frequency");
            exact(file, filtered(Filter::HotPixels { max_rate_hz }), &expected);
        }
        _ => panic!("{file}: no test for the representation `{name}`"),
    }
}

#[test]
fn golden_event_representations_are_those_of_tonic() {
    let cases = tks_golden::cases().expect("golden cases");
    let cases: Vec<_> = cases.iter().filter(|case| case.file.starts_with("events_")).collect();
    assert!(cases.len() >= 7, "there are only {} cases about events", cases.len());
    for case in cases {
        assert_eq!(case.kind, "event_representation", "{}: unknown kind of case", case.file);
        check(case);
    }
}

#[test]
fn golden_resized_frames_are_those_of_torch() {
    let cases = tks_golden::cases_of_kind("resize").expect("golden cases");
    assert!(!cases.is_empty());
    for case in cases {
        let file = &case.file;
        let expected = case.tensor_f64("out").expect(file);
        let (height, width) = (expected.shape()[2], expected.shape()[3]);
        let align_corners = case.flag("align_corners").expect(file).expect("align_corners");
        let mut frames = case.tensor("x").expect(file).into_dimensionality().expect("[T, C, H, W]");
        let mut actual =
            ndarray::Array4::<f32>::zeros((expected.shape()[0], expected.shape()[1], height, width));
        Resize { height, width, align_corners }
            .write(
                &mut FramesMut::of_array(&mut frames).expect(file),
                &mut FramesMut::of_array(&mut actual).expect(file),
            )
            .expect(file);
        close(file, &actual.into_dyn(), &expected);
    }
}
