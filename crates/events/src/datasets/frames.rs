//! Recordings as frames for the loader.

use std::marker::PhantomData;
use std::sync::Arc;

use tks_data::{BoxError, CacheKey, Dataset, Element, SampleContext, SampleSet, SampleShape, SampleSlot};

use super::set::{EventSet, ReadScratch};
use crate::error::EventError;
use crate::frames::{Count, FramesMut};
use crate::recipe::{self, Recipe};

/// Recordings of a data set as frames: batches are `[T, B, C, H, W]` of `f32` or `u8`.
#[derive(Debug)]
pub struct EventFrames<E> {
    set: Arc<EventSet>,
    indices: Vec<usize>,
    recipe: Recipe,
    augment: bool,
    shape: [usize; 4],
    element: PhantomData<E>,
}

/// Memory that a worker reuses from one recording to the next.
#[derive(Default)]
struct Scratch {
    read: ReadScratch,
    recipe: recipe::Scratch,
}

impl<E: Element + Count> EventFrames<E> {
    /// The recordings `indices` of `set`, processed by `recipe`, with its random augmentation if `augment`.
    ///
    /// # Errors
    /// [`EventError::Option`] for an invalid option of the recipe, or an index out of range.
    pub fn new(
        set: Arc<EventSet>,
        indices: Vec<usize>,
        recipe: Recipe,
        augment: bool,
    ) -> Result<Self, EventError> {
        recipe.check()?;
        if let Some(outside) = indices.iter().find(|&&index| index >= set.len()) {
            return Err(EventError::Option {
                option: "indices",
                value: outside.to_string(),
                expected: "below the number of recordings",
            });
        }
        let shape = recipe.shape(set.sensor())?;
        Ok(EventFrames { set, indices, recipe, augment, shape, element: PhantomData })
    }

    /// The data set.
    pub fn set(&self) -> &Arc<EventSet> {
        &self.set
    }

    /// The key for a cache of these frames; `split` names the part, such as `first-90/test`.
    ///
    /// # Errors
    /// [`EventError::Option`] if the frames are augmented: those must not be cached.
    pub fn cache_key(&self, split: &str) -> Result<CacheKey, EventError> {
        if self.augment {
            return Err(EventError::Option {
                option: "augment",
                value: "true".into(),
                expected: "false for frames that are cached; augment what comes out of the cache",
            });
        }
        let manifest = self.set.manifest();
        Ok(CacheKey {
            dataset: manifest.name.clone(),
            version: manifest.version,
            split: split.to_string(),
            setting: self.set.setting(&self.recipe),
            source: self.set.source(),
        })
    }
}

impl<E: Element + Count> Dataset for EventFrames<E> {
    type Element = E;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn shape(&self) -> SampleShape {
        let [time, channels, height, width] = self.shape;
        SampleShape::frames(time, channels, height, width)
    }

    fn classes(&self) -> usize {
        self.set.class_names().len()
    }

    fn label(&self, index: usize) -> usize {
        self.set.label(self.indices[index])
    }

    fn sample_name(&self, index: usize) -> String {
        self.set.sample_name(self.indices[index])
    }

    fn sample_size(&self, index: usize) -> Option<u64> {
        self.set.sample_size(self.indices[index])
    }

    fn load(
        &self,
        index: usize,
        context: &mut SampleContext,
        mut slot: SampleSlot<'_, E>,
    ) -> Result<(), BoxError> {
        let [_, channels, height, width] = self.shape;
        let (rng, scratch) = context.rng_and_scratch::<Scratch>();
        let stream = self.set.read_with(self.indices[index], &mut scratch.read)?;
        let mut out = FramesMut::of_slot(&mut slot, [channels, height, width])?;
        if self.augment {
            self.recipe.write_augmented(&stream.events(), rng, &mut out, &mut scratch.recipe)?
        } else {
            self.recipe.write(&stream.events(), &mut out, &mut scratch.recipe)?
        };
        scratch.read.used = stream;
        Ok(())
    }
}
