//! A description of how a recording becomes a network's input.

use std::fmt;

use rand::Rng;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::augment::Augment;
use crate::error::EventError;
use crate::filter::Filter;
use crate::frames::{Count, FramesMut};
use crate::represent::{Representation, Tally};
use crate::resize::Resize;
use crate::sensor::SensorSize;
use crate::slicing::{MAX_SLICES, Slice, Slicing};
use crate::spatial::Spatial;
use crate::stream::{EventStream, Events};

/// How a recording becomes `[T, C, H, W]`; the steps are applied in the order of the fields. The default is
/// the reference recipe: 10 equal time bins, counts in two channels, 48 x 48 pixels with aligned corners.
///
/// ```
/// use tks_data::rng::sample_rng;
/// use tks_events::frames::FramesMut;
/// use tks_events::recipe::{Recipe, Scratch};
/// use tks_events::{EventStream, SensorSize};
///
/// let recipe: Recipe = toml::from_str(
///     r#"
///     filters = [{ background_activity = { window_us = 10000 } }]
///     slicing = { time_bins = { bins = 4 } }
///     resize = { height = 24, width = 24 }
///     frame_augment = [{ flip_horizontal = {} }, { rotate = { degrees = 15.0 } }]
///     "#,
/// )?;
/// let sensor = SensorSize { width: 34, height: 34 };
/// let stream = EventStream::new(sensor, vec![0, 5, 10], vec![9, 8, 7], vec![4, 4, 4], vec![1, 0, 1])?;
///
/// let shape = recipe.shape(sensor)?;
/// assert_eq!(shape, [4, 2, 24, 24]);
/// let mut values = vec![0.0f32; shape.iter().product()];
/// let mut out = FramesMut::contiguous(&mut values, shape)?;
/// let mut scratch = Scratch::default();
/// recipe.write(&stream.events(), &mut out, &mut scratch)?; // to test on
/// recipe.write_augmented(&stream.events(), &mut sample_rng(7, 0, 0), &mut out, &mut scratch)?; // to train on
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Filters that remove events.
    pub filters: Vec<Filter>,
    /// Crops and reductions of the spatial resolution.
    pub spatial: Vec<Spatial>,
    /// Random augmentation of the recording, in training only.
    pub event_augment: Vec<Augment>,
    /// How the recording is divided into frames.
    pub slicing: Slicing,
    /// How the events of a slice are represented in a frame.
    pub representation: Representation,
    /// Number of frames, `T`; required if the number of slices depends on the length of the recording.
    /// Missing frames are empty, surplus ones are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_steps: Option<usize>,
    /// Size to which frames are resized; `"none"` keeps the sensor's size. Integer types (`u8`, `u16`) are
    /// rounded.
    #[serde(serialize_with = "write_resize", deserialize_with = "read_resize")]
    pub resize: Option<Resize>,
    /// Random augmentation of the frames, in training only.
    pub frame_augment: Vec<Augment>,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            filters: Vec::new(),
            spatial: Vec::new(),
            event_augment: Vec::new(),
            slicing: Slicing::default(),
            representation: Representation::default(),
            time_steps: None,
            resize: Some(Resize::default()),
            frame_augment: Vec::new(),
        }
    }
}

/// Maximum number of values in a sample: more is a typing error and would fill the memory.
pub const MAX_VALUES: usize = 1 << 30;

/// TOML has no null, so "no resizing" needs a word.
const NO_RESIZE: &str = "none";

fn write_resize<S: Serializer>(resize: &Option<Resize>, serializer: S) -> Result<S::Ok, S::Error> {
    match resize {
        Some(resize) => resize.serialize(serializer),
        None => serializer.serialize_str(NO_RESIZE),
    }
}

/// Implemented by hand so that a typo is named, unlike with an untagged enum.
fn read_resize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Resize>, D::Error> {
    struct ResizeOrNone;

    impl<'de> Visitor<'de> for ResizeOrNone {
        type Value = Option<Resize>;

        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            write!(formatter, "a table with height, width and align_corners, or \"{NO_RESIZE}\"")
        }

        fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
            if word == NO_RESIZE { Ok(None) } else { Err(E::invalid_value(Unexpected::Str(word), &self)) }
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Resize::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }

    deserializer.deserialize_any(ResizeOrNone)
}

/// Memory that is reused from sample to sample; one per worker.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    frames: Vec<f32>,
}

impl Recipe {
    /// The reference recipe with its augmentation, see [`Augment::reference`].
    pub fn reference() -> Self {
        Recipe { frame_augment: Augment::reference(), ..Recipe::default() }
    }

    /// Checks every option.
    ///
    /// # Errors
    /// [`EventError::Option`] for the first invalid one.
    pub fn check(&self) -> Result<(), EventError> {
        self.filters.iter().try_for_each(Filter::check)?;
        self.spatial.iter().try_for_each(Spatial::check)?;
        self.event_augment.iter().try_for_each(Augment::check)?;
        self.slicing.check()?;
        self.representation.check()?;
        self.resize.iter().try_for_each(Resize::check)?;
        self.frame_augment.iter().try_for_each(Augment::check)?;
        if let Some(augment) = self.frame_augment.iter().find(|augment| !augment.works_on_frames()) {
            return Err(EventError::Option {
                option: "frame_augment",
                value: format!("{augment:?}"),
                expected: "something that can be done to frames; this one belongs to event_augment",
            });
        }
        self.time_steps().map(|_| ())
    }

    /// Number of frames, `T`.
    ///
    /// # Errors
    /// [`EventError::Option`] if it depends on the recording and `time_steps` is not given.
    pub fn time_steps(&self) -> Result<usize, EventError> {
        match self.time_steps.or(self.slicing.fixed_steps()) {
            Some(steps) if !(1..=MAX_SLICES).contains(&steps) => Err(EventError::Option {
                option: "time_steps",
                value: steps.to_string(),
                expected: "1 to 1048576",
            }),
            Some(steps) => Ok(steps),
            None => Err(EventError::Option {
                option: "time_steps",
                value: "left out".into(),
                expected: "given where the number of slices depends on the recording",
            }),
        }
    }

    /// Shape `[T, C, H, W]` of the output, for recordings from this sensor.
    ///
    /// # Errors
    /// As [`Recipe::time_steps`]; [`EventError::BeyondSensor`] for an area that is not on the sensor;
    /// [`EventError::Option`] for more than [`MAX_VALUES`] values.
    pub fn shape(&self, sensor: SensorSize) -> Result<[usize; 4], EventError> {
        self.filters.iter().try_for_each(|filter| filter.check_sensor(sensor))?;
        let sensor = self.spatial.iter().try_fold(sensor, |sensor, spatial| {
            spatial.check_sensor(sensor).map(|()| spatial.sensor(sensor))
        })?;
        let [time, channels, height, width] = self.representation.shape(self.time_steps()?, sensor);
        let shape = match &self.resize {
            Some(resize) => [time, channels, resize.height, resize.width],
            None => [time, channels, height, width],
        };
        let values = shape.iter().try_fold(1usize, |values, &length| values.checked_mul(length));
        if values.is_none_or(|values| values > MAX_VALUES) {
            return Err(EventError::Option {
                option: "the shape [T, C, H, W] of a sample",
                value: format!("{shape:?}"),
                expected: "of 1073741824 values at most: choose fewer steps or smaller frames",
            });
        }
        Ok(shape)
    }

    /// Writes a recording as frames of [`Recipe::shape`] without augmentation, for testing.
    ///
    /// # Errors
    /// Those of the steps: [`EventError::Option`], [`EventError::Shape`], [`EventError::Unsorted`],
    /// [`EventError::TooManySlices`].
    pub fn write<E: Count>(
        &self,
        events: &Events,
        out: &mut FramesMut<E>,
        scratch: &mut Scratch,
    ) -> Result<Tally, EventError> {
        self.run(events, None::<&mut tks_data::rng::SampleRng>, out, scratch)
    }

    /// Writes a recording as frames of [`Recipe::shape`] with random augmentation, for training.
    ///
    /// # Errors
    /// As [`Recipe::write`].
    pub fn write_augmented<E: Count>(
        &self,
        events: &Events,
        rng: &mut impl Rng,
        out: &mut FramesMut<E>,
        scratch: &mut Scratch,
    ) -> Result<Tally, EventError> {
        self.run(events, Some(rng), out, scratch)
    }

    fn run<E: Count, R: Rng>(
        &self,
        events: &Events,
        mut rng: Option<&mut R>,
        out: &mut FramesMut<E>,
        scratch: &mut Scratch,
    ) -> Result<Tally, EventError> {
        out.require(self.shape(events.sensor)?)?;
        let mut changed: Option<EventStream> = None;
        for filter in &self.filters {
            changed = Some(filter.apply(&current(&changed, events))?);
        }
        for spatial in &self.spatial {
            changed = Some(spatial.apply(&current(&changed, events))?);
        }
        if let Some(rng) = &mut rng {
            for augment in &self.event_augment {
                changed = Some(augment.on_events(&current(&changed, events), rng)?);
            }
        }
        let events = current(&changed, events);

        let mut slices = self.slicing.slices(&events)?;
        let steps = self.time_steps()?;
        let after = slices.last().map_or(0, |slice| slice.end_us);
        let end = slices.last().map_or(0, |slice| slice.events.end);
        slices.resize(steps, Slice { events: end..end, start_us: after, end_us: after });

        let tally = match &self.resize {
            None => self.representation.write(&events, &slices, out)?,
            Some(resize) => self.write_resized(resize, &events, &slices, out, scratch)?,
        };
        if let Some(rng) = rng {
            for augment in &self.frame_augment {
                augment.on_frames(out, rng)?;
            }
        }
        Ok(tally)
    }

    fn write_resized<E: Count>(
        &self,
        resize: &Resize,
        events: &Events,
        slices: &[Slice],
        out: &mut FramesMut<E>,
        scratch: &mut Scratch,
    ) -> Result<Tally, EventError> {
        // One frame at a time if possible, so that it stays in the cache until it is resized.
        let at_once = if self.representation.is_independent() { 1 } else { slices.len() };
        let shape = self.representation.shape(at_once, events.sensor);
        scratch.frames.resize(shape.iter().product(), 0.0);
        for (i, part) in slices.chunks(at_once.max(1)).enumerate() {
            let mut frames = FramesMut::contiguous(&mut scratch.frames, shape)?;
            self.representation.write(events, part, &mut frames)?;
            resize.write(&mut frames, &mut out.range(i * at_once..i * at_once + part.len()))?;
        }
        Ok(Tally::of(events, slices))
    }
}

/// The recording at this point: changed, or still the one given.
fn current<'a>(changed: &'a Option<EventStream>, given: &Events<'a>) -> Events<'a> {
    changed.as_ref().map_or(*given, EventStream::events)
}
