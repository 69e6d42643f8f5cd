//! The loader's view of a data set: samples by index, each written into its place in the batch.

use std::any::Any;
use std::fmt;

use crate::error::BoxError;
use crate::rng::{SampleRng, sample_rng};

/// An element of a batch: `f32`, or `u8` if pixels are scaled on the device.
pub trait Element: bytemuck::Pod + Default + Send + Sync + private::Sealed {
    /// The element's name, as in Rust.
    const NAME: &'static str;
}

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for u8 {}
}

impl Element for f32 {
    const NAME: &'static str = "f32";
}

impl Element for u8 {
    const NAME: &'static str = "u8";
}

/// Shape of a sample, which determines that of a batch.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleShape {
    /// Number of time steps; `None` for samples without time, whose batches have no such axis.
    pub time_steps: Option<usize>,
    /// Shape of one time step or image: `[C, H, W]`, or `[N]` for data without spatial dimensions.
    pub frame: Vec<usize>,
}

impl SampleShape {
    /// An image: batches are `[B, C, H, W]`.
    pub fn image(channels: usize, height: usize, width: usize) -> Self {
        SampleShape { time_steps: None, frame: vec![channels, height, width] }
    }

    /// A sequence of frames: batches are `[T, B, C, H, W]`.
    pub fn frames(time_steps: usize, channels: usize, height: usize, width: usize) -> Self {
        SampleShape { time_steps: Some(time_steps), frame: vec![channels, height, width] }
    }

    /// Number of elements in one time step or image.
    pub fn frame_len(&self) -> usize {
        self.frame.iter().product()
    }

    /// Number of time steps, 1 for samples without time.
    pub fn steps(&self) -> usize {
        self.time_steps.unwrap_or(1)
    }

    /// Number of elements in a sample.
    pub fn len(&self) -> usize {
        self.steps() * self.frame_len()
    }

    /// Whether a sample has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of a batch of `batch` samples: `[T, B, C, H, W]`, or `[B, C, H, W]` without time.
    pub fn batch(&self, batch: usize) -> Vec<usize> {
        self.time_steps.into_iter().chain([batch]).chain(self.frame.iter().copied()).collect()
    }
}

/// The place of one sample in its batch: T slices of `C * H * W` elements to write to.
///
/// It still holds values of an earlier sample: write every element, or [`SampleSlot::fill`] it first.
pub struct SampleSlot<'a, E> {
    data: &'a mut [E],
    stride: usize,
    frame_len: usize,
    steps: usize,
}

impl<E> fmt::Debug for SampleSlot<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SampleSlot { data: _, stride, frame_len, steps } = self;
        f.debug_struct("SampleSlot")
            .field("stride", stride)
            .field("frame_len", frame_len)
            .field("steps", steps)
            .finish_non_exhaustive()
    }
}

impl<'a, E: Element> SampleSlot<'a, E> {
    /// The place of sample `position` in a contiguous time-first batch of `batch` samples.
    ///
    /// # Panics
    /// If `data` does not have `T * B * frame_len` elements or `position` is not below `batch`.
    pub fn in_batch(data: &'a mut [E], shape: &SampleShape, batch: usize, position: usize) -> Self {
        let (steps, frame_len) = (shape.steps(), shape.frame_len());
        assert!(position < batch && data.len() == steps * batch * frame_len, "slot outside of its batch");
        if steps == 0 {
            return SampleSlot { data: &mut [], stride: 0, frame_len, steps };
        }
        let first = position * frame_len;
        let end = (steps - 1) * batch * frame_len + first + frame_len;
        SampleSlot { data: &mut data[first..end], stride: batch * frame_len, frame_len, steps }
    }

    /// One sample on its own: `data` is `[T, frame_len]`.
    ///
    /// # Panics
    /// If `data` does not have `shape.len()` elements.
    pub fn alone(data: &'a mut [E], shape: &SampleShape) -> Self {
        SampleSlot::in_batch(data, shape, 1, 0)
    }

    /// Number of time steps, 1 for samples without time.
    pub fn time_steps(&self) -> usize {
        self.steps
    }

    /// Number of elements in one time step.
    pub fn frame_len(&self) -> usize {
        self.frame_len
    }

    /// The elements of time step `t`, `[C * H * W]`.
    ///
    /// # Panics
    /// If `t` is not below [`SampleSlot::time_steps`].
    pub fn step(&mut self, t: usize) -> &mut [E] {
        assert!(t < self.steps, "time step {t} of {}", self.steps);
        let start = t * self.stride;
        &mut self.data[start..start + self.frame_len]
    }

    /// The elements from the sample's first to its last, including those of other samples in between, and the
    /// distance between time steps (`stride`), for a loop that writes to all steps in turn. Element `i` of
    /// step `t` is at `t * stride + i`; the others do not belong to this sample.
    pub fn strided(&mut self) -> (&mut [E], usize) {
        (self.data, self.stride)
    }

    /// Writes `value` everywhere.
    pub fn fill(&mut self, value: E) {
        for t in 0..self.steps {
            self.step(t).fill(value);
        }
    }

    /// Writes a complete sample, `[T, C * H * W]`.
    ///
    /// # Panics
    /// If `sample` does not have this number of elements.
    pub fn copy_from(&mut self, sample: &[E]) {
        assert_eq!(sample.len(), self.steps * self.frame_len, "elements of a sample");
        for t in 0..self.steps {
            let frame_len = self.frame_len;
            self.step(t).copy_from_slice(&sample[t * frame_len..(t + 1) * frame_len]);
        }
    }

    /// Reborrows the slot, for a part of the work.
    pub fn reborrow(&mut self) -> SampleSlot<'_, E> {
        SampleSlot { data: self.data, stride: self.stride, frame_len: self.frame_len, steps: self.steps }
    }
}

/// The context for loading a sample: its own random generator, and work space that is kept between samples.
pub struct SampleContext {
    /// The sample's random generator for this epoch: every random choice is drawn from it.
    pub rng: SampleRng,
    /// The epoch, from 0.
    pub epoch: u64,
    scratch: Vec<Box<dyn Any + Send>>,
}

impl fmt::Debug for SampleContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SampleContext { rng, epoch, scratch: _ } = self;
        f.debug_struct("SampleContext").field("rng", rng).field("epoch", epoch).finish_non_exhaustive()
    }
}

impl SampleContext {
    /// A context for loading sample `index` manually, as a loader with this seed would in this epoch.
    pub fn new(seed: u64, epoch: u64, index: usize) -> Self {
        SampleContext { rng: sample_rng(seed, epoch, index as u64), epoch, scratch: Vec::new() }
    }

    /// The worker's own `T`, as left by the last sample, for buffers that need not be allocated again.
    pub fn scratch<T: Default + Send + 'static>(&mut self) -> &mut T {
        self.rng_and_scratch().1
    }

    /// The generator and the worker's own `T`, for use at the same time.
    pub fn rng_and_scratch<T: Default + Send + 'static>(&mut self) -> (&mut SampleRng, &mut T) {
        let at = self.scratch.iter().position(|held| held.is::<T>()).unwrap_or_else(|| {
            self.scratch.push(Box::<T>::default());
            self.scratch.len() - 1
        });
        let scratch = self.scratch[at].downcast_mut::<T>().expect("found by its type");
        (&mut self.rng, scratch)
    }
}

/// A data set: samples by index, each written straight into its place in the batch.
///
/// `load` is called from several threads at once. What it writes must depend only on the index, the context's
/// generator and the epoch, so that an epoch is the same with any number of workers.
pub trait Dataset: Send + Sync {
    /// Element type of the batches.
    type Element: Element;

    /// Number of samples.
    fn len(&self) -> usize;

    /// Shape of a sample.
    fn shape(&self) -> SampleShape;

    /// Number of classes.
    fn classes(&self) -> usize;

    /// Class of a sample, without loading it.
    fn label(&self, index: usize) -> usize;

    /// Name of a sample for errors and split files, such as `train/3/00042`.
    fn sample_name(&self, index: usize) -> String {
        index.to_string()
    }

    /// Size in bytes of a sample as stored, if known without loading it. Together with names and labels, it
    /// shows whether the data have changed.
    fn sample_size(&self, _index: usize) -> Option<u64> {
        None
    }

    /// Writes a sample into `slot`.
    ///
    /// # Errors
    /// Any error in reading the sample; the loader adds the sample's index and name.
    fn load(
        &self,
        index: usize,
        context: &mut SampleContext,
        slot: SampleSlot<'_, Self::Element>,
    ) -> Result<(), BoxError>;

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<D: Dataset + ?Sized> Dataset for std::sync::Arc<D> {
    type Element = D::Element;

    fn len(&self) -> usize {
        (**self).len()
    }

    fn shape(&self) -> SampleShape {
        (**self).shape()
    }

    fn classes(&self) -> usize {
        (**self).classes()
    }

    fn label(&self, index: usize) -> usize {
        (**self).label(index)
    }

    fn sample_name(&self, index: usize) -> String {
        (**self).sample_name(index)
    }

    fn sample_size(&self, index: usize) -> Option<u64> {
        (**self).sample_size(index)
    }

    fn load(
        &self,
        index: usize,
        context: &mut SampleContext,
        slot: SampleSlot<'_, Self::Element>,
    ) -> Result<(), BoxError> {
        (**self).load(index, context, slot)
    }
}

/// Some samples of a data set in a given order: a part of a split.
///
/// A sample's random generator depends on its index in the subset.
#[derive(Debug, Clone)]
pub struct Subset<D> {
    dataset: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// The samples `indices` of `dataset`.
    ///
    /// # Errors
    /// [`DataError::Setting`](crate::DataError::Setting) if an index is not below the data set's length.
    pub fn new(dataset: D, indices: Vec<usize>) -> Result<Self, crate::DataError> {
        if let Some(&outside) = indices.iter().find(|&&index| index >= dataset.len()) {
            return Err(crate::DataError::Setting {
                field: "indices",
                message: format!("{outside} is not below the data set's {} samples", dataset.len()),
            });
        }
        Ok(Subset { dataset, indices })
    }

    /// The samples' indices in the whole data set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Element = D::Element;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn shape(&self) -> SampleShape {
        self.dataset.shape()
    }

    fn classes(&self) -> usize {
        self.dataset.classes()
    }

    fn label(&self, index: usize) -> usize {
        self.dataset.label(self.indices[index])
    }

    fn sample_name(&self, index: usize) -> String {
        self.dataset.sample_name(self.indices[index])
    }

    fn sample_size(&self, index: usize) -> Option<u64> {
        self.dataset.sample_size(self.indices[index])
    }

    fn load(
        &self,
        index: usize,
        context: &mut SampleContext,
        slot: SampleSlot<'_, Self::Element>,
    ) -> Result<(), BoxError> {
        self.dataset.load(self.indices[index], context, slot)
    }
}

impl SampleContext {
    pub(crate) fn for_worker() -> Self {
        SampleContext::new(0, 0, 0)
    }

    pub(crate) fn begin(&mut self, rng: SampleRng, epoch: u64) {
        self.rng = rng;
        self.epoch = epoch;
    }
}
