//! Dropout of the same features at every time step.

use tch::Tensor;

use crate::context::ForwardContext;
use crate::description::LayerDescription;
use crate::error::ModelError;
use crate::layers::{Layer, StaticPart};

/// Drops features in training, the same ones at every time step.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    /// Share of the features, in `[0, 1)`.
    pub(crate) rate: f64,
}

impl Layer for Dropout {
    fn forward(&self, x: &Tensor, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        if !context.is_training() || self.rate == 0.0 {
            return Ok(x.shallow_clone());
        }
        let first = x.f_select(0, 0)?;
        let kept = tch::no_grad(|| first.f_ones_like()?.f_bernoulli_p(1.0 - self.rate))?;
        Ok(x.f_mul(&kept)?.f_div_scalar(1.0 - self.rate)?)
    }

    fn needs_all_steps(&self) -> bool {
        self.rate > 0.0
    }

    fn static_part(&self) -> StaticPart {
        StaticPart::Whole
    }

    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        Ok(vec![LayerDescription::Dropout { rate: self.rate }])
    }
}
