//! Samples that are in memory already.

use crate::dataset::{Dataset, SampleContext, SampleShape, SampleSlot};
use crate::error::{BoxError, DataError};

/// Samples in memory with their labels, for what a program made or read by itself: torch's `TensorDataset`.
///
/// ```
/// use std::sync::Arc;
/// use tks_data::{ArrayDataset, Loader, LoaderConfig, SampleShape};
///
/// // Three images of 1 x 2 x 2, of two classes.
/// let values = (0..12u8).map(f32::from).collect();
/// let samples = ArrayDataset::new(SampleShape::image(1, 2, 2), values, vec![0, 1, 0], 2)?;
/// let batch = Loader::new(Arc::new(samples), LoaderConfig::evaluation(3, 0))?.epoch(0)?.next().expect("a batch")?;
/// assert_eq!(batch.inputs().shape(), [3, 1, 2, 2]);
/// assert_eq!(batch.labels(), [0, 1, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayDataset {
    shape: SampleShape,
    values: Vec<f32>,
    labels: Vec<usize>,
    classes: usize,
}

impl ArrayDataset {
    /// `values`: `[N, T, C, H, W]`, or `[N, C, H, W]` without time, for the `N` labels.
    ///
    /// # Errors
    /// [`DataError::Setting`] if there are not as many values as the shape and the labels need, or if a label is not below
    /// `classes`.
    pub fn new(
        shape: SampleShape,
        values: Vec<f32>,
        labels: Vec<usize>,
        classes: usize,
    ) -> Result<Self, DataError> {
        let wrong = |field, message| Err(DataError::Setting { field, message });
        let expected = shape.len().checked_mul(labels.len());
        if expected != Some(values.len()) {
            let message = format!(
                "there are {} values, but {} samples of {} values each",
                values.len(),
                labels.len(),
                shape.len()
            );
            return wrong("values", message);
        }
        if let Some(label) = labels.iter().find(|&&label| label >= classes) {
            return wrong("labels", format!("{label} is not below the number of classes, {classes}"));
        }
        Ok(ArrayDataset { shape, values, labels, classes })
    }
}

impl Dataset for ArrayDataset {
    type Element = f32;

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn shape(&self) -> SampleShape {
        self.shape.clone()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn load(
        &self,
        index: usize,
        _: &mut SampleContext,
        mut slot: SampleSlot<'_, f32>,
    ) -> Result<(), BoxError> {
        let (sample, frame) = (self.shape.len(), self.shape.frame_len());
        let steps = self.values[index * sample..(index + 1) * sample].chunks(frame.max(1));
        for (step, values) in steps.enumerate() {
            slot.step(step).copy_from_slice(values);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_sample_lie_one_after_the_other_and_wrong_sizes_are_refused() {
        let shape = SampleShape::frames(2, 1, 1, 2);
        let values: Vec<f32> = (0..8u8).map(f32::from).collect();
        let samples = ArrayDataset::new(shape.clone(), values.clone(), vec![1, 0], 2).unwrap();
        let mut second = [0.0; 4];
        samples.load(1, &mut SampleContext::new(0, 0, 1), SampleSlot::alone(&mut second, &shape)).unwrap();
        assert_eq!(second, [4.0, 5.0, 6.0, 7.0]);
        assert_eq!((samples.len(), samples.label(0), samples.classes()), (2, 1, 2));
        let refused = |labels: Vec<usize>| {
            ArrayDataset::new(shape.clone(), values.clone(), labels, 2).unwrap_err().to_string()
        };
        assert!(refused(vec![0]).contains("8 values, but 1 samples of 4"), "{}", refused(vec![0]));
        assert!(refused(vec![0, 2]).contains("2 is not below the number of classes"));
    }
}
