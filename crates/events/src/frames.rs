//! The output memory of frames: any `[T, C, H, W]`, one slice of values per time step.

use ndarray::Array4;
use tks_data::{Element, SampleSlot};

use crate::error::EventError;

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for u16 {}
    impl Sealed for f32 {}
}

/// A numeric type for counting events: `f32` (exact to 2^24), or `u16` or `u8`, which saturate at their
/// maximum.
pub trait Count: Copy + Default + Send + Sync + 'static + sealed::Sealed {
    /// No event.
    const ZERO: Self;
    /// One event.
    const ONE: Self;
    /// Counts one more event; returns whether the value was saturated.
    fn increment(&mut self) -> bool;
    /// The number as `f32`.
    fn to_f32(self) -> f32;
    /// The nearest representable number.
    fn from_f32(value: f32) -> Self;
    /// The frames themselves if their type is `f32`, for values that are not integers.
    fn f32_frames<'f, 'a>(frames: &'f mut FramesMut<'a, Self>) -> Option<&'f mut FramesMut<'a, f32>>;
}

impl Count for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;

    #[inline(always)]
    fn increment(&mut self) -> bool {
        *self += 1.0;
        false
    }

    fn to_f32(self) -> f32 {
        self
    }

    fn from_f32(value: f32) -> f32 {
        value
    }

    fn f32_frames<'f, 'a>(frames: &'f mut FramesMut<'a, f32>) -> Option<&'f mut FramesMut<'a, f32>> {
        Some(frames)
    }
}

macro_rules! count {
    ($number:ty) => {
        impl Count for $number {
            const ZERO: $number = 0;
            const ONE: $number = 1;

            #[inline(always)]
            fn increment(&mut self) -> bool {
                let (sum, full) = self.overflowing_add(1);
                *self = if full { <$number>::MAX } else { sum };
                full
            }

            fn to_f32(self) -> f32 {
                self.into()
            }

            fn from_f32(value: f32) -> $number {
                // `as` saturates at the ends of the range.
                value.round() as $number
            }

            fn f32_frames<'f, 'a>(_: &'f mut FramesMut<'a, $number>) -> Option<&'f mut FramesMut<'a, f32>> {
                None
            }
        }
    };
}
count!(u8);
count!(u16);

/// The output memory of frames of shape `[T, C, H, W]`: one slice of `C * H * W` values per time step.
///
/// The slices can be anywhere in memory, so that a sample can be written directly into a batch `[T, B, C, H,
/// W]`.
#[derive(Debug)]
pub struct FramesMut<'a, E> {
    steps: Vec<&'a mut [E]>,
    shape: [usize; 4],
}

impl<'a, E> FramesMut<'a, E> {
    /// Frames of shape `[C, H, W]`, one in each of `steps`.
    ///
    /// # Errors
    /// [`EventError::StepLength`] if one of the steps does not have `C * H * W` values.
    pub fn new(
        steps: impl IntoIterator<Item = &'a mut [E]>,
        [channels, height, width]: [usize; 3],
    ) -> Result<Self, EventError> {
        let steps: Vec<_> = steps.into_iter().collect();
        let expected = channels * height * width;
        if let Some((step, slice)) = steps.iter().enumerate().find(|(_, slice)| slice.len() != expected) {
            return Err(EventError::StepLength { step, expected, found: slice.len() });
        }
        let shape = [steps.len(), channels, height, width];
        Ok(FramesMut { steps, shape })
    }

    /// Contiguous frames of shape `[T, C, H, W]`.
    ///
    /// # Errors
    /// [`EventError::StepLength`] if there are not `T * C * H * W` values.
    pub fn contiguous(values: &'a mut [E], shape: [usize; 4]) -> Result<Self, EventError> {
        let [time, channels, height, width] = shape;
        let step = channels * height * width;
        if values.len() != time * step {
            return Err(EventError::StepLength {
                step: values.len() / step.max(1),
                expected: step,
                found: values.len() % step.max(1),
            });
        }
        if step == 0 {
            return Self::new((0..time).map(|_| &mut [][..]), [channels, height, width]);
        }
        Self::new(values.chunks_exact_mut(step), [channels, height, width])
    }

    /// Frames of shape `[T, C, H, W]`, each `stride` values after the previous one: a sample of a batch `[T,
    /// B, C, H, W]`, whose stride is `B * C * H * W`. The values between them are not changed.
    ///
    /// # Errors
    /// [`EventError::StepLength`] if a frame does not fit before the next one.
    pub fn strided(values: &'a mut [E], stride: usize, shape: [usize; 4]) -> Result<Self, EventError> {
        let [time, channels, height, width] = shape;
        let expected = channels * height * width;
        let steps = values.chunks_mut(stride.max(1)).take(time).map(|step| {
            let end = step.len().min(expected);
            &mut step[..end]
        });
        let frames = Self::new(steps, [channels, height, width])?;
        if frames.shape[0] != time {
            return Err(EventError::StepLength { step: frames.shape[0], expected, found: 0 });
        }
        Ok(frames)
    }

    /// The memory of a sample in its batch, for frames of shape `[C, H, W]`.
    ///
    /// # Errors
    /// [`EventError::StepLength`] if its time steps have a different size.
    pub fn of_slot(
        slot: &'a mut SampleSlot<'_, E>,
        [channels, height, width]: [usize; 3],
    ) -> Result<Self, EventError>
    where
        E: Element,
    {
        let (time, found) = (slot.time_steps(), slot.frame_len());
        let expected = channels * height * width;
        if found != expected {
            return Err(EventError::StepLength { step: 0, expected, found });
        }
        let (values, stride) = slot.strided();
        Self::strided(values, stride, [time, channels, height, width])
    }

    /// The frames of an array `[T, C, H, W]` in standard layout.
    ///
    /// # Errors
    /// [`EventError::StepLength`] if the array is not in standard layout.
    pub fn of_array(array: &'a mut Array4<E>) -> Result<Self, EventError> {
        let (time, channels, height, width) = array.dim();
        let values = array.as_slice_mut().unwrap_or_default();
        Self::contiguous(values, [time, channels, height, width])
    }

    /// The steps `range` of these frames, counted from 0.
    ///
    /// # Panics
    /// If the range extends beyond the last step.
    pub fn range(&mut self, range: std::ops::Range<usize>) -> FramesMut<'_, E> {
        let shape = [range.len(), self.shape[1], self.shape[2], self.shape[3]];
        FramesMut { steps: self.steps[range].iter_mut().map(|step| &mut **step).collect(), shape }
    }

    /// `[T, C, H, W]`.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// One time step, `[C, H, W]`.
    ///
    /// # Panics
    /// If there is no such step.
    pub fn step(&self, step: usize) -> &[E] {
        self.steps[step]
    }

    /// One time step, `[C, H, W]`.
    ///
    /// # Panics
    /// If there is no such step.
    pub fn step_mut(&mut self, step: usize) -> &mut [E] {
        self.steps[step]
    }

    /// The time steps in order, `[C, H, W]` each.
    pub fn steps(&self) -> impl Iterator<Item = &[E]> {
        self.steps.iter().map(|step| &**step)
    }

    /// Swaps two time steps.
    ///
    /// # Panics
    /// If there are no such steps.
    pub fn swap_steps(&mut self, a: usize, b: usize) {
        let [first, second] = [a.min(b), a.max(b)];
        if first < second {
            let (left, right) = self.steps.split_at_mut(second);
            left[first].swap_with_slice(right[0]);
        }
    }

    /// The time steps in order, `[C, H, W]` each.
    pub fn steps_mut(&mut self) -> impl Iterator<Item = &mut [E]> {
        self.steps.iter_mut().map(|step| &mut **step)
    }

    /// The planes in order of time and channel, `[H, W]` each.
    pub fn planes_mut(&mut self) -> impl Iterator<Item = &mut [E]> {
        let plane = (self.shape[2] * self.shape[3]).max(1);
        self.steps.iter_mut().flat_map(move |step| step.chunks_exact_mut(plane))
    }

    /// Checks that the frames have this shape.
    ///
    /// # Errors
    /// [`EventError::Shape`].
    pub fn require(&self, expected: [usize; 4]) -> Result<(), EventError> {
        if self.shape == expected {
            return Ok(());
        }
        Err(EventError::Shape { expected, found: self.shape })
    }
}
