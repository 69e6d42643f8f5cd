//! A batch: samples side by side, ready to become a tensor without a copy.

use std::sync::{Arc, Mutex, PoisonError};

use ndarray::{Array2, ArrayD, IxDyn};

use crate::dataset::{Element, SampleShape};

/// A batch. When it is dropped, its memory returns to the loader for a later batch, so keep it as long as a
/// tensor refers to that memory.
#[derive(Debug)]
pub struct Batch<E: Element> {
    buffer: Buffer<E>,
    classes: usize,
    epoch: u64,
    index: usize,
    valid: usize,
    pool: Option<Arc<Pool<E>>>,
}

/// The reusable memory of a batch.
#[derive(Debug)]
pub(crate) struct Buffer<E> {
    inputs: ArrayD<E>,
    labels: Vec<i64>,
    soft: Array2<f32>,
    has_soft: bool,
    samples: Vec<usize>,
}

impl<E: Element> Default for Buffer<E> {
    fn default() -> Self {
        Buffer {
            inputs: ArrayD::default(IxDyn(&[0])),
            labels: Vec::new(),
            soft: Array2::zeros((0, 0)),
            has_soft: false,
            samples: Vec::new(),
        }
    }
}

/// Unused batch buffers.
#[derive(Debug, Default)]
pub(crate) struct Pool<E> {
    free: Mutex<Vec<Buffer<E>>>,
    capacity: usize,
}

impl<E: Element> Pool<E> {
    pub(crate) fn new(capacity: usize) -> Self {
        Pool { free: Mutex::new(Vec::with_capacity(capacity)), capacity }
    }

    pub(crate) fn take(&self) -> Buffer<E> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give(&self, buffer: Buffer<E>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.capacity {
            free.push(buffer);
        }
    }
}

impl<E: Element> Batch<E> {
    /// A batch in `buffer`, its inputs of the right shape and its lists empty.
    pub(crate) fn begin(
        mut buffer: Buffer<E>,
        shape: &SampleShape,
        batch: usize,
        classes: usize,
        place: (u64, usize),
        valid: usize,
        pool: Arc<Pool<E>>,
    ) -> Self {
        let dims = shape.batch(batch);
        if buffer.inputs.shape() != dims {
            let mut data = std::mem::take(&mut buffer.inputs).into_raw_vec_and_offset().0;
            data.resize(dims.iter().product(), E::default());
            buffer.inputs = ArrayD::from_shape_vec(IxDyn(&dims), data).expect("as many as the shape says");
        }
        buffer.labels.clear();
        buffer.samples.clear();
        buffer.has_soft = false;
        Batch { buffer, classes, epoch: place.0, index: place.1, valid, pool: Some(pool) }
    }

    pub(crate) fn push(&mut self, sample: usize, label: usize) {
        self.buffer.samples.push(sample);
        self.buffer.labels.push(label as i64);
    }

    pub(crate) fn data(&mut self) -> &mut [E] {
        self.buffer.inputs.as_slice_mut().expect("contiguous since it was made")
    }

    /// The inputs, contiguous: `[T, B, C, H, W]`, or `[B, C, H, W]` without time.
    pub fn inputs(&self) -> &ArrayD<E> {
        &self.buffer.inputs
    }

    /// The inputs, mutable.
    pub fn inputs_mut(&mut self) -> &mut ArrayD<E> {
        &mut self.buffer.inputs
    }

    /// All inputs as a slice, in the order of [`Batch::inputs`].
    pub fn as_slice(&self) -> &[E] {
        self.buffer.inputs.as_slice().expect("contiguous since it was made")
    }

    /// Class of each sample, `[B]`, as in the data set, even if a hook has mixed samples.
    pub fn labels(&self) -> &[i64] {
        &self.buffer.labels
    }

    /// Soft labels `[B, K]` for the K classes, if a hook has made them; each row sums to 1.
    pub fn soft_labels(&self) -> Option<&Array2<f32>> {
        self.buffer.has_soft.then_some(&self.buffer.soft)
    }

    /// Inputs and soft labels `[B, K]`, both mutable, for MixUp and the like. The soft labels start as
    /// one-hot vectors of the classes.
    pub fn inputs_and_soft_labels(&mut self) -> (&mut ArrayD<E>, &mut Array2<f32>) {
        let buffer = &mut self.buffer;
        if !buffer.has_soft {
            let dims = (buffer.labels.len(), self.classes);
            if buffer.soft.dim() == dims {
                buffer.soft.fill(0.0);
            } else {
                buffer.soft = Array2::zeros(dims);
            }
            for (mut row, &label) in buffer.soft.rows_mut().into_iter().zip(&buffer.labels) {
                row[label as usize] = 1.0;
            }
            buffer.has_soft = true;
        }
        (&mut buffer.inputs, &mut buffer.soft)
    }

    /// Index of each sample in the data set, `[B]`.
    pub fn samples(&self) -> &[usize] {
        &self.buffer.samples
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.buffer.samples.len()
    }

    /// Whether there are none; a loader never produces such a batch.
    pub fn is_empty(&self) -> bool {
        self.buffer.samples.is_empty()
    }

    /// Number of samples that count, from the first: the others are repetitions that fill the batch.
    pub fn valid(&self) -> usize {
        self.valid
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The batch's number in its epoch, from 0; with it and the epoch, a run can be resumed.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Takes the inputs out of the batch; their memory does not return to the loader.
    pub fn into_inputs(mut self) -> ArrayD<E> {
        self.pool = None;
        std::mem::take(&mut self.buffer.inputs)
    }
}

impl<E: Element> Drop for Batch<E> {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.give(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_keeps_as_many_buffers_as_it_may() {
        let pool = Arc::new(Pool::<u8>::new(2));
        let shape = SampleShape::image(1, 1, 5);
        let begin = || Batch::begin(pool.take(), &shape, 2, 3, (0, 0), 2, Arc::clone(&pool));
        let [first, second, third] = [begin(), begin(), begin()];
        drop((first, second, third));
        let kept = [pool.take(), pool.take(), pool.take()].map(|buffer| buffer.inputs.len());
        assert_eq!(kept, [10, 10, 0]);
        // Inputs taken out of a batch do not return, nor does the memory that accompanied them.
        assert_eq!(begin().into_inputs().shape(), [2, 1, 1, 5]);
        assert_eq!(pool.take().inputs.len(), 0);
    }

    #[test]
    fn a_buffer_is_cut_or_lengthened_to_its_batch() {
        let pool = Arc::new(Pool::<u8>::new(1));
        for (size, batch) in [(5, 2), (5, 3), (3, 1), (3, 1), (1, 3)] {
            let shape = SampleShape::image(1, 1, size);
            let mut begun = Batch::begin(pool.take(), &shape, batch, 3, (0, 0), 2, Arc::clone(&pool));
            assert_eq!(begun.inputs().shape(), [batch, 1, 1, size]);
            assert_eq!((begun.labels().len(), begun.samples().len()), (0, 0), "nothing of the batch before");
            begun.push(7, 2);
            assert_eq!((begun.labels(), begun.samples()), (&[2][..], &[7][..]));
            assert_eq!(begun.data().len(), batch * size);
        }
    }
}
