//! The complete path from a recording to a batch.

use std::sync::Arc;

use tks_data::rng::sample_rng;
use tks_data::{BoxError, Dataset, Loader, LoaderConfig, SampleContext, SampleShape, SampleSlot};
use tks_events::augment::{Augment, Interpolation};
use tks_events::filter::Filter;
use tks_events::frames::FramesMut;
use tks_events::recipe::{Recipe, Scratch};
use tks_events::represent::{Decay, Representation};
use tks_events::resize::Resize;
use tks_events::slicing::Slicing;
use tks_events::spatial::Spatial;
use tks_events::{EventError, EventStream, SensorSize};

const SENSOR: SensorSize = SensorSize { width: 34, height: 34 };

fn recording(seed: u64) -> EventStream {
    let n = 2000;
    let noise: Vec<u64> = (0..n)
        .map(|i: u64| (i + 1).wrapping_mul(seed + 77).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20)
        .collect();
    EventStream::new(
        SENSOR,
        (0..n as i64).map(|i| 1000 + 50 * i).collect(),
        noise.iter().map(|v| (v % 34) as u16).collect(),
        noise.iter().map(|v| (v / 34 % 34) as u16).collect(),
        noise.iter().map(|v| (v / 1156 % 2) as u8).collect(),
    )
    .expect("on the sensor")
}

fn values(recipe: &Recipe, stream: &EventStream) -> Vec<f32> {
    let shape = recipe.shape(stream.sensor()).unwrap();
    let mut values = vec![5.0; shape.iter().product()];
    let mut out = FramesMut::contiguous(&mut values, shape).unwrap();
    recipe.write(&stream.events(), &mut out, &mut Scratch::default()).unwrap();
    values
}

fn plain(slicing: Slicing, representation: Representation) -> Recipe {
    Recipe { slicing, representation, resize: None, ..Recipe::default() }
}

#[test]
fn the_default_is_the_reference_recipe() {
    let (stream, recipe) = (recording(1), Recipe::default());
    assert_eq!(recipe.shape(SENSOR).unwrap(), [10, 2, 48, 48]);
    let mut frames = Representation::default().to_array(&stream.events(), &Slicing::time_bins(10)).unwrap();
    let mut resized = ndarray::Array4::<f32>::zeros((10, 2, 48, 48));
    let resize = Resize { height: 48, width: 48, align_corners: true };
    resize
        .write(
            &mut FramesMut::of_array(&mut frames).unwrap(),
            &mut FramesMut::of_array(&mut resized).unwrap(),
        )
        .unwrap();
    assert_eq!(values(&recipe, &stream), resized.into_raw_vec_and_offset().0);
    assert_eq!(
        Recipe::reference().frame_augment,
        [
            Augment::Translate { pixels: 4 },
            Augment::FlipHorizontal { probability: 0.5 },
            Augment::Rotate { degrees: 15.0, interpolation: Interpolation::Nearest }
        ]
    );
}

/// Frames resized one by one, and all at once, equal the frames of the representation.
#[test]
fn every_representation_is_resized() {
    let stream = recording(2);
    for representation in [
        Representation::default(),
        Representation::TimeSurface { tau_us: 20_000.0, decay: Decay::Exponential },
        Representation::BinaRep { bits: 4 },
    ] {
        let whole = values(&plain(Slicing::time_bins(4), representation), &stream);
        let same = Resize { height: 34, width: 34, align_corners: true };
        let recipe = Recipe { resize: Some(same), ..plain(Slicing::time_bins(4), representation) };
        let resized = values(&recipe, &stream);
        let far = whole.iter().zip(&resized).filter(|(a, b)| (**a - **b).abs() > 1e-5).count();
        assert_eq!(far, 0, "{representation:?}");
    }
}

#[test]
fn steps_follow_one_another() {
    let stream = recording(3);
    let recipe = Recipe {
        filters: vec![Filter::CropTime { start_us: Some(20_000), end_us: None }],
        spatial: vec![Spatial::CenterCrop { width: 30, height: 20 }, Spatial::Pool { factor: 2 }],
        ..plain(Slicing::event_bins(3), Representation::default())
    };
    assert_eq!(recipe.shape(SENSOR).unwrap(), [3, 2, 10, 15]);
    let kept = recipe.filters[0].apply(&stream.events()).unwrap();
    let cropped = recipe.spatial[0].apply(&kept.events()).unwrap();
    let pooled = recipe.spatial[1].apply(&cropped.events()).unwrap();
    let expected = Representation::default().to_array(&pooled.events(), &Slicing::event_bins(3)).unwrap();
    assert_eq!(values(&recipe, &stream), expected.into_raw_vec_and_offset().0);
}

#[test]
fn the_number_of_steps_can_be_fixed() {
    let stream = recording(4);
    let windows = plain(Slicing::time_window(30_000), Representation::default());
    assert!(matches!(windows.check(), Err(EventError::Option { option: "time_steps", .. })));
    let frame = 2 * 34 * 34;
    let all = Representation::default().to_array(&stream.events(), &windows.slicing).unwrap();
    let all = all.into_raw_vec_and_offset().0;
    assert_eq!(all.len(), 4 * frame);
    let fixed = |time_steps| values(&Recipe { time_steps: Some(time_steps), ..windows.clone() }, &stream);
    assert_eq!(fixed(2), all[..2 * frame]);
    let longer = fixed(6);
    assert_eq!(longer[..4 * frame], all);
    assert!(longer[4 * frame..].iter().all(|&v| v == 0.0));

    let mut out = vec![0.0; 2 * frame];
    let mut out = FramesMut::contiguous(&mut out, [2, 2, 34, 34]).unwrap();
    let cut = Recipe { time_steps: Some(2), ..windows };
    let tally = cut.write(&stream.events(), &mut out, &mut Scratch::default()).unwrap();
    assert_eq!(tally.kept + tally.left_out, 2000);
    assert_eq!(tally.kept, 1200);
}

#[test]
fn bytes_hold_the_same_counts() {
    let stream = recording(5);
    let recipe = plain(Slicing::time_bins(4), Representation::default());
    let mut bytes = vec![9u8; 4 * 2 * 34 * 34];
    let mut out = FramesMut::contiguous(&mut bytes, [4, 2, 34, 34]).unwrap();
    recipe.write(&stream.events(), &mut out, &mut Scratch::default()).unwrap();
    assert_eq!(bytes.iter().map(|&v| f32::from(v)).collect::<Vec<_>>(), values(&recipe, &stream));
}

#[test]
fn a_recipe_is_read_back_and_its_typos_are_found() {
    let recipe = Recipe {
        filters: vec![Filter::HotPixels { max_rate_hz: 100.0 }],
        spatial: vec![Spatial::Pool { factor: 2 }],
        event_augment: vec![Augment::EventDrop {}],
        time_steps: Some(4),
        resize: None,
        ..Recipe::reference()
    };
    let text = toml::to_string(&recipe).unwrap();
    assert_eq!(toml::from_str::<Recipe>(&text).unwrap(), recipe);
    assert!(text.contains("resize = \"none\""), "{text}");
    assert_eq!(toml::from_str::<Recipe>("").unwrap(), Recipe::default());
    assert!(toml::from_str::<Recipe>("sliceing = {}").is_err());
    let late = Recipe { frame_augment: vec![Augment::EventDrop {}], ..Recipe::default() };
    assert!(matches!(late.check(), Err(EventError::Option { option: "frame_augment", .. })));
}

#[test]
fn a_typo_in_resize_is_named() {
    let error = toml::from_str::<Recipe>("resize = { heigth = 3 }").unwrap_err().to_string();
    assert!(error.contains("heigth"), "{error}");
    let error = toml::from_str::<Recipe>("resize = \"nine\"").unwrap_err().to_string();
    assert!(error.contains("none"), "{error}");
}

/// Recordings with augmentation.
struct Recordings(Recipe);

impl Dataset for Recordings {
    type Element = f32;

    fn len(&self) -> usize {
        12
    }

    fn shape(&self) -> SampleShape {
        let [time, channels, height, width] = self.0.shape(SENSOR).unwrap();
        SampleShape::frames(time, channels, height, width)
    }

    fn classes(&self) -> usize {
        3
    }

    fn label(&self, index: usize) -> usize {
        index % 3
    }

    fn load(
        &self,
        index: usize,
        context: &mut SampleContext,
        mut slot: SampleSlot<'_, f32>,
    ) -> Result<(), BoxError> {
        let stream = recording(index as u64);
        let [_, frame @ ..] = self.0.shape(SENSOR)?;
        let (rng, scratch) = context.rng_and_scratch::<Scratch>();
        self.0.write_augmented(&stream.events(), rng, &mut FramesMut::of_slot(&mut slot, frame)?, scratch)?;
        Ok(())
    }
}

fn epoch(workers: usize, epoch: u64) -> Vec<f32> {
    let recipe = Recipe {
        event_augment: vec![
            Augment::EventDrop {},
            Augment::TimeJitter { std_us: 500.0 },
            Augment::Nda { count: 1, flip: 0.5, roll: 5, rotate: 30.0, shear: 30.0, cutout: 8 },
        ],
        resize: Some(Resize { height: 16, width: 16, align_corners: true }),
        ..Recipe::reference()
    };
    let config = LoaderConfig { batch_size: 4, workers, seed: 11, ..LoaderConfig::default() };
    let loader = Loader::new(Arc::new(Recordings(recipe)), config).unwrap();
    loader.epoch(epoch).unwrap().flat_map(|batch| batch.unwrap().as_slice().to_vec()).collect()
}

#[test]
fn a_run_repeats_with_any_number_of_workers() {
    let alone = epoch(1, 0);
    assert_eq!(alone.len(), 12 * 10 * 2 * 16 * 16);
    assert!(alone == epoch(3, 0), "three workers give another epoch than one");
    assert!(alone != epoch(1, 1), "the second epoch is the same as the first");
}

/// In a batch `[T, B, C, H, W]`, a sample's frames are not contiguous; the values between them belong to
/// other samples.
#[test]
fn a_sample_is_written_into_its_place() {
    let stream = recording(6);
    let recipe = plain(Slicing::time_bins(3), Representation::default());
    let shape = SampleShape::frames(3, 2, 34, 34);
    let frame = 2 * 34 * 34;
    let mut batch = vec![-1.0f32; 3 * 4 * frame];
    let mut slot = SampleSlot::in_batch(&mut batch, &shape, 4, 2);
    let mut out = FramesMut::of_slot(&mut slot, [2, 34, 34]).unwrap();
    recipe.write(&stream.events(), &mut out, &mut Scratch::default()).unwrap();
    let alone = values(&recipe, &stream);
    for (i, place) in batch.chunks_exact(frame).enumerate() {
        match i % 4 {
            2 => assert_eq!(place, &alone[i / 4 * frame..][..frame]),
            _ => assert!(place.iter().all(|&v| v == -1.0)),
        }
    }
    let mut slot = SampleSlot::in_batch(&mut batch, &shape, 4, 2);
    assert!(matches!(FramesMut::of_slot(&mut slot, [2, 34, 33]), Err(EventError::StepLength { .. })));
    let mut wrong = vec![0.0f32; 5];
    assert!(FramesMut::strided(&mut wrong, 3, [3, 1, 1, 2]).is_err());
    assert_eq!(sample_rng(1, 2, 3), sample_rng(1, 2, 3));
}

/// The configuration in the book is valid.
#[test]
fn the_documented_recipe_works() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/events.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let block =
        text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a toml block");
    let recipe: Recipe = toml::from_str(block).unwrap();
    recipe.check().unwrap();
    assert_eq!(recipe.shape(SensorSize { width: 240, height: 180 }).unwrap(), [10, 2, 48, 48]);
}
