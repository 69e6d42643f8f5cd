//! Mixing of two images, with a soft label that states the share of each.

use ndarray::{Array2, Axis};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use tks_data::Batch;
use tks_data::mixing::{CutBox, draw_lambda};

use super::{setting, within};
use crate::error::ImageError;

/// MixUp, CutMix or both in alternation, and label smoothing, for batches. Each sample is mixed with the one
/// at the same distance from the other end of the batch; with the loader's order, this is a different one in
/// each epoch.
///
/// Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018; Yun et al., "CutMix", ICCV 2019;
/// names and order of choice as in timm.
///
/// ```
/// use tks_images::augment::Mix;
///
/// let mix: Mix = serde_json::from_str(r#"{ "mixup": { "alpha": 0.8 }, "cutmix": {}, "label_smoothing": 0.1 }"#)?;
/// mix.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mix {
    /// Blends two images: `lambda` of one and `1 - lambda` of the other at every pixel; left out: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixup: Option<Beta>,
    /// Replaces a rectangle of `1 - lambda` of the area with the other image's; its centre is a random pixel,
    /// it is clipped at the border, and the label is weighted by the remaining area; left out: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cutmix: Option<Beta>,
    /// Probability of mixing, 0 to 1.
    pub probability: f64,
    /// Probability of CutMix if both are enabled, 0 to 1.
    pub switch_probability: f64,
    /// The samples to which one random draw applies.
    pub mode: MixMode,
    /// Share of each label, mixed or not, that is spread evenly over all classes, 0 to below 1.
    pub label_smoothing: f64,
}

/// The distribution of `lambda`, the share of the first image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Beta {
    /// Both parameters of the beta distribution from which `lambda` is drawn, above 0.
    pub alpha: f64,
}

impl Default for Beta {
    fn default() -> Self {
        Beta { alpha: 1.0 }
    }
}

/// The samples to which one random draw of [`Mix`] applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MixMode {
    /// The whole batch.
    #[default]
    Batch,
    /// Two samples that are mixed with each other.
    Pair,
    /// One sample.
    Element,
}

impl Default for Mix {
    /// Labels are smoothed by 0.1, and nothing is mixed unless `mixup` or `cutmix` is given.
    fn default() -> Self {
        Mix {
            mixup: None,
            cutmix: None,
            probability: 1.0,
            switch_probability: 0.5,
            mode: MixMode::Batch,
            label_smoothing: 0.1,
        }
    }
}

/// How much of one sample is replaced by another.
#[derive(Clone, Copy)]
enum Share {
    /// None.
    Nothing,
    /// All but this weight, in every pixel.
    Everywhere(f32),
    /// All of a rectangle, so that this weight remains.
    Within(CutBox, f32),
}

impl Mix {
    /// Checks every option.
    ///
    /// # Errors
    /// [`tks_data::DataError::Setting`] for the first invalid one.
    pub fn check(&self) -> Result<(), ImageError> {
        for (name, beta) in [("mixup.alpha", self.mixup), ("cutmix.alpha", self.cutmix)] {
            let Some(Beta { alpha }) = beta else { continue };
            setting(alpha > 0.0 && alpha <= 1e6, name, alpha, "above 0, up to 1e6")?;
        }
        within("probability", self.probability, 0.0, 1.0)?;
        within("switch_probability", self.switch_probability, 0.0, 1.0)?;
        let right = (0.0..1.0).contains(&self.label_smoothing);
        setting(right, "label_smoothing", self.label_smoothing, "0 to below 1")
    }

    /// Mixes the samples of a batch `[B, C, H, W]` and their soft labels `[B, K]`, as a loader hook.
    ///
    /// # Errors
    /// [`tks_data::DataError::Setting`] for an invalid option, and for a batch of another shape.
    pub fn on_batch(&self, batch: &mut Batch<f32>, rng: &mut impl Rng) -> Result<(), ImageError> {
        self.check()?;
        let (inputs, labels) = batch.inputs_and_soft_labels();
        let shape = inputs.shape().to_vec();
        let expected = "of the shape [B, C, H, W]; recordings are mixed by tks_events::mix";
        setting(shape.len() == 4, "batch", format_args!("{shape:?}"), expected)?;
        self.smooth(labels);
        let (samples, size) = (shape[0], [shape[2], shape[3]]);
        let length = shape[1] * shape[2] * shape[3];
        let values = inputs.as_slice_mut().unwrap_or_default();
        if length == 0 || (self.mixup.is_none() && self.cutmix.is_none()) {
            return Ok(());
        }
        let mut share = self.draw(size, rng);
        let mut before = vec![0.0; length];
        for first in 0..samples / 2 {
            let second = samples - 1 - first;
            if self.mode != MixMode::Batch {
                share = self.draw(size, rng);
            }
            let second_share = if self.mode == MixMode::Element { self.draw(size, rng) } else { share };
            let (left, right) = values.split_at_mut(second * length);
            let (own, other) = (&mut left[first * length..][..length], &mut right[..length]);
            before.copy_from_slice(own);
            let own_weight = share.mix(own, other, size);
            let other_weight = second_share.mix(other, &before, size);
            let (mut left, mut right) = labels.view_mut().split_at(Axis(0), second);
            for (a, b) in left.row_mut(first).iter_mut().zip(&mut right.row_mut(0)) {
                (*a, *b) = (
                    own_weight * *a + (1.0 - own_weight) * *b,
                    other_weight * *b + (1.0 - other_weight) * *a,
                );
            }
        }
        Ok(())
    }

    /// Spreads a share of each label evenly over the classes.
    fn smooth(&self, labels: &mut Array2<f32>) {
        let (share, classes) = (self.label_smoothing as f32, labels.ncols() as f32);
        if share > 0.0 {
            labels.mapv_inplace(|label| (1.0 - share) * label + share / classes);
        }
    }

    fn draw(&self, [height, width]: [usize; 2], rng: &mut impl Rng) -> Share {
        if !rng.random_bool(self.probability) {
            return Share::Nothing;
        }
        let cutmix = match (self.mixup, self.cutmix) {
            (Some(_), Some(cutmix)) => rng.random_bool(self.switch_probability).then_some(cutmix),
            (_, cutmix) => cutmix,
        };
        match (cutmix, self.mixup) {
            (Some(Beta { alpha }), _) => {
                let region = CutBox::draw(width, height, draw_lambda(alpha, rng), rng);
                Share::Within(region, 1.0 - region.area() as f32 / (height * width) as f32)
            }
            (None, Some(Beta { alpha })) => Share::Everywhere(draw_lambda(alpha, rng) as f32),
            (None, None) => Share::Nothing,
        }
    }
}

impl Share {
    /// Mixes `other` into `own`, both `[C, H, W]`; returns the remaining weight of `own`.
    fn mix(self, own: &mut [f32], other: &[f32], [height, width]: [usize; 2]) -> f32 {
        match self {
            Share::Nothing => 1.0,
            Share::Everywhere(weight) => {
                for (own, &other) in own.iter_mut().zip(other) {
                    *own = weight * *own + (1.0 - weight) * other;
                }
                weight
            }
            Share::Within(CutBox { x: [left, right], y: [top, bottom] }, weight) => {
                for (own, other) in
                    own.chunks_exact_mut(height * width).zip(other.chunks_exact(height * width))
                {
                    for y in top..bottom {
                        let row = y * width + left..y * width + right;
                        own[row.clone()].copy_from_slice(&other[row]);
                    }
                }
                weight
            }
        }
    }
}
