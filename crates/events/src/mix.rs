//! Mixing of two samples into one, with a label that states the share of each.
//!
//! MixUp and CutMix as for images, and EventMix, which was designed for recordings.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
pub use tks_data::mixing::{CutBox, draw_lambda};
use tks_data::rng::below;
use tks_data::{Batch, SampleRng};

use crate::error::EventError;
use crate::frames::FramesMut;

/// How batches are mixed. If several methods are configured, one of them is drawn for each batch with equal
/// probability.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mix {
    /// Blends two samples: `lambda` of one and `1 - lambda` of the other at every pixel; left out: off. Zhang
    /// et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixup: Option<MixUp>,
    /// Replaces a rectangle of `1 - lambda` of the area with the other sample's, the same for all time steps;
    /// its centre is a random pixel, and it is clipped at the border; left out: off. Yun et al., "CutMix",
    /// ICCV 2019.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cutmix: Option<CutMix>,
    /// Replaces a region of `1 - lambda` of the volume `T x H x W` with the other sample's: where a mixture
    /// of Gaussians with random weights, centres and widths (0.05 to 0.5 of each side) is largest; left out:
    /// off. Shen et al., "EventMix: An Efficient Augmentation Strategy for Event-Based Data", Information
    /// Sciences 644, 2023.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eventmix: Option<EventMix>,
}

/// Options of MixUp. `lambda`, the share of the first sample, is drawn from Beta(alpha, alpha).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixUp {
    /// Both parameters of the beta distribution, above 0.
    pub alpha: f64,
    /// Probability that a sample is mixed, 0 to 1.
    pub probability: f64,
}

/// Options of CutMix. `lambda`, the share of the first sample, is drawn from Beta(alpha, alpha).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CutMix {
    /// Both parameters of the beta distribution, above 0.
    pub alpha: f64,
    /// Probability that a sample is mixed, 0 to 1.
    pub probability: f64,
    /// How the weights of the two labels are determined.
    pub label: LabelWeight,
}

/// Options of EventMix. `lambda`, the share of the first sample, is drawn from Beta(alpha, alpha).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventMix {
    /// Both parameters of the beta distribution, above 0.
    pub alpha: f64,
    /// Probability that a sample is mixed, 0 to 1.
    pub probability: f64,
    /// Range of the number of Gaussians, both ends included, 1 or above.
    pub components: [usize; 2],
    /// How the weights of the two labels are determined.
    pub label: LabelWeight,
}

impl Default for MixUp {
    fn default() -> Self {
        MixUp { alpha: 1.0, probability: 0.5 }
    }
}

impl Default for CutMix {
    fn default() -> Self {
        CutMix { alpha: 1.0, probability: 0.5, label: LabelWeight::Area }
    }
}

impl Default for EventMix {
    fn default() -> Self {
        EventMix { alpha: 1.0, probability: 0.5, components: [2, 4], label: LabelWeight::Events }
    }
}

/// A method for mixing two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum MixMethod {
    /// See [`Mix::mixup`].
    MixUp(MixUp),
    /// See [`Mix::cutmix`].
    CutMix(CutMix),
    /// See [`Mix::eventmix`].
    EventMix(EventMix),
}

/// How the label of two combined samples is weighted. `r_1` is the share of the first sample's events that
/// are replaced, `r_2` the share of the second's events that replace them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LabelWeight {
    /// By the share of the volume that remains of the first sample.
    #[default]
    Area,
    /// By the share of its events: `(1 - r_1) / (1 - r_1 + r_2)` (EventMix; the reference recipe).
    Events,
    /// By the similarity of the result to each sample: `d_2^2 / (d_1^2 + d_2^2)`, where `d_i` is the mean
    /// squared difference from sample `i` after averaging over 3 x 3 pixels (EventMix).
    Distance,
}

impl Mix {
    /// The enabled methods.
    pub fn methods(&self) -> impl Iterator<Item = MixMethod> {
        let Mix { mixup, cutmix, eventmix } = *self;
        let methods =
            [mixup.map(MixMethod::MixUp), cutmix.map(MixMethod::CutMix), eventmix.map(MixMethod::EventMix)];
        methods.into_iter().flatten()
    }

    /// Checks every option.
    ///
    /// # Errors
    /// [`EventError::Option`] for the first invalid one.
    pub fn check(&self) -> Result<(), EventError> {
        self.methods().try_for_each(MixMethod::check)
    }
}

impl MixMethod {
    fn alpha_and_probability(self) -> (f64, f64) {
        let (MixMethod::MixUp(MixUp { alpha, probability })
        | MixMethod::CutMix(CutMix { alpha, probability, .. })
        | MixMethod::EventMix(EventMix { alpha, probability, .. })) = self;
        (alpha, probability)
    }

    /// Checks every option.
    ///
    /// # Errors
    /// [`EventError::Option`] for the first invalid one.
    pub fn check(self) -> Result<(), EventError> {
        let (alpha, probability) = self.alpha_and_probability();
        let fail = |option, value: String, expected| Err(EventError::Option { option, value, expected });
        let names = match self {
            MixMethod::MixUp(_) => ["mixup.alpha", "mixup.probability"],
            MixMethod::CutMix(_) => ["cutmix.alpha", "cutmix.probability"],
            MixMethod::EventMix(_) => ["eventmix.alpha", "eventmix.probability"],
        };
        if !(alpha > 0.0 && alpha <= 1e6) {
            return fail(names[0], alpha.to_string(), "above 0, up to 1e6");
        }
        if !(0.0..=1.0).contains(&probability) {
            return fail(names[1], probability.to_string(), "0 to 1");
        }
        match self {
            MixMethod::EventMix(EventMix { components: [least, most], .. })
                if least == 0 || least > most || most > 1000 =>
            {
                let value = format!("[{least}, {most}]");
                fail("eventmix.components", value, "two numbers of 1 to 1000, the lower first")
            }
            _ => Ok(()),
        }
    }

    /// Mixes `other` into `frames`, both `[T, C, H, W]`, and returns the label weight of `frames`: 1 if they
    /// were left unchanged. The other label's weight is the remainder to 1; see [`soft_label`].
    ///
    /// # Errors
    /// [`EventError::Option`]; [`EventError::Shape`] if the two differ in shape.
    pub fn apply(
        &self,
        frames: &mut FramesMut<f32>,
        other: &FramesMut<f32>,
        rng: &mut impl Rng,
    ) -> Result<f32, EventError> {
        self.check()?;
        other.require(frames.shape())?;
        let (alpha, probability) = self.alpha_and_probability();
        let [time, _, height, width] = frames.shape();
        if !rng.random_bool(probability) || time * height * width == 0 {
            return Ok(1.0);
        }
        let lambda = draw_lambda(alpha, rng);
        match *self {
            MixMethod::MixUp(_) => {
                for (own, other) in frames.steps_mut().zip(other.steps()) {
                    for (own, &other) in own.iter_mut().zip(other) {
                        *own = lambda as f32 * *own + (1.0 - lambda as f32) * other;
                    }
                }
                Ok(lambda as f32)
            }
            MixMethod::CutMix(CutMix { label, .. }) => {
                let cut = CutBox::draw(width, height, lambda, rng);
                let plane: Vec<bool> =
                    (0..height * width).map(|i| cut.contains(i % width, i / width)).collect();
                Ok(replace(frames, other, &plane.repeat(time), label))
            }
            MixMethod::EventMix(EventMix { components: [least, most], label, .. }) => {
                let components = rng.random_range(least..=most);
                let mask = gaussian_mask([time, height, width], components, lambda, rng);
                Ok(replace(frames, other, &mask, label))
            }
        }
    }
}

impl Mix {
    /// Mixes a batch `[T, B, C, H, W]` by one of the methods, like [`MixMethod::on_batch`]; if there are
    /// none, the batch is unchanged.
    ///
    /// # Errors
    /// As [`MixMethod::on_batch`].
    pub fn on_batch(&self, batch: &mut Batch<f32>, rng: &mut SampleRng) -> Result<(), EventError> {
        let methods: Vec<MixMethod> = self.methods().collect();
        match methods.as_slice() {
            [] => Ok(()),
            methods => methods[below(methods.len(), rng)].on_batch(batch, rng),
        }
    }
}

impl MixMethod {
    /// Mixes each sample of a batch `[T, B, C, H, W]`, with the configured probability, with another sample
    /// of the original batch, and their soft labels `[B, K]` likewise; for use as a loader hook.
    ///
    /// # Errors
    /// [`EventError::Option`]; [`EventError::Shape`] if the batch does not contain frames.
    pub fn on_batch(&self, batch: &mut Batch<f32>, rng: &mut impl Rng) -> Result<(), EventError> {
        self.check()?;
        let (inputs, labels) = batch.inputs_and_soft_labels();
        let &[time, samples, channels, height, width] = inputs.shape() else {
            let mut found = [0; 4];
            found.iter_mut().zip(inputs.shape()).for_each(|(found, &size)| *found = size);
            return Err(EventError::Shape { expected: [0; 4], found });
        };
        let (shape, step) = ([time, channels, height, width], channels * height * width);
        let values = inputs.as_slice_mut().unwrap_or_default();
        let (mut before, labels_before) = (values.to_vec(), labels.clone());
        let mut partners: Vec<usize> = (0..samples).collect();
        for i in (1..samples).rev() {
            partners.swap(i, rng.random_range(0..=i));
        }
        for (sample, partner) in partners.into_iter().enumerate() {
            let mut own = FramesMut::strided(&mut values[sample * step..], samples * step, shape)?;
            let other = FramesMut::strided(&mut before[partner * step..], samples * step, shape)?;
            let weight = self.apply(&mut own, &other, rng)?;
            labels.row_mut(sample).zip_mut_with(&labels_before.row(partner), |own, other| {
                *own = weight * *own + (1.0 - weight) * other;
            });
        }
        Ok(())
    }
}

/// The region where a mixture of Gaussians is largest: true for `1 - lambda` of the volume `[T, H, W]`.
fn gaussian_mask(
    [time, height, width]: [usize; 3],
    components: usize,
    lambda: f64,
    rng: &mut impl Rng,
) -> Vec<bool> {
    let mut density = vec![0.0f32; time * height * width];
    for _ in 0..components {
        let weight: f32 = rng.random();
        // A Gaussian in three dimensions is the product of three one-dimensional ones.
        let mut along = |side: usize| -> Vec<f32> {
            let middle = rng.random_range(0..side) as f32;
            let deviation = rng.random::<f32>().max(0.1) * side as f32 * 0.5;
            (0..side).map(|i| (-((i as f32 - middle) / deviation).powi(2) / 2.0).exp()).collect()
        };
        let (t, y, x) = (along(time), along(height), along(width));
        for (plane, &t) in density.chunks_exact_mut(height * width).zip(&t) {
            for (row, &y) in plane.chunks_exact_mut(width).zip(&y) {
                for (value, &x) in row.iter_mut().zip(&x) {
                    *value += weight * t * y * x;
                }
            }
        }
    }
    let kept = (lambda * density.len() as f64).round() as usize;
    if kept >= density.len() {
        return vec![false; density.len()];
    }
    let mut order: Vec<u32> = (0..density.len() as u32).collect();
    // Ties are broken by position, so that the share is exact.
    order.select_nth_unstable_by(kept, |&a, &b| {
        density[a as usize].total_cmp(&density[b as usize]).then(a.cmp(&b))
    });
    let mut mask = vec![false; density.len()];
    for &place in &order[kept..] {
        mask[place as usize] = true;
    }
    mask
}

/// Replaces the values under the mask `[T, H, W]` by the other sample's; returns the weight of the sample's
/// own label.
fn replace(frames: &mut FramesMut<f32>, other: &FramesMut<f32>, mask: &[bool], label: LabelWeight) -> f32 {
    let [_, channels, height, width] = frames.shape();
    let plane = height * width;
    let original: Vec<f32> = match label {
        LabelWeight::Distance => frames.steps().flatten().copied().collect(),
        LabelWeight::Area | LabelWeight::Events => Vec::new(),
    };
    let (mut own_total, mut own_replaced, mut other_total, mut other_taken) = (0f64, 0f64, 0f64, 0f64);
    for ((own, other), mask) in frames.steps_mut().zip(other.steps()).zip(mask.chunks_exact(plane)) {
        for (own, other) in own.chunks_exact_mut(plane).zip(other.chunks_exact(plane)) {
            for ((own, &other), &replaced) in own.iter_mut().zip(other).zip(mask) {
                own_total += f64::from(*own);
                other_total += f64::from(other);
                if replaced {
                    own_replaced += f64::from(*own);
                    other_taken += f64::from(other);
                    *own = other;
                }
            }
        }
    }
    let area = mask.iter().filter(|&&replaced| !replaced).count() as f64 / mask.len() as f64;
    let weight = match label {
        LabelWeight::Area => area,
        LabelWeight::Events => {
            let kept = 1.0 - own_replaced / own_total;
            kept / (kept + other_taken / other_total)
        }
        LabelWeight::Distance => {
            let (mut own, mut theirs) = (0.0, 0.0);
            let step = channels * plane;
            for ((mixed, other), original) in
                frames.steps().zip(other.steps()).zip(original.chunks_exact(step))
            {
                for ((mixed, other), original) in
                    mixed.chunks_exact(plane).zip(other.chunks_exact(plane)).zip(original.chunks_exact(plane))
                {
                    own += blurred_difference(mixed, original, width);
                    theirs += blurred_difference(mixed, other, width);
                }
            }
            theirs * theirs / (own * own + theirs * theirs)
        }
    };
    // Two empty samples have neither events nor a distance.
    (if weight.is_finite() { weight.clamp(0.0, 1.0) } else { area }) as f32
}

/// Sum of the squared differences of two planes `[H, W]` after averaging over 3 x 3 pixels, with zeros beyond
/// the border.
fn blurred_difference(a: &[f32], b: &[f32], width: usize) -> f64 {
    let height = a.len() / width;
    let mut sum = 0.0;
    for y in 0..height {
        for x in 0..width {
            let mut difference = 0.0;
            for row in y.saturating_sub(1)..(y + 2).min(height) {
                for i in row * width + x.saturating_sub(1)..row * width + (x + 2).min(width) {
                    difference += a[i] - b[i];
                }
            }
            sum += f64::from(difference / 9.0).powi(2);
        }
    }
    sum
}

/// Writes the label of a mixed sample, `[K]`: `weight` for its own class and the rest for the other's. If the
/// classes are the same, the weights are added.
///
/// ```
/// let mut target = [0.0; 3];
/// tks_events::mix::soft_label(0, 2, 0.75, &mut target)?;
/// assert_eq!(target, [0.75, 0.0, 0.25]);
/// # Ok::<(), tks_events::EventError>(())
/// ```
///
/// # Errors
/// [`EventError::Label`] if a class is outside `0..K`.
pub fn soft_label(own: usize, other: usize, weight: f32, target: &mut [f32]) -> Result<(), EventError> {
    let classes = target.len();
    if let Some(&label) = [own, other].iter().find(|&&label| label >= classes) {
        return Err(EventError::Label { label, classes });
    }
    target.fill(0.0);
    target[own] += weight;
    target[other] += 1.0 - weight;
    Ok(())
}
